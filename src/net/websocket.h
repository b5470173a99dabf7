#pragma once
// The server side of RFC 6455 over a connection that was upgraded.
#include <memory>
#include <string>

#include "net/server.h"

namespace slipway::net {

struct Message {
  bool binary = false;
  std::string data;
};
// Threads: one reader and any number of writers.
class WebSocket {
 public:
  explicit WebSocket(ByteStream& stream, std::size_t limit = 16 << 20);
  ~WebSocket();
  // Nothing: closed by the peer. Pings are answered inside. Errors: invalid (protocol), unavailable.
  Result<std::optional<Message>> receive(const Ctx& ctx);
  Result<> send(const Ctx& ctx, std::string_view data, bool binary);
  Result<> close(const Ctx& ctx, int code = 1000, std::string_view reason = {});

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};
// The 101 response for a request with "Upgrade: websocket", choosing the first of `protocols` that the client
// offers. Errors: invalid (not an upgrade, no common protocol).
Result<Response> accept_websocket(
    const Request& request, const std::vector<std::string>& protocols,
    std::move_only_function<void(const Ctx&, WebSocket&, const std::string& protocol)> session);

}  // namespace slipway::net
