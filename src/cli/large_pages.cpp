#include "cli/large_pages.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace slipway::cli {

void use_large_pages() {
  constexpr std::size_t growth = std::size_t{32} << 20, large = std::size_t{2} << 20, piece = std::size_t{100} << 10;
  ::mallopt(M_TOP_PAD, growth);
  auto end = [] { return reinterpret_cast<std::uintptr_t>(::sbrk(0)); };
  auto before = end();
  // What is free at the end of the heap is used up, so that it grows now.
  std::vector<std::unique_ptr<char[]>> fill;
  while (end() == before && fill.size() < 64) fill.push_back(std::make_unique_for_overwrite<char[]>(piece));
  auto begin = (before + large - 1) / large * large;
  if (begin < end()) ::madvise(reinterpret_cast<void*>(begin), end() - begin, MADV_HUGEPAGE);
}

}  // namespace slipway::cli
