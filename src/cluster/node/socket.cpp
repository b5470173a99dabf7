#include "cluster/node/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <thread>

namespace slipway::cluster {

Result<Fd> connect_tcp(const Ctx& ctx, const std::string& ip, int port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, ip.c_str(), &to.sin_addr) != 1)
    return fail(Kind::invalid, "\"{}\": not an IPv4 address", ip);
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "socket");
  auto where = fmt::format("dial tcp {}:{}", ip, port);
  int error = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 ? errno : 0;
  if (error == EINPROGRESS) {
    auto ready = wait(ctx, fd.get(), POLLOUT);
    if (!ready) return Fail(std::move(ready).error().in(where));
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0)
    return fail(Kind::unavailable, "{}: connect: {}", where,
                error == ECONNREFUSED ? "connection refused" : std::strerror(error));
  return fd;
}

Result<Fd> connect_inside(const Ctx& ctx, const fs::path& netns, const std::string& ip, int port) {
  Result<Fd> connected = fail(Kind::internal, "not connected");
  // A thread of its own: a socket belongs to the namespace its maker is in.
  std::thread([&] {
    Fd ns(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
    if (!ns || ::setns(ns.get(), CLONE_NEWNET) < 0)
      connected = fail_errno(errno, fmt::format("enter {}", netns.string()));
    else
      connected = connect_tcp(ctx, ip, port);
  }).join();
  return connected;
}

Result<> send_all(const Ctx& ctx, int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return fail_errno(errno, "write");
    TRY_OK(wait(ctx, fd, POLLOUT));
  }
  return {};
}

Result<std::string> receive_some(const Ctx& ctx, int fd, std::size_t limit) {
  std::string buffer(limit, '\0');
  for (;;) {
    ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n >= 0) {
      buffer.resize(static_cast<std::size_t>(n));
      return buffer;
    }
    if (errno != EAGAIN && errno != EINTR) return fail_errno(errno, "read");
    TRY_OK(wait(ctx, fd, POLLIN));
  }
}

}  // namespace slipway::cluster
