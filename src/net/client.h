#pragma once
// The HTTP client (libcurl): HTTP/1.1 and 2, TLS, proxies from the environment, connections kept.
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/ctx.h"
#include "net/http.h"

namespace slipway::net {

struct ClientOptions {
  std::string ca_pem, cert_pem, key_pem;  // "" for the system's
  bool verify = true;
  std::string unix_socket;
  std::string server_name;  // that certificates are for, asked for by SNI; "": the URL's host
  std::string proxy;        // http, https or socks5 URL; "": what the environment says
  std::string user_agent = "slipway";
  // A transfer that moves less than a byte a second for so long ends with a timeout. 0: it may wait as long as its Ctx.
  std::chrono::seconds stall{0};
};
struct ClientRequest {
  std::string method = "GET", url;
  Headers headers;
  std::string body;
  // Instead of `body`: fills the buffer, 0 at the end. `upload_size` -1: unknown (chunked).
  std::function<std::size_t(std::span<char>)> upload;
  std::int64_t upload_size = -1;
  int redirects = 10;  // credentials are not sent on to another host
  std::size_t limit = std::size_t{256} << 20;
  Millis stall{0};  // when no byte has moved either way for so long: timeout; 0: who asks has time
};
struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
  std::string url;  // after redirects
  bool ok() const { return status >= 200 && status < 300; }
};

// Threads: any; calls run at the same time on connections of their own.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  // A status of 400 or more is not an Error. Errors: unavailable (resolve, connect, reset), timeout, cancelled,
  // denied (certificate), invalid (URL, body over the limit).
  Result<ClientResponse> send(const Ctx& ctx, ClientRequest request);
  Result<ClientResponse> get(const Ctx& ctx, std::string url) { return send(ctx, {.url = std::move(url)}); }
  // The body of a 2xx answer goes to `sink` as it comes; return false to stop (then Error cancelled). Other answers
  // have theirs in ClientResponse::body.
  using Sink = std::function<bool(std::string_view)>;
  Result<ClientResponse> stream(const Ctx& ctx, ClientRequest request, const Sink& sink);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

struct Mail {
  std::string from;
  std::vector<std::string> to;
  std::string subject, text, html;  // html may be empty
  std::vector<std::pair<std::string, std::string>> headers;
};
struct SmtpServer {
  std::string url;  // smtp://host:port or smtps://
  std::string user, password;
  bool require_tls = false;
};
Result<> send_mail(const Ctx& ctx, const SmtpServer& server, const Mail& mail);

}  // namespace slipway::net
