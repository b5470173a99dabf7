#pragma once
// Tells whoever waits that something of a kind has changed; they look for themselves what.
#include "base/guarded.h"

namespace slipway::engine {

// Threads: any.
class Wake {
 public:
  void all() {
    ++*count_.lock();
    changed_.notify_all();
  }
  // Take it before looking; `past` it returns at once when something changed meanwhile.
  std::uint64_t now() const { return *count_.lock(); }
  // Errors: cancelled, timeout.
  Result<> past(const Ctx& ctx, std::uint64_t seen) {
    auto count = count_.lock();
    return count.wait(ctx, changed_, [&] { return *count != seen; });
  }

 private:
  Guarded<std::uint64_t> count_;
  std::condition_variable_any changed_;
};

}  // namespace slipway::engine
