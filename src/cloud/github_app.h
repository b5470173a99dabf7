#pragma once
// Signing in as an installation of a GitHub App.
// Rule: GitHub's "Generating a JSON Web Token for a GitHub App" and "Create an installation access token for an app".
#include "cloud/cloud.h"

namespace slipway::cloud {

struct GithubApp {
  std::string api = "https://api.github.com";  // of an enterprise: https://HOST/api/v3
  std::string id, key_pem;                     // key: RSA; "\n" may stand for its line ends
  std::string installation;                    // "": the one of `owner`
  std::string owner;
  friend bool operator==(const GithubApp&, const GithubApp&) = default;
};
// What the App itself asks with, for ten minutes. Errors: invalid (the key).
Result<std::string> github_app_jwt(const GithubApp& app, WallTime now);
// A token of the installation, for all its repositories. Errors: invalid, denied, not_found, unavailable.
Result<Token> github_app_token(const Call& call, const GithubApp& app);

}  // namespace slipway::cloud
