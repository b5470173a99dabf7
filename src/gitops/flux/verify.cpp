#include "gitops/flux/verify.h"

#include "base/encode.h"
#include "base/text.h"
#include "gitops/signatures.h"
#include "secret/ssh_signature.h"

namespace slipway::gitops::flux {
namespace {

constexpr std::string_view ssh_suffix = ".sshpub", pgp_suffix = ".asc";

struct Keys {
  std::shared_ptr<const KeyRing> pgp;
  secret::SshKeys ssh;
  std::string broken_ssh;  // the first entry that cannot be read
  bool any_pgp = false, any_ssh = false;
};

Result<Keys> keys_of(const kube::Object& secret) {
  Keys keys;
  KeyEntries pgp;
  for (const auto& [name, value] : secret["data"].members()) {
    auto text = from_base64(value.text());
    if (!text) return fail(Kind::invalid, "{} {}: {}", secret.describe(), name, text.error().what());
    if (!name.ends_with(ssh_suffix)) {
      pgp[name] = *std::move(text);
      continue;
    }
    keys.any_ssh = true;
    if (auto added = keys.ssh.add(*text); !added && keys.broken_ssh.empty())
      keys.broken_ssh = fmt::format("{}: {}", name, added.error().what());
  }
  keys.any_pgp = !pgp.empty();
  TRY(keys.pgp, key_ring(pgp, false));
  return keys;
}

// The key that signed it: of OpenPGP the primary one's id, of SSH its fingerprint. Errors: denied, invalid.
Result<std::string> signer_of(const git::SignedObject& object, const Keys& keys, std::string_view what) {
  if (secret::is_pgp_signature(object.signature)) {
    if (!keys.any_pgp)
      return fail(Kind::denied, "PGP signature detected but no PGP public keys found in secret (keys with {} suffix)",
                  pgp_suffix);
    if (keys.pgp->empty)
      return fail(Kind::denied, "unable to verify Git {}: unable to read armored key ring: {}", what, keys.pgp->broken);
    auto said = keys.pgp->keys.check(object.payload, object.signature);
    if (!said && !said.error().is(Kind::invalid)) return Fail(std::move(said).error());
    if (said)
      for (const auto& one : *said)
        if (one.wrong.empty()) return one.primary;
    auto why = said ? fmt::format("{}, {}", said->front().wrong, said->front().key) : said.error().what();
    return fail(Kind::denied,
                "unable to verify Git {}: unable to verify payload with any of the given key rings: no matching key "
                "({})",
                what, why);
  }
  if (secret::is_ssh_signature(object.signature)) {
    if (!keys.any_ssh)
      return fail(Kind::denied, "SSH signature detected but no SSH public keys found in secret (keys with {} suffix)",
                  ssh_suffix);
    if (keys.ssh.empty() && !keys.broken_ssh.empty())
      return fail(Kind::denied, "unable to verify Git {} SSH signature: unable to parse authorized keys: {}", what,
                  keys.broken_ssh);
    auto signer = keys.ssh.check(object.payload, object.signature);
    if (signer) return signer;
    return fail(Kind::denied,
                "unable to verify Git {} SSH signature: unable to verify payload with any of the given authorized "
                "keys: no matching key ({})",
                what, signer.error().what());
  }
  bool x509 = trim(object.signature).starts_with("-----BEGIN SIGNED MESSAGE-----");
  return fail(Kind::denied, "unsupported signature type: {}",
              object.signature.empty() ? "empty"
              : x509                   ? "x509"
                                       : "unknown");
}

Verdict refused(Verdict verdict, std::string_view reason, std::string message, bool stalled = false) {
  verdict.good = false, verdict.stalled = stalled;
  verdict.reason = reason, verdict.message = std::move(message);
  return verdict;
}

bool is_transient(const Error& error) { return !error.is(Kind::denied) && !error.is(Kind::invalid); }

Result<std::string> mode_of(doc::View verify) {
  auto mode = verify["mode"].str_or("HEAD");
  if (mode == "head") mode = "HEAD";
  if (mode != "HEAD" && mode != "Tag" && mode != "TagAndHEAD")
    return verify["mode"].wrong(fmt::format("got \"{}\", want HEAD, Tag or TagAndHEAD", mode));
  if (verify["secretRef"]["name"].text().empty()) return verify["secretRef"].wrong("want {name} of a Secret with keys");
  return mode;
}

}  // namespace

Result<Verdict> verify_source(const Ctx& ctx, kube::Client& home, const kube::Object& source,
                              const git::Repository& repository, const git::Oid& commit, const std::string& tag) {
  auto verify = source["spec"]["verify"];
  Verdict verdict;
  if (!verify.present()) return verdict;
  TRY(verdict.mode, mode_of(verify));
  auto name = verify["secretRef"]["name"].text();
  TRY(auto secret, home.get(ctx, {"v1", "Secret"}, {source.ns(), name}));
  if (!secret)
    return refused(std::move(verdict), "VerificationError",
                   fmt::format("public keys secret error: Secret \"{}\" not found", name));
  auto keys = keys_of(*secret);
  if (!keys && is_transient(keys.error())) return Fail(std::move(keys).error());
  if (!keys)
    return refused(std::move(verdict), "VerificationError", "public keys secret error: " + keys.error().what());
  std::string message;
  auto add = [&](const std::string& what, const std::string& key) {
    message += fmt::format("{}\n\t- {} with key '{}'", message.empty() ? "verified signature of" : "", what, key);
  };
  if (verdict.mode != "HEAD") {
    if (tag.empty())
      return refused(std::move(verdict), "InvalidVerificationMode",
                     "cannot verify tag object's signature if a tag reference is not specified", true);
    auto shown = tag.substr(std::string_view("refs/tags/").size());
    TRY(auto id, repository.annotated_tag(tag));
    if (id) shown += "@" + *id;
    auto object = id ? repository.signed_object(*id) : Result<git::SignedObject>(git::SignedObject());
    if (!object && is_transient(object.error())) return Fail(std::move(object).error());
    if (object && object->signature.empty())
      return refused(std::move(verdict), "InvalidGitObject",
                     fmt::format("cannot verify signature of tag '{}' since it is not signed", shown));
    auto signer = object ? signer_of(*object, *keys, "tag") : Result<std::string>(Fail(object.error()));
    if (!signer && is_transient(signer.error())) return Fail(std::move(signer).error());
    if (!signer)
      return refused(std::move(verdict), "InvalidTagSignature",
                     fmt::format("signature verification of tag '{}' failed: {}", shown, signer.error().what()));
    TRY(auto now, repository.resolve(*id));
    if (now != commit) return fail(Kind::unavailable, "{} has moved meanwhile", tag);
    add(fmt::format("tag '{}'", shown), *signer);
  }
  if (verdict.mode != "Tag") {
    auto object = repository.signed_object(commit);
    if (!object && is_transient(object.error())) return Fail(std::move(object).error());
    auto signer = object ? signer_of(*object, *keys, "commit") : Result<std::string>(Fail(object.error()));
    if (!signer && is_transient(signer.error())) return Fail(std::move(signer).error());
    if (!signer)
      return refused(std::move(verdict), "InvalidCommitSignature",
                     fmt::format("signature verification of commit '{}' failed: {}", commit, signer.error().what()));
    add(fmt::format("commit '{}'", commit), *signer);
  }
  verdict.reason = "Succeeded", verdict.message = std::move(message);
  return verdict;
}

}  // namespace slipway::gitops::flux
