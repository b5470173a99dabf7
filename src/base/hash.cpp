#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/encode.h"
#include "base/fd.h"

namespace slipway {

Result<Digest> Digest::parse(std::string_view text) {
  std::size_t want = text.starts_with("sha256:") ? 64 : text.starts_with("sha512:") ? 128 : 0;
  auto hex = text.substr(std::min(text.size(), std::size_t{7}));
  bool good = want != 0 && hex.size() == want && std::all_of(hex.begin(), hex.end(), [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
              });
  if (!good)
    return fail(Kind::invalid, "digest \"{}\": want sha256: and 64 lower-case hex digits", text.substr(0, 200));
  Digest digest;
  digest.text_ = text;
  return digest;
}

Digest Digest::of(std::string_view bytes) { return Hasher().update(bytes).finish(); }

struct Hasher::Rep {
  Owned<EVP_MD_CTX, EVP_MD_CTX_free> md{EVP_MD_CTX_new()};
  Algorithm algorithm;
};

Hasher::Hasher(Algorithm algorithm) : rep_(new Rep) {
  rep_->algorithm = algorithm;
  const EVP_MD* md = nullptr;
  switch (algorithm) {
    case Algorithm::sha1:
      md = EVP_sha1();
      break;
    case Algorithm::sha256:
      md = EVP_sha256();
      break;
    case Algorithm::sha512:
      md = EVP_sha512();
      break;
    case Algorithm::md5:
      md = EVP_md5();
      break;
  }
  SLP_ASSERT(EVP_DigestInit_ex(rep_->md.get(), md, nullptr) == 1);
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::update(std::string_view bytes) {
  EVP_DigestUpdate(rep_->md.get(), bytes.data(), bytes.size());
  return *this;
}

std::string Hasher::finish_raw() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(rep_->md.get(), raw, &size);
  return {reinterpret_cast<char*>(raw), size};
}

std::string Hasher::finish_hex() { return to_hex(finish_raw()); }

Digest Hasher::finish() {
  SLP_ASSERT(rep_->algorithm == Algorithm::sha256 || rep_->algorithm == Algorithm::sha512);
  Digest digest;
  digest.text_ = (rep_->algorithm == Algorithm::sha256 ? "sha256:" : "sha512:") + finish_hex();
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return Hasher().update(bytes).finish_hex(); }
std::string sha1_hex(std::string_view bytes) { return Hasher(Hasher::Algorithm::sha1).update(bytes).finish_hex(); }

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
       bytes.size(), raw, &size);
  return {reinterpret_cast<char*>(raw), size};
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t n) {
  std::string bytes(n, '\0');
  SLP_ASSERT(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(n)) == 1);
  return bytes;
}

std::string random_hex(std::size_t bytes) { return to_hex(random_bytes(bytes)); }

std::string uuid4() {
  auto bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  auto hex = to_hex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

std::string random_name(std::size_t n) {
  static constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  auto name = random_bytes(n);
  for (auto& c : name) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return name;
}

}  // namespace slipway
