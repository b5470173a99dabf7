#include "secret/detail/crypt.h"

#include <openssl/evp.h>

#include <memory>

namespace slipway::secret::detail {
namespace {

constexpr int tag_size = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

bool crypt_gcm(bool sealing, const GcmKey& key, std::string_view in, std::string& out, std::string& tag) {
  std::unique_ptr<EVP_CIPHER_CTX, FreeContext> c(EVP_CIPHER_CTX_new());
  int written = 0, direction = sealing ? 1 : 0;
  out.resize(in.size());
  if (!c || key.key.size() != 32 || key.nonce.empty() || key.nonce.size() > 64 ||
      EVP_CipherInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr, direction) != 1 ||
      EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(key.nonce.size()), nullptr) != 1 ||
      EVP_CipherInit_ex(c.get(), nullptr, nullptr, raw(key.key), raw(key.nonce), direction) != 1)
    return false;
  if (!key.context.empty() &&
      EVP_CipherUpdate(c.get(), nullptr, &written, raw(key.context), static_cast<int>(key.context.size())) != 1)
    return false;
  if (!in.empty() && EVP_CipherUpdate(c.get(), raw(out), &written, raw(in), static_cast<int>(in.size())) != 1)
    return false;
  if (!sealing &&
      (tag.size() != tag_size || EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) != 1))
    return false;
  unsigned char rest[16];
  if (EVP_CipherFinal_ex(c.get(), rest, &written) != 1) return false;
  if (!sealing) return true;
  tag.resize(tag_size);
  return EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1;
}

}  // namespace slipway::secret::detail
