// What a step says: lines for the log, workflow commands, and the files it writes.
#include "base/text.h"
#include "ci/detail/job_run.h"
#include "ci/gitlab/steps.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_line = 64 * 1024;
constexpr std::size_t max_file = 8 << 20;     // command files
constexpr std::size_t max_summary = 1 << 20;  // a step
constexpr std::size_t max_annotations = 10;   // a kind and step
constexpr std::size_t max_message = 4096;
constexpr std::size_t max_outputs = 1 << 20;  // a job
constexpr unsigned file_mode = 0666;          // whoever a step runs as
constexpr std::string_view file_folder = "work/_temp/_runner_file_commands";
constexpr std::pair<const char*, const char*> file_names[] = {{"GITHUB_ENV", "set_env"},
                                                              {"GITHUB_PATH", "add_path"},
                                                              {"GITHUB_OUTPUT", "set_output"},
                                                              {"GITHUB_STATE", "save_state"},
                                                              {"GITHUB_STEP_SUMMARY", "step_summary"}};

int number_of(const WorkflowCommand& c, const char* key) {
  auto found = c.properties.find(key);
  auto n = found == c.properties.end() ? std::nullopt : to_int(found->second);
  return n && *n >= 0 && *n < 1'000'000'000 ? static_cast<int>(*n) : 0;
}
std::string text_of(const WorkflowCommand& c, const char* key) {
  auto found = c.properties.find(key);
  return found == c.properties.end() ? std::string() : found->second;
}

}  // namespace

void JobRun::log(const StepContext& step, int stream, std::string_view text) {
  auto now = std::chrono::system_clock::now();
  auto masked = in_.shared.redaction.redact(text);
  auto limit = options().max_log_bytes;
  // Builders and the like report from threads of their own.
  auto before = logged_.fetch_add(masked.size() + 1);
  if (before > limit) return;
  bool over = before + masked.size() + 1 > limit;
  in_.shared.tell([&](Observer& o) {
    o.log({result_.key, step.report_id, now, stream, masked});
    if (over)
      o.log({result_.key, step.report_id, now, 0, "##[warning]The log of this job is too long; the rest is not kept."});
  });
}

void JobRun::annotate(const StepContext& step, Annotation annotation, std::string_view shown) {
  auto level = annotation.level;
  auto name = level == Annotation::Level::error ? "error" : level == Annotation::Level::warning ? "warning" : "notice";
  annotation.message = in_.shared.redaction.redact(annotation.message.substr(0, max_message));
  annotation.title = in_.shared.redaction.redact(annotation.title.substr(0, 255));
  log(step, 0, fmt::format("##[{}]{}", name, shown.empty() ? annotation.message : shown));
  auto same =
      std::count_if(result_.annotations.begin(), result_.annotations.end(), [&](auto& a) { return a.level == level; });
  if (static_cast<std::size_t>(same) >= max_annotations * std::max<std::size_t>(definition_.steps.size(), 1)) return;
  in_.shared.tell([&](Observer& o) { o.annotation(result_.key, annotation); });
  result_.annotations.push_back(std::move(annotation));
}

void JobRun::set_output(StepContext& step, const std::string& name, const std::string& value) {
  if (!step.record) return;
  std::size_t total = value.size();
  for (auto& [key, old] : step.record->outputs) total += key.size() + old.size();
  if (total > max_outputs) {
    say(step, fmt::format("##[warning]Output '{}' is dropped: a step's outputs may have 1 MiB in all", name));
    return;
  }
  step.record->outputs[name] = value;
}

void JobRun::set_env(StepContext& step, const std::string& name, const std::string& value) {
  if (step.effects)
    step.effects->env.emplace_back(name, value);
  else
    global_env_[name] = value;
}

// The entry added last comes first; adding one again moves it to the front.
void JobRun::add_path(StepContext& step, const std::string& folder) {
  if (step.effects) {
    step.effects->paths.push_back(folder);
    return;
  }
  std::erase(paths_, folder);
  paths_.insert(paths_.begin(), folder);
}

Environment JobRun::process_env(const StepContext& step) const {
  Environment env = base_env_;
  for (const Environment* level :
       {&job_env_, &global_env_, static_cast<const Environment*>(&step.frame->env), &step.env})
    for (auto& [key, value] : *level) env[key] = value;
  // The runner's own names cannot be taken over.
  auto github = github_of(*step.frame, &step);
  for (auto& [key, value] : github.if_object()->entries)
    if (value.is_primitive() && key != "token" && key != "event" && key != "action_status")
      env[variable_name("GITHUB_", key)] = value.text();
  for (auto& [key, value] : runner_.if_object()->entries)
    if (key != "debug") env[variable_name("RUNNER_", key)] = value.text();
  env["GITHUB_ACTIONS"] = "true";
  std::string path;
  for (auto& folder : paths_) path += folder + ":";
  env["PATH"] = path + env["PATH"];
  return env;
}

Result<> JobRun::open_files(StepContext&, Environment& env) {
  auto number = ++files_;
  for (auto& [variable, name] : file_names) {
    auto file = fmt::format("{}_{}", name, number);
    auto relative = fmt::format("{}/{}", file_folder, file);
    auto& idle = idle_files_[variable];
    bool renewed = !idle.empty() && folder_->renew(idle.back(), file, file_mode);
    if (!idle.empty()) idle.pop_back();
    if (!renewed) TRY_OK(folder_->write(relative, "", file_mode));
    env[variable] = inside(relative);
  }
  return {};
}

Result<> JobRun::apply_files(StepContext& step, const Environment& env) {
  auto content = [&](const char* variable) -> Result<std::string> {
    TRY(auto relative, relative_of(env.at(variable)));
    TRY(auto text, folder_->read(relative, max_file));
    if (step.tape && !text.empty()) step.tape->files[variable] = text;
    if (text.empty()) idle_files_[variable].push_back(relative);
    return text;
  };
  TRY(auto env_text, content("GITHUB_ENV"));
  TRY(auto variables, parse_env_file(env_text, "GITHUB_ENV"));
  for (auto& [name, value] : variables) {
    if (iequals(name, "NODE_OPTIONS"))
      say(step, "##[error]Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.");
    else
      set_env(step, name, value);
  }
  TRY(auto path_text, content("GITHUB_PATH"));
  for (auto line : lines(path_text))
    if (!trim(line).empty()) add_path(step, std::string(trim_end(line)));
  TRY(auto output_text, content("GITHUB_OUTPUT"));
  TRY(auto outputs, parse_env_file(output_text, "GITHUB_OUTPUT"));
  for (auto& [name, value] : outputs) set_output(step, name, value);
  TRY(auto state_text, content("GITHUB_STATE"));
  TRY(auto state, parse_env_file(state_text, "GITHUB_STATE"));
  for (auto& [name, value] : state) step.state[name] = value;
  TRY(auto summary, content("GITHUB_STEP_SUMMARY"));
  if (summary.size() > max_summary)
    say(step, "##[error]$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k");
  else if (!summary.empty())
    result_.summary += in_.shared.redaction.redact(summary) + (summary.ends_with('\n') ? "" : "\n");
  return {};
}

Result<int> JobRun::process(const Ctx& ctx, StepContext& step, std::vector<std::string> argv, const std::string& cwd,
                            const Environment& extra) {
  auto env = process_env(step);
  for (auto& [key, value] : extra) env[key] = value;
  TRY_OK(open_files(step, env));
  step.stop_token.clear();
  Process process;
  process.argv = std::move(argv);
  process.env = env;
  process.cwd = cwd;
  process.recorder = step.recorder ? step.recorder : recorder_.get();
  TRY(auto* place, sandbox(ctx));
  if (process.recorder && !place->watches())
    process.recorder->open_end(fmt::format("steps that run {} are not watched", place->describe()));
  auto began = ctx.clock->wall();
  auto code = [&] {
    if (step.effects) {
      step.effects->waits = true;
      turned_.notify_all();
    }
    Unlocked others(turn_);
    return place->run(ctx, process, [&](int stream, std::string_view piece) {
      std::lock_guard lock(turn_);
      if (step.tape) step.tape->add(piece);
      take(step, stream, piece);
    });
  }();
  step.commands.push_back({began, ctx.clock->wall()});
  for (int stream : {1, 2})
    if (auto& rest = step.partial[stream - 1]; !rest.empty()) take_line(step, stream, std::exchange(rest, {}));
  auto applied = apply_files(step, env);
  if (!code) return code;
  if (!applied) return Fail(std::move(applied).error());
  return code;
}

void JobRun::take(StepContext& step, int stream, std::string_view piece) {
  auto& rest = step.partial[stream - 1];
  for (auto end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    rest += piece.substr(0, end);
    piece.remove_prefix(end + 1);
    if (rest.ends_with('\r')) rest.pop_back();
    take_line(step, stream, rest);
    rest.clear();
  }
  rest += piece;
  while (rest.size() > max_line) {  // never hold more than a line's worth
    take_line(step, stream, std::string_view(rest).substr(0, max_line));
    rest.erase(0, max_line);
  }
}

void JobRun::take_line(StepContext& step, int stream, std::string_view line) {
  auto parsed = parse_command(line);
  if (parsed && command(step, *parsed, line)) return;
  if (coverage_) coverage_->line(line);
  if (!matchers_.empty())
    if (auto plain = strip_colours(line); auto issue = matchers_.match(plain)) return report(step, *issue, plain);
  log(step, stream, line);
}

void JobRun::add_matcher(StepContext& step, const std::string& file) {
  auto added = [&]() -> Result<> {
    TRY(auto relative, relative_of(file));
    if (!folder_->has_file(relative)) return fail(Kind::not_found, "{}: no such file", file);
    TRY(auto text, folder_->read(relative, max_file));
    TRY(auto owners, matchers_.add(text, file));
    for (auto& owner : owners) say(step, fmt::format("##[debug]Added matchers: '{}'", owner));
    return {};
  }();
  if (!added) say(step, fmt::format("##[warning]{}", added.error().print()));
}

// Rule: a file counts when it is there, below the workspace; its name is then relative to it.
void JobRun::report(const StepContext& step, const MatchedIssue& issue, std::string_view line) {
  Annotation a;
  if (issue.severity.empty() || issue.severity == "error")
    a.level = Annotation::Level::error;
  else if (issue.severity == "warning")
    a.level = Annotation::Level::warning;
  else if (issue.severity == "notice")
    a.level = Annotation::Level::notice;
  else
    return log(step, 1, line);
  a.message = issue.message;
  if (!issue.file.empty()) {
    auto base = fs::path(issue.from_path).parent_path();
    auto place = relative_of((fs::path(issue.file).is_absolute() ? fs::path(issue.file) : base / issue.file).string());
    if (place && is_below(*place, folder_->workspace()) && folder_->has_file(*place))
      a.place = {fs::path(*place).lexically_relative(folder_->workspace()).string(), issue.line, issue.column};
  }
  annotate(step, std::move(a), in_.shared.redaction.redact(line));
}

bool JobRun::command(StepContext& step, const WorkflowCommand& c, std::string_view line) {
  if (!step.stop_token.empty()) {
    if (c.name != lower(step.stop_token)) return false;
    step.stop_token.clear();
    return true;
  }
  if (c.name == "error" || c.name == "warning" || c.name == "notice") {
    Annotation a;
    a.level = c.name == "error"     ? Annotation::Level::error
              : c.name == "warning" ? Annotation::Level::warning
                                    : Annotation::Level::notice;
    a.place = {text_of(c, "file"), number_of(c, "line"), number_of(c, "col")};
    a.end_line = number_of(c, "endline"), a.end_column = number_of(c, "endcolumn");
    a.title = text_of(c, "title"), a.message = c.data;
    annotate(step, std::move(a));
  } else if (c.name == "add-mask") {
    add_mask(c.data);
  } else if (c.name == "group") {
    say(step, "##[group]" + c.data);
  } else if (c.name == "endgroup") {
    say(step, "##[endgroup]");
  } else if (c.name == "debug") {
    if (auto found = in_.secrets.find("ACTIONS_STEP_DEBUG"); found != in_.secrets.end() && found->second == "true")
      say(step, "##[debug]" + c.data);
  } else if (c.name == "set-output") {
    set_output(step, text_of(c, "name"), c.data);
  } else if (c.name == "save-state") {
    step.state[text_of(c, "name")] = c.data;
  } else if (c.name == "stop-commands") {
    // A token that is a command itself, or none, would make the pause invisible.
    static const std::set<std::string_view> reserved = {
        "",           "error",      "warning",       "notice",  "group",    "endgroup", "debug",        "add-mask",
        "set-output", "save-state", "stop-commands", "set-env", "add-path", "echo",     "pause-logging"};
    if (reserved.contains(lower(c.data)))
      say(step, fmt::format("##[error]Invalid stop-commands token '{}'", c.data));
    else
      step.stop_token = c.data;
  } else if (c.name == "set-env" || c.name == "add-path") {
    auto allowed = process_env(step);
    if (allowed["ACTIONS_ALLOW_UNSECURE_COMMANDS"] != "true") {
      say(step, fmt::format("##[error]The `{}` command is disabled: write to ${} instead", c.name,
                            c.name == "set-env" ? "GITHUB_ENV" : "GITHUB_PATH"));
    } else if (c.name == "set-env") {
      set_env(step, text_of(c, "name"), c.data);
    } else {
      add_path(step, c.data);
    }
  } else if (c.name == "add-matcher") {
    add_matcher(step, c.data);
  } else if (c.name == "remove-matcher") {
    matchers_.remove(text_of(c, "owner"));
  } else if (c.name == "echo") {
    // Commands are never echoed here: there is nothing to switch.
  } else {
    (void)line;
    return false;
  }
  return true;
}

}  // namespace slipway::ci
