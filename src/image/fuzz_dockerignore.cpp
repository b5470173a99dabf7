// First line a path, the rest patterns: an answer comes in bounded time.
#include "base/text.h"
#include "image/ignore.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  auto [path, patterns] = cut(text, "\n").value_or(std::pair{std::string_view("a/b"), text});
  if (auto list = image::IgnoreList::parse(patterns)) (void)list->excludes(path.substr(0, 256));
  return 0;
}
