#pragma once
// kubectl's configuration file: where a cluster is and who we are there.
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace slipway::kube {

struct Kubeconfig {
  std::string server;  // https://host:port[/prefix]
  std::string ca_pem, client_certificate_pem, client_key_pem;
  std::string token, token_file;  // a file is read again as it changes
  std::string user, password;
  std::string ns;  // of the context, "" for default
  std::string impersonate;
  bool verify = true;
  friend bool operator==(const Kubeconfig&, const Kubeconfig&) = default;
};
// The current context, or the one named. Relative paths are relative to `folder`. Errors: invalid (with the field; exec
// and auth-provider sign-ins are refused by name), not_found (context, file).
Result<Kubeconfig> parse_kubeconfig(std::string_view yaml, const fs::path& folder, std::string_view context = {});
// `path`, or $KUBECONFIG, or ~/.kube/config, or, inside a pod, its service account.
Result<Kubeconfig> load_kubeconfig(const fs::path& path = {}, std::string_view context = {});

}  // namespace slipway::kube
