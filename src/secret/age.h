#pragma once
// age files: a text for whoever holds one of some keys, or a passphrase. Format: age-encryption.org/v1 (C2SP).
// X25519 recipients and scrypt; binary and ASCII armor. Other kinds of recipients are passed over.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::secret {

// Bytes that are overwritten when they go. Threads: as a value.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }
  const std::string& bytes() const { return bytes_; }

 private:
  void wipe();
  std::string bytes_;
};

// age1...: whom a file is for.
class AgeRecipient {
 public:
  // Errors: invalid.
  static Result<AgeRecipient> parse(std::string_view text);
  const std::string& text() const { return text_; }
  const std::string& point() const { return point_; }  // 32 bytes

 private:
  AgeRecipient(std::string text, std::string point) : text_(std::move(text)), point_(std::move(point)) {}
  std::string text_, point_;
};

// AGE-SECRET-KEY-1...: who can read it.
class AgeIdentity {
 public:
  static AgeIdentity generate();
  // Errors: invalid; the text itself is never in the message.
  static Result<AgeIdentity> parse(std::string_view text);
  const std::string& recipient() const { return recipient_; }  // age1...
  const std::string& point() const { return point_; }          // of the recipient
  const Secret& scalar() const { return scalar_; }
  std::string text() const;  // AGE-SECRET-KEY-1...

 private:
  explicit AgeIdentity(Secret scalar);
  Secret scalar_;
  std::string point_, recipient_;
};
// A key file: an identity a line, # starts a comment. Errors: invalid, with source:line.
Result<std::vector<AgeIdentity>> parse_identities(std::string_view text, std::string_view source);

enum class Armor { no, yes };
Result<std::string> age_encrypt(std::string_view plain, std::span<const AgeRecipient> recipients, Armor armor);
// `cost`: the scrypt work factor as a power of two.
Result<std::string> age_encrypt(std::string_view plain, std::string_view passphrase, Armor armor, int cost = 18);
// Takes both forms. Errors: invalid (no age file), denied (no key fits), corrupt (it was changed).
Result<std::string> age_decrypt(std::string_view file, std::span<const AgeIdentity> identities);
Result<std::string> age_decrypt(std::string_view file, std::string_view passphrase);
bool is_age_file(std::string_view text);

}  // namespace slipway::secret
