#include "net/websocket.h"

#include "base/testing/golden.h"
#include "net/detail/frames.h"
#include "net/testing/raw.h"

namespace slipway::net {
namespace {

std::string client_frame(int opcode, std::string data, bool final = true) {
  auto frame = frame_head(static_cast<Opcode>(opcode), data.size());
  if (!final) frame[0] = static_cast<char>(frame[0] & 0x7f);
  frame[1] = static_cast<char>(frame[1] | 0x80);
  const char mask[4] = {'m', 'a', 's', 'k'};
  unmask(mask, 0, data.data(), data.size());
  return frame + std::string(mask, 4) + data;
}

const char* const upgrade =
    "GET /exec HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
    "13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v1, v5.channel.k8s.io\r\n\r\n";

struct EchoServer {
  std::unique_ptr<Server> server = must(Server::start({}, [](const Ctx&, Request& request) {
    auto response = accept_websocket(request, {"v5.channel.k8s.io", "v4.channel.k8s.io"},
                                     [](const Ctx& ctx, WebSocket& socket, const std::string& protocol) {
                                       (void)socket.send(ctx, protocol, false);
                                       for (;;) {
                                         auto message = socket.receive(ctx);
                                         if (!message || !*message) return;
                                         (void)socket.send(ctx, (*message)->data, (*message)->binary);
                                       }
                                     });
    return response ? std::move(*response) : Response::error(response.error());
  }));
  Raw raw{server->port()};
  EchoServer() {
    raw.send(upgrade);
    auto head = raw.read_until("\r\n\r\n");
    // The example of RFC 6455 section 1.3.
    EXPECT_NE(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), head.npos) << head;
    raw.read_until("v5.channel.k8s.io");
  }
};

TEST(WebSocket, EchoesWholeSplitAndLargeMessages) {
  EchoServer echo;
  echo.raw.send(client_frame(1, "hello"));
  EXPECT_EQ(echo.raw.read_until("hello"), "\x81\x05hello");
  echo.raw.send(client_frame(2, "one ", false) + client_frame(9, "ping") + client_frame(0, "two"));
  EXPECT_EQ(echo.raw.read_until("two"), "\x8a\x04ping\x82\x07one two");
  std::string big(300'000, 'x');
  echo.raw.send(client_frame(2, big + "END"));
  auto answer = echo.raw.read_until("END");
  EXPECT_EQ(answer.substr(0, 2), "\x82\x7f");
  EXPECT_EQ(answer.size(), big.size() + 13);
  echo.raw.send(client_frame(8, "\x03\xe8"));
  EXPECT_EQ(echo.raw.read_to_end(), "\x88\x02\x03\xe8");
}

struct Broken {
  const char* name;
  std::string bytes;
  int code;
};
class WebSocketBroken : public testing::TestWithParam<Broken> {};
TEST_P(WebSocketBroken, IsClosedWithItsCode) {
  EchoServer echo;
  echo.raw.send(GetParam().bytes);
  auto answer = echo.raw.read_to_end();
  ASSERT_EQ(answer.size(), 4u);
  EXPECT_EQ(static_cast<unsigned char>(answer[2]) << 8 | static_cast<unsigned char>(answer[3]), GetParam().code);
}
INSTANTIATE_TEST_SUITE_P(Table, WebSocketBroken,
                         testing::ValuesIn(std::vector<Broken>{
                             {"Unmasked", std::string("\x81\x01", 2) + "a", 1002},
                             {"Reserved", std::string("\xc1\x80\0\0\0\0", 6), 1002},
                             {"Opcode", client_frame(3, "a"), 1002},
                             {"LongPing", client_frame(9, std::string(126, 'x')), 1002},
                             {"SplitPing", client_frame(9, "x", false), 1002},
                             {"ContinuesNothing", client_frame(0, "x"), 1002},
                             {"Interrupts", client_frame(1, "x", false) + client_frame(1, "y"), 1002},
                             {"NotUtf8", client_frame(1, "\xff"), 1007},
                             {"TooLarge", std::string("\x82\xff\0\0\0\0\x7f\0\0\0mask", 14), 1009},
                         }),
                         [](const auto& i) { return i.param.name; });

TEST(WebSocket, RefusesWhatIsNoHandshake) {
  auto session = [](const Ctx&, WebSocket&, const std::string&) {};
  Request request;
  request.method = "GET";
  EXPECT_FALSE(accept_websocket(request, {}, session));
  request.headers = {{"Upgrade", "websocket"},
                     {"Connection", "Upgrade"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "short"}};
  EXPECT_FALSE(accept_websocket(request, {}, session));
  request.headers.set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_TRUE(accept_websocket(request, {}, session));
  EXPECT_FALSE(accept_websocket(request, {"v4"}, session));
}

}  // namespace
}  // namespace slipway::net
