// .sops.yaml: for whom and by which rules new files are sealed.
#include <re2/re2.h>

#include "base/text.h"
#include "doc/yaml.h"
#include "secret/detail/sops.h"

namespace slipway::secret {
namespace {

void add_recipients(doc::View view, std::vector<std::string>& into) {
  for (const auto& item : view.items()) into.push_back(item.text());
  if (!view.value().is_string()) return;
  auto text = view.text();
  for (auto word : split(text, ','))
    if (!trim(word).empty()) into.emplace_back(trim(word));
}

Result<SopsRules> rules_from(doc::View rule) {
  SopsRules rules;
  for (auto key : {"pgp", "kms", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri"})
    if (rule[key].present() && !(rule[key].text().empty() && rule[key].items().empty()))
      return rule[key].wrong("files are sealed for age recipients only here");
  auto groups = rule["key_groups"].items();
  if (groups.size() > 1) return rule["key_groups"].wrong("want one group: keys split among groups are not supported");
  for (const auto& group : groups) {
    for (const auto& [name, value] : group.members())
      if (name != "age" && value.present()) return value.wrong("files are sealed for age recipients only here");
    add_recipients(group["age"], rules.age);
  }
  add_recipients(rule["age"], rules.age);
  rules.unencrypted_suffix = rule["unencrypted_suffix"].text(),
  rules.encrypted_suffix = rule["encrypted_suffix"].text();
  rules.unencrypted_regex = rule["unencrypted_regex"].text(), rules.encrypted_regex = rule["encrypted_regex"].text();
  rules.unencrypted_comment_regex = rule["unencrypted_comment_regex"].text();
  rules.encrypted_comment_regex = rule["encrypted_comment_regex"].text();
  rules.mac_only_encrypted = rule["mac_only_encrypted"].bool_or(false);
  return rules;
}

}  // namespace

Result<std::optional<SopsRules>> sops_rules_for(std::string_view config, std::string_view source,
                                                const std::string& path) {
  TRY(auto document, doc::parse_yaml(config, {.source = source}));
  doc::View view(document, source);
  for (const auto& rule : view["creation_rules"].items()) {
    auto pattern = rule["path_regex"].text();
    if (!pattern.empty()) {
      RE2::Options options;
      options.set_log_errors(false);
      RE2 regex(pattern, options);
      if (!regex.ok()) return rule["path_regex"].wrong(regex.error());
      if (!RE2::PartialMatch(path, regex)) continue;
    }
    TRY(auto rules, rules_from(rule));
    return std::optional(std::move(rules));
  }
  return std::optional<SopsRules>();
}

}  // namespace slipway::secret
