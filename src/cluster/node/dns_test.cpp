#include "cluster/node/dns.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/testing/golden.h"
#include "base/text.h"
#include "cluster/node/socket.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

kube::Object object(const std::string& yaml) { return kube::Object(must(doc::parse_yaml(yaml))); }

// A table with a service of each kind.
class Names : public testing::Test {
 protected:
  void SetUp() override {
    table_.service_changed(
        object("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.7, "
               "ports: [{name: http, port: 80}]}"));
    table_.service_changed(
        object("apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\nspec: {clusterIP: None, ports: "
               "[{name: sql, port: 5432}]}"));
    table_.service_changed(
        object("apiVersion: v1\nkind: Service\nmetadata: {name: out, namespace: shop}\nspec: {type: ExternalName, "
               "externalName: web.shop.svc.cluster.local}"));
    table_.service_changed(
        object("apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\nspec: {clusterIP: "
               "10.96.0.1, ports: [{name: https, port: 443}]}"));
    table_.slice_changed(
        object("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-1, namespace: shop, labels: "
               "{kubernetes.io/service-name: db}}\n"
               "addressType: IPv4\nports: [{name: sql, port: 5432, protocol: TCP}]\nendpoints:\n- {addresses: "
               "[10.244.0.5], hostname: db-0, conditions: {ready: true}}\n"
               "- {addresses: [10.244.0.6], hostname: db-1, conditions: {ready: false}}\n"));
  }
  std::string tell(const std::string& name) {
    auto a = table_.resolve(name);
    if (!a.exists) return "nothing";
    auto text = join(a.addresses, ",") + a.alias + a.pointer;
    for (const auto& s : a.services) text += fmt::format("{}:{}", s.target, s.port);
    return text;
  }
  ServiceTable table_{nullptr};
};

TEST_F(Names, FollowTheSpecification) {
  const std::pair<const char*, const char*> rows[] = {
      {"web.shop.svc.cluster.local", "10.96.0.7"},
      {"db.shop.svc.cluster.local", "10.244.0.5"},
      {"db-0.db.shop.svc.cluster.local", "10.244.0.5"},
      {"db-1.db.shop.svc.cluster.local", "nothing"},
      {"_http._tcp.web.shop.svc.cluster.local", "web.shop.svc.cluster.local:80"},
      {"_sql._tcp.db.shop.svc.cluster.local", "db-0.db.shop.svc.cluster.local:5432"},
      {"out.shop.svc.cluster.local", "web.shop.svc.cluster.local"},
      {"7.0.96.10.in-addr.arpa", "web.shop.svc.cluster.local"},
      {"5.0.244.10.in-addr.arpa", "db-0.db.shop.svc.cluster.local"},
      {"10-244-0-9.shop.pod.cluster.local", "10.244.0.9"},
      {"none.shop.svc.cluster.local", "nothing"},
      {"web.other.svc.cluster.local", "nothing"},
      {"shop.svc.cluster.local", ""},
      {"example.com.shop.svc.cluster.local", "nothing"},
      {"example.com", "nothing"},
  };
  for (const auto& [name, want] : rows) EXPECT_EQ(tell(name), want) << name;
}

TEST_F(Names, EnvironmentOfServices) {
  auto env = table_.environment("shop", true);
  EXPECT_EQ(env["WEB_SERVICE_HOST"], "10.96.0.7");
  EXPECT_EQ(env["WEB_SERVICE_PORT_HTTP"], "80");
  EXPECT_EQ(env["WEB_PORT_80_TCP"], "tcp://10.96.0.7:80");
  EXPECT_EQ(env["KUBERNETES_SERVICE_PORT"], "443");
  EXPECT_FALSE(env.contains("DB_SERVICE_HOST"));
  EXPECT_FALSE(table_.environment("shop", false).contains("WEB_SERVICE_HOST"));
}

TEST_F(Names, AreServedOverUdpAndTcp) {
  auto server = must(DnsServer::start(table_, {.address = "127.0.0.1", .port = 0, .upstream = {}}));
  Ctx ctx = Ctx().within(Millis(5000));
  Fd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET, to.sin_port = htons(static_cast<std::uint16_t>(server->port())),
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(udp.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  auto ask = [&](std::string_view name) {
    auto text = dns_question(77, name);
    EXPECT_GT(::send(udp.get(), text.data(), text.size(), 0), 0);
    return must(receive_some(ctx, udp.get(), 4096));
  };
  EXPECT_EQ(dns_addresses(ask("Web.Shop.svc.cluster.local")), std::vector<std::string>{"10.96.0.7"});
  EXPECT_EQ(dns_addresses(ask("out.shop.svc.cluster.local")), std::vector<std::string>{"10.96.0.7"})
      << "aliases are followed";
  EXPECT_EQ(ask("none.shop.svc.cluster.local")[3] & 15, 3) << "NXDOMAIN";
  EXPECT_EQ(ask("example.com")[3] & 15, 5) << "refused: no upstream";
  auto tcp = must(connect_tcp(ctx, "127.0.0.1", server->port()));
  auto text = dns_question(78, "web.shop.svc.cluster.local");
  ASSERT_TRUE(send_all(ctx, tcp.get(), std::string("\0", 1) + static_cast<char>(text.size()) + text));
  EXPECT_EQ(dns_addresses(must(receive_some(ctx, tcp.get(), 4096)).substr(2)), std::vector<std::string>{"10.96.0.7"});
}

TEST(DnsMessage, LongAnswersAreCutAndMarked) {
  DnsAnswer answer{.exists = true, .addresses = {}, .alias = {}, .services = {}, .pointer = {}};
  for (int i = 0; i < 200; ++i) answer.addresses.push_back(fmt::format("10.0.0.{}", i));
  auto question = dns_question(1, "many.shop.svc.cluster.local");
  auto text = dns_answer(question, must(parse_dns_question(question)), answer, 512);
  EXPECT_LE(text.size(), 512U);
  EXPECT_NE(text[2] & 2, 0);
  EXPECT_GT(dns_addresses(text).size(), 20U);
}

TEST(DnsMessage, RefusesWhatIsNoQuestion) {
  auto good = dns_question(1, "a.b");
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(parse_dns_question(good.substr(0, n))) << n;
  auto pointer = good;
  pointer[12] = '\xc0';
  EXPECT_FALSE(parse_dns_question(pointer));
}

TEST(ResolvConf, ReadsTheHosts) {
  auto r = read_resolv_conf("# x\nnameserver 1.1.1.1\nnameserver fe80::1\nsearch a.b c.d\noptions ndots:2 edns0\n");
  EXPECT_EQ(r.servers, std::vector<std::string>{"1.1.1.1"});
  EXPECT_EQ(r.search, (std::vector<std::string>{"a.b", "c.d"}));
  EXPECT_EQ(r.options, (std::vector<std::string>{"ndots:2", "edns0"}));
}

}  // namespace
}  // namespace slipway::cluster
