#pragma once
// One job while it runs: its folder, its container, its state between steps. Private to ci.
#include <condition_variable>

#include "ci/detail/busy.h"
#include "ci/observe/recorder.h"
#include "ci/run/commands.h"
#include "ci/run/job_folder.h"
#include "ci/run/kept_answers.h"
#include "ci/run/kept_job.h"
#include "ci/run/matchers.h"
#include "ci/run/places.h"
#include "ci/run/sandbox.h"
#include "ci/runner.h"
#include "ci/service.h"
#include "secret/redact.h"

namespace slipway::ci {
namespace gitlab {
class CoverageFinder;  // gitlab/steps.h
}

struct PodWish;
struct PodJobSide;
struct JobEvent;

// Limits how many jobs run at once. Threads: any.
class Slots {
 public:
  explicit Slots(std::size_t count) : free_(std::max<std::size_t>(count, 1)) {}
  Result<> take(const Ctx& ctx) {
    auto free = free_.lock();
    TRY_OK(free.wait(ctx, wake_, [&] { return *free > 0; }));
    --*free;
    return {};
  }
  void give() {
    ++*free_.lock();
    wake_.notify_one();
  }

 private:
  Guarded<std::size_t> free_;
  std::condition_variable_any wake_;
};

// Gives a lock up for a while.
class Unlocked {
 public:
  explicit Unlocked(std::mutex& mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~Unlocked() { mutex_.lock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  std::mutex& mutex_;
};

// What the jobs of one run share.
struct Shared {
  explicit Shared(RunnerOptions given)
      : options(std::move(given)),
        slots(options.max_parallel),
        places({.root = options.root, .runtime = options.runtime, .hide = options.hide, .limits = options.limits}) {}
  RunnerOptions options;
  secret::RedactionSet redaction;
  Slots slots;
  Places places;
  Busy busy;
  std::mutex observing;
  Guarded<std::map<std::string, RunArtifact>> artifacts;  // by name
  Guarded<std::map<std::string, std::string>> digests;  // of the run's own folder, by patterns: asked for by many jobs
  // Calls the observer, one at a time.
  template <class F>
  void tell(F f) {
    if (!options.observer) return;
    std::lock_guard lock(observing);
    f(*options.observer);
  }
};

struct IgnoringCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
struct StepRecord {
  Conclusion outcome = Conclusion::success, conclusion = Conclusion::success;
  std::map<std::string, std::string> outputs;
};
using Environment = std::map<std::string, std::string>;

// What a step changes for those after it. Of a step in the background it is kept until that is waited for.
struct Effects {
  Pairs env;
  std::vector<std::string> paths;
  StepRecord record;
  bool failed = false;
  std::string why;
  bool waits = false;  // for a process: others may go on
};

// Steps that share a scope: those of the job, or of one use of a composite action.
struct Frame {
  std::string source;  // file, for messages
  Data inputs;
  std::map<std::string, StepRecord, IgnoringCase> records;
  Environment env;                                         // composite: what the caller's step had
  std::string action_path, action_repository, action_ref;  // as seen inside
  bool composite = false, failed = false;
  int depth = 0;
  std::string path;            // of ids from the job's step down
  Effects* effects = nullptr;  // of the step in the background this belongs to
  std::string outer_step;      // composite: the id under which the job's step is reported
};

// What a step says on its streams and by its command files, as it comes.
struct Tape {
  static constexpr std::size_t most = 1 << 20;  // bytes that are said again
  std::string text;
  std::map<std::string, std::string> files;  // by variable: GITHUB_OUTPUT ...
  bool too_long = false;                     // then it is not complete
  void add(std::string_view piece) {
    too_long = too_long || text.size() + piece.size() > most;
    if (!too_long) text += piece;
  }
};

// Where the output of one step goes and what it says in it.
struct StepContext {
  Frame* frame = nullptr;
  std::string name;           // for people
  std::string id, report_id;  // report_id: the job's own step, also within composites
  Environment env;            // of the step: all levels merged, evaluated
  StepRecord* record = nullptr;
  Effects* effects = nullptr;
  std::map<std::string, std::string> state;  // save-state
  std::string stop_token;                    // commands are off until it is said
  std::string partial[2];                    // unfinished lines of stdout, stderr
  path::Spans commands;                      // when its processes ran
  int exit_code = 0;                         // of a `run:` that failed
  Recorder* recorder = nullptr;              // of this step alone
  Tape* tape = nullptr;
  bool from_cache = false;
};

// A `run:`, ready to start.
struct ScriptCall {
  std::string text, command;  // of the script; of the shell, with {0}
  std::vector<std::string> argv;
  std::string cwd;
};

struct JobInput {
  Shared& shared;
  const Plan& plan;
  const PlanJob& job;
  Leg leg;
  std::size_t index = 0, total = 1;
  bool fail_fast = true;
  int max_parallel = 0;
  std::string key;
  Data needs, inputs;
  std::map<std::string, std::string> secrets;
  std::map<std::string, std::string> vars = {};  // of its environment, over those of the run
  bool may_identify = false;                     // permissions: id-token: write, also of those who called
  const Plan* root = nullptr;                    // of the workflow that was started, when this one is called
  bool others_follow = false;                    // that have not begun
};

class JobRun {
 public:
  explicit JobRun(JobInput input);
  ~JobRun();
  JobResult run(const Ctx& ctx);
  // Whether it has commands, and no wishes for where they run.
  static bool fits_any_place(const JobDefinition& job);
  // kept_job.cpp: of a job that failed and was put aside.
  Result<int> open_shell(const Ctx& ctx, const Terminal& terminal);

  // For actions.
  Shared& shared() { return in_.shared; }
  const RunnerOptions& options() const { return in_.shared.options; }
  const Plan& plan() const { return in_.plan; }
  JobFolder& folder() { return *folder_; }
  // Where processes run; made when the first one needs it: a job of native actions alone never does.
  Result<Sandbox*> sandbox(const Ctx& ctx);
  JobResult& result() { return result_; }
  // A path relative to the job's home as steps see it.
  std::string inside(const std::string& relative) const {
    return ((isolated() ? fs::path(home_inside) : folder_->home()) / relative).string();
  }
  bool isolated() const { return options().runtime != nullptr; }
  bool has_own_network() const { return !pod_.empty(); }  // then 127.0.0.1 is not this machine
  bool succeeding() const { return !failed_ && !cancelled_; }
  // A path given by a step (absolute inside, or relative to the workspace) as one relative to home. Errors: invalid
  // when it is outside of home.
  Result<std::string> relative_of(const std::string& path) const;
  void log(const StepContext& step, int stream, std::string_view line);
  void say(const StepContext& step, std::string_view line) { log(step, 0, line); }
  // shown: what the log has of it; "" its message.
  void annotate(const StepContext& step, Annotation annotation, std::string_view shown = {});
  void set_output(StepContext& step, const std::string& name, const std::string& value);
  void set_env(StepContext& step, const std::string& name, const std::string& value);
  void add_path(StepContext& step, const std::string& folder);
  void add_mask(std::string_view value) {
    in_.shared.redaction.add(value);
    masks_.emplace_back(value);
  }
  // For the facts about what the job reads (observe/): where a checkout put the run's own source; files that a pattern
  // found; that something was read which nobody can tell again.
  void source_is_at(const std::string& below_workspace);
  void looked_for(const std::vector<std::string>& below_workspace) const;
  void reads_unseen(std::string what) const;
  Recorder* recorder() const { return recorder_.get(); }  // of the whole job; null: nobody asks
  RecorderOptions recorder_options(const InputWords& inputs) const;
  std::map<std::string, std::string> run_values() const;  // those of GITHUB_* that differ from run to run
  std::string image_identity() const { return image_; }   // of the job's container; "" for the view of the host
  bool holds_secret(const Tape& tape) const;
  // Says and does again what a step once did.
  Result<> replay(StepContext& step, const Tape& tape);
  void keep_until_the_end(std::shared_ptr<Recorder> recorder) { step_recorders_.push_back(std::move(recorder)); }
  Environment process_env(const StepContext& step) const;
  // Something to do when the job's steps are over, last come first done; runs also after failure and cancellation.
  void defer(std::string name, std::function<Result<>(const Ctx&, StepContext&)> work);
  // A process in the job's container, its output read for commands; the step's command files are applied afterwards.
  Result<int> process(const Ctx& ctx, StepContext& step, std::vector<std::string> argv, const std::string& cwd,
                      const Environment& extra = {});
  // A container of its own for one step (docker:// and docker actions); its output is read like any other.
  struct ContainerStep {
    std::string image, entrypoint;
    std::vector<std::string> args;
    Environment env;
  };
  Result<int> container(const Ctx& ctx, StepContext& step, const ContainerStep& call);
  Scope scope(const Frame& frame, const StepContext* step) const;
  Result<Environment> evaluate_env(const Template& value, const Frame& frame, const StepContext* step) const;
  const Data& github() const { return github_; }
  std::string token() const;
  // service/admission.cpp: who this job is, for an audience; and where its processes ask for that themselves: URL and
  // token. Errors: denied (its permissions do not say id-token: write), unavailable.
  Result<std::string> id_token(const Ctx& ctx, const std::string& audience);
  Result<std::pair<std::string, std::string>> id_token_request();

  // uses.cpp
  // Where an action's files are: a folder relative to home, and of which repository ("" of the job's own).
  struct ActionPlace {
    std::string folder, repository, ref;
  };
  Result<> use(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context);
  Result<> run_action(const Ctx& ctx, Frame& frame, StepContext& context, const ActionPlace& place,
                      const Action& action, const Object& inputs);

 private:
  struct Post {
    std::string name;
    StepContext context;
    std::function<Result<>(const Ctx&, StepContext&)> work;
  };

  // job_run.cpp
  Result<> prepare(const Ctx& ctx);
  Result<> take_turn(const Ctx& ctx, std::unique_ptr<JobGroups::Hold>& hold);
  Result<> open_folder();
  void leave_place();
  void say_place();
  Result<> open_sandbox(const Ctx& ctx);
  Result<SandboxOptions> sandbox_options(const Ctx& ctx);
  Result<> job_image(const Ctx& ctx, const std::string& image, SandboxOptions& out);
  void make_contexts();
  void run_all(const Ctx& ctx);
  // pod/elsewhere.cpp: in a Pod, whose agent does what run_all does here.
  void run_elsewhere(const Ctx& ctx);
  Result<> place_in_pod(PodWish& wish);
  Result<PodJobSide> pod_side(const PodWish& wish);
  void take_event(JobEvent& event);
  Result<Millis> time_limit() const;
  // pod/in_pod.cpp: in that Pod
  Result<> enter_pod();
  void note_service(const std::string& name, const Data& definition);
  void run_posts(const Ctx& ctx);
  void collect_outputs();
  void tell_environment_url();
  void finish(const Ctx& ctx, std::chrono::steady_clock::time_point started);
  // services.cpp
  Result<> start_services(const Ctx& ctx, SandboxOptions& job);
  Result<> start_service(const Ctx& ctx, const std::string& name, const Data& definition, const SandboxOptions& job);
  void stop_services();

  // kept_job.cpp
  void put_aside();
  Result<std::optional<KeptState>> kept_before() const;
  Result<> take_up(KeptState state);
  Result<> bring_changes(const Manifest& before);
  // job_cache.cpp
  InputWords declared_inputs() const;
  std::string why_not_answered() const;
  bool from_cache(const Ctx& ctx);
  bool answer(const std::string& key);
  bool answer_by_facts(const Ctx& ctx, const InputWords& inputs);
  void to_cache();
  void keep_facts();
  std::unique_ptr<TreeView> source_view() const;
  // job_cache_key.cpp
  std::string definition_text(const Ctx& ctx) const;
  Result<std::string> cache_key(const Ctx& ctx, const InputWords& inputs);
  std::string facts_key(const Ctx& ctx) const;
  std::string scripts() const;
  std::string digest_of_steps(std::size_t count) const;
  void fail_job(std::string why);

  // steps.cpp
  void steps(const Ctx& ctx, Frame& frame, const std::vector<Step>& list);
  void step(const Ctx& ctx, Frame& frame, const Step& step, Effects* effects = nullptr, const Ctx* own = nullptr);
  void skip(Frame& frame, const Step& step, const std::string& name, StepRecord& record);
  Result<bool> wanted(const Frame& frame, const Step& step, const StepContext& context) const;
  bool survives_cancel(const Frame& frame, const Step& step, const StepContext& context);
  Result<> execute(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context);
  Result<> script(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context);
  // step_cache.cpp
  bool keeps_steps(const StepContext& step) const;
  Result<int> kept_script(const Ctx& ctx, StepContext& step, const ScriptCall& call);
  Result<Environment> step_env(const Frame& frame, const Step* step, const StepContext* context) const;
  void conclude(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context, const Result<>& outcome);

  // background.cpp
  struct Background {
    explicit Background(std::stop_token parent) : stop(std::move(parent)) {}
    std::string id;
    Effects effects;
    ChildStop stop;
    bool done = false, cancelled = false;
    std::jthread thread;
  };
  void start_background(const Ctx& ctx, Frame& frame, const Step& step);
  void join(Frame& frame, const std::string& id, bool cancel);       // "" all
  Result<> control(const Ctx& ctx, Frame& frame, const Step& step);  // wait, wait-all, cancel, parallel

  // output.cpp
  Result<> open_files(StepContext& step, Environment& env);
  Result<> apply_files(StepContext& step, const Environment& env);
  void take(StepContext& step, int stream, std::string_view piece);
  void take_line(StepContext& step, int stream, std::string_view line);
  bool command(StepContext& step, const WorkflowCommand& command, std::string_view line);
  void add_matcher(StepContext& step, const std::string& file);
  void report(const StepContext& step, const MatchedIssue& issue, std::string_view line);

  Data github_of(const Frame& frame, const StepContext* step) const;

  // uses.cpp
  struct Fetched {
    ActionPlace place;
    Action action;
  };
  // Nothing: not known here.
  Result<std::optional<Fetched>> fetch_action(const Ctx& ctx, const std::string& uses);
  // Before the first step: `pre:` of the actions of other repositories that steps use, in order.
  void run_pres(const Ctx& ctx, Frame& frame, const std::vector<Step>& list);
  Result<> run_pre(const Ctx& ctx, Frame& frame, const Step& step, const Fetched& found);
  Result<Object> inputs_of(const Frame& frame, const StepContext& context, const Action& action, const Object& given);
  Frame inner_frame(const Frame& frame, const StepContext& context, const ActionPlace& place, const Action& action);
  Result<> docker_action(const Ctx& ctx, StepContext& context, Frame& inner, const std::string& folder,
                         const Action& action, Environment env);
  // An action in JavaScript: one of its three programs, with what it saved for the next.
  using ActionState = std::map<std::string, std::string>;
  Result<> node(const Ctx& ctx, StepContext& context, const Environment& env, ActionState& state,
                const std::string& program);
  void defer_post(const StepContext& context, const Environment& env, const Action& action,
                  const std::shared_ptr<ActionState>& state);

  // service/admission.cpp
  // What JavaScript and container actions see beside what steps do.
  Environment action_env(bool own_network);
  void take_artifacts();
  doc::Map identity_claims() const;
  void gitlab_claims(doc::Map& out, const std::string& environment) const;

  JobInput in_;
  const JobDefinition& definition_;
  JobResult result_;
  std::unique_ptr<Recorder> recorder_;  // null: nobody wants to know what the job reads
  Matchers matchers_;
  std::string why_it_runs_;
  std::vector<std::string> masks_;
  int first_failed_ = -1;                                  // among the job's own steps
  bool for_shell_ = false, taken_up_ = false;              // a person looks around; the job was put aside before
  std::string failed_step_;                                // of the job that was put aside
  std::size_t resume_at_ = 0;                              // steps before it were done in an earlier life
  std::string checkout_;                                   // where the run's source is, relative to home
  Manifest source_manifest_;                               // of a folder, when it was checked out
  std::vector<std::shared_ptr<Recorder>> step_recorders_;  // outlive what steps leave running
  std::string image_;
  std::string facts_key_;
  std::optional<JobFolder> folder_;
  std::unique_ptr<Sandbox> sandbox_;
  Frame root_;
  Data github_, runner_, strategy_, secrets_, vars_;
  Environment base_env_, job_env_, global_env_;
  std::vector<std::string> paths_;  // GITHUB_PATH, newest first
  std::string default_shell_, default_folder_;
  std::vector<Post> posts_;
  std::map<std::string, std::shared_ptr<ActionState>> states_;  // of actions whose `pre:` ran, by Frame::path and id
  std::shared_ptr<JobService::Pass> pass_;
  struct Service {
    std::string name;
    std::unique_ptr<box::Container> container;
    std::vector<std::string> ports;
  };
  std::vector<Service> services_;
  std::string pod_;  // our id in the pod network, "" when we have none
  bool failed_ = false, cancelled_ = false, timed_out_ = false, has_image_ = false;
  std::unique_ptr<gitlab::CoverageFinder> coverage_;  // null: nobody asked for it
  std::atomic<std::size_t> logged_ = 0;
  int files_ = 0;
  std::map<std::string, std::vector<std::string>> idle_files_;  // command files that steps left empty, by variable
  // One step at a time touches the job's state; only processes run side by side. Held by whoever runs a step, given
  // up while its process runs.
  std::mutex turn_;
  std::condition_variable turned_;
  std::vector<std::unique_ptr<Background>> background_;
};

// GITHUB_REF_NAME of "GITHUB_" and ref_name.
std::string variable_name(std::string_view prefix, std::string_view key);
// What the options' secrets are for this plan, and no log shows: code of strangers gets none but GITHUB_TOKEN, which
// may have read rights.
std::map<std::string, std::string> secrets_of(Shared& shared, const Plan& plan);

// "build", "test (20, debian)": unique in the run. prefix: of a called workflow.
std::string job_key(const std::string& prefix, const PlanJob& job, const std::vector<Leg>& legs, std::size_t index);

// Natively known actions (actions/*.cpp).
struct ActionUse {
  JobRun& job;
  StepContext& step;
  std::string uses, ref;  // "actions/cache/restore", "v4"
  std::map<std::string, std::string, IgnoringCase> inputs;
  std::string input(std::string_view name, std::string_view fallback = {}) const;
  bool flag(std::string_view name, bool fallback) const;
  std::vector<std::string> list(std::string_view name) const;  // lines, trimmed, empty ones dropped
  void output(const std::string& name, const std::string& value) { job.set_output(step, name, value); }
  void say(std::string_view line) { job.say(step, line); }
};
using NativeAction = Result<> (*)(const Ctx& ctx, ActionUse& use);
NativeAction find_native_action(std::string_view name);  // "actions/checkout"
std::vector<std::string> native_action_names();

// hashFiles, always, success, failure, cancelled as contexts answer them.
constexpr std::string_view status_functions[] = {"success", "failure", "cancelled", "always"};

}  // namespace slipway::ci
