#include "gitops/ignore.h"

#include "base/text.h"
#include "doc/json.h"
#include "gitops/detail/places.h"
#include "kube/apply.h"
#include "script/script.h"

namespace slipway::gitops {
namespace {

using detail::Place;

// Which item of a list a key of fieldsV1 names: k:{"name":"web"}, v:"a".
std::optional<std::size_t> item_of(const doc::Value& list, std::string_view key) {
  if (!list.is_list() || key.size() < 2 || key[1] != ':') return std::nullopt;
  auto wanted = doc::parse_json(key.substr(2));
  if (!wanted) return std::nullopt;
  for (std::size_t i = 0; i < list.if_list()->size(); ++i) {
    const auto& item = (*list.if_list())[i];
    bool fits = key[0] == 'k' ? wanted->is_map() : key[0] == 'v' && item == *wanted;
    if (key[0] == 'k' && wanted->is_map())
      for (const auto& [name, value] : *wanted->if_map()) {
        const auto* have = item.find(name);
        fits = fits && have != nullptr && *have == value;
      }
    if (fits) return i;
  }
  return std::nullopt;
}

// Where another manager owns a field that Git also sets, the live value is taken.
void take_owned(doc::Value& desired, const doc::Value& live, const kube::FieldSet& owned) {
  for (const auto& [key, below] : owned.children) {
    doc::Value* mine = nullptr;
    const doc::Value* theirs = nullptr;
    if (key.starts_with("f:") && desired.is_map()) {
      mine = desired.if_map()->find(key.substr(2)), theirs = live.find(key.substr(2));
    } else if (key.starts_with("k:")) {
      auto here = item_of(desired, key), there = item_of(live, key);
      if (here && there) mine = &(*desired.if_list())[*here], theirs = &(*live.if_list())[*there];
    }
    if (mine == nullptr || theirs == nullptr) continue;
    if (below.children.empty())
      *mine = *theirs;
    else
      take_owned(*mine, *theirs, below);
  }
}

void keep_managed(const std::set<std::string>& managers, doc::Value& desired, const kube::Object& live) {
  for (const auto& entry : live["metadata"]["managedFields"].items())
    if (managers.contains(entry["manager"].text()))
      take_owned(desired, live.value(), kube::FieldSet::from(entry["fieldsV1"].value()));
}

const kube::FieldSet* step_into(const kube::FieldSet& set, const doc::Value& node, const Place::value_type& step) {
  if (const auto* name = std::get_if<std::string>(&step)) {
    auto found = set.children.find("f:" + *name);
    return found == set.children.end() ? nullptr : &found->second;
  }
  for (const auto& [key, below] : set.children)
    if (item_of(node, key) == std::get<std::size_t>(step)) return &below;
  return nullptr;
}

// Whether somebody owns what is around a place as one piece: server-side apply would replace all of it.
bool in_one_piece(const kube::Object& live, const Place& place) {
  for (const auto& entry : live["metadata"]["managedFields"].items()) {
    auto fields = kube::FieldSet::from(entry["fieldsV1"].value());
    const auto* set = &fields;
    const auto* node = &live.value();
    for (std::size_t i = 0; i + 1 < place.size() && set != nullptr && node != nullptr; ++i) {
      set = step_into(*set, *node, place[i]);
      if (set != nullptr && set->children.empty()) return true;
      node = detail::at(live.value(), Place(place.begin(), place.begin() + static_cast<std::ptrdiff_t>(i) + 1));
    }
  }
  return false;
}

// Where a rule points to, in Git's object and in the live one.
struct Named {
  std::vector<Place> desired, live;
};

void take(doc::Value& desired, const kube::Object& live, const Named& named, OnlyLive only_live) {
  std::set<Place> taken;
  std::vector<Place> gone;
  const auto before = desired;
  for (const auto& place : named.desired) {
    auto there = detail::counterpart(before, place, live.value());
    if (there) {
      *detail::at(desired, place) = *detail::at(live.value(), *there);
      taken.insert(*there);
    } else {
      gone.push_back(place);
    }
  }
  // From the last: places before it stay what they are.
  for (auto it = gone.rbegin(); it != gone.rend(); ++it) detail::erase(desired, *it);
  for (const auto& place : named.live) {
    if (taken.contains(place) || (only_live == OnlyLive::stays && !in_one_piece(live, place))) continue;
    auto parent = detail::counterpart(live.value(), Place(place.begin(), place.end() - 1), desired);
    if (!parent) continue;
    parent->push_back(place.back());
    detail::insert(desired, *parent, *detail::at(live.value(), place));
  }
}

// The places that an expression names in one object. That there is nothing to walk over is no mistake.
Result<std::vector<Place>> evaluate(const Ctx& ctx, const std::string& expression, const doc::Value& object,
                                    std::set<std::string>& failures) {
  TRY(auto outcome, script::paths(ctx, expression, object));
  if (!outcome.failure.empty()) {
    if (!outcome.failure.starts_with("Cannot iterate over null")) failures.insert(outcome.failure);
    return std::vector<Place>();
  }
  TRY(auto places, detail::places_of_paths(object, outcome.value));
  if (!places.empty() && places.front().empty())
    return fail(Kind::invalid, "names the whole object, want fields of it");
  return places;
}

Fail in_rule(const IgnoreDifference& rule, std::string_view text, const Error& error) {
  if (error.is(Kind::cancelled)) return Fail(error);
  return fail(Kind::invalid, "{}: {}: {}", rule.place, text, error.what());
}

// What only the server writes is never applied, whatever a rule took over.
void drop_server_fields(doc::Value& object) {
  auto* meta = object["metadata"].if_map();
  if (meta == nullptr) return;
  for (auto key : {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"})
    meta->erase(key);
}

}  // namespace

Result<IgnoreDifference> ignore_from(doc::View view, std::string place) {
  IgnoreDifference ignore;
  ignore.place = std::move(place);
  for (const auto& pointer : view["jsonPointers"].items()) {
    auto text = pointer.text();
    if (!text.starts_with('/')) return pointer.wrong("want a JSON pointer, such as /spec/replicas");
    ignore.pointers.push_back(std::move(text));
  }
  for (const auto& expression : view["jqPathExpressions"].items()) {
    TRY(auto text, expression.str());
    if (trim(text).empty()) return expression.wrong("is empty, want a jq path, such as .spec.replicas");
    ignore.paths.push_back(std::move(text));
  }
  for (const auto& manager : view["managedFieldsManagers"].items()) ignore.managers.insert(manager.text());
  return ignore;
}

bool concerns(const IgnoreDifference& ignore, const kube::Type& type, const kube::Key& key) {
  auto fits = [](const std::string& pattern, std::string_view value) {
    return pattern.empty() || pattern == "*" || pattern == value;
  };
  return (ignore.group == type.group() || glob_match(ignore.group, type.group())) &&
         (fits(ignore.kind, type.kind) || glob_match(ignore.kind, type.kind)) && fits(ignore.name, key.name) &&
         fits(ignore.ns, key.ns);
}

Result<doc::Value> take_live(const Ctx& ctx, const std::vector<IgnoreDifference>& rules, doc::Value desired,
                             const kube::Object& live, OnlyLive only_live, std::set<std::string>& warnings) {
  auto type = live.type();
  auto key = live.key();
  bool any = false;
  for (const auto& rule : rules) {
    if (!concerns(rule, type, key)) continue;
    any = true;
    if (!rule.wrong.empty()) return fail(Kind::invalid, "{}: {}", rule.place, rule.wrong);
    for (const auto& pointer : rule.pointers) {
      auto here = detail::places_of_pointer(desired, pointer);
      auto there = detail::places_of_pointer(live.value(), pointer);
      if (!here || !there) return in_rule(rule, pointer, here ? there.error() : here.error());
      take(desired, live, {*here, *there}, only_live);
    }
    for (const auto& expression : rule.paths) {
      std::set<std::string> failures;
      auto here = evaluate(ctx, expression, desired, failures);
      if (!here) return in_rule(rule, expression, here.error());
      auto there = evaluate(ctx, expression, live.value(), failures);
      if (!there) return in_rule(rule, expression, there.error());
      for (const auto& failure : failures)
        warnings.insert(
            fmt::format("{}: {}: names nothing in {}: {}", rule.place, expression, live.describe(), failure));
      take(desired, live, {*here, *there}, only_live);
    }
    keep_managed(rule.managers, desired, live);
  }
  if (any) drop_server_fields(desired);
  return desired;
}

}  // namespace slipway::gitops
