#include "net/aws.h"

#include <ctime>
#include <map>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"

namespace slipway::net {
namespace {

std::string stamp(WallTime now, const char* form) {
  auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, form, &parts)};
}

// Sorted, each name and value encoded anew.
std::string canonical_query(const Url& url) {
  std::vector<std::string> parts;
  for (auto& [name, value] : parse_query(url.query))
    parts.push_back(percent_encode(name) + "=" + percent_encode(value));
  std::sort(parts.begin(), parts.end());
  return join(std::span<const std::string>(parts), "&");
}

}  // namespace

Result<> sign_for_aws(ClientRequest& request, const AwsKeys& keys, const std::string& region,
                      const std::string& service, WallTime now) {
  TRY(auto url, parse_url(request.url));
  auto time = stamp(now, "%Y%m%dT%H%M%SZ"), day = time.substr(0, 8);
  request.headers.set("X-Amz-Date", time);
  if (!keys.session.empty()) request.headers.set("X-Amz-Security-Token", keys.session);
  std::map<std::string, std::string> signed_headers{{"host", url.authority()}};
  for (const auto& [name, value] : request.headers.list())
    if (auto key = lower(name); key == "content-type" || key.starts_with("x-amz-")) signed_headers[key] = trim(value);
  std::string headers, names;
  for (const auto& [name, value] : signed_headers) {
    headers += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, url.path.empty() ? "/" : url.path,
                               canonical_query(url), headers, names, sha256_hex(request.body));
  auto scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  auto text = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, sha256_hex(canonical));
  auto key = hmac_sha256("AWS4" + keys.secret, day);
  for (std::string_view part : {std::string_view(region), std::string_view(service), std::string_view("aws4_request")})
    key = hmac_sha256(key, part);
  request.headers.set("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                                   keys.id, scope, names, to_hex(hmac_sha256(key, text))));
  return {};
}

}  // namespace slipway::net
