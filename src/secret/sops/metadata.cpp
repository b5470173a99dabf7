// The "sops" key of a file: who can open it, and by which rules it was made.
#include <re2/re2.h>

#include <algorithm>

#include "base/text.h"
#include "secret/detail/sops.h"

namespace slipway::secret::detail {
namespace {

struct OtherKeys {
  std::string_view list, name, id;
};
constexpr OtherKeys other_keys[] = {{"pgp", "PGP", "fp"},
                                    {"kms", "AWS KMS", "arn"},
                                    {"gcp_kms", "GCP KMS", "resource_id"},
                                    {"azure_kv", "Azure Key Vault", "name"},
                                    {"hc_vault", "Vault", "key_name"},
                                    {"hckms", "Huawei KMS", "key_id"}};

void read_keys(doc::View view, Metadata& metadata) {
  for (const auto& entry : view["age"].items())
    metadata.age.push_back({entry["recipient"].text(), entry["enc"].text()});
  for (const auto& [list, name, id] : other_keys)
    for (const auto& entry : view[list].items())
      metadata.others.push_back(fmt::format("{} {}", name, entry[id].text()));
}

bool truth(doc::View view) { return view.bool_or(false) || view.text() == "true"; }

}  // namespace

Result<Metadata> metadata_from(doc::View view) {
  if (!view.value().is_map()) return view.wrong("want the map that SOPS writes");
  Metadata metadata;
  metadata.raw = view.value();
  read_keys(view, metadata);
  metadata.shared = view["key_groups"].items().size() > 1;
  for (const auto& group : view["key_groups"].items()) read_keys(group, metadata);
  metadata.last_modified = view["lastmodified"].text(), metadata.mac = view["mac"].text();
  if (metadata.mac.empty()) return view["mac"].wrong("want the file's MAC");
  auto& rules = metadata.rules;
  for (const auto& key : metadata.age) rules.age.push_back(key.recipient);
  rules.unencrypted_suffix = view["unencrypted_suffix"].text(),
  rules.encrypted_suffix = view["encrypted_suffix"].text();
  rules.unencrypted_regex = view["unencrypted_regex"].text(), rules.encrypted_regex = view["encrypted_regex"].text();
  rules.unencrypted_comment_regex = view["unencrypted_comment_regex"].text();
  rules.encrypted_comment_regex = view["encrypted_comment_regex"].text();
  rules.mac_only_encrypted = truth(view["mac_only_encrypted"]);
  rules = with_default(std::move(rules));
  return metadata;
}

SopsRules with_default(SopsRules rules) {
  bool none = rules.unencrypted_suffix.empty() && rules.encrypted_suffix.empty() && rules.unencrypted_regex.empty() &&
              rules.encrypted_regex.empty() && rules.unencrypted_comment_regex.empty() &&
              rules.encrypted_comment_regex.empty();
  if (none) rules.unencrypted_suffix = "_unencrypted";
  return rules;
}

doc::Value to_doc(const Metadata& metadata) {
  doc::Map map;
  doc::List age;
  for (const auto& key : metadata.age) age.emplace_back(doc::Map{{"recipient", key.recipient}, {"enc", key.enc}});
  map.set("age", std::move(age));
  map.set("lastmodified", metadata.last_modified);
  map.set("mac", metadata.mac);
  const auto& rules = metadata.rules;
  auto put = [&](std::string_view key, const std::string& text) {
    if (!text.empty()) map.set(key, text);
  };
  put("unencrypted_suffix", rules.unencrypted_suffix), put("encrypted_suffix", rules.encrypted_suffix);
  put("unencrypted_regex", rules.unencrypted_regex), put("encrypted_regex", rules.encrypted_regex);
  put("unencrypted_comment_regex", rules.unencrypted_comment_regex);
  put("encrypted_comment_regex", rules.encrypted_comment_regex);
  if (rules.mac_only_encrypted) map.set("mac_only_encrypted", true);
  if (const auto* old = metadata.raw.if_map())
    for (const auto& [key, value] : *old)
      if (!map.contains(key)) map.set(key, value);
  if (!map.contains("version")) map.set("version", "3.9.4");
  return map;
}

Result<Secret> data_key_of(const Metadata& metadata, std::span<const AgeIdentity> identities, std::string_view source) {
  if (metadata.shared)
    return Fail(Error(Kind::denied,
                      fmt::format("{}: its key is split among key groups (Shamir), which is not supported", source))
                    .with_hint("seal it with one key group: sops updatekeys"));
  for (const auto& key : metadata.age) {
    auto opened = age_decrypt(key.enc, identities);
    if (!opened && opened.error().is(Kind::denied)) continue;
    if (!opened) return Fail(std::move(opened).error().in(fmt::format("{}: for {}", source, key.recipient)));
    if (opened->size() != 32) return fail(Kind::corrupt, "{}: its data key is not 32 bytes", source);
    return Secret(*std::move(opened));
  }
  if (metadata.age.empty())
    return Fail(
        Error(Kind::denied, fmt::format("{}: is sealed for {}, want an age key: no others are used here", source,
                                        metadata.others.empty() ? "nobody" : join(metadata.others, ", ")))
            .with_hint("add one with sops: sops rotate --add-age RECIPIENT"));
  return Fail(Error(Kind::denied, fmt::format("{}: is sealed for {}; none of the {} keys here opens it", source,
                                              join(metadata.rules.age, ", "), identities.size()))
                  .with_hint("a holder of one of those keys adds yours: slipway secret rotate --add-age RECIPIENT"));
}

Result<std::vector<Metadata::Age>> wrap_data_key(const Secret& key, const std::vector<std::string>& recipients) {
  std::vector<Metadata::Age> wrapped;
  for (const auto& text : recipients) {
    TRY(auto recipient, AgeRecipient::parse(text));
    TRY(auto enc, age_encrypt(key.bytes(), {&recipient, 1}, Armor::yes));
    wrapped.push_back({recipient.text(), std::move(enc)});
  }
  if (wrapped.empty()) return fail(Kind::invalid, "want at least one age recipient to seal for");
  return wrapped;
}

struct Choice::Rep {
  SopsRules rules;
  std::unique_ptr<RE2> unencrypted, encrypted;
};
Choice::Choice(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Choice::Choice(Choice&&) noexcept = default;
Choice::~Choice() = default;

Result<Choice> Choice::of(const SopsRules& rules) {
  auto rep = std::make_unique<Rep>();
  rep->rules = rules;
  auto compile = [](std::string_view name, const std::string& pattern, std::unique_ptr<RE2>& into) -> Result<> {
    if (pattern.empty()) return {};
    RE2::Options options;
    options.set_log_errors(false);
    into = std::make_unique<RE2>(pattern, options);
    return into->ok() ? Result<>{} : fail(Kind::invalid, "{}: \"{}\": {}", name, pattern, into->error());
  };
  TRY_OK(compile("unencrypted_regex", rules.unencrypted_regex, rep->unencrypted));
  TRY_OK(compile("encrypted_regex", rules.encrypted_regex, rep->encrypted));
  return Choice(std::move(rep));
}

bool Choice::sealed(const Path& path, const doc::Value& value) const {
  const auto& rules = rep_->rules;
  // Comments are not in our tree: by the form of the value, then.
  if (!rules.unencrypted_comment_regex.empty() || !rules.encrypted_comment_regex.empty())
    return value.is_string() && looks_sealed(*value.if_string());
  auto any = [&](const auto& fits) { return std::any_of(path.begin(), path.end(), fits); };
  bool sealed = true;
  if (!rules.unencrypted_suffix.empty())
    sealed = !any([&](const auto& key) { return key.ends_with(rules.unencrypted_suffix); });
  if (!rules.encrypted_suffix.empty())
    sealed = any([&](const auto& key) { return key.ends_with(rules.encrypted_suffix); });
  if (rep_->unencrypted && any([&](const auto& key) { return RE2::PartialMatch(key, *rep_->unencrypted); }))
    sealed = false;
  if (rep_->encrypted) sealed = any([&](const auto& key) { return RE2::PartialMatch(key, *rep_->encrypted); });
  return sealed;
}

}  // namespace slipway::secret::detail
