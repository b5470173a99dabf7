#include "cli/build_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace slipway::cli {
namespace {

constexpr std::size_t most_shown = 8;  // steps at work

std::size_t width_of_terminal() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

void out(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

}  // namespace

Result<BuildProgress::Style> progress_style(const std::string& text, bool quiet) {
  using Style = BuildProgress::Style;
  if (quiet || text == "quiet") return Style::quiet;
  if (text == "plain") return Style::plain;
  if (text == "tty") return Style::live;
  if (!text.empty() && text != "auto")
    return fail(Kind::invalid, "--progress {}: want auto, plain, tty or quiet", text);
  const char* term = std::getenv("TERM");
  bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return ::isatty(STDERR_FILENO) == 1 && !dumb ? Style::live : Style::plain;
}

BuildProgress::BuildProgress(Io& io, Style style) : io_(io), style_(style) {
  if (style_ == Style::live) ticker_ = std::thread([this] { tick(); });
}

BuildProgress::~BuildProgress() { finish(); }

void BuildProgress::finish() {
  {
    std::lock_guard hold(mutex_);
    if (over_) return;
    over_ = true;
    running_.clear();
    erase();
    if (!partial_.empty() && style_ != Style::quiet) io_.note(partial_);
    partial_.clear();
  }
  wake_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void BuildProgress::log(int, std::string_view piece) {
  if (style_ == Style::quiet) return;
  std::lock_guard hold(mutex_);
  partial_ += piece;
  bool erased = false;
  for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
    if (!std::exchange(erased, true)) erase();
    line(std::string_view(partial_).substr(0, end));
    partial_.erase(0, end + 1);
  }
  if (erased) draw();
}

void BuildProgress::line(std::string_view text) { io_.note(text); }

void BuildProgress::step(const path::BuildStep& step) {
  if (style_ != Style::live) return;
  std::lock_guard hold(mutex_);
  auto it = std::find_if(running_.begin(), running_.end(), [&](const Running& r) { return r.name == step.name; });
  if (step.state == path::BuildStep::State::running) {
    if (it == running_.end()) running_.push_back({step.name, real_clock().now()});
  } else if (it != running_.end()) {
    running_.erase(it);
  }
  erase();
  draw();
}

void BuildProgress::erase() {
  if (drawn_ == 0) return;
  std::string text;
  for (int n = 0; n < drawn_; ++n) text += "\x1b[1A\x1b[2K";
  drawn_ = 0;
  out(text);
}

void BuildProgress::draw() {
  if (style_ != Style::live || over_) return;
  auto width = width_of_terminal();
  std::string text;
  std::size_t shown = 0;
  for (const auto& r : running_) {
    if (shown++ == most_shown) break;
    auto seconds = std::chrono::duration<double>(real_clock().now() - r.since).count();
    auto time = fmt::format(" {:.1f}s", seconds);
    auto name = " -> " + r.name;
    for (char& c : name)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';  // a Dockerfile does not steer the terminal
    if (name.size() + time.size() > width) name.resize(width - time.size() - 1);
    text += name + time + "\n";
    ++drawn_;
  }
  out(text);
}

void BuildProgress::tick() {
  std::unique_lock hold(mutex_);
  while (!over_) {
    wake_.wait_for(hold, std::chrono::milliseconds(100));
    if (over_ || running_.empty()) continue;
    erase();
    draw();
  }
}

}  // namespace slipway::cli
