// Files of jobs over the network: the artifacts of the run, blobs in pieces that can be taken up again, caches.
#include "base/text.h"
#include "ci/pod/desk.h"
#include "ci/service/entries.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::uint64_t max_blob = std::uint64_t{10} << 30;

doc::Value artifact_doc(const RunArtifact& a) {
  doc::Map out{{"name", a.name}, {"digest", a.digest.str()}, {"bytes", a.bytes}};
  if (!a.type.empty()) out.append("type", a.type);
  return out;
}

// Under which the artifact's name would break out of a folder or a page.
bool is_artifact_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 && name.find_first_of("\"<>:|*?\r\n\\/") == std::string_view::npos;
}

Result<net::Response> give_artifact(const Ctx& ctx, Visit& visit) {
  TRY(auto body, body_of(ctx, visit.request));
  doc::View v(body, "artifact");
  RunArtifact artifact;
  TRY(artifact.name, v["name"].str());
  TRY(auto digest, v["digest"].str());
  TRY(artifact.digest, Digest::parse(digest));
  artifact.type = v["type"].str_or("");
  if (!is_artifact_name(artifact.name)) return fail(Kind::invalid, "artifact name \"{}\"", artifact.name);
  if (!visit.job->may_read(artifact.digest))
    return fail(Kind::denied, "artifact {}: this job has not put {}", artifact.name, digest);
  auto& side = visit.job->side();
  TRY(auto size, side.options->blobs->size(artifact.digest));
  if (!size) return fail(Kind::not_found, "artifact {}: {} is not here", artifact.name, digest);
  artifact.bytes = *size;
  auto all = side.artifacts->lock();
  if (all->contains(artifact.name) && !v["overwrite"].bool_or(false))
    return Fail(
        Error(Kind::conflict, fmt::format("an artifact with the name '{}' is already in this run", artifact.name))
            .with_hint("set overwrite: true, or another name"));
  (*all)[artifact.name] = artifact;
  return json_reply({{"bytes", artifact.bytes}});
}

// "bytes=N-": from there to the end.
std::uint64_t range_start(const net::Request& request) {
  auto text = request.headers.get_or("range", "");
  if (!text.starts_with("bytes=") || !text.ends_with('-')) return 0;
  auto n = to_int(text.substr(6, text.size() - 7));
  return n && *n > 0 ? static_cast<std::uint64_t>(*n) : 0;
}

Result<net::Response> read_blob(Visit& visit, store::BlobStore& blobs, const std::string& name) {
  TRY(auto digest, Digest::parse(name));
  if (!visit.job->may_read(digest)) return fail(Kind::not_found, "blob {}: not of this job", name);
  TRY(auto size, blobs.size(digest));
  if (!size) return fail(Kind::not_found, "blob {}: not here", name);
  net::Response out;
  out.headers.set("Content-Type", "application/octet-stream");
  out.headers.set("Slipway-Size", std::to_string(*size));
  if (visit.request.method == "HEAD") return out;
  auto start = range_start(visit.request);
  if (start > *size) return fail(Kind::invalid, "blob {}: has {} bytes, asked from {}", name, *size, start);
  TRY(auto fd, blobs.open_blob(digest));
  if (start > 0) {
    out.status = 206;
    out.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", start, *size - 1, *size));
  }
  out.body = net::FileBody{std::move(fd), start, *size - start};
  return out;
}

Result<net::Response> write_part(const Ctx& ctx, Visit& visit, PodJob::Upload& upload) {
  std::lock_guard turn(upload.mutex);
  auto at = to_int(visit.request.query_of("at"));
  if (!at || static_cast<std::uint64_t>(*at) != upload.writer.size())
    return json_reply({{"size", upload.writer.size()}, {"again", true}});
  std::vector<char> buffer(256 << 10);
  for (;;) {
    TRY(auto n, visit.request.body->read(ctx, buffer));
    if (n == 0) break;
    if (upload.writer.size() + n > max_blob)
      return fail(Kind::denied, "a blob may have {} at most", human_bytes(max_blob));
    TRY_OK(upload.writer.write({buffer.data(), n}));
    visit.job->heard();
  }
  return json_reply({{"size", upload.writer.size()}});
}

Result<net::Response> blobs_of(const Ctx& ctx, Visit& visit, store::BlobStore& blobs) {
  auto& method = visit.request.method;
  if (visit.rest == "uploads" && method == "POST") {
    TRY(auto id, visit.job->begin_upload(blobs));
    return json_reply({{"id", id}});
  }
  if (!visit.rest.starts_with("uploads/")) return read_blob(visit, blobs, visit.rest);
  auto id = visit.rest.substr(8);
  auto upload = visit.job->upload(id);
  if (method == "PUT") {
    TRY(auto digest, Digest::parse(visit.request.query_of("digest")));
    // The answer to a first PUT may have been lost.
    if (!upload && visit.job->may_read(digest) && blobs.contains(digest)) return json_reply({});
    if (!upload) return fail(Kind::not_found, "upload {}: unknown", id);
    std::lock_guard turn(upload->mutex);
    visit.job->end_upload(id);
    TRY_OK(upload->writer.commit(digest));
    visit.job->allow(digest);
    return json_reply({});
  }
  if (!upload) return fail(Kind::not_found, "upload {}: unknown", id);
  if (method == "PATCH") return write_part(ctx, visit, *upload);
  std::lock_guard turn(upload->mutex);
  return json_reply({{"size", upload->writer.size()}});
}

doc::Value entry_doc(const CacheEntry& entry) {
  return doc::Map{{"number", entry.number},    {"repository", entry.name.repository},
                  {"scope", entry.name.scope}, {"version", entry.name.version},
                  {"key", entry.name.key},     {"digest", entry.digest.str()},
                  {"bytes", entry.bytes}};
}

Result<CacheStore*> caches_of(Visit& visit) {
  auto* cache = visit.job->side().options->cache;
  if (!cache) return fail(Kind::unavailable, "no caches are kept here");
  return cache->caches();
}

}  // namespace

Result<net::Response> desk_artifacts(const Ctx& ctx, Visit& visit) {
  if (!visit.job->side().options->blobs) return fail(Kind::unavailable, "this house keeps no files");
  if (visit.request.method == "POST") return give_artifact(ctx, visit);
  doc::List list;
  for (auto& [name, artifact] : *visit.job->side().artifacts->lock()) list.push_back(artifact_doc(artifact));
  return json_reply({{"artifacts", std::move(list)}});
}

Result<net::Response> desk_blobs(const Ctx& ctx, Visit& visit) {
  auto* blobs = visit.job->side().options->blobs;
  if (!blobs) return fail(Kind::unavailable, "this house keeps no files");
  return blobs_of(ctx, visit, *blobs);
}

Result<net::Response> desk_cache_blobs(const Ctx& ctx, Visit& visit) {
  TRY(auto* store, caches_of(visit));
  return blobs_of(ctx, visit, store->blobs());
}

// A job reads its own branch, the base and the default one, and writes its own: whatever it says.
Result<net::Response> desk_caches(const Ctx& ctx, Visit& visit) {
  TRY(auto* store, caches_of(visit));
  TRY(auto body, body_of(ctx, visit.request));
  doc::View v(body, "cache");
  auto& event = *visit.job->side().event;
  TRY(auto version, v["version"].str());
  if (visit.rest == "find") {
    TRY(auto keys, v["keys"].strings());
    if (keys.size() > 10) return fail(Kind::invalid, "{} keys, want at most 10", keys.size());
    TRY(auto hit, store->find(ctx, event.repository, cache_scopes(event), version, keys));
    if (!hit) return json_reply({});
    visit.job->allow(hit->digest);
    visit.job->keep(hit->hold);
    return json_reply({{"entry", entry_doc(*hit)}});
  }
  TRY(auto key, v["key"].str());
  CacheName name{event.repository, event.ref, version, key};
  if (visit.rest == "get") {
    TRY(auto entry, store->get(name));
    if (!entry) return json_reply({});
    return json_reply({{"entry", entry_doc(*entry)}});
  }
  if (visit.rest != "put") return fail(Kind::not_found, "caches/{}: want find, get or put", visit.rest);
  TRY(auto text, v["digest"].str());
  TRY(auto digest, Digest::parse(text));
  if (!visit.job->may_read(digest)) return fail(Kind::denied, "cache {}: this job has not put {}", key, text);
  TRY(auto number, store->put(ctx, name, digest, v["replace"].bool_or(false)));
  return json_reply({{"number", number}});
}

}  // namespace slipway::ci
