#pragma once
// An object as the store holds it: its text always within reach, its tree while somebody looks at it.
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "kube/object.h"

namespace slipway::cluster {

// A tree takes seven times the memory of its text (measured over 11,000 objects of Applications), so a large store
// keeps the trees of those that were used lately (Resident) and makes the others again from their text. Threads: any;
// what it says never changes.
class Stored {
 public:
  explicit Stored(kube::Object object);
  explicit Stored(std::string text);  // JSON, known to be good
  kube::Object object() const;
  const std::string& text() const;  // made once

 private:
  friend class Resident;
  void let_go() const;  // of the tree
  void make_text() const;
  mutable std::string text_;
  mutable std::shared_ptr<const doc::Value> kept_;
  mutable std::weak_ptr<const doc::Value> seen_;
  mutable std::atomic<bool> used_ = true, resident_ = false;
};
using StoredPtr = std::shared_ptr<const Stored>;

// The objects whose trees are kept: the last `limit` that were used, by a second chance. Threads: any.
class Resident {
 public:
  explicit Resident(std::size_t limit) : limit_(limit) {}
  void use(const StoredPtr& object);

 private:
  std::size_t limit_;
  std::mutex mutex_;
  std::deque<std::weak_ptr<const Stored>> order_;
};

}  // namespace slipway::cluster
