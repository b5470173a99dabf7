// Rekor's entries: that the log holds them (its promise, or a proof up to a checkpoint that it signed), and what of.
#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/signing/evidence.h"

namespace slipway::oci::signing {
namespace {

std::string sha256_raw(std::string_view bytes) { return Hasher().update(bytes).finish_raw(); }

// RFC 6962, section 2.1.1, as RFC 9162, section 2.1.3.2 verifies it.
std::optional<std::string> root_of(const LogEntry::Proof& proof, std::string_view body) {
  if (proof.index >= proof.size || proof.hashes.size() > 64) return {};
  auto node = sha256_raw(std::string(1, '\0') + std::string(body));
  auto pair = [](std::string_view left, std::string_view right) {
    return sha256_raw(std::string(1, '\1') + std::string(left) + std::string(right));
  };
  auto at = proof.index, last = proof.size - 1;
  for (const auto& hash : proof.hashes) {
    if (hash.size() != 32 || last == 0) return {};
    if ((at & 1) != 0 || at == last) {
      node = pair(hash, node);
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      node = pair(node, hash);
    }
    at >>= 1, last >>= 1;
  }
  if (last != 0) return {};
  return node;
}

// A signed note of three lines or more: origin, size, root; then who signed it.
bool checkpoint_says(const LogEntry::Proof& proof, const Log& log) {
  auto end = proof.checkpoint.find("\n\n");
  if (end == std::string::npos) return false;
  auto text = std::string_view(proof.checkpoint).substr(0, end + 1);
  auto lines = split(text, '\n');
  if (lines.size() < 3 || lines[1] != std::to_string(proof.size) || lines[2] != to_base64(proof.root)) return false;
  constexpr std::string_view dash = "\xe2\x80\x94 ";
  for (auto line : split(std::string_view(proof.checkpoint).substr(end + 2), '\n')) {
    auto space = line.rfind(' ');
    if (!line.starts_with(dash) || space == std::string_view::npos) continue;
    auto signature = from_base64(line.substr(space + 1));
    // The first four bytes tell keys apart.
    if (signature && signature->size() > 4 && log.key.verifies(text, std::string_view(*signature).substr(4)))
      return true;
  }
  return false;
}

// What the log signs for a promise: canonical JSON (RFC 8785).
std::string promised(const LogEntry& entry) {
  return fmt::format(R"({{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}})", to_base64(entry.body),
                     entry.integrated, to_hex(entry.log_id), entry.index);
}

bool is_leaf(doc::View pem_in_base64, const X509& leaf) {
  auto pem = from_base64(pem_in_base64.str_or(""));
  auto certificate = pem ? certificate_of_pem(*pem) : Certificate();
  return certificate && der_of(*certificate) == der_of(leaf);
}

}  // namespace

Result<std::optional<Seconds>> check_entry(const TrustParts& trust, const LogEntry& entry) {
  const Log* log = nullptr;
  for (const auto& one : trust.transparency)
    if (one.id == entry.log_id) log = &one;
  if (log == nullptr) return fail(Kind::denied, "log entry: of a log that the trust root does not name");
  if (entry.promise.empty() && !entry.proof) return fail(Kind::denied, "log entry: neither a promise nor a proof");
  if (entry.proof) {
    auto root = root_of(*entry.proof, entry.body);
    if (!root || *root != entry.proof->root) return fail(Kind::denied, "log entry: its proof leads to another root");
    if (!checkpoint_says(*entry.proof, *log))
      return fail(Kind::denied, "log entry: its checkpoint is not signed by the log");
  }
  if (entry.promise.empty()) return std::optional<Seconds>();
  if (!log->key.verifies(promised(entry), entry.promise))
    return fail(Kind::denied, "log entry: its promise is not signed by the log");
  if (!log->period.holds(entry.integrated))
    return fail(Kind::denied, "log entry: from outside the time in which the log counts");
  return std::optional(entry.integrated);
}

Result<> check_body(const LogEntry& entry, const Claim& claim, const X509& leaf) {
  TRY(auto value, doc::parse_json(entry.body, "log entry"));
  doc::View view(value, "log entry");
  auto spec = view["spec"];
  auto kind = fmt::format("{} {}", view["kind"].str_or(""), view["apiVersion"].str_or(""));
  auto signature = to_base64(claim.signature);
  auto other = [&](std::string_view what) { return fail(Kind::denied, "log entry: of another {}", what); };
  if (kind == "hashedrekord 0.0.1") {
    if (claim.envelope) return other("kind of signature");
    auto hash = spec["data"]["hash"];
    if (hash["algorithm"].str_or("") != "sha256" || hash["value"].str_or("") != sha256_hex(claim.payload))
      return other("payload");
    if (spec["signature"]["content"].str_or("") != signature) return other("signature");
    return is_leaf(spec["signature"]["publicKey"]["content"], leaf) ? Result<>() : other("certificate");
  }
  bool dsse = kind == "dsse 0.0.1";
  if (!dsse && kind != "intoto 0.0.2") return fail(Kind::denied, "log entry: {} is not known here", kind);
  if (!claim.envelope) return other("kind of signature");
  auto hash = dsse ? spec["payloadHash"] : spec["content"]["payloadHash"];
  if (hash["algorithm"].str_or("") != "sha256" || hash["value"].str_or("") != sha256_hex(claim.payload))
    return other("payload");
  auto all = dsse ? spec["signatures"].items() : spec["content"]["envelope"]["signatures"].items();
  for (const auto& one : all) {
    // intoto has the base64 of the base64.
    auto logged = dsse ? one["signature"].str_or("") : from_base64(one["sig"].str_or("")).value_or("");
    if (logged == signature && is_leaf(dsse ? one["verifier"] : one["publicKey"], leaf)) return {};
  }
  return other("signature");
}

}  // namespace slipway::oci::signing
