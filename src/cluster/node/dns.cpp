#include "cluster/node/dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "cluster/node/socket.h"

namespace slipway::cluster {
namespace {

constexpr Millis kUpstream{2000}, kIdle{10000};
constexpr std::size_t kUdp = 1232;  // what passes any path unfragmented
constexpr unsigned kServFail = 2, kRefused = 5;

sockaddr_in address_of(const std::string& ip, int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, ip.c_str(), &a.sin_addr);
  return a;
}

Result<Fd> listen_on(const DnsOptions& options, int type, int port) {
  Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto a = address_of(options.address, port);
  auto where = fmt::format("dns on {}:{}", options.address, port);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) {
    if (errno == EADDRINUSE) return fail(Kind::unavailable, "{}: another name server listens there", where);
    return fail_errno(errno, where);
  }
  if (type == SOCK_STREAM && ::listen(fd.get(), 64) < 0) return fail_errno(errno, where);
  return fd;
}

Result<std::string> ask_udp(const Ctx& ctx, const std::string& server, std::string_view message) {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  auto to = address_of(server, 53);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 ||
      ::send(fd.get(), message.data(), message.size(), 0) < 0)
    return fail_errno(errno, server);
  for (;;) {
    TRY(auto answer, receive_some(ctx, fd.get(), 65536));
    if (answer.size() >= 12 && answer.substr(0, 2) == message.substr(0, 2)) return answer;
  }
}

std::string framed(std::string_view message) {
  std::string out;
  out += static_cast<char>(message.size() >> 8);
  out += static_cast<char>(message.size());
  out += message;
  return out;
}

// Messages with their length before them, as TCP carries them.
Result<std::string> read_framed(const Ctx& ctx, int fd) {
  std::string buffer;
  for (;;) {
    if (buffer.size() >= 2) {
      std::size_t size =
          static_cast<std::size_t>(static_cast<unsigned char>(buffer[0])) << 8 | static_cast<unsigned char>(buffer[1]);
      if (buffer.size() >= 2 + size) return buffer.substr(2, size);
    }
    TRY(auto piece, receive_some(ctx, fd, 4096));
    if (piece.empty()) return std::string();
    buffer += piece;
  }
}

Result<std::string> ask_tcp(const Ctx& ctx, const std::string& server, std::string_view message) {
  TRY(auto fd, connect_tcp(ctx, server, 53));
  TRY_OK(send_all(ctx, fd.get(), framed(message)));
  return read_framed(ctx, fd.get());
}

}  // namespace

struct DnsServer::Rep {
  const ServiceTable& table;
  DnsOptions options;
  Fd udp, tcp;
  int port = 0;
  std::stop_source stop;
  Pool pool{16, "dns"};
  std::thread thread;

  Rep(const ServiceTable& t, DnsOptions o) : table(t), options(std::move(o)) {}
  void loop();
  void take_datagrams();
  void serve_connection(const Ctx& ctx, const Fd& fd) const;
  // The answer when it can be given at once.
  std::optional<std::string> local(std::string_view message, const DnsQuestion& question, std::size_t limit) const;
  std::string slow(const Ctx& ctx, std::string_view message, const DnsQuestion& question, std::size_t limit,
                   bool stream) const;
  // An alias with its addresses: the resolvers of C libraries do not follow it themselves.
  std::string follow(const Ctx& ctx, std::string_view message, const DnsQuestion& question, DnsAnswer answer,
                     std::size_t limit) const;
  std::string forward(const Ctx& ctx, std::string_view message, const DnsQuestion& question, bool stream) const;
};

std::optional<std::string> DnsServer::Rep::local(std::string_view message, const DnsQuestion& question,
                                                 std::size_t limit) const {
  if ((question.flags & 0x7800) != 0) return dns_failure(message, question, 4);
  bool ours = question.name == kClusterDomain || question.name.ends_with(".cluster.local");
  auto answer = table.resolve(question.name);
  if ((!ours && !answer.exists) || !answer.alias.empty()) return std::nullopt;
  return dns_answer(message, question, answer, limit);
}

std::string DnsServer::Rep::follow(const Ctx& ctx, std::string_view message, const DnsQuestion& question,
                                   DnsAnswer answer, std::size_t limit) const {
  if (auto inside = table.resolve(answer.alias); inside.exists) {
    answer.addresses = inside.addresses;
  } else {
    DnsQuestion alias{.id = question.id, .type = 1, .klass = 1, .flags = 0, .name = answer.alias, .end = 12};
    auto text = dns_question(question.id, answer.alias);
    alias.end = text.size();
    answer.addresses = dns_addresses(forward(ctx, text, alias, false));
  }
  return dns_answer(message, question, answer, limit);
}

std::string DnsServer::Rep::slow(const Ctx& ctx, std::string_view message, const DnsQuestion& question,
                                 std::size_t limit, bool stream) const {
  auto answer = table.resolve(question.name);
  if (!answer.alias.empty()) return follow(ctx, message, question, std::move(answer), limit);
  return forward(ctx, message, question, stream);
}

std::string DnsServer::Rep::forward(const Ctx& ctx, std::string_view message, const DnsQuestion& question,
                                    bool stream) const {
  for (const auto& server : options.upstream) {
    auto limited = ctx.within(kUpstream);
    auto answer = stream ? ask_tcp(limited, server, message) : ask_udp(limited, server, message);
    if (answer && !answer->empty()) return *std::move(answer);
  }
  return dns_failure(message, question, options.upstream.empty() ? kRefused : kServFail);
}

void DnsServer::Rep::take_datagrams() {
  char buffer[4096];
  for (;;) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    ssize_t n = ::recvfrom(udp.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (n < 0) return;
    std::string message(buffer, static_cast<std::size_t>(n));
    auto question = parse_dns_question(message);
    if (!question) continue;
    auto reply = [this, peer](std::string_view answer) {
      (void)::sendto(udp.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
    };
    if (auto answer = local(message, *question, kUdp)) {
      reply(*answer);
      continue;
    }
    pool.submit([this, message, question = *question, reply](const Ctx& task) {
      reply(slow(task, message, question, kUdp, false));
    });
  }
}

void DnsServer::Rep::serve_connection(const Ctx& ctx, const Fd& fd) const {
  auto limited = ctx.within(kIdle);
  for (;;) {
    auto message = read_framed(limited, fd.get());
    if (!message || message->empty()) return;
    auto question = parse_dns_question(*message);
    if (!question) return;
    auto answer = local(*message, *question, 65000);
    if (!send_all(limited, fd.get(), framed(answer ? *answer : slow(limited, *message, *question, 65000, true))))
      return;
  }
}

void DnsServer::Rep::loop() {
  Ctx ctx = Ctx().with_stop(stop.get_token());
  Pipe wake = make_pipe().value_or(Pipe{});
  std::stop_callback poke(stop.get_token(), [&] { (void)::write(wake.write.get(), "x", 1); });
  while (ctx.alive()) {
    pollfd fds[3] = {{udp.get(), POLLIN, 0}, {tcp.get(), POLLIN, 0}, {wake.read.get(), POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0) continue;
    if (fds[0].revents != 0) take_datagrams();
    if (fds[1].revents != 0) {
      auto fd = std::make_shared<Fd>(::accept4(tcp.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (*fd) pool.submit([this, fd](const Ctx& task) { serve_connection(task, *fd); });
    }
  }
}

Result<std::unique_ptr<DnsServer>> DnsServer::start(const ServiceTable& table, DnsOptions options) {
  auto rep = std::make_unique<Rep>(table, std::move(options));
  TRY(rep->udp, listen_on(rep->options, SOCK_DGRAM, rep->options.port));
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ::getsockname(rep->udp.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  rep->port = ntohs(bound.sin_port);
  TRY(rep->tcp, listen_on(rep->options, SOCK_STREAM, rep->port));
  std::unique_ptr<DnsServer> server(new DnsServer(std::move(rep)));
  server->rep_->thread = std::thread([raw = server->rep_.get()] { raw->loop(); });
  return server;
}

DnsServer::DnsServer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
DnsServer::~DnsServer() {
  rep_->stop.request_stop();
  if (rep_->thread.joinable()) rep_->thread.join();
  rep_->pool.stop();
}
int DnsServer::port() const { return rep_->port; }

}  // namespace slipway::cluster
