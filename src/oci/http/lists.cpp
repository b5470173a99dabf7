// Lists: repositories, tags, referrers.
#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "oci/http/face.h"

namespace slipway::oci::http {

using net::Request;
using net::Response;

namespace {

struct Paging {
  detail::Page page;
  bool bad = false;
};
Paging paging(const Request& request) {
  Paging p;
  p.page.after = request.query_of("last");
  if (auto n = request.query_of("n"); !n.empty()) {
    auto number = to_int(n);
    p.bad = !number || *number < 0;
    if (!p.bad) p.page.limit = std::min<std::int64_t>(*number, 10000);
  }
  return p;
}

// One more than asked for was read: there is a next page.
void link_next(Response& response, std::vector<std::string>& list, std::int64_t n, std::string_view path) {
  if (static_cast<std::int64_t>(list.size()) <= n) return;
  list.resize(static_cast<std::size_t>(n));
  if (n > 0)
    response.headers.set("Link", fmt::format("<{}?n={}&last={}>; rel=\"next\"", path, n, percent_encode(list.back())));
}
doc::Value strings(const std::vector<std::string>& list) {
  doc::List out;
  for (const auto& item : list) out.emplace_back(item);
  return out;
}

}  // namespace

Response Face::catalog(const Request& request) {
  auto p = paging(request);
  if (p.bad) return problem(400, "PAGINATION_NUMBER_INVALID", "n: want a number of 0 or more");
  auto n = p.page.limit;
  if (n) ++*p.page.limit;
  auto list = rep_.catalogue->repositories(p.page);
  if (!list) return problem(list.error(), "UNKNOWN");
  Response response;
  if (n) link_next(response, *list, *n, "/v2/_catalog");
  std::erase_if(*list, [&](const std::string& name) { return !rules_->may(visitor_.who, name, "pull"); });
  response.headers.set("Content-Type", "application/json");
  response.body = doc::print_json(doc::Map{{"repositories", strings(*list)}});
  return response;
}

Result<std::optional<std::vector<std::string>>> Face::tags_there(const Ctx& ctx, const Route& route,
                                                                 const detail::Page& page) {
  TRY(auto list, rep_.mirror->tags(ctx, *upstream_, route.repository));
  std::erase_if(list, [&](const std::string& tag) { return tag <= page.after; });
  if (page.limit && static_cast<std::int64_t>(list.size()) > *page.limit)
    list.resize(static_cast<std::size_t>(*page.limit));
  return std::optional(std::move(list));
}

Response Face::tags(const Ctx& ctx, const Request& request, const Route& route) {
  auto p = paging(request);
  if (p.bad) return problem(400, "PAGINATION_NUMBER_INVALID", "n: want a number of 0 or more");
  auto n = p.page.limit;
  if (n) ++*p.page.limit;
  auto list = upstream_ != nullptr ? tags_there(ctx, route, p.page) : rep_.catalogue->tags(route.repository, p.page);
  if (!list) return problem(list.error(), "UNKNOWN");
  if (!*list) return problem(404, "NAME_UNKNOWN", fmt::format("repository {} is not known", route.repository));
  Response response;
  if (n) link_next(response, **list, *n, fmt::format("/v2/{}/tags/list", route.repository));
  response.headers.set("Content-Type", "application/json");
  response.body = doc::print_json(doc::Map{{"name", route.repository}, {"tags", strings(**list)}});
  return response;
}

Response Face::referrers(const Ctx& ctx, const Request& request, const Route& route) {
  auto subject = Digest::parse(route.last);
  if (!subject) return problem(400, "DIGEST_INVALID", subject.error().what());
  auto type = request.query_of("artifactType");
  auto list = upstream_ != nullptr ? rep_.mirror->referrers(ctx, *upstream_, route.repository, *subject, type)
                                   : rep_.referrers(route.repository, *subject, type);
  if (!list) return problem(list.error(), "UNKNOWN");
  auto body =
      fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", media::index, fmt::join(*list, ","));
  auto response = Response::text(200, std::move(body), media::index);
  if (!type.empty()) response.headers.set("OCI-Filters-Applied", "artifactType");
  return response;
}

}  // namespace slipway::oci::http
