#include "ci/run/disk_guard.h"

#include <sys/statvfs.h>

#include "base/time.h"

namespace slipway::ci {
namespace {

// A disk of 2 GB/s loses half a gigabyte in this time.
constexpr Millis interval{250};

}  // namespace

DiskGuard::DiskGuard(fs::path folder, std::uint64_t keep_free, std::stop_token parent)
    : folder_(std::move(folder)), keep_free_(keep_free), stop_(std::move(parent)) {
  if (keep_free_ == 0 || is_nearly_full()) return;
  thread_ = std::jthread([this](const std::stop_token& over) { watch(over); });
}

std::string DiskGuard::why() const {
  std::lock_guard hold(mutex_);
  return why_;
}

bool DiskGuard::is_nearly_full() {
  struct statvfs disk{};
  if (::statvfs(folder_.c_str(), &disk) < 0) return false;
  auto left = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (left >= keep_free_) return false;
  {
    std::lock_guard hold(mutex_);
    why_ = fmt::format("stopped: {} MiB are left on the disk of {}, {} MiB are kept free", left >> 20, folder_.string(),
                       keep_free_ >> 20);
  }
  stop_.request_stop();
  return true;
}

void DiskGuard::watch(const std::stop_token& over) {
  std::mutex alone;
  std::unique_lock hold(alone);
  while (!over_.wait_for(hold, over, interval, [] { return false; }) && !over.stop_requested())
    if (is_nearly_full()) return;
}

}  // namespace slipway::ci
