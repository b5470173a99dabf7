// Manifests, by tag or digest.
#include "base/text.h"
#include "oci/http/face.h"

namespace slipway::oci::http {

using net::Request;
using net::Response;

namespace {

// Distribution-spec 1.1, "warnings": a quoted string of printable characters.
std::string warning(std::string_view text) {
  std::string quoted;
  for (char c : text.substr(0, 1000)) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c >= ' ' && c < 0x7f ? c : ' ';
  }
  return fmt::format("299 - \"{}\"", quoted);
}

}  // namespace

Result<detail::Mirror::Found> Face::find_manifest(const Ctx& ctx, const Route& route) {
  if (upstream_ != nullptr) return rep_.mirror->manifest(ctx, *upstream_, route.repository, route.last);
  TRY(auto stored, rep_.manifest(route.repository, route.last));
  return detail::Mirror::Found{std::move(stored), {}};
}

Response Face::get_manifest(const Ctx& ctx, const Route& route) {
  if (route.last.find(':') != std::string::npos ? !Digest::parse(route.last) : !valid_tag(route.last))
    return problem(404, "MANIFEST_UNKNOWN", fmt::format("{:?} is neither a tag nor a digest", route.last));
  auto found = find_manifest(ctx, route);
  if (!found) return problem(found.error(), "MANIFEST_UNKNOWN");
  if (!found->manifest)
    return problem(404, "MANIFEST_UNKNOWN", fmt::format("{}: no manifest {}", route.repository, route.last));
  rep_.pulled(route.repository, route.last);
  auto& stored = *found->manifest;
  auto response = Response::text(200, std::move(stored.bytes), stored.descriptor.media_type);
  response.headers.set("Docker-Content-Digest", stored.descriptor.digest.str());
  response.headers.set("ETag", "\"" + stored.descriptor.digest.str() + "\"");
  if (!found->warning.empty()) response.headers.set("Warning", warning(found->warning));
  return response;
}

Response Face::put_manifest(const Ctx& ctx, Request& request, const Route& route) {
  Registry::Rep::Push push{.repository = route.repository,
                           .media_type = std::string(request.headers.get_or("content-type", "")),
                           .tags = {},
                           .digest = {},
                           .children = Registry::Rep::Children::repository};
  if (route.last.find(':') != std::string::npos) {
    auto digest = Digest::parse(route.last);
    if (!digest) return problem(400, "DIGEST_INVALID", digest.error().what());
    push.digest = *digest;
    for (const auto& [key, value] : request.query)
      if (key == "tag") push.tags.push_back(value);
  } else {
    push.tags.push_back(route.last);
  }
  constexpr std::size_t most_tags = 64;  // each is a header of the answer; clients take no more than a hundred
  if (push.tags.size() > most_tags)
    return problem(414, "TAG_INVALID", fmt::format("{} tags, want at most {} at once", push.tags.size(), most_tags));
  for (const auto& tag : push.tags)
    if (!valid_tag(tag)) return problem(400, "TAG_INVALID", fmt::format("tag {:?}", tag));
  if (auto length = to_int(request.headers.get_or("content-length", ""));
      length && *length > static_cast<std::int64_t>(rep_.options.max_manifest))
    return problem(413, "SIZE_INVALID",
                   fmt::format("manifest has {} bytes, want at most {}", *length, rep_.options.max_manifest));
  auto bytes = request.read_body(ctx, rep_.options.max_manifest);
  if (!bytes)
    return problem(bytes.error().is(Kind::invalid) ? 413 : net::status_of(bytes.error().kind()), "SIZE_INVALID",
                   bytes.error().what());
  auto pushed = rep_.push(push, *bytes);
  if (!pushed) {
    const auto& e = pushed.error();
    if (e.is(Kind::conflict)) return problem(400, "DIGEST_INVALID", e.what());
    if (e.is(Kind::invalid)) return problem(400, "MANIFEST_INVALID", e.what());
    if (e.is(Kind::denied)) return problem(403, "DENIED", e.what());
    return problem(e, "MANIFEST_BLOB_UNKNOWN");
  }
  Response response{.status = 201, .headers = {}, .body = std::string()};
  auto shown = push.digest.empty() ? route.last : push.digest.str();
  response.headers.set("Location", fmt::format("/v2/{}/manifests/{}", route.repository, shown));
  response.headers.set("Docker-Content-Digest", pushed->descriptor.digest.str());
  if (!pushed->subject.empty()) response.headers.set("OCI-Subject", pushed->subject.str());
  if (!push.digest.empty())
    for (const auto& tag : push.tags) response.headers.add("OCI-Tag", tag);
  return response;
}

Response Face::delete_manifest(const Route& route) {
  if (route.last.find(':') != std::string::npos)
    if (auto digest = Digest::parse(route.last); !digest) return problem(400, "DIGEST_INVALID", digest.error().what());
  auto found = rep_.remove(route.repository, route.last);
  if (!found && found.error().is(Kind::denied)) return problem(403, "DENIED", found.error().what());
  if (!found) return problem(found.error(), "UNKNOWN");
  if (!*found) return problem(404, "MANIFEST_UNKNOWN", fmt::format("{}: no manifest {}", route.repository, route.last));
  return Response{.status = 202, .headers = {}, .body = std::string()};
}

}  // namespace slipway::oci::http
