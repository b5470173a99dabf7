// Deleting an Application: PreDelete hooks, its objects wave by wave, PostDelete hooks, then what the hooks left. Each
// stage has its finalizer, as in Argo CD: a kill anywhere begins again at the stage that was not finished.
#include <algorithm>

#include "base/log.h"
#include "gitops/detail/desired.h"
#include "gitops/detail/operate.h"
#include "gitops/front.h"
#include "kube/finalizers.h"

namespace slipway::gitops::detail {
namespace {

// Why the Application must stay for now, as a condition.
struct Stay {
  std::string type, message;
  Millis again{1000};
};
using Stays = std::optional<Stay>;  // nothing: the stage is done

Stay waits_for(const std::string& what, Millis again = Millis(1000)) {
  return {"DeletionWarning", "waiting for " + what, again};
}

class TearDown {
 public:
  TearDown(const Ctx& ctx, const SyncContext& context, const kube::Object& application, AppStatus status)
      : ctx_(ctx),
        context_(context),
        application_(application),
        status_(std::move(status)),
        front_(front_of(application.type())) {}

  Result<Looked> run() {
    using Phase = SyncPhase;
    auto named = [](Phase phase, bool cleanup) {
      return [name = hook_finalizer(phase, cleanup)](std::string_view finalizer) { return finalizer == name; };
    };
    struct Stage {
      Finalizer finalizer;
      std::function<Result<Stays>()> act;
    };
    const Stage stages[] = {
        {named(Phase::pre_delete, false), [&] { return run_hooks(Phase::pre_delete); }},
        {[&](std::string_view f) { return front_.is_our_finalizer(f) && !is_hook_finalizer(f); },
         [&] { return remove_objects(); }},
        {named(Phase::post_delete, false), [&] { return run_hooks(Phase::post_delete); }},
        {named(Phase::pre_delete, true), [&] { return clear_up(Phase::pre_delete); }},
        {named(Phase::post_delete, true), [&] { return clear_up(Phase::post_delete); }},
    };
    for (const auto& stage : stages) {
      if (!is_held_by(stage.finalizer)) continue;
      TRY(auto stays, stage.act());
      if (stays) return still_there(*stays);
      TRY_OK(let_go(stage.finalizer));
    }
    context_.comparer.forget(application_.key().str());
    context_.renderer.forget(application_.key());
    return std::move(looked_);
  }

  // Nobody can delete there any more, and nothing must keep the Application for ever (as in Argo CD): or it waits.
  Result<Looked> run_without(const Error& why) {
    auto ours = [&](std::string_view finalizer) { return front_.is_our_finalizer(finalizer); };
    if (!is_held_by(ours)) return std::move(looked_);
    if (!why.is(Kind::not_found)) return still_there(waits_for("its destination: " + why.what(), Millis(180000)));
    LOG(warn, "gitops.objects_left_behind", {"app", application_.key().str()}, {"why", why.what()},
        {"objects", status_.inventory.size()});
    TRY_OK(let_go(ours));
    context_.comparer.forget(application_.key().str());
    context_.renderer.forget(application_.key());
    return std::move(looked_);
  }

 private:
  using Finalizer = std::function<bool(std::string_view)>;

  bool is_held_by(const Finalizer& ours) const { return kube::has_finalizer(application_, ours); }

  Result<> let_go(const Finalizer& ours) {
    TRY(auto freed, kube::drop_finalizers(ctx_, context_.home(), application_.type(), application_.key(), ours));
    if (!freed) return {};
    application_ = *std::move(freed);
    looked_.versions.insert(application_.resource_version());
    return {};
  }

  Looked still_there(const Stay& stay) {
    status_.conditions = {{stay.type, stay.message}};
    looked_.status = front_.to_doc(status_, application_, rfc3339(ctx_.clock->wall()));
    looked_.again = stay.again;
    return std::move(looked_);
  }

  // -- the objects

  Result<Stays> remove_objects() {
    auto propagation = front_.cascade_of(application_);
    if (!propagation) return Stays();
    SyncOptions options;
    for (const auto& text : application_["spec"]["syncPolicy"]["syncOptions"].items())
      (void)read_option(options, text.text());
    std::vector<kube::Object> objects;
    std::vector<InventoryEntry> left;
    std::string consent;
    auto take = [&](const InventoryEntry& entry, kube::Object live) {
      auto permission = options_of(options, live).remove;
      if (permission == Permission::no) return;
      left.push_back(entry);
      bool approved = agreed(application_.annotation("argocd.argoproj.io/deletion-approved"), since());
      if (permission != Permission::confirm || approved)
        objects.push_back(std::move(live));
      else
        consent =
            fmt::format("approval to delete {}: annotate the Application with argocd.argoproj.io/deletion-approved",
                        live.describe());
    };
    for (const auto& entry : status_.inventory) {
      if (entry.type.kind == "CustomResourceDefinition" && !front_.takes_definitions()) continue;
      bool itself = entry.type.kind == application_.kind() && entry.type.group() == application_.type().group() &&
                    entry.key == application_.key();
      if (itself) continue;  // it waits for the others, not for itself
      TRY(auto live, live_of_ours(entry.type, entry.key));
      if (live) take(entry, *std::move(live));
    }
    for (const auto& result : status_.operation.results) {
      if (!result.hook) continue;
      TRY(auto live, live_of_ours(result.type, result.key));
      // A hook of the deletion may have the name of one of the last sync.
      if (live) TRY_OK(release_hook(ctx_, context_.client, *live));
      if (live && !live->annotation(operation_annotation).contains("/deletion-"))
        take({result.type, result.key}, *std::move(live));
    }
    std::set<std::string> gone, asked;  // uids
    TRY(auto waiting, remove_waves(ctx_, context_.client, objects, *propagation, gone, asked));
    if (!consent.empty()) waiting = consent;
    for (const auto& entry : left) looked_.types.push_back(entry.type);
    status_.inventory = std::move(left);
    if (auto patience = front_.deletion_patience(application_); patience && consent.empty() && !waiting.empty()) {
      auto since_when = parse_rfc3339(since()).value_or(WallTime{});
      if (*patience == Millis(0) || ctx_.clock->wall() >= since_when + *patience) waiting.clear();
    }
    return waiting.empty() ? Stays() : Stays(waits_for(waiting));
  }

  // Nothing when it is not there, or another's.
  Result<std::optional<kube::Object>> live_of_ours(const kube::Type& type, const kube::Key& key) {
    auto live = context_.client.get(ctx_, type, key);
    if (!live && live.error().is(Kind::not_found)) return std::optional<kube::Object>();  // the kind itself is gone
    if (!live) return live;
    bool ours =
        *live && owner_of(**live, tracking_of(context_.customizations.get())) == front_.owner(application_.key());
    return ours ? *std::move(live) : std::optional<kube::Object>();
  }

  std::string since() const { return application_["metadata"]["deletionTimestamp"].text(); }

  // -- the hooks

  Result<Stays> run_hooks(SyncPhase phase) {
    if (!desired_) {
      TRY(auto read, read_desired(ctx_, context_, application_, status_));
      if (auto* wrong = std::get_if<Unreadable>(&read))
        return Stays(Stay{"DeletionError",
                          fmt::format("{} hooks cannot be read: {}; the Application stays until they can, or until its "
                                      "finalizer {} is removed",
                                      to_string(phase), wrong->message, hook_finalizer(phase)),
                          wrong->again});
      desired_ = std::move(std::get<Desired>(read));
    }
    const auto& desired = *desired_;
    bool any = false;
    for (const auto& task : desired.tasks) {
      if (task.phase != phase) continue;
      looked_.types.push_back(task.type);
      any = true;
    }
    if (!any) return Stays();
    Work work{context_, desired.app, application_, desired.project, desired.tasks, status_, "", {}};
    auto stays = begin_try(work, desired);
    if (stays && !*stays) stays = take_steps(work, phase);
    looked_.versions.merge(work.versions);
    return stays;
  }

  // A try that failed is followed by another: after a while, or when Git says something else.
  Result<Stays> begin_try(Work& work, const Desired& desired) {
    auto& op = status_.deletion;
    if (op.running()) return Stays();
    if (op.phase == "Failed") {
      auto due = parse_rfc3339(op.finished_at).value_or(WallTime{}) + retry_pause(desired.app.retry, op.retries);
      auto now = ctx_.clock->wall();
      if (op.revisions == desired.revisions && due > now)
        return Stays(Stay{"DeletionError", fmt::format("{}; it is tried again at {}", op.message, rfc3339(due)),
                          std::chrono::duration_cast<Millis>(due - now) + Millis(1)});
      std::erase_if(op.results, [](const TaskResult& result) { return result.outcome != "Succeeded"; });
      ++op.retries;
    }
    op.phase = "Running", op.started_at = since(), op.finished_at.clear(), op.message.clear();
    op.request = doc::Map{}, op.revisions = desired.revisions;
    TRY_OK(record(ctx_, work, Recorded::start));
    return Stays();
  }

  Result<Stays> take_steps(Work& work, SyncPhase phase) {
    auto& op = status_.deletion;
    for (const auto& step : deletion_steps(work.tasks, phase)) {
      std::string waiting, failed;
      for (const auto* task : step.tasks) {
        TRY(auto state, run_one(work, *task));
        auto name = fmt::format("{}/{}", task->type.kind, name_of(op, *task));
        if (state == HookState::running) waiting = name;
        if (state == HookState::failed && failed.empty())
          failed = fmt::format("{} hook {} failed: {}", to_string(phase), name, outcome_of(op, *task).message);
      }
      // The others of the wave run to their end first: the next try leaves alone what succeeded.
      if (!waiting.empty()) return Stays(waits_for("completion of hook " + waiting, Millis(5000)));
      if (failed.empty()) continue;
      finish(ctx_, op, "Failed", failed);
      op.finished_at = rfc3339(ctx_.clock->wall());  // it began by the server's clock
      LOG(warn, "gitops.deletion_hook_failed", {"app", application_.key().str()}, {"error", failed});
      auto pause = retry_pause(work.app.retry, op.retries);
      return Stays(Stay{"DeletionError",
                        fmt::format("{}; it is tried again at {}", failed, rfc3339(ctx_.clock->wall() + pause)),
                        pause + Millis(1)});
    }
    return Stays();
  }

  Result<HookState> run_one(Work& work, const Task& task) {
    auto& op = status_.deletion;
    if (auto refusal = work.project.refusal(task.type, task.key); !refusal.empty()) {
      auto& result = result_of(op, task.type, {task.key.ns, name_of(op, task)}, task.phase);
      result.hook = true, result.outcome = "Failed", result.message = refusal;
      return HookState::failed;
    }
    auto state = run_hook(ctx_, work, op, task);
    // What the cluster refuses is an outcome; what it could not answer is not.
    if (!state && outcome_of(op, task).outcome == "Failed") return HookState::failed;
    return state;
  }

  std::string name_of(const Operation& op, const Task& task) const {
    return hook_object(desired_->app, task, op).str_at({"metadata", "name"});
  }
  TaskResult& outcome_of(Operation& op, const Task& task) {
    return result_of(op, task.type, {task.key.ns, name_of(op, task)}, task.phase);
  }

  // What hooks leave goes by their policy: mostly it is gone already, but for a kill between outcome and removal.
  Result<Stays> clear_up(SyncPhase phase) {
    std::string waiting;
    for (const auto& result : status_.deletion.results) {
      if (result.phase != to_string(phase) || result.outcome != "Succeeded") continue;
      TRY(auto live, live_of_ours(result.type, result.key));
      if (!live || !delete_policies_of(*live, phase).contains(DeletePolicy::succeeded)) continue;
      TRY_OK(drop_hook(ctx_, context_.client, *live));
      TRY(live, live_of_ours(result.type, result.key));
      if (live) waiting = fmt::format("deletion of hook {}/{}", result.type.kind, result.key.name);
      if (live) looked_.types.push_back(result.type);
    }
    return waiting.empty() ? Stays() : Stays(waits_for(waiting));
  }

  const Ctx& ctx_;
  const SyncContext& context_;
  kube::Object application_;
  AppStatus status_;
  const Front& front_;
  std::optional<Desired> desired_;  // read when there are hooks to run
  Looked looked_;
};

}  // namespace

Result<Looked> tear_down(const Ctx& ctx, const SyncContext& context, const kube::Object& application,
                         AppStatus status) {
  return TearDown(ctx, context, application, std::move(status)).run();
}

Result<Looked> tear_down_without(const Ctx& ctx, const SyncContext& context, const kube::Object& application,
                                 AppStatus status, const Error& why) {
  return TearDown(ctx, context, application, std::move(status)).run_without(why);
}

Result<kube::Object> hold_for_hooks(const Ctx& ctx, kube::Client& home, const kube::Object& application,
                                    const std::vector<Task>& tasks) {
  std::set<std::string> before, after;
  doc::List wanted;
  auto add = [&](const std::string& finalizer) {
    if (after.insert(finalizer).second) wanted.emplace_back(finalizer);
  };
  for (const auto& f : application["metadata"]["finalizers"].items()) {
    before.insert(f.text());
    if (!is_hook_finalizer(f.text())) add(f.text());
  }
  for (const auto& task : tasks) {
    if (!is_deletion(task.phase)) continue;
    for (bool cleanup : {false, true}) add(hook_finalizer(task.phase, cleanup));
  }
  if (before == after) return application;
  doc::List patch{
      doc::Map{{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", application.resource_version()}},
      doc::Map{{"op", "add"}, {"path", "/metadata/finalizers"}, {"value", std::move(wanted)}}};
  return home.patch(ctx, application.type(), application.key(), kube::PatchType::json, std::move(patch),
                    {.field_manager = std::string(status_manager)});
}

}  // namespace slipway::gitops::detail
