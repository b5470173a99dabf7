// Rules: Entra's client credentials grant (secret or federated token), the instance metadata service, and ACR's
// exchange of an Entra token for a refresh token of its own.
#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "oci/cloud/cloud.h"

namespace slipway::oci::cloud {
namespace {

struct Cloud {
  std::string login, resource;
};
Cloud cloud_of(const std::string& host) {
  if (host.ends_with(".cn")) return {"https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"};
  if (host.ends_with(".us")) return {"https://login.microsoftonline.us", "https://management.usgovcloudapi.net"};
  return {"https://login.microsoftonline.com", "https://management.azure.com"};
}

using Token = Result<std::optional<std::string>>;

Token token_in(const Result<doc::Value>& answer) {
  if (!answer) return Fail(answer.error());
  auto token = doc::View(*answer)["access_token"].str_or("");
  if (token.empty()) return fail(Kind::unavailable, "the answer holds no access_token");
  return std::optional(token);
}

// A service principal, by its secret or by the token that the platform gives (workload identity).
Token by_principal(const Call& call, const Cloud& cloud) {
  auto client = call.env("AZURE_CLIENT_ID"), tenant = call.env("AZURE_TENANT_ID");
  auto secret = call.env("AZURE_CLIENT_SECRET"), file = call.env("AZURE_FEDERATED_TOKEN_FILE");
  if (client.empty() || tenant.empty() || (secret.empty() && file.empty())) return std::optional<std::string>();
  Fields fields{{"grant_type", "client_credentials"}, {"client_id", client}, {"scope", cloud.resource + "/.default"}};
  if (!secret.empty()) {
    fields.emplace_back("client_secret", secret);
  } else {
    TRY_IN(auto token, "AZURE_FEDERATED_TOKEN_FILE", read_file(file, 1 << 20));
    fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    fields.emplace_back("client_assertion", std::string(trim(token)));
  }
  auto login = call.env("AZURE_AUTHORITY_HOST");
  if (login.empty()) login = cloud.login;
  while (login.ends_with('/')) login.pop_back();
  return token_in(call.json(form(fmt::format("{}/{}/oauth2/v2.0/token", login, percent_encode(tenant)), fields)));
}

// The identity of the machine. The tag is the same on every machine of Azure.
Token by_machine(const Call& call, const Cloud& cloud) {
  auto at = call.env("AZURE_POD_IDENTITY_AUTHORITY_HOST");
  if (at.empty() && !call.says("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"))
    return std::optional<std::string>();
  if (at.empty()) at = "http://169.254.169.254";
  while (at.ends_with('/')) at.pop_back();
  auto url = fmt::format("{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}", at,
                         percent_encode(cloud.resource + "/"));
  if (auto client = call.env("AZURE_CLIENT_ID"); !client.empty()) url += "&client_id=" + percent_encode(client);
  net::ClientRequest request{.url = url};
  request.headers.set("Metadata", "true");
  return token_in(call.json(std::move(request)));
}

}  // namespace

Grant azure(const Call& call, const std::string& host, const std::string& base) {
  auto cloud = cloud_of(host);
  TRY_IN(auto token, host, by_principal(call, cloud));
  if (!token) {
    TRY_IN(token, host, by_machine(call, cloud));
  }
  if (!token) return std::optional<CloudGrant>();
  Fields fields{{"grant_type", "access_token"}, {"service", host}, {"access_token", *token}};
  if (auto tenant = call.env("AZURE_TENANT_ID"); !tenant.empty()) fields.emplace_back("tenant", tenant);
  TRY_IN(auto answer, host, call.json(form(base + "/oauth2/exchange", fields)));
  auto refresh = doc::View(answer)["refresh_token"].str_or("");
  if (refresh.empty()) return fail(Kind::unavailable, "{}: the exchange gives no refresh_token", host);
  // Good for three hours.
  return CloudGrant{{"<token>", refresh}, call.ctx.clock->wall() + std::chrono::minutes(150)};
}

}  // namespace slipway::oci::cloud
