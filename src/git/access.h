#pragma once
// How a repository elsewhere is signed in to. All of it is secret, and goes to no file and into no error.
#include <string>

namespace slipway::git {

struct Access {
  std::string user, password;                    // Basic; they win over those of the URL
  std::string bearer;                            // a token instead
  std::string ssh_key;                           // private key, as OpenSSH or PEM has it, without a passphrase
  std::string known_hosts;                       // lines of such a file; "": those of the person or machine
  std::string ca_pem, certificate_pem, key_pem;  // "": the system's authorities, no certificate of ours
  bool insecure = false;                         // neither certificates nor host keys are checked
  std::string proxy;                             // "": what the environment says
  bool signs_in() const {
    return !user.empty() || !password.empty() || !bearer.empty() || !ssh_key.empty() || !key_pem.empty();
  }
  friend bool operator==(const Access&, const Access&) = default;
};

}  // namespace slipway::git
