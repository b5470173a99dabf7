// The client and registries that lie, stall, are tired, or keep credentials elsewhere.
#include "oci/remote.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "base/encode.h"
#include "base/text.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

// A registry behind a door that may answer for it.
struct Door {
  Host there, here;
  std::function<std::optional<net::Response>(const net::Request&)> instead;  // one at a time
  std::mutex mutex;
  std::vector<std::string> asked;
  std::unique_ptr<net::Server> server;
  std::string layer = std::string(300'000, 'l');
  std::string manifest;

  Door() {
    manifest = there.image("a", layer);
    EXPECT_EQ(there.put("a", "v1", manifest).status, 201);
    server = must(net::Server::start({}, [this, routes = there.registry->routes()](const Ctx& ctx, net::Request& r) {
      {
        std::lock_guard hold(mutex);
        asked.push_back(fmt::format("{} {}", r.method, r.path));
        if (auto other = instead ? instead(r) : std::nullopt) return std::move(*other);
      }
      return routes(ctx, r);
    }));
  }
  std::string blob_path() const { return "/v2/a/blobs/" + Digest::of(layer).str(); }
  Result<Registry::Image> pull(RemoteOptions options = {}, const std::string& what = "/a:v1") {
    if (!options.credentials) options.credentials = [](const std::string&) { return std::nullopt; };
    Remote remote(std::move(options));
    return remote.pull(here.ctx, must(parse_reference(server->address() + what)), *here.registry);
  }
  bool nothing_is_here() {
    return must(here.registry->repositories()).empty() && !here.blobs->contains(Digest::of(layer));
  }
};

net::Response bytes(std::string text) {
  net::Response response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.body = std::move(text);
  return response;
}

struct Lie {
  const char* name;
  const char* path;  // what is answered otherwise ends so
  std::function<net::Response(const Door&)> answer;
  const char* says;
};
class Lies : public testing::TestWithParam<Lie> {};
TEST_P(Lies, AreFoundAndNothingOfThemStays) {
  Door door;
  std::string path = GetParam().path;
  if (path == "layer") path = door.blob_path();
  door.instead = [&](const net::Request& r) {
    return r.path.ends_with(path) ? std::optional(GetParam().answer(door)) : std::nullopt;
  };
  auto got = door.pull();
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().what().contains(GetParam().says)) << got.error().what();
  EXPECT_TRUE(door.nothing_is_here());
}
INSTANTIATE_TEST_SUITE_P(
    Table, Lies,
    testing::ValuesIn(std::to_array<Lie>({
        {"OtherBytes", "layer", [](const Door& d) { return bytes(std::string(d.layer.size(), 'x')); },
         "the bytes have digest"},
        {"FewerBytes", "layer", [](const Door& d) { return bytes(d.layer.substr(1)); }, "the bytes have digest"},
        {"NoBytes", "layer", [](const Door&) { return bytes(""); }, "the bytes have digest"},
        {"NoManifest", "manifests/v1", [](const Door&) { return bytes("<html>sign in to this network</html>"); },
         "manifest"},
        {"AnotherShape", "manifests/v1", [](const Door&) { return net::Response::text(200, "[1]", media::manifest); },
         "manifest"},
        {"NotThere", "layer", [](const Door&) { return net::Response::text(404, "no"); }, "404 Not Found"},
        {"NotForYou", "layer",
         [](const Door&) {
           return net::Response::json(403, R"({"errors":[{"code":"DENIED","message":"pay first"}]})");
         },
         "403 Forbidden: DENIED pay first"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Remote, ADigestIsHeldToItsWord) {
  for (auto algorithm : {Hasher::Algorithm::sha256, Hasher::Algorithm::sha512}) {
    Door door;
    door.instead = [&](const net::Request& r) {
      return r.path.contains("/manifests/") ? std::optional(net::Response::text(200, door.manifest, media::manifest))
                                            : std::nullopt;
    };
    auto wanted = Hasher(algorithm).update("another").finish();
    auto got = door.pull({}, "/a@" + wanted.str());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind(), Kind::corrupt) << got.error().what();
    EXPECT_TRUE(door.nothing_is_here());
  }
}

// More than the manifest says, without end: cut off where it says, not when the disk is full.
TEST(Remote, SLOW_EndlessBlobsAreCutOff) {
  Door door;
  std::atomic<std::uint64_t> sent = 0;
  door.instead = [&](const net::Request& r) -> std::optional<net::Response> {
    if (r.path != door.blob_path()) return std::nullopt;
    net::Response response;
    response.body = net::StreamBody([&](const Ctx& ctx, net::BodyWriter& out) -> Result<> {
      std::string piece(1 << 16, 'l');
      for (int i = 0; i < 10'000; ++i) {
        TRY_OK(out.write(ctx, piece));
        sent += piece.size();
      }
      return {};
    });
    return response;
  };
  auto got = door.pull();
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().what().contains("more than 300000 bytes come")) << got.error().what();
  EXPECT_LT(sent, 100'000'000u);
  EXPECT_TRUE(door.nothing_is_here());
}

TEST(Remote, SLOW_ARegistryThatStallsIsLeft) {
  Door door;
  std::mutex held;
  std::condition_variable_any gone;
  std::atomic<int> tries = 0;
  door.instead = [&](const net::Request& r) -> std::optional<net::Response> {
    if (r.path != door.blob_path()) return std::nullopt;
    ++tries;
    net::Response response;
    response.headers.set("Content-Length", std::to_string(door.layer.size()));
    response.body = net::StreamBody([&](const Ctx& ctx, net::BodyWriter& out) -> Result<> {
      TRY_OK(out.write(ctx, std::string(1000, 'l')));
      std::unique_lock lock(held);
      gone.wait(lock, ctx.stop, [] { return false; });
      return fail(Kind::unavailable, "stalled");
    });
    return response;
  };
  auto got = door.pull({.stall = Millis(50)});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind(), Kind::timeout) << got.error().what();
  EXPECT_TRUE(got.error().what().contains("the peer did nothing for 50 ms")) << got.error().what();
  EXPECT_EQ(tries, 5) << "it goes on a few times, then it is enough";
  EXPECT_TRUE(door.nothing_is_here());
}

// 429: as long as it says, and no more often than needed.
TEST(Remote, ATiredRegistryIsGivenTime) {
  Door door;
  int refused = 0;
  door.instead = [&](const net::Request& r) -> std::optional<net::Response> {
    if (!r.path.ends_with("/manifests/v1") || refused == 2) return std::nullopt;
    ++refused;
    auto response = net::Response::json(429, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slower"}]})");
    response.headers.set("Retry-After", "0");
    return response;
  };
  EXPECT_TRUE(door.pull());
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(std::count(door.asked.begin(), door.asked.end(), "GET /v2/a/manifests/v1"), 3);
  refused = -100;
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto got = remote.manifest(door.here.ctx, must(parse_reference(door.server->address() + "/a:v1")));
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().what().contains("429 Too Many Requests: TOOMANYREQUESTS slower")) << got.error().what();
}

// A mirror that breaks off in the middle: the rest comes from the registry itself.
TEST(Remote, SLOW_ABrokenMirrorSpoilsNothing) {
  Door origin, mirror;
  std::string rest;
  mirror.instead = [&](const net::Request& r) -> std::optional<net::Response> {
    if (r.path != mirror.blob_path()) return net::Response::text(404, "not here");
    if (r.headers.get("range")) return net::Response::text(503, "gone");
    net::Response response;
    response.headers.set("Content-Length", std::to_string(mirror.layer.size()));
    response.body = net::StreamBody([&](const Ctx& ctx, net::BodyWriter& out) -> Result<> {
      TRY_OK(out.write(ctx, mirror.layer.substr(0, 100'000)));
      return fail(Kind::unavailable, "cut off");
    });
    return response;
  };
  origin.instead = [&](const net::Request& r) -> std::optional<net::Response> {
    if (r.path == origin.blob_path()) rest = r.headers.get_or("range", "-");
    return std::nullopt;
  };
  auto got = origin.pull({.mirrors = {{origin.server->address(), "http://" + mirror.server->address()}}});
  ASSERT_TRUE(got) << got.error().what();
  EXPECT_EQ(rest, "bytes=100000-");
}

// A wire to a server that tears once, after so many bytes to it.
class Wire {
 public:
  Wire(int to, std::size_t tears_after) : to_(to), left_(tears_after), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    auto address = at(0);
    socklen_t size = sizeof address;
    SLP_ASSERT(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    SLP_ASSERT(::listen(listener_.get(), 16) == 0);
    SLP_ASSERT(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~Wire() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
  std::string heads() {
    std::lock_guard hold(mutex_);
    return heads_;
  }

 private:
  static sockaddr_in at(int port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(static_cast<std::uint16_t>(port));
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
  }
  void accept_all() {
    std::vector<std::thread> lines;
    for (;;) {
      Fd near(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!near) break;
      lines.emplace_back([this, near = std::move(near)] { relay(near.get()); });
    }
    for (auto& line : lines) line.join();
  }
  void relay(int near) {
    Fd far(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = at(to_);
    if (::connect(far.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    std::array<pollfd, 2> ends{pollfd{near, POLLIN, 0}, pollfd{far.get(), POLLIN, 0}};
    std::string buffer(65536, '\0');
    for (;;) {
      if (::poll(ends.data(), ends.size(), 10'000) <= 0) return;
      for (int i = 0; i < 2; ++i) {
        if (ends[i].revents == 0) continue;
        auto got = ::recv(ends[i].fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) return;
        if (i == 0 && !pass({buffer.data(), static_cast<std::size_t>(got)})) return;
        if (!write_all(ends[1 - i].fd, {buffer.data(), static_cast<std::size_t>(got)})) return;
      }
    }
  }
  bool pass(std::string_view bytes) {
    std::lock_guard hold(mutex_);
    if (bytes.starts_with("P") || bytes.starts_with("GET")) heads_ += bytes.substr(0, bytes.find("\r\n\r\n"));
    if (torn_ || left_ > bytes.size()) {
      left_ -= std::min(left_, bytes.size());
      return true;
    }
    torn_ = true;
    return false;
  }

  int to_, port_ = 0;
  std::size_t left_;
  bool torn_ = false;
  std::mutex mutex_;
  std::string heads_;
  Fd listener_;
  std::thread thread_;
};

TEST(Remote, SLOW_UploadsGoOnWhereTheyBroke) {
  Host there, here;
  std::string layer(3'000'000, '\0');
  for (std::size_t i = 0; i < layer.size(); ++i) layer[i] = static_cast<char>(i * 31 + i / 509);
  auto manifest = here.image("a", layer);
  EXPECT_EQ(here.put("a", "v1", manifest).status, 201);
  Wire wire(there.server->port(), 1'000'000);
  Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  auto pushed = remote.push(here.ctx, *here.registry, "a", "v1", must(parse_reference(wire.address() + "/b:v1")));
  ASSERT_TRUE(pushed) << pushed.error().what();
  EXPECT_EQ(there.send("GET", "/v2/b/manifests/v1").body, manifest);
  EXPECT_TRUE(there.send("GET", "/v2/b/blobs/" + Digest::of(layer).str()).body == layer);
  auto heads = wire.heads();
  auto patch = heads.find("PATCH /v2/b/blobs/uploads/");
  ASSERT_NE(patch, std::string::npos) << heads;
  auto range = heads.find("Content-Range: ", patch);
  ASSERT_NE(range, std::string::npos) << heads;
  EXPECT_GT(to_int(heads.substr(range + 15, heads.find('-', range + 15) - range - 15)).value_or(0), 500'000) << heads;
}

TEST(Remote, LayersNamedBySha512SaySo) {
  Door door;
  auto name = Hasher(Hasher::Algorithm::sha512).update(door.layer).finish();
  EXPECT_EQ(door.there.send("POST", "/v2/a/blobs/uploads/?digest=" + name.str(), door.layer).status, 201);
  Manifest manifest;
  manifest.config = {.media_type = std::string(media::config), .digest = Digest::of("{}"), .size = 2};
  manifest.layers = {{.media_type = std::string(media::layer_tar), .digest = name, .size = door.layer.size()}};
  EXPECT_EQ(door.there.put("a", "long", print(manifest)).status, 201);
  auto got = door.pull({}, "/a:long");
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().what().contains("only sha256 can be pulled")) << got.error().what();
}

// What `docker login`, `podman login` and helpers leave, as Docker's config.json says where.
struct Kept {
  const char* name;
  const char* config;
  const char* host;
  const char* want;  // "user secret", "none", or a part of the error
};
class KeptCredentials : public testing::TestWithParam<Kept> {
 protected:
  void SetUp() override {
    must(make_dirs(dir_.path() / "bin"));
    // A helper as docker-credential-helpers specify them: the server's name comes in, JSON goes out.
    auto helper = dir_.path() / "bin/docker-credential-test";
    must(write_file(helper,
                    "#!/bin/sh\nread server\n[ \"$1\" = get ] || exit 2\n[ \"$server\" != none.test ] || { echo "
                    "'credentials not found in native keychain'; exit 1; }\n[ \"$server\" != broken.test ] || "
                    "{ echo '{'; exit 0; }\necho \"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"of "
                    "$server\\\",\\\"Secret\\\":\\\"s3cret\\\"}\"\n",
                    0755));
    must(write_file(dir_.path() / "config.json", GetParam().config));
    before_ = {std::getenv("PATH"), std::getenv("HOME") != nullptr ? std::getenv("HOME") : ""};
    ::setenv("PATH", fmt::format("{}:{}", (dir_.path() / "bin").native(), before_.first).c_str(), 1);
    ::setenv("HOME", dir_.path().c_str(), 1);
    ::setenv("DOCKER_CONFIG", dir_.path().c_str(), 1);
  }
  void TearDown() override {
    ::setenv("PATH", before_.first.c_str(), 1);
    ::setenv("HOME", before_.second.c_str(), 1);
    ::unsetenv("DOCKER_CONFIG");
  }
  TempDir dir_ = must(TempDir::make("credentials"));
  std::pair<std::string, std::string> before_;
};
TEST_P(KeptCredentials, AreFound) {
  auto found = docker_credentials(Ctx{}, GetParam().host);
  std::string got = !found ? found.error().what() : *found ? (*found)->user + " " + (*found)->secret : "none";
  EXPECT_TRUE(found ? got == GetParam().want : got.contains(GetParam().want)) << got;
}
INSTANTIATE_TEST_SUITE_P(
    Table, KeptCredentials,
    testing::ValuesIn(std::to_array<Kept>({
        {"Auth", R"({"auths":{"r.test":{"auth":"YW5uOnB3OjE="}}})", "r.test", "ann pw:1"},
        {"AuthOfAUrl", R"({"auths":{"https://r.test/v2/":{"auth":"YW5uOnB3"}}})", "r.test", "ann pw"},
        {"DockersHub", R"({"auths":{"https://index.docker.io/v1/":{"auth":"YW5uOnB3"}}})", "docker.io", "ann pw"},
        {"Another", R"({"auths":{"r.test":{"auth":"YW5uOnB3"}}})", "other.test", "none"},
        {"IdentityToken", R"({"auths":{"r.test":{"auth":"YW5uOnB3","identitytoken":"long"}}})", "r.test",
         "<token> long"},
        {"HelperOfOneHost", R"({"credHelpers":{"r.test":"test"}})", "r.test", "of r.test s3cret"},
        {"NoHelperOfAnother", R"({"credHelpers":{"r.test":"test"}})", "other.test", "none"},
        {"HelperOfAll", R"({"credsStore":"test"})", "r.test", "of r.test s3cret"},
        {"HelperOfDockersHub", R"({"credsStore":"test"})", "docker.io", "of https://index.docker.io/v1/ s3cret"},
        {"HelperHasNone", R"({"credsStore":"test","auths":{"none.test":{"auth":"YW5uOnB3"}}})", "none.test", "ann pw"},
        {"HelperIsAway", R"({"credsStore":"absent","auths":{"r.test":{"auth":"YW5uOnB3"}}})", "r.test", "ann pw"},
        {"HelperIsBroken", R"({"credsStore":"test"})", "broken.test", "docker-credential-test"},
        {"HelperIsAPath", R"({"credsStore":"../test"})", "r.test", "want a bare name"},
        {"NoBase64", R"({"auths":{"r.test":{"auth":"!"}}})", "r.test", "want base64 of user:password"},
        {"NoJson", "{", "r.test", "config.json"},
    })),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::oci
