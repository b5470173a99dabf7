// The first protocol of caches, for actions whose packages are older than the Results services: ACTIONS_CACHE_URL with
// _apis/artifactcache/ behind it. Rule: @actions/cache, cacheHttpClient. The entries are those of CacheService.
#include "base/text.h"
#include "ci/service/state.h"
#include "ci/service/wire.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_message = 64 << 10;

net::Response answer(int status, const doc::Value& value) {
  auto response = net::Response::json(status, doc::print_json(value));
  response.headers.set("Content-Type", "application/json; charset=utf-8; api-version=6.0-preview.1");
  return response;
}
net::Response refusal(int status, std::string_view message) { return answer(status, doc::Map{{"message", message}}); }
net::Response refusal(const Error& error) {
  switch (error.kind()) {
    case Kind::invalid:
      return refusal(400, error.what());
    case Kind::not_found:
      return refusal(404, error.what());
    case Kind::conflict:
      return refusal(409, error.what());
    case Kind::denied:
      return refusal(403, error.what());
    case Kind::unavailable:
      return refusal(412, error.what());
    default:
      return refusal(500, error.what());
  }
}

doc::Map shown(const CacheEntry& entry) {
  return {{"cacheKey", entry.name.key},
          {"cacheVersion", entry.name.version},
          {"scope", entry.name.scope},
          {"creationTime", rfc3339(entry.created)}};
}

Result<net::Response> find(const ServiceCall& call, const net::Request& request) {
  std::vector<std::string> keys;
  auto given = request.query_of("keys");
  for (auto key : split(given, ',')) keys.emplace_back(trim(key));
  std::string url;
  TRY(auto hit, find_cache(call, keys, request.query_of("version"), url));
  if (!hit) return net::Response{.status = 204};
  auto out = shown(*hit);
  out.set("archiveLocation", url);
  return answer(200, std::move(out));
}

// Entries whose keys begin so, of the refs this job may read.
Result<net::Response> list(const ServiceCall& call, const net::Request& request) {
  TRY(auto* store, caches_of(call));
  auto prefix = request.query_of("key");
  auto& own = call.job.job;
  TRY(auto all, store->list(own.repository));
  doc::List out;
  for (const auto& entry : all) {
    bool seen = std::find(own.scopes.begin(), own.scopes.end(), entry.name.scope) != own.scopes.end();
    if (seen && entry.name.key.starts_with(prefix) && out.size() < 100) out.emplace_back(shown(entry));
  }
  auto count = out.size();
  return answer(200, doc::Map{{"totalCount", count}, {"artifactCaches", std::move(out)}});
}

Result<doc::Value> message(const Ctx& ctx, net::Request& request) {
  TRY(auto text, request.read_body(ctx, max_message));
  TRY(auto out, doc::parse_json(text, "request"));
  if (!out.is_map()) return fail(Kind::invalid, "request: want a JSON object");
  return out;
}

Result<net::Response> reserve(const ServiceCall& call, net::Request& request) {
  TRY(auto body, message(call.ctx, request));
  doc::View view(body, "request");
  auto key = view["key"].str_or(""), version = view["version"].str_or("");
  TRY_OK(check_cache_name(key, version));
  TRY(auto* store, caches_of(call));
  auto& own = call.job.job;
  TRY(auto known, store->get({own.repository, own.scopes[0], version, key}));
  if (known) return fail(Kind::conflict, "cache {} with this version is already there", key);
  auto limit = std::min(call.service.options.max_blob, store->limits().bytes);
  auto size = view["cacheSize"].num_or(0);
  if (size > 0 && static_cast<std::uint64_t>(size) > limit)
    return fail(Kind::invalid, "cache {}: {} are more than {}, which is what may be kept", key,
                human_bytes(static_cast<std::uint64_t>(size)), human_bytes(limit));
  std::lock_guard lock(call.job.mutex);
  TRY_OK(call.begin());
  auto number = static_cast<std::int64_t>(call.job.begun);
  call.job.reserved[number] = {key, version, std::make_shared<Upload>(store->blobs(), limit)};
  return answer(201, doc::Map{{"cacheId", number}});
}

Result<net::Response> write(const ServiceCall& call, std::int64_t number, net::Request& request) {
  JobState::Reserved reserved;
  {
    std::lock_guard lock(call.job.mutex);
    auto found = call.job.reserved.find(number);
    if (found == call.job.reserved.end()) return fail(Kind::not_found, "cache {} was not reserved by this job", number);
    reserved = found->second;
  }
  if (request.method == "PATCH") {
    TRY(auto range, parse_content_range(request.headers.get_or("content-range", "")));
    TRY_OK(reserved.upload->put_range(call.ctx, range, *request.body));
    return net::Response{.status = 204};
  }
  TRY(auto body, message(call.ctx, request));
  auto size = doc::View(body, "request")["size"].num_or(-1);
  if (size < 0) return fail(Kind::invalid, "size: want the number of bytes");
  TRY_OK(reserved.upload->commit_ranges(call.ctx, static_cast<std::uint64_t>(size)));
  TRY(auto kept, keep_cache(call, reserved.key, reserved.version, *reserved.upload->done()));
  (void)kept;
  std::lock_guard lock(call.job.mutex);
  call.job.reserved.erase(number);
  return net::Response{.status = 204};
}

Result<net::Response> route(const ServiceCall& call, std::string_view rest, net::Request& request) {
  auto& method = request.method;
  if (rest == "cache" && method == "GET") return find(call, request);
  if (rest == "caches" && method == "GET") return list(call, request);
  if (rest == "caches" && method == "POST") return reserve(call, request);
  constexpr std::string_view one = "caches/";
  auto number = rest.starts_with(one) ? to_int(rest.substr(one.size())) : std::nullopt;
  if (number && (method == "PATCH" || method == "POST")) return write(call, *number, request);
  return fail(Kind::not_found, "{} {} is nothing of this protocol", method, rest);
}

}  // namespace

net::Response answer_cache_v1(const Ctx& ctx, JobService::Rep& service, net::Request& request) {
  auto job = service.who(request);
  if (!job) return refusal(401, "want Authorization: Bearer with the ACTIONS_RUNTIME_TOKEN of a job that is running");
  ServiceCall call{ctx, service, *job, service.base_for(request)};
  auto rest = std::string_view(request.path).substr(std::string_view("/results/_apis/artifactcache/").size());
  auto out = route(call, rest, request);
  return out ? *std::move(out) : refusal(out.error());
}

}  // namespace slipway::ci
