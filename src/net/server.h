#pragma once
// The HTTP/1.1 server. One port takes plain HTTP and TLS (told apart by the first byte). Idle connections and
// parked streams rest in one epoll loop without a thread; a request in work has a thread of the pool and may block.
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "base/ctx.h"
#include "base/fd.h"
#include "net/http.h"

namespace slipway::net {

// The request's body, read as it comes (Content-Length or chunked; 100-continue is answered on the first read).
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // 0: the end. Errors: unavailable (peer gone), timeout, invalid (broken framing).
  virtual Result<std::size_t> read(const Ctx& ctx, std::span<char> buffer) = 0;
};

struct Request {
  std::string method;    // upper case
  std::string target;    // as sent
  std::string path;      // percent-decoded, dot segments refused
  std::string raw_path;  // as sent
  Query query;
  Headers headers;
  std::string peer;  // "127.0.0.1:51234"
  bool tls = false;
  std::string client_cert_cn;   // subject CN of a verified client certificate, "" for none
  std::string client_cert_org;  // several are joined by ","
  BodyReader* body = nullptr;   // never null in a handler

  std::string query_of(std::string_view name) const { return query_value(query, name); }
  // The whole body. Errors: invalid over the limit (413).
  Result<std::string> read_body(const Ctx& ctx, std::size_t limit = std::size_t{32} << 20);
};

// Where a streaming handler writes; each write is sent at once, chunked (or as it is, when the handler gave a
// Content-Length). The head goes out with the first write, also an empty one: an error before it becomes an ordinary
// error response, one after it breaks the connection off so that the peer cannot take half a body for a whole one.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  virtual Result<> write(const Ctx& ctx, std::string_view bytes) = 0;
};

// A response that stays open without a thread (watches, server-sent events, followed logs). Any thread may push;
// what the peer does not take is buffered up to `limit`, then the stream is closed. Threads: any.
class PushStream {
 public:
  virtual ~PushStream() = default;
  virtual bool write(std::string_view bytes) = 0;  // false: closed
  virtual void close() = 0;                        // ends the body properly
  virtual bool closed() const = 0;
  virtual void on_close(std::function<void()> call) = 0;  // once, from any thread, also when already closed
};

// Both directions after "101 Switching Protocols" (WebSocket, SPDY inside it).
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual Result<std::size_t> read(const Ctx& ctx, std::span<char> buffer) = 0;  // 0: the end
  virtual Result<> write(const Ctx& ctx, std::string_view bytes) = 0;
  virtual void shutdown() = 0;
};

struct FileBody {  // sent with sendfile
  Fd fd;
  std::uint64_t offset = 0, length = 0;
};
using StreamBody = std::move_only_function<Result<>(const Ctx&, BodyWriter&)>;
using ParkBody = std::move_only_function<void(std::shared_ptr<PushStream>)>;
using UpgradeBody = std::move_only_function<void(const Ctx&, ByteStream&)>;

struct Response {
  int status = 200;
  Headers headers;
  std::variant<std::string, FileBody, StreamBody, ParkBody, UpgradeBody> body = std::string();

  static Response text(int status, std::string body, std::string_view type = "text/plain; charset=utf-8");
  static Response json(int status, std::string body) { return text(status, std::move(body), "application/json"); }
  static Response error(const Error& error);  // the status that fits the Kind, message and hint as text
};
int status_of(Kind kind);

using Handler = std::function<Response(const Ctx&, Request&)>;

// Dispatches by the longest mounted path that the request's is or lies below ("/v2/", "/metrics"); "" takes the rest.
class Router {
 public:
  void mount(std::string prefix, Handler handler);
  Response operator()(const Ctx& ctx, Request& request) const;

 private:
  std::vector<std::pair<std::string, Handler>> mounts_;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;                          // 0: any free one
  std::string certificate_pem, key_pem;  // both or neither: TLS
  std::string client_ca_pem;             // asks for client certificates and verifies those given
  std::size_t threads = 64;
  std::size_t max_head = 64 << 10;  // 431 beyond
  Millis head_timeout{10000}, idle_timeout{120000};
  Millis transfer_timeout{60000};       // without a byte moving in a body, either way
  std::size_t max_connections = 10000;  // further ones wait in the kernel's queue
  std::size_t park_limit = 8 << 20;     // what a parked stream buffers for a slow peer before it is closed
};
class Server {
 public:
  // Listens at once. Errors: unavailable (port in use; the hint names --listen), invalid (certificate).
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler);
  ~Server();  // stops: no new requests, running ones are cancelled, waits for them
  int port() const;
  std::string address() const;  // host:port
  void stop();

 private:
  struct Rep;
  explicit Server(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::net
