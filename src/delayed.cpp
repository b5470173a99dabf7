// Finds the function that a stub of slipway_delay() stands for (cmake/Delayed.cmake).
#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

extern "C" {
// Made by cmake/delayed.py: where each stub jumps to, its name, the number of its library, and their names.
extern void* slipway_delayed_slots[];
extern const char slipway_delayed_names[], slipway_delayed_libraries[];
extern const unsigned char slipway_delayed_owners[];
void* slipway_delayed_function(std::size_t number);
void slipway_load_delayed();
}

namespace {

// The n-th of names that stand one behind the other.
const char* name_at(const char* names, std::size_t n) {
  for (; n > 0; --n) names += std::strlen(names) + 1;
  return names;
}

void* library(std::size_t number) {
  static std::array<void*, 8> opened{};
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  auto& handle = opened.at(number);
  if (handle == nullptr) handle = ::dlopen(name_at(slipway_delayed_libraries, number), RTLD_NOW | RTLD_LOCAL);
  return handle;
}

}  // namespace

// For who wants to know all libraries that this program may need (the image of the agent).
void slipway_load_delayed() {
  for (std::size_t n = 0; *name_at(slipway_delayed_libraries, n) != 0; ++n) (void)library(n);
}

void* slipway_delayed_function(std::size_t number) {
  void* handle = library(slipway_delayed_owners[number]);
  void* found = handle == nullptr ? nullptr : ::dlsym(handle, name_at(slipway_delayed_names, number));
  if (found == nullptr) {
    std::fprintf(stderr, "slipway: %s\nhint: install slipway's packages again: script/setup\n", ::dlerror());
    std::exit(4);
  }
  std::atomic_ref(slipway_delayed_slots[number]).store(found, std::memory_order_relaxed);
  return found;
}
