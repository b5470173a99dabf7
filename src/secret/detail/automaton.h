#pragma once
// Aho-Corasick over byte classes: a table of next states, the depth of each and the longest pattern that ends in it.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::secret::detail {

class Automaton {
 public:
  explicit Automaton(const std::vector<std::string>& patterns);
  using State = std::uint32_t;
  static constexpr State start = 0;
  State next(State state, char c) const { return next_[state * classes_ + class_of_[static_cast<unsigned char>(c)]]; }
  // Length of the longest pattern that ends here, 0 for none.
  std::uint32_t match(State state) const { return match_[state]; }
  // How many of the last bytes may still become a pattern.
  std::uint32_t depth(State state) const { return depth_[state]; }

 private:
  std::array<std::uint8_t, 256> class_of_{};  // 0: in no pattern
  std::size_t classes_ = 1;
  std::vector<State> next_;
  std::vector<std::uint32_t> match_, depth_;
};

}  // namespace slipway::secret::detail
