#pragma once
// What comes with a keyless signature, and each part's own check. Nothing here is believed before its check.
// Private to oci.
#include "oci/signing/detail/trust.h"

namespace slipway::oci::signing {

// An entry of a transparency log (Rekor).
struct LogEntry {
  struct Proof {
    std::uint64_t index = 0, size = 0;
    std::vector<std::string> hashes;
    std::string root, checkpoint;
  };
  std::string body;    // what the log holds, JSON
  std::string log_id;  // raw
  Seconds integrated = 0;
  std::int64_t index = 0;
  std::string promise;  // the log's signature that it will hold it; "": none
  std::optional<Proof> proof;
};
struct Evidence {
  Certificate leaf;
  std::vector<LogEntry> entries;
  std::vector<std::string> timestamps;  // RFC 3161 responses, DER
};
// What is said to be signed. `envelope`: the payload of a DSSE envelope, else the signed bytes are the payload.
struct Claim {
  std::string_view signed_bytes, payload, signature;
  bool envelope = false;
};
struct Signer {
  std::string subject, issuer;
};

// The whole: a certificate that was valid when a log or a timestamp authority saw the signature, by an authority of the
// trust root; logged there, when the root names logs; and the signature by its key.
// Errors: denied, saying which part does not hold.
Result<Signer> verify(const TrustParts& trust, const Evidence& evidence, const Claim& claim);

// The parts. `at`: when the signature was seen.
Result<Signer> check_certificate(const TrustParts& trust, X509* leaf, Seconds at);
// Is the entry in the log? The time, when the log has signed it; nothing: only that it is in.
Result<std::optional<Seconds>> check_entry(const TrustParts& trust, const LogEntry& entry);
// Is the entry of this very signature, by this certificate?
Result<> check_body(const LogEntry& entry, const Claim& claim, const X509& leaf);
// Gives the time. `response` is of these bytes.
Result<Seconds> check_timestamp(const TrustParts& trust, std::string_view response, std::string_view bytes);

}  // namespace slipway::oci::signing
