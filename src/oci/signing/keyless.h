#pragma once
// Keyless signatures: who signed is in a certificate of Sigstore's, not in a key that somebody keeps. Private to oci.
#include "oci/signing/dsse.h"
#include "oci/signing/evidence.h"

namespace slipway::oci::signing {

// A bundle's statement and who signed it. Errors: invalid (no keyless bundle), denied (what does not hold).
Result<std::pair<Statement, Signer>> open_keyless(std::string_view bundle, const TrustParts& trust);
// Who signed cosign's classic payload, by the annotations of its layer.
// Errors: invalid (no keyless signature), denied (what does not hold).
Result<Signer> check_annotations(const std::map<std::string, std::string>& annotations, std::string_view payload,
                                 std::string_view signature, const TrustParts& trust);
// Whether a bundle brings a certificate in place of a key.
bool is_keyless(std::string_view bundle);
bool is_one_of(const Signer& signer, const std::vector<Identity>& identities);

}  // namespace slipway::oci::signing
