#include "path/analysis_spec.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::path {
namespace {

TEST(AnalysisSpec, JoinsTemplates) {
  auto t = [](std::string_view yaml) {
    return must(doc::parse_yaml(fmt::format("{{kind: AnalysisTemplate, metadata: {{name: t}}, spec: {}}}", yaml)));
  };
  auto a = t("{args: [{name: svc}, {name: n, value: 1}], metrics: [{name: a}]}"),
       b = t("{args: [{name: n, value: 2}], metrics: [{name: b}]}");
  EXPECT_EQ(doc::print_json(must(analysis_run_spec({a}, {doc::Map{{"name", "svc"}, {"value", "web"}}}))),
            R"({"metrics":[{"name":"a"}],"args":[{"name":"svc","value":"web"},{"name":"n","value":1}]})");
  EXPECT_NE(analysis_run_spec({a}, {}).error().what().find("\"svc\""), std::string::npos);
  EXPECT_NE(analysis_run_spec({a, a}, {}).error().what().find("two metrics"), std::string::npos);
  EXPECT_NE(analysis_run_spec({a, b}, {}).error().what().find("another default"), std::string::npos);
}

}  // namespace
}  // namespace slipway::path
