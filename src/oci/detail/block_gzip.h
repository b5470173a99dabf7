#pragma once
// gzip on all cores: blocks of a fixed size, each compressed by itself, one after the other in one member.
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "base/guarded.h"

namespace slipway::oci::detail {

// The same input gives the same bytes, whatever the number of cores: ISA-L level 1 over blocks of 1 MiB. Threads start
// with the second block, as most layers of a build are smaller than one. Threads: one.
class BlockGzip {
 public:
  static constexpr std::size_t block_size = std::size_t{1} << 20;
  using Sink = std::function<Result<>(std::string_view)>;  // called by any thread, one at a time, in order
  explicit BlockGzip(Sink sink);
  ~BlockGzip();
  // Every block but the last one has block_size bytes.
  Result<> write(std::string block);
  Result<> finish();

 private:
  struct State {
    std::deque<std::pair<std::size_t, std::string>> todo;
    std::map<std::size_t, std::string> done;
    std::size_t next_out = 0;  // the block to be written next
    bool writing = false, closed = false;
    std::optional<Error> error;
  };
  void work();
  void put(std::size_t number, std::string bytes);
  Result<> header();

  Sink sink_;
  std::optional<std::string> first_;
  std::size_t blocks_ = 0;
  std::uint32_t crc_ = 0, size_ = 0;  // of what was given
  bool begun_ = false;
  std::stop_source stop_;
  Ctx ctx_{.stop = stop_.get_token()};
  Guarded<State> state_;
  std::condition_variable_any wake_;
  std::vector<std::thread> threads_;
};

}  // namespace slipway::oci::detail
