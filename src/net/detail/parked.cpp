#include <sys/epoll.h>
#include <sys/socket.h>

#include "net/detail/conn.h"

namespace slipway::net {

bool Parked::write(std::string_view bytes) {
  std::lock_guard hold(mutex_);
  if (closed_ || ending_ || broken_) return false;
  if (bytes.empty()) return true;  // an empty chunk would end the body
  bool waiting = sent_ < out_.size();
  if (chunked_) out_ += fmt::format("{:x}\r\n", bytes.size());
  out_ += bytes;
  if (chunked_) out_ += "\r\n";
  if (waiting && out_.size() - sent_ <= core_->options().park_limit) return true;
  if (flush() && out_.size() - sent_ <= core_->options().park_limit) {
    if (sent_ < out_.size()) core_->arm(*conn_, wanted());
    return true;
  }
  // The loop learns of it by the hang-up and tells those who wait: they may hold locks that we must not meet here.
  broken_ = true;
  conn_->transport.shutdown(SHUT_RDWR);
  core_->arm(*conn_, wanted());
  return false;
}

void Parked::close() {
  std::lock_guard hold(mutex_);
  if (closed_ || ending_ || broken_) return;
  ending_ = true;
  if (chunked_) out_ += "0\r\n\r\n";
  core_->arm(*conn_, wanted());
}

bool Parked::closed() const {
  std::lock_guard hold(mutex_);
  return closed_ || ending_ || broken_;
}

void Parked::on_close(std::function<void()> call) {
  {
    std::lock_guard hold(mutex_);
    if (!closed_) {
      calls_.push_back(std::move(call));
      return;
    }
  }
  call();
}

std::uint32_t Parked::wanted() const { return EPOLLIN | EPOLLRDHUP | (sent_ < out_.size() || ending_ ? EPOLLOUT : 0u); }

bool Parked::flush() {
  while (sent_ < out_.size()) {
    auto step = conn_->transport.write(std::string_view(out_).substr(sent_));
    if (step.blocked()) {
      if (sent_ > 65536) out_.erase(0, std::exchange(sent_, 0));
      return true;
    }
    if (!step.moved()) return false;
    sent_ += step.bytes;
  }
  std::string().swap(out_);
  sent_ = 0;
  return true;
}

std::optional<After> Parked::on_event(std::uint32_t, std::string& in) {
  std::lock_guard hold(mutex_);
  if (closed_) return std::nullopt;
  if (broken_ || !flush()) return After::abort;
  if (ending_ && out_.empty()) return after_;
  std::array<char, 4096> buffer;
  for (;;) {
    auto step = conn_->transport.read(buffer);
    if (step.blocked()) break;
    if (!step.moved()) return After::abort;
    // A next request may wait here; a flood may not.
    in.append(buffer.data(), step.bytes);
    if (in.size() > core_->options().max_head) return After::abort;
  }
  core_->arm(*conn_, wanted());
  return std::nullopt;
}

void Parked::finished() {
  std::vector<std::function<void()>> calls;
  std::shared_ptr<Core> core;
  ConnPtr conn;
  {
    std::lock_guard hold(mutex_);
    if (closed_) return;
    closed_ = true;
    calls.swap(calls_);
    core.swap(core_);
    conn.swap(conn_);
  }
  for (auto& call : calls) call();
}

}  // namespace slipway::net
