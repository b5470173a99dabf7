// Which endpoint of the distribution specification 1.1 a request is for, and who may ask it.
#include "base/log.h"
#include "oci/http/face.h"

namespace slipway::oci::http {

using net::Request;
using net::Response;
using What = Route::What;

namespace {

// A repository's name has slashes, so the path is read from its end.
Route route_of(std::string_view path) {
  if (!path.starts_with("/v2")) return {};
  path.remove_prefix(3);
  if (path.empty() || path == "/") return {What::ping, {}, {}};
  path.remove_prefix(1);
  if (path == "_catalog") return {What::catalog, {}, {}};
  if (path == "_token") return {What::token, {}, {}};
  auto named = [](What what, std::string_view repository, std::string_view last) {
    return Route{what, std::string(repository), std::string(last)};
  };
  for (std::string_view end : {"/blobs/uploads/", "/blobs/uploads"})
    if (path.ends_with(end)) return named(What::uploads, path.substr(0, path.size() - end.size()), {});
  if (path.ends_with("/tags/list")) return named(What::tags, path.substr(0, path.size() - 10), {});
  auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  auto head = path.substr(0, slash), last = path.substr(slash + 1);
  if (head.ends_with("/blobs/uploads")) return named(What::upload, head.substr(0, head.size() - 14), last);
  if (head.ends_with("/blobs")) return named(What::blob, head.substr(0, head.size() - 6), last);
  if (head.ends_with("/manifests")) return named(What::manifest, head.substr(0, head.size() - 10), last);
  if (head.ends_with("/referrers")) return named(What::referrers, head.substr(0, head.size() - 10), last);
  return {};
}

std::string_view action_of(const Request& request, const Route& route) {
  if (route.what == What::uploads || route.what == What::upload) return "push";
  if (request.method == "DELETE") return "delete";
  return request.method == "GET" || request.method == "HEAD" ? "pull" : "push";
}

}  // namespace

Response problem(const Error& error, std::string_view code) {
  if (error.is(Kind::internal) || error.is(Kind::corrupt) || error.is(Kind::unavailable)) {
    LOG(error, "oci.registry.failed", {"error", error.what()});
    return problem(net::status_of(error.kind()), "UNKNOWN", error.what());
  }
  return problem(net::status_of(error.kind()), code, error.what());
}

Response Face::operator()(const Ctx& ctx, Request& request) {
  auto route = route_of(request.path);
  if (route.what == What::unknown) return problem(404, "UNSUPPORTED", "no such endpoint");
  if (!route.repository.empty() && !valid_repository(route.repository))
    return problem(400, "NAME_INVALID", fmt::format("repository name {:?}", route.repository));
  if (route.what == What::token) return rep_.access->token(ctx, request);
  auto visitor = rep_.access->visitor(request);
  if (!visitor) return rep_.access->refusal(request, {}, route.repository, "pull", visitor.error().what());
  visitor_ = *std::move(visitor);
  rules_ = rep_.rules();
  auto asked = route.repository;
  std::string of;
  if (auto host = request.query_of("ns"); !host.empty() && !asked.empty())
    if (const auto* up = rules_->upstream_by_host(host)) {
      route.repository = fmt::format("{}/{}", up->name, asked);
      of = host;
    }
  auto action = action_of(request, route);
  bool anonymous_ping = route.what == What::ping && visitor_.who.anonymous() && !visitor_.grants;
  bool allowed = route.repository.empty() ||
                 (rep_.access->may(visitor_, asked, action) && rules_->may(visitor_.who, route.repository, action));
  if (anonymous_ping || !allowed) return rep_.access->refusal(request, visitor_, asked, action);
  upstream_ = route.repository.empty() ? nullptr : rules_->upstream_of(route.repository);
  if (upstream_ != nullptr && action == "push")
    return problem(403, "DENIED", fmt::format("{} mirrors {}: push it there", route.repository, upstream_->host));
  auto response = answer(ctx, request, route);
  response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  if (!of.empty()) response.headers.set("OCI-Namespace", of);
  return response;
}

Response Face::answer(const Ctx& ctx, Request& request, const Route& route) {
  const auto& m = request.method;
  bool reads = m == "GET" || m == "HEAD";
  switch (route.what) {
    case What::ping:
      if (reads) return Response::json(200, "{}");
      break;
    case What::catalog:
      if (reads) return catalog(request);
      break;
    case What::tags:
      if (reads) return tags(ctx, request, route);
      break;
    case What::referrers:
      if (reads) return referrers(ctx, request, route);
      break;
    case What::manifest:
      if (reads) return get_manifest(ctx, route);
      if (m == "PUT") return put_manifest(ctx, request, route);
      if (m == "DELETE") return delete_manifest(route);
      break;
    case What::blob:
      if (reads) return get_blob(ctx, request, route);
      if (m == "DELETE") return delete_blob(route);
      break;
    case What::uploads:
      if (m == "POST") return start_upload(ctx, request, route);
      break;
    case What::upload:
      if (reads) return upload_status(route);
      if (m == "PATCH") return append(ctx, request, route);
      if (m == "PUT") return finish(ctx, request, route);
      if (m == "DELETE") return cancel(route);
      break;
    case What::token:
    case What::unknown:
      break;
  }
  return problem(405, "UNSUPPORTED", fmt::format("{} is not for this endpoint", m));
}

}  // namespace slipway::oci::http

namespace slipway::oci {

net::Handler Registry::routes() {
  return [rep = rep_.get()](const Ctx& ctx, net::Request& request) { return http::Face(*rep)(ctx, request); };
}

}  // namespace slipway::oci
