#include "cluster/api/service_tokens.h"

#include <algorithm>

#include "base/hash.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

constexpr std::int64_t default_seconds = 3600, least_seconds = 600, most_seconds = std::int64_t{1} << 32;

std::int64_t seconds_of(WallTime t) {
  return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count();
}

doc::Map reference(const kube::Object& object) { return {{"name", object.name()}, {"uid", object.uid()}}; }

bool lives(const kube::Object& object, doc::View reference) {
  return object && object.uid() == reference["uid"].text();
}

}  // namespace

ApiResult<doc::Value> ServiceTokens::bound(const kube::Key& account, doc::View to) const {
  auto kind = to["kind"].text(), name = to["name"].text();
  if (kind != "Pod")
    return ApiFail(ApiError(422, "Invalid", fmt::format("TokenRequest: boundObjectRef.kind \"{}\": want Pod", kind)));
  auto pod = store_.get("pods", {account.ns, name});
  if (!pod) return ApiFail(ApiError(404, "NotFound", fmt::format("pods \"{}\" not found", name)));
  if (auto uid = to["uid"].text(); !uid.empty() && uid != pod.uid())
    return ApiFail(ApiError(409, "Conflict", fmt::format("pod \"{}\" has another uid now: {}", name, pod.uid())));
  if (pod["spec"]["serviceAccountName"].str_or("default") != account.name)
    return ApiFail(ApiError(422, "Invalid",
                            fmt::format("pod \"{}\" runs as another service account than \"{}\"", name, account.name)));
  return doc::Value(reference(pod));
}

ApiResult<doc::Value> ServiceTokens::issue(const kube::Key& account, doc::Value request, WallTime now) const {
  auto object = store_.get("serviceaccounts", account);
  if (!object) return ApiFail(ApiError(404, "NotFound", fmt::format("serviceaccounts \"{}\" not found", account.name)));
  auto spec = doc::View(request)["spec"];
  auto wanted = spec["expirationSeconds"].num_or(default_seconds);
  if (wanted < least_seconds)
    return ApiFail(
        ApiError(422, "Invalid",
                 fmt::format("spec.expirationSeconds: {}: may not specify a duration less than 10 minutes", wanted)));
  auto until = now + std::chrono::seconds(std::min(wanted, most_seconds));
  doc::List audiences;
  for (const auto& audience : spec["audiences"].items()) audiences.emplace_back(audience.text());
  if (audiences.empty()) audiences.emplace_back(std::string(issuer));
  doc::Map about{{"namespace", account.ns}, {"serviceaccount", reference(object)}};
  if (auto to = spec["boundObjectRef"]) {
    auto pod = bound(account, to);
    if (!pod) return ApiFail(pod.error());
    about.set("pod", *std::move(pod));
  }
  doc::Value claims =
      doc::Map{{"aud", audiences},       {"exp", seconds_of(until)},
               {"iat", seconds_of(now)}, {"iss", std::string(issuer)},
               {"jti", random_hex(16)},  {"kubernetes.io", std::move(about)},
               {"nbf", seconds_of(now)}, {"sub", fmt::format("system:serviceaccount:{}:{}", account.ns, account.name)}};
  auto token = key_.sign(doc::print_json(claims));
  if (!token) return ApiFail(ApiError(token.error()));
  request["spec"]["audiences"] = std::move(audiences);
  request["spec"]["expirationSeconds"] = wanted;
  request["status"] = doc::Map{{"token", *std::move(token)}, {"expirationTimestamp", rfc3339(until)}};
  return request;
}

std::optional<Caller> ServiceTokens::caller(std::string_view token, const std::vector<std::string>& audiences,
                                            WallTime now) const {
  auto text = key_.verify(token);
  auto parsed = text ? doc::parse_json(*text) : Result<doc::Value>(Fail(text.error()));
  if (!parsed) return std::nullopt;
  doc::View claims(*parsed);
  auto at = seconds_of(now);
  if (claims["iss"].text() != issuer || claims["exp"].num_or(0) <= at || claims["nbf"].num_or(0) > at + 5)
    return std::nullopt;
  auto heard = claims["aud"].items();
  bool for_us = std::any_of(heard.begin(), heard.end(), [&](const auto& a) {
    return std::find(audiences.begin(), audiences.end(), a.text()) != audiences.end();
  });
  if (!for_us) return std::nullopt;
  auto about = claims["kubernetes.io"];
  auto ns = about["namespace"].text(), name = about["serviceaccount"]["name"].text();
  if (!lives(store_.get("serviceaccounts", {ns, name}), about["serviceaccount"])) return std::nullopt;
  if (about["pod"] && !lives(store_.get("pods", {ns, about["pod"]["name"].text()}), about["pod"])) return std::nullopt;
  return Caller{fmt::format("system:serviceaccount:{}:{}", ns, name),
                {},
                {"system:serviceaccounts", "system:serviceaccounts:" + ns}};
}

}  // namespace slipway::cluster
