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

// When, and for which service of which region, a signature counts.
struct Scope {
  std::string time, region, service;
  Scope(WallTime now, std::string where, std::string what)
      : time(stamp(now, "%Y%m%dT%H%M%SZ")), region(std::move(where)), service(std::move(what)) {}
  std::string str() const { return fmt::format("{}/{}/{}/aws4_request", time.substr(0, 8), region, service); }
};

// Lower-case names, sorted.
using Signed = std::map<std::string, std::string>;
std::string names_of(const Signed& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string signature(const ClientRequest& request, const Url& url, const Signed& headers, const Scope& scope,
                      const std::string& secret) {
  std::string lines;
  for (const auto& [name, value] : headers) lines += name + ":" + value + "\n";
  auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, url.path.empty() ? "/" : url.path,
                               canonical_query(url), lines, names_of(headers), sha256_hex(request.body));
  auto text = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", scope.time, scope.str(), sha256_hex(canonical));
  auto key = hmac_sha256("AWS4" + secret, scope.time.substr(0, 8));
  for (std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service), std::string_view("aws4_request")})
    key = hmac_sha256(key, part);
  return to_hex(hmac_sha256(key, text));
}

}  // namespace

Result<> sign_for_aws(ClientRequest& request, const AwsKeys& keys, const std::string& region,
                      const std::string& service, WallTime now) {
  TRY(auto url, parse_url(request.url));
  Scope scope(now, region, service);
  request.headers.set("X-Amz-Date", scope.time);
  if (!keys.session.empty()) request.headers.set("X-Amz-Security-Token", keys.session);
  Signed headers{{"host", url.authority()}};
  for (const auto& [name, value] : request.headers.list())
    if (auto key = lower(name); key == "content-type" || key.starts_with("x-amz-")) headers[key] = trim(value);
  request.headers.set("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                                   keys.id, scope.str(), names_of(headers),
                                                   signature(request, url, headers, scope, keys.secret)));
  return {};
}

Result<std::string> presign_for_aws(const ClientRequest& request, const AwsKeys& keys, const std::string& region,
                                    const std::string& service, WallTime now, int seconds) {
  TRY(auto url, parse_url(request.url));
  Scope scope(now, region, service);
  Signed headers{{"host", url.authority()}};
  for (const auto& [name, value] : request.headers.list()) headers[lower(name)] = trim(value);
  Query query{{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
              {"X-Amz-Credential", keys.id + "/" + scope.str()},
              {"X-Amz-Date", scope.time},
              {"X-Amz-Expires", std::to_string(seconds)},
              {"X-Amz-SignedHeaders", names_of(headers)}};
  if (!keys.session.empty()) query.emplace_back("X-Amz-Security-Token", keys.session);
  auto text = url.print() + (url.query.empty() ? "?" : "");
  for (const auto& [name, value] : query)
    text += fmt::format("{}{}={}", text.ends_with('?') ? "" : "&", name, percent_encode(value));
  TRY(url, parse_url(text));
  return fmt::format("{}&X-Amz-Signature={}", text, signature(request, url, headers, scope, keys.secret));
}

}  // namespace slipway::net
