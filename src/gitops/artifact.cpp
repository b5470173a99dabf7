#include "gitops/artifact.h"

#include <re2/re2.h>

#include "base/encode.h"
#include "base/semver.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/layer.h"

namespace slipway::gitops {
namespace {

constexpr std::size_t largest = std::size_t{256} << 20;
constexpr std::size_t most_files = 100'000;

// The entry of a dockerconfigjson for this host.
Result<std::optional<oci::Credentials>> credentials_in(const std::string& config, const std::string& host) {
  TRY(auto document, doc::parse_json(config, ".dockerconfigjson"));
  auto auths = doc::View(document)["auths"];
  for (const auto& key : {host, "https://" + host, "https://" + host + "/v1/"}) {
    auto entry = auths[key];
    if (!entry.present()) continue;
    if (!entry["username"].text().empty())
      return std::optional(oci::Credentials{entry["username"].text(), entry["password"].text()});
    TRY(auto auth, from_base64(entry["auth"].text()));
    auto pair = cut(auth, ":");
    if (!pair) return entry["auth"].wrong("want base64 of user:password");
    return std::optional(oci::Credentials{std::string(pair->first), std::string(pair->second)});
  }
  return std::optional<oci::Credentials>();
}

Result<oci::Descriptor> layer_of(const oci::Manifest& manifest, const ArtifactRequest& request) {
  for (const auto& layer : manifest.layers)
    if (request.media_type.empty() || layer.media_type == request.media_type) return layer;
  return fail(Kind::invalid, "{}: has no layer{}{}", request.url, request.media_type.empty() ? "" : " of type ",
              request.media_type);
}

// Regular files only; links and devices are left out, as Flux's own archives have none.
Result<> gather(const fs::path& root, const fs::path& below, std::vector<git::FileEdit>& edits) {
  TRY(auto names, list_dir(root / below));
  for (const auto& name : names) {
    auto path = below / name;
    auto status = fs::symlink_status(root / path);
    if (fs::is_directory(status)) {
      TRY_OK(gather(root, path, edits));
    } else if (fs::is_regular_file(status)) {
      TRY(auto content, read_file(root / path, largest));
      edits.push_back({path.native(), std::move(content)});
    }
  }
  return {};
}

Result<std::vector<git::FileEdit>> files_of(const Ctx& ctx, const std::string& blob, const ArtifactRequest& request) {
  std::vector<git::FileEdit> edits;
  if (request.copy) {
    edits.push_back({"artifact.yaml", blob});
    return edits;
  }
  TRY(auto folder, TempDir::make("slipway-artifact"));
  auto archive = folder.path() / "archive", unpacked = folder.path() / "files";
  TRY_OK(write_file(archive, blob, 0600));
  TRY_OK(make_dirs(unpacked));
  TRY_OK_IN(request.url, oci::unpack_archive(ctx, archive, unpacked, {.limits = {largest, most_files}}));
  TRY_OK(gather(unpacked, "", edits));
  return edits;
}

// The tag that is meant. Rule: Flux's source-controller, which takes a digest, then a range, then a tag.
Result<std::string> tag_of(const Ctx& ctx, oci::Remote& remote, const oci::Reference& repository,
                           const ArtifactRequest& request) {
  if (request.range.empty()) return request.tag.empty() ? "latest" : request.tag;
  TRY_IN(auto range, "ref.semver", VersionRange::parse(request.range));
  RE2 filter(request.filter, RE2::Quiet);
  if (!filter.ok()) return fail(Kind::invalid, "ref.semverFilter: {}", filter.error());
  TRY(auto tags, remote.tags(ctx, repository));
  std::erase_if(tags, [&](const std::string& tag) { return !RE2::PartialMatch(tag, filter); });
  auto found = newest(tags, range);
  if (!found) return fail(Kind::not_found, "{}: no match found for semver: {}", request.url, request.range);
  return *found;
}

}  // namespace

Result<Artifact> import_artifact(const Ctx& ctx, const ArtifactRequest& request, const oci::RemoteOptions& options,
                                 const fs::path& folder) {
  std::string_view name = request.url;
  if (!name.starts_with("oci://")) return fail(Kind::invalid, "{}: want oci://HOST/NAME", request.url);
  name.remove_prefix(6);
  TRY(auto reference,
      oci::parse_reference(request.digest.empty() ? std::string(name) : fmt::format("{}@{}", name, request.digest)));
  auto used = options;
  if (request.insecure) used.plain_http_hosts.push_back(reference.host);
  if (!request.docker_config.empty()) {
    TRY(auto credentials, credentials_in(request.docker_config, reference.host));
    used.credentials = [credentials](const std::string&) { return credentials; };
  }
  oci::Remote remote(std::move(used));
  std::string tag;
  if (request.digest.empty()) {
    TRY(tag, tag_of(ctx, remote, reference, request));
    TRY(reference, oci::parse_reference(fmt::format("{}:{}", name, tag)));
  }
  TRY(auto stored, remote.manifest(ctx, reference));
  auto digest = stored.descriptor.digest;
  auto revision = request.digest.empty() ? fmt::format("{}@{}", tag, digest.str()) : digest.str();
  TRY(auto repository, path_exists(folder) ? git::Repository::open(folder) : git::Repository::init(folder));
  auto kind = request.copy ? "files" : "trees";
  auto ref = fmt::format("refs/artifacts/{}/{}{}", kind, digest.hex(), to_hex(request.media_type));
  TRY(auto known, repository.resolve(ref));
  if (known) return Artifact{request.url, revision, digest.str(), *known};
  TRY_IN(auto manifest, request.url, oci::parse_manifest(stored.bytes));
  TRY(auto layer, layer_of(manifest, request));
  TRY(auto blob, remote.blob(ctx, reference, layer, largest));
  TRY(auto edits, files_of(ctx, blob, request));
  TRY(auto tree, repository.write_tree({}, edits));
  TRY(auto commit, repository.write_commit(tree, {}, {"slipway", "slipway@localhost", WallTime{}}, revision));
  TRY_OK(repository.update_ref(ref, commit, std::nullopt, "artifact"));
  return Artifact{request.url, revision, digest.str(), commit};
}

}  // namespace slipway::gitops
