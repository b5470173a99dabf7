#include "manifest/detail/overlay.h"

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::manifest {
namespace {

doc::Value yaml(std::string_view text) { return must(doc::parse_yaml(text)); }

// The cases were checked through a formatter that sorts lists: their order does not count.
void sort_lists(doc::Value& value) {
  if (auto* map = value.if_map()) {
    for (auto& [key, member] : *map) sort_lists(member);
  } else if (auto* list = value.if_list()) {
    for (auto& item : *list) sort_lists(item);
    std::sort(list->begin(), list->end(), [](const doc::Value& a, const doc::Value& b) {
      return doc::print_yaml(a, {.sort_keys = true}) < doc::print_yaml(b, {.sort_keys = true});
    });
  }
}

// kyaml's own merge cases: patch over dest gives expected.
TEST(Overlay, AgreesWithTheCorpus) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  int seen = 0;
  for (const auto& name : must(list_dir(*root / "kustomize/unit"))) {
    if (!name.starts_with("merge2-")) continue;
    auto folder = *root / "kustomize/unit" / name;
    auto options = yaml(must(read_file(folder / "options.json")));
    auto flag = [&](std::string_view key) { return *options.find(key)->if_bool(); };
    auto merged =
        overlay(yaml(must(read_file(folder / "input/dest.yaml"))), yaml(must(read_file(folder / "input/patch.yaml"))),
                {.prepend = flag("prepend"), .infer = flag("infer")});
    if (merged && merged->has_value()) sort_lists(**merged);
    auto got = !merged               ? "error: " + merged.error().what()
               : merged->has_value() ? doc::print_yaml(**merged, {.sort_keys = true})
                                     : "";
    auto want = must(doc::parse_yaml_all(must(read_file(folder / "expected.yaml"))));
    for (auto& document : want) sort_lists(document);
    EXPECT_EQ(got, doc::print_yaml_all(want, {.sort_keys = true})) << name;
    ++seen;
  }
  EXPECT_GT(seen, 40);
}

TEST(Overlay, FoldedTextsGainABreakBeforeIndentedLines) {
  auto node = yaml("a: >\n  x\n    y\n  z\n\n  w\nb: |\n  x\n    y\n");
  fold_once(node);
  EXPECT_EQ(node.str_at({"a"}), "x\n\n  y\nz\nw\n");
  EXPECT_EQ(node.str_at({"b"}), "x\n  y\n");
}

TEST(Overlay, OtherShapesAreRefused) {
  EXPECT_EQ(overlay(yaml("a: [1]"), yaml("a: {b: 1}")).error().what(),
            "the patch has a map (line 1) where the object has a list");
  EXPECT_EQ(overlay(yaml("a: {b: 1}"), yaml("a: {$patch: drop}")).error().what(),
            "unknown patch strategy 'drop', want delete, replace or merge");
}

struct TimeCase {
  const char *yaml, *want;
};
class Times : public testing::TestWithParam<TimeCase> {};
TEST_P(Times, ArePrintedAsKustomizeDoes) {
  auto value = must(doc::parse_yaml(fmt::format("at: {}", GetParam().yaml)));
  as_printed(value);
  EXPECT_EQ(value.str_at({"at"}), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Kustomize, Times,
                         testing::ValuesIn(std::to_array<TimeCase>({
                             {"2020-01-01", "2020-01-01T00:00:00Z"},
                             {"2020-1-2", "2020-01-02T00:00:00Z"},
                             {"2020-01-01T10:00:00.100+02:00", "2020-01-01T10:00:00.1+02:00"},
                             {"2020-01-01t10:00:00Z", "2020-01-01T10:00:00Z"},
                             {"2020-01-01 10:00:00", "2020-01-01T10:00:00Z"},
                             {"2020-01-01 10:00:00.123456789", "2020-01-01T10:00:00.123456789Z"},
                             {"2020-01-01T1:2:3Z", "2020-01-01T01:02:03Z"},
                             {"0000-01-01", "0000-01-01T00:00:00Z"},
                             {"2020-01-01T10:00:00-00:00", "2020-01-01T10:00:00Z"},
                             {"2020-01-01 10:00:00Z", "2020-01-01 10:00:00Z"},
                             {"2020-01-01T10:00:00", "2020-01-01T10:00:00"},
                             {"2020-13-01", "2020-13-01"},
                             {"2020-02-30", "2020-02-30"},
                             {"20200-01-01", "20200-01-01"},
                             {"2020-01-01x", "2020-01-01x"},
                             {"2020-01-01T24:00:00Z", "2020-01-01T24:00:00Z"},
                             {"'2020-01-01'", "2020-01-01"},
                             {"!!str 2020-01-01", "2020-01-01"},
                         })));

}  // namespace
}  // namespace slipway::manifest
