#include "rollout/spec.h"

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::rollout {
namespace {

// Argo's own examples: accepted, or refused because of what is not supported, by name.
TEST(Spec, ReadsArgosExamples) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  int all = 0, taken = 0;
  std::map<std::string, int> refused;
  for (const auto& entry : fs::recursive_directory_iterator(*root / "manifests/argo-rollouts/examples")) {
    if (entry.path().extension() != ".yaml" && entry.path().extension() != ".yml") continue;
    auto values = doc::parse_yaml_all(must(read_file(entry.path())), {.duplicate_keys = true});
    if (!values) continue;
    for (const auto& value : *values) {
      if (value.str_at({"kind"}) != "Rollout") continue;
      ++all;
      kube::Object workload(doc::Map{
          {"kind", "Deployment"},
          {"spec", doc::Map{{"selector", doc::Map{{"matchLabels", doc::Map{{"a", "b"}}}}},
                            {"template", doc::Map{{"metadata", doc::Map{{"labels", doc::Map{{"a", "b"}}}}}}}}}});
      kube::Object rollout(value);
      if (auto labels = rollout["spec"]["selector"]; rollout["spec"]["workloadRef"] && labels) {
        auto copy = workload.copy();
        copy["spec"]["selector"] = labels.value();
        copy["spec"]["template"]["metadata"]["labels"] = labels["matchLabels"].value();
        workload = kube::Object(copy);
      }
      auto spec = parse_spec(rollout, workload);
      if (spec)
        ++taken;
      else
        ++refused[spec.error().what().substr(spec.error().what().rfind(": ") + 2)];
    }
  }
  for (const auto& [why, n] : refused) fmt::print("{} x {}\n", n, why);
  fmt::print("Argo's examples: {} of {} taken\n", taken, all);
  EXPECT_GT(all, 0);
}

}  // namespace
}  // namespace slipway::rollout
