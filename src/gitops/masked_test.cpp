#include "gitops/masked.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

std::vector<doc::Value> objects(std::string_view yaml) { return must(doc::parse_yaml_all(yaml)); }

TEST(Masked, ValuesOfSecretsSayOnlyWhetherTheyDiffer) {
  auto before = objects(
      "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {same: YQ==, other: Yg==, gone: Yw==}}\n---\n"
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: s}, data: {same: YQ==}}\n");
  auto after = objects(
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: s}, data: {same: YQ==}}\n---\n"
      "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {same: YQ==, other: ZA==}, stringData: {new: plain}}\n"
      "---\n{apiVersion: v1, kind: Secret, metadata: {name: fresh}, stringData: {p: hush}}\n");
  hide_secret_values(before, after);
  EXPECT_EQ(doc::print_json(before[0]["data"]), R"({"same":"++++++++","other":"++++++++","gone":"++++++++"})");
  EXPECT_EQ(doc::print_json(after[1]["data"]), R"({"same":"++++++++","other":"++++++++++++"})");
  EXPECT_EQ(after[1].str_at({"stringData", "new"}), "++++++++");
  EXPECT_EQ(after[2].str_at({"stringData", "p"}), "++++++++");
  EXPECT_EQ(before[1].str_at({"data", "same"}), "YQ==") << "a ConfigMap hides nothing";
}

}  // namespace
}  // namespace slipway::gitops
