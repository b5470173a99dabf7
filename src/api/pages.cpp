#include "api/pages.h"

#include "web/assets.h"

namespace slipway::api {

net::Response page(net::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    auto response =
        net::Response::text(405, fmt::format("{} {}: only pages are there\n", request.method, request.path));
    response.headers.set("Allow", "GET, HEAD");
    return response;
  }
  auto found = web::asset(request.path == "/" ? "/index.html" : request.path);
  bool file = request.path.find('.', request.path.rfind('/')) != std::string::npos;
  if (!found && !file) found = web::asset("/index.html");
  if (!found && !file)
    return net::Response::text(
        503,
        "the page was not built into this program\nhint: script/setup builds it (node and npm), then the program\n");
  if (!found) return net::Response::text(404, "no such page\n");
  auto response = net::Response::text(200, std::string(found->content), found->type);
  // Names of built files hold a digest of their content.
  response.headers.set("Cache-Control",
                       found->path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.set("Content-Security-Policy",
                       "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Referrer-Policy", "no-referrer");
  return response;
}

}  // namespace slipway::api
