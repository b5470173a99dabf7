// The steps of a job or a composite action, one after the other.
#include "base/text.h"
#include "ci/detail/job_run.h"

namespace slipway::ci {
namespace {

Error at(const Frame& frame, doc::Mark mark, Error error) {
  if (error.what().starts_with(frame.source + ":")) return error;
  return std::move(error).in(fmt::format("{}:{}:{}", frame.source, mark.line, mark.column));
}

// The words of a shell template, quotes respected.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  char quote = 0;
  bool any = false;
  for (char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c, any = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (!word.empty() || any) out.push_back(std::exchange(word, {}));
      any = false;
    } else {
      word += c;
    }
  }
  if (!word.empty() || any) out.push_back(word);
  return out;
}

struct Shell {
  std::string_view name, command, extension;
};
constexpr Shell shells[] = {{"bash", "bash --noprofile --norc -e -o pipefail {0}", ".sh"},
                            {"sh", "sh -e {0}", ".sh"},
                            {"python", "python {0}", ".py"},
                            {"pwsh", "pwsh -command \". '{0}'\"", ".ps1"},
                            {"powershell", "pwsh -command \". '{0}'\"", ".ps1"}};

// Stops some time after another token has: for what may finish its work when a job is cancelled.
class LateStop {
 public:
  LateStop(std::stop_token first, Millis grace)
      : waiting_([this, first = std::move(first), grace](const std::stop_token& over) {
          std::mutex mutex;
          std::condition_variable_any wake;
          std::stop_callback poke(first, [&] {
            std::lock_guard lock(mutex);
            wake.notify_all();
          });
          std::unique_lock lock(mutex);
          wake.wait(lock, over, [&] { return first.stop_requested(); });
          if (over.stop_requested()) return;
          wake.wait_for(lock, over, grace, [] { return false; });
          if (!over.stop_requested()) source_.request_stop();
        }) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiting_;  // last: ends before the source goes
};

std::string display_name(const Step& step, const std::string& name) {
  if (!name.empty()) return name;
  if (step.uses) return "Run " + step.uses->text;
  if (!step.run) return step.id;
  auto text = step.run->as_written();
  for (auto line : lines(text))
    if (!trim(line).empty()) return "Run " + std::string(trim(line).substr(0, 120));
  return "Run";
}

}  // namespace

void JobRun::steps(const Ctx& ctx, Frame& frame, const std::vector<Step>& list) {
  for (auto& one : list) {
    auto number = static_cast<std::size_t>(&one - list.data());
    if (&frame == &root_ && number < resume_at_) continue;
    if (!cancelled_ && !ctx.alive()) {
      cancelled_ = true;
      timed_out_ = ctx.alive().error().is(Kind::timeout);
    }
    if (one.background.value_or(false))
      start_background(ctx, frame, one);
    else
      step(ctx, frame, one);
    if (&frame == &root_ && failed_ && first_failed_ < 0) first_failed_ = static_cast<int>(number);
  }
}

void JobRun::skip(Frame& frame, const Step& step, const std::string& name, StepRecord& record) {
  record.outcome = record.conclusion = Conclusion::skipped;
  if (frame.composite) return;
  StepResult skipped{step.id, name, Conclusion::skipped, Conclusion::skipped, Millis(0), {}};
  in_.shared.tell([&](Observer& o) { o.step_finished(result_.key, skipped); });
  result_.steps.push_back(std::move(skipped));
}

void JobRun::step(const Ctx& ctx, Frame& frame, const Step& step, Effects* effects, const Ctx* background) {
  auto started = std::chrono::steady_clock::now();
  StepContext context;
  context.frame = &frame;
  context.id = step.id;
  context.report_id = frame.composite ? frame.outer_step : step.id;
  context.effects = effects ? effects : frame.effects;
  StepRecord own_record;
  auto& record = effects ? effects->record : own_record;
  context.record = &record;
  // After a cancellation what still runs has a time of its own.
  Ctx own = background ? *background : ctx;
  if (cancelled_) own = Ctx{.clock = ctx.clock}.within(options().cancel_grace);
  std::optional<LateStop> late;
  if (!cancelled_ && survives_cancel(frame, step, context)) {
    late.emplace(ctx.stop, options().cancel_grace);
    own = ctx.with_stop(late->token());
  }

  auto env = step.env ? evaluate_env(*step.env, frame, nullptr) : Result<Environment>(Environment{});
  if (env) context.env = std::move(*env);
  std::string name;
  if (step.name)
    name = step.name->evaluate_text(scope(frame, &context), frame.source).value_or(step.name->literal_text());
  name = in_.shared.redaction.redact(display_name(step, name));
  context.name = name;

  auto want = wanted(frame, step, context);
  Result<> outcome;
  if (!env)
    outcome = Fail(env.error());
  else if (!want)
    outcome = Fail(want.error());
  if (outcome && !*want) {
    skip(frame, step, name, record);
    if (!effects) frame.records[step.id] = record;
    return;
  }
  if (!frame.composite) in_.shared.tell([&](Observer& o) { o.step_started(result_.key, step.id, name); });
  if (outcome) outcome = execute(own, frame, step, context);
  conclude(ctx, frame, step, context, outcome);
  if (!effects) frame.records[step.id] = record;
  if (frame.composite) return;
  StepResult done{step.id,
                  name,
                  record.outcome,
                  record.conclusion,
                  std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started),
                  record.outputs,
                  step.run.has_value(),
                  step.run ? context.commands : path::Spans(),
                  context.from_cache};
  in_.shared.tell([&](Observer& o) { o.step_finished(result_.key, done); });
  result_.steps.push_back(std::move(done));
}

// Rule: on cancel the condition of the running step is evaluated again; when it still holds, the step goes on.
bool JobRun::survives_cancel(const Frame& frame, const Step& step, const StepContext& context) {
  static constexpr std::string_view surviving[] = {"always", "cancelled"};
  if (!step.condition.expression || !step.condition.expression->calls(surviving)) return false;
  cancelled_ = true;
  auto still = wanted(frame, step, context);
  cancelled_ = false;
  return still && *still;
}

Result<bool> JobRun::wanted(const Frame& frame, const Step& step, const StepContext& context) const {
  if (!step.condition.expression) return true;
  auto value = step.condition.expression->evaluate(scope(frame, &context));
  if (!value) return Fail(at(frame, step.condition.mark, std::move(value).error()).in("if"));
  return value->truthy();
}

Result<> JobRun::execute(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context) {
  Ctx own = ctx;
  if (step.timeout_minutes) {
    TRY(auto minutes, step.timeout_minutes->evaluate(scope(frame, &context), frame.source));
    if (minutes.number() > 0)
      own = ctx.within(Millis(static_cast<std::int64_t>(std::min(minutes.number(), 1e6) * 60'000)));
  }
  Result<> result = step.run    ? script(own, frame, step, context)
                    : step.uses ? use(own, frame, step, context)
                                : control(own, frame, step);
  if (!result && result.error().is(Kind::timeout) && ctx.alive())
    return fail(Kind::timeout, "The step has timed out after {} minutes.",
                step.timeout_minutes->evaluate_text(scope(frame, &context), frame.source).value_or(""));
  return result;
}

Result<> JobRun::script(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context) {
  auto names = scope(frame, &context);
  TRY(auto text, step.run->evaluate_text(names, frame.source));
  std::string shell = frame.composite ? std::string() : default_shell_;
  if (step.shell) {
    TRY(shell, step.shell->evaluate_text(names, frame.source));
  }
  std::string folder = frame.composite ? std::string() : default_folder_;
  if (step.working_directory) {
    TRY(folder, step.working_directory->evaluate_text(names, frame.source));
  }
  auto workspace = inside(folder_->workspace());
  auto cwd = folder.empty()            ? workspace
             : folder.starts_with('/') ? folder
                                       : (fs::path(workspace) / folder).lexically_normal().string();

  std::string command = shell, extension;
  // Rule: bash where there is one. A view of this host has it; a Pod's image is asked.
  bool bash = !has_image_ && (!options().in_pod || find_program("bash"));
  if (shell.empty()) command = bash ? "bash -e {0}" : "sh -e {0}", extension = ".sh";
  for (auto& known : shells)
    if (shell == known.name) command = known.command, extension = known.extension;
  if (shell == "python" && !has_image_ && !find_program("python")) command = "python3 {0}";
  if (!command.contains("{0}"))
    return Fail(
        at(frame, step.shell ? step.shell->mark : step.mark,
           Error(Kind::invalid,
                 fmt::format("Invalid shell option '{}'. Shell must be a valid built-in (bash, sh, python, pwsh) or a "
                             "format string containing '{{0}}'",
                             shell))));
  if (extension == ".ps1")
    text = "$ErrorActionPreference = 'stop'\n" + text +
           "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }";
  auto relative = fmt::format("{}/script_{}{}", folder_->temp(), files_ + 1, extension);
  TRY_OK(folder_->write(relative, text + "\n", 0755));
  std::vector<std::string> argv;
  for (auto& word : words_of(command)) argv.push_back(replace_all(word, "{0}", inside(relative)));
  for (auto line : lines(text)) say(context, "##[command]" + std::string(line));
  ScriptCall call{text, command, std::move(argv), cwd};
  auto code = keeps_steps(context) ? kept_script(ctx, context, call) : process(ctx, context, call.argv, cwd);
  if (!code) return Fail(std::move(code).error());
  context.exit_code = *code;
  if (*code != 0) return fail(Kind::invalid, "Process completed with exit code {}.", *code);
  return {};
}

void JobRun::conclude(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context, const Result<>& outcome) {
  auto& record = *context.record;
  if (outcome) {
    record.outcome = record.conclusion = Conclusion::success;
    return;
  }
  auto& error = outcome.error();
  bool stopped = !cancelled_ && !ctx.alive();
  if (!stopped && context.effects && error.is(Kind::cancelled)) {  // by a later `cancel:` step
    record.outcome = record.conclusion = Conclusion::cancelled;
    return;
  }
  record.outcome = record.conclusion = stopped ? Conclusion::cancelled : Conclusion::failure;
  if (stopped) {
    cancelled_ = true;
    timed_out_ = ctx.alive().error().is(Kind::timeout);
    say(context, timed_out_ ? "##[error]The job has exceeded its maximum execution time."
                            : "##[error]The operation was canceled.");
    return;
  }
  if (!error.what().empty()) {
    Annotation a;
    a.level = Annotation::Level::error;
    a.message = error.what();
    annotate(context, std::move(a));
    if (!error.hint().empty()) say(context, "hint: " + error.hint());
  }
  bool goes_on = false;
  if (step.continue_on_error) {
    auto value = step.continue_on_error->evaluate(scope(frame, &context), frame.source);
    goes_on = value && value->truthy();
  }
  if (goes_on) {
    record.conclusion = Conclusion::success;
    return;
  }
  if (context.effects && !frame.composite) {
    context.effects->failed = true;
    context.effects->why = fmt::format("step '{}': {}", step.id, in_.shared.redaction.redact(error.what()));
    return;
  }
  frame.failed = true;
  if (!frame.composite) {
    failed_ = true;
    if (result_.exit_code == 0) result_.exit_code = context.exit_code;
    // An id of our own says nothing to people.
    auto& called = step.id.starts_with("__") ? context.name : step.id;
    if (result_.why.empty())
      result_.why = fmt::format("step '{}': {}", called, in_.shared.redaction.redact(error.what()));
  }
}

}  // namespace slipway::ci
