#include "git/detail/remote.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/encode.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "net/http.h"

namespace slipway::git {

Result<RemoteUrl> remote_url(const std::string& text) {
  RemoteUrl remote;
  remote.url = text;
  if (text.empty() || text.starts_with("-") || text.contains("::") || text.contains('\n') || text.contains('\0'))
    return fail(Kind::invalid, "\"{}\": not a repository URL", text);
  if (text.starts_with("http://") || text.starts_with("https://")) {
    TRY_IN(auto url, "repository URL", net::parse_url(text));
    remote.reach = Reach::http;
    if (!url.user.empty() || !url.password.empty())
      remote.authorization = "Basic " + to_base64(url.user + ":" + url.password);
    remote.url = url.print();
    while (remote.url.ends_with('/')) remote.url.pop_back();
    return remote;
  }
  if (text.starts_with("file://")) {
    TRY(auto path, percent_decode(text.substr(7)));
    remote.folder = path;
    return remote;
  }
  // scp's form, host:path, has a colon before any slash.
  auto colon = text.find(':');
  bool is_path = text.starts_with("/") || text.starts_with(".") || colon == std::string::npos || text.find('/') < colon;
  if (is_path) {
    remote.folder = text;
    return remote;
  }
  if (text.contains("://") && !text.starts_with("ssh://") && !text.starts_with("git://") &&
      !text.starts_with("git+ssh://"))
    return fail(Kind::invalid, "{}: want a http, https, ssh, git or file URL", text);
  remote.reach = Reach::command;
  return remote;
}

namespace {
constexpr std::string_view agent = "git/2.39 (slipway)";

// Its connections are kept for all that need nothing special.
net::Client& shared_client() {
  static net::Client shared(net::ClientOptions{.user_agent = std::string(agent)});
  return shared;
}

std::string authorization(const RemoteUrl& url, const Access& access) {
  if (!access.bearer.empty()) return "Bearer " + access.bearer;
  if (access.user.empty() && access.password.empty()) return url.authorization;
  return "Basic " + to_base64(access.user + ":" + access.password);
}
}  // namespace

Connection::Connection(const Ctx& ctx, const RemoteUrl& url, const Access& access)
    : ctx_(ctx), name_(url.url), http_(url.reach == Reach::http) {
  session_.ctx = &ctx_;
  session_.base = url.url;
  session_.authorization = authorization(url, access);
  session_.client = &shared_client();
  if (access.insecure || !access.ca_pem.empty() || !access.key_pem.empty() || !access.proxy.empty())
    session_.client = &own_.emplace(net::ClientOptions{.ca_pem = access.ca_pem,
                                                       .cert_pem = access.certificate_pem,
                                                       .key_pem = access.key_pem,
                                                       .verify = !access.insecure,
                                                       .proxy = access.proxy,
                                                       .user_agent = std::string(agent)});
}

int connection_transport(git_transport** out, git_remote* owner, void* self) {
  return make_http_transport(out, owner, &static_cast<Connection*>(self)->session_);
}

git_remote_callbacks Connection::callbacks() {
  git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
  callbacks.payload = this;
  if (http_) callbacks.transport = connection_transport;
  callbacks.transfer_progress = [](const git_indexer_progress*, void* self) {
    return static_cast<Connection*>(self)->ctx_.alive() ? 0 : -1;
  };
  callbacks.pack_progress = [](int, std::uint32_t, std::uint32_t, void* self) {
    return static_cast<Connection*>(self)->ctx_.alive() ? 0 : -1;
  };
  callbacks.push_update_reference = [](const char* ref, const char* status, void* self) {
    if (status != nullptr) static_cast<Connection*>(self)->rejected.emplace_back(ref, status);
    return 0;
  };
  return callbacks;
}

Fail Connection::failed(int code) const {
  if (session_.error) return Fail(*session_.error);
  if (auto alive = ctx_.alive(); !alive) return Fail(std::move(alive).error().in(name_));
  return git_fail(code, name_);
}

Result<PushSpec> parse_push_spec(std::string_view text) {
  PushSpec spec;
  auto rest = text;
  if (rest.starts_with('+')) {
    spec.force = true;
    rest.remove_prefix(1);
  }
  auto parts = cut(rest, ":");
  spec.from = parts ? parts->first : rest;
  spec.to = parts ? parts->second : rest;
  int valid = 0;
  if (git_reference_name_is_valid(&valid, spec.to.c_str()) < 0 || valid == 0 || !spec.to.starts_with("refs/"))
    return fail(Kind::invalid, "{}: want SOURCE:refs/...", text);
  return spec;
}

Error rejection(std::string_view ref, std::string_view reason) {
  bool moved = false;
  for (auto word : {"fast-forward", "fast forward", "fetch first", "stale info", "is at", "any more", "cannot lock ref",
                    "failed to update ref", "exists already", "reference already exists", "needs force", "is gone"})
    moved |= reason.contains(word);
  return Error(moved ? Kind::conflict : Kind::denied, fmt::format("{}: {}", ref, reason));
}

namespace {
// Text as a file that ssh can open by its path and nobody else can: it is in memory, and goes with us.
Result<std::pair<Fd, std::string>> secret_file(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  Fd fd(::memfd_create("ssh", MFD_CLOEXEC));
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return fail_errno(errno, "memory for ssh");
  TRY_OK(write_all(fd.get(), text));
  auto path = fmt::format("/proc/{}/fd/{}", ::getpid(), fd.get());
  return std::pair(std::move(fd), std::move(path));
}

// ssh with what `access` says, for as long as this lives.
class Ssh {
 public:
  static Result<Ssh> with(const Access& access) {
    Ssh ssh;
    if (!access.ssh_key.empty()) {
      if (access.ssh_key.contains("ENCRYPTED"))
        return Fail(Error(Kind::invalid, "ssh: the private key has a passphrase, which is not supported")
                        .with_hint("ssh-keygen -p -N '' -f FILE takes it away; the Secret keeps the key"));
      TRY_OK(ssh.add("-o IdentitiesOnly=yes -o IdentityAgent=none -i ", access.ssh_key));
    }
    if (access.insecure) {
      ssh.command_ += " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    } else if (!access.known_hosts.empty()) {
      TRY_OK(ssh.add("-o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile=",
                     access.known_hosts));
    }
    if (!access.proxy.empty()) return fail(Kind::invalid, "ssh goes through no proxy of one repository alone");
    return ssh;
  }
  // "": as the person set it up.
  const std::string& command() const { return command_; }

 private:
  Ssh() {
    if (const char* own = ::getenv("GIT_SSH_COMMAND")) command_ = own;
    if (command_.empty()) command_ = "ssh -o BatchMode=yes";
  }
  Result<> add(std::string_view option, const std::string& text) {
    TRY(auto file, secret_file(text));
    command_ += fmt::format(" {}{}", option, file.second);
    files_.push_back(std::move(file.first));
    return {};
  }
  std::string command_;
  std::vector<Fd> files_;
};

Command git_command(const fs::path& bare, const Ssh& ssh, std::vector<std::string> argv) {
  Command command;
  command.argv = {"git", "-c", "safe.directory=*", "-C", bare.string()};
  command.argv.insert(command.argv.end(), argv.begin(), argv.end());
  command.extra_env = {{"GIT_TERMINAL_PROMPT", "0"},
                       {"GIT_ALLOW_PROTOCOL", "ssh:git"},
                       {"GIT_SSH_COMMAND", ssh.command()},
                       {"LC_ALL", "C"}};
  return command;
}

Error command_error(const std::string& url, const std::string& text) {
  std::string reason;
  for (auto line : lines(text))
    if (!trim(line).empty()) reason = std::string(trim(line));
  for (auto line : lines(text))
    if (line.starts_with("fatal:") || line.contains("rejected]")) reason = std::string(trim(line));
  Kind kind = Kind::unavailable;
  if (text.contains("ermission denied") || text.contains("uthentication failed")) kind = Kind::denied;
  if (text.contains("not found") || text.contains("does not exist")) kind = Kind::not_found;
  if (text.contains("remote rejected]"))
    kind = rejection("", text).kind();
  else if (text.contains("[rejected]"))
    kind = Kind::conflict;
  if (text.contains("Host key verification failed"))
    return Error(Kind::denied, fmt::format("{}: the host's key is not known", url))
        .with_hint(
            "`ssh-keyscan HOST` says it: check it, and put it into the ConfigMap argocd-ssh-known-hosts-cm of the "
            "namespace argocd (ssh_known_hosts), or into ~/.ssh/known_hosts");
  return Error(kind, fmt::format("{}: {}", url, reason));
}
}  // namespace

Result<> fetch_by_command(const Ctx& ctx, const std::string& url, const fs::path& bare, const Access& access,
                          const std::string& commit) {
  TRY(auto ssh, Ssh::with(access));
  TRY(auto fetched, run(ctx, git_command(bare, ssh,
                                         {"fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--",
                                          url, commit.empty() ? "+refs/*:refs/*" : commit})));
  if (!fetched.ok()) return Fail(command_error(url, fetched.err));
  if (!commit.empty()) return {};
  TRY(auto head, run(ctx, git_command(bare, ssh, {"ls-remote", "--symref", "--", url, "HEAD"})));
  for (auto line : lines(head.out))
    if (line.starts_with("ref: ")) {
      auto name = std::string(line.substr(5, line.find('\t') - 5));
      TRY(auto set, run(ctx, git_command(bare, ssh, {"symbolic-ref", "HEAD", name})));
    }
  return {};
}

Result<> push_by_command(const Ctx& ctx, const std::string& url, const fs::path& bare,
                         const std::vector<std::string>& refspecs, const Access& access) {
  TRY(auto ssh, Ssh::with(access));
  std::vector<std::string> argv = {"push", "--porcelain", "--", url};
  argv.insert(argv.end(), refspecs.begin(), refspecs.end());
  TRY(auto pushed, run(ctx, git_command(bare, ssh, argv)));
  if (!pushed.ok()) return Fail(command_error(url, pushed.err + pushed.out));
  return {};
}

}  // namespace slipway::git
