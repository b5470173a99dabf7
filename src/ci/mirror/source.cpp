// Where an action comes from, and that it is what the lock file says.
#include <sys/stat.h>

#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "ci/actions_source.h"
#include "ci/mirror/names.h"
#include "git/repository.h"

namespace slipway::ci {
namespace {

bool is_url(std::string_view place) { return place.contains("://"); }

std::string url_of(std::string place, std::string_view owner, std::string_view name) {
  return replace_all(replace_all(std::move(place), "{owner}", owner), "{name}", name);
}

Result<std::optional<git::Oid>> commit_of(const git::Repository& repository, const std::string& ref) {
  for (auto& full : {"refs/tags/" + ref, "refs/heads/" + ref}) {
    TRY(auto found, repository.resolve(full));
    if (found) return found;
  }
  if (!is_commit(ref)) return std::optional<git::Oid>();
  return repository.resolve(ref);
}

// Of names, modes and contents: the same wherever the tree lies.
Result<std::string> tree_digest(const git::Repository& repository, const git::Oid& commit) {
  TRY(auto entries, repository.list(commit));
  std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.path < b.path; });
  Hasher hasher;
  for (auto& entry : entries) {
    if (entry.is_tree()) continue;
    std::string content = entry.id;
    if (entry.mode != 0160000) {
      TRY(content, repository.blob(entry.id));
    }
    hasher.update(fmt::format("{:o} {} {}", entry.mode, sha256_hex(content), entry.path));
    hasher.update(std::string_view("\0", 1));
  }
  return hasher.finish_hex();
}

}  // namespace

struct ActionSource::Rep {
  ActionSourceOptions options;
  struct Place {
    std::mutex mutex;  // one fetch at a time
    std::optional<Clock::time_point> fetched;
  };
  Guarded<std::map<std::string, std::shared_ptr<Place>>> fetching;  // by URL

  fs::path tree(std::string_view commit) const { return options.root / "trees" / commit; }
  fs::path digest_file(std::string_view commit) const {
    return options.root / "trees" / fmt::format("{}.sha256", commit);
  }

  Result<std::optional<fs::path>> here(const std::string& repository, std::string_view owner, std::string_view name);
  Result<std::optional<fs::path>> mirrored(const Ctx& ctx, const std::string& repository, const std::string& ref);
  Result<fs::path> fetch(const Ctx& ctx, const std::string& url, const std::string& repository, const std::string& ref);
  Result<> keep(const Ctx& ctx, const git::Repository& repository, const git::Oid& commit);
  Result<fs::path> checked(const std::string& repository, const std::string& ref, const std::string& commit,
                           const ActionLock* lock);
};

ActionSource::ActionSource(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
ActionSource::~ActionSource() = default;

Result<std::shared_ptr<ActionSource>> ActionSource::open(ActionSourceOptions options) {
  for (auto& place : options.places) {
    if (is_url(place) ? place.contains("{name}") : path_exists(place)) continue;
    return Fail(
        Error(Kind::invalid, fmt::format("--actions \"{}\": want a folder of mirrors (FOLDER/owner/name.git), or "
                                         "a URL with {{owner}} and {{name}}",
                                         place))
            .with_hint("for example --actions 'https://git.example.com/mirrors/{owner}/{name}.git'"));
  }
  TRY_OK(make_dirs(options.root / "trees"));
  TRY_OK(make_dirs(options.root / "mirrors"));
  auto rep = std::make_unique<Rep>();
  rep->options = std::move(options);
  return std::shared_ptr<ActionSource>(new ActionSource(std::move(rep)));
}

Result<std::optional<fs::path>> ActionSource::Rep::here(const std::string& repository, std::string_view owner,
                                                        std::string_view name) {
  if (options.hosted)
    for (auto& known : {repository, std::string(name)}) {
      TRY(auto found, options.hosted(known));
      if (found) return found;
    }
  for (auto& place : options.places) {
    if (is_url(place)) continue;
    for (auto& way : {fmt::format("{}/{}.git", owner, name), fmt::format("{}/{}", owner, name)})
      if (path_exists(fs::path(place) / way)) return fs::path(place) / way;
  }
  return std::optional<fs::path>();
}

// A commit that is here is never fetched again; a tag or a branch when it was not for a while.
Result<fs::path> ActionSource::Rep::fetch(const Ctx& ctx, const std::string& url, const std::string& repository,
                                          const std::string& ref) {
  auto bare = options.root / "mirrors" / (sha256_hex(url).substr(0, 16) + ".git");
  std::shared_ptr<Place> place;
  {
    auto all = fetching.lock();
    auto& entry = (*all)[url];
    if (!entry) entry = std::make_shared<Place>();
    place = entry;
  }
  std::lock_guard lock(place->mutex);
  bool known = false;
  if (path_exists(bare)) {
    TRY(auto opened, git::Repository::open(bare));
    TRY(auto commit, commit_of(opened, ref));
    known = commit.has_value();
    if (known && is_commit(ref)) return bare;
  }
  auto now = ctx.clock->now();
  if (known && place->fetched && now - *place->fetched < options.fresh_for) return bare;
  auto fetched = git::Repository::mirror(ctx, url, bare);
  if (!fetched && !known) return Fail(std::move(fetched).error().in(repository));
  if (!fetched)
    LOG(warn, "ci.action_mirror_stale", {"action", repository}, {"ref", ref}, {"error", fetched.error().what()});
  place->fetched = now;
  return bare;
}

Result<std::optional<fs::path>> ActionSource::Rep::mirrored(const Ctx& ctx, const std::string& repository,
                                                            const std::string& ref) {
  auto slash = repository.rfind('/');
  std::pair parts{std::string_view(repository).substr(0, slash), std::string_view(repository).substr(slash + 1)};
  TRY(auto local, here(repository, parts.first, parts.second));
  if (local) return local;
  std::optional<Error> missing;
  for (auto& place : options.places) {
    if (!is_url(place)) continue;
    auto bare = fetch(ctx, url_of(place, parts.first, parts.second), repository, ref);
    if (bare) return *std::move(bare);
    if (!bare.error().is(Kind::not_found)) return Fail(std::move(bare).error());
    missing = std::move(bare).error();
  }
  if (missing) return Fail(*std::move(missing));
  return std::optional<fs::path>();
}

// A tree is there whole or not at all.
Result<> ActionSource::Rep::keep(const Ctx& ctx, const git::Repository& repository, const git::Oid& commit) {
  if (path_exists(tree(commit)) && path_exists(digest_file(commit))) return {};
  TRY(auto digest, tree_digest(repository, commit));
  TRY(auto staged, TempDir::make_in(options.root, "action"));
  TRY_OK(repository.checkout(ctx, commit, staged.path() / "tree"));
  TRY_OK(write_file(digest_file(commit), digest, 0644, Durable::yes));
  if (::rename((staged.path() / "tree").c_str(), tree(commit).c_str()) < 0 && errno != EEXIST && errno != ENOTEMPTY)
    return fail_errno(errno, tree(commit).native());
  return {};
}

Result<fs::path> ActionSource::Rep::checked(const std::string& repository, const std::string& ref,
                                            const std::string& commit, const ActionLock* lock) {
  if (!lock) return tree(commit);
  TRY(auto digest, read_file(digest_file(commit), 1024));
  auto line = fmt::format("{}@{}  {}  {}", repository, ref, commit, digest);
  auto* locked = lock->find(repository, ref);
  auto refuse = [&](std::string what) {
    return Fail(Error(Kind::denied, fmt::format("{}: {}", ActionLock::path, what))
                    .with_hint(fmt::format("when that is what you want, the line is: {}", line)));
  };
  if (!locked) return refuse(fmt::format("{}@{} is not in it", repository, ref));
  if (locked->commit != commit)
    return refuse(fmt::format("{}@{} is commit {}, and {} is locked", repository, ref, commit, locked->commit));
  if (locked->tree != digest)
    return refuse(fmt::format("{}@{} holds other files: their sha256 is {}, and {} is locked", repository, ref, digest,
                              locked->tree));
  return tree(commit);
}

Result<std::optional<fs::path>> ActionSource::folder(const Ctx& ctx, const std::string& repository,
                                                     const std::string& ref, const ActionLock* lock) {
  if (!is_action_repository(repository)) return fail(Kind::invalid, "\"{}\": want OWNER/NAME", repository);
  if (!is_action_ref(ref))
    return fail(Kind::invalid, "{}@{}: want a tag, a branch or a commit after @", repository, ref);
  auto* locked = lock ? lock->find(repository, ref) : nullptr;
  // A locked ref is as good as its commit: what is kept answers for it, and the place is asked for that commit alone.
  auto wanted = locked ? locked->commit : ref;
  if (is_commit(wanted) && path_exists(rep_->tree(wanted)) && path_exists(rep_->digest_file(wanted))) {
    TRY(auto there, rep_->checked(repository, ref, wanted, lock));
    return there;
  }
  TRY(auto bare, rep_->mirrored(ctx, repository, wanted));
  if (!bare) return std::optional<fs::path>();
  TRY(auto opened, git::Repository::open(*bare));
  TRY(auto commit, commit_of(opened, wanted));
  if (!commit)
    return Fail(Error(Kind::not_found, fmt::format("{} has no tag, branch or commit {}", repository, wanted))
                    .with_hint(wanted.size() < 40 && wanted.find_first_not_of("0123456789abcdef") == std::string::npos
                                   ? "a commit is named by all its 40 digits"
                                   : fmt::format("look what there is: git ls-remote {}", bare->native())));
  TRY_OK(rep_->keep(ctx, opened, *commit));
  TRY(auto there, rep_->checked(repository, ref, *commit, lock));
  return there;
}

namespace {

using Version = std::vector<std::int64_t>;

// 1.2.3 and v1.2.3; nothing: no release (also 1.2.3-rc1).
std::optional<Version> version_of(std::string_view tag) {
  if (tag.starts_with('v')) tag.remove_prefix(1);
  Version out;
  for (auto part : split(tag, '.')) {
    auto number =
        part.empty() || part.find_first_not_of("0123456789") != std::string_view::npos ? std::nullopt : to_int(part);
    if (!number || out.size() == 3) return {};
    out.push_back(*number);
  }
  return out;
}

// Of all releases the newest that begins so: "~latest", "1", "1.2".
Result<std::optional<git::Oid>> newest_release(const git::Repository& repository, const std::string& ref) {
  std::optional<git::Oid> out;
  auto wanted = ref == "~latest" ? std::optional(Version()) : version_of(ref);
  if (!wanted || wanted->size() == 3) return out;
  constexpr std::string_view tags = "refs/tags/";
  TRY(auto all, repository.refs(tags));
  Version best;
  for (auto& [name, id] : all) {
    auto version = version_of(std::string_view(name).substr(tags.size()));
    if (!version || version->size() != 3 || *version < best) continue;
    if (!std::equal(wanted->begin(), wanted->end(), version->begin())) continue;
    best = *version, out = id;
  }
  if (!out) return out;
  return repository.resolve(*out + "^{commit}");
}

bool is_project(std::string_view name) {
  auto parts = split(name, '/');
  return parts.size() >= 2 && parts.size() <= 20 && std::all_of(parts.begin(), parts.end(), [](auto part) {
           return is_action_repository(fmt::format("x/{}", part));
         });
}

}  // namespace

Result<std::optional<std::string>> ActionSource::file(const Ctx& ctx, const std::string& repository,
                                                      const std::string& ref, const std::string& path) {
  std::optional<std::string> none;
  if (repository.empty()) {
    auto parts = cut(path, "://");
    auto name = fs::path(std::string(parts ? parts->second.substr(0, parts->second.find_first_of("?#")) : ""));
    bool plain = !name.empty() && std::none_of(name.begin(), name.end(), [](auto& part) { return part == ".."; });
    if (!plain) return fail(Kind::invalid, "\"{}\": want https://HOST/PATH", path);
    for (auto& place : rep_->options.places) {
      if (is_url(place) || !fs::is_regular_file(fs::path(place) / name)) continue;
      TRY(auto text, read_file(fs::path(place) / name, 1 << 20));
      return std::optional(std::move(text));
    }
    return none;
  }
  if (!is_project(repository)) return fail(Kind::invalid, "\"{}\": want GROUP/NAME", repository);
  if (!ref.empty() && ref != "~latest" && !is_action_ref(ref))
    return fail(Kind::invalid, "{}@{}: want a tag, a branch or a commit", repository, ref);
  TRY(auto bare, rep_->mirrored(ctx, repository, ref.empty() || ref == "~latest" ? "HEAD" : ref));
  if (!bare)
    return Fail(Error(Kind::unavailable, fmt::format("no place of this house has {}", repository))
                    .with_hint("push it to this host, or give --actions a folder with GROUP/NAME.git in it"));
  TRY(auto opened, git::Repository::open(*bare));
  auto commit = ref.empty() ? opened.resolve("HEAD") : commit_of(opened, ref);
  TRY_OK(commit);
  if (!*commit && !ref.empty()) commit = newest_release(opened, ref);
  TRY_OK(commit);
  if (!*commit)
    return fail(Kind::not_found, "{} has no tag, branch or commit {}", repository, ref.empty() ? "HEAD" : ref);
  return opened.read(**commit, path);
}

}  // namespace slipway::ci
