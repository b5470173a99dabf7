#pragma once
// Signing in to a cluster by what a program gives, as kubectl does.
// Rule: client.authentication.k8s.io/v1 and v1beta1 (ExecCredential), and client-go's use of it.
#include <functional>
#include <map>
#include <optional>

#include "base/ctx.h"
#include "base/files.h"
#include "base/time.h"
#include "doc/view.h"

namespace slipway::kube {

struct SignInProgram {
  std::string api_version, command;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;  // beside our own
  std::string install_hint;                // what helps who does not have the program
  std::string cluster_info;                // JSON of spec.cluster for the program, "" when it does not ask for it
  friend bool operator==(const SignInProgram&, const SignInProgram&) = default;
};
// kubectl's form: env is a list of names and values, a command with a slash is relative to `folder`. Errors: invalid.
Result<SignInProgram> sign_in_program_from(doc::View exec, const fs::path& folder);

struct Credential {
  std::string token, certificate_pem, key_pem;
  std::optional<WallTime> until;  // none: as long as the server takes it
  friend bool operator==(const Credential&, const Credential&) = default;
};
using SignIn = std::function<Result<Credential>(const Ctx&)>;

// Errors: not_found (no such program, with its hint), denied (it failed, with its words), invalid (what it printed).
Result<Credential> sign_in_by(const Ctx& ctx, const SignInProgram& program);

}  // namespace slipway::kube
