#include "ci/gitlab/steps.h"

#include <re2/re2.h>

#include "base/text.h"
#include "ci/actions/archive.h"
#include "ci/report.h"
#include "ci/run/commands.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::size_t max_dotenv = 5 * 1024, max_variables = 150;

void warn(ActionUse& use, std::string text) {
  use.job.annotate(use.step, {.level = Annotation::Level::warning, .message = std::move(text)});
}

// Caches are the project's, but what a branch writes is read by it and by those that come after it alone: a branch that
// somebody else may push to does not fill the cache of the default branch.
std::vector<std::string> scopes(const Event& event) {
  std::vector<std::string> out = {event.ref};
  if (!event.base_ref.empty()) out.push_back("refs/heads/" + event.base_ref);
  out.push_back("refs/heads/" + event.default_branch);
  return out;
}
// Apart from those of actions/cache, whose versions are hex digits.
const std::string version = "gitlab";

Result<bool> restore(const Ctx& ctx, ActionUse& use, const std::string& key) {
  auto& event = use.job.plan().event;
  TRY(auto* store, use.job.options().cache->caches());
  for (const auto& scope : scopes(event)) {
    TRY(auto known, store->get({event.repository, scope, version, key}));
    if (!known) continue;
    TRY(auto hit, store->find(ctx, event.repository, {scope}, version, {key}));
    if (!hit) continue;
    TRY(auto files, unpack_files(ctx, use.job, hit->digest, "", Reach::folder, &store->blobs()));
    use.say(fmt::format("Cache {}: {} files", key, files));
    return true;
  }
  return false;
}

Result<> save(const Ctx& ctx, JobRun& job, StepContext& step, const std::vector<std::string>& paths,
              const std::string& key) {
  TRY(auto matched, match_files(ctx, job, paths, true));
  if (matched.files.empty()) {
    job.say(step, fmt::format("##[warning]Cache {}: no files at {}, nothing is kept", key,
                              join(std::span<const std::string>(paths), ", ")));
    return {};
  }
  TRY(auto* store, job.options().cache->caches());
  TRY(auto packed, pack_files(ctx, job, matched.files, "", 1, &store->blobs()));
  auto& event = job.plan().event;
  TRY(auto number, store->put(ctx, {event.repository, event.ref, version, key}, packed.digest, true));
  (void)number;
  job.say(step, fmt::format("Cache {} kept: {} files, {}", key, packed.files, human_bytes(packed.bytes)));
  return {};
}

Result<> cache(const Ctx& ctx, ActionUse& use) {
  auto key = use.input("key", "default"), policy = use.input("policy"), when = use.input("when");
  if (!use.job.options().blobs || !use.job.options().cache) {
    use.say("This runner keeps no caches: no store is connected");
    return {};
  }
  if (policy != "push") {
    TRY(auto hit, restore(ctx, use, key));
    for (const auto& other : use.list("fallback")) {
      if (hit) break;
      TRY(hit, restore(ctx, use, other));
    }
    if (!hit) use.say(fmt::format("Cache {} is not there yet", key));
  }
  if (policy == "pull") return {};
  auto& job = use.job;
  job.defer("Save cache " + key,
            [&job, paths = use.list("path"), key, when](const Ctx& later, StepContext& step) -> Result<> {
              bool wanted = when == "always" || job.succeeding() == (when == "on_success");
              return wanted ? save(later, job, step, paths, key) : Result<>{};
            });
  return {};
}

Result<> get_artifact(const Ctx& ctx, ActionUse& use, const std::string& name) {
  std::optional<RunArtifact> found;
  {
    auto all = use.job.shared().artifacts.lock();
    if (auto there = all->find(name); there != all->end()) found = there->second;
  }
  if (!found) {
    use.say(fmt::format("Artifact {}: that job left none", name));
    return {};
  }
  TRY(auto files, unpack_files(ctx, use.job, found->digest, use.job.folder().workspace()));
  use.say(fmt::format("Artifact {}: {} files", name, files));
  return {};
}

// get: the artifacts of earlier jobs; otherwise keeps one of this job.
Result<> artifacts(const Ctx& ctx, ActionUse& use) {
  auto& job = use.job;
  auto names = use.list("get");
  for (const auto& wanted : names) TRY_OK(get_artifact(ctx, use, wanted));
  if (!names.empty()) return {};
  auto name = use.input("name");
  auto patterns = use.list("path");
  TRY(auto matched, match_files(ctx, job, patterns, true));
  auto outside =
      std::erase_if(matched.files, [&](const auto& f) { return !f.starts_with(job.folder().workspace() + "/"); });
  if (outside > 0) warn(use, fmt::format("{} files are outside of the project's folder and are not kept", outside));
  if (matched.files.empty()) {
    warn(use, fmt::format("no files at {}: there is no artifact", join(std::span<const std::string>(patterns), ", ")));
    return {};
  }
  TRY(auto packed, pack_files(ctx, job, matched.files, job.folder().workspace()));
  RunArtifact artifact{name, packed.digest, packed.bytes};
  (*job.shared().artifacts.lock())[name] = artifact;
  job.result().artifacts.push_back(artifact);
  use.say(fmt::format("Artifact {}: {} files, {}", name, packed.files, human_bytes(packed.bytes)));
  return {};
}

// NAME=value lines become variables of the jobs that get this one's artifacts.
Result<> dotenv(const Ctx& ctx, ActionUse& use) {
  TRY(auto matched, match_files(ctx, use.job, use.list("path"), true));
  if (matched.files.empty()) warn(use, "no dotenv report is there: no variables are given on");
  std::size_t count = 0;
  for (const auto& file : matched.files) {
    auto shown = fs::path(file).filename().string();
    TRY(auto text, use.job.folder().read(file, max_dotenv));
    std::size_t number = 0;
    for (auto line : lines(text)) {
      ++number;
      if (trim(line).empty() || trim(line).starts_with('#')) continue;
      auto pair = cut(line, "=");
      auto name = pair ? std::string(trim(pair->first)) : std::string();
      bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
      });
      if (!plain) return fail(Kind::invalid, "{}:{}: \"{}\", want NAME=value", shown, number, line.substr(0, 80));
      if (++count > max_variables) return fail(Kind::invalid, "{}: more than {} variables", shown, max_variables);
      std::string value(trim(pair->second));
      // It would go into other jobs' logs unmasked.
      if (use.job.shared().redaction.hides(value)) {
        use.say(fmt::format("##[warning]{} is not given on: it may hold a secret", name));
        continue;
      }
      use.job.result().outputs[name] = std::move(value);
    }
  }
  if (count > 0) use.say(fmt::format("{} variables for later jobs", count));
  return {};
}

// Failures as annotations and a summary; the job's verdict is its script's.
Result<> junit(const Ctx& ctx, ActionUse& use) {
  TRY(auto matched, match_files(ctx, use.job, use.list("path"), true));
  if (matched.files.empty()) {
    warn(use, fmt::format("no test report at {}", join(std::span<const std::string>(use.list("path")), ", ")));
    return {};
  }
  auto test_report = find_native_action("slipway/test-report");
  use.uses = "slipway/test-report", use.inputs["fail-on-error"] = "false";
  return test_report(ctx, use);
}

// Who the job is, as the variable that id_tokens names.
Result<> id_token(const Ctx& ctx, ActionUse& use) {
  auto audiences = use.list("aud");
  TRY(auto token, use.job.id_token(ctx, join(std::span<const std::string>(audiences), "\n")));
  use.job.set_env(use.step, use.input("name"), token);
  return {};
}

Result<> pages(const Ctx&, ActionUse& use) {
  use.job.annotate(use.step, {.level = Annotation::Level::notice,
                              .message = fmt::format(
                                  "the site in {} is kept as the artifact \"{}\"; this house does not serve sites",
                                  use.input("publish"), use.input("artifact"))});
  return {};
}

// release: the description is text, or a file that holds it.
Result<> release(const Ctx& ctx, ActionUse& use) {
  auto body = use.input("description");
  auto file = use.job.relative_of(body);
  if (file && !body.contains('\n') && use.job.folder().has_file(*file)) {
    TRY(body, use.job.folder().read(*file, 1 << 20));
  }
  if (auto links = use.input("links"); !links.empty()) body += "\n\n" + links;
  ActionUse made{use.job, use.step, "softprops/action-gh-release", "v2", {}};
  made.inputs["tag_name"] = use.input("tag_name"), made.inputs["body"] = body;
  made.inputs["name"] = use.input("name"), made.inputs["target_commitish"] = use.input("target_commitish");
  return find_native_action("softprops/action-gh-release")(ctx, made);
}

struct Entry {
  std::string_view name;
  NativeAction run;
};
constexpr Entry entries[] = {{"slipway/gitlab-cache", cache},       {"slipway/gitlab-artifacts", artifacts},
                             {"slipway/gitlab-dotenv", dotenv},     {"slipway/gitlab-junit", junit},
                             {"slipway/gitlab-id-token", id_token}, {"slipway/gitlab-pages", pages},
                             {"slipway/gitlab-release", release}};

}  // namespace

NativeAction find_step(std::string_view name) {
  for (const auto& entry : entries)
    if (entry.name == name) return entry.run;
  return nullptr;
}

struct CoverageFinder::Compiled {
  explicit Compiled(const std::string& text) : line(text, RE2::Quiet), number("(\\d+(?:[.,]\\d+)?)", RE2::Quiet) {}
  RE2 line, number;
};

CoverageFinder::CoverageFinder(std::string_view pattern) {
  if (pattern.size() > 2) pattern = pattern.substr(1, pattern.rfind('/') - 1);
  compiled_ = std::make_unique<Compiled>(replace_all(std::string(pattern), "\\/", "/"));
}
CoverageFinder::~CoverageFinder() = default;

// The number is looked for in what matched, or in the pattern's group where it has one.
void CoverageFinder::line(std::string_view text) {
  if (!compiled_->line.ok()) return;
  auto plain = strip_colours(text);
  re2::StringPiece parts[2];
  int groups = compiled_->line.NumberOfCapturingGroups() > 0 ? 2 : 1;
  if (!compiled_->line.Match(plain, 0, plain.size(), RE2::UNANCHORED, parts, groups)) return;
  std::string number;
  if (RE2::PartialMatch(parts[groups - 1], compiled_->number, &number))
    found_ = to_double(replace_all(number, ",", "."));
}

}  // namespace slipway::ci::gitlab
