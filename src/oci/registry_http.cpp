// The distribution specification 1.1 over HTTP.
#include <limits>

#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"
#include "doc/json.h"
#include "oci/detail/registry_rep.h"

namespace slipway::oci {

namespace {

using net::Request;
using net::Response;

using detail::problem;

// What went wrong inside, with the specification's code for this kind of thing.
Response problem(const Error& error, std::string_view code) {
  if (error.is(Kind::internal) || error.is(Kind::corrupt) || error.is(Kind::unavailable)) {
    LOG(error, "oci.registry.failed", {"error", error.what()});
    return problem(net::status_of(error.kind()), "UNKNOWN", error.what());
  }
  return problem(net::status_of(error.kind()), code, error.what());
}

struct Route {
  enum class What { ping, token, catalog, tags, manifest, blob, uploads, upload, referrers, unknown };
  What what = What::unknown;
  std::string repository, last;
};

// A repository's name has slashes, so the path is read from its end.
Route route_of(std::string_view path) {
  using What = Route::What;
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

class Face {
 public:
  explicit Face(Registry::Rep& rep) : rep_(rep) {}

  Response operator()(const Ctx& ctx, Request& request) {
    auto route = route_of(request.path);
    if (route.what == Route::What::unknown) return problem(404, "UNSUPPORTED", "no such endpoint");
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

 private:
  using What = Route::What;

  static std::string_view action_of(const Request& request, const Route& route) {
    if (route.what == What::uploads || route.what == What::upload) return "push";
    if (request.method == "DELETE") return "delete";
    return request.method == "GET" || request.method == "HEAD" ? "pull" : "push";
  }
  Response answer(const Ctx& ctx, Request& request, const Route& route) {
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
        if (reads) return referrers(request, route);
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

  // --- lists

  struct Paging {
    detail::Page page;
    bool bad = false;
  };
  static Paging paging(const Request& request) {
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
  static void link_next(Response& response, std::vector<std::string>& list, std::int64_t n, std::string_view path) {
    if (static_cast<std::int64_t>(list.size()) <= n) return;
    list.resize(static_cast<std::size_t>(n));
    if (n > 0)
      response.headers.set("Link",
                           fmt::format("<{}?n={}&last={}>; rel=\"next\"", path, n, percent_encode(list.back())));
  }
  static doc::Value strings(const std::vector<std::string>& list) {
    doc::List out;
    for (const auto& item : list) out.emplace_back(item);
    return out;
  }
  Response catalog(const Request& request) {
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
  // Of another registry: all of them, then the page.
  Result<std::optional<std::vector<std::string>>> tags_there(const Ctx& ctx, const Route& route,
                                                             const detail::Page& page) {
    TRY(auto list, rep_.mirror->tags(ctx, *upstream_, route.repository));
    std::erase_if(list, [&](const std::string& tag) { return tag <= page.after; });
    if (page.limit && static_cast<std::int64_t>(list.size()) > *page.limit)
      list.resize(static_cast<std::size_t>(*page.limit));
    return std::optional(std::move(list));
  }
  Response tags(const Ctx& ctx, const Request& request, const Route& route) {
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
  Response referrers(const Request& request, const Route& route) {
    auto subject = Digest::parse(route.last);
    if (!subject) return problem(400, "DIGEST_INVALID", subject.error().what());
    auto type = request.query_of("artifactType");
    auto list = rep_.referrers(route.repository, *subject, type);
    if (!list) return problem(list.error(), "UNKNOWN");
    auto body =
        fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", media::index, fmt::join(*list, ","));
    auto response = Response::text(200, std::move(body), media::index);
    if (!type.empty()) response.headers.set("OCI-Filters-Applied", "artifactType");
    return response;
  }

  // --- manifests

  Result<detail::Mirror::Found> find_manifest(const Ctx& ctx, const Route& route) {
    if (upstream_ != nullptr) return rep_.mirror->manifest(ctx, *upstream_, route.repository, route.last);
    TRY(auto stored, rep_.manifest(route.repository, route.last));
    return detail::Mirror::Found{std::move(stored), {}};
  }
  Response get_manifest(const Ctx& ctx, const Route& route) {
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
  // Distribution-spec 1.1, "warnings": a quoted string of printable characters.
  static std::string warning(std::string_view text) {
    std::string quoted;
    for (char c : text.substr(0, 1000)) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c >= ' ' && c < 0x7f ? c : ' ';
    }
    return fmt::format("299 - \"{}\"", quoted);
  }
  Response put_manifest(const Ctx& ctx, Request& request, const Route& route) {
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
  Response delete_manifest(const Route& route) {
    if (route.last.find(':') != std::string::npos)
      if (auto digest = Digest::parse(route.last); !digest)
        return problem(400, "DIGEST_INVALID", digest.error().what());
    auto found = rep_.remove(route.repository, route.last);
    if (!found && found.error().is(Kind::denied)) return problem(403, "DENIED", found.error().what());
    if (!found) return problem(found.error(), "UNKNOWN");
    if (!*found)
      return problem(404, "MANIFEST_UNKNOWN", fmt::format("{}: no manifest {}", route.repository, route.last));
    return Response{.status = 202, .headers = {}, .body = std::string()};
  }

  // --- blobs

  // Where the blob lies, if this repository may show it.
  Result<std::optional<Digest>> find_blob(const std::string& repository, const Digest& digest) {
    TRY(bool linked, rep_.catalogue->has_blob(repository, digest));
    if (!linked) return std::optional<Digest>();
    TRY(auto stored, rep_.catalogue->stored(digest));
    if (!stored || !rep_.blobs.contains(*stored)) return std::optional<Digest>();
    return stored;
  }
  // A client that pushes looks first: what is here, and lasts as long as the push may take, is not sent again.
  Result<std::optional<Digest>> look_at_blob(const std::string& repository, const Digest& digest) {
    TRY(bool linked, rep_.catalogue->renew_link(repository, digest));
    if (!linked) return std::optional<Digest>();
    return find_blob(repository, digest);
  }
  // From the other registry, where it is not here yet. Nothing: go on as if it were.
  std::optional<Response> get_blob_there(const Ctx& ctx, const Request& request, const Route& route,
                                         const Digest& digest) {
    auto range = request.headers.get("range").has_value();
    auto got = rep_.mirror->blob(ctx, *upstream_, route.repository, digest, range && request.method == "GET");
    if (!got) return problem(got.error(), "BLOB_UNKNOWN");
    if (!*got) return problem(404, "BLOB_UNKNOWN", fmt::format("{}: no blob {}", route.repository, route.last));
    if (!std::holds_alternative<net::StreamBody>((*got)->body)) return std::nullopt;
    if (request.method == "HEAD") (*got)->body = std::string();
    return std::move(**got);
  }
  Response get_blob(const Ctx& ctx, const Request& request, const Route& route) {
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
  Response delete_blob(const Route& route) {
    auto digest = Digest::parse(route.last);
    if (!digest) return problem(400, "DIGEST_INVALID", digest.error().what());
    auto found = rep_.catalogue->unlink_blob(route.repository, *digest);
    if (!found) return problem(found.error(), "UNKNOWN");
    if (!*found) return problem(404, "BLOB_UNKNOWN", fmt::format("{}: no blob {}", route.repository, route.last));
    return Response{.status = 202, .headers = {}, .body = std::string()};
  }

  // --- uploads

  Response created(const Route& route, const Digest& digest) {
    Response response{.status = 201, .headers = {}, .body = std::string()};
    response.headers.set("Location", fmt::format("/v2/{}/blobs/{}", route.repository, digest.str()));
    response.headers.set("Docker-Content-Digest", digest.str());
    return response;
  }
  static Response progress(int status, const Route& route, const detail::Upload& upload) {
    Response response{.status = status, .headers = {}, .body = std::string()};
    response.headers.set("Location", fmt::format("/v2/{}/blobs/uploads/{}", route.repository, upload.id()));
    response.headers.set("Range", fmt::format("0-{}", upload.size() == 0 ? 0 : upload.size() - 1));
    response.headers.set("Docker-Upload-UUID", upload.id());
    return response;
  }
  // The blob is here under another name: linked instead of sent again.
  Result<bool> mount(const Request& request, const Route& route, const Digest& digest) {
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
  // Content-Range of a chunk: "0-99", also "bytes 0-99/*".
  struct Chunk {
    std::optional<std::uint64_t> at, length;
    bool bad = false;
  };
  static Chunk chunk_of(const Request& request) {
    auto header = request.headers.get("content-range");
    if (!header) return {};
    auto text = *header;
    if (text.starts_with("bytes ")) text.remove_prefix(6);
    text = text.substr(0, text.find('/'));
    auto parts = cut(text, "-");
    if (!parts) return {.at = {}, .length = {}, .bad = true};
    auto first = to_int(parts->first), last = to_int(parts->second);
    if (!first || !last || *first < 0 || *last + 1 < *first) return {.at = {}, .length = {}, .bad = true};
    return {.at = static_cast<std::uint64_t>(*first),
            .length = static_cast<std::uint64_t>(*last - *first + 1),
            .bad = false};
  }
  Response start_upload(const Ctx& ctx, Request& request, const Route& route) {
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
  Response complete(const Route& route, const std::shared_ptr<detail::Upload>& upload, const Digest& digest) {
    auto name = [&](const detail::UploadedBlob& blob) -> Result<> {
      if (!blob.sha512.empty()) TRY_OK(rep_.catalogue->alias(blob.sha512, blob.stored));
      return rep_.catalogue->link_blob(route.repository, digest, blob.size);
    };
    auto blob = rep_.uploads->finish(upload, digest, name);
    if (!blob) return problem(blob.error(), blob.error().is(Kind::invalid) ? "DIGEST_INVALID" : "BLOB_UPLOAD_INVALID");
    return created(route, digest);
  }
  std::variant<std::shared_ptr<detail::Upload>, Response> find_upload(const Route& route) {
    auto upload = rep_.uploads->find(route.repository, route.last);
    if (!upload) return problem(upload.error(), "BLOB_UPLOAD_UNKNOWN");
    if (!*upload) return problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload: start again with a POST");
    return *upload;
  }
  Response upload_status(const Route& route) {
    auto found = find_upload(route);
    if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
    return progress(204, route, *std::get<0>(found));
  }
  // The body, as far as the repository's quota has room for it: said before it is sent, where its length is known.
  Result<> receive(const Ctx& ctx, Request& request, const Route& route, const std::shared_ptr<detail::Upload>& upload,
                   const Chunk& chunk, const std::optional<Digest>& named) {
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
  std::optional<Response> take_body(const Ctx& ctx, Request& request, const Route& route,
                                    const std::shared_ptr<detail::Upload>& session,
                                    const std::optional<Digest>& named = {}) {
    auto& upload = *session;
    auto chunk = chunk_of(request);
    if (chunk.bad) return problem(400, "BLOB_UPLOAD_INVALID", "Content-Range: want <first>-<last>");
    if (chunk.at && *chunk.at != upload.size()) {
      auto refused = progress(416, route, upload);
      refused.headers.set("Content-Type", "application/json");
      refused.body = std::get<std::string>(
          problem(416, "BLOB_UPLOAD_INVALID", fmt::format("chunk starts at {}, want {}", *chunk.at, upload.size()))
              .body);
      return refused;
    }
    if (auto r = receive(ctx, request, route, session, chunk, named); !r)
      return problem(r.error(), r.error().is(Kind::invalid)  ? "SIZE_INVALID"
                                : r.error().is(Kind::denied) ? "DENIED"
                                                             : "BLOB_UPLOAD_INVALID");
    return std::nullopt;
  }
  Response append(const Ctx& ctx, Request& request, const Route& route) {
    auto found = find_upload(route);
    if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
    auto& upload = std::get<0>(found);
    if (auto refused = take_body(ctx, request, route, upload)) return std::move(*refused);
    return progress(202, route, *upload);
  }
  Response finish(const Ctx& ctx, Request& request, const Route& route) {
    auto found = find_upload(route);
    if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
    auto digest = Digest::parse(request.query_of("digest"));
    if (!digest) return problem(400, "DIGEST_INVALID", digest.error().what());
    auto& upload = std::get<0>(found);
    if (auto refused = take_body(ctx, request, route, upload, *digest)) return std::move(*refused);
    return complete(route, upload, *digest);
  }
  Response cancel(const Route& route) {
    auto found = find_upload(route);
    if (auto* response = std::get_if<Response>(&found)) return std::move(*response);
    if (auto r = rep_.uploads->cancel(std::get<0>(found)); !r) return problem(r.error(), "BLOB_UPLOAD_INVALID");
    return Response{.status = 204, .headers = {}, .body = std::string()};
  }

  Registry::Rep& rep_;
  detail::Visitor visitor_;
  std::shared_ptr<const RegistryRules> rules_;
  const Upstream* upstream_ = nullptr;  // whose image it is; null: ours
};

}  // namespace

net::Handler Registry::routes() {
  return [rep = rep_.get()](const Ctx& ctx, net::Request& request) { return Face(*rep)(ctx, request); };
}

}  // namespace slipway::oci
