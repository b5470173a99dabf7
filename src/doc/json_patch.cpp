// RFC 6901 and 6902.
#include <algorithm>

#include "base/text.h"
#include "doc/detail/pointer.h"
#include "doc/json.h"
#include "doc/patch.h"

namespace slipway::doc {

Result<std::vector<std::string>> parse_pointer(std::string_view pointer) {
  std::vector<std::string> steps;
  if (pointer.empty()) return steps;
  if (pointer[0] != '/') return fail(Kind::invalid, "pointer '{}' must start with '/'", pointer);
  for (auto raw : split(pointer.substr(1), '/')) {
    std::string step;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '~') {
        step += raw[i];
        continue;
      }
      char next = i + 1 < raw.size() ? raw[i + 1] : '\0';
      if (next != '0' && next != '1')
        return fail(Kind::invalid, "pointer '{}': '~' must be followed by 0 or 1", pointer);
      step += next == '0' ? '~' : '/';
      ++i;
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

std::optional<std::size_t> pointer_index(std::string_view step) {
  if (step.empty() || step.size() > 9 || (step.size() > 1 && step[0] == '0')) return std::nullopt;
  std::size_t value = 0;
  for (char c : step) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::size_t>(c - '0');
  }
  return value;
}

namespace {

constexpr std::size_t most_operations = 10'000;

using Steps = std::vector<std::string>;

const Value* child(const Value& at, const std::string& step) {
  if (const auto* map = at.if_map()) return map->find(step);
  const auto* list = at.if_list();
  auto index = pointer_index(step);
  return list != nullptr && index && *index < list->size() ? &(*list)[*index] : nullptr;
}

Result<const Value*> walk(const Value& root, const Steps& steps, std::size_t count) {
  const Value* at = &root;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* next = child(*at, steps[i]);
    if (next == nullptr) {
      return fail(Kind::not_found, "'/{}' does not exist", join(std::span(steps).first(i + 1), "/"));
    }
    at = next;
  }
  return at;
}

class Patch {
 public:
  explicit Patch(Value root) : root_(std::move(root)) {}
  Value take() && { return std::move(root_); }

  Result<> apply(const Value& operation) {
    if (!operation.is_map()) return fail(Kind::invalid, "want a map with op and path");
    const auto* op = operation.find("op");
    const auto* name = op != nullptr ? op->if_string() : nullptr;
    if (name == nullptr) return fail(Kind::invalid, "'op' is missing");
    TRY(auto path, steps_of(operation, "path"));
    if (*name == "remove") return remove(path);
    if (*name == "move" || *name == "copy") return transfer(operation, path, *name == "move");
    const auto* value = operation.find("value");
    bool known = *name == "add" || *name == "replace" || *name == "test";
    if (!known) return fail(Kind::invalid, "unknown op '{}', want add, remove, replace, move, copy or test", *name);
    if (value == nullptr) return fail(Kind::invalid, "'value' is missing");
    if (*name == "add") return add(path, *value);
    if (*name == "replace") return replace(path, *value);
    return test(path, *value);
  }

 private:
  static Result<Steps> steps_of(const Value& operation, std::string_view key) {
    const auto* member = operation.find(key);
    const auto* text = member != nullptr ? member->if_string() : nullptr;
    if (text == nullptr) return fail(Kind::invalid, "'{}' is missing", key);
    return parse_pointer(*text);
  }

  Result<Value*> at(const Steps& steps, std::size_t count) {
    TRY(const auto* found, walk(root_, steps, count));
    return const_cast<Value*>(found);
  }

  static Result<std::size_t> insert_place(const List& list, const std::string& step) {
    if (step == "-") return list.size();
    auto index = pointer_index(step);
    if (!index) return fail(Kind::invalid, "'{}' is no list index", step);
    if (*index > list.size())
      return fail(Kind::not_found, "index {} is beyond the list's end ({} items)", *index, list.size());
    return *index;
  }

  Result<> add(const Steps& path, Value value) {
    if (path.empty()) {
      root_ = std::move(value);
      return {};
    }
    TRY(auto* parent, at(path, path.size() - 1));
    if (auto* map = parent->if_map()) {
      map->set(path.back(), std::move(value));
      return {};
    }
    auto* list = parent->if_list();
    if (list == nullptr) {
      return fail(Kind::invalid, "cannot add to '/{}': it is a {}", join(std::span(path).first(path.size() - 1), "/"),
                  to_string(parent->type()));
    }
    TRY(auto place, insert_place(*list, path.back()));
    list->insert(list->begin() + static_cast<std::ptrdiff_t>(place), std::move(value));
    return {};
  }

  Result<> replace(const Steps& path, const Value& value) {
    TRY(auto* target, at(path, path.size()));
    *target = value;
    return {};
  }

  Result<> remove(const Steps& path) {
    TRY_OK(walk(root_, path, path.size()));
    if (path.empty()) {
      root_ = Value();
      return {};
    }
    TRY(auto* parent, at(path, path.size() - 1));
    if (auto* map = parent->if_map()) {
      map->erase(path.back());
    } else {
      auto* list = parent->if_list();
      list->erase(list->begin() + static_cast<std::ptrdiff_t>(*pointer_index(path.back())));
    }
    return {};
  }

  Result<> transfer(const Value& operation, const Steps& path, bool move) {
    TRY(auto from, steps_of(operation, "from"));
    TRY(auto* source, at(from, from.size()));
    bool inside = move && path.size() > from.size() && std::equal(from.begin(), from.end(), path.begin());
    if (inside) return fail(Kind::invalid, "cannot move a value into itself");
    Value value = *source;
    if (move) {
      TRY_OK(remove(from));
    }
    return add(path, std::move(value));
  }

  Result<> test(const Steps& path, const Value& value) {
    TRY(auto* target, at(path, path.size()));
    if (*target == value) return {};
    return fail(Kind::conflict, "test failed: '/{}' is {}, want {}", join(path, "/"), print_json(*target),
                print_json(value));
  }

  Value root_;
};

}  // namespace

Result<Value> pointer_get(const Value& root, std::string_view pointer) {
  TRY(auto steps, parse_pointer(pointer));
  TRY(const auto* found, walk(root, steps, steps.size()));
  return *found;
}

Result<Value> json_patch(const Value& target, const Value& operations) {
  const auto* list = operations.if_list();
  if (list == nullptr)
    return fail(Kind::invalid, "a JSON patch is a list of operations, got a {}", to_string(operations.type()));
  if (list->size() > most_operations) {
    return fail(Kind::invalid, "a JSON patch has at most {} operations, got {}", most_operations, list->size());
  }
  Patch patch(target);
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto& operation = (*list)[i];
    if (auto done = patch.apply(operation); !done) {
      auto op = operation.str_at({"op"}), path = operation.str_at({"path"});
      return Fail(std::move(done).error().in(fmt::format("operation {} ({} {})", i + 1, op.empty() ? "?" : op, path)));
    }
  }
  return std::move(patch).take();
}

}  // namespace slipway::doc
