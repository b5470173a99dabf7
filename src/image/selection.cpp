#include "image/detail/selection.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/pool.h"
#include "base/text.h"

namespace slipway::image::detail {

namespace {

constexpr int max_links = 40;

// A backslash takes the meaning from what follows it, and makes no pattern by itself.
bool has_wildcard(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '*' || text[i] == '?' || text[i] == '[')
      return true;
  }
  return false;
}
std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  return name.empty() ? std::string(folder) : fmt::format("{}/{}", folder, name);
}

std::string_view base_name(std::string_view path) {
  auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::optional<struct stat> look(const Source& source, const std::string& path) {
  struct stat st{};
  if (::lstat((source.root / path).c_str(), &st) < 0) return std::nullopt;
  return st;
}

// A source path with the links in it followed, all within the root.
Result<std::string> follow(const Source& source, const std::string& path) {
  std::string done;
  std::deque<std::string> todo;
  for (auto part : split(path, '/')) todo.emplace_back(part);
  for (int links = 0; !todo.empty();) {
    auto part = std::move(todo.front());
    todo.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      done = done.substr(0, done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
      continue;
    }
    auto next = join_path(done, part);
    auto st = look(source, next);
    if (!st) return fail(Kind::not_found, "/{}: not found", path);
    if (!S_ISLNK(st->st_mode)) {
      done = std::move(next);
      continue;
    }
    if (++links > max_links) return fail(Kind::invalid, "/{}: too many links", path);
    std::error_code error;
    auto target = fs::read_symlink(source.root / next, error).native();
    if (target.starts_with('/')) done.clear();
    auto parts = split(target, '/');
    for (auto it = parts.rbegin(); it != parts.rend(); ++it) todo.emplace_front(*it);
  }
  return done;
}

class Walker {
 public:
  Walker(const Ctx& ctx, const Source& source, const IgnoreList& exclude, Selection& out)
      : ctx_(ctx), source_(source), exclude_(exclude), out_(out) {}
  bool hidden = false;

  // A file or a folder with all it holds. `below`: the path --exclude's patterns see.
  Result<> take(const std::string& path, const std::string& target, const std::string& below) {
    auto st = look(source_, path);
    if (!st) return fail(Kind::not_found, "/{}: not found", path);
    auto ignored = state_of(path);
    auto excluded = below.empty() ? IgnoreList::Verdict() : exclude_.check(below, {});
    return visit(path, target, below, *st, ignored, excluded);
  }
  IgnoreList::Verdict state_of(const std::string& path) const {
    IgnoreList::Verdict v;
    if (source_.ignore == nullptr || path.empty()) return v;
    for (std::size_t at = 0; at != std::string::npos;) {
      at = path.find('/', at + 1);
      v = source_.ignore->check(path.substr(0, at), v.hits);
    }
    return v;
  }

 private:
  Result<> visit(const std::string& path, const std::string& target, const std::string& below, const struct stat& st,
                 const IgnoreList::Verdict& ignored, const IgnoreList::Verdict& excluded) {
    TRY_OK(ctx_.alive());
    hidden = hidden || ignored.excluded;
    bool out = ignored.excluded || excluded.excluded;
    Entry entry{path, target, st, {}};
    if (S_ISLNK(st.st_mode)) {
      std::error_code error;
      entry.link = fs::read_symlink(source_.root / path, error).native();
    }
    if (!S_ISDIR(st.st_mode)) {
      if (!out && !S_ISSOCK(st.st_mode)) out_.entries.push_back(std::move(entry));
      return {};
    }
    auto at = out_.entries.size();
    if (!out) out_.entries.push_back(entry);
    if ((ignored.excluded && ignored.prune) || (excluded.excluded && excluded.prune)) return {};
    TRY(auto names, list_dir(source_.root / path));
    for (const auto& name : names) {
      auto child = join_path(path, name), child_below = join_path(below, name);
      auto child_st = look(source_, child);
      if (!child_st) continue;  // gone meanwhile
      auto i = source_.ignore != nullptr ? source_.ignore->check(child, ignored.hits) : IgnoreList::Verdict();
      auto e = exclude_.check(child_below, excluded.hits);
      TRY_OK(visit(child, join_path(target, name), child_below, *child_st, i, e));
    }
    // An ignored folder that holds something taken back comes along.
    if (out && out_.entries.size() > at)
      out_.entries.insert(out_.entries.begin() + static_cast<std::ptrdiff_t>(at), std::move(entry));
    return {};
  }

  const Ctx& ctx_;
  const Source& source_;
  const IgnoreList& exclude_;
  Selection& out_;
};

// Paths that fit a wildcard, component by component, in order.
Result<> expand_pattern(const Source& source, const std::string& folder, const std::vector<std::string_view>& parts,
                        std::size_t at, std::vector<std::string>& out) {
  if (at == parts.size()) {
    out.push_back(folder);
    return {};
  }
  auto names = list_dir(source.root / folder);
  if (!names) return {};  // a file, or gone
  bool deep = parts[at] == "**";
  if (deep) {
    TRY_OK(expand_pattern(source, folder, parts, at + 1, out));
  }
  TRY(auto pattern, PathPattern::parse(parts[at]));
  for (const auto& name : *names) {
    auto path = join_path(folder, name);
    if (deep) {
      auto st = look(source, path);
      if (st && S_ISDIR(st->st_mode)) {
        TRY_OK(expand_pattern(source, path, parts, at, out));
      } else if (st && at + 1 == parts.size()) {
        out.push_back(path);
      }
    } else if (pattern.matches(name)) {
      TRY_OK(expand_pattern(source, path, parts, at + 1, out));
    }
  }
  return {};
}

// Folders on the way to `path`, for --parents.
void add_parents(const Source& source, const std::string& base, const std::string& rest, Selection& out) {
  for (auto slash = rest.find('/'); slash != std::string::npos; slash = rest.find('/', slash + 1)) {
    auto part = rest.substr(0, slash);
    if (auto st = look(source, join_path(base, part))) out.entries.push_back({join_path(base, part), part, *st, {}});
  }
}

}  // namespace

Result<Selection> select(const Ctx& ctx, const Source& source, const std::vector<std::string>& patterns,
                         const SelectOptions& options) {
  Selection out;
  TRY(auto exclude, IgnoreList::of(options.exclude, "--exclude"));
  Walker walker(ctx, source, exclude, out);
  out.needs_folder = patterns.size() > 1 || options.parents;
  out.makes_folder = options.parents;
  for (const auto& written : patterns) {
    // --parents keeps the path below "/./".
    auto pivot = written.find("/./");
    auto base = options.parents && pivot != std::string::npos ? clean_path(written.substr(0, pivot)) : std::string();
    auto path = clean_path(written);
    std::vector<std::string> found;
    bool wild = has_wildcard(path);
    if (wild) {
      // Nothing may fit a wildcard; the folder before it must be there.
      auto before = path.substr(0, path.find_first_of("*?["));
      before = before.substr(0, before.rfind('/') == std::string::npos ? 0 : before.rfind('/'));
      if (!before.contains('\\')) TRY_OK(follow(source, before));
      TRY_OK(expand_pattern(source, "", split(path, '/'), 0, found));
      // One match may become a file of another name, as BuildKit has it.
      out.needs_folder = out.needs_folder || found.size() > 1;
    } else {
      found.push_back(without_escapes(path));
    }
    for (const auto& one : found) {
      if (walker.state_of(one).excluded && walker.state_of(one).prune) {
        if (wild) continue;
        return Fail(
            Error(Kind::not_found, fmt::format("/{}: not found", one)).with_hint("it is excluded by .dockerignore"));
      }
      auto before = out.entries.size();
      bool ignored = walker.state_of(one).excluded;
      TRY(auto real, follow(source, one));
      auto st = look(source, real);
      bool folder = st && S_ISDIR(st->st_mode);
      if (options.parents) {
        auto rest = base.empty() ? one : one == base ? std::string() : one.substr(base.size() + 1);
        add_parents(source, base, rest, out);
        TRY_OK(walker.take(real, rest, rest));
      } else if (folder) {
        TRY_OK(walker.take(real, "", ""));
      } else {
        TRY_OK(walker.take(real, std::string(base_name(one)), std::string(base_name(one))));
      }
      // A folder that is ignored is there only for what is taken back in it.
      if (ignored && !wild && out.entries.size() == before)
        return Fail(
            Error(Kind::not_found, fmt::format("/{}: not found", one)).with_hint("it is excluded by .dockerignore"));
    }
  }
  return out;
}

Result<Selection> everything(const Ctx& ctx, const Source& source, const std::string& path, bool* hidden) {
  Selection out;
  IgnoreList none;
  Walker walker(ctx, source, none, out);
  TRY(auto real, follow(source, path));
  TRY_OK(walker.take(real, "", ""));
  if (hidden != nullptr) *hidden = walker.hidden;
  return out;
}

Result<std::string> content_key(const Ctx& ctx, const Source& source, const Selection& selection) {
  const auto& entries = selection.entries;
  std::vector<std::string> digests(entries.size());
  auto hash_range = [&](const Ctx& task, std::size_t begin, std::size_t end) -> Result<> {
    for (auto i = begin; i < end; ++i) {
      TRY_OK(task.alive());
      const auto& e = entries[i];
      if (S_ISLNK(e.st.st_mode)) digests[i] = e.link;
      if (!S_ISREG(e.st.st_mode)) continue;
      auto file = source.root / e.path;
      TRY(digests[i], source.index != nullptr ? source.index->digest(e.path, e.st, file) : hash_file(file));
      if (!source.keeps_owner) continue;
      std::string capability(256, '\0');
      auto n = ::lgetxattr(file.c_str(), "security.capability", capability.data(), capability.size());
      if (n > 0) digests[i] += sha256_hex(std::string_view(capability).substr(0, static_cast<std::size_t>(n)));
    }
    return {};
  };
  constexpr std::size_t slice = 512;
  if (entries.size() <= slice) {
    TRY_OK(hash_range(ctx, 0, entries.size()));
  } else {
    std::vector<std::function<Result<>(const Ctx&)>> tasks;
    for (std::size_t at = 0; at < entries.size(); at += slice)
      tasks.emplace_back(
          [&, at](const Ctx& task) { return hash_range(task, at, std::min(at + slice, entries.size())); });
    TRY_OK(run_all(ctx, std::max(1U, std::thread::hardware_concurrency()), std::move(tasks)));
  }
  std::vector<std::string> rows;
  rows.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& st = entries[i].st;
    auto owner = source.keeps_owner ? fmt::format("{}:{}", st.st_uid, st.st_gid) : std::string("0:0");
    rows.push_back(fmt::format("{}:{} {:o} {} {}\n", entries[i].target.size(), entries[i].target,
                               S_ISLNK(st.st_mode) ? S_IFLNK : st.st_mode, owner, digests[i]));
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  Hasher hasher;
  for (const auto& row : rows) hasher.update(row);
  return hasher.finish_hex();
}

}  // namespace slipway::image::detail
