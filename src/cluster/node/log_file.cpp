#include "cluster/node/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"

namespace slipway::cluster {

std::optional<LogLine> parse_log_line(std::string_view line) {
  LogLine parsed;
  for (auto* part : {&parsed.time, &parsed.stream}) {
    auto blank = line.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    *part = line.substr(0, blank);
    line.remove_prefix(blank + 1);
  }
  if (line.size() < 2 || line[1] != ' ' || (line[0] != 'F' && line[0] != 'P')) return std::nullopt;
  parsed.partial = line[0] == 'P';
  parsed.text = line.substr(2);
  return parsed;
}

namespace {

std::uint64_t inode(int fd) {
  struct stat st{};
  return ::fstat(fd, &st) == 0 ? st.st_ino : 0;
}

// The files of one log, oldest first.
std::vector<Fd> open_files(const fs::path& file) {
  std::vector<Fd> files;
  for (int i = 0;; ++i) {
    auto name = i == 0 ? file.string() : fmt::format("{}.{}", file.string(), i);
    Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) break;
    files.insert(files.begin(), std::move(fd));
  }
  return files;
}

// Turns CRI lines into what the reader asked for.
class Printer {
 public:
  Printer(const LogOptions& options, WallTime now, const std::function<bool(std::string_view)>& sink)
      : options_(options), sink_(sink), left_(options.limit_bytes.value_or(-1)) {
    if (options.since_seconds) since_ = rfc3339(now - std::chrono::seconds(*options.since_seconds));
  }
  // false: enough.
  bool line(std::string_view raw) {
    auto parsed = parse_log_line(raw);
    if (!parsed) return true;
    // Times of one form order as text.
    if (!since_.empty() && parsed->time.substr(0, 19) < std::string_view(since_).substr(0, 19)) return true;
    std::string text;
    if (options_.timestamps && !inside_) (text += parsed->time) += ' ';
    text += parsed->text;
    if (!parsed->partial) text += '\n';
    inside_ = parsed->partial;
    if (left_ >= 0 && static_cast<std::int64_t>(text.size()) > left_) text.resize(static_cast<std::size_t>(left_));
    if (left_ >= 0) left_ -= static_cast<std::int64_t>(text.size());
    if (!text.empty() && !sink_(text)) return false;
    return left_ != 0;
  }

 private:
  const LogOptions& options_;
  const std::function<bool(std::string_view)>& sink_;
  std::string since_;
  std::int64_t left_;
  bool inside_ = false;
};

// Whole lines of a growing file; what is not whole yet is kept for later.
class LineReader {
 public:
  explicit LineReader(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  template <class F>
  bool each(F call) {
    char buffer[65536];
    for (;;) {
      ssize_t n = ::read(fd_.get(), buffer, sizeof buffer);
      if (n <= 0) return true;
      rest_.append(buffer, static_cast<std::size_t>(n));
      std::size_t from = 0;
      for (std::size_t end; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1)
        if (!call(std::string_view(rest_).substr(from, end - from))) return false;
      rest_.erase(0, from);
    }
  }

 private:
  Fd fd_;
  std::string rest_;
};

// Where the last `lines` lines begin: the number of whole lines to leave out.
std::size_t lines_to_skip(const std::vector<Fd>& files, std::int64_t wanted) {
  std::int64_t total = 0;
  for (const auto& file : files) {
    LineReader reader{Fd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0))};
    reader.each([&](std::string_view line) {
      auto parsed = parse_log_line(line);
      if (parsed && !parsed->partial) ++total;
      return true;
    });
    ::lseek(file.get(), 0, SEEK_SET);
  }
  return static_cast<std::size_t>(std::max<std::int64_t>(0, total - wanted));
}

// Waits until the file or its folder changes; not long, for the end of the container changes neither.
void wait_for_change(const Ctx& ctx, int notify) {
  (void)wait(ctx.within(Millis(200)), notify, POLLIN);
  char events[4096];
  while (::read(notify, events, sizeof events) > 0) {
  }
}

}  // namespace

Result<> read_log(const Ctx& ctx, const fs::path& file, const LogOptions& options, const std::function<bool()>& ended,
                  const std::function<bool(std::string_view)>& sink) {
  Fd notify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (options.follow)
    ::inotify_add_watch(notify.get(), file.parent_path().c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  auto files = open_files(file);
  if (files.empty()) return fail(Kind::not_found, "no log at {}", file.filename().string());
  std::size_t skip = options.tail_lines ? lines_to_skip(files, std::max<std::int64_t>(0, *options.tail_lines)) : 0;
  Printer printer(options, ctx.clock->wall(), sink);
  auto print = [&](std::string_view line) {
    if (skip > 0) {
      auto parsed = parse_log_line(line);
      if (parsed && !parsed->partial) --skip;
      return true;
    }
    return printer.line(line);
  };
  std::optional<LineReader> last;
  for (auto& fd : files) {
    last.emplace(std::move(fd));
    if (!last->each(print)) return {};
  }
  while (options.follow) {
    bool over = ended();  // asked before the read: what was written by then is read below
    if (!last->each(print)) return {};
    Fd current(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (current && inode(current.get()) != inode(last->fd())) {  // rotated: the old file first, to its end
      if (!last->each(print)) return {};
      last.emplace(std::move(current));
      continue;
    }
    if (over) return {};
    TRY_OK(ctx.alive());
    wait_for_change(ctx, notify.get());
  }
  return {};
}

}  // namespace slipway::cluster
