// Whole jobs answered from the cache.
#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "ci/detail/job_run.h"
#include "ci/run/hash_files.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view version = "1";  // of what goes into a key

// The definition as written, in a form that does not depend on places in the file.
void put(std::string& out, const Template& t) {
  out += static_cast<char>('0' + static_cast<int>(t.sort));
  out += t.literal_text();
  out += '\x1f';
  for (auto& item : t.items) put(out, item);
  for (auto& [key, value] : t.entries) put(out, key), put(out, value);
  out += '\x1e';
}

void put(std::string& out, const Step& step) {
  out += step.id + "\x1f" + step.condition.text + "\x1f";
  for (auto* field : {&step.name, &step.run, &step.uses, &step.with, &step.env, &step.shell, &step.working_directory,
                      &step.continue_on_error, &step.timeout_minutes}) {
    if (*field) put(out, **field);
    out += '\x1d';
  }
  for (auto& inner : step.parallel) put(out, inner);
}

// Actions whose effect is the point, not their outputs: a job that has one always runs.
bool has_effects(const std::vector<Step>& steps) {
  static const std::set<std::string_view> effects = {"slipway/preview", "actions/cache", "actions/cache/save"};
  return std::any_of(steps.begin(), steps.end(), [](auto& step) {
    if (has_effects(step.parallel)) return true;
    return step.uses && effects.contains(std::string_view(step.uses->text).substr(0, step.uses->text.find('@'))) &&
           !step.uses->text.starts_with("actions/cache");
  });
}

void contexts_of(const Template& t, std::set<std::string>& names, std::string_view context) {
  if (t.is(Template::Sort::expression))
    for (auto& member : t.expression.members_of(context)) names.insert(lower(member));
  for (auto& item : t.items) contexts_of(item, names, context);
  for (auto& [key, value] : t.entries) contexts_of(key, names, context), contexts_of(value, names, context);
}

constexpr int max_nesting = 9;

// The commits that the names of other repositories' actions mean today: a tag or a branch may move, and then the job is
// another one. Also those that composite actions use.
class ActionCommits {
 public:
  ActionCommits(const Ctx& ctx, const RunnerOptions& options) : ctx_(ctx), options_(options) {}
  void add(const std::vector<Step>& steps, int depth = 0) {
    for (auto& step : steps) {
      add(step.parallel, depth);
      if (!step.uses || step.uses->is_expression() || depth > max_nesting) continue;
      auto uses = step.uses->literal_text();
      if (uses.starts_with("./"))
        nested(own_file(uses.substr(2)), depth);
      else if (auto parts = cut(uses, "@"); parts && !find_native_action(parts->first))
        other(std::string(parts->first), std::string(parts->second), depth);
    }
  }
  const std::string& text() const { return text_; }

 private:
  void other(const std::string& name, const std::string& ref, int depth) {
    auto words = split(name, '/');
    if (!options_.actions || words.size() < 2) return;
    auto folder = options_.actions(ctx_, fmt::format("{}/{}", words[0], words[1]), ref);
    if (!folder || !*folder) return;  // said by the step that wants it
    text_ += fmt::format("action {} {}\x1f", name, (*folder)->filename().string());
    auto inside = join(std::span<const std::string_view>(words).subspan(2), "/");
    for (auto file : {"action.yml", "action.yaml"})
      if (auto content = read_file(**folder / inside / file, 1 << 20)) return nested(*content, depth);
  }
  void nested(const std::string& content, int depth) {
    if (content.empty()) return;
    if (auto action = parse_action(content, "action.yml")) add(action->steps, depth + 1);
  }
  std::string own_file(const std::string& folder) const {
    for (auto file : {"action.yml", "action.yaml"}) {
      auto path = (fs::path(folder) / file).lexically_normal().string();
      if (options_.repository) {
        if (auto found = options_.repository->read(options_.commit, path); found && *found) return **found;
      } else if (auto found = read_file(options_.folder / path, 1 << 20)) {
        return *found;
      }
    }
    return {};
  }
  const Ctx& ctx_;
  const RunnerOptions& options_;
  std::string text_;
};

}  // namespace

// Rule: a job's result depends on its definition, the values its expressions may name, its tree (or the declared
// part of it), the names of the secrets it uses, and who runs it.
std::string JobRun::definition_text(const Ctx& ctx) const {
  std::string text(version);
  auto& d = definition_;
  for (auto& step : d.steps) put(text, step);
  for (auto* field : {&d.container, &d.services, &d.outputs, &d.defaults, &in_.plan.workflow->defaults}) {
    if (*field) put(text, **field);
    text += '\x1d';
  }
  for (auto& [key, value] : job_env_) text += key + "=" + value + "\x1f";
  text += in_.leg.matrix.json() + in_.needs.json() + in_.inputs.json();
  for (auto& [key, value] : options().vars) text += key + "=" + value + "\x1f";
  std::set<std::string> github, secrets;
  for (auto& step : d.steps)
    for (auto* field : {&step.name, &step.run, &step.with, &step.env, &step.working_directory})
      if (*field) contexts_of(**field, github, "github"), contexts_of(**field, secrets, "secrets");
  // Values that differ with each run would make every key new; naming one says that the job wants to see it.
  for (auto& name : github) text += name + "=" + (name.empty() ? github_.json() : github_.member(name).json()) + "\x1f";
  for (auto& name : secrets) text += "secret " + name + "\x1f";
  ActionCommits commits(ctx, options());
  commits.add(d.steps);
  text += commits.text();
  text += fmt::format("runner {} {}", isolated() ? "isolated" : "host", options().path);

  return text;
}

Result<std::string> JobRun::cache_key(const Ctx& ctx, const InputWords& inputs) {
  auto text = definition_text(ctx);
  auto& patterns = inputs.patterns;
  if (options().repository) {
    if (patterns.empty()) {
      TRY(auto tree, options().repository->tree_of(options().commit));
      text += "tree " + tree;
    } else {
      TRY(auto entries, options().repository->list(options().commit));
      for (auto& entry : entries)
        if (!entry.is_tree() && matches_patterns(patterns, entry.path))
          text += fmt::format("{} {:o} {}\x1f", entry.path, entry.mode, entry.id);
    }
  } else {
    auto digests = in_.shared.digests.lock();
    auto& digest = (*digests)[slipway::join(std::span<const std::string>(patterns), "\n")];
    if (digest.empty()) {
      TRY(digest, hash_files(ctx, options().folder, patterns.empty() ? std::vector<std::string>{"**"} : patterns));
    }
    text += "folder " + digest;
  }
  return "job/" + sha256_hex(text);
}

// Rule: what is not in the source: who asks (strangers have facts of their own), and what earlier jobs left for it.
std::string JobRun::facts_key(const Ctx& ctx) const {
  auto text = definition_text(ctx) + (in_.plan.event.trusted ? "trusted" : "stranger");
  if (!in_.job.needs.empty()) {
    auto artifacts = in_.shared.artifacts.lock();
    for (auto& [name, artifact] : *artifacts) text += fmt::format("artifact {} {}\x1f", name, artifact.digest.str());
  }
  return "facts/" + sha256_hex(text);
}

std::string JobRun::digest_of_steps(std::size_t count) const {
  std::string out;
  for (std::size_t i = 0; i < count && i < definition_.steps.size(); ++i) put(out, definition_.steps[i]);
  return sha256_hex(out);
}

std::string JobRun::scripts() const {
  std::string out;
  for (auto& step : definition_.steps)
    for (auto* field : {&step.run, &step.with, &step.env})
      if (*field) put(out, **field);
  return out;
}

}  // namespace slipway::ci
