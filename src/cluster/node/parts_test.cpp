// The parts of the node agent that need no container.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/encode.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "cluster/node/images.h"
#include "cluster/node/log_file.h"
#include "cluster/node/pod_spec.h"
#include "cluster/node/probe.h"
#include "cluster/node/socket.h"
#include "cluster/node/unit.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

kube::Object object(const std::string& yaml) { return kube::Object(must(doc::parse_yaml(yaml))); }

TEST(PodEnv, ExpandsAsKubernetesDoes) {
  kube::StringMap env{{"A", "1"}, {"B", "$(A)"}};
  const std::pair<const char*, const char*> rows[] = {{"$(A)", "1"},    {"$$(A)", "$(A)"},    {"$(X)", "$(X)"},
                                                      {"$A", "$A"},     {"$", "$"},           {"$(A", "$(A"},
                                                      {"$$$(A)", "$1"}, {"x$(B)y", "x$(A)y"}, {"", ""}};
  for (const auto& [text, want] : rows) EXPECT_EQ(expand(text, env), want) << text;
}

TEST(PodEnv, ReferencesToFieldsAndResources) {
  auto pod = object(
      "metadata: {name: p, namespace: n, uid: u, labels: {a.b/c: x}, annotations: {k: \"v\\\"\"}}\nspec: "
      "{serviceAccountName: robot, containers: [{name: c, resources: {limits: {cpu: 1500m}}}]}");
  PodFacts facts{.pod_ip = "1.2.3.4",
                 .host_ip = "5.6.7.8",
                 .node_name = "n1",
                 .node_cpu_millis = 2000,
                 .node_memory_bytes = 1 << 30};
  const std::pair<const char*, const char*> rows[] = {{"metadata.labels['a.b/c']", "x"},
                                                      {"metadata.annotations", "k=\"v\\\"\""},
                                                      {"spec.serviceAccountName", "robot"},
                                                      {"status.podIP", "1.2.3.4"},
                                                      {"metadata.labels['none']", ""}};
  for (const auto& [path, want] : rows) EXPECT_EQ(must(field_ref(pod, facts, path)), want);
  EXPECT_FALSE(field_ref(pod, facts, "spec.evil"));
  auto ref = [&](const std::string& yaml) { return must(resource_ref(pod, facts, object(yaml).view(), "c")); };
  EXPECT_EQ(ref("{resource: limits.cpu}"), "2");
  EXPECT_EQ(ref("{resource: limits.cpu, divisor: 1m}"), "1500");
  EXPECT_EQ(ref("{resource: requests.memory, divisor: 1Mi}"), "1024") << "no limit reads as the node's";
}

TEST(PodSpec, QualityOfService) {
  auto qos = [](const std::string& resources) {
    return qos_class(object("spec: {containers: [{name: c, resources: " + resources + "}]}"));
  };
  EXPECT_EQ(qos("{}"), "BestEffort");
  EXPECT_EQ(qos("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m}}"), "Guaranteed");
  EXPECT_EQ(qos("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}"), "Burstable");
  EXPECT_EQ(qos("{requests: {memory: 1Gi}}"), "Burstable");
}

TEST(PodSpec, ResolverByPolicy) {
  ResolverInput in{.server = "10.244.0.1", .host_text = "nameserver 9.9.9.9\nsearch corp\n"};
  EXPECT_EQ(
      resolv_conf(object("metadata: {namespace: shop}\nspec: {}"), in),
      "search shop.svc.cluster.local svc.cluster.local cluster.local corp\nnameserver 10.244.0.1\noptions ndots:5\n");
  EXPECT_EQ(resolv_conf(object("spec: {dnsPolicy: Default}"), in), "search corp\nnameserver 9.9.9.9\n");
  EXPECT_EQ(resolv_conf(object("spec: {dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1], searches: [x], options: "
                               "[{name: ndots, value: '1'}]}}"),
                        in),
            "search x\nnameserver 1.1.1.1\noptions ndots:1\n");
}

TEST(Images, CredentialsOfTheLongestMatchingPrefix) {
  std::vector<std::string> secrets{
      R"({"auths":{"reg.io":{"auth":"YTpi"},"https://reg.io/team/":{"username":"t","password":"p"},"index.docker.io/v1/":{"auth":"ZDpl"}}})",
      "junk"};
  auto user = [&](const char* name) {
    auto found = credentials_for(secrets, must(oci::parse_reference(name)));
    return found ? found->user + ":" + found->secret : std::string("none");
  };
  EXPECT_EQ(user("reg.io/x/y:1"), "a:b");
  EXPECT_EQ(user("reg.io/team/y:1"), "t:p");
  EXPECT_EQ(user("reg.io/teams/y:1"), "a:b");
  EXPECT_EQ(user("nginx"), "d:e");
  EXPECT_EQ(user("other.io/x:1"), "none");
}

TEST(Images, PullPolicyDefaults) {
  auto policy = [](const std::string& yaml) {
    auto c = object(yaml);
    return pull_policy(c.view());
  };
  EXPECT_EQ(policy("{image: nginx}"), PullPolicy::always);
  EXPECT_EQ(policy("{image: 'nginx:1'}"), PullPolicy::if_not_present);
  EXPECT_EQ(policy("{image: nginx, imagePullPolicy: Never}"), PullPolicy::never);
}

TEST(Volumes, PayloadIsSwappedAsAWhole) {
  auto folder = must(TempDir::make("payload"));
  auto at = folder.path() / "v";
  must(write_payload(at, {{"a", {"1", 0644}}, {"d/b", {"2", 0600}}}, {}));
  auto first = fs::read_symlink(at / "..data");
  EXPECT_EQ(must(read_file(at / "a")), "1");
  EXPECT_EQ(must(read_file(at / "d/b")), "2");
  must(write_payload(at, {{"a", {"1", 0644}}, {"d/b", {"2", 0600}}}, {}));
  EXPECT_EQ(fs::read_symlink(at / "..data"), first) << "nothing changed";
  must(write_payload(at, {{"a", {"9", 0644}}}, {}));
  EXPECT_EQ(must(read_file(at / "a")), "9");
  EXPECT_EQ(must(list_dir(at)).size(), 3U) << "a, ..data, the new folder";
  for (const char* bad : {"../x", "/etc/x", "a/../../b", "..data", ""})
    EXPECT_FALSE(write_payload(at, {{bad, {"1", 0644}}}, {})) << bad;
}

TEST(Probe, TriesEarlyUntilUpAndCountsAtItsPace) {
  auto probe = object("{periodSeconds: 10, failureThreshold: 2}");
  Clock::time_point t0{std::chrono::hours(1)};
  ProbeSchedule schedule(probe.view(), t0);
  using V = ProbeSchedule::Verdict;
  auto now = t0;
  int tries = 0;
  while (now < t0 + Millis(2000)) {
    schedule.begin();
    EXPECT_FALSE(schedule.due());
    EXPECT_EQ(schedule.finish(false, now), V::unchanged);
    now = *schedule.due();
    ++tries;
  }
  EXPECT_GT(tries, 8);
  EXPECT_EQ(schedule.failures(), 0);
  EXPECT_EQ(schedule.finish(true, now), V::passed);
  EXPECT_EQ(*schedule.due(), now + Millis(10000));
  EXPECT_EQ(schedule.finish(false, now + Millis(10000)), V::unchanged);
  EXPECT_EQ(schedule.finish(false, now + Millis(20000)), V::failed);
  EXPECT_EQ(schedule.finish(true, now + Millis(30000)), V::passed);
}

TEST(Probe, NeverUpFailsAfterItsThreshold) {
  auto probe = object("{periodSeconds: 1, failureThreshold: 3, initialDelaySeconds: 5}");
  Clock::time_point t0{std::chrono::hours(1)};
  ProbeSchedule schedule(probe.view(), t0);
  EXPECT_EQ(*schedule.due(), t0 + Millis(5000));
  auto now = t0 + Millis(5000);
  while (schedule.finish(false, now) != ProbeSchedule::Verdict::failed) now = *schedule.due();
  EXPECT_GE(now, t0 + Millis(8000));
  EXPECT_LE(now, t0 + Millis(10000));
}

// Answers one connection with fixed bytes after it has read something.
struct OneAnswer {
  Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port = 0;
  std::string got;
  std::thread thread;
  explicit OneAnswer(std::string answer) {
    sockaddr_in any{};
    any.sin_family = AF_INET, any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&any), &size);
    port = ntohs(any.sin_port);
    thread = std::thread([this, answer = std::move(answer)] {
      Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      got = receive_some(Ctx().within(Millis(5000)), fd.get(), 65536).value_or("");
      (void)write_all(fd.get(), answer);
    });
  }
  ~OneAnswer() { thread.join(); }
};

TEST(Probe, HttpStatusDecides) {
  for (auto [status, fine] : {std::pair{200, true}, {302, true}, {399, true}, {404, false}, {500, false}}) {
    OneAnswer server(fmt::format("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", status));
    auto probe = object(
        fmt::format("httpGet: {{path: /healthz, port: {}, httpHeaders: [{{name: X-A, value: b}}]}}", server.port));
    auto container = object("{}");
    auto result =
        probe_once(Ctx().within(Millis(5000)), probe.view(), {.ip = "127.0.0.1", .container = container.view()});
    EXPECT_EQ(result.has_value(), fine) << status;
  }
}

TEST(Probe, GrpcHealthServingAndNot) {
  auto frame = [](char type, char flags, char stream, std::string payload) {
    return std::string("\0\0", 2) + static_cast<char>(payload.size()) + type + flags + std::string("\0\0\0", 3) +
           stream + payload;
  };
  for (char status : {1, 2}) {
    std::string body("\0\0\0\0\2\x08", 6);
    body += status;
    OneAnswer server(frame(4, 0, 0, "") + frame(1, 4, 1, "\x88") + frame(0, 0, 1, body) + frame(1, 5, 1, "\x88"));
    auto result = check_grpc_health(Ctx().within(Millis(5000)), "127.0.0.1", server.port, "");
    EXPECT_EQ(result.has_value(), status == 1);
  }
  OneAnswer junk("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_FALSE(check_grpc_health(Ctx().within(Millis(5000)), "127.0.0.1", junk.port, "svc"));
}

TEST(Probe, PortsByName) {
  auto container = object("ports: [{name: http, containerPort: 8080}]");
  EXPECT_EQ(must(port_number(object("http").view(), container.view())), 8080);
  EXPECT_EQ(must(port_number(object("81").view(), container.view())), 81);
  EXPECT_FALSE(port_number(object("none").view(), container.view()));
  EXPECT_FALSE(port_number(object("99999").view(), container.view()));
}

TEST(Logs, TailSinceLimitTimesAndPartials) {
  auto folder = must(TempDir::make("logs"));
  auto file = folder.path() / "0.log";
  must(write_file(file.string() + ".1", "2020-01-01T00:00:00.000000001Z stdout F old\n"));
  must(write_file(file,
                  "2020-01-01T00:00:01.5Z stdout P hal\n2020-01-01T00:00:01.6Z stdout F f\njunk\n2099-01-01T00:00:02Z "
                  "stderr F new\n"));
  auto read = [&](LogOptions options) {
    std::string text;
    must(read_log(
        Ctx(), file, options, [] { return true; },
        [&](std::string_view piece) {
          text += piece;
          return true;
        }));
    return text;
  };
  EXPECT_EQ(read({}), "old\nhalf\nnew\n");
  LogOptions o;
  o.tail_lines = 2;
  EXPECT_EQ(read(o), "half\nnew\n");
  o = {};
  o.since_seconds = 3600;
  EXPECT_EQ(read(o), "new\n");
  o = {};
  o.limit_bytes = 6;
  EXPECT_EQ(read(o), "old\nha");
  o = {};
  o.timestamps = true;
  o.tail_lines = 1;
  EXPECT_EQ(read(o), "2099-01-01T00:00:02Z new\n");
  EXPECT_EQ(read_log(Ctx(), folder.path() / "none", {}, {}, {}).error().kind(), Kind::not_found);
}

TEST(UnitRecord, SurvivesARoundTrip) {
  auto folder = must(TempDir::make("unit"));
  Unit unit;
  unit.id = "pod-u_c_1", unit.image = "i", unit.image_id = "i@x", unit.stop_signal = "SIGQUIT", unit.attempt = 1;
  unit.started = WallTime(std::chrono::seconds(1000)), unit.backoff = Millis(10000);
  unit.last =
      Ended{7, "Error", "m\n", "pod-u_c_0", WallTime(std::chrono::seconds(1)), WallTime(std::chrono::seconds(2))};
  must(save_unit(folder.path(), unit));
  Unit back;
  ASSERT_TRUE(load_unit(folder.path(), back));
  EXPECT_EQ(back.id, unit.id);
  EXPECT_EQ(back.stop_signal, "SIGQUIT");
  EXPECT_EQ(back.started, unit.started);
  EXPECT_EQ(back.last->message, "m\n");
  EXPECT_FALSE(back.ended);
  EXPECT_EQ(signal_number("SIGQUIT"), 3);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_number("SIGNONE"), std::nullopt);
}

}  // namespace
}  // namespace slipway::cluster
