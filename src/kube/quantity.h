#pragma once
// Resource amounts: "500m", "128Mi", "1e3". Rule: apimachinery/pkg/api/resource.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::kube {

// Threads: as a value.
struct Quantity {
  enum class Format { decimal, binary, exponent };
  __int128 nanos = 0;
  Format format = Format::decimal;

  // Errors: invalid. What is finer than a billionth is rounded up.
  static Result<Quantity> parse(std::string_view text);
  std::int64_t value() const;   // rounded up to a whole: bytes
  std::int64_t millis() const;  // rounded up: thousandths of a CPU
  std::string print() const;    // canonical: "1024Mi" is "1Gi", "0.5" is "500m"
};

}  // namespace slipway::kube
