#pragma once
// SOPS files: documents whose values are sealed one by one, so that names, order and comments stay readable in Git.
// Format: getsops/sops 3 (AES-256-GCM with a value's path as additional data, a MAC over all values, the data key in
// age files). Plaintext is only ever in memory.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "doc/value.h"
#include "secret/age.h"

namespace slipway::secret {

enum class SopsFormat { yaml, json, dotenv, binary };
// By the file's ending; texts of other endings by what they look like, as Flux does.
SopsFormat sops_format(std::string_view path, std::string_view text);
// Whether the text was sealed with SOPS. Cheap: decides by marks that every such file has.
bool is_sops(std::string_view text);

// Which values are sealed: at most one of the first four.
struct SopsRules {
  std::vector<std::string> age;  // recipients
  std::string unencrypted_suffix, encrypted_suffix, unencrypted_regex, encrypted_regex;
  std::string unencrypted_comment_regex, encrypted_comment_regex;  // kept, not acted on when sealing
  bool mac_only_encrypted = false;
};

struct SopsText {
  std::string text, source;  // how errors name it
  SopsFormat format = SopsFormat::yaml;
};
struct Unsealed {
  std::string text;
  std::vector<std::string> values;  // what was sealed: for a redaction set
};
// Errors: invalid (source:line:col, no SOPS file), denied (no key fits: names the recipients; PGP, KMS and Vault keys
// are not used), corrupt (a value or the MAC does not fit: it was changed by hand, or values were moved).
Result<Unsealed> sops_unseal(const SopsText& sealed, std::span<const AgeIdentity> identities);
// Errors: invalid (not that format, sealed already, recipients).
Result<std::string> sops_seal(const SopsText& plain, const SopsRules& rules, WallTime now);
// The same values under the data key and for the recipients of `sealed`: values that did not change keep their
// ciphertext, so that a commit shows what did.
Result<std::string> sops_reseal(const SopsText& plain, const SopsText& sealed, std::span<const AgeIdentity> identities,
                                WallTime now);
// A new data key and every value sealed anew, for the recipients less `remove`, with `add`.
struct RecipientChange {
  std::vector<std::string> add, remove;
};
Result<std::string> sops_rotate(const SopsText& sealed, std::span<const AgeIdentity> identities,
                                const RecipientChange& change, WallTime now);

// Who can open a sealed text, without opening it.
struct SopsKeys {
  std::vector<std::string> age;     // recipients
  std::vector<std::string> others;  // "PGP 85D7...", "AWS KMS arn:..." and the like
  std::string last_modified;
};
Result<SopsKeys> sops_keys(const SopsText& sealed);

// creation_rules of a .sops.yaml: the first whose path_regex finds something in `path` (relative to the file's
// folder). Nothing: none does. Errors: invalid with source:line:col; a rule that wants keys other than age.
Result<std::optional<SopsRules>> sops_rules_for(std::string_view config, std::string_view source,
                                                const std::string& path);

}  // namespace slipway::secret
