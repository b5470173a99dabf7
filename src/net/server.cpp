#include "net/server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/detail/conn.h"
#include "net/detail/sigpipe.h"

namespace slipway::net {

Response Response::text(int status, std::string body, std::string_view type) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", type);
  response.body = std::move(body);
  return response;
}

Response Response::error(const Error& error) {
  auto response = text(status_of(error.kind()), error.print() + "\n");
  if (auto after = error.retry_after())
    response.headers.add("Retry-After", fmt::format("{}", std::chrono::ceil<std::chrono::seconds>(*after).count()));
  return response;
}

int status_of(Kind kind) {
  switch (kind) {
    case Kind::invalid:
      return 400;
    case Kind::not_found:
      return 404;
    case Kind::conflict:
      return 409;
    case Kind::denied:
      return 403;
    case Kind::unavailable:
      return 503;
    case Kind::timeout:
      return 504;
    case Kind::cancelled:
      return 499;
    case Kind::corrupt:
    case Kind::internal:
      return 500;
  }
  return 500;
}

void Router::mount(std::string prefix, Handler handler) {
  mounts_.emplace_back(std::move(prefix), std::move(handler));
  std::stable_sort(mounts_.begin(), mounts_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

Response Router::operator()(const Ctx& ctx, Request& request) const {
  for (const auto& [prefix, handler] : mounts_) {
    // "/v2/" also takes "/v2", which clients ask without the slash; "/watch" does not take "/watchlist".
    std::string_view path = request.path, name = prefix;
    if (name.ends_with('/')) name.remove_suffix(1);
    if (path.starts_with(name) && (path.size() == name.size() || path[name.size()] == '/'))
      return handler(ctx, request);
  }
  return Response::text(404, fmt::format("{}: nothing is served there\n", request.path));
}

namespace {

Result<Fd> listen_on(const ServerOptions& options) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC, hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  // The name has one address; its IPv4 one is what printed URLs mean.
  std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
  addrinfo* found = nullptr;
  int code = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (code != 0) return fail(Kind::invalid, "listen on {}: {}", options.host, ::gai_strerror(code));
  Finally release([&] { ::freeaddrinfo(found); });
  Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "socket");
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) < 0 || ::listen(fd.get(), SOMAXCONN) < 0) {
    int error = errno;
    auto place = fmt::format("listen on {}:{}", options.host, options.port);
    if (error == EADDRINUSE)
      return Fail(Error(Kind::unavailable, place + ": the port is in use")
                      .with_hint("stop what listens there, or choose another with --listen HOST:PORT"));
    return fail_errno(error, place);
  }
  return fd;
}

int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  return ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port);
}

}  // namespace

struct Server::Rep {
  std::shared_ptr<Core> core;
  std::thread loop;
  int port = 0;
};

Server::Server(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
  ignore_sigpipe();
  if (options.certificate_pem.empty() != options.key_pem.empty())
    return fail(Kind::invalid, "server: want both a certificate and a key, or neither");
  SslContext tls;
  if (!options.certificate_pem.empty()) {
    TRY(tls, make_server_context({options.certificate_pem, options.key_pem, options.client_ca_pem}));
  }
  TRY(auto listener, listen_on(options));
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC)), poke(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !poke) return fail_errno(errno, "epoll");
  auto rep = std::make_unique<Rep>();
  rep->port = port_of(listener.get());
  rep->core = std::make_shared<Core>(std::move(options), std::move(handler), std::move(tls), std::move(listener),
                                     std::move(epoll), std::move(poke));
  rep->loop = std::thread([core = rep->core] { core->run(); });
  return std::unique_ptr<Server>(new Server(std::move(rep)));
}

int Server::port() const { return rep_->port; }

std::string Server::address() const {
  const auto& host = rep_->core->options().host;
  bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, rep_->port) : fmt::format("{}:{}", host, rep_->port);
}

void Server::stop() {
  if (!rep_ || !rep_->loop.joinable()) return;
  rep_->core->stop();
  rep_->loop.join();
}

}  // namespace slipway::net
