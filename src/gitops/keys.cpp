#include "gitops/keys.h"

#include <map>

#include "base/encode.h"
#include "base/text.h"

namespace slipway::gitops {
namespace {

bool is_for(const kube::Object& secret, const std::string& project) {
  auto projects = secret.annotation(sops_projects_annotation);
  if (trim(projects).empty()) return true;
  for (auto glob : split(projects, ','))
    if (glob_match(trim(glob), project)) return true;
  return false;
}

}  // namespace

Result<std::vector<secret::AgeIdentity>> identities_of(const kube::Object& secret) {
  std::map<std::string, std::string> entries;
  for (const auto& [name, value] : secret["data"].members())
    if (name.ends_with(".agekey")) entries.emplace(name, value.text());
  std::vector<secret::AgeIdentity> all;
  for (const auto& [name, value] : entries) {
    auto source = fmt::format("{} {}", secret.describe(), name);
    TRY_IN(auto text, source, from_base64(value));
    TRY(auto identities, secret::parse_identities(text, source));
    for (auto& identity : identities) all.push_back(std::move(identity));
  }
  return all;
}

Result<std::vector<secret::AgeIdentity>> keys_for_project(const Ctx& ctx, kube::Client& client, const std::string& ns,
                                                          const std::string& project) {
  TRY(auto secrets,
      client.list(ctx, {"v1", "Secret"}, {.ns = ns, .label_selector = fmt::format("{}=true", sops_keys_label)}));
  std::vector<secret::AgeIdentity> all;
  for (const auto& secret : secrets.items) {
    if (!is_for(secret, project)) continue;
    TRY(auto some, identities_of(secret));
    for (auto& identity : some) all.push_back(std::move(identity));
  }
  return all;
}

}  // namespace slipway::gitops
