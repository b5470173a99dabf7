// Whole jobs answered from the cache: by the tree, by the files they declare, or by what they were seen to read.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/catalog.h"
#include "ci/detail/job_run.h"
#include "ci/run/kept_answers.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_facts = 64 << 20;

// Actions whose effect is the point, not their outputs: a job that has one always runs.
bool has_effects(const std::vector<Step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](auto& step) {
    if (has_effects(step.parallel)) return true;
    if (!step.uses) return false;
    auto name = std::string_view(step.uses->text).substr(0, step.uses->text.find('@'));
    auto* entry = find_entry(name);
    return name == "slipway/gitlab-release" || (entry && entry->nature == Nature::acts);
  });
}

// Services of this machine that are not the job's own, where it shares the network: their ports.
std::set<int> open_ports() {
  std::set<int> out;
  for (auto* file : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    auto text = read_file(file, 16 << 20).value_or("");
    for (auto line : lines(text)) {
      std::vector<std::string_view> words;
      for (auto word : split(line, ' '))
        if (!word.empty()) words.push_back(word);
      if (words.size() < 4 || words[3] != "0A") continue;
      auto port = words[1].substr(words[1].rfind(':') + 1);
      out.insert(static_cast<int>(std::strtol(std::string(port).c_str(), nullptr, 16)));
    }
  }
  return out;
}

}  // namespace

// SLIPWAY_INPUTS of a job's (or the workflow's) env.
InputWords JobRun::declared_inputs() const {
  auto declared = job_env_.find("SLIPWAY_INPUTS");
  auto out = declared == job_env_.end() ? InputWords{} : parse_inputs(declared->second);
  out.infer = out.infer || options().infer_inputs;
  return out;
}

// Why it always runs; "" when it may be answered.
std::string JobRun::why_not_answered() const {
  if (!options().cache || !options().cache_jobs) return "nothing is answered from the cache here";
  if (has_effects(definition_.steps)) return "what it does is the point, not what it finds out";
  // Who asks for an identity is about to use it somewhere.
  auto& permissions = definition_.permissions ? definition_.permissions : in_.plan.workflow->permissions;
  if (permissions && permissions->contains("id-token") && permissions->at("id-token") == "write")
    return "it asks for an identity";
  // A deployment, a timer and a person who presses the button all mean "do it", not "tell me how it was".
  auto& event = in_.plan.event.name;
  if (definition_.environment) return "it is a deployment";
  if (event != "push" && !event.starts_with("pull_request") && event != "merge_group")
    return fmt::format("it was asked for by {}", event);
  return options().repository || !options().folder.empty() ? "" : "this run has no source";
}

bool JobRun::from_cache(const Ctx& ctx) {
  why_it_runs_ = why_not_answered();
  if (!why_it_runs_.empty()) return false;
  auto inputs = declared_inputs();
  auto key = cache_key(ctx, inputs);
  if (!key) return false;
  why_it_runs_ = inputs.patterns.empty() ? "it has not succeeded on these files" : "a file it declares has changed";
  result_.cache_key = *key;
  if (answer(*key)) return true;
  return inputs.infer && options().blobs && answer_by_facts(ctx, inputs);
}

bool JobRun::answer(const std::string& key) {
  auto known = options().cache->get(key);
  if (!known || !*known) return false;
  auto document = doc::parse_json(**known, key);
  if (!document) return false;
  auto old = job_result_from(doc::View(*document));
  if (!old || old->conclusion != Conclusion::success) return false;
  // What it refers to must still be there.
  for (auto& artifact : old->artifacts)
    if (!options().blobs || !options().blobs->contains(artifact.digest)) return false;
  for (auto& image : old->images)
    if (options().registry) {
      auto there = options().registry->manifest(image.image, image.digest.str());
      if (!there || !*there) return false;
    }
  auto name = result_.name;
  auto cache = result_.cache_key, own = result_.key;
  result_ = *std::move(old);
  result_.key = own, result_.name = name, result_.cache_key = cache, result_.from_cache = true;
  for (auto& artifact : result_.artifacts) (*shared().artifacts.lock())[artifact.name] = artifact;
  StepContext nobody;
  nobody.frame = &root_;
  say(nobody, fmt::format("Nothing this job reads has changed since it succeeded: answered from the cache ({}).",
                          key.substr(4, 12)));
  return true;
}

// Does any earlier success of this job still hold? Otherwise: why not, and watch it this time.
bool JobRun::answer_by_facts(const Ctx& ctx, const InputWords& inputs) {
  facts_key_ = facts_key(ctx);
  StepContext nobody;
  nobody.frame = &root_;
  auto source = source_view();
  auto values = run_values();
  std::string why = "it has not succeeded before, as it is written now";
  bool first = true;
  for (auto& known : kept_answers(*options().cache, facts_key_)) {
    auto facts = known.facts ? options().blobs->read(*known.facts, max_facts) : fail(Kind::not_found, "no facts");
    auto seen = facts ? parse_observation(*facts) : Result<Observation>(Fail(facts.error()));
    if (!seen) continue;
    auto changed = changed_since(*seen, *source, values);
    if (!changed && answer(known.result)) return true;
    if (std::exchange(first, false)) why = changed.value_or("its result is not kept any more");
  }
  why_it_runs_ = why;
  if (options().explain) return false;
  say(nobody, fmt::format("Runs, and is watched: {}.", why));
  recorder_ = std::make_unique<Recorder>(recorder_options(inputs));
  folder_->watch(recorder_.get());
  if (options().pods) reads_unseen("a job in a Pod is not watched");
  return false;
}

RecorderOptions JobRun::recorder_options(const InputWords& inputs) const {
  RecorderOptions out;
  out.home = fs::path(inside("x")).parent_path().string();
  out.workspace = inside(folder_->workspace());
  out.host_visible = isolated() && !definition_.container;
  for (auto& folder : options().hide) out.hidden.push_back(folder.string());
  out.network_counts = !inputs.network;
  out.foreign_ports = open_ports();
  return out;
}

void JobRun::to_cache() {
  if (result_.cache_key.empty() || result_.from_cache || !options().cache) return;
  JobResult kept = result_;
  kept.conclusion = Conclusion::success;
  if (auto put = options().cache->put(result_.cache_key, doc::print_json(to_doc(kept))); put && recorder_) keep_facts();
}

void JobRun::keep_facts() {
  // Nobody of the job may be left who could still read something.
  if (sandbox_) sandbox_->close();
  step_recorders_.clear();
  folder_->watch(nullptr);
  auto seen = recorder_->finish(*source_view(), run_values(), scripts());
  StepContext nobody;
  nobody.frame = &root_;
  if (!seen.open_ends.empty())
    return say(nobody, fmt::format("What this job reads cannot be told for certain: {}{}. It runs again with every "
                                   "change.",
                                   seen.open_ends.front(), seen.open_ends.size() > 1 ? " (and more)" : ""));
  auto facts = options().blobs->put(print(seen));
  if (!facts) return;
  (void)keep_answer(*options().cache, facts_key_, {*facts, result_.cache_key});
  say(nobody, fmt::format("It read {} places of the source and {} of the machine: as long as they stay the same, so "
                          "does its result.",
                          seen.tree.size(), seen.host.size()));
}

std::unique_ptr<TreeView> JobRun::source_view() const {
  return options().repository ? view_commit(*options().repository, options().commit) : view_folder(options().folder);
}

// What differs from run to run, as steps see it.
std::map<std::string, std::string> JobRun::run_values() const {
  static constexpr std::string_view names[] = {
      "sha",          "ref",         "ref_name",    "ref_type", "ref_protected", "head_ref",         "base_ref",
      "run_id",       "run_number",  "run_attempt", "actor",    "actor_id",      "triggering_actor", "event_name",
      "workflow_ref", "workflow_sha"};
  std::map<std::string, std::string> out;
  for (auto name : names) out[variable_name("GITHUB_", name)] = github_.member(name).text();
  out["GITHUB_EVENT_PATH"] = sha256_hex(doc::print_json(in_.plan.event.payload));
  return out;
}

void JobRun::source_is_at(const std::string& below_workspace) {
  checkout_ = (fs::path(folder_->workspace()) / below_workspace).lexically_normal().string();
  while (checkout_.ends_with('/')) checkout_.pop_back();
  if (!options().keep_failed.empty() && !options().repository) source_manifest_ = manifest_of(options().folder);
  if (recorder_) recorder_->source_at(below_workspace);
}
void JobRun::looked_for(const std::vector<std::string>& files) const {
  if (!recorder_) return;
  folder_->looked_at(Look::all_names, folder_->workspace());
  for (auto& file : files) folder_->looked_at(Look::content, folder_->workspace() + "/" + file);
}
void JobRun::reads_unseen(std::string what) const {
  if (recorder_) recorder_->open_end(std::move(what));
}

}  // namespace slipway::ci
