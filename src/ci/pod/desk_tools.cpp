// What the house does for a job in a Pod: its right at the job services, actions and source, builds, scans, previews.
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "ci/pod/desk.h"
#include "doc/json.h"
#include "oci/layer.h"
#include "path/objects.h"

namespace slipway::ci {
namespace {

std::map<std::string, std::string> texts_of(doc::View view) {
  std::map<std::string, std::string> out;
  for (auto& [key, value] : view.members()) out[key] = value.text();
  return out;
}
doc::Map texts(const std::map<std::string, std::string>& values) {
  doc::Map out;
  for (auto& [key, value] : values) out.append(key, value);
  return out;
}

// A folder as one blob, the same bytes for the same files.
Result<Digest> pack(const Ctx& ctx, store::BlobStore& blobs, const fs::path& folder) {
  TRY(auto layer, oci::pack_layer(ctx, blobs, folder, {.compression = oci::Compression::zstd}));
  return layer.descriptor.digest;
}

// A folder that a job sent, unpacked where no name in it leads out.
Result<> unpack(const Ctx& ctx, Visit& visit, doc::View digest_text, const fs::path& folder) {
  TRY(auto text, digest_text.str());
  TRY(auto digest, Digest::parse(text));
  if (!visit.job->may_read(digest)) return fail(Kind::denied, "this job has not put {}", text);
  auto* blobs = visit.job->side().options->blobs;
  if (!blobs || !blobs->contains(digest)) return fail(Kind::not_found, "{} is not here", text);
  TRY_OK(make_dirs(folder));
  return oci::unpack_archive(ctx, blobs->path(digest), folder, {});
}

Result<TempDir> work_folder(Visit& visit) {
  TRY_OK(make_dirs(visit.job->side().options->root));
  return TempDir::make_in(visit.job->side().options->root, "job");
}

doc::Map error_doc(const Error& error) {
  return {{"kind", static_cast<int>(error.kind())}, {"what", error.what()}, {"hint", error.hint()}};
}

// Work whose output is sent as it comes: a line a piece, and one that says how it ended.
using Work = std::move_only_function<Result<doc::Map>(const Ctx&, Visit&, const path::LogSink&)>;
net::Response live(Visit& visit, Work work) {
  net::Response out;
  out.headers.set("Content-Type", "application/x-ndjson");
  out.body = net::StreamBody(
      [visit = std::move(visit), work = std::move(work)](const Ctx& ctx, net::BodyWriter& writer) mutable {
        ChildStop stop(ctx.stop);
        std::stop_callback closing(visit.job->closing(), [&] { stop.request_stop(); });
        std::mutex mutex;  // stages of a build report side by side
        Result<> sent;
        auto send = [&](doc::Map line) {
          std::lock_guard lock(mutex);
          visit.job->heard();
          if (sent) sent = writer.write(ctx, doc::print_json(doc::Value(std::move(line))) + "\n");
          if (!sent) stop.request_stop();
        };
        send({{"hello", true}});
        auto done = work(ctx.with_stop(stop.token()), visit,
                         [&](int stream, std::string_view piece) { send({{"o", stream}, {"x", piece}}); });
        if (done)
          send({{"done", *std::move(done)}});
        else
          send({{"error", error_doc(done.error())}});
        return sent;
      });
  return out;
}

Result<doc::Value> parsed(const Ctx& ctx, Visit& visit) { return body_of(ctx, visit.request, std::size_t{64} << 20); }

// A path that a request gives, in the folder that the job sent: nothing else of this machine.
Result<std::string> below(const std::string& path, std::string_view what) {
  auto plain = fs::path(path).lexically_normal();
  if (plain.is_absolute() || plain.empty() || *plain.begin() == "..")
    return fail(Kind::invalid, "{} \"{}\": want a path within the context", what, path);
  return plain.string();
}

// At a registry or with the image; a folder would be one of this machine.
Result<std::vector<path::BuildCache>> caches_of(doc::View list) {
  std::vector<path::BuildCache> out;
  for (auto& v : list.items()) {
    path::BuildCache cache;
    cache.type = v["type"].str_or(""), cache.where = v["where"].str_or("");
    cache.all_stages = v["allStages"].bool_or(false), cache.ignore_errors = v["ignoreErrors"].bool_or(false);
    if (cache.type != "registry" && cache.type != "inline")
      return fail(Kind::denied, "cache of type {:?}: only those of registries are read here", cache.type);
    out.push_back(std::move(cache));
  }
  return out;
}

Result<path::BuildRequest> build_request(const Ctx& ctx, Visit& visit, doc::View v, const fs::path& folder) {
  path::BuildRequest out;
  out.context = folder / "context";
  TRY_OK_IN("context", unpack(ctx, visit, v["context"], out.context));
  if (v["dockerfileText"].present()) {
    out.dockerfile = (folder / "Dockerfile").string();
    TRY_OK(write_file(out.dockerfile, v["dockerfileText"].text()));
  } else {
    TRY(out.dockerfile, below(v["dockerfile"].str_or("Dockerfile"), "dockerfile"));
  }
  int number = 0;
  for (auto& [name, digest] : v["contexts"].members()) {
    auto named = folder / fmt::format("context{}", ++number);
    TRY_OK_IN(name, unpack(ctx, visit, digest, named));
    out.contexts[name] = named;
  }
  out.target = v["target"].str_or(""), out.image = v["image"].str_or(""), out.platform = v["platform"].str_or("");
  out.args = texts_of(v["args"]), out.labels = texts_of(v["labels"]);
  out.annotations = texts_of(v["annotations"]), out.index_annotations = texts_of(v["indexAnnotations"]);
  out.secrets = texts_of(v["secrets"]);
  for (auto& tag : v["tags"].items()) out.tags.push_back(tag.text());
  for (auto& stage : v["noCacheStages"].items()) out.no_cache_stages.push_back(stage.text());
  out.context_urls = texts_of(v["contextUrls"]);
  for (auto& [name, where] : out.context_urls)
    if (where.starts_with("oci-layout:")) return fail(Kind::denied, "context {}: layouts are not read here", name);
  out.no_cache = v["noCache"].bool_or(false), out.push = v["push"].bool_or(true);
  for (auto& [id, keys] : v["sshKeys"].members())
    for (auto& key : keys.items()) out.ssh_keys[std::string(id)].push_back(key.text());
  out.provenance = v["provenance"].str_or(""), out.sbom = v["sbom"].bool_or(false);
  TRY(out.cache_from, caches_of(v["cacheFrom"]));
  TRY(out.cache_to, caches_of(v["cacheTo"]));
  if (v["epoch"].present()) out.source_date_epoch = v["epoch"].num_or(0);
  return out;
}

doc::Map report_of(const path::ScanReport& report) {
  doc::List findings;
  for (auto& finding : report.findings) findings.push_back(path::to_doc(finding));
  return {{"findings", std::move(findings)},
          {"packages", std::uint64_t{report.packages}},
          {"cyclonedx", report.sbom_cyclonedx},
          {"spdx", report.sbom_spdx}};
}

}  // namespace

Result<net::Response> desk_pass(const Ctx& ctx, Visit& visit) {
  TRY(auto body, body_of(ctx, visit.request));
  if (visit.rest == "id-token") {
    TRY(auto token, visit.job->side().id_token(ctx, doc::View(body)["audience"].str_or("")));
    return json_reply({{"token", token}});
  }
  TRY(auto admission, visit.job->side().admit());
  return json_reply(
      {{"env", texts(admission.env)}, {"secrets", doc::List(admission.secrets.begin(), admission.secrets.end())}});
}

Result<net::Response> desk_actions(const Ctx& ctx, Visit& visit) {
  auto& options = *visit.job->side().options;
  TRY(auto body, body_of(ctx, visit.request));
  doc::View v(body, "action");
  TRY(auto repository, v["repository"].str());
  TRY(auto ref, v["ref"].str());
  if (!options.actions || !options.blobs) return json_reply({});
  TRY(auto folder, options.actions(ctx, repository, ref));
  if (!folder) return json_reply({});
  TRY(auto digest, pack(ctx, *options.blobs, *folder));
  visit.job->allow(digest);
  return json_reply({{"digest", digest.str()}, {"commit", folder->filename().string()}});
}

// The run's commit as a repository that knows it alone. Nothing: it has so many objects that cloning is quicker.
Result<net::Response> desk_source(const Ctx& ctx, Visit& visit) {
  auto& options = *visit.job->side().options;
  if (!options.repository || !options.blobs) return fail(Kind::unavailable, "this run has no repository");
  TRY(auto folder, work_folder(visit));
  auto tree = folder.path() / "tree";
  TRY_OK(make_dirs(tree));
  TRY(bool whole, options.repository->checkout_shallow(ctx, options.commit, tree));
  if (!whole) return json_reply({});
  std::error_code ignored;
  fs::remove(tree / ".git/index", ignored);  // of these files, not of those to come
  TRY(auto digest, pack(ctx, *options.blobs, tree / ".git"));
  visit.job->allow(digest);
  return json_reply({{"digest", digest.str()}});
}

Result<net::Response> desk_build(const Ctx& ctx, Visit& visit) {
  if (!visit.job->side().options->builder) return fail(Kind::unavailable, "no image builder is connected");
  TRY(auto body, parsed(ctx, visit));
  return live(visit, [body = std::move(body)](const Ctx& own, Visit& v, const path::LogSink& log) -> Result<doc::Map> {
    TRY(auto folder, work_folder(v));
    TRY(auto request, build_request(own, v, doc::View(body, "build"), folder.path()));
    TRY(auto built, v.job->side().options->builder->build(own, request, log));
    doc::Map images;
    for (auto& [platform, digest] : built.images) images.set(platform, digest.str());
    doc::Map out{{"digest", built.digest.str()},  {"bytes", built.bytes},        {"inputs", built.inputs},
                 {"mediaType", built.media_type}, {"images", std::move(images)}, {"steps", built.steps},
                 {"cached", built.cached}};
    // What imageid is: of the configuration.
    if (auto* registry = v.job->side().options->registry)
      if (auto image = registry->image(request.image, built.digest.str()))
        out.append("config", image->manifest.config.digest.str());
    return out;
  });
}

Result<net::Response> desk_scan(const Ctx& ctx, Visit& visit) {
  if (!visit.job->side().options->scanner) return fail(Kind::unavailable, "no scanner is connected");
  TRY(auto body, parsed(ctx, visit));
  return live(visit, [body = std::move(body)](const Ctx& own, Visit& v, const path::LogSink&) -> Result<doc::Map> {
    doc::View what(body, "scan");
    auto& scanner = *v.job->side().options->scanner;
    if (what["image"].present()) {
      TRY(auto report, scanner.scan_image(own, what["image"].text(), what["reference"].text()));
      return report_of(report);
    }
    if (what["files"].present()) {
      std::vector<std::pair<std::string, std::string>> files;
      for (auto& [name, text] : what["files"].members()) files.emplace_back(name, text.text());
      path::ScanReport report;
      report.findings = scanner.scan_secrets(files);
      return report_of(report);
    }
    TRY(auto folder, work_folder(v));
    TRY_OK(unpack(own, v, what["folder"], folder.path() / "tree"));
    TRY(auto report, scanner.scan_folder(own, folder.path() / "tree"));
    return report_of(report);
  });
}

Result<net::Response> desk_preview(const Ctx& ctx, Visit& visit) {
  if (!visit.job->side().options->previewer) return fail(Kind::unavailable, "no cluster for previews is connected");
  TRY(auto body, parsed(ctx, visit));
  return live(visit, [body = std::move(body)](const Ctx& own, Visit& v, const path::LogSink& log) -> Result<doc::Map> {
    doc::View what(body, "preview");
    auto& previewer = *v.job->side().options->previewer;
    if (what["tearDown"].present()) {
      auto ns = what["tearDown"].text();
      if (!v.job->owns_preview(ns)) return fail(Kind::denied, "namespace {}: this job has not made it", ns);
      TRY_OK(previewer.tear_down(own, ns, log));
      return doc::Map{};
    }
    path::PreviewRequest request;
    TRY(auto folder, work_folder(v));
    request.name = what["name"].str_or(""), request.repository = what["repository"].str_or("");
    TRY(request.overlay, below(what["overlay"].str_or(""), "overlay"));
    if (request.repository.empty()) {
      request.root = folder.path() / "tree";
      TRY_OK(unpack(own, v, what["root"], request.root));
    }
    request.images = texts_of(what["images"]);
    request.ready_within = Millis(what["readyMillis"].num_or(60000));
    request.lives = Millis(what["livesMillis"].num_or(3600000));
    request.keep = what["keep"].bool_or(false);
    v.job->own_preview("preview-" + request.name);
    TRY(auto handle, previewer.create(own, request, log));
    v.job->own_preview(handle.ns);
    return doc::Map{{"namespace", handle.ns}, {"urls", texts(handle.urls)}};
  });
}

}  // namespace slipway::ci
