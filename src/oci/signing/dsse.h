#pragma once
// Signed statements. Rules: DSSE 1.0 (pre-authentication encoding), in-toto Statement v1, Sigstore bundle v0.3.
#include "oci/signing.h"

namespace slipway::oci::signing {

inline constexpr std::string_view payload_type = "application/vnd.in-toto+json";

struct Statement {
  std::vector<std::string> sha256;  // of its subjects
  std::string predicate_type;
  doc::Value predicate;
};
// DSSE's pre-authentication encoding: what is signed.
std::string to_be_signed(std::string_view type, std::string_view body);
// Nothing: it is none.
std::optional<Statement> read_statement(std::string_view json);
std::string print_statement(const std::string& name, const Digest& image, std::string_view predicate_type,
                            const doc::Value& predicate);
// A bundle's JSON. `public_pem` gives the hint of the key.
Result<std::string> make_bundle(std::string_view statement, const SigningKey& key);
// What one of the keys signed, and which. Nothing: none of them did, or it is no bundle we know.
std::optional<std::pair<Statement, std::size_t>> open_bundle(std::string_view json,
                                                             const std::vector<VerificationKey>& keys);

}  // namespace slipway::oci::signing
