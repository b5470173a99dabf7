// The AnalysisRun controller against the real embedded API and a real HTTP service.
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "net/server.h"
#include "path/crds.h"
#include "verify/analysis_run.h"

namespace slipway::verify {
namespace {

const kube::Type run_type{"argoproj.io/v1alpha1", "AnalysisRun"};

TEST(AnalysisController, MeasuresUntilItsCountOnTheEmbeddedApi) {
  std::atomic<int> asked = 0;
  auto server = must(net::Server::start({}, [&](const Ctx&, net::Request&) {
    ++asked;
    return net::Response::json(200, R"({"rate":0.01})");
  }));
  auto api = cluster::make_test_api({.crds = path::builtin_crds()});
  auto client = api.client();
  std::stop_source stop;
  Ctx ctx = Ctx().within(Millis(30000)).with_stop(stop.get_token());
  std::jthread controller(
      [&] { (void)run_analysis_controller(ctx, {.client = client, .providers = {}, .workers = 2}); });
  Finally end([&] { stop.request_stop(); });
  must(client->create(ctx, must(doc::parse_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")), {}));
  auto run = must(doc::parse_yaml(fmt::format(R"(
apiVersion: argoproj.io/v1alpha1
kind: AnalysisRun
metadata: {{name: r, namespace: shop}}
spec:
  args: [{{name: url, value: 'http://{}/m'}}]
  metrics:
  - name: errors
    interval: 20ms
    count: 3
    successCondition: result < 0.05
    provider: {{web: {{url: '{{{{args.url}}}}', jsonPath: '{{$.rate}}'}}}}
)",
                                              server->address())));
  must(client->create(ctx, run, {}));
  auto done = must(kube::await(ctx, *client, run_type, {"shop", "r"}, [](const kube::Object& o) {
    return o && is_final(phase_from(o["status"]["phase"].str_or("")));
  }));
  EXPECT_EQ(done["status"]["phase"].str_or(""), "Successful") << doc::print_yaml(done.value());
  EXPECT_EQ(done["status"]["metricResults"][0]["count"].num_or(0), 3);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace slipway::verify
