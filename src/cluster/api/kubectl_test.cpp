// Stock kubectl against the API over TLS: what people type must work as they are used to.
#include <gtest/gtest.h>

#include "base/process.h"
#include "base/text.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "net/tls.h"

namespace slipway::cluster {
namespace {

// A node that answers logs, exec and connections for every pod.
class FakeNode final : public NodeAccess {
 public:
  Result<> logs(const Ctx&, const kube::Key& pod, const LogOptions& options, const std::function<bool(std::string_view)>& sink) override {
    sink(fmt::format("hello from {}/{}\n", pod.str(), options.container));
    if (options.follow) sink("and more\n");
    return {};
  }
  Result<int> exec(const Ctx&, const kube::Key&, const ExecOptions& options) override {
    if (options.command[0] == "cat") {
      auto in = read_all(options.in);
      if (in) (void)write_all(options.out, *in);
      return 0;
    }
    (void)write_all(options.out, "out:" + join(options.command, " ") + "\n");
    if (options.err >= 0) (void)write_all(options.err, "err\n");
    return options.command[0] == "false" ? 3 : 0;
  }
  Result<Fd> connect(const Ctx&, const kube::Key&, int port) override { return fail(Kind::unavailable, "nothing listens on {}", port); }
};

class Kubectl : public testing::Test {
 protected:
  struct Ran {
    int code = 0;
    std::string out, err;
  };
  static void SetUpTestSuite() {
    if (!find_program("kubectl")) return;
    shared = new Shared();
  }
  static void TearDownTestSuite() {
    delete shared;
    shared = nullptr;
  }
  void SetUp() override {
    if (shared == nullptr) GTEST_SKIP() << "no kubectl here";
    ns = lower(testing::UnitTest::GetInstance()->current_test_info()->name());
    auto client = shared->api.client();
    must(client->create(Ctx{}, kube::make_object({"v1", "Namespace"}, {"", ns}), {}));
  }
  Ran run(std::vector<std::string> args, std::string input = {}) {
    std::vector<std::string> command{"kubectl", "--kubeconfig", shared->config.native(), "--cache-dir", (shared->api.folder.path() / "cache").native()};
    command.insert(command.end(), args.begin(), args.end());
    return raw(std::move(command), std::move(input));
  }
  Ran in(std::vector<std::string> args, std::string input = {}) {
    args.insert(args.begin(), {"-n", ns});
    return run(std::move(args), std::move(input));
  }
  static Ran raw(std::vector<std::string> command, std::string input) {
    Command c;
    c.argv = std::move(command);
    c.input = std::move(input);
    auto done = must(slipway::run(Ctx{}.within(Millis(30000)), c));
    return {done.code, done.out, done.err};
  }
  struct Shared {
    TestApi api = make_test_api();
    FakeNode node;
    std::unique_ptr<net::Server> server;
    fs::path config;
    Shared() {
      auto ca = must(net::make_ca("test"));
      auto pair = must(net::issue(ca, {.common_name = "127.0.0.1", .ip_addresses = {"127.0.0.1"}}));
      api->set_node(&node);
      server = must(net::Server::start({.certificate_pem = pair.certificate_pem, .key_pem = pair.key_pem}, api->routes()));
      must(write_file(api.folder.path() / "ca.pem", ca.certificate_pem));
      config = api.folder.path() / "config";
      must(write_file(config, fmt::format(R"(apiVersion: v1
kind: Config
current-context: t
contexts: [{{name: t, context: {{cluster: t, user: t}}}}]
clusters: [{{name: t, cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: '{}'}}}}]
users: [{{name: t, user: {{token: secret}}}}]
)", server->port(), (api.folder.path() / "ca.pem").native())));
    }
    ~Shared() { server.reset(); }
  };
  static inline Shared* shared = nullptr;
  std::string ns;
};

#define EXPECT_RAN(ran) EXPECT_EQ((ran).code, 0) << (ran).out << (ran).err

TEST_F(Kubectl, Play) {
  const char* script = std::getenv("SLIPWAY_PLAY");
  if (script == nullptr) GTEST_SKIP();
  auto command = fmt::format("export KUBECONFIG={}; {}", shared->config.native(), script);
  (void)std::system(command.c_str());
}

}  // namespace
}  // namespace slipway::cluster
