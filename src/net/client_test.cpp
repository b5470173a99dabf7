#include <sys/socket.h>
#include <sys/un.h>

#include "base/encode.h"
#include "base/guarded.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "net/client.h"
#include "net/server.h"
#include "net/testing/raw.h"
#include "net/tls.h"

namespace slipway::net {
namespace {

std::unique_ptr<Server> serve_with(Handler handler, ServerOptions options = {}) {
  return must(Server::start(std::move(options), std::move(handler)));
}
std::string url_of(const Server& server, std::string_view path) {
  return fmt::format("http://{}{}", server.address(), path);
}

TEST(Url, ReadsAndPrints) {
  struct Case {
    const char *in, *out;
  };
  for (auto [in, out] : std::vector<Case>{
           {"http://Host/a?b=c#d", "http://host/a?b=c#d"},
           {"https://user:p%40ss@h:8443", "https://h:8443/"},
           {"http://[::1]:80/x", "http://[::1]:80/x"},
           {"host/path", "error: url \"host/path\": want scheme://host/path"},
           {"http://", "error: url \"http://\": want a host"},
           {"http://h:0/", "error: url \"http://h:0/\": want a port from 1 to 65535"},
           {"http://u:secret@h:x/", "error: url \"***@h:x/\": want a port from 1 to 65535"},
           {"http://h/a b", "error: url \"http://h/a b\": has a space or a control character"},
       }) {
    auto url = parse_url(in);
    EXPECT_EQ(url ? url->print() : "error: " + url.error().what(), out);
  }
  EXPECT_EQ(must(parse_url("https://user:p%40ss@h:8443")).password, "p@ss");
}

TEST(Query, DecodesInOrder) {
  auto query = parse_query("a=1&b=x+y%21&a=2&&flag&bad=%z");
  std::string text;
  for (const auto& [name, value] : query) text += name + "=" + value + ";";
  EXPECT_EQ(text, "a=1;b=x y!;a=2;flag=;bad=%z;");
  EXPECT_EQ(query_value(query, "a"), "1");
  EXPECT_EQ(query_value(query, "no"), "");
}

TEST(Client, SendsEveryMethodAndReusesItsConnection) {
  std::set<std::string> peers;
  std::mutex mutex;
  auto server = serve_with([&](const Ctx& ctx, Request& request) {
    std::lock_guard hold(mutex);
    peers.insert(request.peer);
    auto response = Response::text(200, request.method + " " + must(request.read_body(ctx)) +
                                            std::string(request.headers.get_or("X-Empty", "absent")));
    response.headers.add("X-Twice", "1");
    response.headers.add("X-Twice", "2");
    return response;
  });
  Client client;
  for (auto method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    auto response = must(
        client.send({}, {.method = method, .url = url_of(*server, "/"), .headers = {{"X-Empty", ""}}, .body = "b"}));
    EXPECT_EQ(response.body, std::string(method) + " b");
    EXPECT_EQ(response.headers.all("x-twice").size(), 2u);
  }
  EXPECT_EQ(must(client.send({}, {.method = "HEAD", .url = url_of(*server, "/")})).body, "");
  EXPECT_EQ(must(client.send({}, {.method = "POST", .url = url_of(*server, "/")})).body, "POST absent");
  EXPECT_EQ(peers.size(), 1u);
}

TEST(Client, StreamsUploadsOfKnownAndUnknownSize) {
  auto server = serve_with([](const Ctx& ctx, Request& request) {
    auto body = must(request.read_body(ctx));
    return Response::text(200, fmt::format("{} {} {}", body.size(), request.headers.get_or("Content-Length", "-"),
                                           request.headers.get_or("Transfer-Encoding", "-")));
  });
  Client client;
  for (auto [size, want] :
       {std::pair<std::int64_t, const char*>{1'000'000, "1000000 1000000 -"}, {-1, "1000000 - chunked"}}) {
    std::size_t left = 1'000'000;
    ClientRequest request{.method = "PUT", .url = url_of(*server, "/")};
    request.upload = [&](std::span<char> buffer) {
      auto take = std::min(left, buffer.size());
      std::fill_n(buffer.data(), take, 'x');
      left -= take;
      return take;
    };
    request.upload_size = size;
    EXPECT_EQ(must(client.send({}, std::move(request))).body, want);
  }
}

TEST(Client, IsCancelledAtOnceAndTimesOut) {
  auto server = serve_with([](const Ctx& ctx, Request&) {
    (void)sleep(ctx, Millis(30000));
    return Response();
  });
  Client client;
  std::stop_source stop;
  std::jthread stopper([&] {
    (void)sleep({}, Millis(50));
    stop.request_stop();
  });
  Ctx ctx;
  ctx.stop = stop.get_token();
  auto start = std::chrono::steady_clock::now();
  auto cancelled = client.get(ctx, url_of(*server, "/"));
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().kind(), Kind::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  auto late = client.get(Ctx().within(Millis(50)), url_of(*server, "/"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind(), Kind::timeout);
}

TEST(Client, ErrorsSayWhatToDo) {
  auto server = serve_with([](const Ctx&, Request&) { return Response::text(200, std::string(1000, 'x')); });
  Client client;
  int port = server->port();
  EXPECT_EQ(client.send({}, {.url = url_of(*server, "/"), .limit = 10}).error().kind(), Kind::invalid);
  EXPECT_EQ(client.stream({}, {.url = url_of(*server, "/")}, [](std::string_view) { return false; }).error().kind(),
            Kind::cancelled);
  EXPECT_EQ(client.get({}, "file:///etc/passwd").error().kind(), Kind::invalid);
  EXPECT_EQ(client.send({}, {.url = url_of(*server, "/"), .headers = {{"A", "b\r\nC: d"}}}).error().kind(),
            Kind::invalid);
  server.reset();
  auto refused = client.get({}, fmt::format("http://u:secret@127.0.0.1:{}/", port));
  EXPECT_EQ(refused.error().kind(), Kind::unavailable);
  EXPECT_EQ(refused.error().what().find("secret"), std::string::npos);
}

TEST(Client, RedirectsLeaveCredentialsBehind) {
  auto other = serve_with([](const Ctx&, Request& request) {
    std::string seen;
    for (auto name : {"Authorization", "Cookie", "PRIVATE-TOKEN", "Accept"})
      if (request.headers.get(name)) seen += std::string(name) + " ";
    return Response::text(200, seen);
  });
  auto server = serve_with([&](const Ctx& ctx, Request& request) {
    if (request.path == "/here")
      return Response::text(200, request.method + " " + must(request.read_body(ctx)) +
                                     std::string(request.headers.get_or("Authorization", "")));
    auto response = Response::text(request.path == "/keep" ? 307 : request.path == "/see" ? 303 : 302, "");
    response.headers.add("Location", request.path == "/away"   ? url_of(*other, "/")
                                     : request.path == "/loop" ? "/loop"
                                                               : "here");
    return response;
  });
  Client client;
  ClientRequest request{
      .headers = {{"Authorization", "Bearer x"}, {"Cookie", "a=b"}, {"PRIVATE-TOKEN", "x"}, {"Accept", "*/*"}}};
  auto with = [&](std::string path, std::string method = "GET", std::string body = "") {
    auto copy = request;
    copy.url = url_of(*server, path), copy.method = method, copy.body = body;
    return copy;
  };
  EXPECT_EQ(must(client.send({}, with("/away"))).body, "Accept ");
  auto followed = must(client.send({}, with("/any")));
  EXPECT_EQ(followed.body, "GET Bearer x");
  EXPECT_EQ(followed.url, url_of(*server, "/here"));
  EXPECT_EQ(must(client.send({}, with("/keep", "POST", "b"))).body, "POST bBearer x");
  EXPECT_EQ(must(client.send({}, with("/see", "PUT", "b"))).body, "GET Bearer x");
  EXPECT_EQ(client.send({}, with("/loop")).error().kind(), Kind::invalid);
  auto none = with("/any");
  none.redirects = 0;
  EXPECT_EQ(must(client.send({}, none)).status, 302);
}

TEST(Client, SpeaksToUnixSockets) {
  auto dir = must(TempDir::make());
  auto path = (dir.path() / "s").native();
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  std::jthread peer([&] {
    Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char buffer[4096];
    (void)!::read(fd.get(), buffer, sizeof buffer);
    must(write_all(fd.get(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
  });
  Client client({.unix_socket = path});
  EXPECT_EQ(must(client.get({}, "http://docker/version")).body, "hi");
}

struct Pki {
  KeyPair ca = must(make_ca("test ca"));
  KeyPair server =
      must(issue(ca, {.common_name = "server", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1", "::1"}}));
  KeyPair user = must(issue(ca, {.common_name = "ann", .organizations = {"system:masters", "dev"}, .server = false}));
};

TEST(Tls, ServesBothOnOnePortAndKnowsItsClients) {
  Pki pki;
  ServerOptions options;
  options.certificate_pem = pki.server.certificate_pem, options.key_pem = pki.server.key_pem;
  options.client_ca_pem = pki.ca.certificate_pem;
  auto server = serve_with(
      [](const Ctx&, Request& request) {
        return Response::text(200, fmt::format("{} {} {}", request.tls ? "tls" : "plain", request.client_cert_cn,
                                               request.client_cert_org));
      },
      options);
  auto url = fmt::format("https://{}/", server->address());
  Client anonymous({.ca_pem = pki.ca.certificate_pem});
  EXPECT_EQ(must(anonymous.get({}, url)).body, "tls  ");
  EXPECT_EQ(must(anonymous.get({}, url_of(*server, "/"))).body, "plain  ");
  Client ann({.ca_pem = pki.ca.certificate_pem, .cert_pem = pki.user.certificate_pem, .key_pem = pki.user.key_pem});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(must(ann.get({}, url)).body, "tls ann system:masters,dev");
  EXPECT_EQ(Client().get({}, url).error().kind(), Kind::denied);
  auto stranger = Pki();
  Client wrong(
      {.ca_pem = pki.ca.certificate_pem, .cert_pem = stranger.user.certificate_pem, .key_pem = stranger.user.key_pem});
  EXPECT_FALSE(wrong.get({}, url));
  auto dir = must(TempDir::make());
  must(write_file(dir.path() / "ca", pki.ca.certificate_pem));
  auto curl = must(run({}, {.argv = {"curl", "-s", "--cacert", dir.path() / "ca",
                                     fmt::format("https://localhost:{}/", server->port())}}));
  EXPECT_EQ(curl.out, "tls  ");
}

TEST(Tls, KnowsAServerByAnotherName) {
  auto ca = must(make_ca("ca"));
  auto pair = must(issue(ca, {.common_name = "api", .dns_names = {"api.west.test"}}));
  ServerOptions options;
  options.certificate_pem = pair.certificate_pem, options.key_pem = pair.key_pem;
  auto server = serve_with(
      [](const Ctx&, Request& request) {
        return Response::text(
            200, fmt::format("{} {}", request.headers.get_or("host", ""), query_value(request.query, "x")));
      },
      options);
  auto url = fmt::format("https://{}/api?x=1", server->address());
  EXPECT_FALSE(Client({.ca_pem = ca.certificate_pem}).get({}, url));
  Client named({.ca_pem = ca.certificate_pem, .server_name = "api.west.test"});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(must(named.get({}, url)).body, server->address() + " 1");
  EXPECT_FALSE(Client({.ca_pem = ca.certificate_pem, .server_name = "api.east.test"}).get({}, url));
}

TEST(Client, GoesThroughTheProxyItWasGiven) {
  auto proxy = serve_with([](const Ctx&, Request& request) {
    return Response::text(200, fmt::format("asked for {}{}", request.headers.get_or("host", ""), request.raw_path));
  });
  Client client({.proxy = "http://" + proxy->address()});
  EXPECT_EQ(must(client.get({}, "http://nowhere.test/x")).body, "asked for nowhere.test/x");
}

TEST(Tls, MovesLargeBodiesAndParkedStreams) {
  Pki pki;
  ServerOptions options;
  options.certificate_pem = pki.server.certificate_pem, options.key_pem = pki.server.key_pem;
  auto server = serve_with(
      [](const Ctx& ctx, Request& request) {
        if (request.path == "/echo") return Response::text(200, must(request.read_body(ctx)));
        Response response;
        response.body = ParkBody([](std::shared_ptr<PushStream> stream) {
          for (int i = 0; i < 100; ++i) stream->write(std::string(20'000, 'y'));
          stream->close();
        });
        return response;
      },
      options);
  Client client({.ca_pem = pki.ca.certificate_pem});
  auto url = fmt::format("https://{}", server->address());
  std::string big(5'000'000, 'x');
  EXPECT_TRUE(must(client.send({}, {.method = "POST", .url = url + "/echo", .body = big})).body == big);
  EXPECT_EQ(must(client.get({}, url + "/park")).body, std::string(2'000'000, 'y'));
}

TEST(Tls, RefusesNamesThatAreNoNames) {
  auto ca = must(make_ca("ca"));
  EXPECT_FALSE(issue(ca, {.common_name = "x", .dns_names = {"a,IP:1.2.3.4"}}));
  EXPECT_FALSE(issue(ca, {.common_name = "x", .ip_addresses = {"not an ip"}}));
  EXPECT_FALSE(issue({"junk", "junk"}, {.common_name = "x"}));
  ServerOptions options;
  options.certificate_pem = "junk", options.key_pem = "junk";
  EXPECT_EQ(Server::start(options, [](const Ctx&, Request&) { return Response(); }).error().kind(), Kind::invalid);
}

// The house's own certificate and one that people brought: whoever asks for its name gets it.
TEST(Tls, ShowsTheCertificateThatHasTheName) {
  auto ours = must(make_ca("ours")), theirs = must(make_ca("theirs"));
  auto first = must(issue(ours, {.common_name = "house", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}}));
  auto second = must(issue(theirs, {.common_name = "shop", .dns_names = {"registry.shop.test", "*.apps.test"}}));
  ServerOptions options;
  options.certificate_pem = first.certificate_pem + second.certificate_pem + theirs.certificate_pem;
  options.key_pem = first.key_pem + second.key_pem;
  auto server = serve_with([](const Ctx&, Request&) { return Response::text(200, "hello"); }, options);
  auto dir = must(TempDir::make("slipway-tls"));
  must(write_file(dir.path() / "ours", ours.certificate_pem));
  must(write_file(dir.path() / "theirs", theirs.certificate_pem));
  auto get = [&](const char* ca, const std::string& name) {
    return must(run({}, {.argv = {"curl", "-s", "--cacert", dir.path() / ca, "--resolve",
                                  fmt::format("{}:{}:127.0.0.1", name, server->port()),
                                  fmt::format("https://{}:{}/", name, server->port())}}))
        .out;
  };
  EXPECT_EQ(get("theirs", "registry.shop.test"), "hello");
  EXPECT_EQ(get("theirs", "web.apps.test"), "hello");
  EXPECT_EQ(get("ours", "localhost"), "hello");
  EXPECT_EQ(get("ours", "registry.shop.test"), "");
  Client client({.ca_pem = ours.certificate_pem});
  EXPECT_EQ(must(client.get({}, fmt::format("https://127.0.0.1:{}/", server->port()))).body, "hello");
  options.key_pem = second.key_pem;
  EXPECT_FALSE(Server::start(options, [](const Ctx&, Request&) { return Response(); }))
      << "a certificate without a key";
  options.key_pem = first.key_pem + second.key_pem + must(issue(ours, {.common_name = "x"})).key_pem;
  EXPECT_FALSE(Server::start(options, [](const Ctx&, Request&) { return Response(); }))
      << "a key without a certificate";
}

// An SMTP peer that writes down what it is told.
std::string smtp_session(int listener) {
  Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  std::string all, buffer;
  bool data = false;
  must(write_all(fd.get(), "220 test\r\n"));
  char bytes[4096];
  for (;;) {
    auto got = ::read(fd.get(), bytes, sizeof bytes);
    if (got <= 0) return all;
    buffer.append(bytes, got);
    for (auto end = buffer.find("\r\n"); end != buffer.npos; end = buffer.find("\r\n")) {
      auto line = buffer.substr(0, end);
      buffer.erase(0, end + 2);
      all += line + "\n";
      if (data && line == ".")
        data = false;
      else if (data)
        continue;
      else if (line == "DATA") {
        data = true;
        must(write_all(fd.get(), "354 go\r\n"));
        continue;
      }
      must(write_all(fd.get(), "250 ok\r\n"));
      if (line == "QUIT") return all;
    }
  }
}

TEST(Mail, IsMimeInBothFormsAndUtf8) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  std::string session;
  std::jthread peer([&] { session = smtp_session(listener.get()); });
  Mail mail{"Slipway <ci@example.org>",
            {"a@example.org", "B <b@example.org>"},
            "Déployé ✓",
            "plain ü\n.\nend",
            "<b>html</b>",
            {{"X-Run", "7"}}};
  must(send_mail(Ctx().within(Millis(10000)), {.url = fmt::format("smtp://127.0.0.1:{}", ntohs(address.sin_port))},
                 mail));
  peer.join();
  for (std::string part : {"MAIL FROM:<ci@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>",
                           "From: Slipway <ci@example.org>", "Subject: =?UTF-8?B?RMOpcGxvecOpIOKckw==?=", "X-Run: 7",
                           "multipart/alternative"})
    EXPECT_NE(session.find(part), session.npos) << part << " in\n" << session;
  EXPECT_NE(session.find(to_base64(mail.text)), session.npos);
  EXPECT_NE(session.find(to_base64(mail.html)), session.npos);
}

TEST(Mail, RefusesInjection) {
  SmtpServer server{.url = "smtp://127.0.0.1:1"};
  Mail good{"a@b", {"c@d"}, "s", "t", "", {}};
  for (auto bad : {Mail{"a@b\r\nX: y", {"c@d"}, "s"}, Mail{"a@b", {}, "s"}, Mail{"a@b", {"c@d>\r\nRCPT TO:<e@f"}, "s"},
                   Mail{"a@b", {"c@d"}, "s\r\nBcc: x@y"}})
    EXPECT_EQ(send_mail({}, server, bad).error().kind(), Kind::invalid);
  EXPECT_EQ(send_mail({}, server, good).error().kind(), Kind::unavailable);
}

}  // namespace
}  // namespace slipway::net
