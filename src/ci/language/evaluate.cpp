#include <cmath>

#include "base/text.h"
#include "ci/detail/node.h"

namespace slipway::ci {
namespace {

std::optional<std::size_t> array_index(const Data& key, std::size_t size) {
  if (!key.is_primitive()) return {};
  double n = std::floor(key.number());
  if (std::isnan(n) || n < 0 || n >= static_cast<double>(size)) return {};
  return static_cast<std::size_t>(n);
}

// One level into a value: nothing when there is no such member.
std::optional<Data> member(const Data& target, const Data& key) {
  if (!key.is_primitive()) return {};
  if (auto* array = target.if_array()) {
    auto index = array_index(key, array->items.size());
    return index ? std::optional(array->items[*index]) : std::nullopt;
  }
  if (auto* object = target.if_object()) {
    auto* found = object->find(key.text());
    return found ? std::optional(*found) : std::nullopt;
  }
  return {};
}

void spread(const Data& target, std::vector<Data>& out) {
  if (auto* array = target.if_array()) out.insert(out.end(), array->items.begin(), array->items.end());
  if (auto* object = target.if_object())
    for (auto& [key, value] : object->entries) out.push_back(value);
}

constexpr std::size_t max_held = 512 * 1024;  // the reference allows 1 MiB of two-byte characters

class Evaluation {
 public:
  explicit Evaluation(const Scope& scope) : scope_(scope) {}

  Result<Data> run(const Node& node) {
    using Op = Node::Op;
    switch (node.op) {
      case Op::literal:
        return node.value;
      case Op::name:
        return scope_.context ? scope_.context(node.name) : Data();
      case Op::star:
        return Data("*");
      case Op::index:
        return index(node);
      case Op::call:
        return call(node);
      case Op::not_: {
        TRY(auto value, run(node.children[0]));
        return Data(!value.truthy());
      }
      case Op::and_:
      case Op::or_: {
        Data value;
        for (auto& child : node.children) {
          TRY(value, run(child));
          if (value.truthy() == (node.op == Op::or_)) break;
        }
        return value;
      }
      default:
        return compare(node);
    }
  }

 private:
  Result<Data> compare(const Node& node) {
    using Op = Node::Op;
    TRY(auto a, run(node.children[0]));
    TRY(auto b, run(node.children[1]));
    switch (node.op) {
      case Op::eq:
        return Data(loose_equal(a, b));
      case Op::ne:
        return Data(!loose_equal(a, b));
      case Op::lt:
        return Data(loose_less(a, b, false));
      case Op::le:
        return Data(loose_less(a, b, true));
      case Op::gt:
        return Data(loose_less(b, a, false));
      default:
        return Data(loose_less(b, a, true));
    }
  }

  Result<Data> index(const Node& node) {
    TRY(auto target, run(node.children[0]));
    bool star = node.children[1].op == Node::Op::star;
    Data key;
    if (!star) {
      TRY(key, run(node.children[1]));
    }
    auto* array = target.if_array();
    if (!star && !(array && array->filtered)) return member(target, key).value_or(Data());
    Array hits;
    hits.filtered = true;
    if (array && array->filtered) {
      for (auto& item : array->items) {
        if (star)
          spread(item, hits.items);
        else if (auto hit = member(item, key))
          hits.items.push_back(*std::move(hit));
      }
    } else {
      spread(target, hits.items);
    }
    return Data(std::move(hits));
  }

  Result<Data> call(const Node& node) {
    auto* built_in = find_built_in(node.name);
    if (built_in && built_in->run == nullptr) return cases(node);
    auto before = held_;
    std::vector<Data> arguments;
    arguments.reserve(node.children.size());
    for (auto& child : node.children) {
      TRY(auto value, run(child));
      arguments.push_back(std::move(value));
    }
    Result<Data> result = built_in      ? built_in->run(arguments)
                          : scope_.call ? scope_.call(node.name, arguments)
                                        : fail(Kind::invalid, "function '{}' is not available here", node.name);
    if (!result) return result;
    auto* text = result->if_string();
    auto size = text ? text->size() : 0;
    if (held_ + size > max_held) return fail(Kind::invalid, "The maximum allowed memory size was exceeded");
    held_ = before + size;  // the arguments are gone
    return result;
  }

  Result<Data> cases(const Node& node) {
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      TRY(auto predicate, run(node.children[i]));
      if (!predicate.if_bool()) return fail(Kind::invalid, "case predicate must evaluate to a boolean value");
      if (*predicate.if_bool()) return run(node.children[i + 1]);
    }
    return run(node.children.back());
  }

  const Scope& scope_;
  std::size_t held_ = 0;  // by the texts functions have made
};

}  // namespace

Result<Data> Expression::evaluate(const Scope& scope) const {
  if (!root_) return Data();
  TRY(auto value, Evaluation(scope).run(*root_));
  return value;
}

}  // namespace slipway::ci
