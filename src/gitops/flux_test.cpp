// Flux's objects against the embedded API: looks taken by hand, as the controller would.
#include "gitops/flux.h"
#include "gitops/flux/ignoring.h"
#include "gitops/flux/sources.h"
#include "gitops/flux/substitute.h"
#include "gitops/restricted.h"
#include "gitops/testing/flux_world.h"
#include "secret/sops.h"

namespace slipway::gitops {
namespace {

using flux::git_repository_type;
using flux::kustomization_type;

TEST(Flux, AFolderWithoutAKustomizationBecomesWhatRuns) {
  FluxWorld w;
  auto commit =
      w.commit({{"app/a.yaml", config_map("a")}, {"app/deep/b.yml", config_map("b")}, {"other.yaml", config_map("c")}});
  w.kustomization("path: ./app\ncommonMetadata: {labels: {team: web}, annotations: {note: '1'}}");
  auto ks = w.look_flux();
  EXPECT_EQ(ready(ks), fmt::format("Ready=True ReconciliationSucceeded: Applied revision: main@sha1:{}", commit));
  auto source = w.object(git_repository_type, {"flux-system", "config"});
  EXPECT_EQ(ready(source), fmt::format("Ready=True Succeeded: stored artifact for revision 'main@sha1:{}'", commit));
  EXPECT_EQ(ks["status"]["lastAppliedRevision"].text(), "main@sha1:" + commit);
  EXPECT_EQ(ks["status"]["lastAttemptedRevision"].text(), "main@sha1:" + commit);
  EXPECT_EQ(ks["status"]["inventory"]["entries"][0]["id"].text(), "shop_a__ConfigMap");
  EXPECT_EQ(ks["status"]["inventory"]["entries"][1]["v"].text(), "v1");
  EXPECT_FALSE(w.has("c"));
  auto live = *w.live({"v1", "ConfigMap"}, "a");
  EXPECT_EQ(live.label("kustomize.toolkit.fluxcd.io/name"), "shop");
  EXPECT_EQ(live.label("kustomize.toolkit.fluxcd.io/namespace"), "flux-system");
  EXPECT_EQ(live.label("team"), "web");
  EXPECT_EQ(live.annotation("note"), "1");
  EXPECT_EQ(live.annotation(tracking_annotation), "");
  // Once more: nothing to do, and nothing else to say.
  w.client->writes.clear();
  EXPECT_EQ(w.look_flux()["status"].value(), ks["status"].value());
  for (const auto& write : w.client->writes) EXPECT_TRUE(write.starts_with("patch ")) << write;
}

TEST(Flux, FieldsOfTheKustomizationAreLaidOver) {
  FluxWorld w;
  w.commit({{"kustomization.yaml", "resources: [d.yaml]\n"},
            {"more/kustomization.yaml",
             "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonLabels: {c: d}\n"},
            {"d.yaml",
             "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, "
             "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'web:1'}]}}}}"}});
  w.kustomization(
      "namePrefix: p-\nnameSuffix: -s\ncomponents: [more]\nimages: [{name: web, newName: shop/web, newTag: "
      "'2'}]\npatches:\n- "
      "target: {kind: Deployment}\n  patch: |\n    - op: add\n      path: /spec/replicas\n      value: 0");
  auto ks = w.look_flux();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
  auto live = w.live({"apps/v1", "Deployment"}, "p-d-s");
  ASSERT_TRUE(live);
  EXPECT_EQ((*live)["spec"]["template"]["spec"]["containers"][0]["image"].text(), "shop/web:2");
  EXPECT_EQ((*live)["spec"]["replicas"].num_or(-1), 0);
  EXPECT_EQ(live->label("c"), "d");
}

TEST(Flux, ANewCommitPrunesAndDriftIsHealed) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a")},
            {"b.yaml", config_map("b")},
            {"k.yaml", config_map("k", "1", "kustomize.toolkit.fluxcd.io/prune: Disabled")},
            {"l.yaml",
             "{apiVersion: v1, kind: ConfigMap, metadata: {name: l, labels: {kustomize.toolkit.fluxcd.io/prune: "
             "disabled}}}"}});
  w.kustomization();
  w.look_flux();
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: by-hand}}");
  w.look_alone();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "1");
  ASSERT_EQ(w.drifts.size(), 1U);
  auto commit = w.commit({{"b.yaml", std::nullopt}, {"k.yaml", std::nullopt}, {"l.yaml", std::nullopt}});
  auto before = w.look_alone();
  EXPECT_NE(before["status"]["lastAppliedRevision"].text(), "main@sha1:" + commit)
      << "the source was not looked at yet";
  auto ks = w.look_flux();
  EXPECT_EQ(ks["status"]["lastAppliedRevision"].text(), "main@sha1:" + commit);
  EXPECT_FALSE(w.has("b"));
  EXPECT_TRUE(w.has("k") && w.has("l"));
}

TEST(Flux, WhatKubectlAddedGoes) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a")}, {"m.yaml", config_map("m", "1", "kustomize.toolkit.fluxcd.io/ssa: Merge")}});
  w.kustomization();
  w.look_flux();
  for (auto name : {"a", "m"}) {
    must(w.person->patch(w.ctx(), {"v1", "ConfigMap"}, {"shop", name}, kube::PatchType::merge,
                         must(doc::parse_yaml("{data: {by: kubectl}}")), {.field_manager = "kubectl-patch"}));
    must(w.person->patch(w.ctx(), {"v1", "ConfigMap"}, {"shop", name}, kube::PatchType::merge,
                         must(doc::parse_yaml("{data: {from: controller}}")), {.field_manager = "somebody"}));
  }
  w.look_alone();
  auto data = [&](const std::string& name) {
    auto live = *w.live({"v1", "ConfigMap"}, name);
    return live["data"]["by"].text() + "," + live["data"]["from"].text();
  };
  EXPECT_EQ(data("a"), ",controller");
  EXPECT_EQ(data("m"), "kubectl,controller");
}

TEST(Flux, FilesBesideTheFolderAreReadAndImagesSetAnew) {
  FluxWorld w;
  w.commit(
      {{"patches/p.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {patched: 'yes'}}}"},
       {"app/p.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: web}]}}"},
       {"app/kustomization.yaml",
        "resources: [p.yaml]\npatches: [{path: ../patches/p.yaml}]\nimages: [{name: web, newName: old/web, newTag: "
        "'2'}]\n"}});
  w.kustomization("path: app\nimages: [{name: web, newTag: '3'}]");
  auto ks = w.look_flux();
  auto live = w.live({"v1", "Pod"}, "p");
  ASSERT_TRUE(live) << ready(ks);
  EXPECT_EQ(live->label("patched"), "yes");
  EXPECT_EQ((*live)["spec"]["containers"][0]["image"].text(), "web:3");
}

TEST(Flux, ComponentsThatAreMissingMayBeIgnored) {
  FluxWorld w;
  w.commit(
      {{"app/a.yaml", config_map("a")},
       {"c/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"}});
  w.kustomization("path: app\ncomponents: [../c, ../nowhere]");
  EXPECT_TRUE(condition(w.look_flux(), "Ready").contains("nowhere"));
  w.kustomization("path: app\ncomponents: [../c, ../nowhere]\nignoreMissingComponents: true");
  auto ks = w.look_flux();
  EXPECT_TRUE(w.has("a-c")) << condition(ks, "Ready");
}

TEST(Flux, SubmodulesAreReadWhereTheSourceSaysSo) {
  FluxWorld w;
  auto lib = w.repositories.commit("http://git/lib", {{"a.yaml", config_map("a")}});
  w.repositories.commit_edits(std::string(World::url),
                              {{".gitmodules", "[submodule \"lib\"]\npath = app/lib\nurl = ../lib\n"},
                               {"app/lib", lib, git::submodule_mode},
                               {"app/b.yaml", config_map("b")}});
  w.kustomization("path: app");
  EXPECT_TRUE(ready(w.look_flux()).starts_with("Ready=True")) << "an empty folder, as `git clone` leaves it";
  EXPECT_TRUE(w.has("b") && !w.has("a"));
  w.kustomization("path: app/lib");
  EXPECT_TRUE(ready(w.look_flux()).contains("app/lib: is in the submodule app/lib, and submodules are not read"))
      << ready(w.look_flux());
  w.source(", recurseSubmodules: true");
  w.kustomization("path: app");
  EXPECT_TRUE(ready(w.look_flux()).starts_with("Ready=True"));
  EXPECT_TRUE(w.has("b") && w.has("a"));
}

TEST(Flux, FilesThatAreIgnoredAreNotThere) {
  FluxWorld w;
  auto map = [](std::string_view name) { return config_map(name); };
  w.commit({{".sourceignore", "# not these\n/drafts/\n*-test.yaml\n!/app/kept-test.yaml\n"},
            {"app/a.yaml", map("a")},
            {"app/b-test.yaml", map("b")},
            {"app/kept-test.yaml", map("kept")},
            {"app/.hidden/h.yaml", map("hidden")},
            {"app/sub/.sourceignore", "c.yaml\n"},
            {"app/sub/c.yaml", map("c")},
            {"app/sub/d.yaml", map("d")},
            {"app/.github/workflows/ci.yaml", "on: push\n"},
            {"app/cloudbuild.yaml", "steps: []\n"},
            {"drafts/x.yaml", map("x")}});
  w.kustomization("path: app");
  auto ks = w.look_flux();
  std::string there;
  for (auto name : {"a", "b", "kept", "hidden", "c", "d"}) there += w.has(name) ? std::string(name) + " " : "";
  EXPECT_EQ(there, "a kept hidden d ") << ready(ks);
}

TEST(Flux, WhatFluxManagesIsTakenOverWithoutATouch) {
  FluxWorld w;
  auto commit = w.commit({{"d.yaml",
                           "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 0, selector: "
                           "{matchLabels: {a: b}}, "
                           "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'web:1'}]}}}}"},
                          {"a.yaml", config_map("a")}});
  // As kustomize-controller left them: labels, its field manager, its status.
  auto flux = [&](std::string_view text) {
    auto value = must(doc::parse_yaml(text));
    value["metadata"]["namespace"] = "shop";
    value["metadata"]["labels"] = doc::Map{{"kustomize.toolkit.fluxcd.io/name", "shop"},
                                           {"kustomize.toolkit.fluxcd.io/namespace", "flux-system"}};
    must(w.person->apply(w.ctx(), value, {.field_manager = "kustomize-controller", .force = true}));
  };
  flux(
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 0, selector: {matchLabels: {a: "
      "b}}, "
      "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'web:1'}]}}}}");
  flux("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {v: '1', dropped: x}}");
  flux("{apiVersion: v1, kind: ConfigMap, metadata: {name: old}, data: {v: '1'}}");
  w.kustomization();
  auto at = w.object(kustomization_type, w.ks);
  w.write(at, must(doc::parse_yaml(
                  fmt::format("{{lastAppliedRevision: 'main@sha1:{}', observedGeneration: 1, inventory: {{entries: "
                              "[{{id: shop_d_apps_Deployment, v: "
                              "v1}}, {{id: shop_a__ConfigMap, v: v1}}, {{id: shop_old__ConfigMap, v: v1}}]}}}}",
                              commit))));
  auto before = *w.live({"apps/v1", "Deployment"}, "d");
  auto ks = w.look_flux();
  ks = w.look_alone();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
  auto after = *w.live({"apps/v1", "Deployment"}, "d");
  EXPECT_EQ(after.generation(), before.generation()) << "no pod is started again";
  EXPECT_EQ(after["spec"].value(), before["spec"].value());
  auto managers = doc::View(after["metadata"]["managedFields"].value());
  for (const auto& entry : managers.items()) EXPECT_NE(entry["manager"].text(), "kustomize-controller");
  EXPECT_FALSE((*w.live({"v1", "ConfigMap"}, "a"))["data"]["dropped"].present())
      << "a field that Git does not have goes";
  for (const auto& drift : w.drifts) EXPECT_EQ(drift.key.name, "a") << "only what differs from Git is drift";
  EXPECT_FALSE(w.has("old")) << "what is in its inventory and no longer in Git goes";
}

TEST(Flux, DependenciesAreWaitedFor) {
  FluxWorld w;
  w.commit({{"base/a.yaml", config_map("a")}, {"app/b.yaml", config_map("b")}});
  w.kustomization("path: base", "base");
  w.kustomization("path: app\ndependsOn: [{name: base}]");
  auto ks = w.look_flux();
  EXPECT_EQ(ready(ks), "Ready=False DependencyNotReady: dependency 'flux-system/base' is not ready");
  EXPECT_FALSE(w.has("b"));
  w.look_alone("base");
  EXPECT_TRUE(ready(w.look_alone()).starts_with("Ready=True"));
  EXPECT_TRUE(w.has("b"));
  // A newer commit waits until the dependency has it as well.
  w.commit({{"app/b.yaml", config_map("b", "2")}});
  EXPECT_EQ(ready(w.look_flux()),
            "Ready=False DependencyNotReady: dependency 'flux-system/base' revision is not up to date");
  w.look_alone("base");
  w.look_alone();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "b"))["data"]["v"].text(), "2");
}

TEST(Flux, HealthIsWaitedForUntilTheTimeIsUp) {
  FluxWorld w;
  w.commit({{"d.yaml",
             "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, "
             "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'web:1'}]}}}}"}});
  w.kustomization("wait: true\ntimeout: 2m\nretryInterval: 30s");
  auto ks = w.look_flux();
  EXPECT_EQ(ready(ks), "Ready=Unknown Progressing: Reconciliation in progress");
  EXPECT_EQ(condition(ks, "Reconciling"),
            "Reconciling=True Progressing: waiting for health: [Deployment/shop/d is Progressing]");
  w.clock.advance(std::chrono::minutes(3));
  ks = w.look_alone();
  EXPECT_EQ(ready(ks),
            "Ready=False HealthCheckFailed: health check failed after 120s: timeout waiting for: [Deployment/shop/d "
            "is Progressing]");
  EXPECT_EQ(ks["status"]["lastAppliedRevision"].text(), "");
  w.clock.advance(std::chrono::minutes(1));
  w.look_alone();
  auto deployment = *w.live({"apps/v1", "Deployment"}, "d");
  w.merge({"apps/v1", "Deployment"}, {"shop", "d"},
          fmt::format("{{status: {{observedGeneration: {}, replicas: 1, updatedReplicas: 1, availableReplicas: 1}}}}",
                      deployment.generation()),
          "status");
  ks = w.look_alone();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
  EXPECT_EQ(condition(ks, "Healthy"), "Healthy=True Succeeded: Health check passed");
}

TEST(Flux, VariablesComeFromObjectsAndFromTheSpec) {
  FluxWorld w;
  w.commit(
      {{"a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: '${who:=nobody} in ${place}', n: "
        "\"$${x}\"}\n"},
       {"b.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, annotations: {kustomize.toolkit.fluxcd.io/substitute: "
        "disabled}}\ndata: {v: '${who}'}\n"}});
  w.apply(
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: vars, namespace: flux-system}, data: {place: here, who: "
      "'1'}}");
  w.kustomization(
      "postBuild: {substitute: {who: ada}, substituteFrom: [{kind: ConfigMap, name: vars}, {kind: Secret, name: "
      "none, optional: true}]}");
  EXPECT_TRUE(ready(w.look_flux()).starts_with("Ready=True"));
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "ada in here");
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["n"].text(), "${x}");
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "b"))["data"]["v"].text(), "${who}");
  w.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: vars, namespace: flux-system}, data: {place: there}}");
  w.look_alone();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "ada in there");
  EXPECT_TRUE(w.drifts.empty()) << "a new value is no drift";
}

TEST(Flux, SealedFilesAreOpenedWithTheKeyThatIsNamed) {
  FluxWorld w;
  auto identity = secret::AgeIdentity::generate();
  auto sealed = must(
      secret::sops_seal({"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: open sesame}\n",
                         "db.yaml", secret::SopsFormat::yaml},
                        {.age = {identity.recipient()}, .encrypted_regex = "^stringData$"}, WallTime{}));
  auto env = must(secret::sops_seal({"TOKEN=hidden\n", "t.env", secret::SopsFormat::dotenv},
                                    {.age = {identity.recipient()}}, WallTime{}));
  w.commit({{"db.yaml", sealed},
            {"t.env", env},
            {"kustomization.yaml",
             "resources: [db.yaml]\nsecretGenerator: [{name: t, envs: [t.env], options: {disableNameSuffixHash: "
             "true}}]\n"}});
  w.kustomization("decryption: {provider: sops, secretRef: {name: sops-age}}");
  EXPECT_EQ(ready(w.look_flux()),
            "Ready=False BuildFailed: kustomization.yaml:1:12: db.yaml: Secret 'flux-system/sops-age' of "
            "decryption.secretRef not found");
  w.apply(
      fmt::format("{{apiVersion: v1, kind: Secret, metadata: {{name: sops-age, namespace: flux-system}}, stringData: "
                  "{{age.agekey: {}}}}}",
                  secret::AgeIdentity::generate().text()));
  auto other = ready(w.look_alone());
  EXPECT_TRUE(other.find(": db.yaml: is sealed for " + identity.recipient()) != std::string::npos) << other;
  w.apply(
      fmt::format("{{apiVersion: v1, kind: Secret, metadata: {{name: sops-age, namespace: flux-system}}, stringData: "
                  "{{age.agekey: {}}}}}",
                  identity.text()));
  auto ks = w.look_alone();
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
  EXPECT_EQ((*w.live({"v1", "Secret"}, "db"))["data"]["password"].text(), "b3BlbiBzZXNhbWU=");
  EXPECT_EQ((*w.live({"v1", "Secret"}, "t"))["data"]["TOKEN"].text(), "aGlkZGVu");
  EXPECT_EQ(doc::print_yaml(ks.value()).find("sesame"), std::string::npos);
}

TEST(Flux, AnApplicationOpensThemWithKeysForItsProject) {
  World w;
  auto identity = secret::AgeIdentity::generate();
  w.commit({{"db.yaml",
             must(secret::sops_seal({"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {p: abc}\n",
                                     "db.yaml", secret::SopsFormat::yaml},
                                    {.age = {identity.recipient()}, .encrypted_regex = "^stringData$"}, WallTime{}))}});
  w.application();
  auto app = w.look_once();
  EXPECT_TRUE(conditions_of(app).starts_with("ComparisonError: db.yaml: is sealed for age1")) << conditions_of(app);
  auto key = [&](std::string_view projects) {
    must(w.person->apply(w.ctx(),
                         must(doc::parse_yaml(fmt::format(
                             "{{apiVersion: v1, kind: Secret, metadata: {{name: sops-age, namespace: argocd, labels: "
                             "{{slipway.dev/sops-keys: "
                             "'true'}}, annotations: {{slipway.dev/projects: '{}'}}}}, stringData: {{a.agekey: {}}}}}",
                             projects, identity.text()))),
                         {.force = true}));
  };
  key("team-*");
  EXPECT_TRUE(conditions_of(w.look_once()).starts_with("ComparisonError: ")) << "the key is for others";
  key("default, team-*");
  EXPECT_EQ(conditions_of(w.look_once()), "");
  EXPECT_EQ((*w.live({"v1", "Secret"}, "db"))["data"]["p"].text(), "YWJj");
}

TEST(Flux, DeletingTakesAlongWhatItBrought) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a")}});
  w.kustomization();
  w.look_flux();
  must(w.person->remove(w.ctx(), kustomization_type, w.ks, {}));
  w.look_alone();
  EXPECT_FALSE(w.has("a"));
  EXPECT_FALSE(w.object(kustomization_type, w.ks));
  w.kustomization("deletionPolicy: Orphan");
  w.look_flux();
  EXPECT_TRUE(w.has("a"));
  must(w.person->remove(w.ctx(), kustomization_type, w.ks, {}));
  w.look_alone();
  EXPECT_TRUE(w.has("a"));
  EXPECT_FALSE(w.object(kustomization_type, w.ks));
}

TEST(Flux, DeletingWaitsForSlowObjectsWhereItIsToldTo) {
  FluxWorld w;
  auto slow = [](std::string_view name) {
    return fmt::format(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}, finalizers: [example.org/held]}}, data: {{v: x}}}}",
        name);
  };
  w.commit({{"a.yaml", slow("a")}});
  w.kustomization();
  w.look_flux();
  must(w.person->remove(w.ctx(), kustomization_type, w.ks, {}));
  w.look_alone();
  EXPECT_FALSE(w.object(kustomization_type, w.ks)) << "nobody waits";
  w.commit({{"a.yaml", std::nullopt}, {"b.yaml", slow("b")}});
  w.kustomization("deletionPolicy: WaitForTermination\ntimeout: 30s");
  w.look_flux();
  must(w.person->remove(w.ctx(), kustomization_type, w.ks, {}));
  w.look_alone();
  EXPECT_TRUE(w.object(kustomization_type, w.ks));
  w.clock.advance(std::chrono::duration_cast<Millis>(real_clock().wall() - w.clock.wall()) + Millis(31000));
  w.look_alone();
  EXPECT_FALSE(w.object(kustomization_type, w.ks)) << "the time is up";
}

TEST(Flux, AnObjectIsLeftAloneWhereItSaysSo) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a", "1", "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent")},
            {"b.yaml", config_map("b", "1", "kustomize.toolkit.fluxcd.io/reconcile: disabled")},
            {"c.yaml", config_map("c", "1", "argocd.argoproj.io/hook: PreSync")}});
  w.kustomization();
  auto ks = w.look_flux();
  EXPECT_TRUE(w.has("a"));
  EXPECT_FALSE(w.has("b"));
  EXPECT_TRUE(w.has("c")) << "hooks are Argo CD's";
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: mine}}");
  ks = w.look_alone();
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "mine");
  EXPECT_TRUE(ready(ks).starts_with("Ready=True")) << ready(ks);
}

struct Wrong {
  std::string name, spec, ready;
};
class FluxRefuses : public testing::TestWithParam<Wrong> {};
TEST_P(FluxRefuses, WithTheFieldInItsCondition) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a")}});
  w.kustomization(GetParam().spec);
  auto got = ready(w.look_flux());
  EXPECT_NE(got.find(GetParam().ready), std::string::npos) << got;
  EXPECT_FALSE(w.has("a"));
}
INSTANTIATE_TEST_SUITE_P(
    Table, FluxRefuses,
    testing::ValuesIn(std::to_array<Wrong>(
        {{"UnknownField", "ignore: [{paths: [/a]}]", ".spec.ignore: this field of a Kustomization is not supported"},
         {"Pgp", "decryption: {provider: sops}", "only age keys"},
         {"Variables", "postBuild: {substituteFrom: [{kind: Secret, name: v}]}",
          "ArtifactFailed: Secret 'flux-system/v' of postBuild"},
         {"VariableName", "postBuild: {substitute: {a-b: c}}", "\"a-b\" cannot be a variable"},
         {"Path", "path: nowhere", "BuildFailed: http://git/config: nowhere: app path does not exist"},
         {"Outside", "path: ../..", "leaves the repository"}})),
    [](const auto& i) { return i.param.name; });

TEST(DependsOn, AnApplicationWaitsUntilAnotherIsSyncedAndHealthy) {
  World w;
  w.commit({{"a.yaml", config_map("a")}});
  w.application("syncPolicy: {automated: {prune: true, selfHeal: true}}",
                ", annotations: {slipway.dev/depends-on: database}");
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app), "DependencyNotReady: dependency 'argocd/database' is not there");
  EXPECT_FALSE(w.has("a"));
  must(w.person->apply(
      w.ctx(),
      must(doc::parse_yaml("{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: database, "
                           "namespace: argocd}, spec: {destination: {}}, status: {sync: {status: Synced}, health: "
                           "{status: Progressing}}}")),
      {.force = true}));
  EXPECT_EQ(conditions_of(w.look_once()), "DependencyNotReady: dependency 'argocd/database' is Progressing");
  w.merge(application_type, {"argocd", "database"}, "{status: {health: {status: Healthy}}}");
  EXPECT_EQ(conditions_of(w.look_once()), "");
  EXPECT_TRUE(w.has("a"));
}

TEST(Waves, ChildApplicationsAreWaitedFor) {
  World w;
  auto child = [](std::string_view name, int wave) {
    return fmt::format(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {}, namespace: argocd, annotations: "
        "{{argocd.argoproj.io/sync-wave: '{}'}}}}\nspec: {{source: {{repoURL: http://git/config, path: {}}}, "
        "destination: "
        "{{namespace: shop}}, syncPolicy: {{automated: {{}}}}}}\n",
        name, wave, name);
  };
  w.commit({{"apps/database.yaml", child("database", 0)}, {"apps/web.yaml", child("web", 1)}});
  w.application(
      "source: {repoURL: http://git/config, path: apps}\nsyncPolicy: {automated: {prune: true, selfHeal: true}}");
  auto app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for healthy state of Application/database");
  EXPECT_FALSE(w.live(application_type, "web", "argocd"));
  auto say = [&](std::string_view health) {
    auto live = *w.live(application_type, "database", "argocd");
    auto value = live.copy();
    value["status"] =
        doc::Map{{"sync", doc::Map{{"status", "Synced"},
                                   {"comparedTo", doc::Map{{"source", live["spec"]["source"].value()},
                                                           {"destination", live["spec"]["destination"].value()}}}}},
                 {"health", doc::Map{{"status", health}}}};
    must(w.person->update(w.ctx(), value, {}));
  };
  say("Progressing");
  EXPECT_EQ(phase_of(w.look_once()), "Running");
  say("Healthy");
  app = w.look_once();
  EXPECT_TRUE(w.live(application_type, "web", "argocd"));
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
}

TEST(Waves, AChildThatComesNoFurtherIsNotWaitedFor) {
  World w;
  auto child = [](std::string_view name, std::string_view more) {
    return fmt::format(
        "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: {}, namespace: argocd}}, spec: "
        "{{source: {{repoURL: http://git/config, path: x}}, destination: {{namespace: shop}}{}}}}}\n",
        name, more);
  };
  w.commit({{"apps/manual.yaml", child("manual", "")},
            {"apps/off.yaml", child("off", ", syncPolicy: {automated: {enabled: false}}")},
            {"apps/refused.yaml", child("refused", ", syncPolicy: {automated: {}}")},
            {"apps/late.yaml", config_map("late", "1", "argocd.argoproj.io/sync-wave: '1'")}});
  w.application("source: {repoURL: http://git/config, path: apps}\nsyncPolicy: {automated: {}}");
  EXPECT_EQ(message_of(w.look_once()), "waiting for healthy state of Application/refused");
  w.merge(
      application_type, {"argocd", "refused"},
      "{status: {sync: {status: Unknown}, health: {status: Unknown}, conditions: [{type: InvalidSpecError, message: "
      "'no project'}]}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded") << message_of(app);
  EXPECT_TRUE(w.has("late"));
}

// The controller with its threads: a push wakes the source, the source the Kustomization, an edit is healed.
TEST(FluxController, FollowsCommitsEditsAndDeletion) {
  FluxWorld w;
  w.commit({{"a.yaml", config_map("a", "1")}});
  std::stop_source stop;
  FluxController controller(w.api.client("slipway-gitops"), w.repositories, {.as_user = [&](const std::string& user) {
                              return restrict_to(w.api.client("asks"), w.api.client(user), user);
                            }});
  Ctx running;
  running.stop = stop.get_token();
  std::jthread thread([&] { (void)controller.run(running); });
  struct Stop {
    std::stop_source& source;
    ~Stop() { source.request_stop(); }
  } stop_first{stop};
  Ctx patience = Ctx().within(Millis(20000));
  auto until = [&](const kube::Type& type, const kube::Key& key, const std::function<bool(const kube::Object&)>& done) {
    auto got = kube::await(patience, *w.person, type, key, done);
    if (got) return;
    auto now = must(w.person->get(Ctx(), type, key));
    ADD_FAILURE() << got.error().print() << "\n" << (now ? doc::print_yaml(now->value()) : "absent");
  };
  auto until_value = [&](std::string_view value) {
    until({"v1", "ConfigMap"}, {"shop", "a"},
          [&](const kube::Object& o) { return o && o["data"]["v"].text() == value; });
  };
  w.apply(
      "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: shop, namespace: "
      "flux-system}, spec: "
      "{interval: 10m, prune: true, targetNamespace: shop, sourceRef: {kind: GitRepository, name: config}}}");
  until_value("1");
  w.commit({{"a.yaml", config_map("a", "2")}});
  controller.repository_changed("http://git/config.git");
  until_value("2");
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: by-hand}}");
  until_value("2");
  // A source of its name that goes is not it: it still hears of its own source and of drift.
  const kube::Type charts{"source.toolkit.fluxcd.io/v1", "HelmRepository"};
  w.apply(
      "{apiVersion: source.toolkit.fluxcd.io/v1, kind: HelmRepository, metadata: {name: shop, namespace: flux-system}, "
      "spec: {interval: 10m, url: 'http://charts'}}");
  until(charts, w.ks, [](const kube::Object& o) { return kube::condition_status(o, "Ready") == "False"; });
  must(w.person->remove(Ctx(), charts, w.ks, {}));
  w.merge({"v1", "ConfigMap"}, {"shop", "a"}, "{data: {v: by-hand}}");
  until_value("2");
  w.commit({{"a.yaml", config_map("a", "2b")}});
  controller.repository_changed("http://git/config.git");
  until_value("2b");
  w.merge(kustomization_type, w.ks, "{metadata: {annotations: {reconcile.fluxcd.io/requestedAt: now}}}");
  until(kustomization_type, w.ks,
        [](const kube::Object& o) { return o["status"]["lastHandledReconcileAt"].text() == "now"; });
  // A service account that may nothing, then one that may.
  w.apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: flux-system}}");
  w.commit({{"a.yaml", config_map("a", "3")}});
  w.merge(kustomization_type, w.ks, "{spec: {serviceAccountName: deployer, retryInterval: 1s}}");
  controller.repository_changed("http://git/config");
  until(kustomization_type, w.ks, [](const kube::Object& o) {
    return ready(o).find("system:serviceaccount:flux-system:deployer cannot get configmaps in namespace shop") !=
           std::string::npos;
  });
  w.apply(
      "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: deployer, namespace: shop}, "
      "roleRef: "
      "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}, subjects: [{kind: ServiceAccount, name: "
      "deployer, "
      "namespace: flux-system}]}");
  w.merge(kustomization_type, w.ks, "{metadata: {annotations: {reconcile.fluxcd.io/requestedAt: again}}}");
  until_value("3");
  // What is not acted on says so.
  w.apply(
      "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: h, namespace: flux-system}, spec: "
      "{interval: 1m}}");
  until({"helm.toolkit.fluxcd.io/v2", "HelmRelease"}, {"flux-system", "h"},
        [](const kube::Object& o) { return ready(o).starts_with("Ready=False Unsupported: Helm charts"); });
  must(w.person->remove(w.ctx(), kustomization_type, w.ks, {}));
  until(kustomization_type, w.ks, [](const kube::Object& o) { return !o; });
  EXPECT_FALSE(w.has("a"));
}

}  // namespace
}  // namespace slipway::gitops
