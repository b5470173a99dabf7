#pragma once
// The person's terminal, handed to a shell elsewhere: keys go through one by one, and nothing is echoed twice.
#include <termios.h>

namespace slipway::cli {

class RawTerminal {
 public:
  explicit RawTerminal(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
    if (!changed_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(fd, TCSADRAIN, &raw);
  }
  ~RawTerminal() {
    if (changed_) ::tcsetattr(fd_, TCSADRAIN, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int fd_;
  termios before_{};
  bool changed_;
};

}  // namespace slipway::cli
