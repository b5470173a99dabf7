#pragma once
// Executes a Plan: jobs in parallel as the graph allows, each in one container, steps as GitHub's runner has them.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "box/box.h"
#include "box/network.h"
#include "ci/environments.h"
#include "ci/groups.h"
#include "ci/jobcache.h"
#include "ci/plan.h"
#include "ci/ready.h"
#include "ci/report.h"
#include "doc/view.h"
#include "git/repository.h"
#include "oci/layer.h"
#include "oci/registry.h"
#include "oci/remote.h"
#include "path/services.h"
#include "store/blob.h"

namespace slipway::ci {

class JobService;
class JobPods;
class InPod;

enum class Conclusion : std::uint8_t { success, failure, cancelled, skipped };
std::string_view to_string(Conclusion conclusion);
std::optional<Conclusion> parse_conclusion(std::string_view text);

struct Annotation {
  enum class Level : std::uint8_t { notice, warning, error } level = Level::notice;
  path::Place place;  // file "" when none
  int end_line = 0, end_column = 0;
  std::string title, message;
};
struct StepResult {
  std::string id, name;
  Conclusion outcome = Conclusion::skipped, conclusion = Conclusion::skipped;  // before and after continue-on-error
  Millis duration{0};
  std::map<std::string, std::string> outputs;
  bool command = false;  // a `run:` step: the user's own command
  path::Spans commands;  // when it ran, without the making of its container
  bool from_cache = false;
};
// An artifact of a run, in the blob store.
struct RunArtifact {
  std::string name;
  Digest digest;
  std::uint64_t bytes = 0;
  std::string type = {};  // "" a tar with zstd; application/zip; else one file as it is, of this media type
};
// An image that a job built.
struct BuiltImage {
  std::string image;
  Digest digest;
  std::vector<std::string> tags;
  std::string inputs;
  std::uint64_t bytes = 0;
};
struct JobResult {
  std::string key;       // unique in the run: "build", "test (20, debian)", "deploy / apply"
  std::string id, name;  // of the definition; for people
  Conclusion conclusion = Conclusion::skipped;
  std::string why;  // why it failed, was skipped or cancelled
  std::map<std::string, std::string> outputs;
  std::vector<StepResult> steps;
  std::vector<Annotation> annotations;
  std::string summary;    // Markdown
  bool foretold = false;  // RunnerOptions::explain: it was not run; `why` says why it would be
  std::string resumable;  // the step at which it can go on (RunnerOptions::resume); "" when it cannot
  std::vector<RunArtifact> artifacts;
  std::vector<BuiltImage> images;
  std::vector<path::Finding> findings;
  bool from_cache = false;
  std::string cache_key;
  int exit_code = 0;  // of the command that made it fail
  bool timed_out = false;
  std::optional<double> coverage;            // in percent, where the plan says how to find it
  std::string environment, environment_url;  // where it deployed to
  bool waits = false;                        // for people: not begun, nothing of it counts yet
  Millis duration{0};
};
doc::Value to_doc(const JobResult& result);
Result<JobResult> job_result_from(doc::View view);

struct LogLine {
  std::string_view job, step;  // the job's key; the step's id, "" for the job itself
  std::chrono::system_clock::time_point time;
  int stream = 1;         // 1 stdout, 2 stderr, 0 the runner's own words
  std::string_view text;  // one line, secrets masked
};
// Told every transition; calls never overlap. Called from the runner's threads: return soon.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void job_started(const std::string& /*key*/, const std::string& /*name*/) {}
  // Before it starts; again when it waits for something else.
  virtual void job_waits(const std::string& /*key*/, const std::string& /*name*/, const Waiting& /*waiting*/) {}
  virtual void job_finished(const JobResult& /*result*/) {}
  virtual void tests(const std::string& /*job*/, const TestReport& /*report*/) {}  // of one report that a step read
  virtual void step_started(const std::string& /*job*/, const std::string& /*id*/, const std::string& /*name*/) {}
  virtual void step_finished(const std::string& /*job*/, const StepResult& /*step*/) {}
  virtual void log(const LogLine& /*line*/) {}
  virtual void annotation(const std::string& /*job*/, const Annotation& /*annotation*/) {}
  // All it said before comes once more: a job that ran on elsewhere while the program was away.
  virtual void tells_again(const std::string& /*job*/) {}
  // The Pod of a job that runs elsewhere is there, made or found again: from now on it hears when it shall end.
  virtual void job_placed(const std::string& /*job*/) {}
};

struct RunnerOptions {
  // The source: a commit of a repository (mirror), or a folder as it is.
  const git::Repository* repository = nullptr;
  std::string commit;
  fs::path folder;

  fs::path root;                    // where jobs have their folders; must exist
  box::Runtime* runtime = nullptr;  // null: jobs are refused unless allow_unisolated
  bool allow_unisolated = false;
  std::vector<fs::path> hide;  // what of the host steps must not see (our data folder)
  box::Limits limits{.memory_bytes = std::int64_t{4} << 30, .pids = 2048};
  std::size_t max_parallel = 2;

  store::BlobStore* blobs = nullptr;  // artifacts, caches
  JobCache* cache = nullptr;
  ReadyPlaces* ready = nullptr;  // containers made ahead; null: each job makes its own
  bool cache_jobs = true;
  bool cache_steps = true;    // those that declare inputs
  bool explain = false;       // nothing runs: each job's `why` says whether it would, and what for
  bool infer_inputs = false;  // every job as if it said SLIPWAY_INPUTS: infer
  path::ImageBuilder* builder = nullptr;
  path::Scanner* scanner = nullptr;
  path::Previewer* previewer = nullptr;
  path::ClusterMaker* clusters = nullptr;
  oci::Registry* registry = nullptr;  // images for `container:`
  oci::LayerCache* layers = nullptr;
  box::NodeNetwork* network = nullptr;      // for jobs with services; null: they share the host's network
  std::string registry_host;                // how image names of ours start: "localhost:5000"
  std::vector<std::string> registry_names;  // further hosts that mean it: "registry.slipway.local"
  oci::Remote* remote = nullptr;            // images for `container:` and services that are elsewhere

  JobService* service = nullptr;  // what JavaScript and container actions talk to; null: they have nobody

  // Actions of other repositories (actions_source.h): a folder of this host that holds owner/name at the ref. Nothing:
  // not known.
  std::function<Result<std::optional<fs::path>>(const Ctx&, const std::string& repository, const std::string& ref)>
      actions;
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin";  // PATH of steps

  JobPods* pods = nullptr;  // jobs run as Pods of a cluster (pod/pods.h); null: here
  InPod* in_pod = nullptr;  // this is one of those Pods (pod/in_pod.h)

  std::map<std::string, std::string> secrets, vars;
  std::string run_id = "1", server_url = "http://localhost";
  std::int64_t run_number = 1, attempt = 1;
  std::vector<std::string> only_jobs;                            // these and what they need; empty: all
  std::vector<std::pair<std::string, std::string>> only_matrix;  // rows with these values; a job that has none: all
  std::vector<std::string> started_jobs;                         // manual ones that somebody has started
  Observer* observer = nullptr;
  Environments* environments = nullptr;  // null: no rules, and manual jobs are skipped
  JobGroups* groups = nullptr;           // keeps `concurrency:` of jobs across runs; null: each runs at once
  std::vector<JobResult> finished;       // of an interrupted run: not run again
  Millis default_timeout{std::chrono::minutes(360)};
  Millis cancel_grace{std::chrono::minutes(5)};  // for steps that run on cancel
  // Jobs that fail are put aside here as they are, each until it runs again; on the file system of `root`. Empty: they
  // are not. Jobs with services, and those that fail behind a step that holds something open, never are.
  fs::path keep_failed;
  bool resume = false;  // jobs that were put aside go on at the step that failed; the others run whole
  std::size_t max_log_bytes = std::size_t{64} << 20;  // a job
  std::uint64_t keep_free_bytes = std::uint64_t{512}
                                  << 20;  // on the disk of `root`: a job that takes more is stopped; 0: off
};
struct RunResult {
  Conclusion conclusion = Conclusion::success;
  bool waits = false;  // all that is left waits for people: run it again, with these as `finished`, when they decided
  std::vector<JobResult> jobs;
};

// Where a person sits.
struct Terminal {
  int in = 0, out = 1;
  std::string name = "xterm";  // TERM
};

// Removes what a killed process left: containers of jobs (runtime may be null) and job folders below `root`. Only while
// no run is going on there.
Result<> clean_up_after_crash(const fs::path& root, box::Runtime* runtime);

// Threads: one run at a time per value.
class Runner {
 public:
  explicit Runner(RunnerOptions options);
  ~Runner();
  // A failed job is a result, not an Error. Errors: invalid (options), unavailable (no way to isolate jobs).
  // On a stop request jobs are cancelled as GitHub cancels them and the result says so.
  Result<RunResult> run(const Ctx& ctx, const Plan& plan);
  // A shell in the place of a job that failed and was put aside (`keep_failed`), by its key; afterwards it is put aside
  // again, with what was changed. Gives the shell's exit status. Errors: not_found (no such job, or it is not kept).
  Result<int> shell(const Ctx& ctx, const Plan& plan, const std::string& key, const Terminal& terminal);

 private:
  RunnerOptions options_;
};

}  // namespace slipway::ci
