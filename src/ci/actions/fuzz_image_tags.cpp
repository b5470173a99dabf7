// Rules of docker/metadata-action, the first line a ref: an error, or tags that a registry takes the letters of.
#include "base/text.h"
#include "ci/actions/image_tags.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ci;
  std::string text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  TagSource source;
  source.event_name = "push", source.sha = "860c1904a1ce19322e91ac35af1ab07466440c37";
  std::vector<std::string> rules;
  for (auto line : slipway::lines(text)) {
    if (source.ref.empty())
      source.ref = line;
    else
      rules.emplace_back(line);
  }
  auto tags = image_tags(source, rules, {});
  if (!tags) return 0;
  for (const auto& name : tags->names)
    for (unsigned char c : name) SLP_ASSERT(std::isalnum(c) || c == '.' || c == '_' || c == '-');
  return 0;
}
