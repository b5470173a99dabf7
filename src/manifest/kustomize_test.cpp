#include "manifest/kustomize.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::manifest {
namespace {

std::string built(const fs::path& root, const std::string& folder, const KustomizeOptions& options = {}) {
  DiskSource source(root);
  auto objects = kustomize_build(Ctx{}, source, folder, options);
  if (!objects) return "error: " + objects.error().what();
  return print_objects(*objects);
}

// The corpus: what kustomize 5.5 printed, or that it refused. The number of cases that agree may only grow.
TEST(Kustomize, SLOW_AgreesWithTheCorpus) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  std::map<std::string, std::pair<int, int>> by_status;
  int agreed = 0;
  std::string failed;
  for (const auto& name : must(list_dir(*root / "kustomize/cases"))) {
    auto folder = *root / "kustomize/cases" / name;
    auto meta = must(doc::parse_json(must(read_file(folder / "meta.json"))));
    auto status = meta.str_at({"status"});
    KustomizeOptions options;
    if (must(read_file(folder / "meta.json")).find("LoadRestrictionsNone") != std::string::npos) {
      options.load_restrictor = KustomizeOptions::LoadRestrictor::none;
    }
    auto got = built(folder / "input", meta.str_at({"target"}), options);
    auto want = read_file(folder / "expected.yaml");
    bool same = want ? got == *want : got.starts_with("error: ");
    if (!same && want && status == "agree-semantic" && !got.starts_with("error: ")) {
      // The expectation was written by hand there: compared as data.
      auto a = doc::parse_yaml_all(got), b = doc::parse_yaml_all(*want);
      same = a && b && *a == *b;
    }
    auto& [passed, all] = by_status[status];
    ++all;
    if (same) {
      ++passed, ++agreed;
    } else {
      failed += fmt::format("{} {}{}\n", status, name, got.starts_with("error: ") ? "\n    " + got : "");
    }
    if (const char* keep = std::getenv("SLIPWAY_KEEP"); keep != nullptr && !same) {
      (void)make_dirs(keep);
      (void)write_file(fs::path(keep) / (name + ".got"), got);
      (void)write_file(fs::path(keep) / (name + ".want"), want ? *want : "(an error)");
    }
  }
  for (const auto& [status, counts] : by_status) std::printf("%-20s %d of %d\n", status.c_str(), counts.first, counts.second);
  if (std::getenv("SLIPWAY_KEEP") != nullptr) std::printf("%s", failed.c_str());
  auto floor_file = fs::path(SLIPWAY_TESTDATA) / "kustomize-floor.txt";
  auto floor = read_file(floor_file);
  EXPECT_GE(agreed, floor ? to_int(trim(*floor)).value_or(0) : 0) << "fewer cases agree than did:\n" << failed;
  if (std::getenv("SLIPWAY_UPDATE") != nullptr) (void)write_file(floor_file, fmt::format("{}\n", agreed));
}

}  // namespace
}  // namespace slipway::manifest
