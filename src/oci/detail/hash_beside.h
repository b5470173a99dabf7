#pragma once
// Hashes what comes on a thread of its own, so that the next bytes are received and written meanwhile: sha256 of a
// layer takes longer than both.
#include <array>
#include <functional>
#include <memory>
#include <semaphore>
#include <span>
#include <string_view>
#include <thread>

namespace slipway::oci::detail {

// Two buffers in turn: one is filled while the other is hashed. What fits in the first takes no thread.
// Threads: one that fills.
class HashBeside {
 public:
  static constexpr std::size_t piece = 128 << 10;
  using Update = std::function<void(std::string_view)>;

  explicit HashBeside(Update update) : update_(std::move(update)) {}
  HashBeside(const HashBeside&) = delete;
  HashBeside& operator=(const HashBeside&) = delete;
  ~HashBeside();  // when all that was handed over is hashed
  // `piece` bytes to be filled.
  std::span<char> buffer();
  // The first `size` bytes of it, not 0; until buffer() is called again they are not touched.
  void hand_over(std::size_t size);

 private:
  struct Slot {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  bool start();
  void work(std::size_t first);

  Update update_;
  std::array<Slot, 2> slots_;
  std::size_t filling_ = 0;
  bool taken_ = false;  // buffer() has the slot that is filled
  std::counting_semaphore<2> free_{2}, filled_{0};
  std::thread worker_;
  bool began_ = false;
};

}  // namespace slipway::oci::detail
