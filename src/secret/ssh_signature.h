#pragma once
// Detached signatures of SSH keys, as git keeps them of commits and tags. Format: OpenSSH, PROTOCOL.sshsig.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::secret {

bool is_ssh_signature(std::string_view text);  // by how its armor begins

// Lines of authorized_keys: a key each, behind options maybe, which say nothing here. Keys of ed25519, ecdsa and rsa of
// 2048 bits and more; those on a security key are not understood.
class SshKeys {
 public:
  // Errors: invalid, with the line; nothing of the text counts then.
  Result<> add(std::string_view text);
  bool empty() const { return blobs_.empty(); }
  // The fingerprint ("SHA256:...") of the key that signed this, for git. Errors: invalid (no signature, or none of what
  // is understood), denied (of another key, of something else, for another purpose).
  Result<std::string> check(std::string_view payload, std::string_view signature) const;

 private:
  std::vector<std::string> blobs_;  // keys in the form of RFC 4253, section 6.6
};

}  // namespace slipway::secret
