#include "base/text.h"
#include "path/analysis_spec.h"
#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

const kube::Type run_type{"argoproj.io/v1alpha1", "AnalysisRun"};

bool ended(std::string_view phase) {
  return phase == "Successful" || phase == "Failed" || phase == "Error" || phase == "Inconclusive";
}

// Values that only the rollout knows; secrets stay references.
Result<doc::List> arguments(Work& work, const Analysis& analysis) {
  doc::List args;
  for (auto arg : analysis.args) {
    doc::View view(arg);
    auto from = view["valueFrom"];
    std::optional<std::string> value;
    if (auto hash = from["podTemplateHashValue"].str_or(""); !hash.empty()) {
      value = hash == "Stable" ? work.stable_hash() : work.new_hash;
    } else if (auto path = from["fieldRef"]["fieldPath"].str_or(""); !path.empty()) {
      auto at = work.state.rollout.view();
      auto rest = replace_all(replace_all(path, "['", "."), "']", "");
      for (auto part : split(rest, '.'))
        if (!part.empty()) at = at[part];
      if (!at.exists())
        return fail(Kind::invalid, "analysis argument \"{}\": the rollout has no field {}", view["name"].str_or(""),
                    path);
      value = at.text();
    }
    if (value) arg = doc::Map{{"name", view["name"].str_or("")}, {"value", *value}};
    args.push_back(std::move(arg));
  }
  return args;
}

Result<doc::Value> make_run(Work& work, const Analysis& analysis, const RunName& name) {
  std::vector<doc::Value> templates;
  for (const auto& [t, cluster] : analysis.templates) {
    auto kind = cluster ? "ClusterAnalysisTemplate" : "AnalysisTemplate";
    auto it = work.state.templates.find(fmt::format("{}/{}", kind, t));
    if (it == work.state.templates.end() || !it->second) return fail(Kind::invalid, "{} '{}' not found", kind, t);
    templates.push_back(it->second.value());
  }
  TRY(auto args, arguments(work, analysis));
  TRY(auto spec, path::analysis_run_spec(templates, args));
  const auto& rollout = work.state.rollout;
  kube::StringMap labels{{hash_label, work.new_hash}, {"rollout-type", std::string(name.type)}};
  if (name.type == "Step") labels["step-index"] = name.suffix.substr(1);
  auto* set = work.fresh();
  auto run = kube::make_object(run_type, {rollout.ns(), run_name(work, name.suffix)}, labels,
                               {{revision_annotation, std::to_string(set == nullptr ? 0 : set->revision)}});
  run["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(rollout)};
  run["spec"] = std::move(spec);
  return run;
}

}  // namespace

std::string run_name(const Work& work, const std::string& suffix) {
  std::int64_t revision = 0;
  for (const auto& set : work.sets)
    if (set.hash == work.new_hash) revision = set.revision;
  // A retry measures anew: its runs are of another attempt.
  auto attempt = work.now_status()["attempt"].num_or(0);
  return fmt::format("{}-{}-{}{}{}", work.state.rollout.name(), work.new_hash, revision, suffix,
                     attempt > 0 ? fmt::format(".{}", attempt) : "");
}

Verdict follow_run(Work& work, const Analysis& analysis, const RunName& name, doc::Value& summary) {
  auto wanted = run_name(work, name.suffix);
  for (const auto& run : work.state.runs) {
    if (run.name() != wanted) continue;
    auto phase = run["status"]["phase"].str_or("");
    summary = doc::Map{{"name", wanted}, {"status", phase.empty() ? "Pending" : phase}};
    if (auto message = run["status"]["message"].str_or(""); !message.empty()) summary["message"] = message;
    if (phase == "Successful") return Verdict::successful;
    if (phase == "Failed" || phase == "Error") return Verdict::failed;
    return phase == "Inconclusive" ? Verdict::inconclusive : Verdict::running;
  }
  auto run = make_run(work, analysis, name);
  if (!run) {
    work.abort(run.error().what());
    return Verdict::none;
  }
  summary = doc::Map{{"name", wanted}, {"status", "Pending"}};
  work.decision.writes.push_back({Write::Verb::create, *std::move(run), "AnalysisRunCreated"});
  work.event("AnalysisRunRunning", fmt::format("{} Analysis Run '{}' created", name.type, wanted));
  return Verdict::running;
}

void terminate_runs(Work& work, const std::string& keep) {
  for (const auto& run : work.state.runs) {
    if (run.name() == keep || run["spec"]["terminate"].bool_or(false) || ended(run["status"]["phase"].str_or("")))
      continue;
    auto object = run.copy();
    object["spec"]["terminate"] = true;
    work.decision.writes.push_back({Write::Verb::update, std::move(object), "AnalysisRunTerminated"});
  }
}

}  // namespace slipway::rollout::detail
