#pragma once
// One ApplicationSet, looked at by hand as its controller would.
#include "gitops/appset/set.h"
#include "gitops/testing/world.h"

namespace slipway::gitops::appset {

#define GO "goTemplate: true\ngoTemplateOptions: [missingkey=error]\n"
#define TEMPLATE(name)                   \
  "\ntemplate: {metadata: {name: '" name \
  "'}, spec: {project: default, source: {repoURL: http://git/c, path: x}, destination: {namespace: d}}}"

// One set "s" in argocd, looked at by hand.
struct Sets {
  Sets() = default;
  Sets(const Sets&) = delete;
  Sets& operator=(const Sets&) = delete;
  cluster::TestApi api = cluster::make_test_api({.crds = path::builtin_crds(), .namespaces = {"argocd"}});
  std::shared_ptr<FaultClient> client = std::make_shared<FaultClient>(api.client("appset"));
  std::shared_ptr<kube::Client> person = api.client("ada");
  TestRepositories repositories;
  FakeClock clock;
  Answers* answers = nullptr;
  kube::Key key{"argocd", "s"};
  Ctx ctx() const {
    Ctx context;
    context.clock = &clock;
    return context;
  }
  void apply(std::string_view yaml) { must(person->apply(ctx(), must(doc::parse_yaml(yaml)), {.force = true})); }
  // `spec` in YAML at its depth; a template of Applications to paths when it has none.
  void set(std::string_view spec, std::string_view metadata = "") {
    auto text = fmt::format(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: s, namespace: argocd{}}}\nspec:\n",
        metadata);
    for (auto line : lines(spec)) text += fmt::format("  {}\n", line);
    if (spec.find("template:") == std::string_view::npos)
      text +=
          "  template:\n    metadata: {name: '{{name}}', labels: {env: '{{env}}'}}\n    spec: {project: default, "
          "source: {repoURL: http://git/config, path: '{{name}}'}, destination: {namespace: '{{name}}'}, syncPolicy: "
          "{automated: {prune: true}}}\n";
    apply(text);
  }
  kube::Object look_once() {
    auto object = must(person->get(ctx(), set_type, key));
    if (!object) return {};
    auto looked = must(look(ctx(), *client, repositories, *object, answers));
    object = must(person->get(ctx(), set_type, key));  // it may have a finalizer now
    if (object && !looked.status.is_null()) must(kube::write_status(ctx(), *person, *object, looked.status, manager));
    object = must(person->get(ctx(), set_type, key));
    return object ? *object : kube::Object();
  }
  std::string names() {
    std::vector<std::string> all;
    for (const auto& app : must(person->list(ctx(), application_type, {})).items)
      if (!app.deleting()) all.push_back(app.name());  // its own finalizer is for the controller of Applications
    return join(all, " ");
  }
  kube::Object app(const std::string& name) {
    auto found = must(person->get(ctx(), application_type, {"argocd", name}));
    return found ? *found : kube::Object();
  }
  void merge(const std::string& name, std::string_view yaml) {
    must(person->patch(ctx(), application_type, {"argocd", name}, kube::PatchType::merge, must(doc::parse_yaml(yaml)),
                       {.field_manager = "ada"}));
  }
};
inline std::string condition(const kube::Object& set, std::string_view type) {
  for (const auto& c : set["status"]["conditions"].items())
    if (c["type"].text() == type) return c["status"].text() + " " + c["message"].text();
  return "none";
}
// Looks at the set: these names of Applications, or "error: part of the message".
inline void expect(Sets& s, std::string_view want) {
  auto error = condition(s.look_once(), "ErrorOccurred");
  if (want.starts_with("error: "))
    EXPECT_TRUE(error.contains(want.substr(7))) << error;
  else
    EXPECT_EQ(s.names(), want) << error;
}

}  // namespace slipway::gitops::appset
