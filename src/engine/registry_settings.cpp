#include "engine/registry_settings.h"

#include "base/log.h"
#include "cluster/api_server.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "net/jwt.h"

namespace slipway::engine {
namespace {

constexpr std::string_view settings_name = "registry";
constexpr std::string_view settings_key = "settings.yaml";
constexpr Millis look_again{500};

std::string source() { return fmt::format("ConfigMap {}/{}: {}", home, settings_name, settings_key); }

// Every `image: ...` of an object, wherever its kind has pods.
void images_of(const doc::Value& value, std::set<std::string>& out) {
  if (const auto* list = value.if_list())
    for (const auto& item : *list) images_of(item, out);
  const auto* map = value.if_map();
  if (map == nullptr) return;
  for (const auto& [key, inner] : *map) {
    const auto* text = inner.if_string();
    if (key == "image" && text != nullptr)
      out.insert(*text);
    else
      images_of(inner, out);
  }
}

// The repository here and the tag or digest, when it is an image of ours or one that was pulled.
std::optional<std::pair<std::string, std::string>> place_of(const std::string& image,
                                                            const std::vector<std::string>& names) {
  auto reference = oci::parse_reference(image);
  if (!reference) return std::nullopt;
  auto which = reference->digest.empty() ? reference->tag : reference->digest.str();
  bool ours = std::find(names.begin(), names.end(), reference->host) != names.end();
  return std::pair{ours ? reference->repository : oci::local_repository(*reference), which};
}

}  // namespace

Result<oci::RegistryRules> read_registry_rules(const Ctx& ctx, kube::Client& client) {
  TRY(auto found, client.get(ctx, {"v1", "ConfigMap"}, {home, std::string(settings_name)}));
  auto text = found ? (*found)["data"][settings_key].text() : std::string();
  return oci::parse_registry_rules(text, source());
}

Result<oci::RegistryRules> stored_registry_rules(const fs::path& data) {
  TRY(auto found, cluster::stored_object(data / "cluster.db", "configmaps", {home, std::string(settings_name)}));
  auto text = found ? found->str_at({"data", settings_key}) : std::string();
  return oci::parse_registry_rules(text, source());
}

oci::RegistryRules closed_registry() {
  oci::RegistryRules rules;
  rules.anonymous_pulls = false;
  rules.has_rights = true;
  rules.immutable = {{.repositories = {"**"}, .tags = {"*"}}};
  return rules;
}

Result<> check_registry_settings(const doc::Value& object) {
  if (object.str_at({"kind"}) != "ConfigMap" || object.str_at({"metadata", "name"}) != settings_name ||
      object.str_at({"metadata", "namespace"}) != home)
    return {};
  TRY_OK(oci::parse_registry_rules(object.str_at({"data", settings_key}), source()));
  return {};
}

std::shared_ptr<const oci::RegistryRules> RegistrySettings::rules(kube::Client* client) {
  std::lock_guard hold(mutex_);
  auto now = std::chrono::steady_clock::now();
  if (client == nullptr || (rules_ && now - looked_ < look_again)) return rules_;
  looked_ = now;
  auto read = read_registry_rules(Ctx{}.within(Millis(5000)), *client);
  if (read) {
    rules_ = std::make_shared<const oci::RegistryRules>(*std::move(read));
  } else {
    LOG(error, "registry.settings", {"error", read.error().what()});
    if (!rules_) rules_ = std::make_shared<const oci::RegistryRules>(closed_registry());
  }
  return rules_;
}

Result<oci::RegistryOptions> registry_options(House& house) {
  oci::RegistryOptions options;
  options.sign_in = [&house](std::string_view authorization) -> std::optional<oci::Who> {
    auto user = house.users->by_header(authorization);
    return user ? std::optional(oci::Who{user->name, user->groups}) : std::nullopt;
  };
  auto file = house.settings.data / "pki" / "registry-tokens.key";
  if (path_exists(file)) {
    TRY(options.token_key_pem, read_file(file));
    return options;
  }
  TRY(options.token_key_pem, net::make_signing_key());
  TRY_OK(make_dirs(file.parent_path(), 0700));
  TRY_OK(write_file(file, options.token_key_pem, 0600, Durable::yes));
  return options;
}

Result<std::set<std::string>> digests_in_use(const Ctx& ctx, kube::Client& client, const oci::Registry& registry,
                                             const std::vector<std::string>& registry_names) {
  const kube::Type kinds[] = {{"v1", "Pod"},
                              {"v1", "ReplicationController"},
                              {"apps/v1", "Deployment"},
                              {"apps/v1", "ReplicaSet"},
                              {"apps/v1", "StatefulSet"},
                              {"apps/v1", "DaemonSet"},
                              {"batch/v1", "Job"},
                              {"batch/v1", "CronJob"},
                              {"argoproj.io/v1alpha1", "Rollout"}};
  std::set<std::string> images, digests;
  for (const auto& type : kinds) {
    auto list = client.list(ctx, type, {});
    if (!list && list.error().is(Kind::not_found)) continue;  // a kind that this cluster has not
    if (!list) return Fail(std::move(list).error());
    for (const auto& object : list->items) images_of(object["spec"].value(), images);
  }
  for (const auto& image : images) {
    auto place = place_of(image, registry_names);
    if (!place) continue;
    TRY(auto stored, registry.manifest(place->first, place->second));
    if (stored) digests.insert(stored->descriptor.digest.str());
  }
  TRY(auto artifacts, all(ctx, client, "Artifact"));
  for (const auto& artifact : artifacts) digests.insert(artifact["spec"]["digest"].text());
  return digests;
}

Result<> tidy_registry(const Ctx& ctx, House& house) {
  TRY(auto used, digests_in_use(ctx, *house.client, *house.registry, registry_names(house.settings)));
  oci::ExpireOptions options;
  options.in_use = [&](std::string_view, const Digest& digest) { return used.contains(digest.str()); };
  TRY_OK(house.registry->expire(ctx, options));
  TRY_OK(house.registry->collect_garbage(ctx));
  return {};
}

}  // namespace slipway::engine
