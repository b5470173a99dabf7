#pragma once
// Bytes of a packed file, unpacked ahead of who reads them by a thread of its own. Private to ci/actions.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"

struct archive;

namespace slipway::ci {

class Ahead {
 public:
  // fd: zstd or gzip; stays the caller's, and open.
  explicit Ahead(int fd);
  ~Ahead();
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;
  // The next piece, good until the next call; nothing at the end. Errors: corrupt.
  Result<std::string_view> next();
  // For archive_read_open; `self` is an Ahead.
  static long read(archive* a, void* self, const void** bytes);

 private:
  using Piece = std::vector<char>;
  void run(int fd);
  bool give(Piece piece);  // false: nobody reads any more

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> full_;
  std::vector<Piece> free_;
  Piece current_;
  std::string wrong_;
  bool ended_ = false, stopped_ = false;
  std::thread thread_;
};

}  // namespace slipway::ci
