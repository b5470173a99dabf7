#include "kube/sign_in.h"

#include "base/process.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::kube {
namespace {

// A program may ask a cloud, and somebody may have to confirm it there.
constexpr Millis patience{60000};
constexpr std::string_view group = "client.authentication.k8s.io/";

Result<Credential> credential_from(const SignInProgram& program, std::string_view printed) {
  TRY(auto value, doc::parse_json(printed, program.command));
  doc::View answer(value, program.command);
  if (auto kind = answer["kind"]; kind.text() != "ExecCredential") return kind.wrong("want ExecCredential");
  if (auto version = answer["apiVersion"]; version.text() != program.api_version)
    return version.wrong(fmt::format("want {}, as the kubeconfig says", program.api_version));
  auto status = answer["status"];
  Credential credential{.token = status["token"].text(),
                        .certificate_pem = status["clientCertificateData"].text(),
                        .key_pem = status["clientKeyData"].text(),
                        .until = {}};
  if (credential.certificate_pem.empty() != credential.key_pem.empty())
    return status.wrong("want both clientCertificateData and clientKeyData, or neither");
  if (credential.token.empty() && credential.key_pem.empty())
    return status.wrong("want a token, or a client certificate and its key");
  if (credential.token.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
    return status["token"].wrong("has a line break");
  if (auto until = status["expirationTimestamp"]; until.present()) {
    auto time = parse_rfc3339(until.text());
    if (!time) return until.wrong("want a time as in 2026-01-31T12:00:00Z");
    credential.until = *time;
  }
  return credential;
}

}  // namespace

Result<SignInProgram> sign_in_program_from(doc::View exec, const fs::path& folder) {
  SignInProgram program;
  TRY(program.api_version, exec["apiVersion"].str());
  if (program.api_version != fmt::format("{}v1", group) && program.api_version != fmt::format("{}v1beta1", group))
    return exec["apiVersion"].wrong(fmt::format("want {0}v1 or {0}v1beta1", group));
  TRY(program.command, exec["command"].str());
  if (program.command.empty()) return exec["command"].wrong("is empty");
  if (program.command.find('/') != std::string::npos) program.command = (folder / program.command).lexically_normal();
  if (exec["args"].present()) {
    TRY(program.args, exec["args"].strings());
  }
  for (const auto& variable : exec["env"].items()) {
    TRY(auto name, variable["name"].str());
    program.env[name] = variable["value"].text();
  }
  if (auto mode = exec["interactiveMode"]; mode.text() == "Always")
    return mode.wrong("there is no terminal here for the program to ask on, want IfAvailable or Never");
  program.install_hint = exec["installHint"].text();
  return program;
}

Result<Credential> sign_in_by(const Ctx& ctx, const SignInProgram& program) {
  Command command{.argv = {program.command}, .extra_env = program.env, .output_limit = std::size_t{1} << 20};
  command.argv.insert(command.argv.end(), program.args.begin(), program.args.end());
  command.extra_env["KUBERNETES_EXEC_INFO"] = fmt::format(
      R"({{"apiVersion":"{}","kind":"ExecCredential","spec":{{"interactive":false{}}}}})", program.api_version,
      program.cluster_info.empty() ? "" : fmt::format(R"(,"cluster":{})", program.cluster_info));
  auto output = run(ctx.within(patience), command);
  if (!output) {
    auto error = std::move(output).error().in("sign-in");
    return Fail(program.install_hint.empty() ? std::move(error) : std::move(error).with_hint(program.install_hint));
  }
  if (!output->ok()) {
    std::string said(trim(output->err.substr(0, 500)));
    for (auto& c : said)
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    return fail(Kind::denied, "sign-in: {} ended with {}{}{}", program.command, output->code, said.empty() ? "" : ": ",
                said);
  }
  auto credential = credential_from(program, output->out);
  if (!credential) return Fail(std::move(credential).error().in("sign-in"));
  return credential;
}

}  // namespace slipway::kube
