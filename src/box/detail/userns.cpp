#include "box/detail/userns.h"

#include "base/files.h"
#include "base/text.h"

namespace slipway::box {

bool in_user_namespace() {
  static const bool inside = [] {
    auto text = read_file("/proc/self/uid_map");
    if (!text) return false;
    // The first namespace maps everything onto itself.
    std::vector<std::string_view> words;
    for (auto word : split(trim(*text), ' '))
      if (!word.empty()) words.push_back(word);
    return words != std::vector<std::string_view>{"0", "0", "4294967295"};
  }();
  return inside;
}

}  // namespace slipway::box
