#include "verify/analysis_run.h"

#include "base/encode.h"
#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "kube/testing/memory_client.h"
#include "net/server.h"
#include "verify/json_path.h"
#include "verify/smoke.h"

namespace slipway::verify {
namespace {

const kube::Type run_type{"argoproj.io/v1alpha1", "AnalysisRun"}, job_type{"batch/v1", "Job"};

// An HTTP service whose answers the test decides.
struct Service {
  std::function<net::Response(net::Request&)> answer = [](net::Request&) { return net::Response::json(200, "{}"); };
  std::atomic<int> asked = 0;
  std::unique_ptr<net::Server> server = must(net::Server::start({}, [this](const Ctx& ctx, net::Request& request) {
    ++asked;
    body = must(request.read_body(ctx));
    return answer(request);
  }));
  std::string body;
  std::string url(std::string_view path) const { return "http://" + server->address() + std::string(path); }
};

class Run : public testing::Test {
 protected:
  kube::Object start(const std::string& spec) {
    auto value = must(doc::parse_yaml(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisRun\nmetadata: {name: r, namespace: shop}\nspec:\n" + spec));
    return must(client->create(ctx, value, {}));
  }
  std::optional<Millis> step() {
    if (!providers) providers = std::make_unique<Providers>(options);
    return must(reconcile_run(ctx, *client, *providers, {"shop", "r"})).again;
  }
  kube::Object run() { return *must(client->get(ctx, run_type, {"shop", "r"})); }
  std::string phase() { return run()["status"]["phase"].str_or(""); }
  std::string message() { return run()["status"]["message"].str_or(""); }

  FakeClock clock;
  Ctx ctx{.stop = {}, .deadline = Clock::time_point::max(), .clock = &clock};
  std::shared_ptr<kube::MemoryClient> client = std::make_shared<kube::MemoryClient>(clock);
  ProviderOptions options{.client = client, .http = {}, .prometheus = {}, .traffic = {}};
  std::unique_ptr<Providers> providers;
};

TEST_F(Run, WebMetricIsMeasuredAtItsInterval) {
  Service service;
  service.answer = [](net::Request&) { return net::Response::json(200, R"({"data":{"ok":0.99}})"); };
  start(
      fmt::format("  args: [{{name: want, value: '0.95'}}]\n  metrics:\n  - name: ok\n    interval: 10s\n    count: "
                  "2\n    successCondition: result >= {{{{args.want}}}}\n"
                  "    provider: {{web: {{url: '{}', jsonPath: '{{$.data.ok}}'}}}}\n",
                  service.url("/x")));
  EXPECT_EQ(step(), Millis(10000));
  EXPECT_EQ(phase(), "Running");
  EXPECT_EQ(step(), Millis(10000));  // not due: not asked
  EXPECT_EQ(service.asked, 1);
  clock.advance(Millis(10000));
  EXPECT_EQ(step(), std::nullopt);
  EXPECT_EQ(phase(), "Successful");
  EXPECT_EQ(run()["status"]["metricResults"][0]["measurements"][1]["value"].str_or(""), "0.99");
  EXPECT_EQ(run()["status"]["runSummary"]["successful"].num_or(0), 1);
  auto version = run().resource_version();
  step();
  EXPECT_EQ(run().resource_version(), version);  // an ended run is left alone
}

TEST_F(Run, PrometheusVectorAndFailure) {
  Service service;
  service.answer = [](net::Request&) {
    return net::Response::json(
        200, R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.2"]}]}})");
  };
  start(
      fmt::format("  metrics:\n  - name: rate\n    failureCondition: result[0] > 0.05\n    provider: {{prometheus: "
                  "{{address: '{}', query: 'sum(x)'}}}}\n"
                  "  - name: other\n    interval: 1h\n    provider: {{prometheus: {{address: '{}', query: 'y'}}}}\n",
                  service.url(""), service.url("")));
  step();
  EXPECT_EQ(phase(), "Failed");
  EXPECT_EQ(message(), "Metric \"rate\" assessed Failed due to failed (1) > failureLimit (0)");
  EXPECT_EQ(run()["status"]["metricResults"][0]["measurements"][0]["value"].str_or(""), "[0.2]");
  EXPECT_EQ(run()["status"]["metricResults"][1]["phase"].str_or(""), "Successful");  // ended with it, nothing was wrong
  EXPECT_NE(service.body.find("query="), std::string::npos);
}

TEST_F(Run, ErrorsAreTriedAgainAfterTenSeconds) {
  Service service;
  service.answer = [](net::Request&) { return net::Response::text(503, "no"); };
  start(fmt::format("  metrics:\n  - name: ok\n    provider: {{web: {{url: '{}'}}}}\n", service.url("/x")));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(step(), Millis(10000)) << i;
    clock.advance(Millis(10000));
  }
  step();
  EXPECT_EQ(phase(), "Error");
  EXPECT_NE(message().find("consecutiveErrors (5) > consecutiveErrorLimit (4)"), std::string::npos) << message();
  EXPECT_NE(message().find("503"), std::string::npos) << message();
}

TEST_F(Run, JobIsCreatedFollowedAndJudged) {
  start(
      "  metrics:\n  - name: smoke\n    provider:\n      job:\n        spec: {template: {spec: {restartPolicy: Never, "
      "containers: [{name: c, image: x}]}}}\n");
  EXPECT_TRUE(step());
  EXPECT_EQ(phase(), "Running");
  auto jobs = must(client->list(ctx, job_type, {.ns = "shop"})).items;
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].name(), "uid-1.smoke.1");
  auto job = jobs[0].copy();
  job["status"]["conditions"] = doc::List{doc::Map{{"type", "Failed"}, {"status", "True"}, {"message", "exit 1"}}};
  must(client->update(ctx, job, {.subresource = "status"}));
  clock.advance(Millis(2000));
  step();
  EXPECT_EQ(phase(), "Failed");
  EXPECT_EQ(run()["status"]["metricResults"][0]["measurements"][0]["message"].str_or(""), "exit 1");
}

TEST_F(Run, TerminatedJobIsDeletedAndTheRunDoesNotFail) {
  auto r = start(
      "  metrics:\n  - name: smoke\n    provider:\n      job:\n        spec: {template: {spec: {containers: [{name: c, "
      "image: x}]}}}\n");
  step();
  auto copy = run().copy();
  copy["spec"]["terminate"] = true;
  must(client->update(ctx, copy, {}));
  step();
  EXPECT_EQ(phase(), "Inconclusive");
  EXPECT_TRUE(must(client->list(ctx, job_type, {.ns = "shop"})).items.empty());
}

TEST_F(Run, GatewayCountsThroughTheSequentialTest) {
  std::map<std::string, Traffic> counts{{"new", {0, 0}}, {"old", {0, 0}}};
  options.traffic = [&](const std::string&, const std::string& service, const std::string& hash) -> Result<Traffic> {
    EXPECT_EQ(service, "web");
    return counts[hash];
  };
  start(
      "  metrics:\n  - name: errors\n    interval: 10s\n    provider: {slipway: {service: web, canaryHash: new, "
      "stableHash: old, alpha: 0.01}}\n");
  step();
  counts["new"] = {100, 1}, counts["old"] = {900, 5};
  clock.advance(Millis(10000));
  step();
  EXPECT_EQ(phase(), "Running");
  counts["new"] = {200, 31}, counts["old"] = {1800, 10};
  clock.advance(Millis(10000));
  step();
  EXPECT_EQ(phase(), "Failed");
  EXPECT_NE(message().find("the canary answers 15.50 % of 200 requests with errors"), std::string::npos) << message();
}

TEST_F(Run, GatewayWithoutTrafficIsInconclusive) {
  options.traffic = [](const std::string&, const std::string&, const std::string&) -> Result<Traffic> {
    return Traffic{3, 0};
  };
  start("  metrics:\n  - name: errors\n    provider: {slipway: {service: web}}\n");
  step();
  EXPECT_EQ(phase(), "Inconclusive");
  EXPECT_NE(message().find("needs 100 more"), std::string::npos) << message();
}

TEST_F(Run, WrongSpecIsAnErrorAndSecretsFillArguments) {
  start("  metrics:\n  - name: a\n    provider: {web: {url: '{{args.url}}'}}\n");
  step();
  EXPECT_EQ(phase(), "Error");
  EXPECT_EQ(message(), "argument \"url\" has no value");

  Service service;
  auto secret = kube::make_object({"v1", "Secret"}, {"shop", "s"});
  secret["data"]["u"] = to_base64(service.url("/from-secret"));
  must(client->create(ctx, secret, {}));
  must(client->remove(ctx, run_type, {"shop", "r"}, {}));
  start(
      "  args: [{name: url, valueFrom: {secretKeyRef: {name: s, key: u}}}]\n  dryRun: [{metricName: b.*}]\n"
      "  metrics:\n  - {name: a, provider: {web: {url: '{{args.url}}'}}}\n  - {name: bad, successCondition: 'false', "
      "provider: {web: {url: '{{args.url}}'}}}\n");
  step();
  EXPECT_EQ(phase(), "Successful") << message();
  EXPECT_EQ(run()["status"]["dryRunSummary"]["failed"].num_or(0), 1);
  EXPECT_EQ(doc::print_json(run().value()).find("from-secret"), std::string::npos);
}

TEST(JsonPath, Reads) {
  auto root = must(doc::parse_json(R"({"a":{"b":[1,{"c":"x"}],"d.e":5},"list":[{"n":1},{"n":2}]})"));
  for (auto [path, want] : {std::pair{"{$.a.b[0]}", "1"},
                            {"$.a.b[-1].c", "\"x\""},
                            {"a['d.e']", "5"},
                            {"{.list[*].n}", "[1,2]"},
                            {"$..n", "[1,2]"},
                            {"$.nope.x", "null"},
                            {"{$}", "{\"a\":{\"b\":[1,{\"c\":\"x\"}],\"d.e\":5},\"list\":[{\"n\":1},{\"n\":2}]}"}})
    EXPECT_EQ(doc::print_json(must(json_path(root, path))), want) << path;
  EXPECT_FALSE(json_path(root, "$.a["));
  EXPECT_FALSE(json_path(root, "$.a.."));
}

TEST(Smoke, ChecksWaitUntilTheyHold) {
  Service service;
  std::atomic<int> calls = 0;
  service.answer = [&](net::Request& r) {
    if (r.path == "/slow" && ++calls < 3) return net::Response::text(503, "");
    return net::Response::json(200, R"({"status":"up"})");
  };
  auto value =
      must(doc::parse_yaml(fmt::format("- {{url: '{0}/slow', within: 10s, every: 1ms, json: {{path: '$.status', "
                                       "equals: up}}}}\n- {{name: body, url: '{0}/x', contains: nope}}\n"
                                       "- {{url: '{0}/y', status: 404}}\n",
                                       service.url(""))));
  net::Client client;
  auto verdict = must(run_checks(Ctx().within(Millis(20000)), client, must(checks_from(doc::View(value)))));
  EXPECT_EQ(verdict.outcome, path::Verdict::Outcome::fail);
  EXPECT_EQ(verdict.why, "body: the body does not contain \"nope\" (and 1 more)");
  EXPECT_EQ(verdict.evidence[0], service.url("/slow") + ": ok after 3 tries");
  EXPECT_EQ(verdict.evidence[2], service.url("/y") + ": status 200, want 404");
  auto bad = must(doc::parse_yaml("- {url: 'http://x', status: fine}"));
  EXPECT_FALSE(checks_from(doc::View(bad)));
}

}  // namespace
}  // namespace slipway::verify
