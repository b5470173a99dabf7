// Blobs: whole, in ranges, or from the registry that is mirrored.
#include "base/text.h"
#include "oci/http/face.h"

namespace slipway::oci::http {

using net::Request;
using net::Response;

namespace {

struct Range {
  std::uint64_t first = 0, last = 0;
};
// RFC 9110 byte ranges, one of them. Nothing: ignore the header; an error: 416.
Result<std::optional<Range>> range_of(std::string_view header, std::uint64_t total) {
  if (!header.starts_with("bytes=") || header.find(',') != std::string_view::npos) return std::optional<Range>();
  auto parts = cut(header.substr(6), "-");
  if (!parts) return std::optional<Range>();
  auto wrong = [&] { return fail(Kind::invalid, "range {} does not lie within {} bytes", header, total); };
  auto from = to_int(trim(parts->first)), to = to_int(trim(parts->second));
  if (parts->first.empty()) {
    if (!to || *to <= 0 || total == 0) return wrong();
    auto length = std::min<std::uint64_t>(static_cast<std::uint64_t>(*to), total);
    return Range{total - length, total - 1};
  }
  if (!from || *from < 0 || (!parts->second.empty() && !to)) return std::optional<Range>();
  auto first = static_cast<std::uint64_t>(*from);
  if (first >= total || (to && *to < *from)) return wrong();
  return Range{first, to ? std::min(static_cast<std::uint64_t>(*to), total - 1) : total - 1};
}

}  // namespace

// Where the blob lies, if this repository may show it.
Result<std::optional<Digest>> Face::find_blob(const std::string& repository, const Digest& digest) {
  TRY(bool linked, rep_.catalogue->has_blob(repository, digest));
  if (!linked) return std::optional<Digest>();
  TRY(auto stored, rep_.catalogue->stored(digest));
  if (!stored || !rep_.blobs.contains(*stored)) return std::optional<Digest>();
  return stored;
}

// A client that pushes looks first: what is here, and lasts as long as the push may take, is not sent again.
Result<std::optional<Digest>> Face::look_at_blob(const std::string& repository, const Digest& digest) {
  TRY(bool linked, rep_.catalogue->renew_link(repository, digest));
  if (!linked) return std::optional<Digest>();
  return find_blob(repository, digest);
}

// From the other registry, where it is not here yet. Nothing: go on as if it were.
std::optional<Response> Face::get_blob_there(const Ctx& ctx, const Request& request, const Route& route,
                                             const Digest& digest) {
  auto range = request.headers.get("range").has_value();
  auto got = rep_.mirror->blob(ctx, *upstream_, route.repository, digest, range && request.method == "GET");
  if (!got) return problem(got.error(), "BLOB_UNKNOWN");
  if (!*got) return problem(404, "BLOB_UNKNOWN", fmt::format("{}: no blob {}", route.repository, route.last));
  if (!std::holds_alternative<net::StreamBody>((*got)->body)) return std::nullopt;
  if (request.method == "HEAD") (*got)->body = std::string();
  return std::move(**got);
}

Response Face::get_blob(const Ctx& ctx, const Request& request, const Route& route) {
  auto digest = Digest::parse(route.last);
  if (!digest) return problem(400, "DIGEST_INVALID", digest.error().what());
  auto stored =
      request.method == "HEAD" ? look_at_blob(route.repository, *digest) : find_blob(route.repository, *digest);
  if (!stored) return problem(stored.error(), "BLOB_UNKNOWN");
  if (!*stored && upstream_ != nullptr) {
    if (auto response = get_blob_there(ctx, request, route, *digest)) return std::move(*response);
    stored = find_blob(route.repository, *digest);
    if (!stored) return problem(stored.error(), "BLOB_UNKNOWN");
  }
  if (!*stored) return problem(404, "BLOB_UNKNOWN", fmt::format("{}: no blob {}", route.repository, route.last));
  auto size = rep_.blobs.size(**stored);
  auto fd = rep_.blobs.open_blob(**stored);
  if (!size || !*size || !fd)
    return problem(404, "BLOB_UNKNOWN", fmt::format("{}: no blob {}", route.repository, route.last));
  auto total = **size;
  Response response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Docker-Content-Digest", digest->str());
  response.headers.set("ETag", "\"" + digest->str() + "\"");
  response.headers.set("Accept-Ranges", "bytes");
  response.headers.set("Cache-Control", "max-age=31536000, immutable");
  net::FileBody body{.fd = *std::move(fd), .offset = 0, .length = total};
  if (auto header = request.headers.get("range")) {
    auto range = range_of(*header, total);
    if (!range) {
      auto refused = problem(416, "SIZE_INVALID", range.error().what());
      refused.headers.set("Content-Range", fmt::format("bytes */{}", total));
      return refused;
    }
    if (*range) {
      response.status = 206;
      body.offset = (*range)->first;
      body.length = (*range)->last - (*range)->first + 1;
      response.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", (*range)->first, (*range)->last, total));
    }
  }
  response.body = std::move(body);
  return response;
}

// The name goes at once; the bytes with the next sweep, if nothing else reaches them.
Response Face::delete_blob(const Route& route) {
  auto digest = Digest::parse(route.last);
  if (!digest) return problem(400, "DIGEST_INVALID", digest.error().what());
  auto found = rep_.catalogue->unlink_blob(route.repository, *digest);
  if (!found) return problem(found.error(), "UNKNOWN");
  if (!*found) return problem(404, "BLOB_UNKNOWN", fmt::format("{}: no blob {}", route.repository, route.last));
  return Response{.status = 202, .headers = {}, .body = std::string()};
}

}  // namespace slipway::oci::http
