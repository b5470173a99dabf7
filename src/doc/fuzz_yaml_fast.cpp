// The fast reader reads what libyaml reads, to the last mark and style, or leaves it alone.
#include "doc/detail/fast_yaml.h"

namespace {

using slipway::doc::Value;

bool same_mark(const slipway::doc::Mark& a, const slipway::doc::Mark& b) {
  return a.line == b.line && a.column == b.column && a.begin == b.begin && a.end == b.end;
}

bool same(const Value& a, const Value& b) {
  if (a.type() != b.type() || a.style() != b.style() || !same_mark(a.mark(), b.mark())) return false;
  if (const auto* list = a.if_list()) {
    const auto& other = *b.if_list();
    if (list->size() != other.size()) return false;
    for (std::size_t i = 0; i < other.size(); ++i) {
      if (!same((*list)[i], other[i])) return false;
    }
    return true;
  }
  const auto* map = a.if_map();
  if (map == nullptr) return a == b;
  const auto& other = *b.if_map();
  if (map->size() != other.size()) return false;
  auto there = other.begin();
  for (const auto& [key, value] : *map) {
    if (key != there->first || !same(value, there->second)) return false;
    if (!same_mark(map->key_mark(key), other.key_mark(key))) return false;
    ++there;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::doc;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto dialect : {Dialect::kubernetes, Dialect::actions}) {
    ParseOptions options{.dialect = dialect, .max_depth = 12, .max_nodes = 1'000};
    auto fast = read_fast(text, options);
    if (!fast) continue;
    auto full = read_full(text, options);
    SLP_ASSERT(full.has_value());
    SLP_ASSERT(full->size() == fast->size());
    for (std::size_t i = 0; i < full->size(); ++i) {
      // An empty document has no place of its own.
      SLP_ASSERT((*full)[i].is_null() ? (*fast)[i].is_null() : same((*fast)[i], (*full)[i]));
    }
  }
  return 0;
}
