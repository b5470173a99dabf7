#include "net/upstream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/text.h"
#include "net/detail/head.h"
#include "net/detail/sigpipe.h"
#include "net/detail/transport.h"

namespace slipway::net {
namespace {

constexpr std::size_t max_head = 64 << 10;
constexpr Millis forever{1000LL * 3600 * 24 * 365};  // the context bounds it

}  // namespace

struct Upstream::Rep {
  explicit Rep(Fd fd) : transport(std::move(fd)) {}
  Transport transport;
  std::string in;
  bool sends_chunked = false;
  Framing framing;
  ChunkReader chunks;
  bool keep_alive = false, done = false;

  Result<> fill(const Ctx& ctx) {
    std::array<char, 16384> buffer;
    TRY(auto got, transport.read_some(ctx, buffer, forever));
    if (got == 0) return fail(Kind::unavailable, "the connection was closed");
    in.append(buffer.data(), got);
    return {};
  }
  Result<std::size_t> take(const Ctx& ctx, std::span<char> buffer) {
    if (in.empty()) return transport.read_some(ctx, buffer, forever);
    auto size = std::min(buffer.size(), in.size());
    std::memcpy(buffer.data(), in.data(), size);
    in.erase(0, size);
    return size;
  }
  Result<std::size_t> read_chunked(const Ctx& ctx, std::span<char> buffer);
};

Upstream::Upstream(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Upstream::Upstream(Upstream&&) noexcept = default;
Upstream& Upstream::operator=(Upstream&&) noexcept = default;
Upstream::~Upstream() = default;

Result<Upstream> Upstream::connect(const Ctx& ctx, const std::string& address, int port) {
  ignore_sigpipe();
  sockaddr_storage place{};
  socklen_t size = 0;
  auto& v4 = reinterpret_cast<sockaddr_in&>(place);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(place);
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET, v4.sin_port = htons(static_cast<std::uint16_t>(port)), size = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6, v6.sin6_port = htons(static_cast<std::uint16_t>(port)), size = sizeof v6;
  } else {
    return fail(Kind::invalid, "connect to \"{}\": want an IP address", address);
  }
  Fd fd(::socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "socket");
  int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto doing = fmt::format("connect to {}:{}", address, port);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&place), size) < 0) {
    if (errno != EINPROGRESS) return fail(Kind::unavailable, "{}: {}", doing, std::strerror(errno));
    TRY_OK_IN(doing, wait(ctx, fd.get(), POLLOUT));
    int error = 0;
    socklen_t error_size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0) return fail(Kind::unavailable, "{}: {}", doing, std::strerror(error));
  }
  return Upstream(std::make_unique<Rep>(std::move(fd)));
}

Result<> Upstream::start(const Ctx& ctx, const Call& call) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", call.method, call.target);
  for (const auto& [name, value] : call.headers->list()) {
    head += name;
    head += ": ";
    head += value;
    head += "\r\n";
  }
  if (!call.upgrade.empty()) head += fmt::format("Connection: Upgrade\r\nUpgrade: {}\r\n", call.upgrade);
  rep_->sends_chunked = call.length && *call.length < 0;
  if (rep_->sends_chunked)
    head += "Transfer-Encoding: chunked\r\n";
  else if (call.length)
    head += fmt::format("Content-Length: {}\r\n", *call.length);
  head += "\r\n";
  rep_->done = false;
  const std::string_view pieces[] = {head, call.body};
  return rep_->transport.write_pieces(ctx, pieces, forever);
}

Result<> Upstream::send(const Ctx& ctx, std::string_view bytes) {
  if (bytes.empty()) return {};
  if (!rep_->sends_chunked) return rep_->transport.write_all(ctx, bytes, forever);
  auto size = fmt::format("{:x}\r\n", bytes.size());
  const std::string_view pieces[] = {size, bytes, "\r\n"};
  return rep_->transport.write_pieces(ctx, pieces, forever);
}

Result<> Upstream::finish(const Ctx& ctx) {
  return rep_->sends_chunked ? rep_->transport.write_all(ctx, "0\r\n\r\n", forever) : Result<>{};
}

Result<Upstream::Answer> Upstream::answer(const Ctx& ctx, bool is_head) {
  auto& r = *rep_;
  for (;;) {
    std::size_t scanned = 0;
    std::optional<std::size_t> end;
    while (!(end = head_end(r.in, scanned))) {
      if (r.in.size() > max_head) return fail(Kind::invalid, "an answer's head of more than {} bytes", max_head);
      TRY_OK(r.fill(ctx));
    }
    auto head = parse_response_head(std::string_view(r.in).substr(0, *end));
    if (!head) return fail(Kind::invalid, "the answer is broken: {}", head.error().what);
    r.in.erase(0, *end);
    if (head->status < 200 && head->status != 101) continue;
    bool bare = is_head || head->status == 204 || head->status == 304 || head->status == 101;
    // Without a length such an answer still ends with its head.
    r.keep_alive = bare ? head->status != 101 && !has_word(head->headers, "Connection", "close") && head->minor == 1
                        : head->keep_alive;
    r.framing = head->framing;
    r.chunks = ChunkReader();
    r.done = bare || (r.framing.kind == Framing::Kind::length && r.framing.length == 0);
    Answer answer{head->status, std::move(head->headers), std::nullopt, !bare};
    if (r.framing.kind == Framing::Kind::length) answer.length = r.framing.length;
    return answer;
  }
}

Result<std::size_t> Upstream::Rep::read_chunked(const Ctx& ctx, std::span<char> buffer) {
  for (;;) {
    if (in.empty()) TRY_OK(fill(ctx));
    TRY(auto piece, chunks.next(std::string_view(in).substr(0, buffer.size())));
    auto size = piece.payload.size();
    std::memcpy(buffer.data(), piece.payload.data(), size);
    in.erase(0, piece.consumed);
    done = chunks.done();
    if (size > 0 || done) return size;
  }
}

Result<std::size_t> Upstream::read(const Ctx& ctx, std::span<char> buffer) {
  auto& r = *rep_;
  if (r.done || buffer.empty()) return std::size_t{0};
  if (r.framing.kind == Framing::Kind::chunked) return r.read_chunked(ctx, buffer);
  bool counted = r.framing.kind == Framing::Kind::length;
  if (counted) buffer = buffer.first(std::min<std::uint64_t>(buffer.size(), r.framing.length));
  TRY(auto got, r.take(ctx, buffer));
  if (counted && got == 0)
    return fail(Kind::unavailable, "the body was cut off, {} bytes are missing", r.framing.length);
  if (counted) r.framing.length -= got;
  r.done = counted ? r.framing.length == 0 : got == 0;
  return got;
}

Result<std::size_t> Upstream::read_raw(const Ctx& ctx, std::span<char> buffer) { return rep_->take(ctx, buffer); }
Result<> Upstream::write_raw(const Ctx& ctx, std::string_view bytes) {
  return rep_->transport.write_all(ctx, bytes, forever);
}
void Upstream::shutdown() { rep_->transport.shutdown(SHUT_RDWR); }
bool Upstream::finished() const { return rep_->done; }
bool Upstream::reusable() const { return rep_->done && rep_->keep_alive && rep_->in.empty(); }

bool Upstream::still_quiet() const {
  char byte;
  auto got = ::recv(rep_->transport.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && errno == EAGAIN;
}

}  // namespace slipway::net
