#include "api/findings.h"

#include "base/guarded.h"
#include "doc/json.h"
#include "engine/registry_settings.h"
#include "path/objects.h"

namespace slipway::api {
namespace {

constexpr std::size_t shown = 500;  // findings of one image
constexpr Millis longest{60'000};

net::Response refusal(int status, std::string_view message) {
  return net::Response::json(status, doc::print_json(doc::Map{{"message", message}}));
}

}  // namespace

net::Handler findings_routes(engine::House& house) {
  // One scan at a time: what an image holds is remembered by its layers, so that the next look is quick.
  auto turns = std::make_shared<Turns>();
  return [&house, turns](const Ctx& ctx, net::Request& request) {
    constexpr std::string_view prefix = "/findings/";
    auto user = house.users->by_header(request.headers.get_or("authorization", ""));
    if (!user) {
      auto refused = refusal(401, "a token is needed: Authorization: Bearer");
      refused.headers.set("WWW-Authenticate", "Basic realm=\"slipway\"");
      return refused;
    }
    auto repository = request.path.substr(std::min(prefix.size(), request.path.size()));
    auto reference = request.query_of("reference");
    if (!oci::valid_repository(repository) || reference.empty() || request.method != "GET")
      return refusal(404, "want GET /findings/REPOSITORY?reference=TAG-OR-DIGEST");
    auto rules = house.registry_settings ? house.registry_settings->rules(house.client.get()) : nullptr;
    if (rules && !rules->may({user->name, user->groups}, repository, "pull"))
      return refusal(403, fmt::format("{} may not pull {}", user->name, repository));
    auto turn = turns->take(ctx.within(longest));
    if (!turn) return refusal(503, "other images are being scanned: try again");
    auto report = house.scanner->scan_image(ctx.within(longest), repository, reference);
    if (!report) return refusal(net::status_of(report.error().kind()), report.error().what());
    doc::List list;
    for (const auto& finding : report->findings) {
      if (list.size() == shown) break;
      list.push_back(path::to_doc(finding));
    }
    return net::Response::json(
        200, doc::print_json(doc::Map{
                 {"packages", report->packages}, {"count", report->findings.size()}, {"findings", std::move(list)}}));
  };
}

}  // namespace slipway::api
