#include "git/detail/upload.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "git/detail/pktline.h"

namespace slipway::git {
namespace {

Command upload_command(const UploadRequest& request) {
  Command command;
  command.argv = {"git", "upload-pack", "--stateless-rpc"};
  if (request.advertise) command.argv.emplace_back("--http-backend-info-refs");
  command.argv.push_back(request.repository.string());
  // Nobody's own configuration; any commit may be asked for by its id, since a run fetches exactly the one it is for.
  const std::pair<std::string_view, std::string_view> settings[] = {
      {"safe.directory", "*"}, {"uploadpack.allowFilter", "true"}, {"uploadpack.allowAnySHA1InWant", "true"}};
  std::map<std::string, std::string> env = {
      {"GIT_CONFIG_NOSYSTEM", "1"}, {"GIT_CONFIG_GLOBAL", "/dev/null"}, {"LC_ALL", "C"}};
  if (const char* path = ::getenv("PATH")) env["PATH"] = path;
  int count = 0;
  for (auto [key, value] : settings) {
    env[fmt::format("GIT_CONFIG_KEY_{}", count)] = key;
    env[fmt::format("GIT_CONFIG_VALUE_{}", count++)] = value;
  }
  env["GIT_CONFIG_COUNT"] = std::to_string(count);
  if (!request.protocol.empty()) env["GIT_PROTOCOL"] = request.protocol;
  command.env = std::move(env);
  return command;
}

Result<Fd> memory_file(std::string_view bytes) {
  Fd fd(::memfd_create("git", MFD_CLOEXEC));
  if (!fd) return fail_errno(errno, "memfd");
  TRY_OK(write_all(fd.get(), bytes));
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) return fail_errno(errno, "memfd");
  return fd;
}

struct Running {
  Child child;
  Fd output, errors;
};

Result<> pump(const Ctx& ctx, Running& running, net::BodyWriter& writer) {
  std::vector<char> buffer(std::size_t{64} << 10);
  for (;;) {
    TRY_OK(wait(ctx, running.output.get(), POLLIN));
    auto n = ::read(running.output.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "git upload-pack");
    if (n == 0) break;
    TRY_OK(writer.write(ctx, {buffer.data(), static_cast<std::size_t>(n)}));
  }
  TRY(auto code, running.child.wait(ctx));
  if (code != 0) {
    // What was wrong with the request is in the stream already (ERR packet): the body still ends properly.
    ::lseek(running.errors.get(), 0, SEEK_SET);
    auto text = read_all(running.errors.get());
    LOG(info, "git.upload_pack.failed", {"code", code}, {"error", text ? trim(*text) : std::string_view()});
  }
  return {};
}

}  // namespace

std::string safe_protocol(std::string_view header) {
  bool fine = header.size() < 100 && std::all_of(
                                         header.begin(), header.end(),
                                         [](char c) {
                                           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '=' ||
                                                  c == ':' || c == '-' || c == '.';
                                         });
  return fine ? std::string(header) : std::string();
}

Result<net::StreamBody> upload_pack(const UploadRequest& request, std::string_view body) {
  TRY(auto input, memory_file(body));
  TRY(auto errors, memory_file(""));
  TRY(auto pipe, make_pipe());
  TRY_IN(auto child, "git upload-pack",
         Child::start(upload_command(request), {input.get(), pipe.write.get(), errors.get()}));
  pipe.write.reset();
  std::string head;
  if (request.advertise && !request.protocol.contains("version=2"))
    head = pkt("# service=git-upload-pack\n") + std::string(flush_pkt);
  auto running = std::make_unique<Running>(Running{std::move(child), std::move(pipe.read), std::move(errors)});
  return net::StreamBody([running = std::move(running), head](const Ctx& ctx, net::BodyWriter& writer) -> Result<> {
    if (!head.empty()) TRY_OK(writer.write(ctx, head));
    return pump(ctx, *running, writer);
  });
}

}  // namespace slipway::git
