#include "oci/signing/dsse.h"

#include "base/encode.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::oci::signing {
namespace {

constexpr std::string_view statement_type = "https://in-toto.io/Statement/v1";

}  // namespace

std::string to_be_signed(std::string_view type, std::string_view body) {
  return fmt::format("DSSEv1 {} {} {} {}", type.size(), type, body.size(), body);
}

std::optional<Statement> read_statement(std::string_view json) {
  auto value = doc::parse_json(json, "statement");
  if (!value) return {};
  doc::View view(*value);
  if (!view["_type"].str_or("").starts_with("https://in-toto.io/Statement/")) return {};
  Statement out;
  out.predicate_type = view["predicateType"].str_or("");
  out.predicate = view["predicate"].value();
  for (const auto& subject : view["subject"].items()) out.sha256.push_back(subject["digest"]["sha256"].str_or(""));
  return out;
}

std::string print_statement(const std::string& name, const Digest& image, std::string_view predicate_type,
                            const doc::Value& predicate) {
  doc::Map digest;
  digest.set(std::string(image.algorithm()), std::string(image.hex()));
  return doc::print_json(doc::Map{{"_type", statement_type},
                                  {"subject", doc::List{doc::Map{{"name", name}, {"digest", std::move(digest)}}}},
                                  {"predicateType", predicate_type},
                                  {"predicate", predicate}});
}

Result<std::string> make_bundle(std::string_view statement, const SigningKey& key) {
  TRY(auto signature, key.sign(to_be_signed(payload_type, statement)));
  TRY(auto verifier, VerificationKey::load(key.public_pem()));
  doc::Map envelope{{"payload", to_base64(statement)},
                    {"payloadType", payload_type},
                    {"signatures", doc::List{doc::Map{{"sig", to_base64(signature)}}}}};
  return doc::print_json(
      doc::Map{{"mediaType", bundle_type},
               {"verificationMaterial", doc::Map{{"publicKey", doc::Map{{"hint", verifier.hint()}}}}},
               {"dsseEnvelope", std::move(envelope)}});
}

std::optional<std::pair<Statement, std::size_t>> open_bundle(std::string_view json,
                                                             const std::vector<VerificationKey>& keys) {
  auto value = doc::parse_json(json, "bundle");
  if (!value) return {};
  // Of version 0.1 on the envelope is the same; a bare one is what cosign attached before there were bundles.
  doc::View view(*value);
  auto envelope = view["dsseEnvelope"].present() ? view["dsseEnvelope"] : view;
  auto type = envelope["payloadType"].str_or("");
  auto payload = from_base64(envelope["payload"].str_or(""));
  if (!payload || type != payload_type) return {};
  auto bytes = to_be_signed(type, *payload);
  for (const auto& one : envelope["signatures"].items()) {
    auto signature = from_base64(one["sig"].str_or(""));
    for (std::size_t i = 0; signature && i < keys.size(); ++i) {
      if (!keys[i].verifies(bytes, *signature)) continue;
      auto statement = read_statement(*payload);
      if (!statement) return {};
      return std::pair{*std::move(statement), i};
    }
  }
  return {};
}

}  // namespace slipway::oci::signing
