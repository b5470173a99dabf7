#pragma once
// Detached OpenPGP signatures, as git keeps them of commits and tags. GnuPG judges them, as it does for git and Argo
// CD, in folders of our own: nobody's key ring is read, and no key is fetched.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::secret {

inline constexpr std::size_t largest_signature = 1 << 16;  // bytes, of any kind
inline constexpr std::size_t largest_pgp_keys = 1 << 20;   // bytes, of one text

struct PgpSignature {
  std::string key;      // id of what signed, a subkey maybe: 16 upper-case hex digits; "" where it does not say
  std::string primary;  // of the key that it belongs to; "" for one that is not known
  // Why it is not good, "" when it is: "bad signature", "expired signature", "signed with expired key" (expired by
  // now), "signed with revoked key", "signed with key not in keyring".
  std::string wrong;
};

// The last 16 hex digits of a key's id (16) or fingerprint (40), upper-case; "" for what is neither.
std::string pgp_key_id(std::string_view text);
bool is_pgp_signature(std::string_view text);  // by how its armor begins

// Public keys. A copy is the same ring. What was said of a signature is said again for ten minutes. Threads: any.
class PgpKeys {
 public:
  PgpKeys();
  // Armored or not, several in one text. Returns the ids of the primary keys in it. Errors: invalid (no key in it, too
  // large), unavailable (no GnuPG here).
  Result<std::vector<std::string>> add(std::string_view text);
  // All of a signature's packets, at least one. Errors: invalid (no signature), unavailable.
  Result<std::vector<PgpSignature>> check(std::string_view payload, std::string_view signature) const;

 private:
  struct Ring;
  std::shared_ptr<Ring> ring_;
};

}  // namespace slipway::secret
