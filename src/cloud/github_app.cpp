#include "cloud/github_app.h"

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/jwt.h"

namespace slipway::cloud {
namespace {

net::ClientRequest request_of(const GithubApp& app, std::string method, std::string_view path, std::string_view jwt) {
  net::ClientRequest request{.method = std::move(method), .url = app.api + std::string(path)};
  request.headers.set("Accept", "application/vnd.github+json");
  request.headers.set("Authorization", fmt::format("Bearer {}", jwt));
  return request;
}

Result<std::string> installation_of(const Call& call, const GithubApp& app, std::string_view jwt) {
  if (!app.installation.empty()) return app.installation;
  if (app.owner.empty()) return fail(Kind::invalid, "GitHub App {}: want its installation's id", app.id);
  TRY(auto found,
      call.json(request_of(app, "GET", fmt::format("/users/{}/installation", percent_encode(app.owner)), jwt)));
  auto id = doc::View(found)["id"].text();
  if (id.empty()) return fail(Kind::unavailable, "{}: the answer holds no id of an installation", app.api);
  return id;
}

}  // namespace

Result<std::string> github_app_jwt(const GithubApp& app, WallTime now) {
  // Secrets are often one line, with \n where the lines ended.
  auto key = net::SigningKey::load(replace_all(app.key_pem, "\\n", "\n"));
  if (!key || key->algorithm() != "RS256")
    return Fail(Error(Kind::invalid, "private key of the GitHub App: want an RSA key in PEM")
                    .with_hint("GitHub gives it as a .pem file; keep all of it as a secret"));
  auto seconds = std::chrono::system_clock::to_time_t(now);
  return key->sign(doc::print_json(doc::Map{{"iat", seconds - 60}, {"exp", seconds + 540}, {"iss", app.id}}));
}

Result<Token> github_app_token(const Call& call, const GithubApp& app) {
  TRY(auto jwt, github_app_jwt(app, call.ctx.clock->wall()));
  TRY(auto installation, installation_of(call, app, jwt));
  auto path = fmt::format("/app/installations/{}/access_tokens", percent_encode(installation));
  TRY(auto answer, call.json(request_of(app, "POST", path, jwt)));
  doc::View view(answer);
  auto token = view["token"].text();
  if (token.empty()) return fail(Kind::unavailable, "{}: the answer holds no token", app.api);
  auto until = parse_rfc3339(view["expires_at"].text());
  return Token{token, until ? *until - std::chrono::minutes(1) : call.ctx.clock->wall() + std::chrono::minutes(50)};
}

}  // namespace slipway::cloud
