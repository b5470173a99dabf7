// Uploads: whole, in chunks, gone on with, mounted.
#include <limits>

#include "base/text.h"
#include "oci/http/face.h"

namespace slipway::oci::http {

using net::Request;
using net::Response;

namespace {

Response created(const Route& route, const Digest& digest) {
  Response response{.status = 201, .headers = {}, .body = std::string()};
  response.headers.set("Location", fmt::format("/v2/{}/blobs/{}", route.repository, digest.str()));
  response.headers.set("Docker-Content-Digest", digest.str());
  return response;
}

Response progress(int status, const Route& route, const detail::Upload& upload) {
  Response response{.status = status, .headers = {}, .body = std::string()};
  response.headers.set("Location", fmt::format("/v2/{}/blobs/uploads/{}", route.repository, upload.id()));
  response.headers.set("Range", fmt::format("0-{}", upload.size() == 0 ? 0 : upload.size() - 1));
  response.headers.set("Docker-Upload-UUID", upload.id());
  return response;
}

// Content-Range of a chunk: "0-99", also "bytes 0-99/*".
Chunk chunk_of(const Request& request) {
  auto header = request.headers.get("content-range");
  if (!header) return {};
  auto text = *header;
  if (text.starts_with("bytes ")) text.remove_prefix(6);
  text = text.substr(0, text.find('/'));
  auto parts = cut(text, "-");
  if (!parts) return {.at = {}, .length = {}, .bad = true};
  auto first = to_int(parts->first), last = to_int(parts->second);
  if (!first || !last || *first < 0 || *last + 1 < *first) return {.at = {}, .length = {}, .bad = true};
  return {
      .at = static_cast<std::uint64_t>(*first), .length = static_cast<std::uint64_t>(*last - *first + 1), .bad = false};
}

}  // namespace

// The blob is here under another name: linked instead of sent again.
Result<bool> Face::mount(const Request& request, const Route& route, const Digest& digest) {
  TRY(auto stored, rep_.catalogue->stored(digest));
  TRY(auto size, stored ? rep_.blobs.size(*stored) : Result<std::optional<std::uint64_t>>(std::nullopt));
  if (!size) return false;
  TRY(auto room, rep_.room(route.repository));
  auto from = request.query_of("from");
  std::vector<std::string> sources{from};
  if (from.empty()) {
    TRY(sources, rep_.catalogue->repositories_of(digest));
  }
  for (const auto& source : sources) {
    // By the rights of the user: no client asks for a token for repositories that it only mounts from.
    if (!rules_->may(visitor_.who, source, "pull")) continue;
    TRY(bool there, rep_.catalogue->has_blob(source, digest));
    if (!there) continue;
    TRY(bool here, rep_.catalogue->has_blob(route.repository, digest));
    if (room && !here && *size > *room)
      return fail(Kind::denied, "{}: a blob of {} bytes does not fit: {} are left of its quota", route.repository,
                  *size, *room);
    // Named first, then looked for again: nobody takes it for garbage in between.
    TRY_OK(rep_.catalogue->link_blob(route.repository, digest, *size));
    if (rep_.blobs.contains(*stored)) return true;
    TRY_OK(rep_.catalogue->unlink_blob(route.repository, digest));
    return false;
  }
  return false;
}

Response Face::start_upload(const Ctx& ctx, Request& request, const Route& route) {
  if (auto name = request.query_of("mount"); !name.empty()) {
    if (auto digest = Digest::parse(name)) {
      auto mounted = mount(request, route, *digest);
      if (!mounted) return problem(mounted.error(), mounted.error().is(Kind::denied) ? "DENIED" : "BLOB_UNKNOWN");
      if (*mounted) return created(route, *digest);
    }
  }
  auto name = request.query_of("digest");
  auto algorithm = request.query_of("digest-algorithm");
  if (!algorithm.empty() && algorithm != "sha256" && algorithm != "sha512")
    return problem(400, "DIGEST_INVALID", fmt::format("digest algorithm {:?}, want sha256 or sha512", algorithm));
  if (!name.empty()) {
    if (auto digest = Digest::parse(name); !digest) return problem(400, "DIGEST_INVALID", digest.error().what());
  }
  auto upload = rep_.uploads->begin(route.repository, algorithm == "sha512" || name.starts_with("sha512:"));
  if (!upload) return problem(upload.error(), "BLOB_UPLOAD_INVALID");
  if (name.empty()) return progress(202, route, **upload);
  if (auto r = receive(ctx, request, route, *upload, {}, *Digest::parse(name)); !r) {
    (void)rep_.uploads->cancel(*upload);
    return problem(r.error(), r.error().is(Kind::denied) ? "DENIED" : "BLOB_UPLOAD_INVALID");
  }
  return complete(route, *upload, *Digest::parse(name));
}

Response Face::complete(const Route& route, const Session& upload, const Digest& digest) {
  auto name = [&](const detail::UploadedBlob& blob) -> Result<> {
    if (!blob.sha512.empty()) TRY_OK(rep_.catalogue->alias(blob.sha512, blob.stored));
    return rep_.catalogue->link_blob(route.repository, digest, blob.size);
  };
  auto blob = rep_.uploads->finish(upload, digest, name);
  if (!blob) return problem(blob.error(), blob.error().is(Kind::invalid) ? "DIGEST_INVALID" : "BLOB_UPLOAD_INVALID");
  return created(route, digest);
}

std::variant<Face::Session, Response> Face::find_upload(const Route& route) {
  auto upload = rep_.uploads->find(route.repository, route.last);
  if (!upload) return problem(upload.error(), "BLOB_UPLOAD_UNKNOWN");
  if (!*upload) return problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload: start again with a POST");
  return *upload;
}

Response Face::upload_status(const Route& route) {
  auto found = find_upload(route);
  if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
  return progress(204, route, *std::get<0>(found));
}

// The body, as far as the repository's quota has room for it: said before it is sent, where its length is known.
Result<> Face::receive(const Ctx& ctx, Request& request, const Route& route, const Session& upload, const Chunk& chunk,
                       const std::optional<Digest>& named) {
  constexpr auto endless = std::numeric_limits<std::uint64_t>::max();
  TRY(auto room, rep_.room(route.repository));
  if (room && named) {
    TRY(bool counted, rep_.catalogue->has_blob(route.repository, *named));
    if (counted) room.reset();
  }
  auto comes = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, to_int(request.headers.get_or("content-length", "0")).value_or(0)));
  if (room && (upload->size() > *room || comes > *room - upload->size())) {
    (void)rep_.uploads->cancel(upload);
    return fail(Kind::denied, "{}: {} bytes do not fit: {} are left of its quota of {}", route.repository,
                upload->size() + comes, *room, rules_->quota(route.repository).value_or(0));
  }
  auto done = rep_.uploads->append(ctx, upload, *request.body, chunk.at, chunk.length, room.value_or(endless));
  if (!done) return Fail(std::move(done).error().in(route.repository));
  return {};
}

std::optional<Response> Face::take_body(const Ctx& ctx, Request& request, const Route& route, const Session& session,
                                        const std::optional<Digest>& named) {
  auto& upload = *session;
  auto chunk = chunk_of(request);
  if (chunk.bad) return problem(400, "BLOB_UPLOAD_INVALID", "Content-Range: want <first>-<last>");
  if (chunk.at && *chunk.at != upload.size()) {
    auto refused = progress(416, route, upload);
    refused.headers.set("Content-Type", "application/json");
    refused.body = std::get<std::string>(
        problem(416, "BLOB_UPLOAD_INVALID", fmt::format("chunk starts at {}, want {}", *chunk.at, upload.size())).body);
    return refused;
  }
  if (auto r = receive(ctx, request, route, session, chunk, named); !r)
    return problem(r.error(), r.error().is(Kind::invalid)  ? "SIZE_INVALID"
                              : r.error().is(Kind::denied) ? "DENIED"
                                                           : "BLOB_UPLOAD_INVALID");
  return std::nullopt;
}

Response Face::append(const Ctx& ctx, Request& request, const Route& route) {
  auto found = find_upload(route);
  if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
  auto& upload = std::get<0>(found);
  if (auto refused = take_body(ctx, request, route, upload)) return std::move(*refused);
  return progress(202, route, *upload);
}

Response Face::finish(const Ctx& ctx, Request& request, const Route& route) {
  auto found = find_upload(route);
  if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
  auto digest = Digest::parse(request.query_of("digest"));
  if (!digest) return problem(400, "DIGEST_INVALID", digest.error().what());
  auto& upload = std::get<0>(found);
  if (auto refused = take_body(ctx, request, route, upload, *digest)) return std::move(*refused);
  return complete(route, upload, *digest);
}

Response Face::cancel(const Route& route) {
  auto found = find_upload(route);
  if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
  if (auto r = rep_.uploads->cancel(std::get<0>(found)); !r) return problem(r.error(), "BLOB_UPLOAD_INVALID");
  return Response{.status = 204, .headers = {}, .body = std::string()};
}

}  // namespace slipway::oci::http
