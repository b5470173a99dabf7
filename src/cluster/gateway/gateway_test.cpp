#include "base/testing/golden.h"
#include "base/text.h"
#include "cluster/gateway/proxy.h"
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "net/client.h"
#include "net/testing/raw.h"
#include "net/websocket.h"

namespace slipway::cluster {
namespace {

using kube::Object;

Object yaml(std::string_view text) { return Object(must(doc::parse_yaml(text))); }

// Services named in a world get a slice with one endpoint per port given.
struct Scene {
  World world;
  std::map<std::string, TallyPtr> tallies;
  UpstreamPool pool;
  Guarded<std::shared_ptr<const Table>> table;
  std::unique_ptr<net::Server> front;

  Scene() {
    world.pod_hash = [](const std::string&, const std::string& pod) { return "hash-" + pod; };
    world.tally = [this](const std::string& ns, const std::string& service, const std::string& hash) {
      auto& slot = tallies[ns + "/" + service + "/" + hash];
      if (!slot) slot = std::make_shared<Tally>();
      return slot;
    };
    front = must(net::Server::start({}, [this](const Ctx& ctx, net::Request& request) {
      auto now = *table.lock();
      return proxy(ctx, pool, now, request);
    }));
  }
  void service(const std::string& name, const std::vector<int>& ports) {
    world.services.push_back(yaml(
        fmt::format("{{metadata: {{name: {0}, namespace: a}}, spec: {{ports: [{{name: http, port: 80}}]}}}}", name)));
    for (std::size_t i = 0; i < ports.size(); ++i)
      world.slices.push_back(yaml(fmt::format(
          "{{metadata: {{name: {0}-{1}, namespace: a, labels: {{kubernetes.io/service-name: {0}}}}}, ports: [{{name: "
          "http, port: {2}}}], "
          "endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: true}}, targetRef: {{kind: Pod, name: {0}}}}}]}}",
          name, i, ports[i])));
  }
  void build() { *table.lock() = make_table(world); }
  std::string url(std::string_view path) { return fmt::format("http://127.0.0.1:{}{}", front->port(), path); }
  BackendStats stats(const std::string& service) {
    BackendStats result;
    if (auto it = tallies.find("a/" + service + "/hash-" + service); it != tallies.end()) it->second->read(result);
    return result;
  }
};

std::unique_ptr<net::Server> backend(std::string name) {
  return must(net::Server::start({}, [name](const Ctx& ctx, net::Request& request) {
    auto body = must(request.read_body(ctx, 200 << 20));
    if (request.path == "/500") return net::Response::text(500, "broken");
    if (request.path == "/size") return net::Response::text(200, std::to_string(body.size()));
    if (request.path == "/ws") {
      auto response = net::accept_websocket(request, {}, [](const Ctx& c, net::WebSocket& socket, const std::string&) {
        while (auto message = socket.receive(c)) {
          if (!*message) return;
          (void)socket.send(c, "echo " + (*message)->data, false);
        }
      });
      return response ? std::move(*response) : net::Response::error(response.error());
    }
    return net::Response::text(
        200, fmt::format("{} {} {}{} for {}", name, request.method, request.target, body.empty() ? "" : " " + body,
                         request.headers.get_or("X-Forwarded-For", "-")));
  }));
}

std::string ingress(std::string_view name, std::string_view annotations, std::string_view host, std::string_view path,
                    std::string_view type, std::string_view service) {
  return fmt::format(
      "{{kind: Ingress, metadata: {{name: {}, namespace: a, annotations: {{{}}}}}, spec: {{rules: [{{host: '{}', http: "
      "{{paths: [{{path: {}, pathType: {}, "
      "backend: {{service: {{name: {}, port: {{number: 80}}}}}}}}]}}}}]}}}}",
      name, annotations, host, path, type, service);
}

TEST(Routes, TheMostSpecificWins) {
  Scene scene;
  scene.service("s", {1});
  int n = 0;
  auto add = [&](std::string_view host, std::string_view path, std::string_view type) {
    scene.world.ingresses.push_back(yaml(ingress(fmt::format("i{}", n++), "", host, path, type, "s")));
  };
  add("a.example", "/", "Prefix"), add("a.example", "/foo", "Prefix"), add("a.example", "/foo", "Exact"),
      add("*.example", "/", "Prefix"), add("", "/", "Prefix"), add("a.example", "/foo/bar/", "Prefix");
  auto table = make_table(scene.world);
  auto find = [&](std::string_view host, std::string_view path) {
    net::Request request;
    request.method = "GET", request.path = path;
    request.headers.add("Host", host);
    auto route = table->find(request);
    return route ? route->origin : "none";
  };
  EXPECT_EQ(find("a.example", "/"), "Ingress a/i0");
  EXPECT_EQ(find("A.example:8080", "/foo"), "Ingress a/i2");
  EXPECT_EQ(find("a.example", "/foo/x"), "Ingress a/i1");
  EXPECT_EQ(find("a.example", "/foo/bar"), "Ingress a/i5");
  EXPECT_EQ(find("a.example", "/foobar"), "Ingress a/i0");
  EXPECT_EQ(find("b.example", "/"), "Ingress a/i3");
  EXPECT_EQ(find("other", "/"), "Ingress a/i4");
}

TEST(Routes, HttpRouteMatchesHeadersMethodAndQuery) {
  Scene scene;
  scene.service("s", {1});
  scene.world.routes.push_back(yaml(R"({kind: HTTPRoute, metadata: {name: r, namespace: a}, spec: {rules: [
    {matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: s, port: 80}]},
    {matches: [{headers: [{name: X-Env, value: canary}]}], backendRefs: [{name: s, port: 80, weight: 7}]},
    {matches: [{method: POST, queryParams: [{name: v, type: RegularExpression, value: "[0-9]+"}]}], backendRefs: [{name: s, port: 80, weight: 8}]},
    {matches: [{path: {type: RegularExpression, value: "/items/[0-9]+"}}], backendRefs: [{name: s, port: 80, weight: 9}]}]}})"));
  auto table = make_table(scene.world);
  auto weight = [&](std::string method, std::string path, net::Headers headers, std::string query = "") {
    net::Request request;
    request.method = method, request.path = path, request.headers = std::move(headers),
    request.query = net::parse_query(query);
    auto route = table->find(request);
    return route ? route->shares[0].weight : -1;
  };
  EXPECT_EQ(weight("GET", "/x", {}), 1);
  EXPECT_EQ(weight("GET", "/x", {{"x-env", "canary"}}), 7);
  EXPECT_EQ(weight("POST", "/x", {}, "v=12"), 8);
  EXPECT_EQ(weight("POST", "/x", {}, "v=a"), 1);
  EXPECT_EQ(weight("GET", "/items/5", {}), 9);
}

TEST(Gateway, PassesRequestsOnAndKeepsConnections) {
  auto server = backend("b");
  Scene scene;
  scene.service("s", {server->port()});
  scene.world.ingresses.push_back(yaml(ingress("i", "", "", "/", "Prefix", "s")));
  scene.build();
  net::Client client;
  EXPECT_EQ(must(client.get({}, scene.url("/a%20b?c=d"))).body, "b GET /a%20b?c=d for 127.0.0.1");
  EXPECT_EQ(must(client.send({}, {.method = "POST", .url = scene.url("/p"), .body = "hello"})).body,
            "b POST /p hello for 127.0.0.1");
  std::string big(20'000'000, 'x');
  EXPECT_EQ(must(client.send({}, {.method = "PUT", .url = scene.url("/size"), .body = big})).body, "20000000");
  std::size_t left = 3'000'000;
  net::ClientRequest chunked{.method = "POST", .url = scene.url("/size")};
  chunked.upload = [&](std::span<char> buffer) {
    auto take = std::min(left, buffer.size());
    std::fill_n(buffer.data(), take, 'y');
    left -= take;
    return take;
  };
  EXPECT_EQ(must(client.send({}, std::move(chunked))).body, "3000000");
  auto head = must(client.send({}, {.method = "HEAD", .url = scene.url("/x")}));
  EXPECT_EQ(head.headers.get_or("Content-Length", ""), std::to_string(std::string("b HEAD /x for 127.0.0.1").size()));
  EXPECT_EQ(must(client.get({}, scene.url("/500"))).status, 500);
  auto stats = scene.stats("s");
  EXPECT_EQ(stats.requests, 6u);
  EXPECT_EQ(stats.errors_5xx, 1u);
  EXPECT_EQ(stats.failures, 0u);
  std::uint64_t total = 0;
  for (auto n : stats.buckets) total += n;
  EXPECT_EQ(total, 6u);
}

TEST(Gateway, SplitsByWeightEvenly) {
  auto stable = backend("stable"), canary = backend("canary");
  Scene scene;
  scene.service("stable", {stable->port()}), scene.service("canary", {canary->port()});
  scene.world.ingresses.push_back(yaml(ingress("main", "", "", "/nginx", "Prefix", "stable")));
  scene.world.ingresses.push_back(
      yaml(ingress("canary",
                   "nginx.ingress.kubernetes.io/canary: 'true', nginx.ingress.kubernetes.io/canary-weight: '20', "
                   "nginx.ingress.kubernetes.io/canary-by-header: X-Canary",
                   "", "/nginx", "Prefix", "canary")));
  scene.world.routes.push_back(
      yaml("{kind: HTTPRoute, metadata: {name: r, namespace: a}, spec: {rules: [{matches: [{path: {value: /route}}], "
           "backendRefs: "
           "[{name: stable, port: 80, weight: 95}, {name: canary, port: 80, weight: 5}]}]}}"));
  scene.build();
  net::Client client;
  for (auto [path, want] : {std::pair{"/nginx", 40}, {"/route", 10}}) {
    auto before = scene.stats("canary").requests;
    for (int i = 0; i < 200; ++i) ASSERT_EQ(must(client.get({}, scene.url(path))).status, 200);
    EXPECT_NEAR(static_cast<double>(scene.stats("canary").requests - before), want, 2) << path;
  }
  EXPECT_TRUE(must(client.send({}, {.url = scene.url("/nginx"), .headers = {{"X-Canary", "always"}}}))
                  .body.starts_with("canary"));
  EXPECT_TRUE(must(client.send({}, {.url = scene.url("/nginx"), .headers = {{"X-Canary", "never"}}}))
                  .body.starts_with("stable"));
}

TEST(Gateway, ARefusedConnectionIsTriedElsewhere) {
  auto server = backend("live");
  int dead = 0;
  {
    dead = backend("dead")->port();
  }
  Scene scene;
  scene.service("s", {dead, server->port()}), scene.service("gone", {dead}), scene.service("empty", {});
  scene.world.ingresses.push_back(yaml(ingress("i", "", "", "/", "Prefix", "s")));
  scene.world.ingresses.push_back(yaml(ingress("g", "", "", "/gone", "Prefix", "gone")));
  scene.world.ingresses.push_back(yaml(ingress("e", "", "", "/empty", "Prefix", "empty")));
  scene.build();
  net::Client client;
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(must(client.send({}, {.method = "POST", .url = scene.url("/"), .body = "x"})).status, 200);
  EXPECT_EQ(scene.stats("s").failures, 0u);
  EXPECT_EQ(must(client.get({}, scene.url("/gone"))).status, 502);
  EXPECT_EQ(scene.stats("gone").failures, 1u);
  EXPECT_EQ(must(client.get({}, scene.url("/empty"))).status, 503);
  Scene nothing;
  EXPECT_EQ(must(client.get({}, nothing.url("/"))).status, 503);
  nothing.build();
  EXPECT_EQ(must(client.get({}, nothing.url("/"))).status, 404);
}

TEST(Gateway, AKeptConnectionThatDiedCostsNothing) {
  net::ServerOptions short_lived;
  short_lived.idle_timeout = Millis(30);
  auto server =
      must(net::Server::start(short_lived, [](const Ctx&, net::Request&) { return net::Response::text(200, "ok"); }));
  Scene scene;
  scene.service("s", {server->port()});
  scene.world.ingresses.push_back(yaml(ingress("i", "", "", "/", "Prefix", "s")));
  scene.build();
  net::Client client;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(must(client.get({}, scene.url("/"))).status, 200);
    must(sleep({}, Millis(25 + 5 * i)));  // about when the server closes it
  }
  EXPECT_EQ(scene.stats("s").failures, 0u);
}

TEST(Gateway, TunnelsWebSockets) {
  auto server = backend("b");
  Scene scene;
  scene.service("s", {server->port()});
  scene.world.ingresses.push_back(yaml(ingress("i", "", "", "/", "Prefix", "s")));
  scene.build();
  net::Raw raw(scene.front->port());
  raw.send(
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
      "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_NE(raw.read_until("\r\n\r\n").find("101 Switching Protocols"), std::string::npos);
  raw.send(std::string("\x81\x82\0\0\0\0hi", 8));
  EXPECT_EQ(raw.read_until("echo hi"),
            "\x81\x07"
            "echo hi");
  raw.close();
}

TEST(Gateway, RewritesAndRedirects) {
  auto server = backend("b");
  Scene scene;
  scene.service("s", {server->port()});
  scene.world.routes.push_back(yaml(R"({kind: HTTPRoute, metadata: {name: r, namespace: a}, spec: {rules: [
    {matches: [{path: {value: /api}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1}}}], backendRefs: [{name: s, port: 80}]},
    {matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.example, statusCode: 301}}]},
    {matches: [{path: {value: /odd}}], filters: [{type: ExtensionRef}], backendRefs: [{name: s, port: 80}]}]}})"));
  scene.build();
  net::Client client;
  EXPECT_EQ(must(client.get({}, scene.url("/api/x?y=1"))).body, "b GET /v1/x?y=1 for 127.0.0.1");
  auto moved = must(client.send({}, {.url = scene.url("/old/a?b"), .redirects = 0}));
  EXPECT_EQ(moved.status, 301);
  EXPECT_EQ(moved.headers.get_or("Location", ""), "https://new.example/old/a?b");
  EXPECT_EQ(must(client.get({}, scene.url("/odd"))).status, 500);
}

TEST(Gateway, ServesManyClientsAtOnce) {
  auto one = backend("one"), two = backend("two");
  Scene scene;
  scene.service("s", {one->port(), two->port()});
  scene.world.ingresses.push_back(yaml(ingress("i", "", "", "/", "Prefix", "s")));
  scene.build();
  net::Client client;
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          auto r = client.get({}, scene.url("/"));
          good += r && r->status == 200;
          if (i % 10 == 0) scene.build();  // tables change under way
        }
      });
  }
  EXPECT_EQ(good, 400);
  EXPECT_EQ(scene.stats("s").requests, 400u);
}

// The whole of it, following objects of an API server.
TEST(Gateway, FollowsObjects) {
  auto api = make_test_api();
  auto client = api.client();
  auto gateway = must(Gateway::open(client, {.node_ip = "192.0.2.1"}));
  auto one = backend("one"), two = backend("two");
  ChildStop stop{std::stop_token()};
  std::jthread running([&] { (void)gateway->run(Ctx().with_stop(stop.token())); });
  Finally end([&] { stop.request_stop(); });
  auto apply = [&](const std::string& text) { must(client->apply({}, must(doc::parse_yaml(text)), {.force = true})); };
  apply(
      "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, spec: {ports: [{name: http, port: "
      "80}]}}");
  apply(
      "{apiVersion: v1, kind: Pod, metadata: {name: p1, namespace: default, labels: {pod-template-hash: abc}}, spec: "
      "{containers: [{name: c, image: i}]}}");
  auto slice = [&](int port) {
    apply(
        fmt::format("{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: web-1, namespace: "
                    "default, labels: {{kubernetes.io/service-name: web}}}}, addressType: IPv4, "
                    "ports: [{{name: http, port: {}}}], endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: "
                    "true}}, targetRef: {{kind: Pod, name: p1, namespace: default}}}}]}}",
                    port));
  };
  slice(one->port());
  apply(
      "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: default}, spec: {rules: "
      "[{host: shop.example, http: {paths: [{path: /, pathType: Prefix, "
      "backend: {service: {name: web, port: {name: http}}}}]}}]}}");
  net::Client http;
  auto answers = [&](std::string_view want) {
    for (int i = 0; i < 1000; ++i) {
      auto r = http.send(
          {}, {.url = fmt::format("http://127.0.0.1:{}/", gateway->port()), .headers = {{"Host", "shop.example"}}});
      if (r && r->status == 200 && r->body.starts_with(want)) return true;
      (void)sleep({}, Millis(5));
    }
    return false;
  };
  EXPECT_TRUE(answers("one"));
  slice(two->port());
  EXPECT_TRUE(answers("two"));
  auto stats = gateway->stats();
  ASSERT_FALSE(stats.empty());
  EXPECT_EQ(stats.back().pod_hash, "abc");
  EXPECT_NE(gateway->metrics_text().find("slipway_gateway_requests_total{namespace=\"default\",service=\"web\",pod_"
                                         "template_hash=\"abc\",code=\"success\"}"),
            std::string::npos);
  auto ingress_now = must(kube::await(
      Ctx().within(Millis(5000)), *client, {"networking.k8s.io/v1", "Ingress"}, {"default", "web"},
      [](const Object& o) { return o["status"]["loadBalancer"]["ingress"][0]["ip"].str_or("") == "192.0.2.1"; }));
}

}  // namespace
}  // namespace slipway::cluster
