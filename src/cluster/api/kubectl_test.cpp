// Stock kubectl against the API over TLS: what people type must work as they are used to.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/process.h"
#include "base/text.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "net/tls.h"

namespace slipway::cluster {
namespace {

// A node that answers logs, exec and connections for every pod, and says that each uses a quarter of a core.
class FakeNode final : public NodeAccess {
 public:
  Result<> logs(const Ctx&, const kube::Key& pod, const LogOptions& options,
                const std::function<bool(std::string_view)>& sink) override {
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
  // Port 80 answers everything it is told, in capitals; nothing listens elsewhere.
  Result<Fd> connect(const Ctx&, const kube::Key&, int port) override {
    if (port != 80) return fail(Kind::unavailable, "nothing listens on {}", port);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return fail_errno(errno, "socketpair");
    std::thread([end = Fd(ends[1])] {
      std::array<char, 4096> buffer;
      for (ssize_t n; (n = ::read(end.get(), buffer.data(), buffer.size())) > 0;) {
        for (auto& c : std::span(buffer).first(static_cast<std::size_t>(n))) c = static_cast<char>(std::toupper(c));
        if (!write_all(end.get(), {buffer.data(), static_cast<std::size_t>(n)})) return;
      }
    }).detach();
    return Fd(ends[0]);
  }
  Result<std::vector<PodUsage>> usage(const Ctx& ctx, const std::string& ns, Millis) override {
    std::vector<PodUsage> all;
    for (auto name : {"a", "b"})
      all.push_back({{ns, name}, ctx.clock->wall(), Millis(15000), {{"c", 250'000'000, std::int64_t{3} << 20}}});
    return all;
  }
  Result<NodeUsage> node_usage(const Ctx& ctx, Millis) override {
    return NodeUsage{"slipway", ctx.clock->wall(), Millis(15000), 500'000'000, std::int64_t{1} << 30};
  }
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
    ns = replace_all(lower(testing::UnitTest::GetInstance()->current_test_info()->name()), "_", "-");
    auto client = shared->api.client();
    must(client->create(Ctx{}, kube::make_object({"v1", "Namespace"}, {"", ns}), {}));
  }
  Ran run(std::vector<std::string> args, std::string input = {}) {
    std::vector<std::string> command{"kubectl", "--kubeconfig", shared->config.native(), "--cache-dir",
                                     (shared->api.folder.path() / "cache").native()};
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
      server =
          must(net::Server::start({.certificate_pem = pair.certificate_pem, .key_pem = pair.key_pem}, api->routes()));
      must(write_file(api.folder.path() / "ca.pem", ca.certificate_pem));
      config = api.folder.path() / "config";
      must(write_file(config, fmt::format(R"(apiVersion: v1
kind: Config
current-context: t
contexts: [{{name: t, context: {{cluster: t, user: t}}}}]
clusters: [{{name: t, cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: '{}'}}}}]
users: [{{name: t, user: {{token: secret}}}}]
)",
                                          server->port(), (api.folder.path() / "ca.pem").native())));
    }
    ~Shared() { server.reset(); }
  };
  static inline Shared* shared = nullptr;
  std::string ns;
};

#define EXPECT_RAN(ran) EXPECT_EQ((ran).code, 0) << (ran).out << (ran).err

constexpr std::string_view app = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app}}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: c, image: 'busybox:1', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
)";
std::string app_with(std::string_view from, std::string_view to) { return replace_all(std::string(app), from, to); }

TEST_F(Kubectl, AppliesAndDiffs) {
  auto first = in({"apply", "-f", "-"}, std::string(app));
  EXPECT_RAN(first);
  EXPECT_EQ(first.out, "deployment.apps/app created\nservice/app created\n");
  EXPECT_EQ(in({"apply", "-f", "-"}, std::string(app)).out, "deployment.apps/app unchanged\nservice/app unchanged\n");
  EXPECT_EQ(in({"diff", "-f", "-"}, std::string(app)).code, 0);
  auto diff = in({"diff", "-f", "-"}, app_with("replicas: 1", "replicas: 3"));
  EXPECT_EQ(diff.code, 1);
  EXPECT_NE(diff.out.find("-  replicas: 1\n+  replicas: 3"), std::string::npos) << diff.out << diff.err;
  EXPECT_EQ(in({"apply", "-f", "-"}, app_with("replicas: 1", "replicas: 3")).out,
            "deployment.apps/app configured\nservice/app unchanged\n");
  auto wrong = in({"apply", "-f", "-"}, app_with("replicas: 1", "replicaz: 3"));
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.err.find("strict decoding error: unknown field \"spec.replicaz\""), std::string::npos) << wrong.err;
  EXPECT_EQ(in({"delete", "-f", "-"}, std::string(app)).out,
            "deployment.apps \"app\" deleted\nservice \"app\" deleted\n");
}

TEST_F(Kubectl, AppliesServerSide) {
  EXPECT_RAN(in({"apply", "-f", "-"}, std::string(app)));
  auto moved = in({"apply", "--server-side", "-f", "-"}, std::string(app));
  EXPECT_RAN(moved);
  EXPECT_EQ(moved.err, "") << "the owner moved without a warning";
  EXPECT_RAN(in({"scale", "deploy", "app", "--replicas=4"}));
  auto conflict = in({"apply", "--server-side", "-f", "-"}, app_with("replicas: 1", "replicas: 2"));
  EXPECT_EQ(conflict.code, 1);
  EXPECT_NE(conflict.err.find("Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" "
                              "using apps/v1: .spec.replicas"),
            std::string::npos)
      << conflict.err;
  EXPECT_RAN(in({"apply", "--server-side", "--force-conflicts", "-f", "-"}, app_with("replicas: 1", "replicas: 2")));
  EXPECT_EQ(in({"get", "deploy", "app", "-o", "jsonpath={.spec.replicas}"}).out, "2");
}

TEST_F(Kubectl, CreatesTyped) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"create", "deployment", "d", "--image=nginx:1", "--replicas=2", "--port=80"},
           {"create", "secret", "generic", "s", "--from-literal=a=b"},
           {"create", "configmap", "c", "--from-literal=a=b"},
           {"create", "serviceaccount", "sa"},
           {"create", "job", "j", "--image=busybox", "--", "echo", "hi"},
           {"create", "cronjob", "cj", "--image=busybox", "--schedule=* * * * *", "--", "date"},
           {"create", "role", "r", "--verb=get", "--resource=pods"},
           {"create", "rolebinding", "rb", "--role=r", "--serviceaccount=x:y"},
           {"create", "quota", "q", "--hard=pods=5"},
           {"create", "ingress", "i", "--rule=foo.com/=d:80"},
           {"create", "service", "clusterip", "svc", "--tcp=80:8080"},
           {"create", "pdb", "pdb", "--selector=app=d", "--min-available=1"}}) {
    auto ran = in(args);
    EXPECT_EQ(ran.code, 0) << join(args, " ") << ": " << ran.err;
  }
  EXPECT_EQ(in({"get", "deploy", "d", "-o",
                "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].ports[0].containerPort}"})
                .out,
            "2 80");
  EXPECT_EQ(in({"get", "secret", "s", "-o", "jsonpath={.data.a}"}).out, "Yg==");
  EXPECT_EQ(in({"get", "svc", "svc", "-o", "jsonpath={.spec.ports[0].targetPort}"}).out, "8080");
  EXPECT_EQ(in({"get", "job", "j", "-o", "jsonpath={.spec.template.spec.containers[0].command}"}).out,
            "[\"echo\",\"hi\"]");
  EXPECT_EQ(in({"create", "configmap", "c"}).err,
            "error: failed to create configmap: configmaps \"c\" already exists\n");
}

TEST_F(Kubectl, GetsTables) {
  EXPECT_RAN(in({"apply", "-f", "-"}, std::string(app)));
  auto wide = in({"get", "deploy", "-o", "wide"});
  auto rows = lines(wide.out);
  ASSERT_EQ(rows.size(), 2u) << wide.out;
  EXPECT_TRUE(rows[0].starts_with("NAME   READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES      SELECTOR"))
      << rows[0];
  EXPECT_TRUE(rows[1].starts_with("app    0/1     0            0 ")) << rows[1];
  EXPECT_EQ(in({"get", "deploy", "-l", "app=other"}).err, fmt::format("No resources found in {} namespace.\n", ns));
  EXPECT_EQ(in({"get", "deploy", "nope"}).err, "Error from server (NotFound): deployments.apps \"nope\" not found\n");
  EXPECT_NE(in({"get", "all"}).out.find("service/app   ClusterIP"), std::string::npos);
  EXPECT_RAN(in({"get", "deploy", "--sort-by=.metadata.name"}));
  auto described = in({"describe", "deploy", "app"});
  EXPECT_NE(described.out.find("Image:         busybox:1"), std::string::npos) << described.out << described.err;
  EXPECT_NE(in({"api-resources"}).out.find("deployments                         deploy       apps/v1"),
            std::string::npos);
  EXPECT_NE(in({"explain", "deploy.spec.strategy"}).out.find("rollingUpdate"), std::string::npos);
}

TEST_F(Kubectl, ChangesThings) {
  EXPECT_RAN(in({"apply", "-f", "-"}, std::string(app)));
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"label", "deploy", "app", "x=y"},
           {"annotate", "deploy", "app", "a=b"},
           {"scale", "deploy", "app", "--replicas=3"},
           {"set", "image", "deploy/app", "c=busybox:2"},
           {"patch", "deploy", "app", "-p", R"({"spec":{"minReadySeconds":4}})"},
           {"patch", "deploy", "app", "--type=json", "-p", R"([{"op":"add","path":"/spec/paused","value":true}])"},
           {"rollout", "resume", "deploy/app"},
           {"rollout", "restart", "deploy/app"}}) {
    auto ran = in(args);
    EXPECT_EQ(ran.code, 0) << join(args, " ") << ": " << ran.err;
  }
  EXPECT_EQ(in({"get", "deploy", "app", "-o",
                "jsonpath={.metadata.labels.x} {.metadata.annotations.a} {.spec.replicas} "
                "{.spec.template.spec.containers[0].image} {.spec.minReadySeconds}"})
                .out,
            "y b 3 busybox:2 4");
  auto immutable = in({"patch", "deploy", "app", "-p", R"({"spec":{"selector":{"matchLabels":{"z":"y"}}}})"});
  EXPECT_NE(immutable.err.find("The Deployment \"app\" is invalid"), std::string::npos) << immutable.err;
  EXPECT_NE(immutable.err.find("field is immutable"), std::string::npos) << immutable.err;
}

TEST_F(Kubectl, TellsWhatPodsUse) {
  auto client = shared->api.client();
  for (auto name : {"a", "b"}) {
    auto object = kube::make_object({"v1", "Pod"}, {ns, name}, {{"app", name}});
    object["spec"]["containers"].list().emplace_back(doc::Map{{"name", "c"}, {"image", "i"}});
    must(client->create(Ctx{}, object, {}));
  }
  (void)client->create(Ctx{}, kube::make_object({"v1", "Node"}, {"", "slipway"}), {});
  auto top = in({"top", "pods", "--no-headers"});
  EXPECT_RAN(top);
  EXPECT_EQ(top.out, "a     250m   3Mi   \nb     250m   3Mi   \n");
  EXPECT_EQ(in({"top", "pods", "-l", "app=b", "--containers", "--no-headers"}).out, "b     c     250m   3Mi   \n");
  EXPECT_EQ(in({"top", "pod", "a", "--no-headers"}).out, "a     250m   3Mi   \n");
  EXPECT_NE(in({"top", "pod", "x"}).err.find("pods.metrics.k8s.io \"x\" not found"), std::string::npos);
  auto node = in({"top", "nodes", "--no-headers"});
  EXPECT_TRUE(node.out.starts_with("slipway   500m ")) << node.out << node.err;
  EXPECT_EQ(in({"get", "pods", "-o", "name"}).out, "pod/a\npod/b\n");
}

TEST_F(Kubectl, Autoscales) {
  EXPECT_RAN(in({"create", "deployment", "web", "--image=w"}));
  EXPECT_RAN(in({"autoscale", "deployment", "web", "--min=2", "--max=4", "--cpu-percent=70"}));
  EXPECT_NE(in({"get", "hpa"}).out.find("cpu: <unknown>/70%"), std::string::npos) << in({"get", "hpa"}).out;
  EXPECT_EQ(in({"get", "horizontalpodautoscalers.v1.autoscaling", "web", "-o",
                "jsonpath={.spec.targetCPUUtilizationPercentage}"})
                .out,
            "70");
  EXPECT_NE(in({"autoscale", "deployment", "web", "--name=w", "--min=5", "--max=4"}).code, 0);
}

TEST_F(Kubectl, WaitsAndWatches) {
  EXPECT_RAN(in({"apply", "-f", "-"}, std::string(app)));
  auto client = shared->api.client();
  auto key = kube::Key{ns, "app"};
  std::jthread later([&] {
    auto d = *must(client->get(Ctx{}, {"apps/v1", "Deployment"}, key));
    doc::Value status = doc::Map{{"observedGeneration", d.generation()},
                                 {"replicas", 1},
                                 {"updatedReplicas", 1},
                                 {"readyReplicas", 1},
                                 {"availableReplicas", 1},
                                 {"conditions", doc::List{doc::Map{{"type", "Available"}, {"status", "True"}}}}};
    must(kube::write_status(Ctx{}, *client, d, std::move(status)));
  });
  auto status = in({"rollout", "status", "deploy/app", "--timeout=10s"});
  EXPECT_RAN(status);
  EXPECT_NE(status.out.find("successfully rolled out"), std::string::npos) << status.out;
  EXPECT_RAN(in({"wait", "--for=condition=Available", "deploy/app", "--timeout=10s"}));
  auto watched = in({"get", "deploy", "-w", "--request-timeout=1s"});
  EXPECT_NE(watched.out.find("app    1/1     1            1"), std::string::npos) << watched.out << watched.err;
}

TEST_F(Kubectl, ReachesIntoPods) {
  EXPECT_RAN(in({"apply", "-f", "-"},
                "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: n1, containers: [{name: c, "
                "image: x}]}}"));
  EXPECT_EQ(in({"logs", "p"}).out, fmt::format("hello from {}/p/c\n", ns));
  EXPECT_EQ(in({"logs", "-f", "p"}).out, fmt::format("hello from {}/p/c\nand more\n", ns));
  auto ran = in({"exec", "p", "--", "echo", "hi"});
  EXPECT_EQ(ran.out, "out:echo hi\n");
  EXPECT_EQ(ran.err, "err\n");
  EXPECT_EQ(in({"exec", "-i", "p", "--", "cat"}, "data\n").out, "data\n");
  EXPECT_EQ(in({"exec", "p", "--", "false"}).code, 3);
  EXPECT_NE(in({"exec", "p", "-c", "nope", "--", "ls"}).err.find("container nope is not valid for pod p"),
            std::string::npos);
  EXPECT_NE(in({"attach", "p"}).out.find("and more"), std::string::npos);
  EXPECT_EQ(in({"delete", "pod", "p", "--grace-period=0", "--force"}).out, "pod \"p\" force deleted\n");
}

TEST_F(Kubectl, ForwardsPorts) {
  EXPECT_RAN(in({"apply", "-f", "-"},
                "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: n1, containers: [{name: c, "
                "image: x}]}}"));
  auto client = shared->api.client();
  auto pod = *must(client->get(Ctx{}, {"v1", "Pod"}, {ns, "p"}));
  must(kube::write_status(Ctx{}, *client, pod, doc::Map{{"phase", "Running"}}));
  auto out = must(make_pipe());
  Command command;
  command.argv = {"kubectl", "--kubeconfig", shared->config.native(), "-n", ns, "port-forward", "p", ":80"};
  auto child = must(Child::start(command, {.out = out.write.get()}));
  out.write.reset();
  std::string said;
  std::array<char, 512> buffer;
  while (said.find('\n') == std::string::npos) {
    auto n = ::read(out.read.get(), buffer.data(), buffer.size());
    ASSERT_GT(n, 0) << said;
    said.append(buffer.data(), static_cast<std::size_t>(n));
  }
  auto at = cut(said, "127.0.0.1:");
  ASSERT_TRUE(at) << said;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(to_int(at->second.substr(0, at->second.find(' '))).value_or(0)));
  for (int i = 0; i < 3; ++i) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    std::string text(100'000, static_cast<char>('a' + i));
    std::jthread writer([&] {
      (void)write_all(fd.get(), text);
      ::shutdown(fd.get(), SHUT_WR);
    });
    auto answer = must(read_all(fd.get()));
    EXPECT_EQ(answer, std::string(100'000, static_cast<char>('A' + i)));
  }
  child.signal(15);
  (void)child.wait(Ctx{}.within(Millis(5000)));
}

TEST_F(Kubectl, ServesCustomKinds) {
  auto crd = fmt::format(R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: crontabs.stable.example.com}}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {{plural: crontabs, kind: CronTab, shortNames: [ct]}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}, scale: {{specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}}}
    additionalPrinterColumns: [{{name: Spec, type: string, jsonPath: .spec.cronSpec}}]
    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, required: [cronSpec], properties: {{cronSpec: {{type: string}}, replicas: {{type: integer, default: 2}}}}}}}}}}}}
)");
  EXPECT_RAN(in({"apply", "-f", "-"}, crd));
  auto instance = std::string(
      "---\n{apiVersion: stable.example.com/v1, kind: CronTab, metadata: {name: my}, spec: {cronSpec: '* *'}}");
  EXPECT_RAN(in({"apply", "-f", "-"}, instance));
  EXPECT_TRUE(in({"get", "ct"}).out.starts_with("NAME   SPEC\n"));
  EXPECT_RAN(in({"scale", "ct", "my", "--replicas=4"}));
  EXPECT_EQ(in({"get", "ct", "my", "-o", "jsonpath={.spec.replicas}"}).out, "4");
  EXPECT_NE(in({"explain", "ct.spec"}).out.find("cronSpec"), std::string::npos);
  auto missing = in({"apply", "-f", "-"},
                    "---\n{apiVersion: stable.example.com/v1, kind: CronTab, metadata: {name: bad}, spec: {}}");
  EXPECT_NE(missing.err.find("cronSpec"), std::string::npos) << missing.err;
  EXPECT_RAN(run({"delete", "crd", "crontabs.stable.example.com"}));
  EXPECT_NE(in({"get", "ct"}).code, 0);
}

// Where other versions of kubectl lie beside this one (kubectl.1.29 ...), they work too.
TEST_F(Kubectl, SLOW_OtherVersions) {
  std::error_code ignored;
  auto folder = fs::canonical(*find_program("kubectl"), ignored).parent_path();
  int tried = 0;
  for (const auto& name : must(list_dir(folder))) {
    if (!name.starts_with("kubectl.1.") || name < "kubectl.1.29") continue;
    ++tried;
    auto version = name.substr(8);
    auto go = [&](std::vector<std::string> args, std::string input = {}) {
      args.insert(args.begin(), {(folder / name).native(), "--kubeconfig", shared->config.native(), "--cache-dir",
                                 (shared->api.folder.path() / name).native(), "-n", ns});
      auto ran = raw(args, std::move(input));
      EXPECT_EQ(ran.code, 0) << join(args, " ") << ran.out << ran.err;
      return ran.out;
    };
    EXPECT_EQ(go({"apply", "-f", "-"}, std::string(app)), "deployment.apps/app created\nservice/app created\n");
    go({"apply", "--server-side", "--force-conflicts", "-f", "-"}, app_with("replicas: 1", "replicas: 2"));
    EXPECT_NE(go({"get", "deploy"}).find("app    0/2"), std::string::npos);
    go({"create", "configmap", "c", "--from-literal=a=b"});
    go({"explain", "deploy.spec.replicas"});
    go({"describe", "deploy", "app"});
    go({"apply", "-f", "-"},
       "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: n1, containers: [{name: c, image: "
       "x}]}}");
    EXPECT_EQ(go({"logs", "p"}), fmt::format("hello from {}/p/c\n", ns));
    // Before 1.31 exec upgrades to plain SPDY, which is not served.
    if (version >= "1.31") {
      EXPECT_EQ(go({"exec", "p", "--", "echo", "hi"}), "out:echo hi\n");
    }
    go({"delete", "pod", "p", "--force", "--grace-period=0"});
    go({"delete", "configmap", "c"});
    go({"delete", "-f", "-"}, std::string(app));
  }
  if (tried == 0) GTEST_SKIP() << "no other versions here";
}

TEST_F(Kubectl, KnowsWhoAsks) {
  EXPECT_EQ(in({"auth", "can-i", "create", "pods"}).out, "yes\n");
  EXPECT_NE(run({"auth", "whoami"}).out.find("system:admin"), std::string::npos);
  EXPECT_NE(run({"version"}).out.find("Server Version: v1.32"), std::string::npos);
  EXPECT_EQ(run({"get", "--raw", "/readyz"}).out, "ok");
}

}  // namespace
}  // namespace slipway::cluster
