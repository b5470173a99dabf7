#pragma once
// A TCP connection for tests that says exactly what it is told.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"
#include "base/files.h"

namespace slipway::net {

class Raw {
 public:
  explicit Raw(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return;  // the server may have refused already
      bytes.remove_prefix(put);
    }
  }
  // Everything up to and including `mark`; fails the test after ten seconds.
  std::string read_until(std::string_view mark) {
    std::string got = std::move(left_);
    left_.clear();
    while (got.find(mark) == got.npos && more(got)) {
    }
    auto at = got.find(mark);
    if (at == got.npos) {
      ADD_FAILURE() << "no \"" << mark << "\" in: " << got;
      return got;
    }
    left_ = got.substr(at + mark.size());
    got.resize(at + mark.size());
    return got;
  }
  std::string read_to_end() {
    std::string got = std::move(left_);
    while (more(got)) {
    }
    return got;
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }

 private:
  bool more(std::string& got) {
    pollfd fds{fd_.get(), POLLIN, 0};
    if (::poll(&fds, 1, 10000) != 1) {
      ADD_FAILURE() << "nothing came for ten seconds";
      return false;
    }
    char buffer[65536];
    auto size = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size > 0) got.append(buffer, size);
    return size > 0;
  }
  Fd fd_;
  std::string left_;
};

inline int threads_of_this_process() {
  auto names = list_dir("/proc/self/task");
  return names ? static_cast<int>(names->size()) : -1;
}

}  // namespace slipway::net
