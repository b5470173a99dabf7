#include <cmath>

#include "base/text.h"
#include "ci/plan.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_rows = 256;

// Whether every leaf of `filter` is found in `value` and equal in the sense of expressions.
bool covers(const Data& filter, const Data& value) {
  if (auto* object = filter.if_object()) {
    auto* other = value.if_object();
    return other && std::all_of(object->entries.begin(), object->entries.end(), [&](auto& entry) {
             auto* found = other->find(entry.first);
             return found && covers(entry.second, *found);
           });
  }
  if (auto* array = filter.if_array()) {
    auto* other = value.if_array();
    if (!other || other->items.size() != array->items.size()) return false;
    for (std::size_t i = 0; i < array->items.size(); ++i)
      if (!covers(array->items[i], other->items[i])) return false;
    return true;
  }
  return value.is_primitive() && loose_equal(filter, value);
}

void scalar_leaves(const Data& value, std::vector<std::string>& out) {
  if (auto* object = value.if_object()) {
    for (auto& [key, inner] : object->entries) scalar_leaves(inner, out);
  } else if (auto* array = value.if_array()) {
    for (auto& inner : array->items) scalar_leaves(inner, out);
  } else if (auto text = value.text(); !text.empty()) {
    out.push_back(std::move(text));
  }
}

std::string suffix_of(const Object& row) {
  std::vector<std::string> leaves;
  for (auto& [key, value] : row.entries) scalar_leaves(value, leaves);
  return join(std::span<const std::string>(leaves), ", ");
}

struct Row {
  Object original, full;  // product values; and with what include added
};

class Matrix {
 public:
  explicit Matrix(const Object& definition) : definition_(definition) {}

  Result<std::vector<Leg>> expand() {
    TRY_OK(split());
    TRY_OK(product());
    TRY_OK(exclude());
    TRY_OK(include());
    if (rows_.empty() && added_.empty()) return fail(Kind::invalid, "the matrix has no rows: everything is excluded");
    std::vector<Leg> out;
    for (auto& row : rows_) out.push_back({suffix_of(row.original), Data(row.full)});
    for (auto& row : added_) out.push_back({suffix_of(row), Data(row)});
    if (out.size() > max_rows)
      return fail(Kind::invalid, "the matrix has {} rows, at most {} are allowed", out.size(), max_rows);
    return out;
  }

 private:
  Result<> split() {
    for (auto& [key, value] : definition_.entries) {
      auto* array = value.if_array();
      if (!array) return fail(Kind::invalid, "matrix.{}: want a list, got {}", key, value.print());
      if (iequals(key, "include"))
        include_ = array;
      else if (iequals(key, "exclude"))
        exclude_ = array;
      else if (array->items.empty())
        return fail(Kind::invalid, "Matrix vector '{}' does not contain any values", key);
      else
        vectors_.emplace_back(key, array);
    }
    return {};
  }

  // Row-major: the first key changes slowest.
  Result<> product() {
    if (vectors_.empty()) return {};
    std::size_t total = 1;
    for (auto& [key, array] : vectors_) {
      total *= array->items.size();
      if (total > max_rows * max_rows) return fail(Kind::invalid, "the matrix has too many rows");
    }
    for (std::size_t n = 0; n < total; ++n) {
      Row row;
      std::size_t rest = n, block = total;
      for (auto& [key, array] : vectors_) {
        block /= array->items.size();
        row.original.set(key, array->items[rest / block]);
        rest %= block;
      }
      row.full = row.original;
      rows_.push_back(std::move(row));
    }
    return {};
  }

  Result<> exclude() {
    if (!exclude_) return {};
    for (auto& filter : exclude_->items) {
      auto* object = filter.if_object();
      if (!object) return fail(Kind::invalid, "matrix.exclude: want mappings, got {}", filter.print());
      for (auto& [key, value] : object->entries)
        if (!is_vector(key)) return fail(Kind::invalid, "matrix.exclude: key '{}' is not a key of the matrix", key);
      std::erase_if(rows_, [&](const Row& row) { return covers(filter, Data(row.original)); });
    }
    return {};
  }

  Result<> include() {
    if (!include_) return {};
    for (auto& entry : include_->items) {
      auto* object = entry.if_object();
      if (!object) return fail(Kind::invalid, "matrix.include: want mappings, got {}", entry.print());
      Object filter, extras;
      for (auto& [key, value] : object->entries) (is_vector(key) ? filter : extras).set(key, value);
      bool matched = false;
      if (!vectors_.empty()) {
        Data wanted(filter);
        for (auto& row : rows_) {
          if (!covers(wanted, Data(row.original))) continue;
          matched = true;
          for (auto& [key, value] : extras.entries) row.full.set(key, value);
        }
      }
      if (!matched) added_.push_back(*object);
    }
    return {};
  }

  bool is_vector(std::string_view key) const {
    return std::any_of(vectors_.begin(), vectors_.end(), [&](auto& v) { return iequals(v.first, key); });
  }

  const Object& definition_;
  std::vector<std::pair<std::string, const Array*>> vectors_;
  const Array *include_ = nullptr, *exclude_ = nullptr;
  std::vector<Row> rows_;
  std::vector<Object> added_;
};

}  // namespace

Result<std::vector<Leg>> expand_matrix(const Data& matrix) {
  if (matrix.is_null()) return std::vector<Leg>{Leg{}};
  auto* object = matrix.if_object();
  if (!object) return fail(Kind::invalid, "matrix: want a mapping, got {}", matrix.print());
  return Matrix(*object).expand();
}

}  // namespace slipway::ci
