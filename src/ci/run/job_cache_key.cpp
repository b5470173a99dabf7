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
Result<std::string> JobRun::cache_key(const Ctx& ctx) {
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

  auto declared = job_env_.find("SLIPWAY_INPUTS");
  std::vector<std::string> patterns;
  if (declared != job_env_.end()) {
    auto listed = replace_all(replace_all(declared->second, " ", "\n"), ",", "\n");
    for (auto line : lines(listed))
      if (!trim(line).empty()) patterns.emplace_back(trim(line));
  }
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
    TRY(auto digest, hash_files(ctx, options().folder, patterns.empty() ? std::vector<std::string>{"**"} : patterns));
    text += "folder " + digest;
  }
  return "job/" + sha256_hex(text);
}

bool JobRun::from_cache(const Ctx& ctx) {
  if (!options().cache || !options().cache_jobs || has_effects(definition_.steps)) return false;
  // Who asks for an identity is about to use it somewhere.
  auto& permissions = definition_.permissions ? definition_.permissions : in_.plan.workflow->permissions;
  if (permissions && permissions->contains("id-token") && permissions->at("id-token") == "write") return false;
  // A deployment, a timer and a person who presses the button all mean "do it", not "tell me how it was".
  auto& event = in_.plan.event.name;
  if (definition_.environment || (event != "push" && !event.starts_with("pull_request") && event != "merge_group"))
    return false;
  if (!options().repository && options().folder.empty()) return false;
  auto key = cache_key(ctx);
  if (!key) return false;
  result_.cache_key = *key;
  auto known = options().cache->get(*key);
  if (!known || !*known) return false;
  auto document = doc::parse_json(**known, *key);
  if (!document) return false;
  auto old = job_result_from(doc::View(*document));
  if (!old || old->conclusion != Conclusion::success) return false;
  // What it refers to must still be there.
  for (auto& artifact : old->artifacts)
    if (!options().blobs || !options().blobs->contains(artifact.digest)) return false;
  for (auto& image : old->images)
    if (options().registry) {
      auto there = options().registry->manifest(image.image, image.digest.str());
      if (!there || !*there) return false;
    }
  auto name = result_.name;
  auto cache = result_.cache_key, own = result_.key;
  result_ = *std::move(old);
  result_.key = own, result_.name = name, result_.cache_key = cache, result_.from_cache = true;
  for (auto& artifact : result_.artifacts) (*shared().artifacts.lock())[artifact.name] = artifact;
  StepContext nobody;
  nobody.frame = &root_;
  say(nobody, fmt::format("Nothing this job reads has changed since it succeeded: answered from the cache ({}).",
                          cache.substr(4, 12)));
  return true;
}

void JobRun::to_cache() {
  if (result_.cache_key.empty() || result_.from_cache || !options().cache) return;
  JobResult kept = result_;
  kept.conclusion = Conclusion::success;
  (void)options().cache->put(result_.cache_key, doc::print_json(to_doc(kept)));
}

}  // namespace slipway::ci
