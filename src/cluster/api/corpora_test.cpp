// Real manifests must be taken as they are, and real protobuf must say what its JSON says.
#include <gtest/gtest.h>

#include "base/text.h"
#include "cluster/api/protobuf.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "kube/schema.h"
#include "kube/validate.h"

namespace slipway::cluster {
namespace {

std::vector<fs::path> files_below(const fs::path& root, const std::set<std::string>& endings) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file() && endings.contains(entry.path().extension().native())) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Corpora, SLOW_RealManifestsAreTakenStrictly) {
  auto root = corpora();
  if (!root || !path_exists(*root / "manifests")) GTEST_SKIP() << "no corpora here";
  auto api = make_test_api();
  auto client = api.client();
  int taken = 0, unknown = 0;
  std::string refused;
  for (const auto& file : files_below(*root / "manifests", {".yaml", ".yml"})) {
    auto text = must(read_file(file));
    if (text.find("{{") != std::string::npos || file.native().find("/crds/") != std::string::npos)
      continue;  // templates
    bool part =
        file.native().find("/overlays/") != std::string::npos || file.native().find(".patch.") != std::string::npos;
    if (part) continue;
    auto documents = doc::parse_yaml_all(text);
    if (!documents) continue;
    for (auto& d : *documents) {
      kube::Type type{d.str_at({"apiVersion"}), d.str_at({"kind"})};
      const auto* schema = kube::builtin_schema(type);
      if (schema == nullptr) {
        ++unknown;
        continue;
      }
      auto copy = d;
      auto checked = kube::check(copy, *schema, {.required = false});
      for (const auto& field : checked.unknown)
        refused += fmt::format("{}: unknown {}\n", file.filename().native(), field);
      d["metadata"].map().erase("namespace");
      auto made = client->create(Ctx{}, d, {.dry_run = true});
      if (made)
        ++taken;
      else if (!made.error().is(Kind::conflict))
        refused += fmt::format("{}: {}\n", file.native(), made.error().what());
    }
  }
  EXPECT_EQ(refused, "");
  EXPECT_GT(taken, 100);
  printf("%d objects taken, %d of other kinds\n", taken, unknown);
}

// Fields of newer versions than our table's, and what JSON leaves out, do not count.
void drop_unknown(doc::Value& value, const kube::Schema& schema) {
  (void)kube::check(value, schema, {.prune = true, .required = false});
}
void drop_empty(doc::Value& value) {
  if (value.is_map()) {
    std::vector<std::string> gone;
    for (auto& [key, v] : value.map()) {
      drop_empty(v);
      bool empty = v.is_null() || (v.is_map() && v.if_map()->empty());
      if (empty) gone.push_back(key);
    }
    for (const auto& key : gone) value.map().erase(key);
  }
  if (value.is_list())
    for (auto& item : value.list()) drop_empty(item);
}

TEST(Corpora, ProtobufSaysWhatJsonSays) {
  const char* folder = std::getenv("SLIPWAY_KUBERNETES_TESTDATA");  // testdata/HEAD of kubernetes/api
  if (folder == nullptr) GTEST_SKIP();
  int same = 0;
  std::string differ;
  for (const auto& file : files_below(folder, {".pb"})) {
    auto json_file = file;
    json_file.replace_extension(".json");
    auto json = must(doc::parse_json(must(read_file(json_file))));
    kube::Type type{json.str_at({"apiVersion"}), json.str_at({"kind"})};
    const auto* kind = kube::find_builtin(type);
    if (kind == nullptr) continue;
    auto decoded = decode_protobuf(must(read_file(file)));
    if (!decoded) {
      differ += fmt::format("{}: {}\n", file.filename().native(), decoded.error().what());
      continue;
    }
    drop_unknown(json, *kind->schema), drop_unknown(*decoded, *kind->schema);
    drop_empty(json), drop_empty(*decoded);
    if (json == *decoded) {
      ++same;
      continue;
    }
    auto changes = doc::diff(json, *decoded);
    differ += fmt::format("{}: {}: {} -> {}\n", file.filename().native(), changes.empty() ? "?" : changes[0].path,
                          changes.empty() ? "" : doc::print_json(changes[0].before).substr(0, 200),
                          changes.empty() ? "" : doc::print_json(changes[0].after).substr(0, 200));
  }
  EXPECT_EQ(differ, "");
  printf("%d kinds equal\n", same);
}

}  // namespace
}  // namespace slipway::cluster
