#pragma once
// AES-256-GCM.
#include <string>
#include <string_view>

namespace slipway::secret::detail {

struct GcmKey {
  std::string_view key, nonce, context;  // 32 bytes; 1 to 64; additional data
};
// One direction or the other; the tag of 16 bytes is given or checked.
bool crypt_gcm(bool sealing, const GcmKey& key, std::string_view in, std::string& out, std::string& tag);

}  // namespace slipway::secret::detail
