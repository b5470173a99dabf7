#pragma once
// One connection to an HTTP/1.1 server, head and body apart: for proxies that pass bodies on as they come.
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/ctx.h"
#include "net/http.h"

namespace slipway::net {

// Threads: one; after an upgrade one reader and one writer.
class Upstream {
 public:
  // `address` is an IP address. Errors: unavailable (refused, unreachable), timeout, cancelled, invalid.
  static Result<Upstream> connect(const Ctx& ctx, const std::string& address, int port);
  Upstream(Upstream&&) noexcept;
  Upstream& operator=(Upstream&&) noexcept;
  ~Upstream();

  // `headers` without framing and Connection: `length` says what follows (0 bytes, so many, or -1: chunked). With
  // `upgrade` the connection asks to become that protocol.
  struct Call {
    std::string_view method, target;
    const Headers* headers = nullptr;
    std::optional<std::int64_t> length;  // absent: no body
    std::string_view upgrade;
    std::string_view body;  // sent with the head; more may follow by send()
  };
  Result<> start(const Ctx& ctx, const Call& call);
  Result<> send(const Ctx& ctx, std::string_view bytes);  // framed as start() said
  Result<> finish(const Ctx& ctx);                        // the end of a chunked body
  struct Answer {
    int status = 0;
    Headers headers;
    std::optional<std::uint64_t> length;  // of the body, when it is known
    bool has_body = true;
  };
  // Interim answers are skipped. Errors: unavailable (closed before an answer), invalid (no HTTP), timeout, cancelled.
  Result<Answer> answer(const Ctx& ctx, bool is_head);
  // The body, framing taken off; 0: the end. Errors: unavailable (cut off), invalid, timeout, cancelled.
  Result<std::size_t> read(const Ctx& ctx, std::span<char> buffer);
  // After status 101.
  Result<std::size_t> read_raw(const Ctx& ctx, std::span<char> buffer);
  Result<> write_raw(const Ctx& ctx, std::string_view bytes);
  void shutdown();

  bool finished() const;  // the whole body was read
  // Everything was read and the peer keeps the connection.
  bool reusable() const;
  // Nothing has come since it was put aside: neither an end nor bytes that nobody asked for.
  bool still_quiet() const;

 private:
  struct Rep;
  explicit Upstream(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::net
