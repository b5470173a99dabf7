#include "cloud/cloud.h"

#include <cstdlib>

#include "base/text.h"
#include "doc/json.h"
#include "net/forms.h"

namespace slipway::cloud {

Place Place::here() {
  auto env = [](const std::string& name) -> std::string {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? value : "";
  };
  return {.env = env, .home = env("HOME")};
}

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

std::string first_of(const Call& call, std::initializer_list<const char*> names, std::string fallback) {
  for (const auto* name : names)
    if (auto value = call.env(name); !value.empty()) {
      while (value.ends_with('/')) value.pop_back();
      return value;
    }
  return fallback;
}

}  // namespace slipway::cloud
