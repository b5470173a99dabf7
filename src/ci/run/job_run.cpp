// From a planned job to its result: folder, container, steps, what is left to do, outputs.
#include "ci/detail/job_run.h"
#include "ci/detail/images.h"
#include "ci/gitlab/steps.h"
#include "ci/pod/in_pod.h"
#include "ci/run/disk_guard.h"
#include "ci/run/ready_place.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::ci {

JobRun::JobRun(JobInput input) : in_(std::move(input)), definition_(*in_.job.definition) {
  result_.key = in_.key;
  result_.id = definition_.id;
  result_.name = in_.job.name + (in_.leg.suffix.empty() ? "" : fmt::format(" ({})", in_.leg.suffix));
  root_.source = in_.plan.workflow->source;
  root_.inputs = in_.inputs;
  if (!in_.job.coverage.empty()) coverage_ = std::make_unique<gitlab::CoverageFinder>(in_.job.coverage);
}

JobRun::~JobRun() = default;

void JobRun::fail_job(std::string why) {
  failed_ = true;
  why = in_.shared.redaction.redact(why);
  StepContext nobody;
  nobody.frame = &root_;
  Annotation a;
  a.level = Annotation::Level::error, a.message = why;
  annotate(nobody, std::move(a));
  if (result_.why.empty()) result_.why = std::move(why);
}

JobResult JobRun::run(const Ctx& ctx) {
  auto started = std::chrono::steady_clock::now();
  auto prepared = prepare(ctx);
  std::unique_ptr<JobGroups::Hold> hold;
  if (prepared && definition_.concurrency && options().groups) prepared = take_turn(ctx, hold);
  DiskGuard disk(options().root, options().keep_free_bytes, hold ? hold->token() : ctx.stop);
  auto own = ctx.with_stop(disk.token());
  in_.shared.tell([&](Observer& o) { o.job_started(result_.key, result_.name); });
  if (!prepared) {
    cancelled_ = !ctx.alive() || prepared.error().is(Kind::cancelled);
    if (!cancelled_)
      fail_job(prepared.error().print());
    else if (ctx.alive())
      result_.why = prepared.error().what();
  } else if (taken_up_ || !from_cache(own)) {
    if (options().explain)
      result_.foretold = true, result_.why = why_it_runs_;
    else
      options().pods ? run_elsewhere(own) : run_all(own);
  }
  if (hold && cancelled_ && result_.why.empty()) result_.why = hold->cancelled();
  if (auto full = disk.why(); !full.empty()) {
    result_.why.clear();
    fail_job(full);
    cancelled_ = false;
    first_failed_ = -1;  // what filled the disk does not stay on it
  }
  finish(own, started);
  return std::move(result_);
}

// `concurrency:` of the job: waits until those of its group that came before have ended.
Result<> JobRun::take_turn(const Ctx& ctx, std::unique_ptr<JobGroups::Hold>& hold) {
  TRY(auto value, definition_.concurrency->evaluate(scope(root_, nullptr), root_.source));
  auto group = value.if_object() ? value.member("group").text() : value.text();
  if (group.empty()) return {};
  JobGroups::Wish wish{in_.plan.event.repository, group, fmt::format("{} / {}", options().run_id, result_.key)};
  wish.cancel_in_progress = value.member("cancel-in-progress").truthy();
  wish.keep_all = value.member("queue").text() == "max";
  TRY(hold, options().groups->enter(ctx, wish));
  return {};
}

Result<> JobRun::prepare(const Ctx& ctx) {
  auto& event = in_.plan.event;
  if (options().resume || for_shell_) {
    TRY(auto kept, kept_before());
    if (kept) TRY_OK(take_up(*std::move(kept)));
  }
  if (!folder_) TRY_OK(open_folder());
  TRY_OK(folder_->name_workspace(event.repository.substr(event.repository.find('/') + 1)));
  base_env_ = {{"PATH", options().path}, {"LANG", "C.UTF-8"}, {"CI", "true"}, {"DEBIAN_FRONTEND", "noninteractive"}};
  TRY_OK(folder_->write(folder_->temp() + "/_github_workflow/event.json", doc::print_json_pretty(event.payload)));
  base_env_["HOME"] = fs::path(inside("x")).parent_path().string();
  make_contexts();
  auto& workflow = *in_.plan.workflow;
  if (workflow.env) {
    TRY(job_env_, evaluate_env(*workflow.env, root_, nullptr));
  }
  if (definition_.env) {
    TRY(auto env, evaluate_env(*definition_.env, root_, nullptr));
    for (auto& [key, value] : env) job_env_[key] = value;
  }
  if (definition_.name) {
    TRY(auto name, definition_.name->evaluate_text(scope(root_, nullptr), root_.source));
    if (!name.empty())
      result_.name =
          in_.shared.redaction.redact(name) +
          (definition_.name->is_expression() || in_.leg.suffix.empty() ? "" : fmt::format(" ({})", in_.leg.suffix));
  }
  for (auto* defaults : {&workflow.defaults, &definition_.defaults}) {
    if (!*defaults) continue;
    TRY(auto value, (*defaults)->evaluate(scope(root_, nullptr), root_.source));
    auto run = value.member("run");
    if (auto shell = run.member("shell"); !shell.is_null()) default_shell_ = shell.text();
    if (auto where = run.member("working-directory"); !where.is_null()) default_folder_ = where.text();
  }
  return ctx.alive();
}

bool JobRun::fits_any_place(const JobDefinition& job) {
  return !job.container && !job.services &&
         std::any_of(job.steps.begin(), job.steps.end(), [](const Step& s) { return s.run.has_value(); });
}

// A folder, with a container that was made ahead when the job is sure to need one that is like all others.
Result<> JobRun::open_folder() {
  if (fits_any_place(definition_)) {
    auto place = in_.shared.places.take();
    if (!place && options().ready) place = options().ready->take(options().limits, options().hide);
    if (place) {
      folder_.emplace(std::move(place->folder));
      sandbox_ = std::move(place->sandbox);
      return {};
    }
  }
  TRY(auto folder, options().in_pod ? JobFolder::make_at(options().in_pod->home) : JobFolder::make(options().root));
  folder_.emplace(std::move(folder));
  return {};
}

// Its processes have ended with it; what they leave goes while others run.
void JobRun::leave_place() {
  if (!folder_) return;
  if (failed_ && sandbox_) sandbox_->close();
  put_aside();
  auto& places = in_.shared.places;
  if (sandbox_) places.clear(std::make_unique<ReadyPlace>(*std::move(folder_), std::move(sandbox_)));
  folder_.reset();
}

Result<> JobRun::open_sandbox(const Ctx& ctx) {
  if (options().in_pod) {
    TRY_OK(enter_pod());
    say_place();
    return {};
  }
  TRY(auto wanted, sandbox_options(ctx));
  has_image_ = !wanted.layers.empty();
  if (options().runtime) {
    TRY(sandbox_, open_box_sandbox(ctx, *options().runtime, wanted));
  } else if (!options().allow_unisolated) {
    return Fail(Error(Kind::unavailable, "there is no container runtime, and jobs do not run on the host unprotected")
                    .with_hint("install runc, or allow it with --unisolated"));
  } else if (has_image_) {
    return fail(Kind::unavailable, "the job wants a container, which needs a container runtime");
  } else {
    sandbox_ = open_host_sandbox(wanted);
  }
  say_place();
  return {};
}

void JobRun::say_place() {
  if (in_.others_follow) in_.shared.places.make_next();
  StepContext nobody;
  nobody.frame = &root_;
  say(nobody, fmt::format("Runs {}", sandbox_->describe()));
}

Result<Sandbox*> JobRun::sandbox(const Ctx& ctx) {
  if (!sandbox_) {
    TRY_OK(open_sandbox(ctx));
  }
  return sandbox_.get();
}

Result<> JobRun::job_image(const Ctx& ctx, const std::string& name, SandboxOptions& out) {
  TRY(auto image, resolve_image(ctx, options(), name));
  image_.clear();
  for (auto& layer : image.layers) image_ += layer.filename().string() + "\n";
  out.layers = std::move(image.layers);
  out.user = image.config.user;
  for (auto& pair : image.config.env)
    if (auto parts = cut(pair, "=")) base_env_[std::string(parts->first)] = parts->second;
  return {};
}

Result<SandboxOptions> JobRun::sandbox_options(const Ctx& ctx) {
  SandboxOptions out;
  out.home = folder_->home();
  out.id = fmt::format("ci-{}", random_hex(8));
  out.upper = folder_->base() / "upper";
  out.hide = options().hide;
  out.limits = options().limits;
  if (definition_.container) {
    TRY(auto container, definition_.container->evaluate(scope(root_, nullptr), root_.source));
    auto image = container.if_string() ? container.text() : container.member("image").text();
    // An empty image means no container.
    if (!image.empty()) TRY_OK(job_image(ctx, image, out));
    auto env = container.member("env");
    if (auto* given = env.if_object())
      for (auto& [key, value] : given->entries) base_env_[key] = value.text();
  }
  if (definition_.services) TRY_OK(start_services(ctx, out));
  return out;
}

void JobRun::run_all(const Ctx& ctx) {
  Millis limit = options().default_timeout;
  if (definition_.timeout_minutes) {
    auto minutes = definition_.timeout_minutes->evaluate(scope(root_, nullptr), root_.source);
    if (minutes && minutes->number() > 0)
      limit = Millis(static_cast<std::int64_t>(std::min(minutes->number(), 1e6) * 60'000));
  }
  Ctx own = ctx.within(limit);
  // An image and services are the job's also when none of its steps runs a command.
  bool at_once = definition_.container || definition_.services || !options().runtime;
  if (sandbox_) say_place();
  if (auto opened = at_once ? open_sandbox(own) : Result<>(); !opened) {
    if (ctx.alive())
      fail_job(opened.error().print());
    else
      cancelled_ = true;
    return;
  }
  std::lock_guard turn(turn_);
  run_pres(own, root_, definition_.steps);
  steps(own, root_, definition_.steps);
  join(root_, "", false);
  run_posts(own);
  collect_outputs();
  tell_environment_url();
  if (!failed_ && !cancelled_) to_cache();
}

void JobRun::defer(std::string name, std::function<Result<>(const Ctx&, StepContext&)> work) {
  StepContext context;
  context.frame = &root_;
  context.id = name, context.report_id = name;
  posts_.push_back({std::move(name), std::move(context), std::move(work)});
}

void JobRun::run_posts(const Ctx& ctx) {
  while (!posts_.empty()) {
    auto post = std::move(posts_.back());
    posts_.pop_back();
    auto started = std::chrono::steady_clock::now();
    // Tearing down happens also when the job was cancelled, within a time of its own.
    Ctx own = ctx.alive() && !cancelled_ ? ctx : Ctx{.clock = ctx.clock}.within(options().cancel_grace);
    StepRecord record;
    post.context.record = &record;
    in_.shared.tell([&](Observer& o) { o.step_started(result_.key, post.context.id, post.name); });
    auto outcome = post.work(own, post.context);
    record.outcome = record.conclusion = outcome ? Conclusion::success : Conclusion::failure;
    if (!outcome) {
      failed_ = true;
      Annotation a;
      a.level = Annotation::Level::error, a.message = outcome.error().print();
      annotate(post.context, std::move(a));
      if (result_.why.empty())
        result_.why = in_.shared.redaction.redact(fmt::format("{}: {}", post.name, outcome.error().what()));
    }
    StepResult done{post.context.id,
                    post.name,
                    record.outcome,
                    record.conclusion,
                    std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started),
                    {}};
    in_.shared.tell([&](Observer& o) { o.step_finished(result_.key, done); });
    result_.steps.push_back(std::move(done));
  }
}

// An output that holds a secret would carry it into other jobs' logs unmasked: it is dropped, as GitHub does.
void JobRun::collect_outputs() {
  if (!definition_.outputs) return;
  StepContext nobody;
  nobody.frame = &root_;
  for (auto& [key, value] : definition_.outputs->entries) {
    auto text = value.evaluate_text(scope(root_, nullptr), root_.source);
    if (!text) {
      fail_job(text.error().what());
    } else if (in_.shared.redaction.hides(*text)) {
      say(nobody, fmt::format("##[warning]Skip output '{}' since it may contain secret.", key.text));
    } else if (!text->empty()) {
      result_.outputs[key.text] = *std::move(text);
    }
  }
}

// `environment: {url: ...}` may name what steps gave, so it is known at the end.
void JobRun::tell_environment_url() {
  const auto* url = definition_.environment ? definition_.environment->find("url") : nullptr;
  if (!url) return;
  if (auto text = url->evaluate_text(scope(root_, nullptr), root_.source))
    result_.environment_url = in_.shared.redaction.redact(*text);
  else
    fail_job(text.error().what());
}

void JobRun::finish(const Ctx&, std::chrono::steady_clock::time_point started) {
  if (sandbox_) sandbox_->end();
  stop_services();
  pass_.reset();
  leave_place();
  result_.conclusion = cancelled_ ? Conclusion::cancelled : failed_ ? Conclusion::failure : Conclusion::success;
  if (cancelled_ && result_.why.empty()) result_.why = timed_out_ ? "the job ran longer than its timeout" : "cancelled";
  if (timed_out_) result_.conclusion = Conclusion::failure, result_.timed_out = true;
  if (coverage_ && coverage_->found()) {
    result_.coverage = coverage_->found();
    result_.summary += fmt::format("Coverage: {:.2f} %\n", *result_.coverage);
  }
  result_.duration = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started);
}

Result<std::string> JobRun::relative_of(const std::string& path) const {
  if (!path.starts_with('/')) return (fs::path(folder_->workspace()) / path).lexically_normal().string();
  auto relative = fs::path(path).lexically_normal().lexically_relative(fs::path(inside("x")).parent_path());
  if (relative.empty() || *relative.begin() == "..")
    return fail(Kind::invalid, "{}: is outside of the job's folder", path);
  return relative.string();
}

}  // namespace slipway::ci
