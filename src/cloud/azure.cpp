// Rules: Entra's client credentials grant (secret or federated token), and the instance metadata service.
#include "base/encode.h"
#include "base/text.h"
#include "cloud/cloud.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::cloud {
namespace {

using Answer = Result<std::optional<Token>>;

std::string_view login_of(AzureCloud cloud) {
  switch (cloud) {
    case AzureCloud::china:
      return "https://login.chinacloudapi.cn";
    case AzureCloud::us_government:
      return "https://login.microsoftonline.us";
    case AzureCloud::global:
      break;
  }
  return "https://login.microsoftonline.com";
}

// The machine's service says seconds as text, the directory as a number.
Answer token_in(const Call& call, const Result<doc::Value>& answer) {
  if (!answer) return Fail(answer.error());
  doc::View view(*answer);
  auto token = view["access_token"].str_or("");
  if (token.empty()) return fail(Kind::unavailable, "the answer holds no access_token");
  auto seconds = to_int(view["expires_in"].text()).value_or(300);
  return Token{token, call.ctx.clock->wall() + std::chrono::seconds(std::max<std::int64_t>(seconds - 60, 30))};
}

// A service principal, by its secret or by the token that the platform gives (workload identity).
Answer by_principal(const Call& call, AzureCloud cloud, std::string_view resource) {
  auto client = call.env("AZURE_CLIENT_ID"), tenant = call.env("AZURE_TENANT_ID");
  auto secret = call.env("AZURE_CLIENT_SECRET"), file = call.env("AZURE_FEDERATED_TOKEN_FILE");
  if (client.empty() || tenant.empty() || (secret.empty() && file.empty())) return std::optional<Token>();
  if (resource.ends_with('/')) resource.remove_suffix(1);
  Fields fields{
      {"grant_type", "client_credentials"}, {"client_id", client}, {"scope", fmt::format("{}/.default", resource)}};
  if (!secret.empty()) {
    fields.emplace_back("client_secret", secret);
  } else {
    TRY_IN(auto token, "AZURE_FEDERATED_TOKEN_FILE", read_file(file, 1 << 20));
    fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    fields.emplace_back("client_assertion", std::string(trim(token)));
  }
  auto login = call.env("AZURE_AUTHORITY_HOST");
  if (login.empty()) login = login_of(cloud);
  while (login.ends_with('/')) login.pop_back();
  return token_in(call, call.json(form(fmt::format("{}/{}/oauth2/v2.0/token", login, percent_encode(tenant)), fields)));
}

// The identity of the machine. The tag is the same on every machine of Azure.
Answer by_machine(const Call& call, const std::string& resource) {
  auto at = call.env("AZURE_POD_IDENTITY_AUTHORITY_HOST");
  if (at.empty() && !call.says("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77")) return std::optional<Token>();
  if (at.empty()) at = "http://169.254.169.254";
  while (at.ends_with('/')) at.pop_back();
  auto url =
      fmt::format("{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}", at, percent_encode(resource));
  if (auto client = call.env("AZURE_CLIENT_ID"); !client.empty()) url += "&client_id=" + percent_encode(client);
  net::ClientRequest request{.url = url};
  request.headers.set("Metadata", "true");
  return token_in(call, call.json(std::move(request)));
}

}  // namespace

Answer azure_token(const Call& call, AzureCloud cloud, const std::string& resource) {
  TRY(auto token, by_principal(call, cloud, resource));
  return token ? Answer(token) : by_machine(call, resource);
}

}  // namespace slipway::cloud
