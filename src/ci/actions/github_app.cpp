// actions/create-github-app-token: a token of an installation of a GitHub App.
#include "cloud/github_app.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/web.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

struct App {
  std::string api, id, owner;
  std::vector<std::string> repositories;
};

Result<App> app_of(const ActionUse& use) {
  App out;
  out.api = github_api(use, "github-api-url");
  if (out.api.empty()) return no_github_api("a token of a GitHub App");
  out.id = use.input("client-id", use.input("app-id"));
  if (out.id.empty()) return fail(Kind::invalid, "Input required and not supplied: client-id (or app-id)");
  out.owner = use.input("owner");
  auto listed = use.input("repositories");
  for (char& c : listed)
    if (c == '\n') c = ',';
  for (auto part : split(listed, ',')) {
    auto name = trim(part);
    if (name.empty()) continue;
    // owner/name is taken where the owner is the same.
    auto pair = cut(name, "/");
    if (pair && out.owner.empty()) out.owner = pair->first;
    if (pair && !iequals(pair->first, out.owner))
      return fail(Kind::invalid, "repositories: {} is not of owner {}", name, out.owner);
    out.repositories.emplace_back(pair ? pair->second : name);
  }
  auto own = cut(use.job.plan().event.repository, "/");
  if (out.owner.empty() && own) {
    out.owner = own->first;
    if (out.repositories.empty()) out.repositories.emplace_back(own->second);
  }
  return out;
}

// permission-issues: write and so on.
Result<doc::Map> permissions_of(ActionUse& use) {
  doc::Map out;
  for (auto& [name, value] : use.inputs) {
    auto word = lower(name);
    if (!word.starts_with("permission-")) continue;
    if (value != "read" && value != "write" && value != "admin")
      return fail(Kind::invalid, "{}: got \"{}\", want read, write or admin", name, value);
    out.set(replace_all(word.substr(11), "-", "_"), value);
  }
  return out;
}

void revoke_later(ActionUse& use, const std::string& api, const std::string& token) {
  use.job.defer("Post " + use.step.id, [&job = use.job, api, token](const Ctx& ctx, StepContext& step) -> Result<> {
    auto gone = github_call(ctx, "DELETE", api + "/installation/token", token);
    job.say(step,
            gone ? std::string("Token revoked")
                 : fmt::format("##[warning]Token is not revoked, it ends within the hour: {}", gone.error().what()));
    return {};
  });
}

}  // namespace

Result<> create_github_app_token(const Ctx& ctx, ActionUse& use) {
  TRY(auto app, app_of(use));
  use.job.add_mask(use.input("private-key"));
  TRY(auto jwt, cloud::github_app_jwt({.id = app.id, .key_pem = use.input("private-key")}, ctx.clock->wall()));
  use.job.add_mask(jwt);
  auto place = app.repositories.empty() ? fmt::format("/users/{}/installation", app.owner)
                                        : fmt::format("/repos/{}/{}/installation", app.owner, app.repositories[0]);
  auto installation = github_call(ctx, "GET", app.api + place, jwt);
  if (!installation && installation.error().is(Kind::not_found))
    return Fail(
        std::move(installation)
            .error()
            .with_hint(fmt::format("is the app installed for {}, and are its repositories chosen there?", app.owner)));
  TRY_OK(installation);
  auto id = static_cast<std::int64_t>(doc::View(*installation, "installation")["id"].num_or(0));
  doc::Map body;
  TRY(auto permissions, permissions_of(use));
  if (!permissions.empty()) body.set("permissions", std::move(permissions));
  if (!app.repositories.empty()) body.set("repositories", doc::List(app.repositories.begin(), app.repositories.end()));
  TRY(auto answer, github_call(ctx, "POST", fmt::format("{}/app/installations/{}/access_tokens", app.api, id), jwt,
                               std::move(body)));
  auto token = answer.str_at({"token"});
  if (token.empty()) return fail(Kind::unavailable, "{}: the answer holds no token", app.api);
  use.job.add_mask(token);
  use.output("token", token);
  use.output("installation-id", std::to_string(id));
  use.output("app-slug", installation->str_at({"app_slug"}));
  use.say(fmt::format(
      "A token for {}{}, until {}", app.owner,
      app.repositories.empty() ? std::string() : "/" + join(std::span<const std::string>(app.repositories), ", "),
      answer.str_at({"expires_at"})));
  if (!use.flag("skip-token-revoke", false)) revoke_later(use, app.api, token);
  return {};
}

}  // namespace slipway::ci
