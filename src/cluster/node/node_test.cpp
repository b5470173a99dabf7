// The node agent with a real API server, runtime, network and image store: pods from create to gone.
#include "cluster/node.h"

#include <unistd.h>

#include <thread>

#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "box/testing/busybox.h"
#include "cluster/node/socket.h"
#include "cluster/testing.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

const kube::Type pod_kind{"v1", "Pod"};

// What all tests share: a runtime, a network, an image "127.0.0.1:7080/test/busybox:1".
struct World {
  TempDir folder = must(TempDir::make("node-test"));
  std::string why;
  std::unique_ptr<box::Runtime> runtime;
  std::unique_ptr<box::NodeNetwork> network;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<oci::Registry> registry;
  std::unique_ptr<oci::LayerCache> layers;

  World() {
    auto image = box::make_busybox(folder.path() / "image", why);
    if (!image || ::geteuid() != 0) {
      if (why.empty()) why = "needs root";
      return;
    }
    auto opened = box::Runtime::open(folder.path() / "box");
    if (!opened) {
      why = opened.error().print();
      return;
    }
    int n = static_cast<int>(::getpid() % 250);
    auto net = box::NodeNetwork::open({.bridge = fmt::format("swn{}", ::getpid()),
                                       .pod_cidr = fmt::format("10.203.{}.0/24", n),
                                       .service_cidr = fmt::format("10.204.{}.0/24", n),
                                       .state = folder.path() / "net"});
    if (!net) {
      why = net.error().print();
      return;
    }
    runtime = *std::move(opened);
    network = *std::move(net);
    blobs = must(store::BlobStore::open(folder.path() / "blobs"));
    registry = must(oci::Registry::open(*blobs, folder.path() / "registry.db"));
    layers = must(oci::LayerCache::open(*blobs, folder.path() / "layers"));
    put_image(*image);
  }
  ~World() {
    if (network) (void)network->tear_down();
  }
  void put_image(const fs::path& root) {
    auto layer = must(oci::pack_layer(Ctx(), *blobs, root));
    oci::Config config;
    config.diff_ids = {layer.diff_id};
    config.env = {"FROM_IMAGE=yes", "PATH=/bin"};
    config.cmd = {"sh", "-c", "sleep 1000"};
    auto text = oci::print(config);
    oci::Manifest manifest;
    manifest.config = {
        .media_type = std::string(oci::media::config), .digest = must(blobs->put(text)), .size = text.size()};
    manifest.layers = {layer.descriptor};
    must(registry->put_manifest("test/busybox", "1", manifest.media_type, oci::print(manifest)));
  }
};

class NodeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { world_ = new World(); }
  static void TearDownTestSuite() { delete std::exchange(world_, nullptr); }
  void SetUp() override {
    if (!world_->runtime) GTEST_SKIP() << world_->why;
    root_ = world_->folder.path() / ("node-" + random_hex(4));
    ApiOptions options;
    options.service_cidr = fmt::format("10.204.{}.0/24", ::getpid() % 250);
    api_.emplace(make_test_api(std::move(options)));
    client_ = api_->client();
    start_node();
    auto ns =
        client_->create(ctx_, must(doc::parse_yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")), {});
    (void)ns;
  }
  void TearDown() override {
    if (!client_) return;
    if (node_) {
      EXPECT_TRUE(node_->drain(Ctx().within(Millis(10000))));
    }
    stop_node();
    EXPECT_EQ(must(world_->runtime->survivors()), std::vector<std::string>{});
    EXPECT_FALSE(must(read_file("/proc/self/mounts")).contains(root_.string()));
  }
  void start_node() {
    NodeOptions options{
        .name = "n1",
        .root = root_,
        .registry = world_->registry.get(),
        .registry_names = {"127.0.0.1:7080"},
        .layers = world_->layers.get(),
        .remote = nullptr,
        .runtime = world_->runtime.get(),
        .network = world_->network.get(),
        .api_url = {},
        .ca_pem = {},
        .token = [this](const kube::Object& pod, const std::string& audience, std::int64_t) -> Result<std::string> {
          if (audience == "vault") return fmt::format("vault-{}", ++vault_tokens_);
          return "token-of-" + pod["spec"]["serviceAccountName"].str_or("default");
        }};
    node_ = must(Node::open(client_, std::move(options)));
    stop_ = std::stop_source();
    thread_ = std::thread([this] { (void)node_->run(Ctx().with_stop(stop_.get_token())); });
  }
  void stop_node() {
    stop_.request_stop();
    if (thread_.joinable()) thread_.join();
    node_.reset();
  }
  // A pod of one container "c" with more lines for the container (indented by four) and for the spec (by two).
  void create(const std::string& name, const std::string& script, const std::string& container = {},
              const std::string& spec = {}, const std::string& labels = {}) {
    auto text = fmt::format(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}, namespace: shop, labels: {{app: {}{}}}}}\nspec:\n  nodeName: "
        "n1\n{}"
        "  terminationGracePeriodSeconds: {}\n  containers:\n  - name: c\n    image: 127.0.0.1:7080/test/busybox:1\n"
        "    command: [sh, -c]\n    args:\n    - {}\n{}",
        name, name, labels, spec, grace_, doc_quote(script), container);
    auto made = client_->create(ctx_, must(doc::parse_yaml(text)), {});
    ASSERT_TRUE(made) << made.error().print();
  }
  static std::string doc_quote(const std::string& text) {
    return "\"" + replace_all(replace_all(text, "\\", "\\\\"), "\"", "\\\"") + "\"";
  }
  kube::Object until(const std::string& name, const std::function<bool(const kube::Object&)>& done) {
    auto found = kube::await(ctx_, *client_, pod_kind, {"shop", name}, done);
    if (!found) {
      auto now = client_->get(Ctx(), pod_kind, {"shop", name});
      ADD_FAILURE() << found.error().what() << "\n"
                    << (now && *now ? doc::print_yaml((**now)["status"].value()) : "no pod");
      return {};
    }
    return *found;
  }
  kube::Object until_phase(const std::string& name, const std::string& phase) {
    return until(name, [&](const kube::Object& pod) { return pod["status"]["phase"].str_or("") == phase; });
  }
  kube::Object until_ready(const std::string& name) {
    return until(name, [&](const kube::Object& pod) { return kube::condition_status(pod, "Ready") == "True"; });
  }
  std::string logs(const std::string& name, LogOptions options = {}) {
    std::string text;
    auto read = node_->logs(ctx_, {"shop", name}, options, [&](std::string_view piece) {
      text += piece;
      return true;
    });
    return read ? text : "error: " + read.error().what();
  }
  void apply(const std::string& yaml) {
    auto made = client_->create(ctx_, must(doc::parse_yaml(yaml)), {});
    ASSERT_TRUE(made) << made.error().print();
  }

  int grace_ = 0;  // of the pods that create() makes
  static inline World* world_ = nullptr;
  Ctx ctx_ = Ctx().within(Millis(20000));
  fs::path root_;
  std::optional<TestApi> api_;
  std::shared_ptr<kube::Client> client_;
  std::unique_ptr<Node> node_;
  std::stop_source stop_;
  std::thread thread_;
  std::atomic<int> vault_tokens_ = 0;
};

TEST_F(NodeTest, RunsAPodToItsEndAndTells) {
  create("job", "echo hello; echo bye >&2; echo why > /dev/termination-log; exit 3", "", "  restartPolicy: Never\n");
  auto pod = until_phase("job", "Failed");
  auto state = pod["status"]["containerStatuses"][0]["state"]["terminated"];
  EXPECT_EQ(state["exitCode"].num_or(-1), 3);
  EXPECT_EQ(state["reason"].str_or(""), "Error");
  EXPECT_EQ(state["message"].str_or(""), "why\n");
  EXPECT_TRUE(
      pod["status"]["containerStatuses"][0]["imageID"].str_or("").starts_with("127.0.0.1:7080/test/busybox@sha256:"));
  EXPECT_EQ(kube::condition_status(pod, "Ready"), "False");
  EXPECT_EQ(kube::condition_status(pod, "Initialized"), "True");
  EXPECT_TRUE(parse_rfc3339(pod["status"]["startTime"].str_or("")));
  EXPECT_EQ(logs("job"), "hello\nbye\n");
  EXPECT_EQ(logs("job", {.container = {}, .tail_lines = 1, .since_seconds = {}, .limit_bytes = {}}), "bye\n");
  create("done", "true", "", "  restartPolicy: OnFailure\n");
  EXPECT_EQ(
      until_phase("done", "Succeeded")["status"]["containerStatuses"][0]["state"]["terminated"]["reason"].str_or(""),
      "Completed");
}

TEST_F(NodeTest, SLOW_ServesAndIsReadyOnceTheProbePasses) {
  create("web", "echo hi > /tmp/index.html; sleep 0.2; exec httpd -f -p 8080 -h /tmp",
         "    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 10}\n");
  auto started = std::chrono::steady_clock::now();
  auto pod = until_ready("web");
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(2));
  EXPECT_FALSE(pod["status"]["podIP"].str_or("").empty());
  EXPECT_EQ(pod["status"]["phase"].str_or(""), "Running");
  auto fd = must(node_->connect(ctx_, {"shop", "web"}, 8080));
  ASSERT_TRUE(write_all(fd.get(), "GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(must(read_all(fd.get())).ends_with("hi\n"));
  auto out = must(make_pipe());
  ExecOptions exec{.container = {},
                   .command = {"sh", "-c", "hostname; cat /etc/hosts | grep web; exit 4"},
                   .tty = false,
                   .in = -1,
                   .out = out.write.get(),
                   .err = -1};
  EXPECT_EQ(must(node_->exec(ctx_, {"shop", "web"}, exec)), 4);
  out.write.reset();
  EXPECT_EQ(must(read_all(out.read.get())), fmt::format("web\n{}\tweb\n", pod["status"]["podIP"].str_or("")));
  EXPECT_EQ(node_
                ->logs(ctx_, {"shop", "web"},
                       {.container = "x", .tail_lines = {}, .since_seconds = {}, .limit_bytes = {}}, {})
                .error()
                .kind(),
            Kind::invalid);
  EXPECT_EQ(node_->connect(ctx_, {"shop", "none"}, 1).error().kind(), Kind::not_found);
}

TEST_F(NodeTest, SLOW_DeletionRunsPreStopThenTermAndRemovesAll) {
  grace_ = 5;
  create("web", "trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.01; done",
         "    lifecycle: {preStop: {exec: {command: [sh, -c, 'echo prestop > /proc/1/fd/1']}}}\n");
  auto pod = until_ready("web");
  std::string text;
  std::thread follower([&] {
    LogOptions options;
    options.follow = true;
    (void)node_->logs(ctx_, {"shop", "web"}, options, [&](std::string_view piece) {
      text += piece;
      return true;
    });
  });
  ASSERT_TRUE(client_->remove(ctx_, pod_kind, {"shop", "web"}, {}));
  until("web", [](const kube::Object& now) { return !now; });
  follower.join();
  EXPECT_EQ(text, "up\nprestop\nterm\n");
  EXPECT_FALSE(path_exists(root_ / "pods" / pod.uid()));
  EXPECT_EQ(must(world_->network->pods()), std::vector<std::string>{});
}

TEST_F(NodeTest, SLOW_KillsWhatIgnoresTermAfterItsGrace) {
  create("deaf", "trap '' TERM; while :; do sleep 1; done", "", "");
  until_ready("deaf");
  auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(
      client_->remove(ctx_, pod_kind, {"shop", "deaf"}, {.grace_seconds = 1, .uid = {}, .resource_version = {}}));
  until("deaf", [](const kube::Object& now) { return !now; });
  auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(took, std::chrono::milliseconds(900));
  EXPECT_LT(took, std::chrono::seconds(3));
}

TEST_F(NodeTest, RestartsAtOnceThenBacksOff) {
  create("crash", "echo run; exit 1");
  auto pod = until("crash", [](const kube::Object& now) {
    return now["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].str_or("") == "CrashLoopBackOff";
  });
  auto status = pod["status"]["containerStatuses"][0];
  EXPECT_EQ(status["restartCount"].num_or(0), 1);
  EXPECT_EQ(status["lastState"]["terminated"]["exitCode"].num_or(0), 1);
  EXPECT_EQ(pod["status"]["phase"].str_or(""), "Running");
  EXPECT_EQ(logs("crash"), "run\n");
  LogOptions previous;
  previous.previous = true;
  EXPECT_EQ(logs("crash", previous), "run\n");
}

TEST_F(NodeTest, EnvironmentAndVolumesFromTheApi) {
  apply(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, namespace: shop}\ndata: {color: blue, app.ini: "
      "\"x=1\\n\"}");
  apply("apiVersion: v1\nkind: Secret\nmetadata: {name: pw, namespace: shop}\ndata: {password: c2VjcmV0}");
  apply(
      "apiVersion: v1\nkind: Service\nmetadata: {name: my-db, namespace: shop}\nspec: {ports: [{port: 5432}], "
      "selector: {app: db}}");
  create("env",
         "echo $COLOR $PASS $P_color $NAME $IP_OK $LIMIT $FROM_IMAGE $MISSING; test -n \"$MY_DB_SERVICE_HOST\" && echo "
         "link; "
         "cat /conf/app.ini /conf-one /all/password /all/name /all/color; ls -l /all | grep -c data; stat -c %a "
         "/secret/password; "
         "cat /var/run/secrets/kubernetes.io/serviceaccount/token; echo; touch /empty/x /mem/y && stat -f -c %T /mem",
         "    env:\n    - {name: COLOR, valueFrom: {configMapKeyRef: {name: conf, key: color}}}\n"
         "    - {name: PASS, valueFrom: {secretKeyRef: {name: pw, key: password}}}\n    - {name: NAME, valueFrom: "
         "{fieldRef: {fieldPath: \"metadata.labels['app']\"}}}\n"
         "    - {name: IP_OK, value: \"$(NAME)-$$(NAME)-$(NOT)\"}\n    - {name: LIMIT, valueFrom: {resourceFieldRef: "
         "{resource: limits.memory, divisor: 1Mi}}}\n"
         "    - {name: MISSING, valueFrom: {configMapKeyRef: {name: nope, key: x, optional: true}}}\n"
         "    envFrom: [{prefix: P_, configMapRef: {name: conf}}]\n    resources: {limits: {memory: 64Mi, cpu: 500m}}\n"
         "    volumeMounts:\n    - {name: conf, mountPath: /conf}\n    - {name: conf, mountPath: /conf-one, subPath: "
         "color}\n    - {name: all, mountPath: /all}\n"
         "    - {name: secret, mountPath: /secret}\n    - {name: empty, mountPath: /empty}\n    - {name: mem, "
         "mountPath: /mem}\n",
         "  restartPolicy: Never\n  volumes:\n  - {name: conf, configMap: {name: conf}}\n  - {name: secret, secret: "
         "{secretName: pw, defaultMode: 256}}\n"
         "  - {name: empty, emptyDir: {}}\n  - {name: mem, emptyDir: {medium: Memory, sizeLimit: 1Mi}}\n"
         "  - name: all\n    projected:\n      sources:\n      - {secret: {name: pw}}\n      - {configMap: {name: "
         "conf, items: [{key: color, path: color}]}}\n"
         "      - {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}\n");
  until_phase("env", "Succeeded");
  EXPECT_EQ(
      logs("env"),
      "blue secret blue env env-$(NAME)-$(NOT) 64 yes\nlink\nx=1\nbluesecretenvblue3\n777\ntoken-of-default\ntmpfs\n");
}

TEST_F(NodeTest, ProjectedTokensAreMadeAnewBeforeTheyEnd) {
  create("short", "until [ \"$(cat /t/token)\" != vault-1 ]; do sleep 0.02; done; echo renewed",
         "    volumeMounts: [{name: t, mountPath: /t}]\n",
         "  restartPolicy: Never\n  volumes:\n  - name: t\n    projected:\n      sources:\n"
         "      - {serviceAccountToken: {audience: vault, expirationSeconds: 1, path: token}}\n");
  until_phase("short", "Succeeded");
  EXPECT_EQ(logs("short"), "renewed\n");
}

TEST_F(NodeTest, WaitsForWhatIsMissingAndGoesOnWhenItComes) {
  create("late", "cat /conf/k; echo $E",
         "    env: [{name: E, valueFrom: {configMapKeyRef: {name: other, key: e}}}]\n    volumeMounts: [{name: v, "
         "mountPath: /conf}]\n",
         "  restartPolicy: Never\n  volumes: [{name: v, configMap: {name: late}}]\n");
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late, namespace: shop}\ndata: {k: \"v\\n\"}");
  auto pod = until("late", [](const kube::Object& now) {
    return now["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].str_or("") ==
           "CreateContainerConfigError";
  });
  EXPECT_EQ(pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"].str_or(""),
            "configmap \"other\" not found");
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\ndata: {e: there}");
  until_phase("late", "Succeeded");
  EXPECT_EQ(logs("late"), "v\nthere\n");
}

TEST_F(NodeTest, UnknownImagesBackOffWithTheReason) {
  auto text =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: no, namespace: shop}\nspec: {nodeName: n1, containers: [{name: c, "
      "image: '127.0.0.1:7080/none:1'}]}";
  apply(text);
  auto pod = until("no", [](const kube::Object& now) {
    return now["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].str_or("") == "ErrImagePull";
  });
  EXPECT_EQ(pod["status"]["phase"].str_or(""), "Pending");
  EXPECT_TRUE(pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"].str_or("").contains("none"));
}

TEST_F(NodeTest, SLOW_InitContainersComeFirstAndSidecarsStayToTheEnd) {
  auto image = "image: '127.0.0.1:7080/test/busybox:1'";
  apply(fmt::format(
      "apiVersion: v1\nkind: Pod\nmetadata: {{name: multi, namespace: shop}}\nspec:\n  nodeName: n1\n  restartPolicy: "
      "Never\n  terminationGracePeriodSeconds: 1\n"
      "  volumes: [{{name: v, emptyDir: {{}}}}]\n"
      "  initContainers:\n  - {{name: one, {0}, command: [sh, -c, 'echo one >> /v/order'], volumeMounts: [{{name: v, "
      "mountPath: /v}}]}}\n"
      "  - {{name: side, {0}, restartPolicy: Always, command: [sh, -c, 'echo side >> /v/order; sleep 1000'], "
      "volumeMounts: [{{name: v, mountPath: /v}}],"
      " startupProbe: {{exec: {{command: [grep, side, /v/order]}}}}}}\n"
      "  - {{name: two, {0}, command: [sh, -c, 'echo two >> /v/order'], volumeMounts: [{{name: v, mountPath: /v}}]}}\n"
      "  containers:\n  - {{name: c, {0}, command: [sh, -c, 'cat /v/order'], volumeMounts: [{{name: v, mountPath: "
      "/v}}]}}\n",
      image));
  auto pod = until_phase("multi", "Succeeded");
  LogOptions options;
  options.container = "c";
  EXPECT_EQ(logs("multi", options), "one\nside\ntwo\n");
  EXPECT_EQ(pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"].str_or(""), "Completed");
  until("multi", [](const kube::Object& now) {
    return now["status"]["initContainerStatuses"][1]["state"]["terminated"].present();
  });
}

TEST_F(NodeTest, FailingInitContainerKeepsTheRestBack) {
  apply(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: bad, namespace: shop}\nspec: {nodeName: n1, restartPolicy: Never, "
      "initContainers: [{name: i, image: '127.0.0.1:7080/test/busybox:1', "
      "command: ['false']}], containers: [{name: c, image: '127.0.0.1:7080/test/busybox:1'}]}");
  auto pod = until_phase("bad", "Failed");
  EXPECT_FALSE(pod["status"]["containerStatuses"][0]["state"]["terminated"].present());
  EXPECT_EQ(kube::condition_status(pod, "Initialized"), "False");
}

TEST_F(NodeTest, SLOW_LivenessFailureRestarts) {
  create("sick", "touch /tmp/ok; sleep 1000",
         "    livenessProbe: {exec: {command: [test, -e, /tmp/gone]}, periodSeconds: 1, failureThreshold: 1, "
         "terminationGracePeriodSeconds: 1}\n");
  auto pod = until("sick", [](const kube::Object& now) {
    return now["status"]["containerStatuses"][0]["restartCount"].num_or(0) == 1;
  });
  EXPECT_EQ(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"].num_or(0), 137);
}

TEST_F(NodeTest, OutOfMemoryIsNamed) {
  create("fat", "head -c 200m /dev/zero | tail", "    resources: {limits: {memory: 16Mi}}\n",
         "  restartPolicy: Never\n");
  EXPECT_EQ(until_phase("fat", "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]["reason"].str_or(""),
            "OOMKilled");
}

TEST_F(NodeTest, SecurityContextReachesTheProcess) {
  create("sec",
         "id -u; id -g; id -G; grep CapBnd /proc/self/status; grep NoNew /proc/self/status; touch /x 2>/dev/null || "
         "echo ro; stat -c %g /v",
         "    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, "
         "capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}\n"
         "    volumeMounts: [{name: v, mountPath: /v}]\n",
         "  restartPolicy: Never\n  securityContext: {runAsGroup: 3000, fsGroup: 2000, runAsNonRoot: true}\n  volumes: "
         "[{name: v, emptyDir: {}}]\n");
  until_phase("sec", "Succeeded");
  EXPECT_EQ(logs("sec"), "1000\n3000\n3000 2000\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\nro\n2000\n");
  create("root", "true", "", "  securityContext: {runAsNonRoot: true}\n");
  until("root", [](const kube::Object& now) {
    return now["status"]["containerStatuses"][0]["state"]["waiting"]["message"].str_or("").starts_with(
        "container has runAsNonRoot and image will run as root");
  });
}

TEST_F(NodeTest, SLOW_ServicesAndNamesReachPods) {
  create("db", "echo data > /tmp/index.html; exec httpd -f -p 5432 -h /tmp",
         "    readinessProbe: {tcpSocket: {port: 5432}}\n");
  auto db = until_ready("db");
  auto ip = db["status"]["podIP"].str_or("");
  apply(
      fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: db, namespace: shop}}\nspec: {{clusterIP: "
                  "10.204.{}.20, ports: [{{port: 80, targetPort: 5432}}], selector: {{app: db}}}}",
                  ::getpid() % 250));
  apply(
      fmt::format("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: db-1, namespace: shop, "
                  "labels: {{kubernetes.io/service-name: db}}}}\n"
                  "addressType: IPv4\nports: [{{name: '', port: 5432, protocol: TCP}}]\nendpoints: [{{addresses: "
                  "['{}'], conditions: {{ready: true}}}}]",
                  ip));
  int host_port = 20000 + ::getpid() % 9000;
  create(
      "door", "echo in > /tmp/index.html; exec httpd -f -p 81 -h /tmp",
      fmt::format("    readinessProbe: {{tcpSocket: {{port: 81}}}}\n    ports: [{{containerPort: 81, hostPort: {}}}]\n",
                  host_port));
  until_ready("door");
  auto fd = must(connect_tcp(ctx_, "127.0.0.1", host_port));
  ASSERT_TRUE(send_all(ctx_, fd.get(), "GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(must(receive_some(ctx_, fd.get(), 4096)).contains(" 200 OK"));
  create("client",
         "for i in 1 2 3 4 5; do wget -qO- http://db/ && exit 0; sleep 0.2; done; cat /etc/resolv.conf; nslookup db; "
         "exit 1",
         "", "  restartPolicy: Never\n");
  until_phase("client", "Succeeded");
  EXPECT_EQ(logs("client"), "data\n");
}

TEST_F(NodeTest, SLOW_ARestartedAgentTakesRunningPodsOver) {
  create("keep", "echo begun; while ! test -e /go; do sleep 0.02; done; echo over; exit 5", "",
         "  restartPolicy: Never\n");
  create("gone", "sleep 1000");
  auto before = until_ready("keep");
  until_ready("gone");
  auto id = before["status"]["containerStatuses"][0]["containerID"].str_or("");
  stop_node();
  ASSERT_TRUE(
      client_->remove(ctx_, pod_kind, {"shop", "gone"}, {.grace_seconds = 0, .uid = {}, .resource_version = {}}));
  start_node();
  ExecOptions go{.container = {}, .command = {"touch", "/go"}};
  for (Result<int> code = 1; !code || *code != 0; code = node_->exec(ctx_, {"shop", "keep"}, go))
    ASSERT_TRUE(sleep(ctx_, Millis(5)));
  auto after = until_phase("keep", "Failed");
  EXPECT_EQ(after["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"].num_or(0), 5);
  EXPECT_EQ(after["status"]["containerStatuses"][0]["containerID"].str_or(""), id);
  EXPECT_EQ(after["status"]["containerStatuses"][0]["restartCount"].num_or(-1), 0);
  EXPECT_EQ(logs("keep"), "begun\nover\n");
}

TEST_F(NodeTest, TellsWhatPodsUse) {
  create("busy", "while :; do :; done");
  create("idle", "sleep 1000");
  until_ready("busy"), until_ready("idle");
  std::map<std::string, PodUsage> used;
  for (auto end = ctx_.within(Millis(10000)); used.size() < 2 && end.alive(); (void)sleep(end, Millis(100)))
    for (auto& usage : must(node_->usage(ctx_, "shop", Millis(300)))) used[usage.pod.name] = usage;
  ASSERT_EQ(used.size(), 2u);
  EXPECT_GT(used["busy"].containers.at(0).cpu_nanos, 20'000'000) << "of a machine that others use as well";
  EXPECT_LT(used["idle"].containers.at(0).cpu_nanos, used["busy"].containers.at(0).cpu_nanos);
  EXPECT_GT(used["idle"].containers.at(0).memory_bytes, 0);
  EXPECT_GE(used["busy"].window, Millis(300));
  EXPECT_TRUE(must(node_->usage(ctx_, "other", Millis(1))).empty());
}

TEST_F(NodeTest, TellsWhatTheMachineIs) {
  auto node = must(kube::await(ctx_, *client_, {"v1", "Node"}, {"", "n1"},
                               [](const kube::Object& n) { return kube::condition_status(n, "Ready") == "True"; }));
  EXPECT_EQ(node.label("kubernetes.io/os"), "linux");
  EXPECT_FALSE(node["status"]["allocatable"]["cpu"].text().empty());
  EXPECT_EQ(node["status"]["addresses"][1]["address"].str_or(""), "n1");
}

TEST_F(NodeTest, SLOW_StartsPodsFast) {
  std::vector<double> taken;
  for (int i = 0; i < 12; ++i) {
    auto begun = std::chrono::steady_clock::now();
    create(fmt::format("p{}", i), "sleep 1000");
    until_ready(fmt::format("p{}", i));
    taken.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  }
  if (std::getenv("SERIES"))
    for (double t : taken) fmt::print("{:.0f} ", t);
  std::sort(taken.begin(), taken.end());
  RecordProperty("p50_ms", std::to_string(taken[6]));
  fmt::print("pod start p50 {:.1f} ms, min {:.1f}, max {:.1f}\n", taken[6], taken.front(), taken.back());
}

}  // namespace
}  // namespace slipway::cluster
