#pragma once
// What a Sigstore trust root says: the authorities of certificates and of timestamps, and the logs. Private to oci.
#include <openssl/x509.h>

#include "base/fd.h"
#include "oci/signing.h"

namespace slipway::oci::signing {

using Certificate = Owned<X509, X509_free>;
using Seconds = std::int64_t;  // since 1970

struct Period {
  std::optional<Seconds> from, until;
  bool holds(Seconds at) const { return (!from || at >= *from) && (!until || at <= *until); }
};
struct Log {
  std::string id;  // sha256 of its key's DER, raw
  VerificationKey key;
  Period period;
};
struct Authority {
  std::vector<Certificate> chain;  // the last is the anchor
  Period period;
};
struct TrustParts {
  std::vector<Authority> certificates, timestamps;
  std::vector<Log> transparency, certificate_logs;
};

// Rule: Sigstore's protobuf-specs, TrustedRoot version 0.1. Errors: invalid, with the field.
Result<TrustParts> read_trust(std::string_view json);
// Nothing: no certificate.
Certificate certificate_of_der(std::string_view der);
Certificate certificate_of_pem(std::string_view pem);
std::string der_of(const X509& certificate);
// Of the certificate's own key. Errors: invalid.
Result<VerificationKey> key_of(const X509& certificate);

}  // namespace slipway::oci::signing
