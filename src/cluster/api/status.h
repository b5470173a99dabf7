#pragma once
// What an API call answers when it does not do what was asked: Kubernetes' Status object.
#include <expected>
#include <string>
#include <vector>

#include "base/result.h"
#include "doc/value.h"

namespace slipway::cluster {

struct Cause {
  std::string reason, message, field;
};
// Threads: as a value.
struct ApiError {
  int code = 500;
  std::string reason = "InternalError", message;
  std::string name, group, kind,
      uid;  // of the details; kind is the resource ("deployments") or the kind ("Deployment")
  std::vector<Cause> causes;
  int retry_after = 0;  // seconds

  ApiError() = default;
  ApiError(int c, std::string r, std::string m) : code(c), reason(std::move(r)), message(std::move(m)) {}
  ApiError(const Error& error);  // NOLINT: so that TRY works where ApiResult is returned
  ApiError about(std::string group_name, std::string kind_name, std::string object) &&;
  doc::Value to_doc() const;  // the Status object
  Error to_error() const;     // for the in-process client
};
template <class T = void>
using ApiResult = std::expected<T, ApiError>;
using ApiFail = std::unexpected<ApiError>;

struct KindInfo;
ApiError not_found(const KindInfo& kind, const std::string& name);
ApiError already_exists(const KindInfo& kind, const std::string& name);
ApiError changed_meanwhile(const KindInfo& kind, const std::string& name);
ApiError bad_request(std::string message);
ApiError forbidden(const KindInfo& kind, const std::string& name, std::string_view why);
ApiError invalid(const KindInfo& kind, const std::string& name, std::vector<Cause> causes);
ApiError method_not_allowed();
ApiError expired(std::string message);
// {"kind": "Status", "status": "Success", "details": {...}}
doc::Value success(const KindInfo& kind, const std::string& name, const std::string& uid);

}  // namespace slipway::cluster

#define SLP_API_TRY_(t, decl, ...)                                  \
  auto t = (__VA_ARGS__);                                           \
  if (!t) return ::slipway::cluster::ApiFail(std::move(t).error()); \
  decl = *std::move(t)
// As TRY, where ApiResult is returned.
#define API_TRY(decl, ...) SLP_API_TRY_(SLP_CAT_(api_try_, __COUNTER__), decl, __VA_ARGS__)
#define API_TRY_OK(...) \
  if (auto r_ = (__VA_ARGS__); !r_) return ::slipway::cluster::ApiFail(std::move(r_).error())
