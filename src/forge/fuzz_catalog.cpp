// What forges say of repositories: texts without control characters, commits that are ids, paths that stay where they
// are asked for.
#include "base/text.h"
#include "doc/json.h"
#include "forge/detail/catalog.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string text(reinterpret_cast<const char*>(data), size);
  auto clean = [](std::string_view part) {
    for (unsigned char c : part) SLP_ASSERT(c >= 0x20 && c != 0x7f);
  };
  if (auto one = forge::part(text)) SLP_ASSERT(!one->contains('/') && *one != ".." && !one->empty());
  if (auto path = forge::parts(text))
    for (auto one : split(*path, '/')) SLP_ASSERT(!one.empty() && one != "." && one != "..");
  auto parsed = doc::parse_json(text, "forge");
  if (!parsed) return 0;
  doc::View view(*parsed, "forge");
  if (auto branch = forge::branch_from(view["name"], view["commit"])) {
    clean(branch->name);
    SLP_ASSERT(branch->commit.size() >= 40 && !branch->commit.contains('/'));
  }
  if (auto labels = forge::labels_from(view["topics"]))
    for (const auto& label : *labels) clean(label);
  return 0;
}
