#include "gitops/rules/terms.h"

#include <algorithm>

#include "base/text.h"
#include "gitops/rules/fields.h"

namespace slipway::gitops::rules {
namespace {

using Op = Term::Op;

// "?1" behind a path is its value when it is absent.
std::string_view take_default(std::string_view path, std::int64_t& otherwise) {
  auto mark = path.find('?');
  if (mark == path.npos) return path;
  otherwise = to_int(path.substr(mark + 1)).value_or(0);
  return path.substr(0, mark);
}

// The first operator that stands outside of [filters].
std::pair<std::size_t, Term::Op> find_operator(std::string_view text, std::size_t& length) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i], next = i + 1 < text.size() ? text[i + 1] : '\0';
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (depth > 0) continue;
    length = next == '=' && c != '=' ? 2 : 1;
    if (c == '!' && next == '=') return {i, Op::differs};
    if (c == '=') return {i, Op::equal};
    if (c == '<') return {i, next == '=' ? Op::at_most : Op::less};
    if (c == '>') return {i, next == '=' ? Op::at_least : Op::more};
  }
  return {text.npos, Op::exists};
}

Term read_term(std::string_view text, std::string_view conditions, std::vector<std::string>& problems) {
  Term term;
  if (text.starts_with('!')) term.negated = true, text.remove_prefix(1);
  if (text == "deleting") return term.what = Term::What::deleting, term;
  if (text == "unobserved") return term.what = Term::What::unobserved, term;
  if (text == "stale") return term.what = Term::What::stale, term.path = ".status.observedGeneration", term;
  if (text.starts_with("stale(") && text.ends_with(')')) {
    term.what = Term::What::stale;
    term.path = condition_path(conditions, text.substr(6, text.size() - 7), "observedGeneration");
    return term;
  }
  std::size_t length = 0;
  auto [place, op] = find_operator(text, length);
  term.op = op;
  auto left = trim(text.substr(0, place));
  if (op != Op::exists) term.right = trim(text.substr(place + length));
  if (left.empty() || (op != Op::exists && term.right.empty())) problems.push_back(fmt::format("cannot read {}", text));
  if (left == "kind") return term.what = Term::What::kind, term;
  if (left.starts_with("count ")) term.counted = true, left = trim(left.substr(6));
  if (left.starts_with('.')) {
    term.path = take_default(left, term.otherwise);
  } else if (left.starts_with('@') || left.starts_with('%')) {
    term.path = left;
  } else {
    auto [name, field] = condition_field(left);
    term.path = condition_path(conditions, name, !field.empty() || op == Op::exists ? field : "status");
  }
  return term;
}

std::vector<std::string> texts(const doc::Value& object, std::string_view path) {
  std::vector<std::string> found;
  if (path.starts_with('@') || path.starts_with('%')) {
    const auto* all = object.find_path({"metadata", path.front() == '@' ? "annotations" : "labels"});
    const auto* one = all == nullptr ? nullptr : all->find(path.substr(1));
    if (one != nullptr) found.push_back(text_of(*one));
    return found;
  }
  for (const auto* value : at(object, path)) found.push_back(text_of(*value));
  return found;
}

std::int64_t number(const doc::Value& object, std::string_view path, std::int64_t otherwise) {
  for (const auto& text : texts(object, path))
    if (auto whole = to_int(text)) return *whole;
  return otherwise;
}

// "3", ".spec.replicas?1", ".status.wanted - .spec.partition", "count .spec.clusters[]"
std::int64_t right_number(const doc::Value& object, std::string_view text) {
  std::int64_t sum = 0, sign = 1;
  while (true) {
    auto end = text.find(" - ");
    auto word = trim(text.substr(0, end));
    std::int64_t otherwise = 0;
    if (word.starts_with("count "))
      sum += sign * static_cast<std::int64_t>(at(object, trim(word.substr(6))).size());
    else if (word.starts_with('.'))
      word = take_default(word, otherwise), sum += sign * number(object, word, otherwise);
    else
      sum += sign * to_int(word).value_or(0);
    if (end == text.npos) return sum;
    text.remove_prefix(end + 3);
    sign = -1;
  }
}

bool holds(const Term& term, const doc::Value& object) {
  const auto* generation = object.find_path({"metadata", "generation"});
  auto wanted_generation = generation == nullptr ? 0 : to_int(text_of(*generation)).value_or(0);
  switch (term.what) {
    case Term::What::kind:
      return matches(term.right, object.str_at({"kind"})) == (term.op == Op::equal);
    case Term::What::deleting:
      return object.find_path({"metadata", "deletionTimestamp"}) != nullptr;
    case Term::What::unobserved:
      return at(object, ".status.observedGeneration").empty() ||
             number(object, ".status.observedGeneration", 0) < wanted_generation;
    case Term::What::stale: {
      auto seen = at(object, term.path);
      return std::any_of(seen.begin(), seen.end(), [&](const auto* value) {
        return to_int(text_of(*value)).value_or(wanted_generation) < wanted_generation;
      });
    }
    case Term::What::value:
      break;
  }
  if (term.op == Op::exists) {
    if (term.path.starts_with('@') || term.path.starts_with('%')) return !texts(object, term.path).empty();
    // An empty list, map or text says as little as none.
    auto values = at(object, term.path);
    return std::any_of(values.begin(), values.end(), [](const auto* value) {
      if (const auto* list = value->if_list()) return !list->empty();
      if (const auto* map = value->if_map()) return !map->empty();
      return !text_of(*value).empty();
    });
  }
  if (term.op == Op::equal || term.op == Op::differs) {
    auto values = texts(object, term.path);
    auto same = [&](const std::string& text) {
      if (!term.right.starts_with('.')) return matches(term.right, text);
      return text == first_text(object, term.right);
    };
    return std::any_of(values.begin(), values.end(),
                       [&](const auto& text) { return same(text) == (term.op == Op::equal); });
  }
  auto left = term.counted ? static_cast<std::int64_t>(at(object, term.path).size())
                           : number(object, term.path, term.otherwise);
  auto right = right_number(object, term.right);
  return term.op == Op::less      ? left < right
         : term.op == Op::at_most ? left <= right
         : term.op == Op::more    ? left > right
                                  : left >= right;
}

}  // namespace

std::vector<Term> read_terms(std::string_view text, std::string_view conditions, std::vector<std::string>& problems) {
  std::vector<Term> terms;
  while (!trim(text).empty()) {
    auto end = text.find(" & ");
    terms.push_back(read_term(trim(text.substr(0, end)), conditions, problems));
    text = end == text.npos ? std::string_view() : text.substr(end + 3);
  }
  return terms;
}

bool hold(const std::vector<Term>& terms, const doc::Value& object) {
  return std::all_of(terms.begin(), terms.end(), [&](const auto& term) { return holds(term, object) != term.negated; });
}

std::string condition_path(std::string_view conditions, std::string_view name, std::string_view field) {
  return fmt::format("{}[type={}]{}{}", conditions, name, field.empty() ? "" : ".", field);
}

std::pair<std::string_view, std::string_view> condition_field(std::string_view word) {
  for (std::string_view field : {"reason", "message", "status", "severity", "type"})
    if (word.ends_with(field) && word.size() > field.size() + 1 && word[word.size() - field.size() - 1] == '.')
      return {word.substr(0, word.size() - field.size() - 1), field};
  return {word, ""};
}

}  // namespace slipway::gitops::rules
