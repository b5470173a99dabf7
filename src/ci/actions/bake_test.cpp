// Bake files, and what becomes of their targets.
#include "ci/actions/bake.h"

#include "ci/actions/testing.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

std::string shown(const std::string& text, std::vector<std::string> wanted = {}, std::vector<std::string> set = {},
                  const std::string& source = "docker-bake.hcl") {
  auto file = parse_bake(text, source);
  if (!file) return file.error().what();
  auto outside = [](const std::string& name) {
    return name == "FROM_ENV" ? std::optional<std::string>("env") : std::nullopt;
  };
  auto targets = bake_targets(*file, wanted, set, outside);
  if (!targets) return targets.error().what();
  std::string out;
  for (auto& target : *targets) out += fmt::format("{} {}\n", target.name, doc::print_json(target.fields));
  return out;
}

TEST(Bake, ReadsBlocksVariablesAndGroups) {
  const std::string text = R"H(# the shop
variable "TAG" { default = "latest" }
group "default" { targets = ["app", "db"] }
target "_common" {
  args = { GO = "1.22", "X" = TAG }
}
target "app" {
  inherits = ["_common"]
  context = "./app" // here
  tags = ["shop/app:${TAG}", "shop/app:x"]
  no-cache = true
}
target "db" { dockerfile = "Dockerfile.db", target = "run" }
)H";
  EXPECT_EQ(
      shown(text),
      R"(app {"args":{"GO":"1.22","X":"latest"},"context":"./app","tags":["shop/app:latest","shop/app:x"],"no-cache":true})"
      "\n"
      R"(db {"dockerfile":"Dockerfile.db","target":"run"})"
      "\n");
  EXPECT_EQ(
      shown(text, {"app"}, {"app.args.GO=2", "*.tags=only", "app.platform=linux/arm64", "db.context=x"}),
      R"(app {"args":{"GO":"2","X":"latest"},"context":"./app","tags":["only"],"no-cache":true,"platforms":["linux/arm64"]})"
      "\n");
  EXPECT_EQ(shown(R"({"variable":{"FROM_ENV":{"default":"x"}},"target":{"a":{"tags":["${FROM_ENV}"]}}})", {"a"}, {},
                  "x.json"),
            "a {\"tags\":[\"env\"]}\n");
}

struct Case {
  const char* name;
  const char* text;
  const char* want;
};
class BakeErrors : public testing::TestWithParam<Case> {};
TEST_P(BakeErrors, Says) { EXPECT_EQ(shown(GetParam().text), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(
    Table, BakeErrors,
    testing::ValuesIn(std::to_array<Case>({
        {"NoDefault", "target \"app\" {}", "bake: there is no target 'default'"},
        {"Group", "group \"default\" { targets = [\"ap\"] }\ntarget \"app\" {}", "bake: there is no target 'ap'"},
        {"Circle", "group \"default\" { targets = [\"default\"] }",
         "bake: groups name each other in a circle at 'default'"},
        {"Inherits", "target \"default\" { inherits = [\"default\"] }",
         "bake: targets inherit each other in a circle at 'default'"},
        {"Function", "function \"f\" { result = 1 }",
         "docker-bake.hcl:1:10: functions are not evaluated here: write the value out"},
        {"Expression", "target \"default\" {\n  no-cache = A ? 1 : 2\n}",
         "docker-bake.hcl:2:16: expressions are not evaluated here: write the value out"},
        {"Heredoc", "a = <<EOT\nx\nEOT", "docker-bake.hcl:1:5: heredocs are not read here: write the text in quotes"},
        {"Quote", "target \"default\" { tags = [\"a] }", "docker-bake.hcl:1:33: a quote is not closed"},
        {"Open", "target \"default\" {", "docker-bake.hcl:1:19: } is missing"},
        {"Unknown", "target \"default\" { tags = [\"${upper(X)}\"] }",
         "bake: \"${upper(X)}\" is no variable of the file"},
    })),
    [](auto& case_of) { return case_of.param.name; });

class FakeBuilder final : public path::ImageBuilder {
 public:
  Result<path::BuildResult> build(const Ctx&, const path::BuildRequest& request, const path::LogSink&) override {
    std::string args;
    for (auto& [key, value] : request.args) args += fmt::format(" {}={}", key, value);
    said += fmt::format("{}:{} {} {}{}\n", request.image, join(std::span<const std::string>(request.tags), ","),
                        fs::canonical(request.context).filename().string(),
                        fs::path(request.dockerfile).filename().string(), args);
    path::BuildResult out;
    out.digest = Digest::of(request.image);
    return out;
  }
  std::string said;
};

TEST_F(ActionsTest, BakesEachTarget) {
  FakeBuilder builder;
  options.builder = &builder;
  file("docker-bake.hcl",
       "variable \"TAG\" { default = \"1\" }\ngroup \"default\" { targets = [\"app\", \"db\"] }\ntarget \"app\" {\n  "
       "context = "
       "\"app\"\n  dockerfile = \"Own\"\n  args = { A = \"b\" }\n  tags = [\"shop/app:${TAG}\"]\n}\ntarget \"db\" { "
       "tags = "
       "[\"shop/db\"] }\n");
  file("app/Own", "FROM x\n"), file("Dockerfile", "FROM x\n");
  auto r = steps(
      "- uses: actions/checkout@v4\n- uses: docker/bake-action@v6\n  id: b\n  env: {TAG: '7'}\n  with: {push: true}\n- "
      "env: {M: '${{ "
      "steps.b.outputs.metadata }}'}\n  run: echo \"$M\"\n");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(builder.said.starts_with("shop/app:7 app Own A=b\nshop/db:latest ")) << builder.said;
  EXPECT_TRUE(r.output.contains(Digest::of("shop/db").str())) << r.output;
  EXPECT_TRUE(steps("- uses: docker/bake-action@v6\n").words.contains("no bake file in .")) << r.words;
}

}  // namespace
}  // namespace slipway::ci
