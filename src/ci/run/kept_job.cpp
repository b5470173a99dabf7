#include "ci/run/kept_job.h"
#include "ci/detail/documents.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/text.h"
#include "ci/detail/job_run.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view state_file = "state.json";
constexpr std::size_t max_state = 256 << 20;

void add_to(Manifest& out, const fs::path& root, const std::string& folder) {
  auto names = list_dir(root / folder);
  if (!names) return;
  for (auto& name : *names) {
    auto path = folder.empty() ? name : folder + "/" + name;
    struct stat info;
    if (::lstat((root / path).c_str(), &info) < 0) continue;
    if (S_ISDIR(info.st_mode)) {
      if (path != ".git") add_to(out, root, path);
    } else if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)) {
      out[path] = fmt::format("{} {}.{} {:o}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_mode);
    }
  }
}

// Steps that end with the job, or run beside others: what they had is gone.
bool holds_nothing_open(const std::vector<Step>& steps, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    auto& step = steps[i];
    if (step.background || !step.parallel.empty() || (!step.run && !step.uses)) return false;
    if (step.uses && step.uses->literal_text().starts_with("slipway/preview")) return false;
  }
  return true;
}

Result<> copy_one(const JobFolder& folder, const fs::path& from, const std::string& to) {
  struct stat info;
  if (::lstat(from.c_str(), &info) < 0) return fail_errno(errno, from.string());
  if (S_ISLNK(info.st_mode)) {
    std::error_code ignored;
    return folder.link(to, fs::read_symlink(from, ignored).string());
  }
  TRY(auto text, read_file(from));
  return folder.write(to, text, info.st_mode & 0777);
}

}  // namespace

Manifest manifest_of(const fs::path& folder) {
  Manifest out;
  add_to(out, folder, "");
  return out;
}

doc::Value to_doc(const KeptState& s) {
  return doc::Map{{"key", s.key},
                  {"step", s.step},
                  {"next", static_cast<std::int64_t>(s.next)},
                  {"before", s.before},
                  {"env", texts(s.env)},
                  {"paths", doc::List(s.paths.begin(), s.paths.end())},
                  {"masks", doc::List(s.masks.begin(), s.masks.end())},
                  {"result", to_doc(s.result)},
                  {"checkout", s.checkout},
                  {"source", texts(s.source)}};
}

Result<KeptState> kept_state_from(doc::View view) {
  KeptState s;
  s.key = view["key"].text(), s.step = view["step"].text();
  s.next = static_cast<std::size_t>(view["next"].num_or(0));
  s.before = view["before"].text();
  s.env = texts_from(view["env"]), s.paths = list_from(view["paths"]), s.masks = list_from(view["masks"]);
  TRY(s.result, job_result_from(view["result"]));
  s.checkout = view["checkout"].text(), s.source = texts_from(view["source"]);
  if (s.key.empty()) return fail(Kind::corrupt, "the state of a kept job names no job");
  return s;
}

fs::path kept_place(const fs::path& root, const std::string& key) { return root / sha256_hex(key).substr(0, 20); }

// After the failure, before the folder goes.
void JobRun::put_aside() {
  if (options().keep_failed.empty() || !failed_ || cancelled_ || timed_out_ || first_failed_ < 0) return;
  auto next = static_cast<std::size_t>(first_failed_);
  if (definition_.services || !holds_nothing_open(definition_.steps, next)) return;
  KeptState state;
  state.key = in_.key, state.next = next, state.before = digest_of_steps(next);
  state.step = failed_step_;
  for (auto& step : result_.steps)
    if (step.id == definition_.steps[next].id) state.step = step.name;
  state.env = global_env_, state.paths = paths_, state.masks = masks_;
  state.result = result_;
  state.checkout = checkout_, state.source = source_manifest_;
  auto place = kept_place(options().keep_failed, in_.key);
  (void)remove_tree(place);
  auto kept = make_dirs(place);
  if (kept) kept = write_file(place / state_file, doc::print_json(to_doc(state)), 0600);
  if (kept) kept = folder_->put_aside(place / "job");
  StepContext nobody;
  nobody.frame = &root_;
  if (!kept) {
    (void)remove_tree(place);
    return say(nobody, fmt::format("This job is not kept as it is: {}", kept.error().print()));
  }
  result_.resumable = state.step;
}

// Nothing: no such job is kept. Errors: conflict: it is another job now.
Result<std::optional<KeptState>> JobRun::kept_before() const {
  auto place = kept_place(options().keep_failed, in_.key);
  if (options().keep_failed.empty() || !path_exists(place / state_file)) return std::nullopt;
  TRY(auto text, read_file(place / state_file, max_state));
  TRY_IN(auto document, "the kept job", doc::parse_json(text, (place / state_file).string()));
  TRY(auto state, kept_state_from(doc::View(document)));
  if (state.next >= definition_.steps.size() || state.before != digest_of_steps(state.next))
    return Fail(
        Error(Kind::conflict,
              fmt::format("job '{}' cannot go on at step '{}': the steps before it have changed", in_.key, state.step))
            .with_hint("run it from its start, without --resume"));
  return state;
}

// The folder as it was left; its steps count as done up to the one that failed.
Result<> JobRun::take_up(KeptState state) {
  auto place = kept_place(options().keep_failed, in_.key);
  TRY(auto folder, JobFolder::take_up(options().root, place / "job"));
  folder_.emplace(std::move(folder));
  (void)remove_tree(place);
  resume_at_ = state.next, taken_up_ = true, failed_step_ = state.step;
  global_env_ = state.env, paths_ = state.paths;
  for (auto& mask : state.masks) add_mask(mask);
  auto key = result_.key, name = result_.name;
  result_ = JobResult{};
  result_.key = key, result_.id = definition_.id, result_.name = name;
  result_.summary = state.result.summary, result_.artifacts = state.result.artifacts;
  result_.images = state.result.images, result_.findings = state.result.findings;
  for (std::size_t i = 0; i < resume_at_; ++i)
    for (auto& step : state.result.steps)
      if (step.id == definition_.steps[i].id) result_.steps.push_back(step);
  for (auto& step : result_.steps) root_.records[step.id] = {step.outcome, step.conclusion, step.outputs};
  for (auto& artifact : result_.artifacts) (*shared().artifacts.lock())[artifact.name] = artifact;
  checkout_ = state.checkout;
  StepContext nobody;
  nobody.frame = &root_;
  if (for_shell_) {
    source_manifest_ = state.source;
    return {};
  }
  say(nobody, fmt::format("Goes on at step '{}': the {} before it are not run again.", state.step, resume_at_));
  return bring_changes(state.source);
}

// What the person at the desk has mended meanwhile.
Result<> JobRun::bring_changes(const Manifest& before) {
  if (options().repository || checkout_.empty()) return {};
  source_manifest_ = manifest_of(options().folder);
  std::size_t changed = 0;
  for (auto& [path, print] : source_manifest_) {
    auto old = before.find(path);
    if (old != before.end() && old->second == print) continue;
    TRY_OK(copy_one(*folder_, options().folder / path, checkout_ + "/" + path));
    ++changed;
  }
  for (auto& [path, print] : before) {
    if (source_manifest_.contains(path)) continue;
    fs::path gone = checkout_ + "/" + path;
    TRY_OK(folder_->empty(gone.parent_path().string(), {gone.filename().string()}));
    ++changed;
  }
  StepContext nobody;
  nobody.frame = &root_;
  if (changed > 0) say(nobody, fmt::format("{} files of the source have changed since: brought in.", changed));
  return {};
}

// A person looks around where the step failed. The job is put aside again afterwards, as it was left.
Result<int> JobRun::open_shell(const Ctx& ctx, const Terminal& terminal) {
  for_shell_ = true;
  TRY_OK(prepare(ctx));
  if (!taken_up_)
    return Fail(Error(Kind::not_found, fmt::format("job '{}' is not kept: it has not failed here", in_.key))
                    .with_hint("slipway run keeps each job that fails until it runs again"));
  failed_ = true, first_failed_ = static_cast<int>(resume_at_);
  Finally back([&] {
    if (sandbox_) sandbox_->close();
    put_aside();
    sandbox_.reset();
    folder_.reset();
  });
  TRY(auto* place, sandbox(ctx));
  StepContext context;
  context.frame = &root_;
  if (auto& own = definition_.steps[resume_at_].env) {
    TRY(context.env, evaluate_env(*own, root_, nullptr));
  }
  Process process;
  process.env = process_env(context);
  process.env["PS1"] = fmt::format("{} \\w $ ", in_.key);
  process.env["TERM"] = terminal.name;
  process.argv = {"sh", "-c", "command -v bash > /dev/null && exec bash --norc; exec sh"};
  process.cwd = inside(folder_->workspace());
  return place->shell(ctx, process, terminal);
}

Result<int> Runner::shell(const Ctx& ctx, const Plan& plan, const std::string& key, const Terminal& terminal) {
  Shared shared(options_);
  auto secrets = secrets_of(shared, plan);
  std::vector<std::string> keys;
  for (auto& job : plan.jobs) {
    for (std::size_t i = 0; i < job.legs.size(); ++i) {
      keys.push_back(job_key("", job, job.legs, i));
      if (!iequals(keys.back(), key)) continue;
      JobInput input{shared,
                     plan,
                     job,
                     job.legs[i],
                     i,
                     job.legs.size(),
                     job.fail_fast,
                     job.max_parallel,
                     keys.back(),
                     Data(Object{}),
                     Data::from(plan.event.inputs),
                     secrets};
      return JobRun(std::move(input)).open_shell(ctx, terminal);
    }
  }
  auto near = nearest(key, keys);
  auto error = Error(Kind::not_found, fmt::format("{} has no job '{}'", plan.workflow->source, key));
  return Fail(near ? std::move(error).with_hint(fmt::format("did you mean '{}'?", *near)) : std::move(error));
}

}  // namespace slipway::ci
