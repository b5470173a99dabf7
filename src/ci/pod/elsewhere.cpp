// A job whose steps run in a Pod. What decides about it stays here: its turn, its cache, its values, its result.
#include "base/text.h"
#include "ci/detail/images.h"
#include "ci/detail/job_run.h"
#include "ci/front_end.h"
#include "ci/pod/pod_job.h"
#include "ci/pod/pod_spec.h"
#include "ci/pod/pods.h"
#include "ci/run/health.h"
#include "oci/reference.h"

namespace slipway::ci {
namespace {

// The tree, with a note of what was read of it.
struct Noted {
  std::map<std::string, std::string> files;
  std::vector<std::string> paths;
};
SourceTree noting(const git::Repository& repository, const std::string& commit, Noted& notes) {
  SourceTree out;
  out.read = [&](const std::string& path) -> Result<std::optional<std::string>> {
    TRY(auto text, repository.read(commit, path));
    if (text) notes.files[path] = *text;
    return text;
  };
  out.files = [&]() -> Result<std::vector<std::string>> {
    TRY(auto entries, repository.list(commit));
    for (auto& entry : entries)
      if (!entry.is_tree()) notes.paths.push_back(entry.path);
    return notes.paths;
  };
  return out;
}

Result<Noted> files_of(const RunnerOptions& options, const Plan& root) {
  if (!options.repository)
    return Fail(Error(Kind::unavailable, "jobs as Pods: this run has no repository, only a folder")
                    .with_hint("push the change, or run it here"));
  Noted out;
  auto& file = root.workflow->source;
  auto tree = noting(*options.repository, options.commit, out);
  TRY(auto text, tree.read(file));
  if (!text) return fail(Kind::not_found, "{}: not in {}", file, options.commit.substr(0, 12));
  TRY_OK(plan_file(*text, file, root.event, tree));
  return out;
}

// As nodes pull it: ours by the name they know our registry by, others as they are written.
Result<std::string> image_for_nodes(const RunnerOptions& options, const std::string& name) {
  constexpr std::string_view none = "no-host.invalid";
  TRY(auto reference, oci::parse_reference(name, none));
  auto which = reference.digest.empty() ? reference.tag : reference.digest.str();
  bool ours = is_own_registry(options, reference.host);
  if ((ours || reference.host == none) && options.registry) {
    TRY(auto known, options.registry->manifest(reference.repository, which));
    if (ours && !known)
      return Fail(Error(Kind::not_found, fmt::format("image {}: is not in this house's registry", name))
                      .with_hint("build and push it first, or name the registry that has it"));
    ours = known.has_value();
  }
  if (!ours) return name;
  return fmt::format("{}/{}{}{}", options.pods->options().registry(), reference.repository,
                     reference.digest.empty() ? ":" : "@", which);
}

std::vector<std::string> texts_of(const Data& list) {
  std::vector<std::string> out;
  if (const auto* array = list.if_array())
    for (auto& item : array->items) out.push_back(item.text());
  return out;
}

Result<PodService> service_from(const RunnerOptions& options, const std::string& name, const Data& definition) {
  PodService out;
  out.name = name;
  auto image = definition.if_string() ? definition.text() : definition.member("image").text();
  if (image.empty()) return out;
  TRY(out.image, image_for_nodes(options, image));
  auto command = definition.member("command"), entrypoint = definition.member("entrypoint");
  out.command = entrypoint.if_array() ? texts_of(entrypoint) : std::vector<std::string>();
  out.args = texts_of(command);
  if (!entrypoint.if_array() && !entrypoint.text().empty() && !entrypoint.is_null()) out.command = {entrypoint.text()};
  if (!command.if_array() && !command.is_null()) {
    auto text = command.text();
    for (auto part : split(text, ' '))
      if (!part.empty()) out.args.emplace_back(part);
  }
  auto env = definition.member("env");
  if (const auto* given = env.if_object())
    for (auto& [key, value] : given->entries) out.env[key] = value.text();
  oci::Config config;  // its own check is taken from the image, when that is here
  if (options.registry) {
    TRY(auto reference, oci::parse_reference(image, "no-host.invalid"));
    auto which = reference.digest.empty() ? reference.tag : reference.digest.str();
    if (auto found = options.registry->image(reference.repository, which)) config = found->config;
  }
  TRY(auto health, health_of(definition.member("options").text(), config));
  out.health_command = health.command.empty() ? join(std::span<const std::string>(health.argv), " ") : health.command;
  out.interval = health.interval, out.retries = health.retries;
  return out;
}

Result<> add_names(const std::string& name, const Data& definition, std::vector<std::string>& out) {
  auto all = texts_of(definition.member("aliases"));
  all.insert(all.begin(), name);
  for (auto& one : all) {
    if (!is_host_name(one))
      return Fail(Error(Kind::invalid, fmt::format("service {}: a Pod cannot have it under that name", one))
                      .with_hint("use lower-case letters, digits and dashes"));
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
  }
  return {};
}

std::vector<std::string> labels_of(const Data& runs_on) {
  if (runs_on.if_object()) return labels_of(runs_on.member("labels"));
  if (runs_on.if_array()) return texts_of(runs_on);
  return {runs_on.text()};
}

std::string pod_name(const std::string& house, const RunnerOptions& options, const std::string& key) {
  auto tail = sha256_hex(fmt::format("{}\n{}\n{}\n{}", house, options.run_id, key, options.attempt)).substr(0, 10);
  return fmt::format("{}-{}", safe_name(fmt::format("job-{}-{}", options.run_id, key), 45), tail);
}

}  // namespace

void JobRun::run_elsewhere(const Ctx& ctx) {
  auto outcome = [&]() -> Result<JobResult> {
    auto& pods = *options().pods;
    TRY(auto settings, pods.options().settings(ctx));
    PodWish wish;
    wish.house = pods.options().house, wish.run = options().run_id, wish.key = result_.key;
    wish.repository = in_.plan.event.repository;
    wish.name = pod_name(wish.house, options(), result_.key);
    wish.ns = settings.ns.empty() ? pods.options().ns : settings.ns;
    wish.url = pods.options().url();
    wish.grace = options().cancel_grace;
    TRY(wish.timeout, time_limit());
    std::vector<std::string> labels;
    if (definition_.runs_on) {
      TRY(auto runs_on, definition_.runs_on->evaluate(scope(root_, nullptr), root_.source));
      labels = labels_of(runs_on);
    }
    wish.profile = settings.profile(labels);
    TRY_OK(place_in_pod(wish));
    if (wish.image.empty())
      return Fail(
          Error(Kind::invalid, fmt::format("runs-on {}: no image is known for it, and the job names no "
                                           "container",
                                           labels.empty() ? "(nothing)" : labels.front()))
              .with_hint("write container: IMAGE, or give the house a default: slipway up --pod-image IMAGE, or "
                         "image: in the ConfigMap job-pods"));
    TRY(wish.image, image_for_nodes(options(), wish.image));
    TRY_IN(wish.agent_image, "the agent's image", pods.options().agent_image(ctx));
    TRY(auto side, pod_side(wish));
    StepContext nobody;
    nobody.frame = &root_;
    JobPods::Work work;
    work.wish = &wish, work.side = &side;
    work.say = [&](std::string_view text) { say(nobody, text); };
    work.again = [&] { in_.shared.tell([&](Observer& o) { o.tells_again(result_.key); }); };
    work.placed = [&] { in_.shared.tell([&](Observer& o) { o.job_placed(result_.key); }); };
    return pods.run(ctx, work);
  }();
  take_artifacts();
  if (!outcome) {
    cancelled_ = outcome.error().is(Kind::cancelled);
    if (cancelled_)
      result_.why = outcome.error().what() == "the house stops" ? "cancelled" : outcome.error().what();
    else
      fail_job(outcome.error().print());
    return;
  }
  auto name = result_.name, cache = result_.cache_key;
  auto by_services = std::move(result_.artifacts);
  result_ = *std::move(outcome);
  result_.key = in_.key, result_.id = definition_.id, result_.name = name, result_.cache_key = cache;
  result_.artifacts.insert(result_.artifacts.end(), by_services.begin(), by_services.end());
  timed_out_ = result_.timed_out;
  failed_ = result_.conclusion == Conclusion::failure && !timed_out_;
  cancelled_ = result_.conclusion == Conclusion::cancelled || timed_out_;
  if (result_.conclusion == Conclusion::success) to_cache();
}

Result<Millis> JobRun::time_limit() const {
  if (!definition_.timeout_minutes) return options().default_timeout;
  TRY(auto minutes, definition_.timeout_minutes->evaluate(scope(root_, nullptr), root_.source));
  if (!(minutes.number() > 0)) return options().default_timeout;
  return Millis(static_cast<std::int64_t>(std::min(minutes.number(), 1e6) * 60'000));
}

// The job's container and its services.
Result<> JobRun::place_in_pod(PodWish& wish) {
  wish.image = wish.profile.image;
  if (definition_.container) {
    TRY(auto container, definition_.container->evaluate(scope(root_, nullptr), root_.source));
    auto image = container.if_string() ? container.text() : container.member("image").text();
    if (!image.empty()) wish.image = image;
  }
  if (!definition_.services) return {};
  TRY(auto definitions, definition_.services->evaluate(scope(root_, nullptr), root_.source));
  const auto* object = definitions.if_object();
  if (!object) return {};
  for (auto& [name, definition] : object->entries) {
    TRY_IN(auto service, fmt::format("service {}", name), service_from(options(), name, definition));
    if (service.image.empty()) continue;  // switched off
    TRY_OK(add_names(name, definition, wish.host_names));
    wish.services.push_back(std::move(service));
  }
  return {};
}

Result<PodJobSide> JobRun::pod_side(const PodWish& wish) {
  const Plan& root = in_.root ? *in_.root : in_.plan;
  TRY(auto noted, files_of(options(), root));
  JobDescription job;
  job.event = root.event, job.file = root.workflow->source;
  job.files = std::move(noted.files), job.paths = std::move(noted.paths);
  job.job = path_to(root, in_.plan, in_.job.id);
  job.key = in_.key, job.commit = options().commit;
  job.leg = in_.leg, job.index = in_.index, job.total = in_.total;
  job.fail_fast = in_.fail_fast, job.max_parallel = in_.max_parallel;
  job.needs = in_.needs, job.inputs = in_.inputs, job.secrets = in_.secrets;
  job.vars = in_.vars;
  job.vars.insert(options().vars.begin(), options().vars.end());
  job.may_identify = in_.may_identify;
  job.run_id = options().run_id, job.run_number = options().run_number, job.attempt = options().attempt;
  job.server_url = options().server_url, job.registry_host = options().registry_host;
  job.registry_names = options().registry_names;
  job.timeout = wish.timeout, job.grace = options().cancel_grace, job.max_log = options().max_log_bytes;
  job.caches = options().cache && options().blobs, job.builder = options().builder, job.scanner = options().scanner;
  job.previewer = options().previewer, job.service = options().service, job.actions = bool(options().actions);
  PodJobSide out;
  out.options = &options(), out.event = &in_.plan.event, out.artifacts = &in_.shared.artifacts;
  out.description = print(job);
  out.take = [this](JobEvent& event) { take_event(event); };
  out.admit = [this]() -> Result<PodJobSide::Admission> {
    std::lock_guard turn(turn_);
    PodJobSide::Admission admission{action_env(true), {}};
    if (!pass_) return fail(Kind::unavailable, "no job services are connected");
    admission.secrets = pass_->secrets();
    return admission;
  };
  out.id_token = [this](const Ctx& ctx, const std::string& audience) {
    std::lock_guard turn(turn_);
    return id_token(ctx, audience);
  };
  return out;
}

// What the agent told, on to whoever looks. It has masked what it knows; what only the house knows is masked here.
void JobRun::take_event(JobEvent& event) {
  using What = JobEvent::What;
  auto& key = result_.key;
  auto text = in_.shared.redaction.redact(event.text);
  in_.shared.tell([&](Observer& o) {
    if (event.what == What::log) o.log({key, event.step, event.time, event.stream, text});
    if (event.what == What::step_started) o.step_started(key, event.step, text);
    if (event.what == What::step_finished) {
      auto& step = event.result.steps.front();
      step.commands = event.spans;
      o.step_finished(key, step);
    }
    if (event.what == What::annotation) o.annotation(key, event.result.annotations.front());
    if (event.what == What::tests) o.tests(key, event.report);
  });
}

}  // namespace slipway::ci
