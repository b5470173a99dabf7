#include "cli/local_store.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "engine/registry_settings.h"
#include "engine/settings.h"

namespace slipway::cli {
namespace {
constexpr std::string_view no_host = "no-host.invalid";

// The rules of the slipway whose store this is, read when a name is about to change.
std::function<std::shared_ptr<const oci::RegistryRules>()> rules_in(const fs::path& data) {
  return [data, rules = std::shared_ptr<const oci::RegistryRules>(), once = std::make_shared<std::mutex>()]() mutable {
    std::lock_guard hold(*once);
    if (rules) return rules;
    auto read = engine::stored_registry_rules(data);
    if (!read) LOG(error, "registry.settings", {"error", read.error().what()});
    rules = std::make_shared<const oci::RegistryRules>(read ? *std::move(read) : engine::closed_registry());
    return rules;
  };
}
}  // namespace

Result<std::unique_ptr<LocalStore>> LocalStore::open(const Arguments& arguments) {
  auto local = std::make_unique<LocalStore>();
  local->data = data_dir(arguments);
  TRY_OK_IN("data directory", make_dirs(local->data, 0700));
  TRY(local->blobs, store::BlobStore::open(local->data / "blobs"));
  TRY(local->registry, oci::Registry::open(*local->blobs, local->data / "registry.db",
                                           {.sign_in = {}, .rules = rules_in(local->data), .pushed = {}}));
  local->remote = std::make_unique<oci::Remote>();
  local->names = {engine::Settings{}.registry_name};
  if (auto address = read_file(local->data / "address")) {
    std::string_view url = trim(*address);
    local->names.emplace_back(url.substr(url.find("//") + 2));
  }
  return local;
}

Result<ImageName> image_name(const LocalStore& store, const std::string& text) {
  ImageName name;
  name.given = text;
  TRY(auto reference, oci::parse_reference(text, no_host));
  name.bare = reference.host == no_host;
  name.ours = name.bare || std::find(store.names.begin(), store.names.end(), reference.host) != store.names.end();
  if (name.bare) {
    TRY(name.remote, oci::parse_reference(text));
  } else {
    name.remote = reference;
  }
  name.repository = name.ours ? reference.repository : oci::local_repository(reference);
  return name;
}

Result<ImageName> find_here(const LocalStore& store, const std::string& text) {
  TRY(auto name, image_name(store, text));
  TRY(auto there, store.registry->manifest(name.repository, name.which()));
  if (there) return name;
  if (name.bare) {
    auto pulled = oci::local_repository(name.remote);
    TRY(there, store.registry->manifest(pulled, name.which()));
    if (there) {
      name.repository = pulled;
      return name;
    }
  }
  return Fail(Error(Kind::not_found, fmt::format("{}: not in the store of {}", text, store.data.native()))
                  .with_hint("slipway image ls shows what is; slipway image pull brings others"));
}

}  // namespace slipway::cli
