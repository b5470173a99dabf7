// What the comment of a pull request says about the environments it touches.
#include "engine/rendered_changes.h"

#include "doc/yaml.h"
#include "engine/report.h"
#include "engine/testing.h"
#include "gitops/flux/sources.h"
#include "gitops/front.h"

namespace slipway::engine {
namespace {

std::string deployment(std::string_view image, bool privileged = false) {
  return fmt::format(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: "
      "web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - name: web\n "
      "  "
      "     image: {}\n        securityContext: {{privileged: {}}}\n",
      image, privileged);
}

struct RenderedChanges : HouseTest {
  void SetUp() override {
    HouseTest::SetUp();
    base = commit("config", "main",
                  {{"base/kustomization.yaml", "resources: [web.yaml]\n"},
                   {"base/web.yaml", deployment("web:1")},
                   {"dev/kustomization.yaml", "resources: [../base]\nnamePrefix: dev-\n"},
                   {"prod/kustomization.yaml", "resources: [../base]\nnamePrefix: prod-\n"},
                   {"docs/a.md", "x"}});
  }
  void application(const std::string& name, const std::string& path) {
    auto text = fmt::format(
        "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: {}, namespace: argocd}}, spec: "
        "{{source: {{repoURL: 'http://slipway/git/config.git', path: {}}}, destination: {{namespace: shop}}}}}}",
        name, path);
    auto object = must(house.client->apply(ctx, must(doc::parse_yaml(text)), {.force = true}));
    must(house.gitops->renderer().render(ctx, must(gitops::application_from(object))));
  }
  std::string comment(const std::vector<git::FileEdit>& files) {
    path::Change change{.event = path::Change::Event::pull_request, .repository = "config"};
    change.after = commit("config", "proposal", files);
    // Beside main, as the merge would be.
    auto repository = must(house.git->repository("config"));
    auto tree = must(repository.write_tree(must(repository.tree_of(base)), files));
    change.after = must(repository.write_commit(tree, {base}, {"ada", "ada@example.com", {}}, "merge"));
    change.base = base, change.base_ref = "refs/heads/main";
    return must(pull_request_comment(ctx, house, change, "change"));
  }
  std::string base;
};

TEST_F(RenderedChanges, ShowsWhatEachApplicationBecomes) {
  application("shop-dev", "dev");
  application("shop-prod", "prod");
  auto text = comment({{"prod/kustomization.yaml", "resources: [../base]\nnamePrefix: production-\n"}});
  EXPECT_TRUE(text.contains("### shop-prod")) << text;
  EXPECT_TRUE(text.contains("-  name: prod-web\n+  name: production-web\n")) << text;
  EXPECT_FALSE(text.contains("shop-dev")) << text;
  text = comment({{"base/web.yaml", deployment("web:2")}});
  EXPECT_TRUE(text.contains("### shop-dev") && text.contains("### shop-prod")) << text;
  EXPECT_FALSE(comment({{"docs/a.md", "y"}}).contains("What merging changes"));
}

TEST_F(RenderedChanges, NamesWhatPoliciesFindInThemNow) {
  application("shop-dev", "dev");
  auto text = comment({{"base/web.yaml", deployment("web:1", true)}});
  EXPECT_TRUE(text.contains("What the policies find in it and did not before")) << text;
  EXPECT_TRUE(text.contains("privileged")) << text;
  EXPECT_FALSE(comment({{"base/web.yaml", deployment("web:2")}}).contains("What the policies find"));
}

TEST_F(RenderedChanges, SaysWhatCannotBeRendered) {
  application("shop-dev", "dev");
  auto text = comment({{"dev/kustomization.yaml", "resources: [gone.yaml]\n"}});
  EXPECT_TRUE(text.contains("cannot be rendered: dev/kustomization.yaml:1:12")) << text;
}

TEST_F(RenderedChanges, WhatStoodInTheWayBeforeIsNotToldAgain) {
  application("shop-dev", "dev");
  application("lost", "dev");
  must(house.client->patch(ctx, {"argoproj.io/v1alpha1", "Application"}, {"argocd", "lost"}, kube::PatchType::merge,
                           must(doc::parse_yaml("{spec: {source: {path: nowhere}}}")), {}));
  auto text = comment({{"base/web.yaml", deployment("web:2")}});
  EXPECT_TRUE(text.contains("### shop-dev")) << text;
  EXPECT_FALSE(text.contains("lost")) << text;
}

TEST_F(RenderedChanges, KustomizationsOfFluxToo) {
  auto source = must(house.client->apply(
      ctx,
      must(doc::parse_yaml("{apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {name: config, "
                           "namespace: argocd}, spec: {url: 'http://slipway/git/config.git', interval: 1m, ref: "
                           "{branch: main}}}")),
      {.force = true}));
  auto looked = must(gitops::flux::look_at_source(ctx, *house.client, *house.repositories, source));
  must(house.client->patch(ctx, source.type(), source.key(), kube::PatchType::merge,
                           doc::Map{{"status", looked.status}}, {.subresource = "status"}));
  auto object = must(house.client->apply(
      ctx,
      must(doc::parse_yaml("{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: shop, "
                           "namespace: argocd}, spec: {interval: 1m, prune: true, path: dev, sourceRef: {kind: "
                           "GitRepository, name: config}}}")),
      {.force = true}));
  must(house.flux->renderer().render(ctx, must(gitops::flux_front().read(ctx, *house.client, object))));
  auto text = comment({{"base/web.yaml", deployment("web:2")}});
  EXPECT_TRUE(text.contains("### Kustomization argocd/shop\n")) << text;
  EXPECT_TRUE(text.contains("+      - image: web:2")) << text;
  EXPECT_FALSE(comment({{"prod/kustomization.yaml", "resources: [../base]\n"}}).contains("Kustomization argocd/shop"));
}

TEST_F(RenderedChanges, EnvironmentsOfPipelinesToo) {
  must(house.client->apply(
      ctx,
      must(doc::parse_yaml("{apiVersion: slipway.dev/v1, kind: Pipeline, metadata: {name: shop, namespace: " + home +
                           "}, spec: {repository: config, services: [], environments: [{name: dev, path: dev}]}}")),
      {.force = true}));
  auto text = comment({{"base/web.yaml", deployment("web:2")}});
  EXPECT_TRUE(text.contains("### dev\n")) << text;
}

}  // namespace
}  // namespace slipway::engine
