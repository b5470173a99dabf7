#include "manifest/detail/selector.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/text.h"

namespace slipway::manifest {
namespace {

// Commas within parentheses do not part terms.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  int depth = 0;
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (text[i] == ',' && depth == 0) {
      terms.push_back(trim(text.substr(from, i - from)));
      from = i + 1;
    }
  }
  terms.push_back(trim(text.substr(from)));
  return terms;
}

struct Pattern {
  explicit Pattern(const std::string& text) {
    if (!text.empty()) regex = std::make_unique<re2::RE2>(text, quiet());
  }
  static re2::RE2::Options quiet() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    return options;
  }
  Result<> valid(std::string_view what) const {
    if (!regex || regex->ok()) return {};
    return fail(Kind::invalid, "selector: {} '{}': {}", what, regex->pattern(), regex->error());
  }
  bool matches(const std::string& text) const { return !regex || re2::RE2::FullMatch(text, *regex); }
  std::unique_ptr<re2::RE2> regex;
};

bool is_literal(std::string_view text) { return text.find_first_of("\\.+*?()|[]{}^$") == std::string_view::npos; }

}  // namespace

bool IdPattern::Part::matches(std::string_view value) const {
  return text.empty() || text == value || (regex != nullptr && re2::RE2::FullMatch(value, *regex));
}

Result<IdPattern> IdPattern::of(const ResId& id) {
  auto part = [](std::string_view what, const std::string& text) -> Result<Part> {
    if (is_literal(text)) return Part{text, nullptr};
    auto regex = std::make_shared<const re2::RE2>(text, Pattern::quiet());
    if (!regex->ok()) return fail(Kind::invalid, "selector: {} '{}': {}", what, text, regex->error());
    return Part{text, std::move(regex)};
  };
  IdPattern pattern;
  TRY(pattern.group_, part("group", id.gvk.group));
  TRY(pattern.version_, part("version", id.gvk.version));
  TRY(pattern.kind_, part("kind", id.gvk.kind));
  TRY(pattern.name_, part("name", id.name));
  TRY(pattern.space_, part("namespace", id.space));
  return pattern;
}

bool IdPattern::matches(const ResId& id) const {
  return group_.matches(id.gvk.group) && version_.matches(id.gvk.version) && kind_.matches(id.gvk.kind) &&
         name_.matches(id.name) && space_.matches(id.effective_space());
}

bool IdPattern::empty() const {
  return group_.text.empty() && version_.text.empty() && kind_.text.empty() && name_.text.empty() &&
         space_.text.empty();
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  if (trim(text).empty()) return selector;
  for (auto term : split_terms(text)) {
    auto wrong = [&] { return fail(Kind::invalid, "'{}' is no label selector: '{}'", text, term); };
    Term parsed;
    auto open = term.find('(');
    if (open != std::string_view::npos) {
      auto head = trim(term.substr(0, open));
      auto space = head.find_last_of(" \t");
      if (space == std::string_view::npos || !term.ends_with(')')) return wrong();
      auto word = head.substr(space + 1);
      if (word != "in" && word != "notin") return wrong();
      parsed.op = word == "in" ? Term::Op::in : Term::Op::not_in;
      parsed.key = trim(head.substr(0, space));
      for (auto value : split(term.substr(open + 1, term.size() - open - 2), ','))
        parsed.values.emplace_back(trim(value));
    } else if (auto at = term.find_first_of("=<>"); at != std::string_view::npos) {
      bool negated = term[at] == '=' && at > 0 && term[at - 1] == '!';
      auto value = at + 1;
      if (term[at] == '=' && value < term.size() && term[value] == '=') ++value;
      parsed.op = term[at] == '>'   ? Term::Op::greater
                  : term[at] == '<' ? Term::Op::less
                  : negated         ? Term::Op::not_in
                                    : Term::Op::in;
      parsed.key = trim(term.substr(0, negated ? at - 1 : at));
      parsed.values.emplace_back(trim(term.substr(value)));
    } else {
      parsed.op = term.starts_with('!') ? Term::Op::absent : Term::Op::exists;
      parsed.key = trim(term.substr(parsed.op == Term::Op::absent ? 1 : 0));
    }
    if (parsed.key.empty() || parsed.key.find_first_of(" \t!") != std::string::npos) return wrong();
    selector.terms_.push_back(std::move(parsed));
  }
  return selector;
}

bool LabelSelector::matches(const std::vector<std::pair<std::string, std::string>>& labels) const {
  for (const auto& term : terms_) {
    auto found = std::find_if(labels.begin(), labels.end(), [&](const auto& label) { return label.first == term.key; });
    bool there = found != labels.end();
    bool listed = there && std::find(term.values.begin(), term.values.end(), found->second) != term.values.end();
    bool ok = false;
    switch (term.op) {
      case Term::Op::in:
        ok = listed;
        break;
      case Term::Op::not_in:
        ok = !listed;
        break;
      case Term::Op::exists:
        ok = there;
        break;
      case Term::Op::absent:
        ok = !there;
        break;
      case Term::Op::greater:
      case Term::Op::less: {
        auto left = there ? to_int(found->second) : std::nullopt, right = to_int(term.values[0]);
        ok = left && right && (term.op == Term::Op::greater ? *left > *right : *left < *right);
        break;
      }
    }
    if (!ok) return false;
  }
  return true;
}

Result<Selector> Selector::read(const Input& in) {
  Selector selector;
  TRY(selector.id.gvk, in.gvk());
  TRY(selector.id.name, in.str("name"));
  TRY(selector.id.space, in.str("namespace"));
  TRY(selector.annotation_text, in.str("annotationSelector"));
  TRY(selector.label_text, in.str("labelSelector"));
  auto annotations = LabelSelector::parse(selector.annotation_text);
  if (!annotations) return in.wrong("annotationSelector", annotations.error().what());
  auto labels = LabelSelector::parse(selector.label_text);
  if (!labels) return in.wrong("labelSelector", labels.error().what());
  selector.annotations = *std::move(annotations), selector.labels = *std::move(labels);
  return selector;
}

bool Selector::matches_marks(const Resource& resource) const {
  return (annotations.empty() || annotations.matches(resource.strings("annotations"))) &&
         (labels.empty() || labels.matches(resource.strings("labels")));
}

Result<std::vector<Resource*>> select(const ResMap& map, const Selector& selector) {
  Pattern group(selector.id.gvk.group), version(selector.id.gvk.version), kind(selector.id.gvk.kind),
      name(selector.id.name), space(selector.id.space);
  TRY_OK(group.valid("group"));
  TRY_OK(version.valid("version"));
  TRY_OK(kind.valid("kind"));
  TRY_OK(name.valid("name"));
  TRY_OK(space.valid("namespace"));
  std::vector<Resource*> candidates;
  if (!selector.id.name.empty() && is_literal(selector.id.name)) {
    candidates = map.named(selector.id.name);
  } else {
    for (const auto& resource : map.all()) candidates.push_back(resource.get());
  }
  std::erase_if(candidates, [&](Resource* resource) {
    auto now = resource->id(), original = resource->original();
    bool matches =
        (space.matches(std::string(original.effective_space())) || space.matches(std::string(now.effective_space()))) &&
        (name.matches(original.name) || name.matches(now.name)) && group.matches(now.gvk.group) &&
        version.matches(now.gvk.version) && kind.matches(now.gvk.kind) && selector.matches_marks(*resource);
    return !matches;
  });
  return candidates;
}

}  // namespace slipway::manifest
