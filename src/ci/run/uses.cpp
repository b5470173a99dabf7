// `uses:` steps: composite, JavaScript and natively known actions.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/catalog.h"
#include "ci/detail/job_run.h"
#include "ci/gitlab/steps.h"
#include "ci/pod/in_pod.h"

namespace slipway::ci {
namespace {

constexpr int max_depth = 9;  // composite actions within composite actions
constexpr std::size_t max_action_file = 1 << 20;

struct Reference {
  std::string repository, path, ref;  // owner/name, folder within it, what stands after @
};

std::optional<Reference> parse_reference(std::string_view uses) {
  auto at = cut(uses, "@");
  if (!at) return {};
  auto parts = split(at->first, '/');
  if (parts.size() < 2) return {};
  Reference out;
  out.repository = fmt::format("{}/{}", parts[0], parts[1]);
  out.path = join(std::span<const std::string_view>(parts).subspan(2), "/");
  out.ref = std::string(at->second);
  return out;
}

std::string input_variable(std::string_view name) {
  std::string out = "INPUT_";
  for (char c : name) out += c == ' ' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// Words as a shell splits them, quotes respected.
std::vector<std::string> shell_words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  char quote = 0;
  bool any = false;
  for (char c : text) {
    if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? 0 : c, any = true;
    } else if (quote == 0 && (c == ' ' || c == '\n' || c == '\t')) {
      if (!word.empty() || any) out.push_back(std::exchange(word, {}));
      any = false;
    } else {
      word += c;
    }
  }
  if (!word.empty() || any) out.push_back(word);
  return out;
}

}  // namespace

std::string ActionUse::input(std::string_view name, std::string_view fallback) const {
  auto found = inputs.find(name);
  return std::string(found == inputs.end() || found->second.empty() ? fallback : trim(found->second));
}
bool ActionUse::flag(std::string_view name, bool fallback) const {
  auto text = lower(input(name));
  return text.empty() ? fallback : text == "true" || text == "1" || text == "yes";
}
std::vector<std::string> ActionUse::list(std::string_view name) const {
  std::vector<std::string> out;
  auto found = inputs.find(name);
  if (found == inputs.end()) return out;
  for (auto line : lines(found->second))
    if (!trim(line).empty()) out.emplace_back(trim(line));
  return out;
}

namespace {

// The folder of a local action relative to home, and its action.yml.
struct Found {
  std::string folder, file, text;
};

constexpr std::string_view bare_dockerfile = "name: Dockerfile\nruns: {using: docker, image: Dockerfile}\n";

Result<Found> find_action(JobRun& job, const std::string& folder, const std::string& uses) {
  for (auto name : {"action.yml", "action.yaml"}) {
    auto file = folder + "/" + name;
    if (!job.folder().has_file(file)) continue;
    TRY(auto text, job.folder().read(file, max_action_file));
    return Found{folder, file, std::move(text)};
  }
  if (job.folder().has_file(folder + "/Dockerfile"))
    return Found{folder, folder + "/Dockerfile", std::string(bare_dockerfile)};
  return Fail(Error(Kind::not_found, fmt::format("Can't find 'action.yml' or 'action.yaml' under '{}'", uses))
                  .with_hint("did you forget to run actions/checkout before running your local action?"));
}

}  // namespace

Result<> JobRun::use(const Ctx& ctx, Frame& frame, const Step& step, StepContext& context) {
  TRY(auto uses, step.uses->evaluate_text(scope(frame, &context), frame.source));
  Object inputs;
  if (step.with) {
    TRY(auto given, step.with->evaluate(scope(frame, &context), frame.source));
    if (auto* object = given.if_object()) inputs = *object;
  }
  say(context, "##[command]uses: " + uses);
  if (uses.starts_with("./") || uses.starts_with("$/") || uses == ".") {
    // Looked for when the step starts: earlier steps may have written it.
    auto base = uses.starts_with("$/") && frame.composite ? fs::path(frame.action_path)
                                                          : fs::path(inside(folder_->workspace()));
    auto path = (base / uses.substr(std::min<std::size_t>(uses.size(), 2))).lexically_normal().string();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    TRY(auto relative, relative_of(path));
    TRY(auto found, find_action(*this, relative, uses));
    TRY(auto action, parse_action(found.text, uses + "/" + fs::path(found.file).filename().string()));
    return run_action(ctx, frame, context, {relative, frame.action_repository, frame.action_ref}, action, inputs);
  }
  if (uses.starts_with("docker://")) {
    ContainerStep call;
    call.image = uses.substr(9);
    auto* entrypoint = inputs.find("entrypoint");
    auto* args = inputs.find("args");
    if (entrypoint) call.entrypoint = entrypoint->text();
    if (args) call.args = shell_words(args->text());
    for (auto& [key, value] : inputs.entries) call.env[input_variable(key)] = value.text();
    for (auto& [key, value] : action_env(false)) call.env[key] = value;
    TRY(auto code, container(ctx, context, call));
    return code == 0 ? Result<>{} : fail(Kind::invalid, "Process completed with exit code {}.", code);
  }
  auto reference = parse_reference(uses);
  if (!reference) return fail(Kind::invalid, "{}: want ./folder or owner/name[/path]@ref", uses);
  auto name = reference->path.empty() ? reference->repository : reference->repository + "/" + reference->path;
  auto own = gitlab::find_step(name);
  if (auto native = own ? own : find_native_action(name)) {
    ActionUse use{*this, context, name, reference->ref, {}};
    for (auto& [key, value] : inputs.entries) use.inputs[key] = value.text();
    if (auto* pod = options().in_pod)
      TRY_OK(pod->need_source(ctx, name, [&](std::string_view input) { return use.input(input); }));
    if (!own && find_entry(name)->nature != Nature::tells) reads_unseen(fmt::format("{} reads files by itself", name));
    return native(ctx, use);
  }
  TRY(auto found, fetch_action(ctx, uses));
  if (found) return run_action(ctx, frame, context, found->place, found->action, inputs);
  auto near = nearest(name, native_action_names());
  return Fail(
      Error(Kind::not_found,
            fmt::format("action {} is neither built in nor mirrored here; nothing is fetched from other hosts", uses))
          .with_hint(near ? fmt::format("did you mean {}?", *near)
                          : fmt::format("push {} to this host, give --actions a folder of mirrors or "
                                        "https://HOST/{{owner}}/{{name}}.git, or copy it to .github/actions/{} and use "
                                        "it as ./.github/actions/{}",
                                        reference->repository, fs::path(name).filename().string(),
                                        fs::path(name).filename().string())));
}

Result<std::optional<JobRun::Fetched>> JobRun::fetch_action(const Ctx& ctx, const std::string& uses) {
  auto reference = parse_reference(uses);
  if (!reference || !options().actions) return std::optional<Fetched>();
  TRY_IN(auto tree, uses, options().actions(ctx, reference->repository, reference->ref));
  if (!tree) return std::optional<Fetched>();
  Fetched out;
  out.place = {fmt::format("work/_actions/{}/{}", reference->repository, reference->ref), reference->repository,
               reference->ref};
  if (!folder_->has_folder(out.place.folder)) {
    auto staged = folder_->base() / fmt::format("action{}", ++files_);
    TRY_OK(copy_tree(*tree, staged));
    TRY_OK(folder_->move_in(staged, out.place.folder));
  }
  if (!reference->path.empty()) out.place.folder += "/" + reference->path;
  TRY(auto found, find_action(*this, out.place.folder, uses));
  TRY(out.action, parse_action(found.text, uses));
  return out;
}

Result<Object> JobRun::inputs_of(const Frame& frame, const StepContext& context, const Action& action,
                                 const Object& given) {
  Object inputs;
  for (auto& declared : action.inputs) {
    auto* value = given.find(declared.name);
    if (value) {
      inputs.set(declared.name, value->text());
      continue;
    }
    TRY(auto fallback, declared.fallback.evaluate_text(scope(frame, &context), action.source));
    inputs.set(declared.name, fallback);
  }
  for (auto& [key, value] : given.entries)
    if (!inputs.find(key)) {
      say(context, fmt::format("##[warning]Unexpected input '{}' of {}", key, action.source));
      inputs.set(key, value.text());
    }
  return inputs;
}

Frame JobRun::inner_frame(const Frame& frame, const StepContext& context, const ActionPlace& place,
                          const Action& action) {
  Frame inner;
  inner.source = action.source;
  inner.composite = true;
  inner.depth = frame.depth + 1;
  inner.effects = context.effects;
  inner.outer_step = context.report_id;
  inner.action_path = inside(place.folder);
  inner.action_repository = place.repository;
  inner.action_ref = place.ref;
  inner.path = frame.path + "/" + context.id;
  inner.env = frame.env;
  for (auto& [key, value] : context.env) inner.env[key] = value;
  return inner;
}

namespace {

Environment input_env(const Object& inputs, const std::string& folder, const std::string& repository,
                      const std::string& ref) {
  Environment env;
  for (auto& [key, value] : inputs.entries) env[input_variable(key)] = value.text();
  env["GITHUB_ACTION_PATH"] = folder;
  env["GITHUB_ACTION_REPOSITORY"] = repository;
  env["GITHUB_ACTION_REF"] = ref;
  return env;
}

Result<> ended_well(int code) {
  return code == 0 ? Result<>{} : fail(Kind::invalid, "Process completed with exit code {}.", code);
}

}  // namespace

Result<> JobRun::run_action(const Ctx& ctx, Frame& frame, StepContext& context, const ActionPlace& place,
                            const Action& action, const Object& given) {
  if (frame.depth >= max_depth)
    return fail(Kind::invalid, "{}: actions use each other deeper than {}", action.source, max_depth);
  TRY(auto inputs, inputs_of(frame, context, action, given));
  auto inner = inner_frame(frame, context, place, action);
  if (action.using_ == "composite") {
    inner.inputs = inputs;
    steps(ctx, inner, action.steps);
    for (auto& [name, value] : action.outputs) {
      TRY(auto text, value.evaluate_text(scope(inner, nullptr), action.source));
      set_output(context, name, text);
    }
    if (inner.failed) return fail(Kind::invalid, "a step of {} failed", action.source);
    return cancelled_ ? fail(Kind::cancelled, "cancelled") : Result<>{};
  }
  auto env = input_env(inputs, inner.action_path, place.repository, place.ref);
  if (action.using_ == "docker") {
    inner.inputs = inputs;
    return docker_action(ctx, context, inner, place.folder, action, std::move(env));
  }
  if (!action.using_.starts_with("node"))
    return fail(Kind::invalid, "{}: runs.using '{}': want composite, docker or node", action.source, action.using_);
  auto known = states_.find(inner.path);
  auto state = known == states_.end() ? std::make_shared<ActionState>() : known->second;
  if (known == states_.end()) defer_post(context, env, action, state);
  return node(ctx, context, env, *state, action.main);
}

Result<> JobRun::node(const Ctx& ctx, StepContext& context, const Environment& env, ActionState& state,
                      const std::string& program) {
  auto full = env;
  for (auto& [key, value] : action_env(pod_ != "")) full[key] = value;
  for (auto& [key, value] : state) full["STATE_" + key] = value;
  std::vector<std::string> argv = {"node", env.at("GITHUB_ACTION_PATH") + "/" + program};
  auto code = process(ctx, context, std::move(argv), inside(folder_->workspace()), full);
  for (auto& [key, value] : context.state) state[key] = value;
  take_artifacts();
  if (!code) return Fail(std::move(code).error());
  return ended_well(*code);
}

void JobRun::defer_post(const StepContext& context, const Environment& env, const Action& action,
                        const std::shared_ptr<ActionState>& state) {
  if (action.post.empty()) return;
  defer("Post " + context.id,
        [this, env, own = context.env, state, program = action.post, condition = action.post_if](
            const Ctx& later, StepContext& post) -> Result<> {
          post.env = own;
          if (condition.expression) {
            TRY(auto wanted, condition.expression->evaluate(scope(root_, &post)));
            if (!wanted.truthy()) return {};
          }
          return node(later, post, env, *state, program);
        });
}

void JobRun::run_pres(const Ctx& ctx, Frame& frame, const std::vector<Step>& list) {
  if (!options().actions || frame.depth >= max_depth) return;
  for (auto& step : list) {
    run_pres(ctx, frame, step.parallel);
    if (!step.uses || step.uses->is_expression()) continue;
    auto uses = step.uses->literal_text();
    auto name = uses.substr(0, uses.find('@'));
    if (!uses.contains('@') || uses.starts_with('.') || uses.starts_with("$/") || uses.starts_with("docker://") ||
        find_native_action(name))
      continue;
    // What is wrong with an action is said by the step that uses it.
    auto found = fetch_action(ctx, uses);
    if (!found || !*found) continue;
    auto& action = (*found)->action;
    if (action.using_ != "composite" && (!action.using_.starts_with("node") || action.pre.empty())) continue;
    if (auto ran = run_pre(ctx, frame, step, **found); !ran) fail_job(ran.error().print());
  }
}

Result<> JobRun::run_pre(const Ctx& ctx, Frame& frame, const Step& step, const Fetched& found) {
  auto& [place, action] = found;
  StepContext context;
  StepRecord record;
  context.frame = &frame;
  context.id = step.id;
  context.report_id = frame.composite ? frame.outer_step : step.id;
  context.record = &record;
  if (step.env) {
    TRY(context.env, evaluate_env(*step.env, frame, nullptr));
  }
  Object given;
  if (step.with) {
    TRY(auto with, step.with->evaluate(scope(frame, &context), frame.source));
    if (auto* object = with.if_object()) given = *object;
  }
  TRY(auto inputs, inputs_of(frame, context, action, given));
  auto inner = inner_frame(frame, context, place, action);
  if (action.using_ == "composite") {
    inner.inputs = inputs;
    run_pres(ctx, inner, action.steps);
    return {};
  }
  if (action.pre_if.expression) {
    TRY(auto wanted, action.pre_if.expression->evaluate(scope(root_, &context)));
    if (!wanted.truthy()) return {};
  }
  auto env = input_env(inputs, inner.action_path, place.repository, place.ref);
  auto state = std::make_shared<ActionState>();
  states_[inner.path] = state;
  defer_post(context, env, action, state);
  auto started = std::chrono::steady_clock::now();
  context.id = "Pre " + step.id;
  auto name = "Pre Run " + action.source;
  in_.shared.tell([&](Observer& o) { o.step_started(result_.key, context.id, name); });
  auto ran = node(ctx, context, env, *state, action.pre);
  StepResult done{context.id, name};
  done.outcome = done.conclusion = ran ? Conclusion::success : Conclusion::failure;
  done.duration = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started);
  in_.shared.tell([&](Observer& o) { o.step_finished(result_.key, done); });
  result_.steps.push_back(std::move(done));
  return ran;
}

// An image or a Dockerfile of the action's own; the arguments may name its inputs.
Result<> JobRun::docker_action(const Ctx& ctx, StepContext& context, Frame& inner, const std::string& folder,
                               const Action& action, Environment env) {
  ContainerStep call;
  if (action.image.starts_with("docker://")) {
    call.image = action.image.substr(9);
  } else {
    if (!options().builder)
      return fail(Kind::unavailable, "{}: is built from a {}, and no image builder is connected to this runner",
                  action.source, action.image);
    path::BuildRequest request;
    request.context = folder_->home() / folder;
    request.dockerfile = action.image;
    request.image = "slipway-actions/" + sha256_hex(action.source + folder).substr(0, 16);
    request.tags = {"latest"};
    TRY_IN(auto built, action.source, options().builder->build(ctx, request, [&](int stream, std::string_view piece) {
      for (auto line : lines(piece)) log(context, stream, line);
    }));
    call.image = fmt::format("{}@{}", request.image, built.digest.str());
  }
  auto names = scope(inner, &context);
  for (auto& argument : action.args) {
    TRY(auto text, argument.evaluate_text(names, action.source));
    call.args.push_back(std::move(text));
  }
  TRY(auto own, evaluate_env(action.env, inner, &context));
  call.entrypoint = action.entrypoint;
  call.env = std::move(env);
  for (auto& [key, value] : action_env(false)) call.env[key] = value;
  for (auto& [key, value] : own) call.env[key] = value;
  auto run = [this, call](const Ctx& c, StepContext& step, const std::string& entrypoint) -> Result<> {
    auto one = call;
    one.entrypoint = entrypoint;
    TRY(auto code, container(c, step, one));
    take_artifacts();
    return code == 0 ? Result<>{} : fail(Kind::invalid, "Process completed with exit code {}.", code);
  };
  if (!action.pre_entrypoint.empty()) TRY_OK(run(ctx, context, action.pre_entrypoint));
  if (!action.post_entrypoint.empty())
    defer("Post " + context.id, [run, entry = action.post_entrypoint](const Ctx& later, StepContext& step) {
      return run(later, step, entry);
    });
  return run(ctx, context, action.entrypoint);
}

}  // namespace slipway::ci
