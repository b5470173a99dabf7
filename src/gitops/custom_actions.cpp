// resource.customizations.actions.<group_Kind>: which actions an object has and what they do, in Lua.
#include "base/text.h"
#include "doc/yaml.h"
#include "gitops/customizations.h"
#include "script/script.h"

namespace slipway::gitops {
namespace {

using Operation = ActionImpact::Operation;

// useOpenLibs is for health alone, as in Argo CD.
Result<doc::Value> run(const Ctx& ctx, const std::string& place, std::string_view text, const kube::Object& object,
                       const doc::Map& params) {
  doc::Value told(params);
  auto outcome = script::run(ctx, {script::Program::Language::lua, std::string(text)},
                             {{"obj", object.value()}, {"actionParams", told}});
  if (!outcome) return Fail(std::move(outcome).error().in(place));
  if (!outcome->failure.empty()) return fail(Kind::invalid, "{}: {}", place, outcome->failure);
  return std::move(outcome->value);
}

// An empty table does not say what it is: where the object had a map, it is one. Numbers that Lua cannot hold exactly
// are what they were.
void restore(doc::Value& after, const doc::Value& before) {
  if (after.is_list() && after.if_list()->empty() && before.is_map()) {
    after = doc::Map();
  } else if (auto* map = after.if_map(); map != nullptr && before.is_map()) {
    for (auto& [key, value] : *map)
      if (const auto* was = before.find(key)) restore(value, *was);
  } else if (auto* list = after.if_list(); list != nullptr && before.is_list()) {
    for (std::size_t i = 0; i < std::min(list->size(), before.if_list()->size()); ++i)
      restore((*list)[i], (*before.if_list())[i]);
  } else if (const auto* was = before.if_int(); was != nullptr && after.is_number()) {
    auto seen = after.if_double() != nullptr ? *after.if_double() : static_cast<double>(*after.if_int());
    if (seen == static_cast<double>(*was)) after = before;
  }
}

Result<ActionImpact> impact_from(const std::string& place, doc::View view, const kube::Object& object) {
  auto words = view["operation"].text();
  if (words != "patch" && words != "create")
    return fail(Kind::invalid, "{}: returns the operation \"{}\", want patch or create", place, words);
  ActionImpact impact{words == "patch" ? Operation::patch : Operation::create, view["resource"].value()};
  if (!impact.object.is_map() || impact.object.str_at({"kind"}).empty())
    return fail(Kind::invalid, "{}: returns an operation without a resource that has a kind", place);
  if (impact.operation == Operation::patch) restore(impact.object, object.value());
  return impact;
}

CustomAction action_from(const std::string& name, doc::View view) {
  return {name, view["disabled"].bool_or(false), view["displayName"].text(), view["iconClass"].text(),
          view["params"].value()};
}

}  // namespace

Result<std::optional<Customizations::Actions>> Customizations::actions(const Ctx& ctx,
                                                                       const kube::Object& object) const {
  const auto* kind = find(object.type(), &OfKind::actions);
  if (kind == nullptr) return std::optional<Actions>();
  const auto& place = kind->actions.place;
  TRY_IN(auto written, place, doc::parse_yaml(kind->actions.text, {.source = "its YAML"}));
  doc::View view(written, "its YAML");
  Actions out;
  out.merged = view["mergeBuiltinActions"].bool_or(false);
  auto discovery = view["discovery.lua"].text();
  if (discovery.empty()) return fail(Kind::invalid, "{}: discovery.lua: want a script that returns the actions", place);
  TRY(auto found, run(ctx, place + ": discovery.lua", discovery, object, {}));
  if (found.is_list() && found.if_list()->empty()) return std::optional(std::move(out));
  if (!found.is_map())
    return fail(Kind::invalid, "{}: discovery.lua: returns no table of actions by their names", place);
  for (const auto& [name, action] : doc::View(found).members()) out.list.push_back(action_from(name, action));
  std::sort(out.list.begin(), out.list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return std::optional(std::move(out));
}

Result<std::optional<std::vector<ActionImpact>>> Customizations::act(const Ctx& ctx, const kube::Object& object,
                                                                     std::string_view action,
                                                                     const doc::Map& params) const {
  using Impacts = std::vector<ActionImpact>;
  const auto* kind = find(object.type(), &OfKind::actions);
  if (kind == nullptr) return std::optional<Impacts>();
  TRY_IN(auto written, kind->actions.place, doc::parse_yaml(kind->actions.text, {.source = "its YAML"}));
  for (const auto& definition : doc::View(written)["definitions"].items()) {
    if (definition["name"].text() != action) continue;
    auto place = fmt::format("{}: {}: action.lua", kind->actions.place, action);
    TRY(auto wanted, run(ctx, place, definition["action.lua"].text(), object, params));
    if (!wanted.is_map() && !wanted.is_list())
      return fail(Kind::invalid, "{}: returns no object and no list of operations", place);
    if (wanted.is_map()) {  // the changed object itself
      restore(wanted, object.value());
      return std::optional(Impacts{{Operation::patch, std::move(wanted)}});
    }
    Impacts impacts;
    for (const auto& item : doc::View(wanted).items()) {
      TRY(auto impact, impact_from(place, item, object));
      impacts.push_back(std::move(impact));
    }
    return std::optional(std::move(impacts));
  }
  return std::optional<Impacts>();
}

}  // namespace slipway::gitops
