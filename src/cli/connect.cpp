#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/command.h"
#include "cli/rootless.h"
#include "kube/http_client.h"
#include "kube/kubeconfig.h"

namespace slipway::cli {

fs::path data_dir(const Arguments& arguments) {
  if (arguments.has("data")) return fs::absolute(arguments.get("data"));
  if (const char* set = std::getenv("SLIPWAY_DATA")) return fs::absolute(set);
  if (real_uid() == 0) return "/var/lib/slipway";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/tmp") / ".local/share/slipway";
}

std::vector<Option> with_connection(std::vector<Option> options) {
  options.push_back({"--data", "data directory of the running slipway"});
  options.push_back({"--kubeconfig", "a kubeconfig to use instead of the data directory's"});
  return options;
}

Result<kube::Kubeconfig> kubeconfig_for(const Arguments& arguments) {
  auto file = arguments.has("kubeconfig") ? fs::path(arguments.get("kubeconfig")) : data_dir(arguments) / "kubeconfig";
  auto text = read_file(file);
  if (!text)
    return Fail(Error(Kind::unavailable, fmt::format("{}: no kubeconfig there: is slipway running?", file.native()))
                    .with_hint("slipway up --data DIR starts it; --data or SLIPWAY_DATA names its directory"));
  TRY_IN(auto config, file.native(), kube::parse_kubeconfig(*text, fs::absolute(file).parent_path()));
  return config;
}

Result<std::shared_ptr<kube::Client>> connect(const Ctx& ctx, const Arguments& arguments) {
  TRY(auto config, kubeconfig_for(arguments));
  TRY(auto client, kube::connect(config));
  if (auto version = client->resources(ctx.within(Millis(10000))); !version && version.error().retryable())
    return Fail(std::move(version).error().in("the API does not answer").with_hint("slipway up --data DIR starts it"));
  return std::shared_ptr<kube::Client>(std::move(client));
}

std::string current_user() {
  if (const char* name = std::getenv("SLIPWAY_USER")) return name;
  if (const auto* entry = ::getpwuid(real_uid()); entry != nullptr) return entry->pw_name;
  return "unknown";
}

}  // namespace slipway::cli
