// actions/upload-artifact, actions/upload-artifact/merge, actions/download-artifact.
#include <unistd.h>

#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/pod/in_pod.h"

namespace slipway::ci {
namespace {

// A number, as GitHub's ids are; the same artifact of a run has the same.
std::string id_of(const RunnerOptions& options, const RunArtifact& artifact) {
  auto hash = sha256_hex(fmt::format("{}\n{}\n{}", options.run_id, artifact.name, artifact.digest.str()));
  return std::to_string(std::stoull(hash.substr(0, 12), nullptr, 16));
}

Result<std::string> checked_name(std::string name) {
  if (name.find_first_of("\"<>:|*?\r\n\\/") != std::string::npos)
    return fail(Kind::invalid,
                "The artifact name is not valid: {}. It must not contain \" : < > | * ? \\ / or line breaks", name);
  return name;
}

Result<int> level_of(ActionUse& use) {
  auto text = use.input("compression-level", "1");
  auto level = to_int(text);
  if (!level || *level < 0 || *level > 9)
    return fail(Kind::invalid, "compression-level: got \"{}\", want 0 to 9", text);
  return static_cast<int>(std::max<std::int64_t>(*level, 1));
}

Result<> check_retention(ActionUse& use) {
  auto text = use.input("retention-days");
  if (text.empty()) return {};
  auto days = to_int(text);
  if (!days || *days < 0) return fail(Kind::invalid, "retention-days: got \"{}\", want a number of days", text);
  if (*days > 90) use.say("##[warning]Retention days cannot be greater than the maximum allowed retention: 90 days");
  return {};
}

Result<> give(ActionUse& use, const std::string& name, const Packed& packed, const std::string& type = {}) {
  RunArtifact artifact{name, packed.digest, packed.bytes, type};
  if (auto* pod = use.job.options().in_pod) TRY_OK(pod->give_artifact(artifact, use.flag("overwrite", false)));
  {
    auto all = use.job.shared().artifacts.lock();
    if (all->contains(name) && !use.flag("overwrite", false))
      return Fail(Error(Kind::conflict, fmt::format("an artifact with the name '{}' is already in this run", name))
                      .with_hint("set overwrite: true, or another name"));
    (*all)[name] = artifact;
  }
  use.job.result().artifacts.push_back(artifact);
  use.say(fmt::format("Artifact {}: {} files, {} ({})", name, packed.files, human_bytes(packed.bytes),
                      packed.digest.short_hex()));
  use.output("artifact-id", id_of(use.job.options(), artifact));
  use.output("artifact-digest", std::string(packed.digest.hex()));
  use.output("artifact-url", fmt::format("{}/artifacts/{}", use.job.options().server_url, packed.digest.hex()));
  return {};
}

Result<Packed> keep_as_it_is(const Ctx& ctx, ActionUse& use, const std::string& file) {
  auto* blobs = use.job.options().blobs;
  if (!blobs) return fail(Kind::unavailable, "this runner keeps no files: no blob store is connected");
  TRY(auto source, use.job.folder().open(file));
  TRY(auto writer, blobs->begin());
  std::vector<char> buffer(256 << 10);
  ssize_t n;
  while ((n = ::read(source.get(), buffer.data(), buffer.size())) > 0) {
    TRY_OK(ctx.alive());
    TRY_OK(writer.write({buffer.data(), static_cast<std::size_t>(n)}));
  }
  if (n < 0) return fail_errno(errno, file);
  Packed out;
  out.bytes = writer.size(), out.files = 1;
  TRY(out.digest, writer.commit());
  return out;
}

Result<> none_found(ActionUse& use, const std::vector<std::string>& patterns) {
  auto text = fmt::format("No files were found with the provided path: {}. No artifacts will be uploaded.",
                          join(std::span<const std::string>(patterns), ", "));
  auto mode = use.input("if-no-files-found", "warn");
  if (mode == "error") return fail(Kind::not_found, "{}", text);
  if (mode != "warn" && mode != "ignore")
    return fail(Kind::invalid, "if-no-files-found: got \"{}\", want warn, error or ignore", mode);
  if (mode == "warn")
    use.job.annotate(use.step, {.level = Annotation::Level::warning, .message = text});
  else
    use.say(text);
  return {};
}

// Which artifacts are meant: one by name, those of a list of ids, those of a pattern, or all.
Result<std::vector<RunArtifact>> wanted(ActionUse& use) {
  auto name = use.input("name"), pattern = use.input("pattern"), ids = use.input("artifact-ids");
  if (!name.empty() && !ids.empty())
    return fail(Kind::invalid, "Inputs 'name' and 'artifact-ids' cannot be used together. Please specify only one.");
  if (auto* pod = use.job.options().in_pod) TRY_OK(pod->refresh_artifacts(*use.job.shared().artifacts.lock()));
  std::vector<RunArtifact> out;
  std::vector<std::string> names;
  std::set<std::string, std::less<>> missing;
  for (auto part : split(ids, ','))
    if (!trim(part).empty()) missing.emplace(trim(part));
  for (auto& [key, artifact] : *use.job.shared().artifacts.lock()) {
    names.push_back(key);
    bool hit = !ids.empty()       ? missing.erase(id_of(use.job.options(), artifact)) > 0
               : !name.empty()    ? key == name
               : !pattern.empty() ? glob_match(pattern, key)
                                  : true;
    if (hit) out.push_back(artifact);
  }
  if (!missing.empty())
    return fail(Kind::not_found, "Unable to find an artifact with the id {} in this run", *missing.begin());
  if (!out.empty() || name.empty()) return out;
  auto near = nearest(name, names);
  return Fail(Error(Kind::not_found, fmt::format("Unable to find an artifact with the name '{}' in this run", name))
                  .with_hint(near ? fmt::format("did you mean '{}'?", *near)
                             : names.empty()
                                 ? std::string("no job of this run has uploaded one yet: does this job need it?")
                                 : "there are: " + join(std::span<const std::string>(names), ", ")));
}

}  // namespace

Result<> upload_artifact(const Ctx& ctx, ActionUse& use) {
  auto patterns = use.list("path");
  TRY(auto level, level_of(use));
  TRY_OK(check_retention(use));
  TRY(auto name, checked_name(use.input("name", "artifact")));
  TRY(auto matched, match_files(ctx, use.job, patterns, use.flag("include-hidden-files", false)));
  if (matched.files.empty()) return none_found(use, patterns);
  if (!use.flag("archive", true)) {
    if (matched.files.size() != 1)
      return fail(Kind::invalid, "archive: false wants exactly one file, {} match the path", matched.files.size());
    TRY(auto lone, keep_as_it_is(ctx, use, matched.files[0]));
    return give(use, fs::path(matched.files[0]).filename().string(), lone, "application/octet-stream");
  }
  TRY(auto packed, pack_files(ctx, use.job, matched.files, matched.root, level));
  return give(use, name, packed);
}

Result<> merge_artifacts(const Ctx& ctx, ActionUse& use) {
  TRY(auto level, level_of(use));
  TRY_OK(check_retention(use));
  TRY(auto name, checked_name(use.input("name", "merged-artifacts")));
  use.inputs.try_emplace("pattern", "*");
  if (auto own = use.inputs.find("name"); own != use.inputs.end()) use.inputs.erase(own);  // not of what is merged
  TRY(auto parts, wanted(use));
  if (parts.empty())
    return fail(Kind::not_found, "No artifacts were found with the pattern '{}'", use.input("pattern"));
  auto folder = fmt::format("{}/merge-{}", use.job.folder().temp(), random_hex(4));
  for (auto& part : parts) {
    auto below = use.flag("separate-directories", false) ? folder + "/" + part.name : folder;
    TRY_OK(use.job.folder().make_dir(below));
    TRY_OK_IN(part.name, take_out(ctx, use.job, part, below));
  }
  TRY(auto matched, match_files(ctx, use.job, {use.job.inside(folder)}, use.flag("include-hidden-files", false)));
  TRY(auto packed, pack_files(ctx, use.job, matched.files, folder, level));
  TRY_OK(use.job.folder().empty(folder));
  TRY_OK(give(use, name, packed));
  if (!use.flag("delete-merged", false)) return {};
  auto all = use.job.shared().artifacts.lock();
  for (auto& part : parts)
    if (part.name != name) all->erase(part.name);
  return {};
}

Result<> download_artifact(const Ctx& ctx, ActionUse& use) {
  auto run = use.input("run-id", use.job.options().run_id);
  auto repository = use.input("repository", use.job.plan().event.repository);
  if (run != use.job.options().run_id || !iequals(repository, use.job.plan().event.repository))
    return Fail(Error(Kind::unavailable, fmt::format("artifacts of run {} of {} are not reached from run {}", run,
                                                     repository, use.job.options().run_id))
                    .with_hint("upload them in a job that this one needs, or keep them by actions/cache"));
  TRY(auto target, use.job.relative_of(use.input("path", ".")));
  TRY(auto artifacts, wanted(use));
  bool one = !use.input("name").empty() || (!use.input("artifact-ids").empty() && artifacts.size() == 1);
  bool apart = !one && !use.flag("merge-multiple", false);
  for (auto& artifact : artifacts) {
    auto folder = apart ? (fs::path(target) / artifact.name).string() : target;
    TRY_OK(use.job.folder().make_dir(folder));
    TRY(auto files, take_out(ctx, use.job, artifact, folder));
    use.say(fmt::format("Artifact {}: {} files", artifact.name, files));
  }
  use.say(fmt::format("Total of {} artifact(s) downloaded", artifacts.size()));
  use.output("download-path", use.job.inside(target));
  return {};
}

}  // namespace slipway::ci
