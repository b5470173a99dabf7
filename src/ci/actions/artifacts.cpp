// actions/upload-artifact, actions/download-artifact.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"

namespace slipway::ci {

Result<> upload_artifact(const Ctx& ctx, ActionUse& use) {
  auto name = use.input("name", "artifact");
  if (name.find_first_of("\"<>:|*?\r\n\\/") != std::string::npos)
    return fail(Kind::invalid,
                "The artifact name is not valid: {}. It must not contain \" : < > | * ? \\ / or line breaks", name);
  auto patterns = use.list("path");
  if (patterns.empty()) return fail(Kind::invalid, "Input required and not supplied: path");
  TRY(auto matched, match_files(ctx, use.job, patterns, use.flag("include-hidden-files", false)));
  if (matched.files.empty()) {
    auto text = fmt::format("No files were found with the provided path: {}. No artifacts will be uploaded.",
                            join(std::span<const std::string>(patterns), ", "));
    auto mode = use.input("if-no-files-found", "warn");
    if (mode == "error") return fail(Kind::not_found, "{}", text);
    if (mode == "warn")
      use.job.annotate(use.step, {.level = Annotation::Level::warning, .message = text});
    else
      use.say(text);
    return {};
  }
  TRY(auto packed, pack_files(ctx, use.job, matched.files, matched.root));
  RunArtifact artifact{name, packed.digest, packed.bytes};
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
  use.output("artifact-id", packed.digest.short_hex());
  use.output("artifact-digest", std::string(packed.digest.hex()));
  use.output("artifact-url", fmt::format("{}/artifacts/{}", use.job.options().server_url, packed.digest.hex()));
  return {};
}

Result<> download_artifact(const Ctx& ctx, ActionUse& use) {
  auto name = use.input("name"), pattern = use.input("pattern");
  TRY(auto target, use.job.relative_of(use.input("path", ".")));
  std::vector<RunArtifact> wanted;
  for (auto& [key, artifact] : *use.job.shared().artifacts.lock())
    if (!name.empty() ? key == name : pattern.empty() || glob_match(pattern, key)) wanted.push_back(artifact);
  if (wanted.empty() && !name.empty())
    return fail(Kind::not_found, "Unable to find an artifact with the name '{}' in this run", name);
  bool apart = name.empty() && !use.flag("merge-multiple", false);
  for (auto& artifact : wanted) {
    auto folder = apart ? (fs::path(target) / artifact.name).string() : target;
    TRY_OK(use.job.folder().make_dir(folder));
    TRY(auto files, unpack_files(ctx, use.job, artifact.digest, folder));
    use.say(fmt::format("Artifact {}: {} files", artifact.name, files));
  }
  use.output("download-path", use.job.inside(target));
  return {};
}

}  // namespace slipway::ci
