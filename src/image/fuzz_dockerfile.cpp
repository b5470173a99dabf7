// Parsing, planning and expanding any text ends, and a tree prints.
#include "image/expand.h"
#include "image/stages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Lookup lookup = [](std::string_view name) -> std::optional<std::string> {
    return name.size() % 2 == 0 ? std::optional(std::string(name) + " x") : std::nullopt;
  };
  (void)expand(text.substr(0, 512), lookup);
  (void)expand_words(text.substr(0, 512), lookup);
  if (auto mount = parse_mount(text.substr(0, 512))) (void)check_mount(*mount);
  (void)parse_trigger(text, "base:1");
  auto file = parse_dockerfile(text);
  if (!file) return 0;
  SLP_ASSERT(!print_tree(*file).empty());
  for (const auto& i : file->instructions) SLP_ASSERT(i.line >= 1 && i.end_line >= i.line && i.column >= 1);
  (void)plan_stages(*file);
  return 0;
}
