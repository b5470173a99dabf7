#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "net/detail/conn.h"

namespace slipway::net {
namespace {

constexpr Millis linger_time{2000};
constexpr std::size_t linger_bytes = 4 << 20;

std::string print_peer(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
}

void configure(int fd) {
  int on = 1, idle = 60, interval = 20, count = 3;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A parked stream has no deadline: the kernel finds out that its peer is gone.
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

Clock::time_point now() { return real_clock().now(); }

}  // namespace

Core::Core(ServerOptions options, Handler handler, SslContext tls, Fd listener, Fd epoll, Fd poke)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      tls_(std::move(tls)),
      listener_(std::move(listener)),
      epoll_(std::move(epoll)),
      poke_(std::move(poke)),
      pool_(options_.threads, "net") {
  epoll_event accepts{EPOLLIN, {.u64 = 0}}, pokes{EPOLLIN, {.u64 = 1}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &accepts);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, poke_.get(), &pokes);
}

void Core::run() {
  std::array<epoll_event, 128> events;
  while (!stopping_) {
    int timeout = expire();
    int got = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout);
    for (int i = 0; i < got && !stopping_; ++i) {
      auto id = events[i].data.u64;
      if (id == 1) continue;
      if (id == 0) {
        accept_all();
        continue;
      }
      ConnPtr conn;
      {
        auto conns = conns_.lock();
        if (auto it = conns->find(id); it != conns->end()) conn = it->second;
      }
      if (conn) on_event(conn, events[i].events);
    }
  }
}

std::vector<ConnPtr> Core::everyone() {
  auto conns = conns_.lock();
  std::vector<ConnPtr> all;
  all.reserve(conns->size());
  for (auto& [id, conn] : *conns) all.push_back(conn);
  return all;
}

void Core::stop() {
  if (stopping_.exchange(true)) return;
  std::uint64_t one = 1;
  (void)!::write(poke_.get(), &one, sizeof one);
  auto all = everyone();
  for (const auto& conn : all) {
    std::stop_source request;
    {
      std::lock_guard hold(conn->mutex);
      request = conn->request;
    }
    request.request_stop();
  }
  pool_.stop();
  for (const auto& conn : everyone()) drop(conn);
  listener_.reset();
}

void Core::arm(const Conn& conn, std::uint32_t events) {
  epoll_event event{events | EPOLLONESHOT, {.u64 = conn.id}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, conn.transport.fd(), &event);
}

void Core::accept_all() {
  for (int i = 0; i < 64; ++i) {
    if (conns_.lock()->size() >= options_.max_connections) {
      epoll_event silent{0, {.u64 = 0}};
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), &silent);
      paused_ = true;
      return;
    }
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd fd(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        LOG(warn, "net.accept.no_descriptors", {"error", std::strerror(errno)});
        epoll_event silent{0, {.u64 = 0}};
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), &silent);
        paused_ = true;
      }
      return;
    }
    configure(fd.get());
    auto conn = std::make_shared<Conn>(next_id_++, std::move(fd), print_peer(address));
    conn->deadline = now() + options_.head_timeout;
    if (next_look_ == Clock::time_point::max()) quiet_ = true;
    if (!tls_) conn->state = Conn::State::head;
    conns_.lock()->emplace(conn->id, conn);
    epoll_event event{EPOLLIN | EPOLLONESHOT, {.u64 = conn->id}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, conn->transport.fd(), &event) < 0) drop(conn);
  }
}

void Core::on_event(const ConnPtr& conn, std::uint32_t events) {
  std::unique_lock hold(conn->mutex);
  switch (conn->state) {
    case Conn::State::sniff:
      return sniff(conn);
    case Conn::State::handshake:
      return handshake(conn);
    case Conn::State::head:
      return read_head(conn);
    case Conn::State::lingering:
      return discard(conn);
    case Conn::State::closed:
      return;
    case Conn::State::busy: {
      auto request = conn->request;
      hold.unlock();
      // Outside the lock: what runs on a stop request may be anybody's code.
      if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) request.request_stop();
      return;
    }
    case Conn::State::parked: {
      auto parked = conn->parked;
      auto over = parked->on_event(events, conn->in);
      hold.unlock();
      if (!over) return;
      if (*over == After::abort) return drop(conn);
      finish(conn, *over);
      parked->finished();
      return;
    }
  }
}

void Core::sniff(const ConnPtr& conn) {
  char first = 0;
  auto got = ::recv(conn->transport.fd(), &first, 1, MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return arm(*conn, EPOLLIN);
  if (got <= 0) return forget(conn);
  if (first != 0x16) {  // a TLS record of type handshake
    conn->state = Conn::State::head;
    return read_head(conn);
  }
  if (!conn->transport.begin_tls(tls_.get())) return forget(conn);
  conn->state = Conn::State::handshake;
  handshake(conn);
}

void Core::handshake(const ConnPtr& conn) {
  auto step = conn->transport.handshake();
  if (step.moved()) {
    conn->state = Conn::State::head;
    return read_head(conn);
  }
  if (!step.blocked()) return linger(conn);  // lets the alert arrive
  arm(*conn, step.want == Step::Want::write ? EPOLLOUT : EPOLLIN);
}

// Reads until a whole head is there or nothing is left to read. Under the connection's lock.
void Core::read_head(const ConnPtr& conn) {
  std::array<char, 16384> buffer;
  for (;;) {
    if (!conn->in.empty() && take_head(conn)) return;
    auto step = conn->transport.read(buffer);
    if (step.moved()) {
      if (conn->in.empty()) conn->deadline = now() + options_.head_timeout;
      conn->in.append(buffer.data(), step.bytes);
      continue;
    }
    if (!step.blocked()) return forget(conn);
    if (conn->in.empty()) std::string().swap(conn->in);
    return arm(*conn, step.want == Step::Want::write ? EPOLLOUT : EPOLLIN);
  }
}

// True when the connection went on to a handler or an end.
bool Core::take_head(const ConnPtr& conn) {
  // RFC 9112 section 2.2: empty lines before a request are skipped. They hide nothing.
  if (std::string_view(conn->in).starts_with("\r\n")) {
    conn->in.erase(0, 2);
    if (conn->in.empty()) return false;
  }
  auto end = head_end(conn->in, conn->scanned);
  if ((end && *end > options_.max_head) || (!end && conn->in.size() > options_.max_head)) {
    refuse(conn, {431, fmt::format("a head of more than {} bytes", options_.max_head)});
    return true;
  }
  // No method begins like this: a TLS greeting on a port without TLS. Clients that try https first wait for the answer.
  if (!end && !conn->in.empty() && static_cast<unsigned char>(conn->in[0]) < 0x20 && conn->in[0] != '\r') {
    refuse(conn, {400, "this is no HTTP request, and there is no TLS on this port"});
    return true;
  }
  if (!end) return false;
  auto head = parse_request_head(std::string_view(conn->in).substr(0, *end));
  if (!head) {
    refuse(conn, head.error());
    return true;
  }
  conn->in.erase(0, *end);
  conn->scanned = 0;
  conn->state = Conn::State::busy;
  conn->deadline = Clock::time_point::max();
  conn->request = std::stop_source();
  if (stopping_) {
    forget(conn);
    return true;
  }
  pool_.submit([this, conn, request = std::move(*head)](const Ctx& ctx) mutable {
    serve(ctx, *this, conn, std::move(request));
  });
  return true;
}

void Core::refuse(const ConnPtr& conn, const HeadError& error) {
  auto body = error.what + "\n";
  Headers headers{{"Content-Type", "text/plain; charset=utf-8"}, {"Connection", "close"}};
  auto text = print_head(error.status, headers, fmt::format("Content-Length: {}\r\n", body.size())) + body;
  (void)conn->transport.write(text);  // the first bytes of a fresh or drained socket: they fit
  linger(conn);
}

// Closes our side and reads the rest away for a moment: closing with unread bytes would reset the connection and
// could take our last response with it.
void Core::linger(const ConnPtr& conn) {
  conn->transport.close_notify();
  conn->transport.shutdown(SHUT_WR);
  conn->state = Conn::State::lingering;
  conn->deadline = now() + linger_time;
  conn->lingered = 0;
  std::string().swap(conn->in);
  discard(conn);
}

void Core::discard(const ConnPtr& conn) {
  std::array<char, 16384> buffer;
  while (conn->lingered < linger_bytes) {
    auto got = ::recv(conn->transport.fd(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return arm(*conn, EPOLLIN);
    if (got <= 0) break;
    conn->lingered += got;
  }
  forget(conn);
}

// Under the connection's lock, not parked. The descriptor closes with the last reference.
void Core::forget(const ConnPtr& conn) {
  conn->state = Conn::State::closed;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, conn->transport.fd(), nullptr);
  conns_.lock()->erase(conn->id);
  resume();
}

void Core::resume() {
  if (!paused_.exchange(false)) return;
  epoll_event accepts{EPOLLIN, {.u64 = 0}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), &accepts);
}

void Core::drop(const ConnPtr& conn) {
  std::shared_ptr<Parked> parked;
  {
    std::lock_guard hold(conn->mutex);
    if (conn->state == Conn::State::closed) return;
    parked = std::move(conn->parked);
    conn->transport.shutdown(SHUT_RDWR);
    forget(conn);
  }
  if (parked) parked->finished();
}

void Core::finish(const ConnPtr& conn, After after) {
  std::unique_lock hold(conn->mutex);
  if (conn->state == Conn::State::closed) return;
  if (std::exchange(conn->parked, nullptr)) quiet_ = true;  // this is the loop's thread then
  if (after == After::abort || stopping_) {
    // Unsent bytes of a whole response still go out after shutdown.
    if (after != After::abort) conn->transport.close_notify();
    conn->transport.shutdown(SHUT_RDWR);
    return forget(conn);
  }
  if (after == After::close) return linger(conn);
  conn->state = Conn::State::head;
  conn->scanned = 0;
  conn->deadline = now() + options_.idle_timeout;
  if (!conn->in.empty()) conn->deadline = now() + options_.head_timeout;
  if (!conn->in.empty() || conn->transport.pending()) return read_head(conn);
  std::string().swap(conn->in);
  arm(*conn, EPOLLIN);
}

// Looks at all deadlines, but only when one can have passed: deadlines that are set later than a look lie further
// ahead than `next_look_`.
int Core::expire() {
  auto at = now();
  if (quiet_.exchange(false)) next_look_ = at;
  if (at >= next_look_) look(at);
  if (paused_) {
    if (conns_.lock()->size() < options_.max_connections) resume();
    return 100;
  }
  if (next_look_ == Clock::time_point::max()) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<Millis>(next_look_ - at).count()));
}

void Core::look(Clock::time_point at) {
  auto all = everyone();
  next_look_ = Clock::time_point::max();
  for (const auto& conn : all) {
    std::lock_guard hold(conn->mutex);
    if (conn->state == Conn::State::parked || conn->state == Conn::State::closed) continue;
    if (conn->deadline <= at) {
      bool midway = conn->state == Conn::State::head && !conn->in.empty();
      if (midway)
        refuse(conn, {408, "the head did not arrive in time"});
      else
        forget(conn);
    }
    auto soonest = at + std::min(options_.head_timeout, options_.idle_timeout);
    next_look_ = std::min({next_look_, conn->deadline, soonest});
  }
}

}  // namespace slipway::net
