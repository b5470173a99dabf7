#pragma once
// Secrets in text: by the formats that providers publish, and by context and entropy for the rest.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "path/types.h"

namespace slipway::scan {

struct SecretRule {
  std::string_view id;        // github-token
  std::string_view what;      // "a GitHub token"
  std::string_view keywords;  // lower case, space separated: one must be in the text before the pattern is tried
  std::string_view pattern;   // RE2; the first group is the secret, or the whole match
  double entropy = 0;         // least Shannon entropy of the secret in bits a character
  enum class Check { none, jwt, generic, url_password } check = Check::none;
};
std::span<const SecretRule> secret_rules();

struct SecretScanOptions {
  std::size_t max_bytes = 5 << 20;  // larger texts are not read
  std::size_t max_findings = 1000;  // a text
};
// Secrets of one text. Binary content gives nothing; a line with "slipway:allow-secret" (or the line after one that
// holds nothing else than that comment) is passed over. Messages never hold the whole secret. Threads: any.
std::vector<path::Finding> find_secrets(std::string_view file, std::string_view text,
                                        const SecretScanOptions& options = {});

// Bits a character.
double shannon_entropy(std::string_view text);
// "ghp_****": enough to find it, not to use it.
std::string mask_secret(std::string_view secret);

}  // namespace slipway::scan
