#include "oci/detail/hash_beside.h"

#include <pthread.h>

#include <system_error>

namespace slipway::oci::detail {

std::span<char> HashBeside::buffer() {
  if (!std::exchange(taken_, true)) free_.acquire();
  auto& slot = slots_[filling_];
  if (!slot.bytes) slot.bytes = std::make_unique_for_overwrite<char[]>(piece);
  return {slot.bytes.get(), piece};
}

void HashBeside::hand_over(std::size_t size) {
  auto& slot = slots_[filling_];
  taken_ = false;
  if (!std::exchange(began_, true) || !start()) {
    update_({slot.bytes.get(), size});
    free_.release();
    return;
  }
  slot.size = size;
  filled_.release();
  filling_ = 1 - filling_;
}

// False: there are no more threads to be had, and it is done here.
bool HashBeside::start() {
  if (worker_.joinable()) return true;
  try {
    worker_ = std::thread([this, first = filling_] { work(first); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

// A slot of size 0 is the end.
void HashBeside::work(std::size_t at) {
  ::pthread_setname_np(::pthread_self(), "hash");
  for (;; at = 1 - at) {
    filled_.acquire();
    const auto& slot = slots_[at];
    if (slot.size == 0) return;
    update_({slot.bytes.get(), slot.size});
    free_.release();
  }
}

HashBeside::~HashBeside() {
  if (!worker_.joinable()) return;
  (void)buffer();
  slots_[filling_].size = 0;
  filled_.release();
  worker_.join();
}

}  // namespace slipway::oci::detail
