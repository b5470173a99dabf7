#include "oci/cloud/cloud.h"

#include <cstdlib>

#include "base/text.h"
#include "doc/json.h"
#include "net/forms.h"

namespace slipway::oci {
namespace cloud {

bool Call::says(const char* file, std::string_view word) const {
  auto text = read_file(place.dmi / file, 4096);
  return text && text->contains(word);
}

Result<net::ClientResponse> Call::send(net::ClientRequest request) const {
  request.redirects = 0, request.limit = 1 << 20;
  auto url = request.url.substr(0, request.url.find('?'));
  TRY_IN(auto response, url, client.send(ctx.within(Millis(20000)), std::move(request)));
  if (response.ok()) return response;
  auto said = std::string(trim(std::string_view(response.body).substr(0, 300)));
  for (auto& c : said)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  auto kind = response.status >= 400 && response.status <= 403 ? Kind::denied : Kind::unavailable;
  return fail(kind, "{}: {} {}{}{}", url, response.status, net::status_text(response.status), said.empty() ? "" : ": ",
              said);
}

Result<doc::Value> Call::json(net::ClientRequest request) const {
  auto url = request.url.substr(0, request.url.find('?'));
  TRY(auto response, send(std::move(request)));
  return doc::parse_json(response.body, url);
}

net::ClientRequest form(std::string url, const Fields& fields) {
  net::ClientRequest request{.method = "POST", .url = std::move(url)};
  request.body = net::form_of(fields);
  request.headers.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  return request;
}

}  // namespace cloud

CloudPlace CloudPlace::here() {
  auto env = [](const std::string& name) -> std::string {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? value : "";
  };
  return {.env = env, .home = env("HOME")};
}

Result<std::optional<CloudGrant>> cloud_credentials(const Ctx& ctx, net::Client& client, const std::string& host,
                                                    const std::string& base, const CloudPlace& place) {
  cloud::Call call{ctx, client, place};
  auto ends = [&](std::string_view end) { return host.ends_with(end); };
  if (host == "public.ecr.aws" || host.contains(".dkr.ecr")) return cloud::aws(call, host);
  if (host == "gcr.io" || ends(".gcr.io") || ends(".pkg.dev")) return cloud::google(call, host);
  if (ends(".azurecr.io") || ends(".azurecr.cn") || ends(".azurecr.us")) return cloud::azure(call, host, base);
  return std::optional<CloudGrant>();
}

}  // namespace slipway::oci
