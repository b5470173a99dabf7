#include "git/host.h"

#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pool.h"
#include "base/process.h"
#include "base/text.h"
#include "git/detail/libgit.h"
#include "git/detail/quarantine.h"
#include "git/detail/receive.h"
#include "git/detail/upload.h"

namespace slipway::git {

struct Host::Rep {
  fs::path root;
  HostPolicy policy;
  Guarded<std::set<std::string>> repacking;
  Pool upkeep{1, "git-upkeep"};

  net::Response serve(const Ctx& ctx, net::Request& request);
  net::Response list_refs(const fs::path& path, const net::Request& request, bool write);
  net::Response upload(const Ctx& ctx, const fs::path& path, net::Request& request);
  net::Response receive_push(const Ctx& ctx, const std::string& name, const std::string& user, net::Request& request);
  Result<fs::path> create(std::string_view name);
  void keep_up(const std::string& name);
};

namespace {

constexpr std::uint64_t most_wants = std::uint64_t{64} << 20;

bool is_repository_name(std::string_view name) {
  auto segments = split(name, '/');
  if (name.empty() || segments.size() > 4) return false;
  for (auto segment : segments) {
    if (segment.empty() || segment.size() > 100 || segment[0] == '.' || segment[0] == '-' ||
        segment.ends_with(".git") || segment.ends_with(".lock") || segment.contains(".."))
      return false;
    for (char c : segment)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

// "/git/team/shop.git/info/refs" to "team/shop" and "info/refs".
std::optional<std::pair<std::string, std::string>> parse_path(std::string_view path) {
  if (path.starts_with("/git/")) path.remove_prefix(5);
  for (std::string_view action : {"info/refs", "git-upload-pack", "git-receive-pack"}) {
    if (!path.ends_with(action) || path.size() <= action.size() + 1) continue;
    auto name = path.substr(0, path.size() - action.size());
    if (!name.ends_with('/')) continue;
    name.remove_suffix(1);
    if (name.ends_with(".git")) name.remove_suffix(4);
    if (is_repository_name(name)) return std::pair(std::string(name), std::string(action));
  }
  return std::nullopt;
}

struct Credentials {
  std::string user, secret;
};
Credentials credentials_of(const net::Request& request) {
  auto header = request.headers.get_or("authorization", "");
  auto parts = cut(header, " ");
  if (!parts) return {};
  auto value = trim(parts->second);
  if (iequals(parts->first, "bearer")) return {"", std::string(value)};
  if (!iequals(parts->first, "basic")) return {};
  auto plain = from_base64(value);
  if (!plain) return {};
  auto pair = cut(*plain, ":");
  return pair ? Credentials{std::string(pair->first), std::string(pair->second)} : Credentials{*plain, ""};
}

net::Response not_cached(net::Response response, std::string_view type) {
  response.headers.set("Content-Type", type);
  response.headers.set("Cache-Control", "no-cache, max-age=0, must-revalidate");
  return response;
}

ByteSource body_of(const Ctx& ctx, net::Request& request, std::uint64_t limit) {
  ByteSource plain = [&ctx, &request](std::span<char> buffer) { return request.body->read(ctx, buffer); };
  auto coding = request.headers.get_or("content-encoding", "");
  return iequals(coding, "gzip") || iequals(coding, "x-gzip") || iequals(coding, "deflate") ? gunzip(plain, limit)
                                                                                            : plain;
}

Result<std::string> read_whole(const ByteSource& source, std::uint64_t limit) {
  std::string body;
  char buffer[16384];
  for (;;) {
    TRY(auto n, source(buffer));
    if (n == 0) return body;
    body.append(buffer, n);
    if (body.size() > limit) return fail(Kind::invalid, "request: larger than {}", human_bytes(limit));
  }
}

Counter pushes_total("slipway_git_pushes_total", "Pushes taken in, by outcome");

}  // namespace

Result<std::unique_ptr<Host>> Host::open(fs::path root, HostPolicy policy) {
  start_library();
  TRY_OK(make_dirs(root));
  auto rep = std::make_unique<Rep>();
  rep->root = std::move(root);
  rep->policy = std::move(policy);
  std::unique_ptr<Host> host(new Host(std::move(rep)));
  TRY(auto names, host->list());
  for (const auto& name : names) Quarantine::sweep(host->path_of(name));
  return host;
}

Host::Host(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Host::~Host() = default;

fs::path Host::path_of(std::string_view name) const { return rep_->root / (std::string(name) + ".git"); }

Result<Repository> Host::repository(std::string_view name) const {
  if (!is_repository_name(name)) return fail(Kind::invalid, "\"{}\": not a repository name", name);
  auto path = path_of(name);
  if (!path_exists(path / "HEAD")) return fail(Kind::not_found, "{}: no such repository", name);
  return Repository::open(path);
}

Result<fs::path> Host::Rep::create(std::string_view name) {
  if (!is_repository_name(name))
    return fail(Kind::invalid,
                "\"{}\": not a repository name: want up to four segments of letters, digits, \".\", \"_\", \"-\"",
                name);
  auto path = root / (std::string(name) + ".git");
  if (path_exists(path / "HEAD")) return path;
  // Made aside and renamed: a kill leaves no half repository under its name.
  TRY_OK(make_dirs(path.parent_path()));
  TRY(auto aside, TempDir::make_in(path.parent_path(), ".new-"));
  TRY(auto fresh, Repository::init(aside.path() / "repo"));
  if (::rename((aside.path() / "repo").c_str(), path.c_str()) < 0) {
    if (path_exists(path / "HEAD")) return path;  // somebody else was first
    return fail_errno(errno, path.string());
  }
  TRY_OK(sync_folder(path.parent_path()));
  LOG(info, "git.repository.created", {"name", name});
  return path;
}

Result<Repository> Host::create(std::string_view name) {
  TRY(auto path, rep_->create(name));
  return Repository::open(path);
}

namespace {
Result<> list_into(const fs::path& folder, const std::string& prefix, int depth, std::vector<std::string>& found) {
  TRY(auto names, list_dir(folder));
  for (const auto& name : names) {
    std::error_code ec;
    if (name.starts_with(".") || !fs::is_directory(folder / name, ec)) continue;
    if (name.ends_with(".git")) {
      if (path_exists(folder / name / "HEAD")) found.push_back(prefix + name.substr(0, name.size() - 4));
    } else if (depth < 3) {
      TRY_OK(list_into(folder / name, prefix + name + "/", depth + 1, found));
    }
  }
  return {};
}
}  // namespace

Result<std::vector<std::string>> Host::list() const {
  std::vector<std::string> found;
  TRY_OK(list_into(rep_->root, "", 0, found));
  std::sort(found.begin(), found.end());
  return found;
}

Result<> Host::update(const Ctx& ctx, std::string_view name, const RefUpdate& update, std::string_view who) {
  TRY(auto repo, repository(name));
  std::optional<Oid> expected;
  if (!update.before.empty()) expected = update.before;
  TRY_OK(repo.update_ref(update.ref, update.after, expected, who));
  rep_->keep_up(std::string(name));
  if (rep_->policy.accepted) (void)rep_->policy.accepted(ctx, Push{std::string(name), std::string(who), {update}, {}});
  return {};
}

net::Handler Host::routes() {
  return [this](const Ctx& ctx, net::Request& request) { return rep_->serve(ctx, request); };
}

net::Response Host::Rep::serve(const Ctx& ctx, net::Request& request) {
  auto target = parse_path(request.path);
  if (!target) return net::Response::text(404, "no git repository at this path\n");
  const auto& [name, action] = *target;
  bool listing = action == "info/refs";
  auto service = listing ? request.query_of("service") : action;
  if (service != "git-upload-pack" && service != "git-receive-pack")
    return net::Response::text(403, "only git's smart protocol is served: use git 1.6.6 or later\n");
  if (request.method != (listing ? "GET" : "POST")) return net::Response::text(405, "method not allowed\n");
  bool write = service == "git-receive-pack";
  std::string user = "anonymous";
  if (policy.authenticate) {
    auto given = credentials_of(request);
    auto known = policy.authenticate(ctx, given.user, given.secret, write);
    if (!known) {
      auto response = net::Response::text(401, write ? "sign in to push\n" : "sign in to read\n");
      response.headers.set("WWW-Authenticate", "Basic realm=\"slipway\", charset=\"UTF-8\"");
      return response;
    }
    user = *known;
  }
  auto path = root / (name + ".git");
  if (!path_exists(path / "HEAD") && !(write && policy.create_on_push))
    return net::Response::text(404, fmt::format("{}: no such repository\n", name));
  if (listing) return list_refs(path, request, write);
  return write ? receive_push(ctx, name, user, request) : upload(ctx, path, request);
}

namespace {
Result<std::string> advertise_for_push(const fs::path& path) {
  std::string body = pkt("# service=git-receive-pack\n") + std::string(flush_pkt);
  constexpr std::string_view capabilities =
      "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 "
      "agent=slipway/0.1";
  std::map<std::string, Oid> refs;
  if (path_exists(path / "HEAD")) {
    TRY(auto repo, Repository::open(path));
    TRY(refs, repo.refs());
  }
  if (refs.empty()) body += pkt(fmt::format("{} capabilities^{{}}{}{}\n", zero_oid, '\0', capabilities));
  bool first = true;
  for (const auto& [ref, id] : refs) {
    body += first ? pkt(fmt::format("{} {}{}{}\n", id, ref, '\0', capabilities)) : pkt(fmt::format("{} {}\n", id, ref));
    first = false;
  }
  body += flush_pkt;
  return body;
}
}  // namespace

net::Response Host::Rep::list_refs(const fs::path& path, const net::Request& request, bool write) {
  net::Response response;
  if (write) {
    auto body = advertise_for_push(path);
    if (!body) return net::Response::error(body.error());
    response.body = *std::move(body);
    return not_cached(std::move(response), "application/x-git-receive-pack-advertisement");
  }
  auto stream = upload_pack({path, safe_protocol(request.headers.get_or("git-protocol", "")), true}, "");
  if (!stream) return net::Response::error(stream.error());
  response.body = *std::move(stream);
  return not_cached(std::move(response), "application/x-git-upload-pack-advertisement");
}

net::Response Host::Rep::upload(const Ctx& ctx, const fs::path& path, net::Request& request) {
  if (request.headers.get_or("content-type", "") != "application/x-git-upload-pack-request")
    return net::Response::text(415, "want content type application/x-git-upload-pack-request\n");
  auto body = read_whole(body_of(ctx, request, most_wants), most_wants);
  if (!body) return net::Response::error(body.error());
  auto stream = upload_pack({path, safe_protocol(request.headers.get_or("git-protocol", "")), false}, *body);
  if (!stream) return net::Response::error(stream.error());
  net::Response response;
  response.body = *std::move(stream);
  return not_cached(std::move(response), "application/x-git-upload-pack-result");
}

net::Response Host::Rep::receive_push(const Ctx& ctx, const std::string& name, const std::string& user,
                                      net::Request& request) {
  if (request.headers.get_or("content-type", "") != "application/x-git-receive-pack-request")
    return net::Response::text(415, "want content type application/x-git-receive-pack-request\n");
  PktReader reader(body_of(ctx, request, policy.max_pack));
  auto wanted = read_push_request(reader);
  if (!wanted) return net::Response::error(wanted.error());
  net::Response response;
  if (wanted->commands.empty()) return not_cached(std::move(response), "application/x-git-receive-pack-result");
  auto path = create(name);
  if (!path) return net::Response::error(path.error());
  auto repository = Repository::open(*path);
  if (!repository) return net::Response::error(repository.error());
  auto received = receive(ctx, policy, *repository, Push{name, user, {}, wanted->options}, *wanted, reader);
  bool taken = received.any_accepted();
  pushes_total.add(1, {{"outcome", taken ? "accepted" : "refused"}});
  LOG(info, "git.push", {"repository", name}, {"pusher", user}, {"refs", wanted->commands.size()}, {"accepted", taken});
  if (taken) keep_up(name);
  response.body = print_received(*wanted, received);
  return not_cached(std::move(response), "application/x-git-receive-pack-result");
}

// Every push is a pack and every promotion a few loose files: reading slows as they pile up, so now and then they
// are put together, in the background, by git itself.
void Host::Rep::keep_up(const std::string& name) {
  auto path = root / (name + ".git");
  auto packs = list_dir(path / "objects/pack");
  auto loose = list_dir(path / "objects/17");  // one of 256 folders stands for all, as git gc --auto takes it
  if ((!packs || packs->size() < 100) && (!loose || loose->size() < 16)) return;
  {
    auto busy = repacking.lock();
    if (!busy->insert(name).second) return;
  }
  upkeep.submit([this, name, path](const Ctx& ctx) {
    Command command;
    command.argv = {"git", "-c", "safe.directory=*", "-C", path.string(), "repack", "-d", "-l", "-q", "--geometric=2"};
    auto done = run_ok(ctx, command);
    if (done)
      LOG(info, "git.repack.done", {"repository", name});
    else
      LOG(warn, "git.repack.failed", {"repository", name}, {"error", done.error().what()});
    repacking.lock()->erase(name);
  });
}

}  // namespace slipway::git
