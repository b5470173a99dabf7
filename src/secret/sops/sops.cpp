#include "secret/sops.h"

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "secret/detail/sops.h"

namespace slipway::secret {
namespace {

using namespace detail;

class Mac {
 public:
  explicit Mac(bool only_sealed) : only_sealed_(only_sealed) {
    // So that it never equals a MAC over all values.
    if (only_sealed) hash_.update(Hasher().update("sops").finish_raw());
  }
  void add(std::string_view bytes, bool sealed) {
    if (sealed || !only_sealed_) hash_.update(bytes);
  }
  std::string finish() {
    auto hex = hash_.finish_hex();
    for (auto& c : hex) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return hex;
  }

 private:
  Hasher hash_{Hasher::Algorithm::sha512};
  bool only_sealed_;
};

std::string place(const SopsText& text, const Path& path, const doc::Value& value) {
  auto where = value.mark().line == 0 ? text.source
                                      : fmt::format("{}:{}:{}", text.source, value.mark().line, value.mark().column);
  return fmt::format("{}: {}", where, join(path, "."));
}

// The nonce of each value by its place and content: an unchanged value is sealed the same again.
using Nonces = std::map<std::pair<std::string, std::string>, std::string>;

// A file opened: documents in the clear (without metadata where there was some), and what they were sealed with.
struct Opened {
  std::vector<doc::Value> was, now;
  std::vector<std::string> values;
  std::optional<Metadata> metadata;  // of the first sealed document
  Secret key;
  Nonces nonces;
};

Result<> check_mac(const SopsText& text, const Metadata& metadata, const Secret& key, Mac& mac) {
  auto wanted = open_leaf(metadata.mac, key.bytes(), metadata.last_modified);
  if (!wanted || wanted->bytes.empty() || !same_secret(wanted->bytes, mac.finish()))
    return Fail(Error(Kind::corrupt, fmt::format("{}: its MAC does not fit: values were changed, added or taken away "
                                                 "after it was sealed",
                                                 text.source))
                    .with_hint("take the file from Git again, or seal it anew from what it should say"));
  return {};
}

// Documents [from, to), which share their metadata.
Result<> open_group(const SopsText& text, std::span<const AgeIdentity> identities, Opened& opened, std::size_t from,
                    std::size_t to) {
  TRY(auto metadata, metadata_from(doc::View(opened.now[from], text.source)["sops"]));
  TRY(auto key, data_key_of(metadata, identities, text.source));
  TRY_IN(auto choice, text.source, Choice::of(metadata.rules));
  Mac mac(metadata.rules.mac_only_encrypted);
  auto open = [&](const Path& path, doc::Value& value) -> Result<> {
    bool sealed = choice.sealed(path, value);
    if (!sealed) {
      mac.add(leaf_of(value).bytes, false);
      return {};
    }
    const auto* ciphertext = value.if_string();
    std::string nonce;
    auto leaf = ciphertext != nullptr ? open_leaf(*ciphertext, key.bytes(), context_of(path), &nonce)
                                      : fail(Kind::corrupt, "is not sealed although the file's rules want it to be");
    if (!leaf) return Fail(std::move(leaf).error().in(place(text, path, value)));
    mac.add(leaf->bytes, true);
    auto plain = value_of(*leaf);
    if (!plain) return Fail(std::move(plain).error().in(place(text, path, value)));
    opened.values.push_back(leaf->bytes);
    opened.nonces[{context_of(path), leaf->type + leaf->bytes}] = nonce;
    plain->set_mark(value.mark());
    value = *std::move(plain);
    return {};
  };
  for (auto i = from; i < to; ++i) {
    opened.now[i].map().erase("sops");
    TRY_OK(each_leaf(opened.now[i], open));
  }
  TRY_OK(check_mac(text, metadata, key, mac));
  if (!opened.metadata) opened.metadata = std::move(metadata), opened.key = std::move(key);
  return {};
}

bool has_metadata(const doc::Value& document) { return document.find_path({"sops", "mac"}) != nullptr; }

Result<Opened> open_text(const SopsText& text, std::span<const AgeIdentity> identities) {
  Opened opened;
  TRY(opened.was, parse_text(text, true));
  opened.now = opened.was;
  bool any = false;
  for (std::size_t i = 0; i < opened.was.size();) {
    auto end = i + 1;
    if (!has_metadata(opened.was[i])) {
      i = end;
      continue;
    }
    // Documents of one file have the same metadata; files put one after another have their own.
    while (end < opened.was.size() && has_metadata(opened.was[end]) &&
           *opened.was[end].find("sops") == *opened.was[i].find("sops"))
      ++end;
    TRY_OK(open_group(text, identities, opened, i, end));
    any = true, i = end;
  }
  if (!any) return fail(Kind::invalid, "{}: is not sealed with SOPS", text.source);
  return opened;
}

// Seals all documents under one key; the metadata holds the recipients already.
Result<std::string> seal_documents(const SopsText& text, const std::vector<doc::Value>& was,
                                   std::vector<doc::Value> documents, Metadata metadata, const Secret& key,
                                   const Nonces& nonces, WallTime now) {
  TRY_IN(auto choice, text.source, Choice::of(metadata.rules));
  Mac mac(metadata.rules.mac_only_encrypted);
  auto seal = [&](const Path& path, doc::Value& value) -> Result<> {
    auto leaf = leaf_of(value);
    // sops knows only one kind of number in JSON.
    if (text.format == SopsFormat::json && leaf.type == "int") leaf.type = "float";
    if (leaf.type == "str" && looks_sealed(leaf.bytes))
      return fail(Kind::invalid, "{}: is sealed already", place(text, path, value));
    bool sealed = choice.sealed(path, value);
    mac.add(leaf.bytes, sealed);
    if (!sealed) return {};
    auto known = nonces.find({context_of(path), leaf.type + leaf.bytes});
    auto nonce = known == nonces.end() ? "" : known->second;
    auto mark = value.mark();
    value = seal_leaf(leaf, key.bytes(), context_of(path), std::move(nonce));
    value.set_mark(mark);
    return {};
  };
  for (auto& document : documents)
    if (document.is_map()) TRY_OK(each_leaf(document, seal));
  metadata.last_modified = rfc3339(now);
  metadata.mac = seal_leaf({mac.finish(), "str"}, key.bytes(), metadata.last_modified);
  for (auto& document : documents) document.map().set("sops", to_doc(metadata));
  return print_text(text, was, documents);
}

Result<> check_rules(const SopsRules& rules) {
  int given = 0;
  for (const auto* rule : {&rules.unencrypted_suffix, &rules.encrypted_suffix, &rules.unencrypted_regex,
                           &rules.encrypted_regex, &rules.unencrypted_comment_regex, &rules.encrypted_comment_regex})
    if (!rule->empty()) ++given;
  if (given > 1) return fail(Kind::invalid, "want at most one of the rules that say which values are sealed");
  if (!rules.unencrypted_comment_regex.empty() || !rules.encrypted_comment_regex.empty())
    return fail(Kind::invalid, "rules by comments are not supported for sealing, want encrypted_regex or the like");
  return {};
}

// Comments that sops sealed, under the new key: their place is not in our tree, so each that there is is tried.
std::string reseal_comments(std::string text, const Opened& opened, const Secret& key) {
  constexpr std::string_view head = "#ENC[AES256_GCM,", tail = ",type:comment]";
  std::set<std::string> contexts;
  for (const auto& document : opened.was) contexts.merge(contexts_of(document));
  std::size_t at = 0;
  while ((at = text.find(head, at)) != std::string::npos) {
    auto end = text.find(tail, at);
    auto line_end = text.find('\n', at);
    if (end == std::string::npos || end > line_end) {
      ++at;
      continue;
    }
    auto old = text.substr(at + 1, end + tail.size() - at - 1);
    for (const auto& context : contexts) {
      auto leaf = open_leaf(old, opened.key.bytes(), context);
      if (!leaf) continue;
      text.replace(at + 1, old.size(), seal_leaf(*leaf, key.bytes(), context));
      break;
    }
    ++at;
  }
  return text;
}

}  // namespace

SopsFormat sops_format(std::string_view path, std::string_view text) {
  if (path.ends_with(".yaml") || path.ends_with(".yml")) return SopsFormat::yaml;
  if (path.ends_with(".json")) return SopsFormat::json;
  if (path.ends_with(".env")) return SopsFormat::dotenv;
  if (text.starts_with("sops_mac=") || text.find("\nsops_mac=") != std::string_view::npos) return SopsFormat::dotenv;
  if (text.starts_with("sops:\n") || text.find("\nsops:\n") != std::string_view::npos) return SopsFormat::yaml;
  return SopsFormat::binary;
}

bool is_sops(std::string_view text) {
  if (text.find("ENC[AES256_GCM,data:") == std::string_view::npos) return false;
  return text.starts_with("sops:") || text.find("\nsops:") != std::string_view::npos ||
         text.find("\"sops\"") != std::string_view::npos || text.find("sops_mac=") != std::string_view::npos;
}

Result<Unsealed> sops_unseal(const SopsText& sealed, std::span<const AgeIdentity> identities) {
  TRY(auto opened, open_text(sealed, identities));
  return Unsealed{print_text(sealed, opened.was, opened.now), std::move(opened.values)};
}

Result<std::string> sops_seal(const SopsText& plain, const SopsRules& rules, WallTime now) {
  TRY_OK_IN(plain.source, check_rules(rules));
  TRY(auto documents, parse_text(plain, false));
  for (const auto& document : documents)
    if (document.find("sops") != nullptr)
      return fail(Kind::invalid, "{}: is sealed already (has a key sops)", plain.source);
  if (documents.empty()) return fail(Kind::invalid, "{}: holds nothing to seal", plain.source);
  Secret key(random_bytes(32));
  Metadata metadata;
  metadata.rules = with_default(rules);
  TRY_IN(metadata.age, plain.source, wrap_data_key(key, rules.age));
  return seal_documents(plain, documents, documents, std::move(metadata), key, {}, now);
}

Result<std::string> sops_reseal(const SopsText& plain, const SopsText& sealed, std::span<const AgeIdentity> identities,
                                WallTime now) {
  TRY(auto opened, open_text(sealed, identities));
  TRY(auto documents, parse_text(plain, false));
  if (documents.empty()) return fail(Kind::invalid, "{}: holds nothing to seal", plain.source);
  if (!opened.metadata->rules.unencrypted_comment_regex.empty() ||
      !opened.metadata->rules.encrypted_comment_regex.empty())
    TRY_OK_IN(plain.source, check_rules(opened.metadata->rules));
  return seal_documents(plain, documents, documents, *opened.metadata, opened.key, opened.nonces, now);
}

Result<std::string> sops_rotate(const SopsText& sealed, std::span<const AgeIdentity> identities,
                                const RecipientChange& change, WallTime now) {
  TRY(auto opened, open_text(sealed, identities));
  auto metadata = *opened.metadata;
  if (!metadata.others.empty())
    return Fail(Error(Kind::denied, fmt::format("{}: is sealed for {} as well, which a new key cannot be made for here",
                                                sealed.source, join(metadata.others, ", ")))
                    .with_hint("sops rotate"));
  std::vector<std::string> recipients;
  auto add = [&](const std::string& text) -> Result<> {
    TRY(auto recipient, AgeRecipient::parse(text));
    bool gone = std::find(change.remove.begin(), change.remove.end(), recipient.text()) != change.remove.end();
    bool there = std::find(recipients.begin(), recipients.end(), recipient.text()) != recipients.end();
    if (!gone && !there) recipients.push_back(recipient.text());
    return {};
  };
  for (const auto& key : metadata.age) TRY_OK_IN(sealed.source, add(key.recipient));
  for (const auto& text : change.add) TRY_OK(add(text));
  if (recipients.empty()) return fail(Kind::invalid, "{}: nobody would be left who can open it", sealed.source);
  Secret key(random_bytes(32));
  TRY_IN(metadata.age, sealed.source, wrap_data_key(key, recipients));
  metadata.raw.map().erase("key_groups"), metadata.raw.map().erase("shamir_threshold");
  if (!metadata.rules.unencrypted_comment_regex.empty() || !metadata.rules.encrypted_comment_regex.empty())
    TRY_OK_IN(sealed.source, check_rules(metadata.rules));
  TRY(auto text, seal_documents(sealed, opened.was, opened.now, metadata, key, {}, now));
  return reseal_comments(std::move(text), opened, key);
}

Result<SopsKeys> sops_keys(const SopsText& sealed) {
  TRY(auto documents, parse_text(sealed, true));
  SopsKeys keys;
  bool any = false;
  for (const auto& document : documents) {
    if (!has_metadata(document)) continue;
    TRY(auto metadata, metadata_from(doc::View(document, sealed.source)["sops"]));
    auto put = [](std::vector<std::string>& into, const std::vector<std::string>& from) {
      for (const auto& text : from)
        if (std::find(into.begin(), into.end(), text) == into.end()) into.push_back(text);
    };
    put(keys.age, metadata.rules.age), put(keys.others, metadata.others);
    keys.last_modified = metadata.last_modified, any = true;
  }
  if (!any) return fail(Kind::invalid, "{}: is not sealed with SOPS", sealed.source);
  return keys;
}

}  // namespace slipway::secret
