// A real pod network on a bridge of its own. Skipped, saying why, where the kernel refuses.
#include "box/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/hash.h"
#include "base/process.h"
#include "base/text.h"
#include "box/box.h"
#include "box/detail/netlink.h"
#include "box/detail/rules.h"
#include "box/testing/busybox.h"

namespace slipway::box {
namespace {

sockaddr_in address(const std::string& ip, int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, ip.c_str(), &a.sin_addr);
  return a;
}

// Does `work` in a network namespace (this one for an empty path).
template <class F>
void inside(const fs::path& netns, F work) {
  std::thread([&] {
    if (!netns.empty()) {
      Fd fd(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
      ASSERT_EQ(::setns(fd.get(), CLONE_NEWNET), 0);
    }
    work();
  }).join();
}

// A TCP server that greets each caller with its name and the caller's address.
class Greeter {
 public:
  Greeter(const fs::path& netns, std::string name) : name_(std::move(name)) {
    inside(netns, [&] {
      listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      auto any = address("0.0.0.0", 0);
      ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
      ASSERT_EQ(::listen(listener_.get(), 64), 0);
      socklen_t size = sizeof any;
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&any), &size);
      port_ = ntohs(any.sin_port);
    });
    thread_ = std::thread([this] {
      Ctx ctx = Ctx().with_stop(stop_.get_token());
      while (wait(ctx, listener_.get(), POLLIN)) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        Fd fd(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
        (void)write_all(fd.get(), name_ + " " + print_ip(ntohl(peer.sin_addr.s_addr)));
      }
    });
  }
  ~Greeter() {
    stop_.request_stop();
    thread_.join();
  }
  int port() const { return port_; }

 private:
  std::string name_;
  Fd listener_;
  int port_ = 0;
  std::stop_source stop_;
  std::thread thread_;
};

// What the server says; or "refused", "timeout", ...
std::string call(const fs::path& netns, const std::string& ip, int port) {
  std::string answer;
  inside(netns, [&] {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    auto to = address(ip, port);
    Ctx ctx = Ctx().within(Millis(3000));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 && errno != EINPROGRESS) {
      answer = errno == ECONNREFUSED ? "refused" : std::strerror(errno);
      return;
    }
    if (!wait(ctx, fd.get(), POLLOUT)) {
      answer = "timeout";
      return;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      answer = error == ECONNREFUSED ? "refused" : std::strerror(error);
      return;
    }
    char buffer[128];
    if (!wait(ctx, fd.get(), POLLIN))
      answer = "silent";
    else if (ssize_t n = ::read(fd.get(), buffer, sizeof buffer); n > 0)
      answer.assign(buffer, static_cast<std::size_t>(n));
    else
      answer = n == 0 ? "closed" : std::strerror(errno);
  });
  return answer;
}

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    // Ranges of this process alone, so that tests may run at the same time.
    number_ = static_cast<int>(::getpid() % 250);
    options_.bridge = fmt::format("swt{}", ::getpid());
    options_.pod_cidr = fmt::format("10.201.{}.0/24", number_);
    options_.service_cidr = fmt::format("10.202.{}.0/24", number_);
    options_.state = folder_.path() / "net";
    auto opened = NodeNetwork::open(options_);
    if (!opened) GTEST_SKIP() << opened.error().print();
    network_ = *std::move(opened);
  }
  void TearDown() override {
    if (network_ == nullptr) return;
    EXPECT_TRUE(network_->tear_down());
    EXPECT_EQ(link_index(options_.bridge), 0);
  }
  std::string service(int n) const { return fmt::format("10.202.{}.{}", number_, n); }
  TempDir folder_ = must(TempDir::make("net-test"));
  NetworkOptions options_;
  int number_ = 0;
  std::unique_ptr<NodeNetwork> network_;
};

TEST_F(NetworkTest, PodsReachEachOtherTheHostAndServices) {
  auto a = must(network_->add_pod("a")), b = must(network_->add_pod("b"));
  EXPECT_EQ(must(network_->add_pod("a")).ip, a.ip);
  EXPECT_NE(a.ip, b.ip);
  Greeter in_a(a.netns, "a"), in_b(b.netns, "b"), on_host({}, "host");
  EXPECT_EQ(call(a.netns, b.ip, in_b.port()), "b " + a.ip);
  EXPECT_EQ(call({}, b.ip, in_b.port()), "b " + network_->gateway_ip());
  EXPECT_EQ(call(a.netns, network_->gateway_ip(), on_host.port()), "host " + a.ip);
  EXPECT_EQ(call(a.netns, "127.0.0.1", in_a.port()), "a 127.0.0.1");

  int node_port = 30000 + ::getpid() % 2000;
  ServiceRule rule{.id = "shop/web",
                   .cluster_ip = service(10),
                   .ports = {{.port = 80, .node_port = node_port, .endpoints = {{b.ip, in_b.port()}}}}};
  ASSERT_TRUE(network_->set_service(rule));
  EXPECT_EQ(call(a.netns, service(10), 80), "b " + a.ip);
  EXPECT_EQ(call({}, service(10), 80), "b " + network_->gateway_ip());
  EXPECT_EQ(call(b.netns, service(10), 80), "b " + network_->gateway_ip()) << "a pod through its own service";
  EXPECT_EQ(call({}, "127.0.0.1", node_port), "b " + network_->gateway_ip());
  EXPECT_EQ(call(a.netns, network_->gateway_ip(), node_port), "b " + a.ip);
  EXPECT_EQ(call(a.netns, service(10), 81), "refused");
  EXPECT_EQ(call({}, service(11), 80), "refused");

  rule.ports[0].endpoints = {{a.ip, in_a.port()}, {b.ip, in_b.port()}};
  ASSERT_TRUE(network_->set_service(rule));
  std::set<std::string> seen;
  for (int i = 0; i < 40; ++i) seen.insert(call({}, service(10), 80).substr(0, 1));
  EXPECT_EQ(seen, (std::set<std::string>{"a", "b"}));

  rule.ports[0].endpoints.clear();
  ASSERT_TRUE(network_->set_service(rule));
  EXPECT_EQ(call(a.netns, service(10), 80), "refused");
  EXPECT_EQ(call({}, service(10), 80), "refused");
  EXPECT_EQ(call({}, "127.0.0.1", node_port), "refused");
  ASSERT_TRUE(network_->remove_service("shop/web"));
}

TEST_F(NetworkTest, AnotherProcessTakesOver) {
  auto a = must(network_->add_pod("a"));
  Greeter in_a(a.netns, "a");
  ASSERT_TRUE(network_->set_service(
      {.id = "x/y", .cluster_ip = service(5), .ports = {{.port = 80, .endpoints = {{a.ip, in_a.port()}}}}}));
  network_.reset();
  EXPECT_EQ(call({}, service(5), 80), "a " + fmt::format("10.201.{}.1", number_)) << "the rules live without us";
  ASSERT_TRUE(write_file(options_.state / "pods/half", "10.201.0.9\n"));  // a crash between record and namespace
  network_ = must(NodeNetwork::open(options_));
  EXPECT_EQ(must(network_->pods()), std::vector<std::string>{"a"});
  EXPECT_EQ(call({}, service(5), 80), "a " + network_->gateway_ip());
  EXPECT_EQ(must(network_->add_pod("a")).ip, a.ip);
  EXPECT_NE(must(network_->add_pod("b")).ip, a.ip);
}

TEST_F(NetworkTest, RemovalLeavesNothing) {
  auto a = must(network_->add_pod("a"));
  // Our bridge's own members: other tests make and remove links at the same time.
  auto links = [&] { return must(list_dir("/sys/class/net/" + options_.bridge + "/brif")).size(); };
  auto before = links();
  ASSERT_TRUE(network_->remove_pod("a"));
  ASSERT_TRUE(network_->remove_pod("a"));
  EXPECT_EQ(links(), before - 1);
  EXPECT_FALSE(path_exists(a.netns));
  EXPECT_TRUE(must(network_->pods()).empty());
  EXPECT_FALSE(must(read_file("/proc/self/mounts")).contains(a.netns.string()));
}

TEST_F(NetworkTest, ContainerJoinsAPodsNetwork) {
  std::string why;
  auto image = make_busybox(folder_.path() / "image", why);
  auto runtime = Runtime::open(folder_.path() / "box");
  if (!image || !runtime) GTEST_SKIP() << (runtime ? why : runtime.error().print());
  auto pod = must(network_->add_pod("web"));
  Spec spec{.id = "web-" + random_hex(4),
            .layers = {*image},
            .argv = {"sh", "-c", "echo hi > /tmp/index.html; exec httpd -f -p 80 -h /tmp"},
            .user = "app",
            .network = Network::own,
            .netns = pod.netns};
  spec.upper = folder_.path() / "up";
  auto web = must((*runtime)->start(Ctx(), spec, {}));
  Ctx ctx = Ctx().within(Millis(20000));
  auto out = must(make_pipe());
  for (;;) {  // until it listens
    auto code = web->exec(ctx, {.argv = {"wget", "-qO-", "http://" + pod.ip + "/"}}, {-1, out.write.get(), -1});
    if (!code || *code == 0) break;
  }
  out.write.reset();
  EXPECT_EQ(must(read_all(out.read.get())), "hi\n");
}

TEST_F(NetworkTest, SLOW_ManyPodsAtOnce) {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::set<std::string> ips;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int n = 0; n < 10; ++n) {
        auto pod = must(network_->add_pod(fmt::format("p{}-{}", i, n)));
        std::lock_guard lock(mutex);
        ips.insert(pod.ip);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(ips.size(), 40U);
}

TEST(NetworkRules, HostileServicesAreRefused) {
  EXPECT_FALSE(check({.id = "a", .cluster_ip = "1.2.3.4; flush ruleset", .ports = {}}));
  EXPECT_FALSE(check({.id = "a", .cluster_ip = "1.2.3.4", .ports = {{.protocol = "tcp }", .port = 1}}}));
  EXPECT_FALSE(check({.id = "a", .cluster_ip = "1.2.3.4", .ports = {{.port = 1, .endpoints = {{"x", 1}}}}}));
  EXPECT_FALSE(check({.id = "a", .cluster_ip = "1.2.3.4", .ports = {{.port = 70000}}}));
  EXPECT_TRUE(check({.id = "a", .cluster_ip = "1.2.3.4", .ports = {{.port = 1, .endpoints = {{"1.1.1.1", 1}}}}}));
}

TEST(NetworkRules, BadOptionsAreNamed) {
  EXPECT_EQ(NodeNetwork::open({.bridge = "much-too-long-name", .state = "/nowhere"}).error().kind(), Kind::invalid);
  EXPECT_TRUE(parse_cidr("10.0.0.0/33").error().what().contains("10.0.0.0/33"));
}

}  // namespace
}  // namespace slipway::box
