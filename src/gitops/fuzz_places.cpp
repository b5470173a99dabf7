// Two documents and paths as the script runner may give them, each on a line: refused, or places that are there, that
// have counterparts which are there, and that can be erased from the last to the first.
#include "base/result.h"
#include "base/text.h"
#include "doc/json.h"
#include "gitops/detail/places.h"

using namespace slipway;
using gitops::detail::Place;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  auto first = cut(text, "\n");
  auto second = first ? cut(first->second, "\n") : std::nullopt;
  if (!second) return 0;
  auto one = doc::parse_json(first->first), other = doc::parse_json(second->first);
  if (!one || !other) return 0;
  auto paths = doc::parse_json(second->second);
  auto places =
      paths ? gitops::detail::places_of_paths(*one, *paths) : gitops::detail::places_of_pointer(*one, second->second);
  if (!places) return 0;
  for (const auto& place : *places) {
    SLP_ASSERT(gitops::detail::at(*one, place) != nullptr);
    auto there = gitops::detail::counterpart(*one, place, *other);
    SLP_ASSERT(!there || gitops::detail::at(*other, *there) != nullptr);
  }
  for (auto it = places->rbegin(); it != places->rend(); ++it)
    if (!it->empty()) gitops::detail::erase(*one, *it);
  return 0;
}
