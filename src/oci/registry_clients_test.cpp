// Stock clients against our registry, and the reference registry as its peer in both directions.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/encode.h"
#include "base/process.h"
#include "base/text.h"
#include "net/jwt.h"
#include "oci/layer.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

#define NEEDS_PROGRAM(name) \
  if (!find_program(name)) GTEST_SKIP() << "no " name

// ann may do everything below team/, everybody pull below open/.
RegistryOptions rights() {
  auto rules = std::make_shared<const RegistryRules>(must(parse_registry_rules(
      "rights:\n- {who: ann, repositories: 'team/**', may: [pull, push, delete]}\n- {who: anonymous, repositories: "
      "'open/**', may: pull}\n",
      "rules")));
  return {.sign_in = [](std::string_view header) -> std::optional<Who> {
            if (header == "Basic " + to_base64("ann:pw")) return Who{"ann", {}};
            return std::nullopt;
          },
          .rules = [rules] { return rules; },
          .token_key_pem = must(net::make_signing_key()),
          .pushed = {}};
}

Digest put_image(Host& host, const std::string& repository, const std::string& tag) {
  auto folder = host.dir.path() / "layer";
  must(make_dirs(folder / "etc"));
  must(write_file(folder / "etc/motd", "hello from " + tag + "\n"));
  auto layer = must(pack_layer(host.ctx, *host.blobs, folder, {}));
  Config config;
  config.diff_ids = {layer.diff_id};
  config.cmd = {"/bin/true"};
  auto text = print(config);
  Manifest manifest;
  manifest.config = {
      .media_type = std::string(media::config), .digest = must(host.blobs->put(text)), .size = text.size()};
  manifest.layers = {layer.descriptor};
  return must(host.registry->put_manifest(repository, tag, media::manifest, print(manifest))).digest;
}

// Runs it; gives exit status and all it said.
std::string said(Host& host, std::vector<std::string> argv, int want = 0) {
  auto output = must(run(host.ctx.within(Millis(100'000)),
                         {.argv = std::move(argv), .extra_env = {{"HOME", host.dir.path().native()}}}));
  EXPECT_EQ(output.code == 0, want == 0) << output.out << output.err;
  return output.out + output.err;
}

void expect_words(const std::string& output, std::string_view words) {
  EXPECT_TRUE(output.contains(words)) << "want \"" << words << "\" in: " << output;
}

std::vector<std::string> plus(std::vector<std::string> head, std::initializer_list<std::string> more) {
  head.insert(head.end(), more.begin(), more.end());
  return head;
}

TEST(Clients, SLOW_SkopeoSignsInByToken) {
  NEEDS_PROGRAM("skopeo");
  Host host(rights());
  auto digest = put_image(host, "open/web", "v1");
  auto at = "docker://" + host.server->address();
  auto copy = [&](const std::string& to, std::vector<std::string> with, int want) {
    auto argv = plus({"skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests"}, {});
    argv.insert(argv.end(), with.begin(), with.end());
    return said(host, plus(std::move(argv), {at + "/open/web:v1", at + to}), want);
  };
  copy("/team/web:v1", {"--dest-creds", "ann:pw"}, 0);
  EXPECT_EQ(must(host.registry->image("team/web", "v1")).digest, digest);
  expect_words(copy("/other/web:v1", {"--dest-creds", "ann:pw"}, 1), "other/web: 403 (Forbidden)");
  expect_words(copy("/team/web:v2", {"--dest-creds", "ann:wrong"}, 1), "unauthorized");
  expect_words(copy("/team/web:v2", {"--dest-no-creds"}, 1), "denied: requested access to the resource is denied");
  auto tags = said(host, {"skopeo", "list-tags", "--tls-verify=false", "--creds", "ann:pw", at + "/team/web"});
  EXPECT_TRUE(tags.contains("\"v1\"")) << tags;
  said(host, {"skopeo", "delete", "--tls-verify=false", "--creds", "ann:pw", at + "/team/web:v1"});
  EXPECT_FALSE(must(host.registry->manifest("team/web", "v1")));
}

TEST(Clients, SLOW_PodmanPullsAndPushes) {
  NEEDS_PROGRAM("podman");
  if (::geteuid() != 0) GTEST_SKIP() << "podman's store wants root here";
  Host host(rights());
  put_image(host, "open/web", "v1");
  auto in = [&](const char* name) { return (host.dir.path() / name).native(); };
  std::vector<std::string> podman{"podman",   "--root",  in("store"),        "--runroot", in("run"),
                                  "--tmpdir", in("tmp"), "--storage-driver", "vfs"};
  auto address = host.server->address();
  said(host, plus(podman, {"pull", "--tls-verify=false", address + "/open/web:v1"}));
  EXPECT_TRUE(
      said(host,
           plus(podman, {"login", "--tls-verify=false", "--authfile", in("auth"), "-u", "ann", "-p", "wrong", address}),
           1)
          .contains("invalid username/password"));
  said(host, plus(podman, {"login", "--tls-verify=false", "--authfile", in("auth"), "-u", "ann", "-p", "pw", address}));
  said(host, plus(podman, {"push", "--tls-verify=false", "--authfile", in("auth"), address + "/open/web:v1",
                           address + "/team/web:v2"}));
  EXPECT_EQ(must(host.registry->image("team/web", "v2")).manifest.layers.size(), 1u);
  expect_words(said(host,
                    plus(podman, {"push", "--tls-verify=false", "--authfile", in("auth"), address + "/open/web:v1",
                                  address + "/other/web:v2"}),
                    125),
               "other/web: 403 (Forbidden)");
}

TEST(Clients, SLOW_OrasPushesAttachesAndDiscovers) {
  if (!find_program("oras")) GTEST_SKIP() << "no oras: Debian 12 has none; script/setup builds it where Go is";
  Host host(rights());
  auto address = host.server->address();
  auto folder = host.dir.path() / "work";
  must(make_dirs(folder));
  must(write_file(folder / "notes.txt", "some notes\n"));
  must(write_file(folder / "sbom.json", "{\"sbom\":1}\n"));
  auto oras = [&](std::vector<std::string> argv, int want = 0) {
    argv.insert(argv.begin(), "oras");
    auto output =
        must(run(host.ctx.within(Millis(100'000)),
                 {.argv = std::move(argv), .extra_env = {{"HOME", host.dir.path().native()}}, .cwd = folder.native()}));
    EXPECT_EQ(output.code, want) << output.out << output.err;
    return output.out + output.err;
  };
  std::vector<std::string> ann{"--plain-http", "-u", "ann", "-p", "pw"};
  auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), ann.begin(), ann.end());
    return words;
  };
  oras(with({"push", address + "/team/thing:v1", "--artifact-type", "x/thing", "notes.txt:text/plain"}));
  oras(with({"attach", address + "/team/thing:v1", "--artifact-type", "application/vnd.cyclonedx+json",
             "sbom.json:application/vnd.cyclonedx+json"}));
  auto found = oras(with({"discover", address + "/team/thing:v1", "--format", "json"}));
  EXPECT_TRUE(found.contains("application/vnd.cyclonedx+json")) << found;
  must(remove_tree(folder / "notes.txt"));
  oras(with({"pull", address + "/team/thing:v1"}));
  EXPECT_EQ(must(read_file(folder / "notes.txt")), "some notes\n");
  oras({"cp", "-r", "--from-plain-http", "--to-plain-http", "--from-username", "ann", "--from-password", "pw",
        "--to-username", "ann", "--to-password", "pw", address + "/team/thing:v1", address + "/team/copy:v1"});
  auto top = must(host.registry->manifest("team/copy", "v1"));
  ASSERT_TRUE(top);
  EXPECT_EQ(must(host.registry->referrers("team/copy", top->descriptor.digest)).size(), 1u) << "its SBOM came along";
  EXPECT_TRUE(oras(with({"repo", "tags", address + "/team/thing"})).contains("v1"));
  oras(with({"manifest", "delete", "--force", address + "/team/thing:v1"}));
  EXPECT_FALSE(must(host.registry->manifest("team/thing", "v1")));
}

// A containerd of the test's own.
struct Containerd {
  fs::path root;
  std::optional<Child> daemon;
  explicit Containerd(const fs::path& at) : root(at) {
    must(make_dirs(root));
    must(write_file(root / "config.toml",
                    fmt::format("version = 2\nroot = '{0}/root'\nstate = '{0}/state'\ndisabled_plugins = "
                                "['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']\n[grpc]\naddress = "
                                "'{0}/sock'\n",
                                root.native())));
    daemon = must(Child::start({.argv = {"containerd", "-c", (root / "config.toml").native()}}, {}));
  }
  ~Containerd() {
    daemon->signal(SIGTERM);
    (void)daemon->wait(Ctx{}.within(Millis(10'000)));
  }
  std::vector<std::string> ctr(std::initializer_list<std::string> more) const {
    return plus({"ctr", "-a", (root / "sock").native()}, more);
  }
};

TEST(Clients, SLOW_ContainerdPullsPushesAndMirrors) {
  NEEDS_PROGRAM("containerd");
  NEEDS_PROGRAM("ctr");
  if (::geteuid() != 0) GTEST_SKIP() << "containerd wants root";
  Host host(rights());
  auto digest = put_image(host, "open/web", "v1");
  Containerd containerd(host.dir.path() / "containerd");
  auto address = host.server->address();
  for (int i = 0; i < 200 && !path_exists(containerd.root / "sock"); ++i) must(sleep(host.ctx, Millis(50)));
  auto name = address + "/open/web:v1";
  said(host, containerd.ctr({"images", "pull", "--plain-http", "--snapshotter", "native", name}));
  said(host, containerd.ctr({"images", "tag", name, address + "/team/web:v1"}));
  said(host, containerd.ctr({"images", "push", "--plain-http", "--user", "ann:pw", address + "/team/web:v1"}));
  EXPECT_EQ(must(host.registry->image("team/web", "v1")).digest, digest);
  said(host, containerd.ctr({"images", "push", "--plain-http", address + "/team/web:v1"}), 1);

  // As the mirror of a host that only we know: containerd asks with ?ns=.
  auto rules = std::make_shared<const RegistryRules>(
      must(parse_registry_rules(fmt::format("mirrors:\n- {{host: hub.test, url: 'http://{}'}}\n", address), "rules")));
  Host mirror(RegistryOptions{.sign_in = {}, .rules = [rules] { return rules; }, .token_key_pem = {}, .pushed = {}});
  auto hosts = host.dir.path() / "hosts/hub.test";
  must(make_dirs(hosts));
  must(write_file(hosts / "hosts.toml",
                  fmt::format("server = 'http://127.0.0.1:1'\n[host.'http://{}']\ncapabilities = ['pull', 'resolve']\n",
                              mirror.server->address())));
  said(host, containerd.ctr({"images", "pull", "--hosts-dir", (host.dir.path() / "hosts").native(), "--snapshotter",
                             "native", "hub.test/open/web:v1"}));
  EXPECT_EQ(must(mirror.registry->manifest("hub.test/open/web", "v1"))->descriptor.digest, digest);
}

int free_port() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  SLP_ASSERT(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  SLP_ASSERT(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

struct DockerRegistry {
  std::string address;
  std::optional<Child> daemon;
  DockerRegistry(Host& host, const std::string& name, const std::string& more = {}) {
    auto root = host.dir.path() / name;
    must(make_dirs(root));
    address = fmt::format("127.0.0.1:{}", free_port());
    must(write_file(root / "config.yml",
                    fmt::format("version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}, "
                                "delete: {{enabled: true}}}}\nhttp: {{addr: '{}'}}\n{}",
                                (root / "data").native(), address, more)));
    daemon = must(Child::start({.argv = {"docker-registry", "serve", (root / "config.yml").native()}}, {}));
    for (int i = 0; i < 200; ++i) {
      auto r = host.client.get(host.ctx, fmt::format("http://{}/v2/", address));
      if (r && r->status == 200) return;
      must(sleep(host.ctx, Millis(50)));
    }
    ADD_FAILURE() << "docker-registry does not start";
  }
  ~DockerRegistry() { daemon->signal(SIGKILL); }
};

TEST(Clients, SLOW_TheReferenceRegistryIsAPeerBothWays) {
  NEEDS_PROGRAM("docker-registry");
  NEEDS_PROGRAM("skopeo");
  Host host;
  auto digest = put_image(host, "shop/web", "v1");
  auto ours = "docker://" + host.server->address();
  DockerRegistry peer(host, "peer");
  auto copy = [&](const std::string& from, const std::string& to) {
    said(host, {"skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests", from, to});
  };
  copy(ours + "/shop/web:v1", "docker://" + peer.address + "/shop/web:v1");
  copy("docker://" + peer.address + "/shop/web:v1", ours + "/back/web:v1");
  EXPECT_EQ(must(host.registry->image("back/web", "v1")).digest, digest);

  // It mirrors us.
  DockerRegistry through(host, "through", fmt::format("proxy: {{remoteurl: 'http://{}'}}\n", host.server->address()));
  auto out = host.dir.path() / "out";
  copy("docker://" + through.address + "/shop/web:v1", "dir:" + out.native());
  EXPECT_EQ(Digest::of(must(read_file(out / "manifest.json"))), digest);

  // We mirror it.
  auto rules = std::make_shared<const RegistryRules>(must(
      parse_registry_rules(fmt::format("mirrors:\n- {{host: peer.test, url: 'http://{}'}}\n", peer.address), "rules")));
  Host mirror(RegistryOptions{.sign_in = {}, .rules = [rules] { return rules; }, .token_key_pem = {}, .pushed = {}});
  auto again = host.dir.path() / "again";
  copy("docker://" + mirror.server->address() + "/peer.test/shop/web:v1", "dir:" + again.native());
  EXPECT_EQ(Digest::of(must(read_file(again / "manifest.json"))), digest);
  peer.daemon->signal(SIGKILL);
  must(remove_tree(again));
  copy("docker://" + mirror.server->address() + "/peer.test/shop/web:v1", "dir:" + again.native());
  EXPECT_EQ(Digest::of(must(read_file(again / "manifest.json"))), digest) << "also when it is away";
}

}  // namespace
}  // namespace slipway::oci
