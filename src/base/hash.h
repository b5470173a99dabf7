#pragma once
// Digests and random bytes (OpenSSL behind them).
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

// A content address as OCI prints it: "sha256:" and 64 hex digits. Ordered and hashable as its text.
class Digest {
 public:
  Digest() = default;
  // Errors: invalid unless it is sha256 or sha512 with lower-case hex of the right length.
  static Result<Digest> parse(std::string_view text);
  static Digest of(std::string_view bytes);  // sha256
  const std::string& str() const { return text_; }
  std::string_view hex() const { return std::string_view(text_).substr(text_.find(':') + 1); }
  std::string_view algorithm() const { return std::string_view(text_).substr(0, text_.find(':')); }
  std::string short_hex() const { return std::string(hex().substr(0, 12)); }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  friend class Hasher;
  std::string text_;
};

// Incremental hash. Threads: one.
class Hasher {
 public:
  enum class Algorithm { sha1, sha256, sha512, md5 };
  explicit Hasher(Algorithm algorithm = Algorithm::sha256);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  Hasher& update(std::string_view bytes);
  std::string finish_raw();  // the bytes
  std::string finish_hex();
  Digest finish();  // sha256 or sha512 only

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

std::string sha256_hex(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes);  // raw bytes
// Compares in constant time.
bool same_secret(std::string_view a, std::string_view b);

std::string random_bytes(std::size_t n);
std::string random_hex(std::size_t bytes);
std::string uuid4();
// n characters as Kubernetes generates name suffixes with (no vowels, no look-alikes).
std::string random_name(std::size_t n);

}  // namespace slipway

template <>
struct std::hash<slipway::Digest> {
  std::size_t operator()(const slipway::Digest& d) const noexcept { return std::hash<std::string>()(d.str()); }
};
