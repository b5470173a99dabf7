#include "cluster/api/call.h"
#include "cluster/api/rbac.h"
#include "cluster/api/service_tokens.h"

namespace slipway::cluster {
namespace {

doc::Value list_of(const std::vector<std::string>& texts) {
  doc::List out;
  for (const auto& t : texts) out.emplace_back(t);
  return out;
}

Attributes attributes_of(const doc::View& spec) {
  auto resource = spec["resourceAttributes"], path = spec["nonResourceAttributes"];
  Attributes a;
  if (path.present()) {
    a.verb = path["verb"].text(), a.path = path["path"].text();
    return a;
  }
  a.verb = resource["verb"].text(), a.group = resource["group"].text(), a.resource = resource["resource"].text();
  a.subresource = resource["subresource"].text(), a.ns = resource["namespace"].text(), a.name = resource["name"].text();
  return a;
}

doc::Value access(const ObjectStore& store, doc::Value review, const Caller& who) {
  bool yes = allowed(store, who, attributes_of(doc::View(review)["spec"]));
  review["status"] = doc::Map{{"allowed", yes}};
  if (!yes) review["status"]["reason"] = "no RBAC rule allows it";
  return review;
}

// Somebody was shown a token and asks whose it is.
doc::Value token_review(const Call& call, doc::Value review) {
  auto spec = doc::View(review)["spec"];
  std::vector<std::string> audiences;
  for (const auto& audience : spec["audiences"].items()) audiences.push_back(audience.text());
  if (audiences.empty()) audiences.emplace_back(ServiceTokens::issuer);
  auto* tokens = call.machinery.tokens();
  auto who = tokens == nullptr ? std::nullopt : tokens->caller(spec["token"].text(), audiences, call.ctx.clock->wall());
  review["status"] = doc::Map{{"authenticated", who.has_value()}};
  if (!who) {
    review["status"]["error"] = "not the token of a service account of this cluster, or not a valid one any more";
    return review;
  }
  who->groups.emplace_back("system:authenticated");
  review["status"]["user"] = doc::Map{{"username", who->user}, {"groups", list_of(who->groups)}};
  review["status"]["audiences"] = list_of(audiences);
  return review;
}

}  // namespace

doc::Value review_access(const ObjectStore& store, doc::Value review) {
  doc::View spec = doc::View(review)["spec"];
  Caller who{spec["user"].text(), {}, {}};
  for (const auto& group : spec["groups"].items()) who.groups.push_back(group.text());
  return access(store, std::move(review), who);
}

net::Response serve_review(Call& call) {
  auto body = call.body();
  if (!body) return answer(body.error());
  auto kind = call.kind->type.kind;
  doc::Value review = body->is_map() ? *std::move(body) : doc::Value(doc::Map{});
  review["apiVersion"] = call.kind->type.api_version, review["kind"] = kind;
  if (kind == "SelfSubjectReview") {
    review["status"] =
        doc::Map{{"userInfo", doc::Map{{"username", call.caller.user}, {"groups", list_of(call.caller.groups)}}}};
  } else if (kind == "SelfSubjectAccessReview") {
    review = access(call.machinery.store(), std::move(review), call.caller);
  } else if (kind == "SubjectAccessReview" || kind == "LocalSubjectAccessReview") {
    review = review_access(call.machinery.store(), std::move(review));
  } else if (kind == "SelfSubjectRulesReview") {
    doc::List resources, paths;
    for (auto& rule : rules_of(call.machinery.store(), call.caller, doc::View(review)["spec"]["namespace"].text()))
      (rule.find("nonResourceURLs") != nullptr ? paths : resources).push_back(std::move(rule));
    review["status"] = doc::Map{
        {"resourceRules", std::move(resources)}, {"nonResourceRules", std::move(paths)}, {"incomplete", false}};
  } else if (kind == "TokenReview") {
    review = token_review(call, std::move(review));
  } else {
    return answer(ApiError(501, "NotImplemented", fmt::format("the embedded cluster does not serve {}", kind)));
  }
  return answer(201, review, call.wanted);
}

}  // namespace slipway::cluster
