#include "gitops/appset/set.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "gitops/application.h"
#include "gitops/appset/detail_set.h"
#include "gitops/detail/operate.h"

namespace slipway::gitops::appset {
namespace {

using detail::Policy;
using detail::Rollout;

const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};
constexpr std::string_view over_budget = "DeleteBudgetExceeded";
constexpr std::string_view finalizer = "resources-finalizer.argocd.argoproj.io";

kube::WriteOptions writing() { return {.field_manager = std::string(manager)}; }

struct Conditions {
  bool failed = false, generated = true;
  std::string reason = "ApplicationSetUpToDate", message = "All applications have been generated successfully";
};

// The four conditions that Argo CD's clients know.
void put_conditions(doc::Value& status, const Conditions& c, const kube::Object& before, const std::string& now,
                    std::optional<bool> rolling) {
  doc::Value probe = before.copy();
  if (!probe.is_map()) probe = doc::Map{};
  auto set = [&](std::string_view type, bool holds, std::string_view reason, std::string_view message) {
    kube::set_condition(probe, type, holds, reason, message, now);
  };
  set("ErrorOccurred", c.failed, c.reason, c.message);
  set("ParametersGenerated", c.generated, c.generated ? "ParametersGenerated" : "ErrorOccurred",
      c.generated ? "Successfully generated parameters for all Applications" : c.message);
  set("ResourcesUpToDate", !c.failed, c.reason, c.message);
  if (rolling)
    set("RolloutProgressing", *rolling, *rolling ? "ApplicationSetModified" : "ApplicationSetRolloutComplete",
        *rolling ? "ApplicationSet is performing rollout of step" : "ApplicationSet Rollout has completed");
  status["conditions"] = *probe.find_path({"status", "conditions"});
}

// The set cannot say what it wants: what is there stays as it is.
LookedSet unclear(const Ctx& ctx, const kube::Object& set, Conditions c, Millis again) {
  doc::Value status = doc::Map{};
  for (auto key : {"resources", "applicationStatus", "resourcesCount"})
    if (set["status"][key].present()) status[key] = set["status"][key].value();
  c.failed = true;
  put_conditions(status, c, set, rfc3339(ctx.clock->wall()), std::nullopt);
  return {std::move(status), again};
}

bool passes(const Error& error) { return error.is(Kind::cancelled) || error.is(Kind::conflict); }

std::string show(const kube::Object& application) { return fmt::format("Application {}", application.key().str()); }

// Syncing is the rollout's to do while there is one.
doc::Value for_rollout(doc::Value application) {
  if (application.find_path({"spec", "syncPolicy", "automated"}) != nullptr)
    application["spec"]["syncPolicy"]["automated"]["enabled"] = false;
  return application;
}

// Creates what is missing and changes what differs. Gives the Applications as they are then, by name.
Result<std::map<std::string, kube::Object>> write_wanted(const Ctx& ctx, kube::Client& client, const kube::Object& set,
                                                         const std::vector<doc::Value>& wanted, const Policy& policy) {
  std::map<std::string, kube::Object> all;
  for (const auto& value : wanted) {
    kube::Object want{doc::Value(value)};
    TRY(auto live, client.get(ctx, application_type, want.key()));
    if (!live) {
      auto made = client.create(ctx, value, writing());
      if (!made) return Fail(std::move(made).error().in(show(want)));
      LOG(info, "appset.created", {"set", set.key().str()}, {"app", want.name()});
      all.emplace(want.name(), *std::move(made));
      continue;
    }
    if (auto owner = live->controller(); owner && owner->uid != set.uid())
      return fail(Kind::invalid, "{} belongs to {} {} already", show(want), owner->kind, owner->name);
    if (live->deleting() || (!policy.update && detail::is_owned(*live, set))) {
      all.emplace(want.name(), *live);
      continue;
    }
    TRY(auto next, detail::updated(ctx, set, *live, value));
    if (next == live->value()) {
      all.emplace(want.name(), *live);
      continue;
    }
    auto written = client.update(ctx, std::move(next), writing());
    if (!written) return Fail(std::move(written).error().in(show(want)));
    LOG(info, "appset.updated", {"set", set.key().str()}, {"app", want.name()});
    all.emplace(want.name(), *std::move(written));
  }
  return all;
}

Result<std::vector<kube::Object>> owned_by(const Ctx& ctx, kube::Client& client, const kube::Object& set) {
  std::vector<kube::Object> owned;
  TRY_OK(client.for_each(ctx, application_type, {.ns = set.ns()}, [&](kube::Object app) -> Result<> {
    if (detail::is_owned(app, set)) owned.push_back(std::move(app));
    return {};
  }));
  return owned;
}

Result<> remove(const Ctx& ctx, kube::Client& client, const kube::Object& app) {
  if (app.deleting()) return {};
  LOG(info, "appset.deleted", {"app", app.key().str()});
  auto gone = client.remove(ctx, application_type, app.key(),
                            {.propagation = kube::RemoveOptions::Propagation::background, .uid = app.uid()});
  return gone || gone.error().is(Kind::not_found) ? Result<>{} : gone;
}

Result<> set_finalizer(const Ctx& ctx, kube::Client& client, const kube::Object& set, bool wanted) {
  auto changed = kube::modify(ctx, client, set_type, set.key(), writing(), [&](doc::Value& object) -> Result<bool> {
    auto& list = object["metadata"]["finalizers"].list();
    auto has = std::find(list.begin(), list.end(), doc::Value(finalizer));
    if ((has != list.end()) == wanted) return false;
    if (wanted)
      list.emplace_back(finalizer);
    else
      list.erase(has);
    return true;
  });
  return changed || changed.error().is(Kind::not_found) ? Result<>{} : Result<>(Fail(std::move(changed).error()));
}

bool has_finalizer(const kube::Object& set) {
  auto all = set["metadata"]["finalizers"].items();
  return std::any_of(all.begin(), all.end(), [](doc::View f) { return f.text() == finalizer; });
}

// A set that goes takes its Applications along, unless its policy forbids that; in the reverse order of its steps if
// it says so.
Result<LookedSet> tear_down(const Ctx& ctx, kube::Client& client, const kube::Object& set) {
  if (!has_finalizer(set)) return LookedSet{};
  TRY(auto apps, owned_by(ctx, client, set));
  auto policy = detail::policy_of(set["spec"]);
  auto rollout = Rollout::from(set);
  if (!policy || !policy->remove) {
    for (const auto& app : apps) {
      auto freed =
          kube::modify(ctx, client, application_type, app.key(), writing(), [&](doc::Value& object) -> Result<bool> {
            return std::erase_if(object["metadata"]["ownerReferences"].list(),
                                 [&](const doc::Value& owner) { return owner.str_at({"uid"}) == set.uid(); }) > 0;
          });
      if (!freed && !freed.error().is(Kind::not_found)) return Fail(std::move(freed).error());
    }
    TRY_OK(set_finalizer(ctx, client, set, false));
    return LookedSet{};
  }
  std::size_t last = 0;
  bool ordered = rollout && rollout->active() && rollout->reverse_deletion();
  for (const auto& app : apps) last = std::max(last, ordered ? rollout->step_of(app.labels()) : 0);
  for (const auto& app : apps)
    if (!ordered || rollout->step_of(app.labels()) == last) TRY_OK(remove(ctx, client, app));
  if (ordered) {
    TRY(apps, owned_by(ctx, client, set));
    if (!apps.empty()) return LookedSet{set["status"].value(), Millis(1000)};
  }
  TRY_OK(set_finalizer(ctx, client, set, false));
  return LookedSet{};
}

doc::Value resources_of(const std::map<std::string, kube::Object>& apps) {
  doc::List list;
  for (const auto& [name, app] : apps) {
    doc::Map one{{"group", "argoproj.io"},
                 {"kind", "Application"},
                 {"name", name},
                 {"namespace", app.ns()},
                 {"version", "v1alpha1"}};
    auto status = app["status"];
    if (auto sync = status["sync"]["status"].text(); !sync.empty()) one.set("status", sync);
    if (auto health = status["health"]["status"].text(); !health.empty()) {
      doc::Map map{{"status", health}};
      if (auto message = status["health"]["message"].text(); !message.empty()) map.set("message", message);
      one.set("health", std::move(map));
    }
    list.emplace_back(std::move(one));
  }
  return list;
}

bool is_rolling(const doc::Value& statuses) {
  auto items = doc::View(statuses).items();
  return std::any_of(items.begin(), items.end(),
                     [](doc::View e) { return e["step"].text() != "-1" && e["status"].text() != "Healthy"; });
}

// Has somebody agreed to what was asked?
bool was_approved(const kube::Object& set) {
  auto conditions = set["status"]["conditions"].items();
  return std::any_of(conditions.begin(), conditions.end(), [&](doc::View condition) {
    return condition["type"].text() == "ErrorOccurred" && condition["reason"].text() == over_budget &&
           gitops::detail::agreed(set.annotation(deletion_approved_annotation), condition["lastTransitionTime"].text());
  });
}

// What is wanted is known and valid: writes it, and lets go of what is no longer wanted.
Result<LookedSet> bring_about(const Ctx& ctx, kube::Client& client, const kube::Object& set, detail::Wanted all,
                              const Policy& policy, const Rollout& rollout) {
  auto& wanted = all.applications;
  if (rollout.active())
    for (auto& app : wanted) app = for_rollout(std::move(app));
  bool needs_finalizer = !policy.remove || rollout.reverse_deletion();
  if (needs_finalizer && !has_finalizer(set)) TRY_OK(set_finalizer(ctx, client, set, true));
  TRY(auto apps, write_wanted(ctx, client, set, wanted, policy));
  Conditions conditions;
  if (!all.problem.empty()) conditions = {true, true, "ApplicationValidationError", all.problem};
  if (policy.remove) {
    TRY(auto owned, owned_by(ctx, client, set));
    auto unwanted = [&](const kube::Object& app) { return !all.names.contains(app.name()) && !app.deleting(); };
    auto count = static_cast<std::size_t>(std::count_if(owned.begin(), owned.end(), unwanted));
    TRY(auto budget, DeleteBudget::parse(set.annotation(delete_budget_annotation)));
    auto over = budget.refusal(count, owned.size(), "Applications");
    if (!over.empty() && !was_approved(set)) {
      conditions = {true, true, std::string(over_budget),
                    fmt::format("waiting for approval to delete {}: annotate the ApplicationSet with {}", over,
                                deletion_approved_annotation)};
    } else {
      for (const auto& app : owned)
        if (unwanted(app)) TRY_OK(remove(ctx, client, app));
    }
  }
  auto now = rfc3339(ctx.clock->wall());
  doc::Value status = doc::Map{};
  std::optional<bool> rolling;
  if (rollout.active()) {
    std::vector<kube::Object> list;
    for (const auto& [name, app] : apps) list.push_back(app);
    TRY(auto statuses, rollout.advance(ctx, client, set, list));
    rolling = is_rolling(statuses);
    status["applicationStatus"] = std::move(statuses);
  }
  status["resources"] = resources_of(apps);
  status["resourcesCount"] = static_cast<std::int64_t>(apps.size());
  put_conditions(status, conditions, set, now, rolling);
  return LookedSet{std::move(status), std::nullopt};
}

}  // namespace

Result<LookedSet> look(const Ctx& ctx, kube::Client& client, Repositories& repositories, const kube::Object& set,
                       Answers* answers) {
  if (set.deleting()) return tear_down(ctx, client, set);
  const auto* body = set.value().find("spec");
  if (body == nullptr || !body->is_map())
    return unclear(ctx, set, {true, false, "ErrorOccurred", "spec: is missing"}, Millis(180000));
  doc::View spec(*body, "ApplicationSet");
  auto invalid = [&](const Error& error, bool generated, std::string reason) -> Result<LookedSet> {
    if (passes(error)) return Fail(Error(error));
    LOG(warn, "appset.error", {"set", set.key().str()}, {"error", error.what()});
    return unclear(ctx, set, {true, generated, std::move(reason), error.what()},
                   error.retryable() ? retry_pause(error) : Millis(180000));
  };
  auto renderer = Renderer::from(spec);
  if (!renderer) return invalid(renderer.error(), false, "ErrorOccurred");
  auto policy = detail::policy_of(spec);
  if (!policy) return invalid(policy.error(), false, "ErrorOccurred");
  auto rollout = Rollout::from(set);
  if (!rollout) return invalid(rollout.error(), false, "ErrorOccurred");
  if (answers != nullptr)
    answers->begin(set["metadata"]["generation"].num_or(0), !set.annotation(refresh_annotation).empty());
  auto instances = generate(ctx, {client, repositories, set.ns(), set.name(), answers}, *renderer, spec);
  if (!instances) return invalid(instances.error(), false, "ApplicationParamsGenerationError");
  auto wanted = detail::wanted_applications(*renderer, set, *instances, *policy);
  if (!wanted) return invalid(wanted.error(), true, "RenderTemplateParamsError");
  auto looked = bring_about(ctx, client, set, *std::move(wanted), *policy, *rollout);
  if (!looked) return invalid(looked.error(), true, "UpdateApplicationError");
  looked->again = requeue_after(spec);
  if (auto first = answers != nullptr ? answers->end() : std::nullopt) {
    auto left = std::chrono::ceil<Millis>(*first - ctx.clock->now());
    looked->again = std::min(looked->again.value_or(left), std::max(left, Millis(1000)));
  }
  return looked;
}

}  // namespace slipway::gitops::appset
