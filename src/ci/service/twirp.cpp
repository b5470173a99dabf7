// Twirp over JSON: POST /twirp/SERVICE/METHOD. Rule: "Twirp Wire Protocol (v7)", errors included.
#include "base/text.h"
#include "ci/service/state.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_message = 256 << 10;

net::Response twirp_error(int status, std::string_view code, std::string_view message) {
  return net::Response::json(status, doc::print_json(doc::Map{{"code", code}, {"msg", message}}));
}

// Clients try again after 500, 502, 503 and 504: what will not change must have another status.
net::Response twirp_error(const Error& error) {
  switch (error.kind()) {
    case Kind::invalid:
      return twirp_error(400, "invalid_argument", error.what());
    case Kind::not_found:
      return twirp_error(404, "not_found", error.what());
    case Kind::conflict:
      return twirp_error(409, "already_exists", error.what());
    case Kind::denied:
      return twirp_error(403, "permission_denied", error.what());
    case Kind::unavailable:
      return twirp_error(412, "failed_precondition", error.what());
    case Kind::timeout:
    case Kind::cancelled:
      return twirp_error(503, "unavailable", error.what());
    case Kind::corrupt:
    case Kind::internal:
      break;
  }
  return twirp_error(500, "internal", error.what());
}

}  // namespace

net::Response answer_twirp(const Ctx& ctx, JobService::Rep& service, net::Request& request) {
  constexpr std::string_view results = "github.actions.results.api.v1.";
  auto words = split(std::string_view(request.path).substr(1), '/');
  if (words.size() != 3 || !words[1].starts_with(results))
    return twirp_error(404, "bad_route", fmt::format("{}: want /twirp/{}SERVICE/METHOD", request.path, results));
  if (request.method != "POST") return twirp_error(404, "bad_route", "want POST");
  auto job = service.who(request);
  if (!job)
    return twirp_error(401, "unauthenticated",
                       "want Authorization: Bearer with the ACTIONS_RUNTIME_TOKEN of a job that is running");
  auto type = lower(request.headers.get_or("content-type", ""));
  if (!type.starts_with("application/json"))
    return twirp_error(404, "bad_route", fmt::format("Content-Type \"{}\": want application/json", type));
  auto text = request.read_body(ctx, max_message);
  if (!text) return twirp_error(text.error());
  auto message = doc::parse_json(*text, "request");
  if (!message) return twirp_error(400, "malformed", message.error().what());
  if (!message->is_map()) return twirp_error(400, "malformed", "want a JSON object");
  auto name = words[1].substr(results.size());
  auto call = name == "CacheService" ? cache_call : name == "ArtifactService" ? artifact_call : nullptr;
  if (!call) return twirp_error(404, "bad_route", fmt::format("no service {} here", words[1]));
  ServiceCall of{ctx, service, *job, service.base_for(request)};
  auto answer = call(of, words[2], doc::View(*message, "request"));
  if (!answer) return twirp_error(answer.error());
  return net::Response::json(200, doc::print_json(*answer));
}

}  // namespace slipway::ci
