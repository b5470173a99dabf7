#pragma once
// kubectl's configuration file: where a cluster is and who we are there.
#include <string>
#include <string_view>

#include "base/files.h"
#include "kube/sign_in.h"

namespace slipway::kube {

struct Kubeconfig {
  std::string server;  // https://host:port[/prefix]
  std::string ca_pem, client_certificate_pem, client_key_pem;
  std::string token, token_file;  // a file is read again as it changes
  std::string user, password;
  std::string ns;                        // of the context, "" for default
  std::optional<SignInProgram> program;  // gives the token or the client certificate
  std::string impersonate;
  std::vector<std::string> impersonate_groups;
  bool verify = true;
  std::string server_name;  // that its certificate is for, "" for the host of `server`
  std::string proxy;        // http, https or socks5 URL, "" for what the environment says
  friend bool operator==(const Kubeconfig&, const Kubeconfig&) = default;
};
// The current context, or the one named. Relative paths are relative to `folder`. Errors: invalid (with the field; an
// auth-provider sign-in is refused), not_found (context, file).
Result<Kubeconfig> parse_kubeconfig(std::string_view yaml, const fs::path& folder, std::string_view context = {});
// `path`, or those of $KUBECONFIG together (of two entries of a name the first counts), or ~/.kube/config, or, inside a
// pod, its service account.
Result<Kubeconfig> load_kubeconfig(const fs::path& path = {}, std::string_view context = {});

}  // namespace slipway::kube
