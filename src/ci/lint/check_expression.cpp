#include "ci/detail/lint.h"
#include "ci/detail/node.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

using Sort = Type::Sort;
using Op = Node::Op;
using At = std::function<Spot(std::size_t)>;

// Gives every part of a tree its type, and says what does not fit.
class Checker {
 public:
  Checker(Lint& lint, const Use& use, const At& at, const std::function<TypePtr(std::string_view)>& context)
      : lint_(lint), words_(words_of(use.place)), at_(at), context_(context) {}

  TypePtr type(const Node& node) {
    switch (node.op) {
      case Op::literal:
        return node.value.if_string()   ? text_type()
               : node.value.if_number() ? number_type()
               : node.value.if_bool()   ? boolean_type()
                                        : null_type();
      case Op::name:
        return name(node);
      case Op::call:
        return call(node);
      case Op::index:
        return index(node);
      case Op::star:
        return any_type();
      case Op::not_:
        type(node.children[0]);
        return boolean_type();
      case Op::and_:
      case Op::or_:
        return either(node);
      default:
        return comparison(node);
    }
  }

 private:
  void wrong(const Node& node, std::string message) { lint_.add("expression", at_(node.position), std::move(message)); }

  TypePtr name(const Node& node) {
    auto known = context_type(node.name);
    if (!known) {
      wrong(node, fmt::format("there is no context '{}'", node.name));
      return any_type();
    }
    bool allowed =
        std::any_of(words_.names.begin(), words_.names.end(), [&](auto& n) { return iequals(n, node.name); });
    if (!allowed)
      wrong(node,
            fmt::format("context '{}' is not available here; {}", node.name,
                        words_.names.empty()
                            ? "none is"
                            : fmt::format("available are {}", join(std::span<const std::string>(words_.names), ", "))));
    return context_(node.name);
  }

  // a && b is b unless a is as good as false, and what is as good as false does not outlive the || that follows.
  TypePtr either(const Node& node) {
    TypePtr out;
    for (auto& child : node.children) {
      auto one = type(child);
      bool same = out == nullptr || node.op == Op::and_ || out->sort == one->sort;
      out = !same ? any_type() : out == nullptr || node.op == Op::and_ ? one : merged(out, one);
    }
    return out;
  }

  TypePtr comparison(const Node& node) {
    auto left = type(node.children[0]), right = type(node.children[1]);
    bool ordered = node.op != Op::eq && node.op != Op::ne;
    if (!comparable(*left, *right, ordered))
      wrong(node, fmt::format("{} and {} cannot be compared", left->print(), right->print()));
    return boolean_type();
  }

  TypePtr index(const Node& node) {
    auto& key = node.children[1];
    auto target = type(node.children[0]);
    if (key.op == Op::star) return filtered(node, *target);
    if (key.op == Op::literal && key.value.if_string()) return member(node, *target, *key.value.if_string());
    auto by = type(key);
    if (target->is(Sort::array)) {
      if (!by->is(Sort::number) && !by->is(Sort::any))
        wrong(key, fmt::format("an element of a list is chosen by number, this is {}", by->print()));
      return target->item;
    }
    if (target->is(Sort::object)) {
      if (!by->is(Sort::string) && !by->is(Sort::any))
        wrong(key, fmt::format("a member of an object is chosen by text, this is {}", by->print()));
      return target->rest ? target->rest : any_type();
    }
    if (!target->is(Sort::any)) wrong(node, fmt::format("{} has no members", target->print()));
    return any_type();
  }

  TypePtr member(const Node& node, const Type& target, const std::string& given) {
    auto key = lower(given);
    if (target.is(Sort::any)) return any_type();
    if (target.is(Sort::array) && target.filtered) {
      auto out = std::make_shared<Type>(target);
      out->item = target.item->is(Sort::object) ? member(node, *target.item, given) : any_type();
      return out;
    }
    if (!target.is(Sort::object)) {
      wrong(node, fmt::format("'{}' is asked of {}, which has no members", given, target.print()));
      return any_type();
    }
    if (auto found = target.members.find(key); found != target.members.end()) {
      check_variable(node, key);
      return found->second;
    }
    if (target.rest) {
      check_variable(node, key);
      return target.rest;
    }
    std::vector<std::string> names;
    for (auto& [name, type] : target.members) names.push_back(name);
    auto near = nearest(key, names);
    wrong(node, fmt::format("there is no '{}' in {}{}", given, target.print(),
                            near ? fmt::format("; did you mean '{}'?", *near) : ""));
    return any_type();
  }

  void check_variable(const Node& node, const std::string& key) {
    auto& context = node.children[0];
    auto& known = lint_.options.variables;
    if (!known || context.op != Op::name || !iequals(context.name, "vars")) return;
    bool found = std::any_of(known->begin(), known->end(), [&](auto& name) { return iequals(name, key); });
    if (!found) wrong(node, fmt::format("there is no configuration variable '{}'", key));
  }

  TypePtr filtered(const Node& node, const Type& target) {
    auto out = std::make_shared<Type>();
    out->sort = Sort::array, out->filtered = true, out->item = any_type();
    if (target.is(Sort::array)) {
      out->item = target.item;
    } else if (target.is(Sort::object)) {
      TypePtr item = target.rest;
      for (auto& [name, type] : target.members) item = item ? merged(item, type) : type;
      if (item) out->item = item;
    } else if (!target.is(Sort::any)) {
      wrong(node, fmt::format(".* is for lists and objects, this is {}", target.print()));
    }
    return out;
  }

  TypePtr call(const Node& node) {
    std::vector<TypePtr> given;
    for (auto& child : node.children) given.push_back(type(child));
    auto signatures = signatures_of(node.name);
    if (signatures.empty()) {
      wrong(node, fmt::format("there is no function '{}'", node.name));
      return any_type();
    }
    check_available(node);
    std::vector<std::pair<const Node*, std::string>> misfits;
    for (auto* signature : signatures) {
      auto misfit = fits(node, *signature, given);
      if (!misfit.first) return result(node, *signature);
      misfits.push_back(std::move(misfit));
    }
    for (auto& [at, message] : misfits) wrong(*at, message);
    return signatures[0]->result;
  }

  void check_available(const Node& node) {
    bool special = false;
    for (auto* name : {"success", "failure", "cancelled", "always", "hashFiles"})
      special = special || iequals(name, node.name);
    bool there = std::any_of(words_.functions.begin(), words_.functions.end(),
                             [&](auto& f) { return iequals(f.name, node.name); });
    if (special && !there) wrong(node, fmt::format("function '{}' is not available here", node.name));
  }

  std::pair<const Node*, std::string> fits(const Node& node, const Signature& signature,
                                           const std::vector<TypePtr>& given) {
    auto& wanted = signature.parameters;
    auto least = wanted.size() - std::min(signature.optional, wanted.size());
    if (given.size() < least || (!signature.repeats && given.size() > wanted.size()))
      return {&node, fmt::format("{} takes {}{} arguments, here are {}", signature.name,
                                 signature.repeats ? "at least " : "", least, given.size())};
    for (std::size_t i = 0; i < given.size() && !wanted.empty(); ++i) {
      auto& want = wanted[std::min(i, wanted.size() - 1)];
      if (!assignable(*want, *given[i]))
        return {&node.children[i], fmt::format("argument {} of {} must be {}, this is {}", i + 1, signature.name,
                                               want->print(), given[i]->print())};
    }
    return {nullptr, {}};
  }

  TypePtr result(const Node& node, const Signature& signature) {
    auto* text =
        node.children.empty() || node.children[0].op != Op::literal ? nullptr : node.children[0].value.if_string();
    if (text == nullptr) return signature.result;
    if (iequals(node.name, "format")) check_format(node, *text);
    if (!iequals(node.name, "fromJSON")) return signature.result;
    auto value = doc::parse_json(*text, "");
    if (value) return type_of(*value);
    wrong(node.children[0], "the text is no JSON");
    return any_type();
  }

  void check_format(const Node& node, std::string_view text) {
    std::set<std::int64_t> used;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '{') continue;
      if (i + 1 < text.size() && text[i + 1] == '{') {
        ++i;
        continue;
      }
      auto end = text.find('}', i);
      if (end == text.npos) return;
      if (auto n = to_int(text.substr(i + 1, end - i - 1))) used.insert(*n);
      i = end;
    }
    auto count = static_cast<std::int64_t>(node.children.size()) - 1;
    for (auto n : used)
      if (n >= count) wrong(node, fmt::format("the text has {{{}}} and only {} arguments follow", n, count));
    for (std::int64_t n = 0; n < count; ++n)
      if (!used.contains(n)) wrong(node, fmt::format("the text has no {{{}}}: an argument is not used", n));
  }

  Lint& lint_;
  const Vocabulary& words_;
  const At& at_;
  const std::function<TypePtr(std::string_view)>& context_;
};

}  // namespace

TypePtr check_expression(Lint& lint, const Use& use, const Node& root, const At& at,
                         const std::function<TypePtr(std::string_view)>& context) {
  return Checker(lint, use, at, context).type(root);
}

// Nothing in it changes from run to run.
bool is_constant(const Node& node) {
  if (node.op == Op::name || node.op == Op::star) return false;
  if (node.op == Op::call)
    for (auto* name : {"success", "failure", "cancelled", "always", "hashFiles"})
      if (iequals(name, node.name)) return false;
  return std::all_of(node.children.begin(), node.children.end(), is_constant);
}

}  // namespace slipway::ci
