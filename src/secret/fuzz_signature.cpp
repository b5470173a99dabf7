// Signatures from anybody who may push: what is not made by a key is never good, and what is handed to GnuPG is packets
// of signatures alone.
#include "base/encode.h"
#include "base/text.h"
#include "secret/detail/pgp_packets.h"
#include "secret/openpgp.h"
#include "secret/ssh_signature.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto packets = secret::detail::signature_packets(text)) {
    SLP_ASSERT(secret::is_pgp_signature(text) && packets->size() >= 2 && (packets->front() & 0x80) != 0);
    auto again = secret::detail::signature_packets(
        fmt::format("-----BEGIN PGP SIGNATURE-----\n\n{}\n-----END PGP SIGNATURE-----\n", to_base64(*packets)));
    SLP_ASSERT(again.has_value() && *again == *packets);
  }
  // A key that nobody has signed anything with; of other inputs the first line is one.
  secret::SshKeys keys;
  auto first = text.substr(0, text.find('\n'));
  auto added = keys.add(first);
  SLP_ASSERT(added.has_value() || keys.empty());
  SLP_ASSERT(!keys.check("nobody signed this", text.substr(std::min(text.size(), first.size() + 1))));
  (void)secret::pgp_key_id(text);
  return 0;
}
