#pragma once
// Canary against stable by a test that may be looked at after every request: the chance of ever aborting a canary that
// is no worse is at most alpha, however often one looks and whatever the weights do in between.
//
// Rule (Lindon, Sanden, Shirikian: anytime-valid testing; Ville's inequality): let q be the canary's share of the
// requests when an error occurs. If the canary is no worse, the error is the canary's with probability at most q. For a
// candidate p in (q, 1), the product over all errors of p/q (the canary's) or (1-p)/(1-q) (stable's) is a non-negative
// supermartingale; so is the average over many p. It passes 1/alpha with probability at most alpha.
#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace slipway::verify {

struct Traffic {
  std::uint64_t requests = 0, errors = 0;
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

class SequentialTest {
 public:
  static constexpr std::size_t grid = 60;
  // What came since the last look.
  void look(const Traffic& canary, const Traffic& stable);
  double evidence() const;  // against "no worse"; may be infinite
  // State as text, for the status of an AnalysisRun. Errors: invalid.
  std::string print() const;
  static Result<SequentialTest> parse(std::string_view text);

 private:
  // log of the product for each p = q + (1-q) * (k + 1/2) / grid: the grid moves with q.
  std::array<double, grid> log_products_{};
};

// Canary requests one needs to see a rise of the error rate from `base` to `worse` at the given alpha (and a chance of
// 5 % to miss it), by Wald's approximation.
std::uint64_t requests_needed(double base, double worse, double alpha);

}  // namespace slipway::verify
