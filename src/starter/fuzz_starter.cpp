// Files of a stranger's repository, parted by lines of "%%%": whatever they say, there are facts, and a path that can
// be written from them, or an error.
#include "base/text.h"
#include "starter/starter.h"

namespace {

using namespace slipway;

class Files final : public manifest::FileSource {
 public:
  explicit Files(std::string_view text) {
    for (const auto* name : {"Dockerfile", "compose.yaml", "package.json", "go.mod", "pyproject.toml", "Cargo.toml",
                             "pom.xml", ".github/workflows/ci.yaml"}) {
      auto [mine, rest] = cut(text, "%%%\n").value_or(std::pair{text, std::string_view()});
      if (!mine.empty()) files_[name] = mine;
      text = rest;
    }
  }
  Result<std::optional<std::string>> read(const std::string& path) override {
    auto found = files_.find(path);
    return found == files_.end() ? std::nullopt : std::optional(std::string(found->second));
  }
  Result<std::vector<Entry>> list(const std::string& folder) override {
    std::map<std::string, bool> names;
    for (const auto& [path, text] : files_) {
      std::string_view rest = path;
      if (!folder.empty() && !rest.starts_with(folder + "/")) continue;
      if (!folder.empty()) rest.remove_prefix(folder.size() + 1);
      auto inner = cut(rest, "/");
      names[std::string(inner ? inner->first : rest)] = inner.has_value();
    }
    std::vector<Entry> entries;
    for (const auto& [name, is_folder] : names) entries.push_back({name, is_folder});
    return entries;
  }
  Result<bool> is_dir(const std::string& path) override {
    return path.empty() || path == ".github" || path == ".github/workflows";
  }

 private:
  std::map<std::string, std::string_view> files_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Files files(std::string_view(reinterpret_cast<const char*>(data), size));
  auto facts = starter::look({}, files, "shop");
  if (!facts) return 0;
  SLP_ASSERT(facts->port > 0 && facts->port < 65536 && !facts->name.empty());
  (void)starter::workflow_file(*facts);
  SLP_ASSERT(!starter::config_files(*facts).empty());
  return 0;
}
