// From parameters to Applications. Rules: Argo CD's ApplicationSet controller.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "doc/patch.h"
#include "doc/yaml.h"
#include "gitops/application.h"
#include "gitops/appset/detail_set.h"
#include "gitops/tasks.h"

namespace slipway::gitops::appset::detail {
namespace {

constexpr std::string_view cascade = "resources-finalizer.argocd.argoproj.io";

// Annotations that are other people's to set: requests to us, and what notifications remember.
bool is_foreign(std::string_view key) {
  return key == "argocd.argoproj.io/refresh" || key == "argocd.argoproj.io/hydrate" ||
         key == "notified.notifications.argoproj.io" || key == "argocd.argoproj.io/deletion-approved" ||
         key == "argocd.argoproj.io/skip-reconcile";
}

// templatePatch: a text that, with parameters, is a patch of the Application.
Result<doc::Value> patched(const Renderer& renderer, doc::View spec, doc::Value application, const doc::Map& params) {
  auto patch = spec["templatePatch"];
  if (patch.text().empty()) return application;
  TRY_IN(auto text, "templatePatch", renderer.text(patch.text(), params));
  TRY(auto value, doc::parse_yaml(text, {.source = "templatePatch", .max_nodes = 10'000}));
  if (value.is_null()) return application;
  if (!value.is_map()) return patch.wrong("want a map");
  TRY(auto merged, doc::strategic_merge(application, value, nullptr));
  // Its parameters may be other people's: they do not choose whose rules the Application stands under.
  if (const auto* project = application.find_path({"spec", "project"})) merged["spec"]["project"] = *project;
  return merged;
}

doc::Value as_application(const doc::Value& filled, const kube::Object& set, const Policy& policy) {
  doc::View view(filled);
  auto meta = view["metadata"];
  kube::Key key{set.ns(), meta["name"].text()};
  auto out = kube::make_object({"argoproj.io/v1alpha1", "Application"}, key);
  for (auto part : {"labels", "annotations", "finalizers"})
    if (meta[part].present()) out["metadata"][part] = meta[part].value();
  if (meta["finalizers"].items().empty() && !policy.preserve)
    out["metadata"]["finalizers"] = doc::List{std::string(cascade)};
  out["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(set)};
  out["spec"] = view["spec"].value();
  return out;
}

Result<> check_name(const std::string& name) {
  if (name.empty() || normalized(name) != name)
    return fail(Kind::invalid,
                "the template gives an Application the name \"{}\", want a name of small letters, digits, - and .",
                name);
  return {};
}

// Which of several of one name is meant, nobody knows: none is made, and none is taken for gone.
void drop_repeated(Wanted& all, const kube::Object& set) {
  std::map<std::string, int> times;
  for (const auto& application : all.applications) ++times[application.str_at({"metadata", "name"})];
  std::erase_if(all.applications, [&](const doc::Value& application) {
    auto name = application.str_at({"metadata", "name"});
    if (times[name] == 1) return false;
    if (all.problem.empty())
      all.problem = fmt::format("ApplicationSet {} contains applications with duplicate name: {}", set.name(), name);
    return true;
  });
}

Result<> check(const doc::Value& application) {
  auto name = application.str_at({"metadata", "name"});
  if (doc::View(application)["spec"]["project"].text().empty())
    return fail(Kind::invalid, "Application {}: spec.project is empty, want the name of an AppProject", name);
  auto read = application_from(kube::Object(doc::Value(application)));
  if (!read) return Fail(std::move(read).error().in(fmt::format("Application {}", name)));
  return {};
}

// A map's entries of a live object that stay although the set does not name them.
void keep(doc::Value& into, const kube::Object& live, std::string_view part,
          const std::function<bool(std::string_view)>& which) {
  for (const auto& [key, value] : live["metadata"][part].members())
    if (which(key)) into["metadata"][part][key] = value.value();
}

bool concerns(doc::View ignore, const std::string& name) {
  auto wanted = ignore["name"].text();
  return wanted.empty() || wanted == name;
}

}  // namespace

Result<Policy> policy_of(doc::View spec) {
  Policy policy;
  auto sync = spec["syncPolicy"];
  policy.preserve = sync["preserveResourcesOnDeletion"].bool_or(false);
  auto word = sync["applicationsSync"].text();
  if (word.empty() || word == "sync") return policy;
  if (word == "create-only")
    policy.update = policy.remove = false;
  else if (word == "create-update")
    policy.remove = false;
  else if (word == "create-delete")
    policy.update = false;
  else
    return sync["applicationsSync"].wrong("want sync, create-only, create-update or create-delete");
  return policy;
}

Result<Wanted> wanted_applications(const Renderer& renderer, const kube::Object& set,
                                   const std::vector<Instance>& instances, const Policy& policy) {
  doc::View spec(*set.value().find("spec"), "ApplicationSet");
  Wanted all;
  for (const auto& instance : instances) {
    // Go's clients write all fields of a generator's template; what is empty overrides nothing.
    auto written = instance.over.is_null() ? spec["template"].value()
                                           : doc::merge_patch(spec["template"].value(), without_empty(instance.over));
    TRY(auto filled, renderer.document(written, instance.params));
    TRY(filled, patched(renderer, spec, std::move(filled), instance.params));
    auto application = as_application(filled, set, policy);
    auto name = application.str_at({"metadata", "name"});
    all.names.insert(name);
    auto valid = check_name(name);
    if (valid) valid = check(application);
    if (valid)
      all.applications.push_back(std::move(application));
    else if (all.problem.empty())
      all.problem = valid.error().what();
  }
  drop_repeated(all, set);
  return all;
}

Result<doc::Value> updated(const Ctx& ctx, const kube::Object& set, const kube::Object& live,
                           const doc::Value& wanted) {
  auto next = wanted;
  auto preserved = set["spec"]["preservedFields"];
  auto named = [](doc::View list) {
    return [list](std::string_view key) {
      auto items = list.items();
      return std::any_of(items.begin(), items.end(), [&](doc::View item) { return item.text() == key; });
    };
  };
  keep(next, live, "annotations", named(preserved["annotations"]));
  keep(next, live, "annotations", is_foreign);
  keep(next, live, "labels", named(preserved["labels"]));
  std::size_t place = 0;
  std::set<std::string> warnings;
  for (const auto& ignore : set["spec"]["ignoreApplicationDifferences"].items()) {
    if (!concerns(ignore, live.name())) continue;
    TRY(auto rule, ignore_from(ignore, fmt::format("spec.ignoreApplicationDifferences[{}]", place++)));
    rule.group = rule.kind = "*";
    TRY(next, take_live(ctx, {rule}, std::move(next), live, OnlyLive::put_in, warnings));
    if (!warnings.empty()) return fail(Kind::invalid, "{}", *warnings.begin());
  }
  // Hooks of its deletion hold an Application: that is not the set's to say.
  for (const auto& finalizer : live["metadata"]["finalizers"].items()) {
    auto& list = next["metadata"]["finalizers"].list();
    bool there = std::find(list.begin(), list.end(), finalizer.value()) != list.end();
    if (is_hook_finalizer(finalizer.text()) && !there) list.emplace_back(finalizer.value());
  }
  // Everything of the live object that is not the set's.
  auto out = live.copy();
  for (auto part : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    const auto* value = next.find_path({"metadata", part});
    bool empty = value == nullptr || value->is_null() || (value->is_map() && value->if_map()->empty());
    if (empty)
      out["metadata"].map().erase(part);
    else
      out["metadata"][part] = *value;
  }
  out["spec"] = *next.find("spec");
  return out;
}

bool is_owned(const kube::Object& application, const kube::Object& set) {
  auto owner = application.controller();
  return owner && owner->uid == set.uid();
}

}  // namespace slipway::gitops::appset::detail
