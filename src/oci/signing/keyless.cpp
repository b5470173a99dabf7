#include "oci/signing/keyless.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::oci::signing {
namespace {

constexpr std::size_t most = 32;  // entries, timestamps: no more are looked at

std::int64_t number_at(doc::View field) { return to_int(field.text()).value_or(-1); }
std::string bytes_at(doc::View field) { return from_base64(field.str_or("")).value_or(""); }

LogEntry entry_in(doc::View item) {
  LogEntry out{.body = bytes_at(item["canonicalizedBody"]),
               .log_id = bytes_at(item["logId"]["keyId"]),
               .integrated = number_at(item["integratedTime"]),
               .index = number_at(item["logIndex"]),
               .promise = bytes_at(item["inclusionPromise"]["signedEntryTimestamp"]),
               .proof = {}};
  auto proof = item["inclusionProof"];
  if (!proof.present()) return out;
  // A number that is none becomes one that is beyond every tree.
  LogEntry::Proof in{.index = static_cast<std::uint64_t>(number_at(proof["logIndex"])),
                     .size = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number_at(proof["treeSize"]))),
                     .hashes = {},
                     .root = bytes_at(proof["rootHash"]),
                     .checkpoint = proof["checkpoint"]["envelope"].str_or("")};
  for (const auto& hash : proof["hashes"].items()) in.hashes.push_back(bytes_at(hash));
  out.proof = std::move(in);
  return out;
}

Result<Evidence> evidence_in(doc::View material) {
  Evidence out;
  auto chain = material["x509CertificateChain"]["certificates"].items();
  auto leaf = material["certificate"].present() ? material["certificate"]
              : chain.empty()                   ? material["certificate"]
                                                : chain.front();
  if (!leaf.present()) return fail(Kind::invalid, "bundle: no certificate");
  out.leaf = certificate_of_der(bytes_at(leaf["rawBytes"]));
  if (!out.leaf) return fail(Kind::invalid, "bundle: its certificate cannot be read");
  auto entries = material["tlogEntries"].items(),
       timestamps = material["timestampVerificationData"]["rfc3161Timestamps"].items();
  if (entries.size() > most || timestamps.size() > most)
    return fail(Kind::invalid, "bundle: more than {} proofs", most);
  for (const auto& item : entries) out.entries.push_back(entry_in(item));
  for (const auto& item : timestamps) out.timestamps.push_back(bytes_at(item["signedTimestamp"]));
  return out;
}

}  // namespace

Result<Signer> verify(const TrustParts& trust, const Evidence& evidence, const Claim& claim) {
  std::vector<Seconds> seen;
  for (const auto& entry : evidence.entries) {
    TRY(auto time, check_entry(trust, entry));
    TRY_OK(check_body(entry, claim, *evidence.leaf));
    if (time) seen.push_back(*time);
  }
  if (!trust.transparency.empty() && evidence.entries.empty())
    return fail(Kind::denied, "signature: in no log, and the trust root names one");
  for (const auto& response : evidence.timestamps) {
    // A root that names no authority has nothing to say about them.
    if (trust.timestamps.empty()) continue;
    TRY(auto time, check_timestamp(trust, response, claim.signature));
    seen.push_back(time);
  }
  if (seen.empty()) return fail(Kind::denied, "signature: nobody of the trust root says when it was made");
  Signer signer;
  for (auto at : seen) {
    TRY(signer, check_certificate(trust, evidence.leaf.get(), at));
  }
  TRY(auto key, key_of(*evidence.leaf));
  if (!key.verifies(claim.signed_bytes, claim.signature))
    return fail(Kind::denied, "signature: not by the key of its certificate");
  return signer;
}

Result<std::pair<Statement, Signer>> open_keyless(std::string_view bundle, const TrustParts& trust) {
  TRY(auto value, doc::parse_json(bundle, "bundle"));
  doc::View view(value, "bundle");
  TRY(auto evidence, evidence_in(view["verificationMaterial"]));
  auto envelope = view["dsseEnvelope"];
  auto signatures = envelope["signatures"].items();
  auto payload = from_base64(envelope["payload"].str_or(""));
  if (!payload || envelope["payloadType"].str_or("") != payload_type || signatures.size() != 1)
    return fail(Kind::invalid, "bundle: no envelope of a statement with one signature");
  auto signature = bytes_at(signatures[0]["sig"]);
  auto bytes = to_be_signed(payload_type, *payload);
  TRY(auto signer, verify(trust, evidence, {bytes, *payload, signature, true}));
  auto statement = read_statement(*payload);
  if (!statement) return fail(Kind::invalid, "bundle: no in-toto statement");
  return std::pair{*std::move(statement), std::move(signer)};
}

Result<Signer> check_annotations(const std::map<std::string, std::string>& annotations, std::string_view payload,
                                 std::string_view signature, const TrustParts& trust) {
  auto at = [&](const char* name) {
    auto found = annotations.find(std::string("dev.sigstore.cosign/") + name);
    return found == annotations.end() ? std::string() : found->second;
  };
  Evidence evidence;
  evidence.leaf = certificate_of_pem(at("certificate"));
  if (!evidence.leaf) return fail(Kind::invalid, "signature: without a certificate");
  if (auto text = at("bundle"); !text.empty()) {
    TRY(auto value, doc::parse_json(text, "dev.sigstore.cosign/bundle"));
    doc::View view(value, "dev.sigstore.cosign/bundle");
    auto entry = view["Payload"];
    evidence.entries.push_back({.body = bytes_at(entry["body"]),
                                .log_id = from_hex(entry["logID"].str_or("")).value_or(""),
                                .integrated = number_at(entry["integratedTime"]),
                                .index = number_at(entry["logIndex"]),
                                .promise = bytes_at(view["SignedEntryTimestamp"]),
                                .proof = {}});
  }
  if (auto text = at("rfc3161timestamp"); !text.empty()) {
    TRY(auto value, doc::parse_json(text, "dev.sigstore.cosign/rfc3161timestamp"));
    evidence.timestamps.push_back(bytes_at(doc::View(value)["SignedRFC3161Timestamp"]));
  }
  return verify(trust, evidence, {payload, payload, signature, false});
}

bool is_keyless(std::string_view bundle) {
  auto value = doc::parse_json(bundle, "bundle");
  if (!value) return false;
  auto material = doc::View(*value)["verificationMaterial"];
  return material["certificate"].present() || material["x509CertificateChain"].present();
}

bool is_one_of(const Signer& signer, const std::vector<Identity>& identities) {
  return std::any_of(identities.begin(), identities.end(), [&](const Identity& one) {
    return one.issuer == signer.issuer &&
           (one.subject == signer.subject || (one.subject.contains('*') && glob_match(one.subject, signer.subject)));
  });
}

}  // namespace slipway::oci::signing
