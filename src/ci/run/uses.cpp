// `uses:` steps: composite, JavaScript and natively known actions.
#include "base/hash.h"
#include "base/text.h"
#include "ci/detail/job_run.h"

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
    return run_action(ctx, frame, context, relative, action, std::move(inputs));
  }
  if (uses.starts_with("docker://")) {
    ContainerStep call;
    call.image = uses.substr(9);
    auto* entrypoint = inputs.find("entrypoint");
    auto* args = inputs.find("args");
    if (entrypoint) call.entrypoint = entrypoint->text();
    if (args) call.args = shell_words(args->text());
    for (auto& [key, value] : inputs.entries) call.env[input_variable(key)] = value.text();
    TRY(auto code, container(ctx, context, call));
    return code == 0 ? Result<>{} : fail(Kind::invalid, "Process completed with exit code {}.", code);
  }
  auto reference = parse_reference(uses);
  if (!reference) return fail(Kind::invalid, "{}: want ./folder or owner/name[/path]@ref", uses);
  auto name = reference->path.empty() ? reference->repository : reference->repository + "/" + reference->path;
  if (auto native = find_native_action(name)) {
    ActionUse use{*this, context, name, reference->ref, {}};
    for (auto& [key, value] : inputs.entries) use.inputs[key] = value.text();
    return native(ctx, use);
  }
  auto folder = options().actions ? options().actions(ctx, reference->repository, reference->ref)
                                  : Result<std::optional<fs::path>>(std::nullopt);
  if (!folder) return Fail(std::move(folder).error().in(uses));
  if (!*folder) {
    auto near = nearest(name, native_action_names());
    return Fail(
        Error(Kind::not_found,
              fmt::format("action {} is neither built in nor mirrored here; nothing is fetched from other hosts", uses))
            .with_hint(near ? fmt::format("did you mean {}?", *near)
                            : fmt::format("copy it to .github/actions/{} and use it as ./.github/actions/{}",
                                          fs::path(name).filename().string(), fs::path(name).filename().string())));
  }
  auto relative = fmt::format("work/_actions/{}/{}", reference->repository, reference->ref);
  if (!folder_->has_folder(relative)) {
    auto staged = folder_->base() / fmt::format("action{}", ++files_);
    TRY_OK(copy_tree(**folder, staged));
    TRY_OK(folder_->move_in(staged, relative));
  }
  if (!reference->path.empty()) relative += "/" + reference->path;
  TRY(auto found, find_action(*this, relative, uses));
  TRY(auto action, parse_action(found.text, uses));
  return run_action(ctx, frame, context, relative, action, std::move(inputs));
}

Result<> JobRun::run_action(const Ctx& ctx, Frame& frame, StepContext& context, const std::string& folder,
                            const Action& action, Object given) {
  if (frame.depth >= max_depth)
    return fail(Kind::invalid, "{}: actions use each other deeper than {}", action.source, max_depth);
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
  Frame inner;
  inner.source = action.source;
  inner.composite = true;
  inner.depth = frame.depth + 1;
  inner.effects = context.effects;
  inner.outer_step = context.report_id;
  inner.action_path = inside(folder);
  inner.env = frame.env;
  for (auto& [key, value] : context.env) inner.env[key] = value;
  if (action.using_ == "composite") {
    inner.inputs = inputs;
    steps(ctx, inner, action.steps);
    StepContext reading;
    reading.frame = &inner;
    for (auto& [name, value] : action.outputs) {
      TRY(auto text, value.evaluate_text(scope(inner, nullptr), action.source));
      set_output(context, name, text);
    }
    if (inner.failed) return fail(Kind::invalid, "a step of {} failed", action.source);
    return cancelled_ ? fail(Kind::cancelled, "cancelled") : Result<>{};
  }
  Environment env;
  for (auto& [key, value] : inputs.entries) env[input_variable(key)] = value.text();
  if (action.using_ == "docker") {
    inner.inputs = inputs;
    return docker_action(ctx, context, inner, folder, action, std::move(env));
  }
  if (!action.using_.starts_with("node"))
    return fail(Kind::invalid, "{}: runs.using '{}': want composite, docker or node", action.source, action.using_);
  env["GITHUB_ACTION_PATH"] = inner.action_path;
  auto program = [&](const std::string& file) {
    return std::vector<std::string>{"node", inner.action_path + "/" + file};
  };
  auto workspace = inside(folder_->workspace());
  if (!action.post.empty()) {
    auto state = std::make_shared<std::map<std::string, std::string>>();
    auto argv = program(action.post);
    defer("Post " + context.id,
          [this, argv, post_env = env, own_env = context.env, workspace, state, condition = action.post_if](
              const Ctx& later, StepContext& post) -> Result<> {
            if (condition.expression) {
              auto wanted = condition.expression->evaluate(scope(root_, &post));
              if (wanted && !wanted->truthy()) return {};
            }
            auto full = post_env;
            for (auto& [key, value] : *state) full["STATE_" + key] = value;
            post.env = own_env;
            TRY(auto code, process(later, post, argv, workspace, full));
            if (code != 0) return fail(Kind::invalid, "Process completed with exit code {}.", code);
            return {};
          });
    TRY(auto code, process(ctx, context, program(action.main), workspace, env));
    *state = context.state;
    if (code != 0) return fail(Kind::invalid, "Process completed with exit code {}.", code);
    return {};
  }
  TRY(auto code, process(ctx, context, program(action.main), workspace, env));
  if (code != 0) return fail(Kind::invalid, "Process completed with exit code {}.", code);
  return {};
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
  for (auto& [key, value] : own) call.env[key] = value;
  auto run = [this, call](const Ctx& c, StepContext& step, const std::string& entrypoint) -> Result<> {
    auto one = call;
    one.entrypoint = entrypoint;
    TRY(auto code, container(c, step, one));
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
