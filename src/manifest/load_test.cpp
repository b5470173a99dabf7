#include "manifest/load.h"

#include "base/testing/golden.h"

namespace slipway::manifest {
namespace {

std::string loaded(const fs::path& root, const std::string& folder, const LoadOptions& options) {
  DiskSource source(root);
  auto all = load_folder(Ctx{}, source, folder, options);
  if (!all) return "error: " + all.error().what();
  std::string text;
  for (const auto& [object, file] : *all) {
    text += fmt::format("{} {}:{}\n", object.str_at({"metadata", "name"}),
                        fs::path(file).lexically_relative(root).string(), object.mark().line);
  }
  return text;
}

TEST(LoadFolder, ReadsWhatIsAskedFor) {
  auto dir = must(TempDir::make("load"));
  auto put = [&](const std::string& path, const std::string& text) {
    must(make_dirs((dir.path() / path).parent_path()));
    must(write_file(dir.path() / path, text));
  };
  auto object = [](std::string_view name) {
    return fmt::format("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n", name);
  };
  put("app/b.yaml", object("b") + "---\n# nothing\n---\n" + object("b2"));
  put("app/a.json",
      R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]})");
  put("app/sub/c.yml", object("c"));
  put("app/README.md", "text");
  put("app/.hidden.yaml", "a: [");
  EXPECT_EQ(loaded(dir.path(), "app", {}), "a app/a.json:1\nb app/b.yaml:1\nb2 app/b.yaml:7\n");
  EXPECT_EQ(loaded(dir.path(), "app", {.recursive = true, .include = "{sub/*,b*}"}),
            "b app/b.yaml:1\nb2 app/b.yaml:7\nc app/sub/c.yml:1\n");
  EXPECT_EQ(loaded(dir.path(), "app", {.recursive = true, .exclude = "*.yaml"}), "a app/a.json:1\nc app/sub/c.yml:1\n");
  put("app/z.yaml", "just: text\n");
  EXPECT_EQ(loaded(dir.path(), "app", {}),
            fmt::format("error: {}/app/z.yaml:1:1: want an object with apiVersion and kind", dir.path().string()));
  EXPECT_TRUE(loaded(dir.path(), "../x", {}).starts_with("error: '../x' is outside"));
}

}  // namespace
}  // namespace slipway::manifest
