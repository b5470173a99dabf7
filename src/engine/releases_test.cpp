// What runs is judged as a whole: all that carries the image, and the Application that brings it.
#include "doc/yaml.h"
#include "engine/promotions.h"
#include "engine/testing.h"

namespace slipway::engine {
namespace {

const kube::Type application{"argoproj.io/v1alpha1", "Application"};

struct Releases : HouseTest {
  Digest digest = Digest::of("one");
  std::string at;  // the commit that promoted it

  std::string overlay(const Digest& image) {
    return fmt::format("resources: []\nimages:\n- name: shop/api\n  newName: shop/api\n  digest: {}\n", image.str());
  }
  void SetUp() override {
    HouseTest::SetUp();
    make("{apiVersion: v1, kind: Namespace, metadata: {name: dev}}");
    pipeline("");
    at = commit("config", "main", {{"dev/kustomization.yaml", overlay(digest)}});
    must(record(ctx, *house.client, "Promotion", "p",
                doc::Map{{"service", "api"},
                         {"environment", "dev"},
                         {"pipeline", "shop"},
                         {"configRepository", "config"},
                         {"configPath", "dev"},
                         {"artifact", doc::Map{{"service", "api"}, {"image", "shop/api"}, {"digest", digest.str()}}}}));
    EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", "p", doc::Map{{"phase", "Running"}, {"commit", at}}));
    EXPECT_TRUE(begin_release(ctx, house, "r",
                              doc::Map{{"service", "api"},
                                       {"environment", "dev"},
                                       {"pipeline", "shop"},
                                       {"image", "shop/api"},
                                       {"digest", digest.str()},
                                       {"commit", at},
                                       {"promotion", "p"},
                                       {"configRepository", "config"}}));
  }
  void pipeline(std::string_view rules) {
    make(
        fmt::format("{{apiVersion: slipway.dev/v1, kind: Pipeline, metadata: {{name: shop, namespace: {}}}, spec: "
                    "{{repository: config, services: [{{name: api, image: shop/api}}], environments: [{{name: dev, "
                    "path: dev, namespace: dev{}}}]}}}}",
                    home, rules));
  }
  void make(const std::string& yaml) { must(house.client->apply(ctx, must(doc::parse_yaml(yaml)), {.force = true})); }
  // A workload with a container, or an init container, of the image.
  void workload(const std::string& kind, const std::string& name, std::string_view list = "containers") {
    auto containers = fmt::format("{}: [{{name: c, image: 'shop/api@{}'}}]", list, digest.str());
    if (list != "containers") containers += ", containers: [{name: other, image: busybox}]";
    auto pod = fmt::format("template: {{metadata: {{labels: {{app: {}}}}}, spec: {{restartPolicy: {}, {}}}}}", name,
                           kind == "Job" || kind == "CronJob" ? "Never" : "Always", containers);
    auto spec = kind == "CronJob" ? fmt::format("schedule: '0 0 * * *', jobTemplate: {{spec: {{{}}}}}", pod)
                : kind == "Job"   ? pod
                                  : fmt::format("selector: {{matchLabels: {{app: {}}}}}, {}", name, pod);
    make(fmt::format("{{apiVersion: {}, kind: {}, metadata: {{name: {}, namespace: dev}}, spec: {{{}}}}}",
                     kind == "Job" || kind == "CronJob" ? "batch/v1" : "apps/v1", kind, name, spec));
  }
  void says(const kube::Type& type, const kube::Key& key, const std::string& status) {
    must(house.client->patch(ctx, type, key, kube::PatchType::merge,
                             doc::Map{{"status", must(doc::parse_yaml(status))}},
                             {.subresource = type == application ? "" : "status"}));  // Argo CD's has none
  }
  void healthy_deployment(const std::string& name) {
    says({"apps/v1", "Deployment"}, {"dev", name},
         "{observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}");
  }
  void app(const std::string& status, std::string_view policy = "") {
    make(
        fmt::format("{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: shop-dev, namespace: "
                    "argocd}}, spec: {{project: default, source: {{repoURL: 'http://slipway/git/config.git', path: "
                    "dev, targetRevision: main}}, destination: {{namespace: dev, server: "
                    "'https://kubernetes.default.svc'}}{}}}}}",
                    policy));
    must(house.client->patch(ctx, application, {"argocd", "shop-dev"}, kube::PatchType::merge,
                             doc::Map{{"status", nullptr}}, {}));
    says(application, {"argocd", "shop-dev"}, status);
  }
  static std::string synced(const std::string& revision, std::string_view health = "Healthy") {
    return fmt::format("{{sync: {{status: Synced, revision: {}}}, health: {{status: {}}}}}", revision, health);
  }
  // "Running: why" of the Release.
  std::string look() {
    must(look_at_release(ctx, house, "r"));
    auto status = object("Release", "r")["status"];
    auto why = status["message"].text();
    return status["phase"].text() + (why.empty() ? "" : ": " + why);
  }
  std::string promotion() {
    auto status = object("Promotion", "p")["status"];
    auto why = status["message"].text();
    return status["phase"].text() + (why.empty() ? "" : ": " + why);
  }
};

TEST_F(Releases, AreVerifiedWhenAllThatCarriesTheImageIsWell) {
  EXPECT_EQ(look(), "Running: not deployed yet");
  EXPECT_EQ(promotion(), "Running: not deployed yet");
  workload("Deployment", "api"), workload("Deployment", "worker");
  healthy_deployment("api");
  EXPECT_TRUE(look().starts_with("Running: Deployment worker: ")) << look();
  healthy_deployment("worker");
  workload("DaemonSet", "agent", "initContainers");
  EXPECT_TRUE(look().starts_with("Running: DaemonSet agent: ")) << look();
  says({"apps/v1", "DaemonSet"}, {"dev", "agent"},
       "{observedGeneration: 1, desiredNumberScheduled: 1, currentNumberScheduled: 1, updatedNumberScheduled: 1, "
       "numberAvailable: 1, numberReady: 1}");
  workload("CronJob", "nightly");
  workload("Job", "migrate");
  EXPECT_TRUE(look().starts_with("Running: Job migrate")) << look();
  says({"batch/v1", "Job"}, {"dev", "migrate"}, "{conditions: [{type: Complete, status: 'True'}]}");
  EXPECT_EQ(look(), "Succeeded") << "and nothing is said of what was waited for";
  EXPECT_EQ(promotion(), "Succeeded");
}

TEST_F(Releases, FailWithOneOfThem) {
  workload("Deployment", "api");
  healthy_deployment("api");
  workload("Job", "migrate");
  says({"batch/v1", "Job"}, {"dev", "migrate"}, "{conditions: [{type: Failed, status: 'True', message: no table}]}");
  must(look_at_release(ctx, house, "r"));
  EXPECT_EQ(phase_of(object("Release", "r")), path::Phase::failed);
  EXPECT_EQ(promotion(), "Failed: Job migrate: no table");
  EXPECT_TRUE(must(find(ctx, *house.client, "Promotion", "p-revert")));
}

TEST_F(Releases, WaitForTheApplicationToBeSyncedAndHealthyThere) {
  pipeline(", application: shop-dev");
  workload("Deployment", "api");
  healthy_deployment("api");
  EXPECT_EQ(look(), "Running: there is no Application shop-dev");
  app(synced(std::string(40, 'a')));
  EXPECT_TRUE(look().starts_with("Running: Application shop-dev is at aaaaaaaaaaaa, not at ")) << look();
  app("{sync: {status: OutOfSync, revision: " + at + "}, health: {status: Healthy}}");
  EXPECT_EQ(look(), "Running: Application shop-dev is OutOfSync");
  app(synced(at, "Progressing"));
  EXPECT_EQ(look(), "Running: Application shop-dev is Progressing");
  // A later commit counts while it says the same image.
  auto other = commit("config", "main", {{"dev/kustomization.yaml", overlay(Digest::of("two"))}});
  app(synced(other));
  EXPECT_TRUE(look().starts_with("Running: Application shop-dev is at ")) << look();
  auto later = commit("config", "main", {{"dev/kustomization.yaml", overlay(digest)}, {"readme", "x"}});
  app(synced(later));
  EXPECT_EQ(look(), "Succeeded");
}

TEST_F(Releases, AFailedSyncIsToldAndFailsWhenItIsTriedNoMore) {
  pipeline(", application: shop-dev");
  workload("Deployment", "api");
  healthy_deployment("api");
  auto failed = [&](int retries) {
    return fmt::format(
        "{{sync: {{status: OutOfSync, revision: {0}}}, operationState: {{phase: Failed, message: no such "
        "namespace, retryCount: {1}, operation: {{sync: {{revision: {0}}}}}, syncResult: {{revision: "
        "{0}}}}}}}",
        at, retries);
  };
  constexpr auto twice = ", syncPolicy: {automated: {}, retry: {limit: 2}}";
  app(failed(0), twice);
  EXPECT_EQ(look(), "Running: Application shop-dev sync failed: no such namespace (tried again, 1 of 2)");
  EXPECT_EQ(promotion(), "Running: Application shop-dev sync failed: no such namespace (tried again, 1 of 2)");
  app(failed(2), twice);
  must(look_at_release(ctx, house, "r"));
  EXPECT_EQ(promotion(), "Failed: Application shop-dev: sync failed: no such namespace");
  EXPECT_EQ(phase_of(object("Release", "r")), path::Phase::failed);
  EXPECT_TRUE(must(find(ctx, *house.client, "Promotion", "p-revert"))) << "it is taken back in Git";
}

TEST_F(Releases, WhatHindersASyncIsTold) {
  pipeline(", application: shop-dev");
  app("{sync: {status: Unknown}, conditions: [{type: ComparisonError, message: 'bad.yaml:1:1: no'}]}");
  EXPECT_EQ(look(), "Running: Application shop-dev ComparisonError: bad.yaml:1:1: no");
}

}  // namespace
}  // namespace slipway::engine
