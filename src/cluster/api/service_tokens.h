#pragma once
// Tokens of service accounts: what a pod shows to say who it is. Signed, bound to an account and mostly to a pod; gone
// with them, whatever their time. Rule: Kubernetes' "Managing Service Accounts", bound tokens.
#include <memory>

#include "cluster/api/machinery.h"
#include "net/jwt.h"

namespace slipway::cluster {

// Threads: any.
class ServiceTokens {
 public:
  // Who the API server is, in tokens: the issuer, and the audience where none is asked for.
  static constexpr std::string_view issuer = "https://kubernetes.default.svc.cluster.local";

  ServiceTokens(const ObjectStore& store, net::SigningKey key) : store_(store), key_(std::move(key)) {}
  // A TokenRequest with its status. Errors: 404 no such account, 409 the pod it is to be bound to is another, 422.
  ApiResult<doc::Value> issue(const kube::Key& account, doc::Value request, WallTime now) const;
  // Whose token this is. Nothing: not ours, for somebody else's ears, too old, its account or pod gone.
  std::optional<Caller> caller(std::string_view token, const std::vector<std::string>& audiences, WallTime now) const;
  static bool looks_like_one(std::string_view token) { return token.starts_with("eyJ"); }

 private:
  ApiResult<doc::Value> bound(const kube::Key& account, doc::View reference) const;

  const ObjectStore& store_;
  net::SigningKey key_;
};

}  // namespace slipway::cluster
