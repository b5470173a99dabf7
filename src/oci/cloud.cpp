// Rules: ECR's GetAuthorizationToken (2015-09-21), ECR Public's (2020-10-30); Google's registries take a token as the
// password of "oauth2accesstoken"; ACR exchanges an Entra token for a refresh token of its own.
#include "oci/cloud.h"

#include "base/encode.h"
#include "base/text.h"
#include "doc/view.h"

namespace slipway::oci {
namespace {

using Grant = Result<std::optional<CloudGrant>>;

struct EcrHost {
  std::string region, endpoint, service = "ecr";
  std::string target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
};

// 123456789012.dkr.ecr[-fips].eu-west-1.amazonaws.com[.cn]
std::optional<EcrHost> parse_host(const std::string& host) {
  if (host == "public.ecr.aws")
    return EcrHost{"us-east-1", "https://api.ecr-public.us-east-1.amazonaws.com", "ecr-public",
                   "SpencerFrontendService.GetAuthorizationToken"};
  auto parts = split(host, '.');
  bool fips = parts.size() > 2 && parts[2] == "ecr-fips";
  if (parts.size() < 6 || parts[1] != "dkr" || (parts[2] != "ecr" && !fips)) return {};
  if (parts[0].size() != 12 || !to_int(parts[0])) return {};
  EcrHost out;
  out.region = parts[3];
  auto suffix = host.substr(host.find(out.region) + out.region.size());  // ".amazonaws.com"
  if (!suffix.starts_with(".amazonaws.com")) return {};
  out.endpoint = fmt::format("https://{}.{}{}", fips ? "ecr-fips" : "api.ecr", out.region, suffix);
  return out;
}

Grant ecr(const cloud::Call& call, const std::string& host) {
  auto place = parse_host(host);
  if (!place) return std::optional<CloudGrant>();
  TRY_IN(auto keys, host, cloud::aws_keys(call, {.region = place->region, .profile = {}, .role = {}}));
  if (!keys) return std::optional<CloudGrant>();  // the public one is read without
  auto at = cloud::first_of(
      call, {place->service == "ecr" ? "AWS_ENDPOINT_URL_ECR" : "AWS_ENDPOINT_URL_ECR_PUBLIC", "AWS_ENDPOINT_URL"},
      place->endpoint);
  net::ClientRequest request{.method = "POST", .url = at + "/"};
  request.body = "{}";
  request.headers.set("Content-Type", "application/x-amz-json-1.1");
  request.headers.set("X-Amz-Target", place->target);
  TRY_OK(net::sign_for_aws(request, *keys, place->region, place->service, call.ctx.clock->wall()));
  TRY_IN(auto value, host, call.json(std::move(request)));
  doc::View view(value, at);
  // A list of ECR's; of ECR Public's one.
  auto data = view["authorizationData"];
  auto one = data.items().empty() ? data : data[std::size_t{0}];
  auto pair = from_base64(one["authorizationToken"].str_or(""));
  auto colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return fail(Kind::unavailable, "{}: {} gives no token", host, at);
  // Good for twelve hours.
  return CloudGrant{{pair->substr(0, colon), pair->substr(colon + 1)}, call.ctx.clock->wall() + std::chrono::hours(11)};
}

Grant of_google(const cloud::Call& call, const std::string& host) {
  TRY_IN(auto token, host, cloud::google_token(call));
  if (!token) return std::optional<CloudGrant>();
  return CloudGrant{{"oauth2accesstoken", token->text}, token->until};
}

std::pair<cloud::AzureCloud, std::string> azure_of(const std::string& host) {
  if (host.ends_with(".cn")) return {cloud::AzureCloud::china, "https://management.chinacloudapi.cn/"};
  if (host.ends_with(".us")) return {cloud::AzureCloud::us_government, "https://management.usgovcloudapi.net/"};
  return {cloud::AzureCloud::global, "https://management.azure.com/"};
}

Grant acr(const cloud::Call& call, const std::string& host, const std::string& base) {
  auto [in, resource] = azure_of(host);
  TRY_IN(auto token, host, cloud::azure_token(call, in, resource));
  if (!token) return std::optional<CloudGrant>();
  cloud::Fields fields{{"grant_type", "access_token"}, {"service", host}, {"access_token", token->text}};
  if (auto tenant = call.env("AZURE_TENANT_ID"); !tenant.empty()) fields.emplace_back("tenant", tenant);
  TRY_IN(auto answer, host, call.json(cloud::form(base + "/oauth2/exchange", fields)));
  auto refresh = doc::View(answer)["refresh_token"].str_or("");
  if (refresh.empty()) return fail(Kind::unavailable, "{}: the exchange gives no refresh_token", host);
  // Good for three hours.
  return CloudGrant{{"<token>", refresh}, call.ctx.clock->wall() + std::chrono::minutes(150)};
}

}  // namespace

Result<std::optional<CloudGrant>> cloud_credentials(const Ctx& ctx, net::Client& client, const std::string& host,
                                                    const std::string& base, const cloud::Place& place) {
  cloud::Call call{ctx, client, place};
  auto ends = [&](std::string_view end) { return host.ends_with(end); };
  if (host == "public.ecr.aws" || host.contains(".dkr.ecr")) return ecr(call, host);
  if (host == "gcr.io" || ends(".gcr.io") || ends(".pkg.dev")) return of_google(call, host);
  if (ends(".azurecr.io") || ends(".azurecr.cn") || ends(".azurecr.us")) return acr(call, host, base);
  return std::optional<CloudGrant>();
}

}  // namespace slipway::oci
