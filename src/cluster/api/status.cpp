#include "cluster/api/status.h"

#include "cluster/api/kinds.h"
#include "net/server.h"

namespace slipway::cluster {
namespace {

std::string_view reason_of(int code) {
  switch (code) {
    case 400:
      return "BadRequest";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 405:
      return "MethodNotAllowed";
    case 406:
      return "NotAcceptable";
    case 409:
      return "Conflict";
    case 410:
      return "Expired";
    case 413:
      return "RequestEntityTooLarge";
    case 415:
      return "UnsupportedMediaType";
    case 422:
      return "Invalid";
    case 429:
      return "TooManyRequests";
    case 503:
      return "ServiceUnavailable";
    case 504:
      return "Timeout";
    default:
      return "InternalError";
  }
}
Kind kind_of(int code) {
  switch (code) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      return Kind::invalid;
    case 401:
    case 403:
      return Kind::denied;
    case 404:
      return Kind::not_found;
    case 409:
    case 410:
      return Kind::conflict;
    case 429:
    case 503:
      return Kind::unavailable;
    case 504:
      return Kind::timeout;
    case 499:
      return Kind::cancelled;
    default:
      return Kind::internal;
  }
}

}  // namespace

ApiError::ApiError(const Error& error)
    : code(net::status_of(error.kind())), reason(reason_of(code)), message(error.print()) {}

ApiError ApiError::about(std::string group_name, std::string kind_name, std::string object) && {
  group = std::move(group_name), kind = std::move(kind_name), name = std::move(object);
  return std::move(*this);
}

doc::Value ApiError::to_doc() const {
  doc::Map details;
  if (!name.empty()) details.set("name", name);
  if (!group.empty()) details.set("group", group);
  if (!kind.empty()) details.set("kind", kind);
  if (!uid.empty()) details.set("uid", uid);
  if (!causes.empty()) {
    doc::List list;
    for (const auto& cause : causes) {
      doc::Map c{{"reason", cause.reason}, {"message", cause.message}};
      if (!cause.field.empty()) c.set("field", cause.field);
      list.emplace_back(std::move(c));
    }
    details.set("causes", std::move(list));
  }
  if (retry_after > 0) details.set("retryAfterSeconds", retry_after);
  doc::Map status{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", doc::Map{}},
                  {"status", "Failure"}, {"message", message}, {"reason", reason}};
  if (!details.empty()) status.set("details", std::move(details));
  status.set("code", code);
  return status;
}

Error ApiError::to_error() const {
  Error error(kind_of(code), message);
  if (retry_after > 0) return std::move(error).with_retry_after(std::chrono::seconds(retry_after));
  return error;
}

ApiError not_found(const KindInfo& kind, const std::string& name) {
  return ApiError(404, "NotFound", fmt::format("{} \"{}\" not found", kind.resource(), name))
      .about(kind.group, kind.plural, name);
}
ApiError already_exists(const KindInfo& kind, const std::string& name) {
  return ApiError(409, "AlreadyExists", fmt::format("{} \"{}\" already exists", kind.resource(), name))
      .about(kind.group, kind.plural, name);
}
ApiError changed_meanwhile(const KindInfo& kind, const std::string& name) {
  return ApiError(409, "Conflict",
                  fmt::format("Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply "
                              "your changes to the latest version and try again",
                              kind.resource(), name))
      .about(kind.group, kind.plural, name);
}
ApiError bad_request(std::string message) { return {400, "BadRequest", std::move(message)}; }
ApiError forbidden(const KindInfo& kind, const std::string& name, std::string_view why) {
  auto subject = name.empty() ? kind.resource() : fmt::format("{} \"{}\"", kind.resource(), name);
  return ApiError(403, "Forbidden", fmt::format("{} is forbidden: {}", subject, why))
      .about(kind.group, kind.plural, name);
}
ApiError invalid(const KindInfo& kind, const std::string& name, std::vector<Cause> causes) {
  auto subject = kind.group.empty() ? kind.type.kind : fmt::format("{}.{}", kind.type.kind, kind.group);
  std::string text;
  for (const auto& cause : causes)
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", cause.field, cause.message);
  if (causes.size() > 1) text = "[" + text + "]";
  auto error = ApiError(422, "Invalid", fmt::format("{} \"{}\" is invalid: {}", subject, name, text))
                   .about(kind.group, kind.type.kind, name);
  error.causes = std::move(causes);
  return error;
}
ApiError method_not_allowed() {
  return {405, "MethodNotAllowed", "the server does not allow this method on the requested resource"};
}
ApiError expired(std::string message) { return {410, "Expired", std::move(message)}; }

doc::Value success(const KindInfo& kind, const std::string& name, const std::string& uid) {
  doc::Map details{{"name", name}};
  if (!kind.group.empty()) details.set("group", kind.group);
  details.set("kind", kind.plural);
  if (!uid.empty()) details.set("uid", uid);
  return doc::Map{{"kind", "Status"},
                  {"apiVersion", "v1"},
                  {"metadata", doc::Map{}},
                  {"status", "Success"},
                  {"details", std::move(details)}};
}

}  // namespace slipway::cluster
