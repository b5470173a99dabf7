#include "cluster/api/stored.h"

#include <array>

#include "base/log.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

// A lock of its own would make each object larger; those that share one seldom meet.
std::mutex& lock_of(const Stored* object) {
  static std::array<std::mutex, 64> locks;
  return locks[reinterpret_cast<std::uintptr_t>(object) / alignof(std::max_align_t) / 4 % locks.size()];
}

}  // namespace

Stored::Stored(kube::Object object) : kept_(object.shared()), seen_(kept_) {}
Stored::Stored(std::string text) : text_(std::move(text)) {}

kube::Object Stored::object() const {
  used_.store(true, std::memory_order_relaxed);
  std::lock_guard hold(lock_of(this));
  if (kept_) return kube::Object(kept_);
  if (auto seen = seen_.lock()) return kube::Object(std::move(seen));
  auto value = doc::parse_json_bare(text_, "stored object");
  if (!value) {
    LOG(error, "cluster.stored", {"error", value.error().print()});
    return {};
  }
  auto tree = std::make_shared<const doc::Value>(*std::move(value));
  seen_ = tree;
  return kube::Object(std::move(tree));
}

const std::string& Stored::text() const {
  std::lock_guard hold(lock_of(this));
  make_text();
  return text_;
}

// Once: whoever has been given it reads it without a lock.
void Stored::make_text() const {
  if (!text_.empty()) return;
  text_ = doc::print_json(*kept_);
  text_.shrink_to_fit();
}

void Stored::let_go() const {
  std::lock_guard hold(lock_of(this));
  make_text();
  kept_.reset();
}

void Resident::use(const StoredPtr& object) {
  if (object->resident_.exchange(true)) return;
  {
    auto tree = object->object().shared();
    std::lock_guard hold(lock_of(object.get()));
    object->kept_ = std::move(tree);
  }
  std::lock_guard hold(mutex_);
  order_.push_back(object);
  // One more came in, so one goes: the oldest that was not used since, or after some looks whichever is next.
  for (std::size_t looks = 0; order_.size() > limit_ && looks < 64; ++looks) {
    auto oldest = order_.front().lock();
    order_.pop_front();
    if (!oldest) continue;
    if (looks < 32 && oldest->used_.exchange(false, std::memory_order_relaxed)) {
      order_.push_back(oldest);
      continue;
    }
    oldest->resident_ = false;
    oldest->let_go();
  }
}

}  // namespace slipway::cluster
