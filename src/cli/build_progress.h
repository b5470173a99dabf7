#pragma once
// A build as it goes: on a terminal the steps at work below the lines that are done; in a pipe lines alone.
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "cli/command.h"
#include "path/services.h"

namespace slipway::cli {

// Threads: any. The last state is drawn away when the value goes.
class BuildProgress {
 public:
  enum class Style { plain, live, quiet };
  BuildProgress(Io& io, Style style);
  ~BuildProgress();
  void log(int stream, std::string_view piece);
  void step(const path::BuildStep& step);
  void finish();

 private:
  struct Running {
    std::string name;
    Clock::time_point since;
  };
  void line(std::string_view text);
  void draw();   // with mutex_ held
  void erase();  // with mutex_ held
  void tick();

  Io& io_;
  Style style_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ = false;
  std::string partial_;
  std::deque<Running> running_;
  int drawn_ = 0;  // lines of the live part
  std::thread ticker_;
};

// auto, plain, tty or quiet. Errors: invalid.
Result<BuildProgress::Style> progress_style(const std::string& text, bool quiet);

}  // namespace slipway::cli
