#include "ci/pod/agent.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "ci/detail/job_run.h"
#include "ci/front_end.h"
#include "ci/pod/agent_log.h"
#include "ci/pod/in_pod.h"
#include "doc/json.h"
#include "oci/layer.h"

extern char** environ;

namespace slipway::ci {
namespace {

// What the image says; neither what the agent was told nor where the cluster is.
std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    auto at = text.find('=');
    if (at == std::string_view::npos) continue;
    auto name = text.substr(0, at);
    if (name.starts_with("SLIPWAY_AGENT_") || name.starts_with("KUBERNETES_") || name == "HOME" || name == "PWD" ||
        name == "HOSTNAME" || name == "OLDPWD" || name == "SHLVL" || name == "_")
      continue;
    out[std::string(name)] = text.substr(at + 1);
  }
  return out;
}

// Greets until the house gives the job: services are waited for, and a house that is away.
Result<std::string> greet(const Ctx& ctx, const AgentOptions& options, const std::string& token) {
  FarHouse stranger(options.url, options.word, options.patience);
  auto body = doc::print_json(doc::Map{{"session", sha256_hex(token)}});
  std::string said;
  for (Millis pause{50};; pause = std::min(pause * 2, Millis(1000))) {
    TRY_IN(auto answer, "ask for the job", stranger.send(ctx, stranger.request("POST", "hello", body)));
    if (answer.status != 202) return std::move(answer.body);
    TRY(auto document, doc::parse_json(answer.body, "hello"));
    if (auto waits = doc::View(document)["wait"].str_or(""); waits != said) {
      LOG(info, "agent.waits", {"for", waits});
      said = waits;
    }
    TRY_OK(sleep(ctx, pause));
  }
}

// The started workflow and what it calls, from the texts that came with the job.
SourceTree tree_of(const JobDescription& job) {
  SourceTree out;
  out.read = [&job](const std::string& path) -> Result<std::optional<std::string>> {
    auto found = job.files.find(path);
    return found == job.files.end() ? std::optional<std::string>() : std::optional(found->second);
  };
  out.files = [&job]() -> Result<std::vector<std::string>> { return job.paths; };
  return out;
}

class Place final : public InPod {
 public:
  Place(const FarHouse& house, const JobDescription& job, store::BlobStore& blobs, fs::path bare, fs::path work)
      : house_(house), job_(job), blobs_(blobs), bare_(std::move(bare)), work_(std::move(work)) {}

  Result<> need_source(const Ctx& ctx, std::string_view action,
                       const std::function<std::string(std::string_view)>& input) override {
    auto want = wanted(action, input);
    std::lock_guard turn(fetching_);
    if (want <= have_) return {};
    if (want == Want::commit) {
      TRY(bool done, fetch_commit(ctx));
      if (done) return {};
    }
    TRY_OK(remove_tree(bare_));
    auto slashes = house_.url().find("://");
    auto url = fmt::format("{}://agent:{}@{}/agent/v1/git/run.git", house_.url().substr(0, slashes), house_.token(),
                           house_.url().substr(slashes + 3));
    TRY_IN(auto made, "clone the repository", git::Repository::mirror(ctx, url, bare_));
    (void)made;
    have_ = Want::all;
    return {};
  }

  Result<> give_artifact(const RunArtifact& artifact, bool overwrite) override {
    TRY_OK(house_.ask({}, "artifacts",
                      {{"name", artifact.name},
                       {"digest", artifact.digest.str()},
                       {"type", artifact.type},
                       {"overwrite", overwrite}}));
    return {};
  }
  Result<> refresh_artifacts(std::map<std::string, RunArtifact>& all) override {
    TRY(auto answer, house_.send({}, house_.request("GET", "artifacts")));
    TRY(auto document, doc::parse_json(answer.body, "artifacts"));
    all.clear();
    for (auto& one : doc::View(document)["artifacts"].items()) {
      RunArtifact artifact{
          one["name"].str_or(""), {}, static_cast<std::uint64_t>(one["bytes"].num_or(0)), one["type"].str_or("")};
      TRY(artifact.digest, Digest::parse(one["digest"].str_or("")));
      all[artifact.name] = artifact;
    }
    return {};
  }

  // An action of another repository, unpacked once.
  Result<std::optional<fs::path>> action(const Ctx& ctx, const std::string& repository, const std::string& ref) {
    TRY(auto answer, house_.ask(ctx, "actions", {{"repository", repository}, {"ref", ref}}));
    auto text = doc::View(answer)["digest"].str_or("");
    if (text.empty()) return std::optional<fs::path>();
    TRY(auto digest, Digest::parse(text));
    auto commit = doc::View(answer)["commit"].str_or("");
    auto folder = work_ / "actions" / digest.short_hex() / (commit.contains('/') || commit.empty() ? "tree" : commit);
    std::lock_guard turn(fetching_);
    if (path_exists(folder)) return std::optional(folder);
    TRY_OK(unpack(ctx, digest, folder));
    return std::optional(folder);
  }

 private:
  enum class Want : std::uint8_t { nothing, commit, all };

  Want wanted(std::string_view action, const std::function<std::string(std::string_view)>& input) const {
    constexpr std::string_view history[] = {"dorny/paths-filter",           "tj-actions/changed-files",
                                            "softprops/action-gh-release",  "ncipollo/release-action",
                                            "actions/create-release",       "peter-evans/create-pull-request",
                                            "goreleaser/goreleaser-action", "slipway/gitlab-release"};
    auto which = lower(action);
    if (std::find(std::begin(history), std::end(history), which) != std::end(history)) return Want::all;
    if (which == "docker/metadata-action") return Want::commit;
    if (which != "actions/checkout") return Want::nothing;
    auto depth = input("fetch-depth"), ref = input("ref");
    bool own = ref.empty() || ref == job_.event.ref || ref == job_.event.sha;
    bool plain = (depth.empty() || depth == "1") && own && input("sparse-checkout").empty() &&
                 lower(input("fetch-tags")) != "true";
    return plain ? Want::commit : Want::all;
  }

  Result<bool> fetch_commit(const Ctx& ctx) {
    TRY(auto answer, house_.ask(ctx, "source", {}));
    auto text = doc::View(answer)["digest"].str_or("");
    if (text.empty()) return false;
    TRY(auto digest, Digest::parse(text));
    TRY_OK(remove_tree(bare_));
    TRY_OK_IN("unpack the source", unpack(ctx, digest, bare_));
    have_ = Want::commit;
    return true;
  }

  Result<> unpack(const Ctx& ctx, const Digest& digest, const fs::path& folder) const {
    TRY(auto opened, blobs_.open_blob(digest));
    auto staged = fs::path(folder).concat(".new");
    TRY_OK(remove_tree(staged));
    TRY_OK(make_dirs(staged));
    TRY_OK(oci::unpack_archive(ctx, blobs_.path(digest), staged, {.uid = ::geteuid(), .gid = ::getegid()}));
    std::error_code error;
    fs::rename(staged, folder, error);
    return error ? Result<>(fail_errno(error.value(), folder.native())) : Result<>{};
  }

  const FarHouse& house_;
  const JobDescription& job_;
  store::BlobStore& blobs_;
  fs::path bare_, work_;
  std::mutex fetching_;
  Want have_ = Want::nothing;
};

// The stores and tools of the house, as far as it has them.
struct Far {
  std::unique_ptr<FarBlobs> blob_origin, cache_origin;
  std::unique_ptr<store::BlobStore> blobs, cache_blobs;
  std::unique_ptr<JobCache> cache;
  std::unique_ptr<JobService> service;
  std::unique_ptr<path::ImageBuilder> builder;
  std::unique_ptr<path::Scanner> scanner;
  std::unique_ptr<path::Previewer> previewer;

  static Result<Far> open(const FarHouse& house, const JobDescription& job, const fs::path& work) {
    Far out;
    out.blob_origin = std::make_unique<FarBlobs>(house, "blobs");
    out.cache_origin = std::make_unique<FarBlobs>(house, "cache-blobs");
    TRY(out.blobs, store::BlobStore::open(work / "blobs"));
    TRY(out.cache_blobs, store::BlobStore::open(work / "cache-blobs"));
    out.blobs->set_origin(out.blob_origin.get()), out.cache_blobs->set_origin(out.cache_origin.get());
    if (job.caches) out.cache = far_caches(house, *out.cache_blobs);
    if (job.service) out.service = far_service(house);
    if (job.builder) out.builder = far_builder(house, *out.blobs);
    if (job.scanner) out.scanner = far_scanner(house, *out.blobs);
    if (job.previewer) out.previewer = far_previewer(house, *out.blobs);
    return out;
  }
};

RunnerOptions options_for(const JobDescription& job, const Far& far, const git::Repository& repository, Place& place,
                          AgentLog& log) {
  RunnerOptions out;
  out.repository = &repository, out.commit = job.commit;
  out.root = place.home;
  out.allow_unisolated = true;
  out.blobs = far.blobs.get(), out.cache = far.cache.get(), out.cache_jobs = false;
  out.builder = far.builder.get(), out.scanner = far.scanner.get(), out.previewer = far.previewer.get();
  out.service = far.service.get();
  out.registry_host = job.registry_host, out.registry_names = job.registry_names;
  if (job.actions)
    out.actions = [&place](const Ctx& ctx, const std::string& name, const std::string& ref) {
      return place.action(ctx, name, ref);
    };
  out.vars = job.vars, out.run_id = job.run_id, out.server_url = job.server_url;
  out.run_number = job.run_number, out.attempt = job.attempt;
  out.observer = &log;
  out.in_pod = &place;
  if (job.timeout > Millis(0)) out.default_timeout = job.timeout;
  if (job.grace > Millis(0)) out.cancel_grace = job.grace;
  if (job.max_log > 0) out.max_log_bytes = job.max_log;
  out.keep_free_bytes = 0;  // the cluster keeps watch over its nodes
  return out;
}

Result<Plan> plan_from(const JobDescription& job) {
  return plan_file(job.files.at(job.file), job.file, job.event, tree_of(job));
}

JobResult broken(const JobDescription& job, const Error& error) {
  JobResult out;
  out.key = job.key, out.id = job.job.back(), out.name = job.key;
  out.conclusion = Conclusion::failure, out.why = error.print();
  return out;
}

Result<JobResult> run_job(const Ctx& ctx, const JobDescription& job, const Far& far, Place& place, AgentLog& log,
                          const fs::path& bare) {
  TRY(auto plan, plan_from(job));
  TRY(auto planned, find_planned(plan, job.job));
  TRY(auto repository, git::Repository::init(bare));
  Shared shared(options_for(job, far, repository, place, log));
  for (auto& [name, value] : job.secrets) shared.redaction.add(value);
  JobInput input{.shared = shared, .plan = *planned.plan, .job = *planned.job, .leg = job.leg};
  input.index = job.index, input.total = job.total;
  input.fail_fast = job.fail_fast, input.max_parallel = job.max_parallel;
  input.key = job.key, input.needs = job.needs, input.inputs = job.inputs;
  input.secrets = job.secrets, input.vars = job.vars;
  input.may_identify = job.may_identify, input.root = &plan;
  return JobRun(std::move(input)).run(ctx);
}

}  // namespace

Result<> run_agent(const Ctx& ctx, const AgentOptions& options) {
  // What the agent knows, its job's steps do not read: neither by /proc nor by a debugger.
  ::prctl(PR_SET_DUMPABLE, 0);
  auto token = random_hex(32);
  TRY(auto text, greet(ctx, options, token));
  TRY(auto job, parse_description(text));
  FarHouse house(options.url, token, options.patience);
  auto work = options.home / ".slipway";
  TRY_OK(make_dirs(work));
  TRY(auto far, Far::open(house, job, work));
  ChildStop stop(ctx.stop);
  TRY(auto log, AgentLog::open(house, work / "events", [&] { stop.request_stop(); }));
  Place place(house, job, *far.blobs, work / "source.git", work);
  place.home = options.home, place.name = options.pod, place.env = own_environment();
  auto result = run_job(ctx.with_stop(stop.token()), job, far, place, *log, work / "source.git");
  log->ended(result ? *result : broken(job, result.error()));
  // The Pod may be going: what is to be told is told all the same.
  return log->settle(Ctx{}.within(options.patience));
}

Result<> install_agent(const fs::path& to) {
  auto from = fs::path("/slipway");
  TRY(auto names, list_dir(from));
  for (auto& name : names) TRY_OK(copy_tree(from / name, to / name));
  return {};
}

}  // namespace slipway::ci
