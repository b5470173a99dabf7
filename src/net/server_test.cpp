#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guarded.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "net/client.h"
#include "net/server.h"
#include "net/testing/raw.h"

namespace slipway::net {
namespace {

Response echo(const Ctx& ctx, Request& request) {
  auto body = request.read_body(ctx, 1 << 20);
  if (!body) return Response::error(body.error());
  return Response::text(200, fmt::format("{} {} {}", request.method, request.path, *body));
}

std::unique_ptr<Server> serve_with(Handler handler, ServerOptions options = {}) {
  return must(Server::start(std::move(options), std::move(handler)));
}
std::string url_of(const Server& server, std::string_view path) {
  return fmt::format("http://{}{}", server.address(), path);
}

TEST(Server, AnswersCurlAndKeepsTheConnection) {
  auto server = serve_with(echo);
  auto url = url_of(*server, "/a%20b?x=1");
  auto out = must(run({}, {.argv = {"curl", "-sv", "-d", "hi", url, url}}));
  EXPECT_EQ(out.out, "POST /a b hiPOST /a b hi");
  EXPECT_NE(out.err.find("Re-using existing connection"), std::string::npos) << out.err;
}

TEST(Server, TakesChunkedBodiesAndExpect100) {
  auto server = serve_with(echo);
  auto url = url_of(*server, "/p");
  auto chunked = must(run({}, {.argv = {"curl", "-s", "-H", "Transfer-Encoding: chunked", "-d", "streamed", url}}));
  EXPECT_EQ(chunked.out, "POST /p streamed");
  auto expects = must(run({}, {.argv = {"curl", "-sv", "-H", "Expect: 100-continue", "-d", "later", url}}));
  EXPECT_EQ(expects.out, "POST /p later");
  EXPECT_NE(expects.err.find("100 Continue"), std::string::npos);
}

struct Refused {
  const char* name;
  std::string bytes;
  int status;
};
class Hostile : public testing::TestWithParam<Refused> {};

// One connection a case: the status, and nothing after it.
TEST_P(Hostile, IsRefused) {
  static auto server = serve_with(echo);
  Raw raw(server->port());
  raw.send(GetParam().bytes);
  auto answer = raw.read_to_end();
  ASSERT_TRUE(answer.starts_with("HTTP/1.1 ")) << answer;
  EXPECT_EQ(answer.substr(9, 3), std::to_string(GetParam().status)) << answer;
  EXPECT_EQ(answer.find("\nHTTP/1.1 "), std::string::npos) << "a second answer: " << answer;
}

std::string get(std::string_view headers) { return fmt::format("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", headers); }
std::string post(std::string_view headers, std::string_view body) {
  return fmt::format("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n{}", headers, body);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Hostile,
    testing::ValuesIn(std::vector<Refused>{
        {"Garbage", "\x01\x02\r\n\r\n", 400},
        {"TlsHello", std::string("\x16\x03\x01\x00\x05hello\n\n", 12), 400},
        {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        {"TwoHosts", get("Host: b\r\n"), 400},
        {"BareLf", "GET / HTTP/1.1\nHost: a\n\n", 400},
        {"BareLfInHeaders", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
        {"BareCr", get("X: a\rb\r\n"), 400},
        {"Folded", get("X: a\r\n b\r\n"), 400},
        {"SpaceBeforeColon", get("X : a\r\n"), 400},
        {"NoColon", get("X\r\n"), 400},
        {"NulInValue", get(std::string("X: a\0b\r\n", 8)), 400},
        {"NulInPath", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"BothFramings", post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        {"TwoLengths", post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), 400},
        {"LengthList", post("Content-Length: 1, 1\r\n", "x"), 400},
        {"SignedLength", post("Content-Length: +1\r\n", "x"), 400},
        {"HugeLength", post("Content-Length: 99999999999999999999\r\n", "x"), 400},
        {"HexLength", post("Content-Length: 0x1\r\n", "x"), 400},
        {"GzipCoding", post("Transfer-Encoding: gzip, chunked\r\n", ""), 501},
        {"TwoCodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), 400},
        {"ObfuscatedCoding",
         post("Transfer-Encoding: \x0b"
              "chunked\r\n",
              ""),
         400},
        {"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"NegativeChunk", post("Transfer-Encoding: chunked\r\n", "-1\r\n\r\n"), 400},
        {"ChunkWithoutCr", post("Transfer-Encoding: chunked\r\n", "1\nx\r\n0\r\n\r\n"), 400},
        {"ChunkTooLong", post("Transfer-Encoding: chunked\r\n", "1\r\nxy\r\n0\r\n\r\n"), 400},
        {"HugeChunk", post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n"), 400},
        {"BodyOverLimit", post("Content-Length: 2000000\r\n", "x"), 413},
        {"DotSegments", "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"EncodedDotSegments", "GET /a/%2e%2e/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400},
        {"EncodedSlashDots", "GET /a%2f..%2fb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400},
        {"BadEscape", "GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400},
        {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"Http09", "GET /\r\n\r\n", 400},
        {"Connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 501},
        {"HeadTooLarge", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70000, 'x') + "\r\n\r\n", 431},
        {"EndlessHead", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70000, 'x'), 431},
        {"UnknownExpect", get("Expect: miracles\r\nConnection: close\r\n"), 417},
    }),
    [](const auto& i) { return i.param.name; });

// However the chunks lie in what is read at once, and whatever follows the last.
TEST(Server, ChunksOfEverySizeAreTheirPayload) {
  auto server = serve_with([](const Ctx& ctx, Request& request) {
    std::string all, buffer(70'000, '\0');
    for (;;) {
      auto got = request.body->read(ctx, buffer);
      if (!got || *got == 0) return Response::text(got ? 200 : 400, fmt::format("{} {}", all.size(), sha256_hex(all)));
      all.append(buffer.data(), *got);
    }
  });
  std::string body;
  for (int i = 0; i < 400'000; ++i) body += static_cast<char>(i * 31 + i / 7);
  for (std::size_t piece : {1UL, 7UL, 4096UL, 32768UL, 69'999UL, 400'000UL}) {
    std::string sent = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    auto of = body.substr(0, piece == 1 ? 3000 : body.size());
    for (std::size_t at = 0; at < of.size(); at += piece) {
      auto part = of.substr(at, piece);
      sent += fmt::format("{:x};ext=1\r\n{}\r\n", part.size(), part);
    }
    sent += "0\r\nTrailer: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend";
    Raw raw(server->port());
    raw.send(sent);
    auto answers = raw.read_to_end();
    EXPECT_NE(answers.find(fmt::format("{} {}", of.size(), sha256_hex(of))), std::string::npos) << piece;
    EXPECT_NE(answers.find("3 " + sha256_hex("end")), std::string::npos) << piece;
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  auto server = serve_with(echo);
  Raw raw(server->port());
  raw.send(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none\r\n"  // with a stray empty line
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\ntwo\r\n0\r\nT: r\r\n\r\n"
      "GET /3 HTTP/1.0\r\n\r\n");
  auto text = raw.read_to_end();
  auto one = text.find("POST /1 one"), two = text.find("POST /2 two"), three = text.find("GET /3 ");
  EXPECT_TRUE(one < two && two < three && three != text.npos) << text;
}

TEST(Server, HeadHasALengthAndNoBody) {
  auto server = serve_with(echo);
  Raw raw(server->port());
  raw.send("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  auto text = raw.read_to_end();
  EXPECT_NE(text.find("Content-Length: 8\r\n"), text.npos) << text;
  EXPECT_TRUE(text.ends_with("\r\n\r\n")) << text;
}

TEST(Server, HandlersCannotSplitResponses) {
  auto server = serve_with([](const Ctx&, Request&) {
    auto response = Response::text(200, "ok");
    response.headers.add("X", "a\r\nSet-Cookie: evil");
    return response;
  });
  Raw raw(server->port());
  raw.send(get("Connection: close\r\n"));
  EXPECT_EQ(raw.read_to_end().find("\r\nSet-Cookie"), std::string::npos);
}

TEST(Server, StreamsChunksAsTheyAreWritten) {
  Queue<int> go;
  auto server = serve_with([&](const Ctx&, Request&) {
    Response response;
    response.body = StreamBody([&](const Ctx& ctx, BodyWriter& writer) -> Result<> {
      TRY_OK(writer.write(ctx, "first"));
      TRY(auto ignored, go.pop(ctx));
      (void)ignored;
      return writer.write(ctx, "second");
    });
    return response;
  });
  Raw raw(server->port());
  raw.send(get(""));
  EXPECT_NE(raw.read_until("first").find("Transfer-Encoding: chunked"), std::string::npos);
  go.push(1);
  EXPECT_NE(raw.read_until("0\r\n\r\n").find("6\r\nsecond\r\n"), std::string::npos);
}

TEST(Server, AStreamThatFailsIsAnErrorBeforeItsFirstByteAndBrokenOffAfter) {
  auto server = serve_with([&](const Ctx&, Request& request) {
    Response response;
    response.body = StreamBody([late = request.path == "/late"](const Ctx& ctx, BodyWriter& writer) -> Result<> {
      if (late) TRY_OK(writer.write(ctx, "half"));
      return fail(Kind::not_found, "gone");
    });
    return response;
  });
  Client client;
  EXPECT_EQ(must(client.get({}, url_of(*server, "/early"))).status, 404);
  EXPECT_FALSE(client.get({}, url_of(*server, "/late")));
}

TEST(Server, SendsFilesWhole) {
  auto dir = must(TempDir::make());
  auto file = dir.path() / "big";
  std::string block(1 << 20, '\0');
  Hasher all;
  {
    Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (int i = 0; i < 100; ++i) {
      block[i] = static_cast<char>(i + 1);
      must(write_all(fd.get(), block));
      all.update(block);
    }
  }
  auto server = serve_with([&](const Ctx&, Request&) {
    Response response;
    response.body = FileBody{Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), 0, 100 << 20};
    return response;
  });
  Hasher got;
  Client client;
  auto response = must(client.stream({}, {.url = url_of(*server, "/")}, [&](std::string_view piece) {
    got.update(piece);
    return true;
  }));
  EXPECT_EQ(response.headers.get_or("content-length", ""), std::to_string(100 << 20));
  EXPECT_EQ(got.finish_hex(), all.finish_hex());
}

TEST(Server, ParksHundredsOfStreamsWithoutThreads) {
  Guarded<std::vector<std::shared_ptr<PushStream>>> streams;
  std::condition_variable_any changed;
  std::atomic<int> ended = 0;
  ServerOptions options;
  options.threads = 4;
  auto server = serve_with(
      [&](const Ctx&, Request&) {
        Response response;
        response.body = ParkBody([&](std::shared_ptr<PushStream> stream) {
          stream->on_close([&] { ++ended, changed.notify_all(); });
          streams.lock()->push_back(std::move(stream));
          changed.notify_all();
        });
        return response;
      },
      options);
  constexpr int count = 500;
  std::vector<Raw> raws;
  for (int i = 0; i < count; ++i) {
    raws.emplace_back(server->port());
    raws.back().send(get(""));
  }
  {
    auto all = streams.lock();
    must(all.wait(Ctx().within(Millis(10000)), changed, [&] { return all->size() == count; }));
    EXPECT_LE(threads_of_this_process(), 12);
    for (auto& stream : *all) EXPECT_TRUE(stream->write("news"));
    EXPECT_TRUE(all->front()->write(""));
  }
  for (auto& raw : raws) EXPECT_NE(raw.read_until("news\r\n").find("4\r\n"), std::string::npos);
  for (int i = 0; i < count / 2; ++i) raws[i].close();
  auto half = streams.lock();
  must(half.wait(Ctx().within(Millis(10000)), changed, [&] { return ended == count / 2; }));
  int open = 0;
  for (auto& stream : *half) {
    if (stream->closed()) continue;
    ++open;
    stream->close();
    EXPECT_FALSE(stream->write("late"));
  }
  EXPECT_EQ(open, count / 2);
  must(half.wait(Ctx().within(Millis(10000)), changed, [&] { return ended == count; }));
  // A properly ended stream leaves its connection fit for the next request.
  raws[count - 1].read_until("0\r\n\r\n");
  raws[count - 1].send(get(""));
  must(half.wait(Ctx().within(Millis(10000)), changed, [&] { return half->size() == count + 1; }));
}

TEST(Server, APeerThatDoesNotReadLosesItsStream) {
  Guarded<std::shared_ptr<PushStream>> stream;
  std::condition_variable_any changed;
  std::atomic<bool> ended = false;
  ServerOptions options;
  options.park_limit = 100'000;
  auto server = serve_with(
      [&](const Ctx&, Request&) {
        Response response;
        response.body = ParkBody([&](std::shared_ptr<PushStream> s) {
          s->on_close([&] { ended = true, changed.notify_all(); });
          *stream.lock() = std::move(s);
          changed.notify_all();
        });
        return response;
      },
      options);
  Raw raw(server->port());
  raw.send(get(""));
  auto held = stream.lock();
  must(held.wait(Ctx().within(Millis(5000)), changed, [&] { return *held != nullptr; }));
  std::string block(50'000, 'x');
  int writes = 0;
  while ((*held)->write(block)) ASSERT_LT(++writes, 1000);
  must(held.wait(Ctx().within(Millis(5000)), changed, [&] { return ended.load(); }));
  bool called = false;
  (*held)->on_close([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST(Server, AHandlerIsStoppedWhenItsPeerGoes) {
  Queue<Kind> ends;
  auto server = serve_with([&](const Ctx& ctx, Request&) {
    auto r = sleep(ctx, Millis(20000));
    ends.push(r ? Kind::internal : r.error().kind());
    return Response();
  });
  {
    Raw raw(server->port());
    raw.send(get(""));
  }
  EXPECT_EQ(must(ends.pop(Ctx().within(Millis(5000)))), Kind::cancelled);
}

TEST(Server, StopCancelsHandlersAndEndsStreams) {
  Queue<int> events;
  auto server = serve_with([&](const Ctx& ctx, Request& request) {
    Response response;
    if (request.path == "/park") {
      response.body = ParkBody([&](std::shared_ptr<PushStream> stream) {
        stream->on_close([&] { events.push(2); });
        events.push(1);
      });
      return response;
    }
    events.push(1);
    (void)sleep(ctx, Millis(60000));
    return response;
  });
  Raw slow(server->port()), parked(server->port()), idle(server->port());
  slow.send(get(""));
  (void)must(events.pop(Ctx().within(Millis(5000))));
  auto start = std::chrono::steady_clock::now();
  server->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  (void)slow.read_to_end();
  EXPECT_EQ(idle.read_to_end(), "");
}

TEST(Server, SlowHeadsAreCutOff) {
  ServerOptions options;
  options.head_timeout = Millis(100), options.idle_timeout = Millis(100);
  auto server = serve_with(echo, options);
  Raw silent(server->port()), slow(server->port()), idle(server->port());
  slow.send("GET / HTTP/1.1\r\nHost:");
  idle.send(get(""));
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(slow.read_to_end().substr(0, 12), "HTTP/1.1 408");
  EXPECT_EQ(idle.read_to_end().substr(0, 12), "HTTP/1.1 200");
}

TEST(Server, AStalledBodyTimesOut) {
  ServerOptions options;
  options.transfer_timeout = Millis(100);
  auto server = serve_with(echo, options);
  Raw raw(server->port());
  raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab");
  EXPECT_EQ(raw.read_to_end().substr(0, 12), "HTTP/1.1 504");
}

TEST(Server, RefusingALargeUploadStillDeliversTheAnswer) {
  auto server = serve_with([](const Ctx&, Request&) { return Response::text(401, "who are you"); });
  auto out = must(run({}, {.argv = {"curl", "-s", "-o", "/dev/stdout", "-w", "%{http_code}", "-H",
                                    "Expect:", "--data-binary", "@/dev/stdin", url_of(*server, "/")},
                           .input = std::string(3'000'000, 'x')}));
  EXPECT_EQ(out.out, "who are you401");
}

TEST(Server, UpgradedStreamsGoBothWays) {
  auto server = serve_with([](const Ctx&, Request&) {
    Response response;
    response.headers = {{"Upgrade", "echo"}, {"Connection", "Upgrade"}};
    response.body = UpgradeBody([](const Ctx& ctx, ByteStream& stream) {
      std::array<char, 100> buffer;
      for (;;) {
        auto got = stream.read(ctx, buffer);
        if (!got || *got == 0 || !stream.write(ctx, {buffer.data(), *got})) return;
      }
    });
    return response;
  });
  Raw raw(server->port());
  raw.send(get("Upgrade: echo\r\nConnection: Upgrade\r\n") + "early");
  EXPECT_TRUE(raw.read_until("early").starts_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"));
  raw.send("later");
  EXPECT_EQ(raw.read_until("later"), "later");
  raw.half_close();
  EXPECT_EQ(raw.read_to_end(), "");
}

TEST(Server, APortInUseNamesTheWayOut) {
  auto server = serve_with(echo);
  ServerOptions options;
  options.port = server->port();
  auto second = Server::start(options, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), Kind::unavailable);
  EXPECT_NE(second.error().hint().find("--listen"), std::string::npos);
}

TEST(Router, TakesTheLongestPrefix) {
  auto named = [](std::string name) { return [name](const Ctx&, Request&) { return Response::text(200, name); }; };
  Router router;
  router.mount("", named("rest"));
  router.mount("/v2/", named("registry"));
  router.mount("/v2/special/", named("special"));
  router.mount("/watch", named("watch"));
  for (auto [path, want] : {std::pair{"/v2/x", "registry"},
                            {"/v2", "registry"},
                            {"/v2/special/a", "special"},
                            {"/v22", "rest"},
                            {"/watch", "watch"},
                            {"/watch/x", "watch"},
                            {"/watchlist", "rest"},
                            {"/", "rest"}}) {
    Request request;
    request.path = path;
    EXPECT_EQ(std::get<std::string>(router({}, request).body), want) << path;
  }
}

}  // namespace
}  // namespace slipway::net
