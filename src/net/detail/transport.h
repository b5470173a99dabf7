#pragma once
// A connected socket, plain or TLS, non-blocking underneath. Private to net.
#include <sys/uio.h>

#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/ctx.h"
#include "base/fd.h"

struct ssl_st;
struct ssl_ctx_st;

namespace slipway::net {

void free_ssl(ssl_st* ssl);
void free_ssl_ctx(ssl_ctx_st* ctx);
using Ssl = Owned<ssl_st, free_ssl>;
using SslContext = Owned<ssl_ctx_st, free_ssl_ctx>;

struct TlsServerSettings {
  std::string_view certificate_pem, key_pem, client_ca_pem;
};
Result<SslContext> make_server_context(const TlsServerSettings& settings);

// What a non-blocking step says: bytes moved, or which event to wait for, or the end.
struct Step {
  enum class Want { nothing, read, write, end, failed };
  std::size_t bytes = 0;
  Want want = Want::nothing;
  bool moved() const { return want == Want::nothing; }
  bool blocked() const { return want == Want::read || want == Want::write; }
  short poll_events() const;
};

// Threads: reads by one and writes by another at the same time are fine.
class Transport {
 public:
  explicit Transport(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  bool tls() const { return ssl_ != nullptr; }

  // Server side of a handshake, step by step.
  Result<> begin_tls(ssl_ctx_st* context);
  Step handshake();
  // Of a verified client certificate.
  std::pair<std::string, std::string> peer_name_and_org() const;

  Step read(std::span<char> buffer);
  Step write(std::string_view bytes);
  // Bytes that were decrypted (or can be) without the socket becoming readable again.
  bool pending() const;

  // Blocking forms over the above. `idle` bounds each wait for progress.
  Result<std::size_t> read_some(const Ctx& ctx, std::span<char> buffer, Millis idle);
  Result<> write_all(const Ctx& ctx, std::string_view bytes, Millis idle);
  // Several pieces in one packet where the kernel allows.
  Result<> write_pieces(const Ctx& ctx, std::span<const std::string_view> pieces, Millis idle);
  Result<> send_file(const Ctx& ctx, int file, std::uint64_t offset, std::uint64_t length, Millis idle);

  void close_notify();     // tells a TLS peer that the end is an end
  void shutdown(int how);  // SHUT_WR, SHUT_RDWR

 private:
  Step ssl_step(int result) const;
  Result<> wait_for(const Ctx& ctx, Step step, Millis idle, std::string_view doing) const;
  Fd fd_;
  mutable std::mutex ssl_mutex_;  // one SSL object, two directions
  Ssl ssl_;
};

}  // namespace slipway::net
