#include "image/detail/agent_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <list>
#include <thread>

namespace slipway::image::detail {

namespace {

constexpr std::size_t max_connections = 64;

Result<sockaddr_un> address_of(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    return fail(Kind::invalid, "{}: longer than a socket's name may be", path.native());
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

Result<Fd> connect_to(const fs::path& path) {
  TRY(auto address, address_of(path));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, path.native());
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
    return Fail(Error(Kind::unavailable,
                      fmt::format("{}: no SSH agent listens there ({})", path.native(), std::strerror(errno))));
  return fd;
}

// Moves what is there; false: the side has ended. The other side's writes wait for a slow reader, which here is
// either the agent or a program that asked it something.
bool move(int from, int to) {
  char buffer[16384];
  auto n = ::read(from, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return true;
  if (n <= 0) return false;
  return write_all(to, {buffer, static_cast<std::size_t>(n)}).has_value();
}

}  // namespace

struct AgentSocket::Pair {
  Fd inside, agent;
};

Result<std::unique_ptr<AgentSocket>> AgentSocket::open(const fs::path& agent, const fs::path& folder, unsigned mode,
                                                       uid_t uid, gid_t gid) {
  TRY(auto reached, connect_to(agent));
  std::unique_ptr<AgentSocket> out(new AgentSocket);
  out->agent_ = agent;
  out->socket_ = folder / "agent";
  out->listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out->listener_) return fail_errno(errno, out->socket_.native());
  // Through the folder's descriptor: the folder's own name may be longer than a socket's may be.
  Fd dir(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return fail_errno(errno, folder.native());
  TRY(auto address, address_of(fmt::format("/proc/self/fd/{}/agent", dir.get())));
  if (::bind(out->listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(out->listener_.get(), 16) < 0 || ::chmod(out->socket_.c_str(), mode) < 0 ||
      ::lchown(out->socket_.c_str(), uid, gid) < 0)
    return fail_errno(errno, out->socket_.native());
  out->stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!out->stop_) return fail_errno(errno, "eventfd");
  out->thread_ = std::make_unique<std::thread>([self = out.get()] { self->serve(); });
  return out;
}

AgentSocket::~AgentSocket() {
  if (!thread_) return;
  std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_->join();
}

void AgentSocket::serve() {
  std::list<Pair> pairs;
  for (;;) {
    std::vector<pollfd> fds{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const auto& pair : pairs) {
      fds.push_back({pair.inside.get(), POLLIN, 0});
      fds.push_back({pair.agent.get(), POLLIN, 0});
    }
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    std::size_t at = 2;
    for (auto it = pairs.begin(); it != pairs.end(); at += 2) {
      bool alive = (fds[at].revents == 0 || move(it->inside.get(), it->agent.get())) &&
                   (fds[at + 1].revents == 0 || move(it->agent.get(), it->inside.get()));
      it = alive ? std::next(it) : pairs.erase(it);
    }
    if (fds[1].revents == 0) continue;
    Fd inside(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!inside || pairs.size() >= max_connections) continue;
    if (auto agent = connect_to(agent_)) pairs.push_back({std::move(inside), *std::move(agent)});
  }
}

}  // namespace slipway::image::detail
