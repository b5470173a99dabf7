#include "cli/sealing.h"

#include <cstdlib>

#include "base/text.h"
#include "gitops/application.h"
#include "gitops/keys.h"

namespace slipway::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Result<> add_keys(std::vector<secret::AgeIdentity>& all, std::string_view text, const std::string& source) {
  std::string opened;
  if (secret::is_age_file(text)) {
    auto passphrase = environment("SLIPWAY_AGE_PASSPHRASE");
    if (passphrase.empty())
      return Fail(Error(Kind::denied, source + ": has a passphrase").with_hint("SLIPWAY_AGE_PASSPHRASE gives it"));
    TRY_IN(opened, source, secret::age_decrypt(text, passphrase));
    text = opened;
  }
  TRY(auto some, secret::parse_identities(text, source));
  for (auto& identity : some) all.push_back(std::move(identity));
  return {};
}

fs::path default_file() {
  auto config = environment("XDG_CONFIG_HOME");
  auto base = config.empty() ? fs::path(environment("HOME")) / ".config" : fs::path(config);
  return base / "sops" / "age" / "keys.txt";
}

}  // namespace

Result<std::vector<secret::AgeIdentity>> local_identities(const Arguments& arguments) {
  std::vector<secret::AgeIdentity> all;
  auto add_file = [&](const fs::path& file) -> Result<> {
    TRY(auto text, read_file(file, 1 << 20));
    return add_keys(all, text, file.native());
  };
  for (const auto& file : arguments.all("key-file")) TRY_OK(add_file(file));
  if (auto text = environment("SOPS_AGE_KEY"); !text.empty()) TRY_OK(add_keys(all, text, "SOPS_AGE_KEY"));
  if (auto file = environment("SOPS_AGE_KEY_FILE"); !file.empty()) TRY_OK(add_file(file));
  if (path_exists(default_file())) TRY_OK(add_file(default_file()));
  return all;
}

Result<std::vector<secret::AgeIdentity>> all_identities(const Ctx& ctx, const Arguments& arguments) {
  TRY(auto all, local_identities(arguments));
  if (!arguments.has("server")) return all;
  TRY(auto client, connect(ctx, arguments));
  TRY(auto secrets, client->list(ctx, {"v1", "Secret"},
                                 {.ns = "", .label_selector = fmt::format("{}=true", gitops::sops_keys_label)}));
  for (const auto& secret : secrets.items) {
    TRY(auto some, gitops::identities_of(secret));
    for (auto& identity : some) all.push_back(std::move(identity));
  }
  return all;
}

Result<std::optional<FoundRules>> configured_rules(const fs::path& file) {
  auto full = fs::absolute(file).lexically_normal();
  for (auto folder = full.parent_path();; folder = folder.parent_path()) {
    auto config = folder / ".sops.yaml";
    if (path_exists(config)) {
      TRY(auto text, read_file(config, 1 << 20));
      TRY(auto rules, secret::sops_rules_for(text, config.native(), full.lexically_relative(folder).native()));
      if (!rules) return std::optional<FoundRules>();
      return std::optional(FoundRules{*std::move(rules), config.native()});
    }
    if (folder == folder.parent_path()) return std::optional<FoundRules>();
  }
}

std::vector<Option> with_keys(std::vector<Option> options) {
  options.push_back(
      {"--key-file", "an age key file (else SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, sops/age/keys.txt)", false, true});
  options.push_back({"--server", "use the keys of the running slipway as well", true});
  return with_connection(std::move(options));
}

}  // namespace slipway::cli
