#include "image/detail/selection.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "base/guarded.h"
#include "base/noatime.h"
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

// A folder as it was read: what it holds, in order of names; folders among it are read by whoever is free.
struct Part {
  Entry folder;
  std::string below;  // the path --exclude's patterns see
  IgnoreList::Verdict ignored, excluded;
  struct Item {
    Entry entry;
    bool out = false;            // left out by a pattern
    std::unique_ptr<Part> part;  // of a folder
  };
  std::vector<Item> items;
  bool is_out() const { return ignored.excluded || excluded.excluded; }
};

Result<std::vector<std::string>> names_in(int folder, const std::string& shown) {
  Owned<DIR, ::closedir> stream(::fdopendir(::fcntl(folder, F_DUPFD_CLOEXEC, 0)));
  if (!stream) return fail_errno(errno, "/" + shown);
  std::vector<std::string> names;
  while (const auto* entry = ::readdir(stream.get()))
    if (std::string_view name = entry->d_name; name != "." && name != "..") names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string link_at(int folder, const std::string& name) {
  std::string target(4096, '\0');
  auto n = ::readlinkat(folder, name.c_str(), target.data(), target.size());
  target.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return target;
}

// Reads folders, on all cores where there are many. Threads: one.
class Reading {
 public:
  Reading(const Ctx& ctx, const Source& source, const IgnoreList& exclude)
      : ctx_(ctx), source_(source), exclude_(exclude) {}
  std::atomic<bool> hidden = false;  // .dockerignore left something out
  Result<> all(Part& root) {
    todo_.lock()->parts.push_back(&root);
    work();
    for (auto& thread : threads_) thread.join();
    auto todo = todo_.lock();
    return todo->error ? Result<>(Fail(*todo->error)) : Result<>{};
  }

 private:
  struct Todo {
    std::vector<Part*> parts;
    std::size_t under_way = 0;
    std::optional<Error> error;
    bool over() const { return error || (parts.empty() && under_way == 0); }
  };
  static constexpr std::size_t worth_a_thread = 8;  // folders that wait

  void work() {
    for (;;) {
      Part* part = nullptr;
      {
        auto todo = todo_.lock();
        (void)todo.wait({}, wake_, [&] { return todo->over() || !todo->parts.empty(); });
        if (todo->over()) return;
        part = todo->parts.back();
        todo->parts.pop_back();
        ++todo->under_way;
      }
      auto read = folder(*part);
      auto todo = todo_.lock();
      --todo->under_way;
      if (!read && !todo->error) todo->error = std::move(read).error();
      for (auto& item : part->items)
        if (item.part) todo->parts.push_back(item.part.get());
      if (todo->over() || todo->parts.size() > 1) wake_.notify_all();
      if (todo->parts.size() >= worth_a_thread && !helped_.test_and_set())
        for (unsigned n = 1; n < std::thread::hardware_concurrency(); ++n) threads_.emplace_back([this] { work(); });
    }
  }

  Result<> folder(Part& part) {
    TRY_OK(ctx_.alive());
    if ((part.ignored.excluded && part.ignored.prune) || (part.excluded.excluded && part.excluded.prune)) return {};
    TRY(auto fd, open_beneath(source_.root, part.folder.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(auto names, names_in(fd.get(), part.folder.path));
    part.items.reserve(names.size());
    for (const auto& name : names) {
      Part::Item item;
      auto& entry = item.entry;
      if (::fstatat(fd.get(), name.c_str(), &entry.st, AT_SYMLINK_NOFOLLOW) < 0) continue;  // gone meanwhile
      entry.path = join_path(part.folder.path, name);
      entry.target = join_path(part.folder.target, name);
      if (S_ISLNK(entry.st.st_mode)) entry.link = link_at(fd.get(), name);
      auto ignored =
          source_.ignore != nullptr ? source_.ignore->check(entry.path, part.ignored.hits) : IgnoreList::Verdict();
      bool excludes = !exclude_.empty();
      auto below = excludes ? join_path(part.below, name) : std::string();
      auto excluded = excludes ? exclude_.check(below, part.excluded.hits) : IgnoreList::Verdict();
      if (ignored.excluded) hidden = true;
      item.out = ignored.excluded || excluded.excluded || S_ISSOCK(entry.st.st_mode);
      if (S_ISDIR(entry.st.st_mode)) {
        item.part = std::make_unique<Part>();
        *item.part = {.folder = entry,
                      .below = std::move(below),
                      .ignored = std::move(ignored),
                      .excluded = std::move(excluded),
                      .items = {}};
      }
      part.items.push_back(std::move(item));
    }
    return {};
  }

  const Ctx& ctx_;
  const Source& source_;
  const IgnoreList& exclude_;
  Guarded<Todo> todo_;
  std::condition_variable_any wake_;
  std::atomic_flag helped_;
  std::vector<std::thread> threads_;
};

class Walker {
 public:
  Walker(const Ctx& ctx, const Source& source, const IgnoreList& exclude, Selection& out)
      : ctx_(ctx), source_(source), exclude_(exclude), out_(out) {}
  bool hidden = false;

  // A file or a folder with all it holds. `below`: the path --exclude's patterns see.
  Result<> take(const std::string& path, const std::string& target, const std::string& below) {
    auto st = look(source_, path);
    if (!st) return fail(Kind::not_found, "/{}: not found", path);
    Part root{.folder = {path, target, *st, {}},
              .below = below,
              .ignored = state_of(path),
              .excluded = below.empty() ? IgnoreList::Verdict() : exclude_.check(below, {}),
              .items = {}};
    hidden = hidden || root.ignored.excluded;
    if (!S_ISDIR(st->st_mode)) {
      if (S_ISLNK(st->st_mode)) root.folder.link = link_at(AT_FDCWD, source_.root / path);
      if (!root.is_out() && !S_ISSOCK(st->st_mode)) out_.entries.push_back(std::move(root.folder));
      return {};
    }
    Reading reading(ctx_, source_, exclude_);
    TRY_OK(reading.all(root));
    hidden = hidden || reading.hidden;
    add(root);
    return {};
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
  void add(Part& part) {
    auto at = out_.entries.size();
    out_.entries.push_back(std::move(part.folder));
    for (auto& item : part.items) {
      if (item.part)
        add(*item.part);
      else if (!item.out)
        out_.entries.push_back(std::move(item.entry));
    }
    // An ignored folder comes along for something in it that is taken back, and only for that.
    if (part.is_out() && out_.entries.size() == at + 1) out_.entries.pop_back();
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

Result<Fd> SourceFiles::open(const std::string& path) {
  constexpr int how = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  auto slash = path.rfind('/');
  auto folder = slash == std::string::npos ? std::string() : path.substr(0, slash);
  if (!folder_ || folder != folder_path_) {
    folder_.reset();
    TRY(folder_, open_beneath(root_, folder, O_PATH | O_DIRECTORY));
    folder_path_ = folder;
  }
  auto name = path.substr(slash + 1);  // npos + 1 is 0
  if (name.empty() || name == "." || name == "..") return open_beneath(root_, path, how);
  Fd file(openat_noatime(folder_.get(), name.c_str(), how));
  if (!file) return fail_errno(errno, (root_ / path).native());
  return file;
}

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

namespace {

// What tells one file from another: its content's digest, a link's target, and where owners count, capabilities.
Result<> digest_unknown(const Ctx& ctx, const Source& source, const std::vector<Entry>& entries,
                        const std::vector<std::size_t>& unknown, std::vector<std::string>& digests) {
  constexpr std::size_t slice = 64;
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (std::size_t at = 0; at < unknown.size(); at += slice)
    tasks.emplace_back([&, at](const Ctx& task) -> Result<> {
      SourceFiles files(source.root);
      for (auto n = at; n < std::min(at + slice, unknown.size()); ++n) {
        TRY_OK(task.alive());
        const auto& e = entries[unknown[n]];
        TRY(auto file, files.open(e.path));
        TRY(digests[unknown[n]], source.index != nullptr
                                     ? source.index->digest(e.path, e.st, file)
                                     : hash_file(file, e.path, static_cast<std::uint64_t>(e.st.st_size)));
      }
      return {};
    });
  return run_all(ctx, std::max(1U, std::thread::hardware_concurrency()), std::move(tasks));
}

std::string capability_of(const fs::path& file) {
  std::string value(256, '\0');
  auto n = ::lgetxattr(file.c_str(), "security.capability", value.data(), value.size());
  value.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return value;
}

}  // namespace

// In the order in which they are placed: of two with one name, the later counts.
Result<std::string> content_key(const Ctx& ctx, const Source& source, const Selection& selection) {
  const auto& entries = selection.entries;
  std::vector<std::string> digests(entries.size());
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    if (!S_ISREG(e.st.st_mode)) continue;
    auto digest = source.index != nullptr ? source.index->known(e.path, e.st) : std::nullopt;
    if (digest)
      digests[i] = *std::move(digest);
    else
      unknown.push_back(i);
  }
  TRY_OK(digest_unknown(ctx, source, entries, unknown, digests));
  Hasher hasher;
  std::string row;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    bool link = S_ISLNK(e.st.st_mode);
    row.clear();
    fmt::format_to(std::back_inserter(row), "{}:{} {:o} {}:{} {}:", e.target.size(), e.target,
                   link ? S_IFLNK : e.st.st_mode, source.keeps_owner ? e.st.st_uid : 0,
                   source.keeps_owner ? e.st.st_gid : 0, link ? e.link.size() : digests[i].size());
    row += link ? e.link : digests[i];
    if (source.keeps_owner && S_ISREG(e.st.st_mode)) row += capability_of(source.root / e.path);
    row += '\n';
    hasher.update(row);
  }
  return hasher.finish_hex();
}

}  // namespace slipway::image::detail
