// ArtifactService: what @actions/artifact uploads and downloads. Artifacts of the run are those of the built-in actions
// too: theirs are tars with zstd, which are given out as zips.
#include <archive.h>
#include <archive_entry.h>

#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "ci/service/state.h"
#include "ci/service/wire.h"

namespace slipway::ci {
namespace {

using WriteArchive = Owned<archive, archive_write_free>;
using ReadArchive = Owned<archive, archive_read_free>;

constexpr std::string_view zip_type = "application/zip";

// A string, or protobuf's wrapper of one.
std::string text_of(doc::View value) { return value["value"].exists() ? value["value"].text() : value.text(); }

la_ssize_t to_writer(archive* a, void* user, const void* bytes, std::size_t size) {
  auto written = static_cast<store::BlobStore::Writer*>(user)->write({static_cast<const char*>(bytes), size});
  if (written) return static_cast<la_ssize_t>(size);
  archive_set_error(a, EIO, "%s", written.error().what().c_str());
  return -1;
}

Fail broken(archive* a) {
  auto* text = archive_error_string(a);
  return fail(Kind::corrupt, "artifact: {}", text ? text : "cannot be read");
}

Result<> copy_entries(const Ctx& ctx, archive* from, archive* to) {
  std::vector<char> buffer(64 << 10);
  archive_entry* entry = nullptr;
  for (int status; (status = archive_read_next_header(from, &entry)) != ARCHIVE_EOF;) {
    if (status < ARCHIVE_WARN) return broken(from);
    TRY_OK(ctx.alive());
    if (archive_write_header(to, entry) < ARCHIVE_WARN) return broken(to);
    la_ssize_t n;
    while ((n = archive_read_data(from, buffer.data(), buffer.size())) > 0) {
      TRY_OK(ctx.alive());
      if (archive_write_data(to, buffer.data(), static_cast<std::size_t>(n)) < 0) return broken(to);
    }
    if (n < 0) return broken(from);
  }
  return {};
}

Result<std::string> named(JobState& job, doc::View request) {
  if (field(request, "workflow_run_backend_id").str_or("") != job.run_id)
    return fail(Kind::denied, "this token reaches the artifacts of its own run");
  auto name = field(request, "name").str_or("");
  TRY_OK(check_artifact_name(name));
  return name;
}

// The run's artifacts, while the job is there.
template <class F>
auto with_artifacts(JobState& job, F f) -> decltype(f(*job.job.artifacts->lock())) {
  std::lock_guard lock(job.mutex);
  if (job.closed || !job.job.artifacts) return fail(Kind::denied, "the job has ended");
  auto artifacts = job.job.artifacts->lock();
  return f(*artifacts);
}

using Artifacts = std::map<std::string, RunArtifact>;

Fail twice(const std::string& name) {
  return fail(Kind::conflict, "an artifact with this name already exists on the workflow run: {}", name);
}

Result<doc::Map> create(const ServiceCall& call, doc::View request) {
  auto& service = call.service;
  auto& job = call.job;
  TRY(auto name, named(job, request));
  if (auto version = field(request, "version").num_or(4); version < 4)
    return fail(Kind::invalid, "artifact version {}: want 4 or later", version);
  auto known = with_artifacts(job, [&](Artifacts& all) -> Result<bool> { return all.contains(name); });
  TRY(auto there, std::move(known));
  if (there) return twice(name);
  auto type = text_of(field(request, "mime_type"));
  if (type.empty()) type = zip_type;
  if (!is_media_type(type)) return fail(Kind::invalid, "mime_type \"{}\": want TYPE/SUBTYPE", type.substr(0, 100));
  auto upload = std::make_shared<Upload>(*service.options.blobs, service.options.max_blob, type);
  TRY(auto url, call.address({.upload = upload}));
  std::lock_guard lock(job.mutex);
  job.uploads["artifact " + name] = std::move(upload);
  return doc::Map{{"ok", true}, {"signed_upload_url", url}};
}

Result<doc::Map> finalize(JobState& job, doc::View request) {
  TRY(auto name, named(job, request));
  std::shared_ptr<Upload> upload;
  {
    std::lock_guard lock(job.mutex);
    if (auto found = job.uploads.find("artifact " + name); found != job.uploads.end()) upload = found->second;
  }
  auto done = upload ? upload->done() : std::nullopt;
  if (!done) return fail(Kind::not_found, "artifact {}: nothing was uploaded for it", name);
  auto size = to_int(field(request, "size").text());
  if (size && static_cast<std::uint64_t>(*size) != done->bytes)
    return fail(Kind::invalid, "artifact {}: {} bytes were uploaded, {} are said", name, done->bytes, *size);
  auto hash = text_of(field(request, "hash"));
  if (!hash.empty() && hash != done->digest.str())
    return fail(Kind::invalid, "artifact {}: its digest is {}, {} is said", name, done->digest.str(), hash);
  RunArtifact artifact{name, done->digest, done->bytes, upload->type()};
  auto added = with_artifacts(job, [&](Artifacts& all) -> Result<> {
    if (!all.emplace(name, artifact).second) return twice(name);
    job.uploads.erase("artifact " + name);
    job.changes.uploaded.push_back(artifact);
    return {};
  });
  TRY_OK(std::move(added));
  return doc::Map{{"ok", true}, {"artifact_id", std::to_string(artifact_number(job.job.run_id, artifact))}};
}

Result<doc::Map> list(const ServiceCall& call, doc::View request) {
  auto& job = call.job;
  if (field(request, "workflow_run_backend_id").str_or("") != job.run_id)
    return fail(Kind::denied, "this token reaches the artifacts of its own run");
  auto name = text_of(field(request, "name_filter")), id = text_of(field(request, "id_filter"));
  auto all = with_artifacts(job, [](Artifacts& artifacts) -> Result<Artifacts> { return artifacts; });
  TRY(auto known, std::move(all));
  doc::List out;
  for (auto& [key, artifact] : known) {
    auto number = std::to_string(artifact_number(job.job.run_id, artifact));
    if ((!name.empty() && key != name) || (!id.empty() && number != id)) continue;
    doc::Map one{{"workflow_run_backend_id", job.run_id},
                 {"workflow_job_run_backend_id", job.job_id},
                 {"database_id", number},
                 {"name", key},
                 {"size", std::to_string(artifact.bytes)},
                 {"created_at", rfc3339(call.ctx.clock->wall())}};
    // Only of what is given out as it is: a zip that is yet to be made has none.
    if (!artifact.type.empty()) one.set("digest", artifact.digest.str());
    out.emplace_back(std::move(one));
  }
  return doc::Map{{"artifacts", std::move(out)}};
}

Result<doc::Map> sign(const ServiceCall& call, doc::View request) {
  auto& service = call.service;
  auto& job = call.job;
  TRY(auto name, named(job, request));
  auto found = with_artifacts(job, [&](Artifacts& all) -> Result<RunArtifact> {
    auto at = all.find(name);
    if (at == all.end()) return fail(Kind::not_found, "no artifact named {} in this run", name);
    return at->second;
  });
  TRY(auto artifact, std::move(found));
  if (!artifact.type.empty()) {
    TRY(auto url, call.address({.stored = StoredBlob{artifact.digest, artifact.bytes},
                                .type = artifact.type,
                                .file = artifact.type == zip_type ? name + ".zip" : name}));
    return doc::Map{{"signed_url", url}};
  }
  StoredBlob zip;
  if (auto known = service.zips.lock(); known->contains(artifact.digest)) zip = (*known)[artifact.digest];
  if (zip.digest.empty() || !service.options.blobs->contains(zip.digest)) {
    TRY(zip, as_zip(call.ctx, *service.options.blobs, {artifact.digest, artifact.bytes}));
    (*service.zips.lock())[artifact.digest] = zip;
  }
  TRY(auto url, call.address({.stored = zip, .type = std::string(zip_type), .file = name + ".zip"}));
  return doc::Map{{"signed_url", url}};
}

Result<doc::Map> remove(JobState& job, doc::View request) {
  TRY(auto name, named(job, request));
  auto removed = with_artifacts(job, [&](Artifacts& all) -> Result<RunArtifact> {
    auto at = all.find(name);
    if (at == all.end()) return fail(Kind::not_found, "no artifact named {} in this run", name);
    auto artifact = at->second;
    all.erase(at);
    std::erase_if(job.changes.uploaded, [&](auto& one) { return one.name == name; });
    job.changes.deleted.push_back(name);
    return artifact;
  });
  TRY(auto artifact, std::move(removed));
  return doc::Map{{"ok", true}, {"artifact_id", std::to_string(artifact_number(job.job.run_id, artifact))}};
}

}  // namespace

std::uint64_t artifact_number(std::string_view run_id, const RunArtifact& artifact) {
  auto hash = sha256_hex(fmt::format("{}\n{}\n{}", run_id, artifact.name, artifact.digest.str()));
  return std::stoull(hash.substr(0, 12), nullptr, 16);
}

Result<StoredBlob> as_zip(const Ctx& ctx, store::BlobStore& blobs, const StoredBlob& artifact) {
  TRY(auto file, blobs.open_blob(artifact.digest));
  ReadArchive from(archive_read_new());
  archive_read_support_format_tar(from.get());
  archive_read_support_filter_zstd(from.get());
  archive_read_support_filter_gzip(from.get());
  if (archive_read_open_fd(from.get(), file.get(), 1 << 20) != ARCHIVE_OK) return broken(from.get());
  TRY(auto writer, blobs.begin());
  WriteArchive to(archive_write_new());
  archive_write_set_format_zip(to.get());
  archive_write_set_format_option(to.get(), "zip", "compression-level", "1");
  archive_write_set_bytes_in_last_block(to.get(), 1);
  if (archive_write_open(to.get(), &writer, nullptr, to_writer, nullptr) != ARCHIVE_OK) return broken(to.get());
  TRY_OK(copy_entries(ctx, from.get(), to.get()));
  if (archive_write_close(to.get()) != ARCHIVE_OK) return broken(to.get());
  auto bytes = writer.size();
  TRY(auto digest, writer.commit());
  return StoredBlob{std::move(digest), bytes};
}

Result<doc::Map> artifact_call(const ServiceCall& call, std::string_view method, doc::View request) {
  if (method == "CreateArtifact") return create(call, request);
  if (method == "FinalizeArtifact") return finalize(call.job, request);
  if (method == "ListArtifacts") return list(call, request);
  if (method == "GetSignedArtifactURL") return sign(call, request);
  if (method == "DeleteArtifact") return remove(call.job, request);
  return fail(Kind::not_found, "ArtifactService has no method {}", method);
}

}  // namespace slipway::ci
