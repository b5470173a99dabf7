#include "verify/sequential.h"

#include <cmath>

#include "base/text.h"

namespace slipway::verify {

void SequentialTest::look(const Traffic& canary, const Traffic& stable) {
  auto all = canary.requests + stable.requests;
  // Without requests of both kinds there is nothing to compare.
  if (canary.requests == 0 || stable.requests == 0) return;
  double q = static_cast<double>(canary.requests) / static_cast<double>(all);
  // A count above its requests is a broken source; it must not become evidence.
  auto ours = static_cast<double>(std::min(canary.errors, canary.requests));
  auto theirs = static_cast<double>(std::min(stable.errors, stable.requests));
  for (std::size_t k = 0; k < grid; ++k) {
    double p = q + (1 - q) * (static_cast<double>(k) + 0.5) / static_cast<double>(grid);
    log_products_[k] += ours * std::log(p / q) + theirs * std::log((1 - p) / (1 - q));
  }
}

double SequentialTest::evidence() const {
  // The average of exponentials, without overflow on the way.
  double most = *std::max_element(log_products_.begin(), log_products_.end());
  double sum = 0;
  for (double log_product : log_products_) sum += std::exp(log_product - most);
  return std::exp(most) * sum / static_cast<double>(grid);
}

std::string SequentialTest::print() const {
  std::string out;
  for (double log_product : log_products_) out += fmt::format("{}{:.6g}", out.empty() ? "" : " ", log_product);
  return out;
}

Result<SequentialTest> SequentialTest::parse(std::string_view text) {
  SequentialTest test;
  if (trim(text).empty()) return test;
  auto words = split(text, ' ');
  if (words.size() != grid)
    return fail(Kind::invalid, "the state of a sequential test has {} numbers, want {}", words.size(), grid);
  for (std::size_t k = 0; k < grid; ++k) {
    auto number = to_double(words[k]);
    if (!number || std::isnan(*number))
      return fail(Kind::invalid, "the state of a sequential test has \"{}\", want a number", words[k]);
    test.log_products_[k] = *number;
  }
  return test;
}

std::uint64_t requests_needed(double base, double worse, double alpha) {
  if (!(base > 0) || !(worse > base) || !(worse < 1) || !(alpha > 0) || !(alpha < 1)) return 0;
  constexpr double beta = 0.05;
  // Expected log likelihood ratio of one request under the worse rate.
  double gain = worse * std::log(worse / base) + (1 - worse) * std::log((1 - worse) / (1 - base));
  double bound = (1 - beta) * std::log((1 - beta) / alpha) + beta * std::log(beta / (1 - alpha));
  return static_cast<std::uint64_t>(std::ceil(bound / gain));
}

}  // namespace slipway::verify
