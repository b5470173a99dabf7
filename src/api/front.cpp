#include "api/front.h"

#include "api/findings.h"
#include "api/pages.h"
#include "api/tests.h"
#include "api/watches.h"
#include "base/metrics.h"
#include "base/text.h"
#include "engine/hooks.h"
#include "engine/requests.h"
#include "engine/run_logs.h"

namespace slipway::api {
namespace {

net::Response unauthorized() {
  auto response =
      net::Response::text(401,
                          "a token is needed: Authorization: Bearer, or Basic with the token as password\nhint: cat "
                          "DIR/token, or use the kubeconfig that slipway kubeconfig writes\n");
  response.headers.set("WWW-Authenticate", "Basic realm=\"slipway\"");
  return response;
}

// /logs/RUN gives the jobs, /logs/RUN/JOB the text, ?attempt=1 that of an earlier one; ?follow=1 stays open until the
// run ends.
net::Response logs(engine::House& house, net::Request& request) {
  if (!house.users->by_header(request.headers.get_or("authorization", ""))) return unauthorized();
  auto words = split(std::string_view(request.path).substr(1), '/');
  if (words.size() < 2 || words.size() > 3 || words[1].empty())
    return net::Response::text(404, "want /logs/RUN or /logs/RUN/JOB\n");
  std::string run(words[1]);
  if (words.size() == 2) {
    auto jobs = house.run_logs->jobs(run);
    if (!jobs) return net::Response::error(jobs.error());
    return net::Response::text(200, join(*jobs, "\n") + "\n");
  }
  std::string job(words[2]);
  if (request.query_of("follow").empty()) {
    auto text = house.run_logs->read(run, job, to_int(request.query_of("attempt")).value_or(0));
    return text ? net::Response::text(200, *std::move(text)) : net::Response::error(text.error());
  }
  net::Response response;
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.body = net::ParkBody([&house, run, job](std::shared_ptr<net::PushStream> stream) {
    if (!house.run_logs->follow(run, job, stream)) stream->close();
  });
  return response;
}

net::Response metrics(engine::House& house) {
  auto text = metrics_text();
  if (house.gateway) text += house.gateway->metrics_text();
  return net::Response::text(200, std::move(text), "text/plain; version=0.0.4; charset=utf-8");
}

void mount_kubernetes(net::Router& router, engine::House& house) {
  auto kubernetes = house.api->routes();
  for (auto prefix : {"/api", "/apis", "/openapi", "/version", "/healthz", "/readyz", "/livez"})
    router.mount(prefix, kubernetes);
}

// Their tokens are of their own: one a job, none of a person.
void mount_job_services(net::Router& router, engine::House& house) {
  auto services = house.job_service->routes();
  for (auto prefix : ci::JobService::paths) router.mount(prefix, services);
  if (house.job_pods) router.mount("/agent/", house.job_pods->routes());
}

}  // namespace

net::Handler front_for_pods(engine::House& house) {
  auto router = std::make_shared<net::Router>();
  mount_kubernetes(*router, house);
  mount_job_services(*router, house);
  return [router](const Ctx& ctx, net::Request& request) { return (*router)(ctx, request); };
}

net::Handler front(engine::House& house) {
  auto router = std::make_shared<net::Router>();
  router->mount("/git/", house.git->routes());
  router->mount("/v2/", house.registry->routes());
  mount_kubernetes(*router, house);
  mount_job_services(*router, house);
  router->mount("/watch", joined_watches(house.api->routes()));
  router->mount("/logs/", [&house](const Ctx&, net::Request& request) { return logs(house, request); });
  router->mount("/tests/", test_routes(house));
  router->mount("/findings/", findings_routes(house));
  router->mount("/metrics", [&house](const Ctx&, net::Request&) { return metrics(house); });
  router->mount("/api/v3/repos", engine::dispatch_routes(house));
  router->mount("/hooks/", engine::webhook_routes(house));
  router->mount("", [](const Ctx&, net::Request& request) { return page(request); });
  return [router](const Ctx& ctx, net::Request& request) { return (*router)(ctx, request); };
}

}  // namespace slipway::api
