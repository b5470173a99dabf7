#include "doc/value.h"

#include <algorithm>
#include <cmath>

namespace slipway::doc {
namespace {

constexpr std::size_t indexed_from = 16;

std::size_t hash_of(std::string_view key) { return std::hash<std::string_view>{}(key); }

}  // namespace

std::string_view to_string(Type type) {
  static constexpr std::string_view names[] = {"null", "bool", "integer", "number", "string", "list", "map"};
  return names[static_cast<std::size_t>(type)];
}

Map::Map(std::initializer_list<Entry> entries) {
  entries_.reserve(entries.size());
  for (const auto& entry : entries) set(entry.first, entry.second);
}

Map::Map(const Map& other)
    : entries_(other.entries_), extra_(other.extra_ ? std::make_unique<Extra>(*other.extra_) : nullptr) {}

Map& Map::operator=(const Map& other) {
  if (this != &other) *this = Map(other);
  return *this;
}

Map::Extra& Map::extra() {
  if (!extra_) extra_ = std::make_unique<Extra>();
  return *extra_;
}

std::size_t Map::position(std::string_view key) const {
  if (!extra_ || extra_->slots.empty()) {
    auto is_it = [&](const Entry& entry) { return std::string_view(entry.first) == key; };
    return static_cast<std::size_t>(std::find_if(entries_.begin(), entries_.end(), is_it) - entries_.begin());
  }
  const auto& slots = extra_->slots;
  std::size_t mask = slots.size() - 1;
  for (std::size_t at = hash_of(key) & mask; slots[at] != 0; at = (at + 1) & mask) {
    if (entries_[slots[at] - 1].first == key) return slots[at] - 1;
  }
  return entries_.size();
}

// Keeps marks parallel and the index complete after an entry was put at the end.
void Map::added() {
  if (extra_ && !extra_->key_marks.empty()) extra_->key_marks.resize(entries_.size());
  if (entries_.size() < indexed_from) return;
  auto& slots = extra().slots;
  if (slots.size() < entries_.size() * 2) return rebuild();
  std::size_t mask = slots.size() - 1, at = hash_of(entries_.back().first) & mask;
  while (slots[at] != 0) at = (at + 1) & mask;
  slots[at] = static_cast<std::uint32_t>(entries_.size());
}

void Map::rebuild() {
  if (entries_.size() < indexed_from) {
    if (extra_) extra_->slots.clear();
    return;
  }
  std::size_t size = 64;
  while (size < entries_.size() * 4) size *= 2;
  auto& slots = extra().slots;
  slots.assign(size, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = hash_of(entries_[i].first) & (size - 1);
    while (slots[at] != 0) at = (at + 1) & (size - 1);
    slots[at] = static_cast<std::uint32_t>(i + 1);
  }
}

const Value* Map::find(std::string_view key) const {
  auto i = position(key);
  return i < entries_.size() ? &entries_[i].second : nullptr;
}

Value* Map::find(std::string_view key) {
  auto i = position(key);
  return i < entries_.size() ? &entries_[i].second : nullptr;
}

Value& Map::operator[](std::string_view key) {
  auto i = position(key);
  if (i == entries_.size()) append(std::string(key), Value());
  return entries_[i].second;
}

void Map::set(std::string_view key, Value value) {
  if (auto* there = find(key)) {
    *there = std::move(value);
  } else {
    append(std::string(key), std::move(value));
  }
}

void Map::append(std::string key, Value value) {
  constexpr std::size_t usual = 4;  // entries are large: to begin with one would move them twice
  if (entries_.capacity() == 0) entries_.reserve(usual);
  entries_.emplace_back(std::move(key), std::move(value));
  added();
}

bool Map::erase(std::string_view key) {
  auto i = position(key);
  if (i == entries_.size()) return false;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
  if (extra_ && !extra_->key_marks.empty()) {
    extra_->key_marks.erase(extra_->key_marks.begin() + static_cast<std::ptrdiff_t>(i));
  }
  rebuild();
  return true;
}

void Map::clear() {
  entries_.clear();
  extra_.reset();
}

void Map::reserve(std::size_t n) { entries_.reserve(n); }
void Map::shrink_to_fit() { entries_.shrink_to_fit(); }

void Map::sort_keys() {
  std::vector<std::size_t> order(entries_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return entries_[a].first < entries_[b].first; });
  std::vector<Entry> sorted;
  sorted.reserve(entries_.size());
  std::vector<Mark> marks;
  for (auto i : order) {
    sorted.push_back(std::move(entries_[i]));
    if (extra_ && !extra_->key_marks.empty()) marks.push_back(extra_->key_marks[i]);
  }
  entries_ = std::move(sorted);
  if (extra_) extra_->key_marks = std::move(marks);
  rebuild();
}

Mark Map::key_mark(std::string_view key) const {
  auto i = position(key);
  return extra_ && i < extra_->key_marks.size() ? extra_->key_marks[i] : Mark{};
}

void Map::set_key_mark(std::string_view key, Mark mark) {
  // The parser marks the key it has just added: look there first.
  auto i = !entries_.empty() && entries_.back().first == key ? entries_.size() - 1 : position(key);
  if (i == entries_.size()) return;
  auto& marks = extra().key_marks;
  if (marks.size() != entries_.size()) marks.resize(entries_.size());
  marks[i] = mark;
}

Map& Value::map() {
  if (is_null()) v_.emplace<Map>();
  SLP_ASSERT(is_map());
  return *std::get_if<Map>(&v_);
}

List& Value::list() {
  if (is_null()) v_.emplace<List>();
  SLP_ASSERT(is_list());
  return *std::get_if<List>(&v_);
}

const Value* Value::find(std::string_view key) const {
  const auto* map = if_map();
  return map != nullptr ? map->find(key) : nullptr;
}

const Value* Value::find_path(std::initializer_list<std::string_view> keys) const {
  const Value* at = this;
  for (auto key : keys) {
    at = at->find(key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string Value::str_at(std::initializer_list<std::string_view> keys) const {
  const auto* at = find_path(keys);
  const auto* text = at != nullptr ? at->if_string() : nullptr;
  return text != nullptr ? *text : std::string();
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number() && a.type() != b.type()) {
    double real = a.is_int() ? *b.if_double() : *a.if_double();
    std::int64_t whole = a.is_int() ? *a.if_int() : *b.if_int();
    // 2^63 itself does not fit: the comparison in int64 must stay defined.
    return real >= -0x1p63 && real < 0x1p63 && std::trunc(real) == real && static_cast<std::int64_t>(real) == whole;
  }
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::null:
      return true;
    case Type::boolean:
      return *a.if_bool() == *b.if_bool();
    case Type::integer:
      return *a.if_int() == *b.if_int();
    case Type::number:
      return *a.if_double() == *b.if_double() || (std::isnan(*a.if_double()) && std::isnan(*b.if_double()));
    case Type::string:
      return *a.if_string() == *b.if_string();
    case Type::list:
      return *a.if_list() == *b.if_list();
    case Type::map:
      break;
  }
  const auto &left = *a.if_map(), &right = *b.if_map();
  if (left.size() != right.size()) return false;
  auto other = right.begin();
  for (const auto& [key, value] : left) {
    // Maps mostly have the same order: try the same place before looking.
    const auto* there = other->first == key ? &other->second : right.find(key);
    ++other;
    if (there == nullptr || !(value == *there)) return false;
  }
  return true;
}

}  // namespace slipway::doc
