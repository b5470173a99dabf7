#include "gitops/flux/sources.h"

#include "gitops/flux/verify.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/semver.h"
#include "base/text.h"

namespace slipway::gitops::flux {
namespace {

// Fields that would change what is read, and are not acted on.
Result<> check_supported(const kube::Object& source) {
  auto spec = source["spec"];
  // What signs an artifact is not what signs a commit: `verify` of an OCIRepository is another.
  auto artifact_verify = source.kind() == "GitRepository" ? "include" : "verify";
  for (auto key :
       {"include", artifact_verify, "proxySecretRef", "certSecretRef", "sparseCheckout", "serviceAccountName"})
    if (spec[key].present() && !(spec[key].text().empty() && spec[key].items().empty() && spec[key].members().empty()))
      return spec[key].wrong("this field of a source is not supported");
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

// How a GitRepository's Secret signs in. Rule: Flux's GitRepository, "Secret reference".
Result<git::Access> access_of(const kube::Object& source, const kube::Object& secret) {
  git::Access access;
  if (!secret) return access;
  for (auto [key, field] : {std::pair("username", &access.user), std::pair("password", &access.password),
                            std::pair("bearerToken", &access.bearer), std::pair("identity", &access.ssh_key),
                            std::pair("known_hosts", &access.known_hosts),
                            std::pair("tls.crt", &access.certificate_pem), std::pair("tls.key", &access.key_pem),
                            std::pair("caFile", &access.ca_pem), std::pair("ca.crt", &access.ca_pem)}) {
    TRY_IN(auto text, fmt::format("{} {}", secret.describe(), key), entry_of(secret, key));
    if (!text.empty()) *field = std::move(text);
  }
  auto url = source["spec"]["url"].text();
  if (url.starts_with("ssh://") || url.starts_with("git+ssh://")) {
    if (access.ssh_key.empty() || access.known_hosts.empty())
      return fail(Kind::invalid, "{}: want entries identity and known_hosts for {}", secret.describe(), url);
    if (!access.password.empty())
      return fail(Kind::invalid, "{}: an identity with a passphrase (password) is not supported", secret.describe());
    access.user.clear(), access.bearer.clear();
  } else {
    access.ssh_key.clear(), access.known_hosts.clear();
  }
  if (access.certificate_pem.empty() != access.key_pem.empty())
    return fail(Kind::invalid, "{}: want both tls.crt and tls.key, or neither", secret.describe());
  return access;
}

struct Place {
  std::string url;  // of url_apart; as it is for the embedded host, which asks nobody
  git::Access access;
};
Result<Place> place_of(const Ctx& ctx, kube::Client& home, const kube::Object& source) {
  TRY(auto access, git_access(ctx, home, source));
  auto url = source["spec"]["url"].text();
  return Place{url_apart(url, access), std::move(access)};
}

struct Stored {
  std::string repository, revision, digest;
  git::Oid commit;
  Verdict verdict = {};
};

Result<Stored> store_git(const Ctx& ctx, kube::Client& home, Repositories& repositories, const kube::Object& source) {
  auto spec = source["spec"];
  TRY(auto ref, git_ref(spec));
  TRY(auto place, place_of(ctx, home, source));
  TRY_OK(repositories.refresh(ctx, place.url, &place.access));
  TRY(auto opened, repositories.open(ctx, place.url));
  if (ref.range) {
    TRY(auto tag, newest_tag(opened, ref.look_up));
    if (!tag) return fail(Kind::not_found, "{}: no tag in the range {}", spec["url"].text(), ref.look_up);
    ref.look_up = "refs/tags/" + *tag, ref.shown = *tag;
  }
  TRY(auto commit, opened.resolve(ref.look_up));
  if (!commit) return fail(Kind::not_found, "{}: no revision {}", spec["url"].text(), ref.look_up);
  auto revision = ref.shown.empty() ? "sha1:" + *commit : fmt::format("{}@sha1:{}", ref.shown, *commit);
  auto tag = ref.look_up.starts_with("refs/tags/") ? ref.look_up : "";
  TRY(auto verdict, verify_source(ctx, home, source, opened, *commit, tag));
  return Stored{spec["url"].text(), revision, "", *commit, std::move(verdict)};
}

Result<Stored> store_oci(const Ctx& ctx, kube::Client& home, Repositories& repositories, const kube::Object& source) {
  auto spec = source["spec"];
  ArtifactRequest request;
  request.url = spec["url"].text();
  if (!request.url.starts_with("oci://")) return spec["url"].wrong("want oci://HOST/NAME");
  request.range = spec["ref"]["semver"].text(), request.filter = spec["ref"]["semverFilter"].text();
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

// What was stored before is still there.
doc::Value unready(const kube::Object& source, Conditions& conditions) {
  doc::Map status;
  if (auto artifact = source["status"]["artifact"]; artifact.present()) status.set("artifact", artifact.value());
  status.set("conditions", conditions.take());
  return status;
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
  return unready(source, conditions);
}

doc::Value unverified(const kube::Object& source, const Verdict& verdict, const std::string& now) {
  Conditions conditions(source, now);
  if (verdict.stalled)
    conditions.set("Stalled", "True", verdict.reason, verdict.message);
  else
    conditions.set("Reconciling", "True", "ProgressingWithRetry", verdict.message);
  conditions.set("Ready", "False", verdict.reason, verdict.message);
  conditions.set("SourceVerified", "False", verdict.reason, verdict.message);
  return unready(source, conditions);
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
  if (auto range = ref["semver"].text(); !range.empty()) {
    if (auto parsed = VersionRange::parse(range); !parsed) return ref["semver"].wrong(parsed.error().what());
    return GitRef{range, "", true};
  }
  if (!tag.empty()) return GitRef{"refs/tags/" + tag, tag};
  if (branch.empty()) branch = "master";
  return GitRef{"refs/heads/" + branch, branch};
}

Result<git::Access> git_access(const Ctx& ctx, kube::Client& home, const kube::Object& source) {
  TRY(auto secret, secret_of(ctx, home, source));
  return access_of(source, secret);
}

Result<std::string> git_url(const Ctx& ctx, kube::Client& home, const kube::Object& source) {
  TRY(auto place, place_of(ctx, home, source));
  return place.url;
}

Result<SourceLooked> look_at_source(const Ctx& ctx, kube::Client& home, Repositories& repositories,
                                    const kube::Object& source) {
  auto now = rfc3339(ctx.clock->wall());
  auto spec = source["spec"];
  auto interval = duration(spec["interval"], Millis(600000));
  auto stored = [&]() -> Result<Stored> {
    TRY_OK(interval);
    TRY_OK(check_supported(source));
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
  } else if (!stored->verdict.good) {
    looked.status = unverified(source, stored->verdict, now);
    looked.again = std::min(looked.again, Millis(30000));
  } else {
    Conditions conditions(source, now);
    auto word = source.kind() == "GitRepository" ? "revision" : "digest";
    conditions.set("Ready", "True", "Succeeded", fmt::format("stored artifact for {} '{}'", word, stored->revision));
    conditions.set("ArtifactInStorage", "True", "Succeeded",
                   fmt::format("stored artifact for {} '{}'", word, stored->revision));
    const auto& verdict = stored->verdict;
    if (!verdict.mode.empty()) conditions.set("SourceVerified", "True", verdict.reason, verdict.message);
    looked.status = doc::Map{{"artifact", artifact_doc(source, *stored, now)}, {"conditions", conditions.take()}};
    if (!verdict.mode.empty()) looked.status["sourceVerificationMode"] = verdict.mode;
  }
  finish_status(looked.status, source);
  return looked;
}

// What people use here instead.
std::string_view instead_of(const kube::Object& object) {
  if (object.kind() == "Bucket") return "buckets are not read by Slipway, want a GitRepository or an OCIRepository";
  if (object.type().group() == "notification.toolkit.fluxcd.io")
    return object.kind() == "Receiver" ? "webhooks come to Slipway's own address /hooks, without a Receiver"
                                       : "Slipway tells of what happens by its own Notifiers";
  if (object.type().group() == "image.toolkit.fluxcd.io")
    return "images are promoted by Slipway's Pipelines, by commits of what passed";
  return "Helm charts are not rendered by Slipway yet, want a Kustomization";
}

doc::Value unsupported(const kube::Object& object, const std::string& now) {
  std::string what(instead_of(object));
  Conditions conditions(object, now);
  conditions.set("Stalled", "True", "Unsupported", what);
  conditions.set("Ready", "False", "Unsupported", what);
  doc::Value status = doc::Map{{"conditions", conditions.take()}};
  finish_status(status, object);
  return status;
}

}  // namespace slipway::gitops::flux
