#pragma once
// What is about to be pushed, noted on disk before a ref moves and forgotten once its Change is recorded. A kill or a
// full disk between the two loses no run: at the next start, or when the disk has room again, what is left is looked
// at.
#include <string>
#include <vector>

#include "base/files.h"

namespace slipway::engine {

struct PushNote {
  std::string repository, ref, before, after, pusher;
  friend bool operator==(const PushNote&, const PushNote&) = default;
};

// Threads: any.
class PushNotes {
 public:
  explicit PushNotes(fs::path folder) : folder_(std::move(folder)) {}
  // Errors: unavailable (no room): then the push must not be taken.
  Result<> write(const PushNote& note) const;
  void forget(const PushNote& note) const;
  Result<std::vector<PushNote>> left() const;  // oldest first

 private:
  fs::path file_of(const PushNote& note) const;
  fs::path folder_;
};

}  // namespace slipway::engine
