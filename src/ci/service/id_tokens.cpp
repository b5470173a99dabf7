// OpenID Connect: who a job is, signed, for clouds and vaults that trust this house.
#include "base/hash.h"
#include "base/text.h"
#include "ci/service/state.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_audience = 1024;

std::int64_t seconds(const Ctx& ctx) { return std::chrono::system_clock::to_time_t(ctx.clock->wall()); }

net::Response refusal(int status, std::string_view message) {
  return net::Response::json(status, doc::print_json(doc::Map{{"message", message}}));
}

}  // namespace

Result<std::string> make_id_token(const Ctx& ctx, JobService::Rep& service, const JobState& job,
                                  const std::string& audience) {
  if (audience.size() > max_audience) return fail(Kind::invalid, "audience: at most {} bytes", max_audience);
  auto claims = job.job.claims;
  auto issuer = service.options.issuer();
  auto now = seconds(ctx);
  auto owner = claims.find("repository_owner");
  if (audience.contains('\n')) {  // several, as GitLab's id_tokens may have them
    doc::List all;
    for (auto one : lines(audience)) all.emplace_back(std::string(one));
    claims.set("aud", std::move(all));
  } else if (audience.empty()) {
    claims.set("aud", fmt::format("{}/{}", issuer, owner && owner->if_string() ? *owner->if_string() : ""));
  } else {
    claims.set("aud", audience);
  }
  claims.set("iss", issuer);
  claims.set("jti", uuid4());
  claims.set("iat", now);
  claims.set("nbf", now - 60);
  claims.set("exp", now + std::chrono::duration_cast<std::chrono::seconds>(service.options.token_lifetime).count());
  TRY(auto key, service.key(service.algorithm));
  return key->sign(doc::print_json(claims));
}

net::Response answer_id_token(const Ctx& ctx, JobService::Rep& service, const net::Request& request) {
  if (request.method != "GET" && request.method != "POST") return refusal(405, "want GET");
  auto job = service.who(request, true);
  if (!job)
    return refusal(
        401,
        "want Authorization: Bearer with the ACTIONS_ID_TOKEN_REQUEST_TOKEN of a job that is running; it has "
        "one when its permissions say id-token: write");
  auto token = make_id_token(ctx, service, *job, request.query_of("audience"));
  if (!token) return refusal(token.error().is(Kind::invalid) ? 400 : 500, token.error().what());
  return net::Response::json(200, doc::print_json(doc::Map{{"count", token->size()}, {"value", *token}}));
}

// Rule: OpenID Connect Discovery 1.0, section 3; RFC 7517.
net::Response answer_discovery(JobService::Rep& service, const net::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return refusal(405, "want GET");
  // Both: a house whose setting was changed still stands for the tokens it gave.
  if (request.path == "/.well-known/jwks") {
    std::string keys;
    for (auto* algorithm : {"RS256", "ES256"}) {
      auto key = service.key(algorithm);
      if (!key) return refusal(500, key.error().what());
      keys += (keys.empty() ? "" : ",") + (*key)->jwk();
    }
    return net::Response::json(200, fmt::format(R"({{"keys":[{}]}})", keys));
  }
  if (request.path != "/.well-known/openid-configuration") return refusal(404, "nothing is here");
  auto issuer = service.options.issuer();
  doc::List claims;
  for (auto name : {"sub",
                    "aud",
                    "exp",
                    "iat",
                    "iss",
                    "jti",
                    "nbf",
                    "ref",
                    "ref_type",
                    "sha",
                    "repository",
                    "repository_owner",
                    "run_id",
                    "run_number",
                    "run_attempt",
                    "actor",
                    "workflow",
                    "workflow_ref",
                    "head_ref",
                    "base_ref",
                    "event_name",
                    "environment",
                    "workflow_sha",
                    "job_workflow_ref",
                    "ref_protected",
                    "runner_environment",
                    "job_workflow_sha"})
    claims.emplace_back(name);
  return net::Response::json(200, doc::print_json(doc::Map{
                                      {"issuer", issuer},
                                      {"jwks_uri", issuer + "/.well-known/jwks"},
                                      {"subject_types_supported", doc::List{"public"}},
                                      {"response_types_supported", doc::List{"id_token"}},
                                      {"id_token_signing_alg_values_supported", doc::List{"RS256", "ES256"}},
                                      {"scopes_supported", doc::List{"openid"}},
                                      {"claims_supported", std::move(claims)},
                                  }));
}

}  // namespace slipway::ci
