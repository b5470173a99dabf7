#include "gitops/flux/sources.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"

namespace slipway::gitops::flux {
namespace {

// Fields that would change what is read, and are not acted on.
Result<> check_supported(doc::View spec) {
  for (auto key :
       {"ignore", "include", "verify", "proxySecretRef", "certSecretRef", "sparseCheckout", "serviceAccountName"})
    if (spec[key].present() && !(spec[key].text().empty() && spec[key].items().empty() && spec[key].members().empty()))
      return spec[key].wrong("this field of a source is not supported");
  if (spec["recurseSubmodules"].bool_or(false))
    return spec["recurseSubmodules"].wrong("submodules are not read, want their files in the repository");
  if (auto provider = spec["provider"].str_or("generic"); provider != "generic")
    return spec["provider"].wrong(fmt::format("got \"{}\", want generic", provider));
  return {};
}

Result<kube::Object> secret_of(const Ctx& ctx, kube::Client& home, const kube::Object& source) {
  auto name = source["spec"]["secretRef"]["name"].text();
  if (name.empty()) return kube::Object();
  TRY(auto secret, home.get(ctx, {"v1", "Secret"}, {source.ns(), name}));
  if (!secret) return fail(Kind::not_found, "Secret '{}/{}' of secretRef not found", source.ns(), name);
  return *secret;
}
Result<std::string> entry_of(const kube::Object& secret, std::string_view key) {
  auto text = secret["data"][key].text();
  return text.empty() ? Result<std::string>("") : from_base64(text);
}

// The URL with what signs in, for who fetches. Never shown.
Result<std::string> signed_url(const std::string& url, const kube::Object& secret) {
  if (!secret) return url;
  TRY(auto user, entry_of(secret, "username"));
  TRY(auto password, entry_of(secret, "password"));
  TRY(auto token, entry_of(secret, "bearerToken"));
  for (auto key : {"identity", "ca.crt", "caFile"})
    if (secret["data"][key].present())
      return fail(Kind::invalid, "{}: entry {} is not supported, want username and password", secret.describe(), key);
  if (user.empty() && !token.empty()) user = "token", password = token;
  auto pair = cut(url, "://");
  if (user.empty() || !pair) return url;
  return fmt::format("{}://{}:{}@{}", pair->first, percent_encode(user), percent_encode(password), pair->second);
}

struct Stored {
  std::string repository, revision, digest;
  git::Oid commit;
};

Result<Stored> store_git(const Ctx& ctx, kube::Client& home, Repositories& repositories, const kube::Object& source) {
  auto spec = source["spec"];
  TRY(auto ref, git_ref(spec));
  TRY(auto url, git_url(ctx, home, source));
  auto fresh = repositories.refresh(ctx, url);
  auto opened = fresh ? repositories.open(ctx, url) : Result<git::Repository>(Fail(std::move(fresh).error()));
  if (!opened) {
    // Whatever the message quotes is without the password.
    auto what = replace_all(opened.error().what(), url, spec["url"].text());
    return Fail(Error(opened.error().kind(), std::move(what)));
  }
  TRY(auto commit, opened->resolve(ref.look_up));
  if (!commit) return fail(Kind::not_found, "{}: no revision {}", spec["url"].text(), ref.look_up);
  auto revision = ref.shown.empty() ? "sha1:" + *commit : fmt::format("{}@sha1:{}", ref.shown, *commit);
  return Stored{spec["url"].text(), revision, "", *commit};
}

Result<Stored> store_oci(const Ctx& ctx, kube::Client& home, Repositories& repositories, const kube::Object& source) {
  auto spec = source["spec"];
  ArtifactRequest request;
  request.url = spec["url"].text();
  if (!request.url.starts_with("oci://")) return spec["url"].wrong("want oci://HOST/NAME");
  if (spec["ref"]["semver"].present() && !spec["ref"]["semver"].text().empty())
    return spec["ref"]["semver"].wrong("ranges of versions are not resolved, want tag or digest");
  request.tag = spec["ref"]["tag"].text(), request.digest = spec["ref"]["digest"].text();
  request.media_type = spec["layerSelector"]["mediaType"].text();
  request.copy = spec["layerSelector"]["operation"].text() == "copy";
  request.insecure = spec["insecure"].bool_or(false);
  TRY(auto secret, secret_of(ctx, home, source));
  if (secret) {
    TRY(request.docker_config, entry_of(secret, ".dockerconfigjson"));
    if (request.docker_config.empty())
      return fail(Kind::invalid, "{}: want an entry .dockerconfigjson", secret.describe());
  }
  TRY(auto artifact, repositories.artifact(ctx, request));
  return Stored{artifact.repository, artifact.revision, artifact.digest, artifact.commit};
}

doc::Value artifact_doc(const kube::Object& source, const Stored& stored, const std::string& now) {
  auto before = source["status"]["artifact"];
  bool same = before["revision"].text() == stored.revision;
  doc::Map artifact{
      {"lastUpdateTime", same ? before["lastUpdateTime"].str_or(now) : now},
      {"path", fmt::format("{}/{}/{}/{}", lower(source.kind()), source.ns(), source.name(), stored.commit)},
      {"revision", stored.revision},
      {"url", source["spec"]["url"].text()}};
  if (!stored.digest.empty()) artifact.set("digest", stored.digest);
  doc::Map metadata{{"slipway.dev/commit", stored.commit}};
  artifact.set("metadata", std::move(metadata));
  return artifact;
}

doc::Value failed(const kube::Object& source, const Error& error, const std::string& now) {
  Conditions conditions(source, now);
  bool stalled = error.is(Kind::invalid);
  auto reason = source.kind() == "GitRepository" ? "GitOperationFailed" : "OCIPullFailed";
  if (stalled)
    conditions.set("Stalled", "True", "InvalidSpec", error.what());
  else
    conditions.set("Reconciling", "True", "ProgressingWithRetry", error.what());
  conditions.set("Ready", "False", stalled ? "InvalidSpec" : reason, error.what());
  conditions.set("FetchFailed", "True", stalled ? "InvalidSpec" : reason, error.what());
  doc::Map status;
  // What was stored before is still there.
  if (auto artifact = source["status"]["artifact"]; artifact.present()) status.set("artifact", artifact.value());
  status.set("conditions", conditions.take());
  return status;
}

void finish_status(doc::Value& status, const kube::Object& source) {
  auto handled = source.annotation(requested_at);
  if (handled.empty()) handled = source["status"]["lastHandledReconcileAt"].text();
  if (!handled.empty()) status["lastHandledReconcileAt"] = handled;
  status["observedGeneration"] = source.generation();
}

}  // namespace

Result<GitRef> git_ref(doc::View spec) {
  auto ref = spec["ref"];
  auto commit = ref["commit"].text(), name = ref["name"].text(), tag = ref["tag"].text(), branch = ref["branch"].text();
  if (!commit.empty()) return GitRef{commit, branch};
  if (!name.empty()) return GitRef{name, name};
  if (!ref["semver"].text().empty())
    return ref["semver"].wrong("ranges of versions are not resolved, want tag, branch, name or commit");
  if (!tag.empty()) return GitRef{"refs/tags/" + tag, tag};
  if (branch.empty()) branch = "master";
  return GitRef{"refs/heads/" + branch, branch};
}

Result<std::string> git_url(const Ctx& ctx, kube::Client& home, const kube::Object& source) {
  TRY(auto secret, secret_of(ctx, home, source));
  return signed_url(source["spec"]["url"].text(), secret);
}

Result<SourceLooked> look_at_source(const Ctx& ctx, kube::Client& home, Repositories& repositories,
                                    const kube::Object& source) {
  auto now = rfc3339(ctx.clock->wall());
  auto spec = source["spec"];
  auto interval = duration(spec["interval"], Millis(600000));
  auto stored = [&]() -> Result<Stored> {
    TRY_OK(interval);
    TRY_OK(check_supported(spec));
    TRY(auto timeout, duration(spec["timeout"], Millis(60000)));
    auto within = ctx.within(timeout);
    return source.kind() == "GitRepository" ? store_git(within, home, repositories, source)
                                            : store_oci(within, home, repositories, source);
  }();
  if (!stored && stored.error().is(Kind::cancelled)) return Fail(std::move(stored).error());
  SourceLooked looked{{}, interval.value_or(Millis(600000))};
  if (!stored) {
    looked.status = failed(source, stored.error(), now);
    if (!stored.error().is(Kind::invalid)) looked.again = std::min(looked.again, Millis(30000));
  } else {
    Conditions conditions(source, now);
    auto word = source.kind() == "GitRepository" ? "revision" : "digest";
    conditions.set("Ready", "True", "Succeeded", fmt::format("stored artifact for {} '{}'", word, stored->revision));
    conditions.set("ArtifactInStorage", "True", "Succeeded",
                   fmt::format("stored artifact for {} '{}'", word, stored->revision));
    looked.status = doc::Map{{"artifact", artifact_doc(source, *stored, now)}, {"conditions", conditions.take()}};
  }
  finish_status(looked.status, source);
  return looked;
}

doc::Value unsupported(const kube::Object& object, const std::string& now) {
  auto what = object.kind() == "Bucket" ? std::string(
                                              "buckets are not read by Slipway, want a GitRepository or an "
                                              "OCIRepository")
                                        : std::string(
                                              "Helm charts are not rendered by Slipway yet, want a "
                                              "Kustomization");
  Conditions conditions(object, now);
  conditions.set("Stalled", "True", "Unsupported", what);
  conditions.set("Ready", "False", "Unsupported", what);
  doc::Value status = doc::Map{{"conditions", conditions.take()}};
  finish_status(status, object);
  return status;
}

}  // namespace slipway::gitops::flux
