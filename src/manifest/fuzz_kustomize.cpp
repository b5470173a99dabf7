// A kustomization, its resources and a patch, parted by lines of "%%%": every build ends, within its source.
#include "base/text.h"
#include "doc/yaml.h"
#include "manifest/kustomize.h"

namespace {

class TextSource final : public slipway::manifest::FileSource {
 public:
  explicit TextSource(std::string_view text) {
    static constexpr const char* names[] = {"kustomization.yaml", "r.yaml", "p.yaml", "b/kustomization.yaml",
                                            "b/r.yaml"};
    for (const auto* name : names) {
      auto parts = slipway::cut(text, "%%%\n").value_or(std::pair{text, std::string_view()});
      if (!parts.first.empty()) files_[name] = parts.first;
      text = parts.second;
    }
  }
  slipway::Result<std::optional<std::string>> read(const std::string& path) override {
    auto found = files_.find(path);
    return found == files_.end() ? std::nullopt : std::optional(std::string(found->second));
  }
  slipway::Result<std::vector<Entry>> list(const std::string&) override { return std::vector<Entry>(); }
  slipway::Result<bool> is_dir(const std::string& path) override { return path.empty() || path == "b"; }

 private:
  std::map<std::string, std::string_view> files_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  TextSource source(std::string_view(reinterpret_cast<const char*>(data), size));
  auto objects = manifest::kustomize_build(Ctx{}, source, "");
  if (!objects) return 0;
  auto text = manifest::print_objects(*objects);
  auto again = doc::parse_yaml_all(text, {.max_depth = 200});
  SLP_ASSERT(again.has_value());
  return 0;
}
