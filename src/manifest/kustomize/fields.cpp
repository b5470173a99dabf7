#include "manifest/detail/fields.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::manifest {
namespace {

using doc::Map;
using doc::Value;
using Path = std::span<const std::string>;

class Visit {
 public:
  Visit(bool create, Make make, const SetField& set)
      : create_(create && make != Make::nothing), make_(make), set_(set) {}

  Result<> at(Value& node, Path path) {
    if (path.empty()) return set_(node);
    if (node.is_null()) return {};
    if (auto* list = node.if_list()) {
      for (auto& item : *list) TRY_OK(at(item, path));
      return {};
    }
    auto* map = node.if_map();
    if (map == nullptr) return fail(Kind::invalid, "expected a list or a map at '{}'", path[0]);
    return member(*map, path);
  }

 private:
  Result<> member(Map& map, Path path) {
    std::string_view name = path[0];
    bool is_list = name.ends_with("[]");
    if (is_list) name.remove_suffix(2);
    if (name.empty()) return fail(Kind::invalid, "cannot set or create an empty field name");
    bool may_create = create_ && !is_list, last = path.size() == 1;
    auto* field = map.find(name);
    if (field == nullptr) {
      if (!may_create) return {};
      map.append(std::string(name), Value());
      field = map.find(name);
    }
    if (field->is_null() && may_create && !(last && make_ == Make::scalar)) *field = Value(Map());
    if (field->is_null() && is_list) *field = Value(doc::List());
    return at(*field, path.subspan(1));
  }

  bool create_;
  Make make_;
  const SetField& set_;
};

// The same few specs are asked of every object.
const std::vector<std::string>& steps_of(const std::string& path) {
  constexpr std::size_t most = 4096;  // those of strange configurations do not pile up
  static thread_local std::unordered_map<std::string, std::vector<std::string>> known;
  if (auto found = known.find(path); found != known.end()) return found->second;
  if (known.size() >= most) known.clear();
  return known.emplace(path, split_path(path, '/')).first->second;
}

bool same_place(const FieldSpec& a, const FieldSpec& b) { return a.gvk.selected_by(b.gvk) && a.path == b.path; }

void sort_specs(FieldSpecs& specs) {
  std::stable_sort(specs.begin(), specs.end(),
                   [](const FieldSpec& a, const FieldSpec& b) { return gvk_less(a.gvk, b.gvk); });
}

}  // namespace

std::vector<std::string> split_path(std::string_view path, char separator) {
  auto parts = split(path, separator);
  std::vector<std::string> steps;
  std::size_t first = parts.size() > 1 && parts[0].empty() ? 1 : 0;
  for (std::size_t i = first; i < parts.size(); ++i) {
    if (!steps.empty() && steps.back().ends_with('\\')) {
      steps.back().back() = separator;
      steps.back() += parts[i];
    } else {
      steps.emplace_back(parts[i]);
    }
  }
  return steps;
}

Result<> visit_fields(Resource& resource, const FieldSpec& spec, Make make, const SetField& set) {
  if (!resource.is_selected_by(spec.gvk)) return {};
  auto done = Visit(spec.create, make, set).at(resource.node, steps_of(spec.path));
  if (done) return {};
  return Fail(std::move(done).error().in(fmt::format("field '{}' of {}", spec.path, resource.id().print())));
}

struct FieldTree::Node {
  std::string name;
  bool is_list = false;  // "name[]"
  std::vector<std::size_t> specs;
  std::vector<Node> below;

  Node& child(const std::string& step) {
    bool list = step.ends_with("[]");
    auto plain = list ? step.substr(0, step.size() - 2) : step;
    for (auto& node : below)
      if (node.name == plain && node.is_list == list) return node;
    return below.emplace_back(Node{plain, list, {}, {}});
  }
  std::size_t any_spec() const { return specs.empty() ? below.front().any_spec() : specs.front(); }

  Result<> visit(Value& value, const Set& set, std::size_t& at) const {
    for (auto spec : specs) {
      at = spec;
      TRY_OK(set(value, spec));
    }
    return below.empty() ? Result<>{} : visit_below(value, set, at);
  }

 private:
  Result<> visit_below(Value& value, const Set& set, std::size_t& at) const {
    if (value.is_null()) return {};
    if (auto* list = value.if_list()) {
      for (auto& item : *list) TRY_OK(visit_below(item, set, at));
      return {};
    }
    for (const auto& node : below) {
      at = node.any_spec();
      auto* map = value.if_map();  // what was set may be another
      if (map == nullptr) return fail(Kind::invalid, "expected a list or a map at '{}'", node.name);
      if (node.name.empty()) return fail(Kind::invalid, "cannot set or create an empty field name");
      auto* field = map->find(node.name);
      if (field == nullptr) continue;
      if (field->is_null() && node.is_list) *field = Value(doc::List());
      TRY_OK(node.visit(*field, set, at));
    }
    return {};
  }
};

FieldTree::FieldTree() : root_(std::make_unique<Node>()) {}
FieldTree::~FieldTree() = default;
FieldTree::FieldTree(FieldTree&&) noexcept = default;

void FieldTree::add(const FieldSpec& spec) {
  auto* node = root_.get();
  for (const auto& step : split_path(spec.path, '/')) node = &node->child(step);
  node->specs.push_back(paths_.size());
  paths_.push_back(spec.path);
}

Result<> FieldTree::visit(Resource& resource, const Set& set) const {
  std::size_t at = 0;
  auto done = root_->visit(resource.node, set, at);
  if (done) return {};
  return Fail(std::move(done).error().in(fmt::format("field '{}' of {}", paths_[at], resource.id().print())));
}

Result<> merge_specs(FieldSpecs& into, const FieldSpecs& more) {
  for (const auto& spec : more) {
    auto there = std::find_if(into.begin(), into.end(), [&](const FieldSpec& old) { return same_place(old, spec); });
    if (there == into.end()) {
      into.push_back(spec);
    } else if (there->create != spec.create) {
      return fail(Kind::conflict, "conflicting field specs for '{}'", spec.path);
    }
  }
  return {};
}

Result<> merge_rules(Rules& into, const Rules& more) {
  constexpr FieldSpecs Rules::* lists[] = {&Rules::name_prefix,       &Rules::name_suffix, &Rules::space,
                                           &Rules::common_labels,     &Rules::labels,      &Rules::template_labels,
                                           &Rules::var_reference,     &Rules::images,      &Rules::replicas,
                                           &Rules::common_annotations};
  for (auto list : lists) {
    TRY_OK(merge_specs(into.*list, more.*list));
    sort_specs(into.*list);
  }
  for (const auto& rule : more.name_reference) {
    bool found = false;
    for (auto& old : into.name_reference) {
      if (!(old.target == rule.target)) continue;
      TRY_OK(merge_specs(old.referrers, rule.referrers));
      found = true;
    }
    if (!found) into.name_reference.push_back(rule);
  }
  std::stable_sort(into.name_reference.begin(), into.name_reference.end(),
                   [](const NameReference& a, const NameReference& b) { return gvk_less(a.target, b.target); });
  return {};
}

}  // namespace slipway::manifest
