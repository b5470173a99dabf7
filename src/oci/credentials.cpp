#include <cstdlib>

#include "base/encode.h"
#include "base/files.h"
#include "base/process.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/remote.h"

namespace slipway::oci {

namespace {

std::vector<fs::path> config_files() {
  auto env = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  std::vector<fs::path> files;
  if (auto file = env("REGISTRY_AUTH_FILE"); !file.empty()) files.push_back(file);
  if (auto folder = env("DOCKER_CONFIG"); !folder.empty()) files.push_back(folder / "config.json");
  if (auto runtime = env("XDG_RUNTIME_DIR"); !runtime.empty()) files.push_back(runtime / "containers/auth.json");
  if (auto home = env("HOME"); !home.empty()) {
    files.push_back(home / ".config/containers/auth.json");
    files.push_back(home / ".docker/config.json");
  }
  return files;
}

// The keys tools have used for one and the same host.
std::vector<std::string> keys_of(const std::string& host) {
  if (host == "docker.io")
    return {"https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"};
  return {host,
          "https://" + host,
          "https://" + host + "/",
          "http://" + host,
          "https://" + host + "/v1/",
          "https://" + host + "/v2/"};
}

Result<std::optional<Credentials>> ask_helper(const Ctx& ctx, const std::string& helper, const std::string& server) {
  if (helper.find('/') != std::string::npos)
    return fail(Kind::invalid, "credential helper {:?}: want a bare name", helper);
  auto program = "docker-credential-" + helper;
  auto output = run(ctx.within(Millis(30000)),
                    {.argv = {program, "get"}, .env = {}, .extra_env = {}, .cwd = {}, .input = server});
  if (!output) {
    if (output.error().is(Kind::not_found)) return std::optional<Credentials>();
    return Fail(std::move(output).error());
  }
  if (!output->ok()) return std::optional<Credentials>();  // "credentials not found in native keychain"
  TRY_IN(auto value, program, doc::parse_json(output->out, program));
  Credentials found{value.str_at({"Username"}), value.str_at({"Secret"})};
  return found.secret.empty() ? std::optional<Credentials>() : std::optional(found);
}

Result<std::optional<Credentials>> from_auth(doc::View entry) {
  if (!entry.present()) return std::optional<Credentials>();
  if (auto token = entry["identitytoken"].str_or(""); !token.empty()) return Credentials{"<token>", token};
  auto auth = entry["auth"].str_or("");
  if (auth.empty()) {
    Credentials plain{entry["username"].str_or(""), entry["password"].str_or("")};
    return plain.secret.empty() ? std::optional<Credentials>() : std::optional(plain);
  }
  auto text = from_base64(auth);
  auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos) return entry["auth"].wrong("want base64 of user:password");
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

Result<std::optional<Credentials>> from_config(const Ctx& ctx, const fs::path& file, const std::string& host) {
  auto text = read_file(file, 4 << 20);
  if (!text) return std::optional<Credentials>();
  TRY(auto value, doc::parse_json(*text, file.native()));
  doc::View view(value, file.native());
  for (const auto& key : keys_of(host)) {
    if (auto helper = view["credHelpers"][key].str_or(""); !helper.empty()) {
      TRY(auto found, ask_helper(ctx, helper, key));
      if (found) return found;
    }
  }
  if (auto helper = view["credsStore"].str_or(""); !helper.empty()) {
    TRY(auto found, ask_helper(ctx, helper, keys_of(host).front()));
    if (found) return found;
  }
  for (const auto& key : keys_of(host)) {
    TRY(auto found, from_auth(view["auths"][key]));
    if (found) return found;
  }
  return std::optional<Credentials>();
}

}  // namespace

Result<std::optional<Credentials>> docker_credentials(const Ctx& ctx, const std::string& host) {
  for (const auto& file : config_files()) {
    TRY(auto found, from_config(ctx, file, host));
    if (found) return found;
  }
  return std::optional<Credentials>();
}

}  // namespace slipway::oci
