#pragma once
// The parts of SOPS: values, metadata, which values are sealed, texts.
#include <functional>
#include <memory>
#include <set>

#include "doc/view.h"
#include "secret/sops.h"

namespace slipway::secret::detail {

using Path = std::vector<std::string>;  // keys; places in lists do not count
std::string context_of(const Path& path);

// One value as it is sealed: its bytes, and what they are (str, int, float, bool, bytes, comment).
struct Leaf {
  std::string bytes, type;
};
Leaf leaf_of(const doc::Value& value);
Result<doc::Value> value_of(const Leaf& leaf);

bool looks_sealed(std::string_view text);
// "" stays "". `nonce` of 32 bytes, or "" for a new one.
std::string seal_leaf(const Leaf& leaf, std::string_view key, std::string_view context, std::string nonce = "");
// Errors: corrupt. `nonce`: what it was sealed with, when asked for.
Result<Leaf> open_leaf(std::string_view text, std::string_view key, std::string_view context,
                       std::string* nonce = nullptr);

struct Metadata {
  doc::Value raw;  // what else it says is kept
  struct Age {
    std::string recipient, enc;
  };
  std::vector<Age> age;
  std::vector<std::string> others;
  std::string last_modified, mac;
  SopsRules rules;
  bool shared = false;  // the data key is split among groups
};
Result<Metadata> metadata_from(doc::View view);
// sops' own rule where none is given: what ends in _unencrypted stays readable.
SopsRules with_default(SopsRules rules);
doc::Value to_doc(const Metadata& metadata);
// Errors: denied, corrupt.
Result<Secret> data_key_of(const Metadata& metadata, std::span<const AgeIdentity> identities, std::string_view source);
Result<std::vector<Metadata::Age>> wrap_data_key(const Secret& key, const std::vector<std::string>& recipients);

// Which values the rules seal. Errors: invalid (a pattern).
class Choice {
 public:
  static Result<Choice> of(const SopsRules& rules);
  Choice(Choice&&) noexcept;
  ~Choice();
  bool sealed(const Path& path, const doc::Value& value) const;

 private:
  struct Rep;
  explicit Choice(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// Every value but null and the metadata, in the order of the document.
using Visit = std::function<Result<>(const Path&, doc::Value&)>;
Result<> each_leaf(doc::Value& document, const Visit& visit);
// The contexts that a comment can have been sealed with: those of all maps and lists.
std::set<std::string> contexts_of(const doc::Value& document);

// A text as documents; each holds its metadata under "sops". Binary texts are {"data": text}.
Result<std::vector<doc::Value>> parse_text(const SopsText& text, bool sealed);
// `text`, whose documents were `was` (with their places), made to say `now`: layout and comments stay where they can.
std::string print_text(const SopsText& text, const std::vector<doc::Value>& was, const std::vector<doc::Value>& now);

}  // namespace slipway::secret::detail
