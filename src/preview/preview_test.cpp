// Previews against the embedded API with its controllers; pods become ready when the test says so.
#include "preview/preview.h"

#include <atomic>

#include "base/log.h"
#include "base/text.h"
#include "cluster/controllers.h"
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "kube/controller.h"

namespace slipway::preview {
namespace {

const kube::Type namespaces{"v1", "Namespace"}, pods{"v1", "Pod"}, config{"v1", "ConfigMap"};

constexpr std::string_view overlay = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: prod}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: prod}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: prod}, spec: {selector: {app: web}, ports: [{port: 8080}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: prod}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: 'web:1'}]}}}}
)";

struct House {
  cluster::TestApi api = cluster::make_test_api();
  std::shared_ptr<kube::Client> client = api.client("preview"), person = api.client("ada");
  std::stop_source stop;
  Ctx ctx = Ctx().within(Millis(30000));
  std::string rendered = std::string(overlay);
  std::atomic<bool> pods_start = true;
  std::string text;  // what the run is told
  std::vector<std::string> logged;
  std::mutex mutex;
  std::vector<std::jthread> threads;

  House() {
    set_log_redaction([this](std::string line) {
      std::lock_guard lock(mutex);
      logged.push_back(line);
      return line;
    });
    Ctx running;
    running.stop = stop.get_token();
    threads.emplace_back(
        [this, running] { (void)cluster::run_workload_controllers(running, *api.client("controllers"), {}); });
    threads.emplace_back([this, running] {
      auto node = api.client("node");
      kube::ControllerOptions options;
      options.name = "pods";
      options.sources.push_back({.type = pods, .keys = {}, .options = {}});
      (void)kube::run_controller(
          running, *node, options, [&](const Ctx& inner, const kube::Key& key) -> Result<kube::Reconciled> {
            TRY(auto pod, node->get(inner, pods, key));
            if (!pod || pod->deleting() || !pods_start)
              return kube::Reconciled{pods_start ? std::nullopt : std::optional(Millis(20))};
            auto now = rfc3339(real_clock().wall());
            doc::Value status = must(
                doc::parse_yaml(fmt::format("{{phase: Running, podIP: 10.1.2.3, podIPs: [{{ip: 10.1.2.3}}], "
                                            "conditions: [{{type: Ready, status: 'True', lastTransitionTime: '{}'}}]}}",
                                            now)));
            // As a node does it: a pod that went meanwhile has no status.
            auto written = kube::write_status(inner, *node, *pod, std::move(status), "node");
            if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
            return kube::Reconciled{};
          });
    });
  }
  ~House() {
    stop.request_stop();
    threads.clear();
    set_log_redaction({});
    // A namespace that goes refuses what its controllers still want: nothing to warn of.
    for (const auto& line : logged) EXPECT_EQ(line.find("kube.reconcile.failed"), std::string::npos) << line;
  }
  path::LogSink log() {
    return [this](int, std::string_view piece) {
      std::lock_guard lock(mutex);
      text += piece;
    };
  }
  std::unique_ptr<path::Previewer> previewer(std::shared_ptr<kube::Client> with = nullptr) {
    return make_previewer(with ? with : client,
                          {[this](const Ctx&, const path::PreviewRequest& request) -> Result<std::vector<doc::Value>> {
                            if (request.overlay == "broken")
                              return fail(Kind::invalid, "overlays/pr/kustomization.yaml:3:1: no");
                            return doc::parse_yaml_all(rendered);
                          }});
  }
  path::PreviewRequest request(std::string name = "pr-1") {
    path::PreviewRequest r;
    r.name = std::move(name), r.overlay = "overlays/pr", r.images = {{"web", "reg/web@sha256:aa"}};
    r.ready_within = Millis(15000);
    return r;
  }
  bool has(const std::string& ns) { return must(person->get(ctx, namespaces, {"", ns})).has_value(); }
  std::string previews() {
    std::string names;
    for (const auto& ns : must(person->list(ctx, namespaces, {.label_selector = "slipway.dev/preview=true"})).items)
      names += ns.name() + " ";
    return names;
  }
};

TEST(Preview, ComesUpAnswersAndGoes) {
  House house;
  auto previewer = house.previewer();
  auto handle = must(previewer->create(house.ctx, house.request(), house.log()));
  EXPECT_EQ(handle.ns, "preview-pr-1");
  ASSERT_TRUE(handle.urls.contains("web"));
  EXPECT_TRUE(handle.urls["web"].ends_with(":8080")) << handle.urls["web"];
  auto ns = *must(house.person->get(house.ctx, namespaces, {"", handle.ns}));
  EXPECT_EQ(ns.label(preview_label), "true");
  EXPECT_EQ(ns.annotation(name_annotation), "pr-1");
  EXPECT_TRUE(parse_rfc3339(ns.annotation(expires_annotation)));
  auto pod = must(house.person->list(house.ctx, pods, {.ns = handle.ns})).items.at(0);
  EXPECT_EQ(pod["spec"]["containers"][0]["image"].text(), "reg/web@sha256:aa");
  EXPECT_FALSE(house.has("prod"));
  // Whoever calls the service now finds a pod behind it.
  auto endpoints = must(house.person->get(house.ctx, {"v1", "Endpoints"}, {handle.ns, "web"}));
  ASSERT_TRUE(endpoints);
  EXPECT_EQ((*endpoints)["subsets"][0]["addresses"][0]["ip"].text(), "10.1.2.3");
  must(previewer->tear_down(house.ctx, handle.ns, house.log()));
  EXPECT_FALSE(house.has(handle.ns));
  must(previewer->tear_down(house.ctx, handle.ns, house.log()));
  EXPECT_EQ(house.text, "namespace preview-pr-1 has 3 objects\nnamespace preview-pr-1 is gone\n");
}

TEST(Preview, TakesThePlaceOfAnEarlierTry) {
  House house;
  auto previewer = house.previewer();
  must(previewer->create(house.ctx, house.request(), house.log()));
  auto first = must(house.person->get(house.ctx, namespaces, {"", "preview-pr-1"}))->uid();
  must(previewer->create(house.ctx, house.request(), house.log()));
  EXPECT_NE(must(house.person->get(house.ctx, namespaces, {"", "preview-pr-1"}))->uid(), first);
}

TEST(Preview, AKeptOneOutlivesARestart) {
  House house;
  house.rendered = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}";
  auto request = house.request();
  request.keep = true;
  must(house.previewer()->create(house.ctx, request, house.log()));
  must(house.previewer()->create(house.ctx, house.request("run-7"), house.log()));
  EXPECT_EQ(join(must(sweep(house.ctx, *house.client, Sweep::orphans)), " "), "preview-run-7");
}

TEST(Preview, LeavesNamespacesOfOthersAlone) {
  House house;
  must(house.person->create(house.ctx, kube::make_object(namespaces, {"", "preview-pr-1"}), {}));
  auto previewer = house.previewer();
  auto made = previewer->create(house.ctx, house.request(), house.log());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().what(), "namespace preview-pr-1 is not a preview, it stays");
  EXPECT_TRUE(house.has("preview-pr-1"));
  auto torn = previewer->tear_down(house.ctx, "default", house.log());
  ASSERT_FALSE(torn);
  EXPECT_TRUE(torn.error().is(Kind::denied));
}

TEST(Preview, NotReadyInTimeIsExplainedAndTornDown) {
  House house;
  house.pods_start = false;
  auto request = house.request();
  request.ready_within = Millis(300);
  auto made = house.previewer()->create(house.ctx, request, house.log());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().what(), "preview preview-pr-1: not ready in time: Deployment web: 0 of 1 ready");
  EXPECT_EQ(house.previews(), "");
}

TEST(Preview, AServiceThatNobodyAnswersIsNamed) {
  House house;
  // Its pods are ready, but serve nothing under the name that the port asks for.
  house.rendered = replace_all(house.rendered, "ports: [{port: 8080}]", "ports: [{port: 8080, targetPort: nowhere}]");
  auto request = house.request();
  request.ready_within = Millis(1500);
  auto made = house.previewer()->create(house.ctx, request, house.log());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().what(), "preview preview-pr-1: not ready in time: no ready pod serves a port of Service web");
  EXPECT_EQ(house.previews(), "");
}

struct Wrong {
  const char* name;
  const char* rendered;
  const char* error;
};
class Fails : public testing::TestWithParam<Wrong> {};
TEST_P(Fails, AndLeavesNothing) {
  House house;
  house.rendered = GetParam().rendered;
  auto request = house.request();
  if (*GetParam().rendered == 0) request.overlay = "broken";
  auto made = house.previewer()->create(house.ctx, request, house.log());
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what().find(GetParam().error), std::string::npos) << made.error().what();
  EXPECT_EQ(house.previews(), "");
}
INSTANTIATE_TEST_SUITE_P(Preview, Fails,
                         testing::ValuesIn(std::to_array<Wrong>({
                             {"Render", "", "preview: overlays/pr/kustomization.yaml:3:1: no"},
                             {"NothingToHold", "{apiVersion: v1, kind: Namespace, metadata: {name: x}}",
                              "overlays/pr: no object that a preview could hold"},
                             {"UnknownKinds", "{apiVersion: x.io/v1, kind: Widget, metadata: {name: x}}",
                              "overlays/pr: no object that a preview could hold"},
                             {"Refused",
                              "{apiVersion: v1, kind: ConfigMap, metadata: {name: ok}}\n---\n{apiVersion: v1, kind: "
                              "Service, metadata: {name: s}, spec: {ports: [{port: 99999}]}}",
                              "preview preview-pr-1: "},
                             {"BadName", "{apiVersion: v1, kind: ConfigMap, metadata: {name: 'No Good'}}",
                              "preview preview-pr-1: "},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST(Preview, CancelledHalfWayIsTornDown) {
  House house;
  house.pods_start = false;
  std::stop_source cancel;
  auto ctx = house.ctx.with_stop(cancel.get_token());
  std::jthread killer([&] {
    (void)kube::await(house.ctx, *house.person, {"apps/v1", "Deployment"}, {"preview-pr-1", "web"},
                      [](const kube::Object& o) { return static_cast<bool>(o); });
    cancel.request_stop();
  });
  auto made = house.previewer()->create(ctx, house.request(), house.log());
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().is(Kind::cancelled));
  EXPECT_EQ(house.previews(), "");
}

TEST(Preview, ANamespaceThatGoesMeanwhileEndsTheWait) {
  House house;
  house.pods_start = false;
  std::jthread somebody([&] {
    (void)kube::await(house.ctx, *house.person, {"apps/v1", "Deployment"}, {"preview-pr-1", "web"},
                      [](const kube::Object& o) { return static_cast<bool>(o); });
    (void)house.person->remove(house.ctx, namespaces, {"", "preview-pr-1"}, {});
  });
  auto made = house.previewer()->create(house.ctx, house.request(), house.log());
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what().find("was deleted while it came up"), std::string::npos) << made.error().what();
  EXPECT_EQ(house.previews(), "");
}

TEST(Preview, HostileNamesStayApart) {
  House house;
  house.rendered = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}";
  auto previewer = house.previewer();
  std::set<std::string> made;
  for (auto name : {"../../kube-system", "default", "", "PR 1", "pr-1", "'; drop", "xn--größe"})
    made.insert(must(previewer->create(house.ctx, house.request(name), house.log())).ns);
  EXPECT_EQ(made.size(), 7U);
  for (const auto& ns : made) EXPECT_TRUE(ns.starts_with("preview-")) << ns;
  EXPECT_TRUE(house.has("default") && house.has("kube-system"));
}

// --- what a crash leaves -----------------------------------------------------------------------------------------

void put(kube::Client& client, std::string_view name, std::string_view labels, std::string_view expires) {
  must(client.create(Ctx(),
                     must(doc::parse_yaml(fmt::format("{{apiVersion: v1, kind: Namespace, metadata: {{name: {}, "
                                                      "labels: {{{}}}, annotations: {{slipway.dev/expires: '{}'}}}}}}",
                                                      name, labels, expires))),
                     {}));
}

TEST(Sweep, TakesWhatIsOverAndNothingElse) {
  auto api = cluster::make_test_api();
  auto client = api.client("sweeper");
  auto now = real_clock().wall();
  auto later = rfc3339(now + std::chrono::hours(1)), past = rfc3339(now - std::chrono::hours(1));
  put(*client, "preview-old", "slipway.dev/preview: 'true'", past);
  put(*client, "preview-going", "slipway.dev/preview: 'true'", later);
  put(*client, "preview-kept", "slipway.dev/preview: 'true', slipway.dev/preview-kept: 'true'", later);
  put(*client, "preview-kept-old", "slipway.dev/preview: 'true', slipway.dev/preview-kept: 'true'", past);
  put(*client, "preview-undated", "slipway.dev/preview: 'true'", "whenever");
  put(*client, "preview-mine", "team: a", past);
  EXPECT_EQ(join(must(sweep(Ctx(), *client, Sweep::expired)), " "), "preview-kept-old preview-old");
  EXPECT_EQ(join(must(sweep(Ctx(), *client, Sweep::expired)), " "), "") << "they are going already";
  EXPECT_EQ(join(must(sweep(Ctx(), *client, Sweep::orphans)), " "), "preview-going preview-undated");
  EXPECT_FALSE(must(client->get(Ctx(), namespaces, {"", "preview-mine"}))->deleting());
}

TEST(Sweep, WithoutADateADayIsEnough) {
  auto api = cluster::make_test_api();
  auto client = api.client("sweeper");
  put(*client, "preview-undated", "slipway.dev/preview: 'true', slipway.dev/preview-kept: 'true'", "");
  struct Ahead final : Clock {
    time_point now() const override { return real_clock().now(); }
    wall_point wall() const override { return real_clock().wall() + std::chrono::hours(25); }
    void sleep_until(const std::stop_token& stop, time_point until) const override {
      real_clock().sleep_until(stop, until);
    }
  } tomorrow;
  Ctx ctx;
  EXPECT_TRUE(must(sweep(ctx, *client, Sweep::expired)).empty());
  ctx.clock = &tomorrow;
  EXPECT_EQ(join(must(sweep(ctx, *client, Sweep::expired)), " "), "preview-undated");
}

TEST(Sweep, AKilledCreateIsTakenUpByTheNextStart) {
  House house;
  house.pods_start = false;
  {
    // Killed: nothing of it gets to clean up.
    put(*house.person, "preview-pr-1", "slipway.dev/preview: 'true'",
        rfc3339(real_clock().wall() + std::chrono::hours(1)));
    must(house.person->create(house.ctx, kube::make_object(config, {"preview-pr-1", "half"}), {}));
  }
  EXPECT_EQ(join(must(sweep(house.ctx, *house.client, Sweep::orphans)), " "), "preview-pr-1");
  must(kube::await(house.ctx, *house.person, namespaces, {"", "preview-pr-1"},
                   [](const kube::Object& o) { return !o; }));
}

}  // namespace
}  // namespace slipway::preview
