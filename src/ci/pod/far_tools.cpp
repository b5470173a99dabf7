// Builder, scanner and previews of the house. Folders go there as blobs.
#include "base/text.h"
#include "ci/pod/far.h"
#include "doc/view.h"
#include "oci/layer.h"
#include "path/objects.h"

namespace slipway::ci {
namespace {

doc::Map texts(const std::map<std::string, std::string>& values) {
  doc::Map out;
  for (auto& [key, value] : values) out.append(key, value);
  return out;
}

// Those of registries: a folder of the job's is nothing to the builder.
doc::List caches(const std::vector<path::BuildCache>& all) {
  doc::List out;
  for (auto& one : all)
    if (one.type != "local")
      out.emplace_back(doc::Map{{"type", one.type},
                                {"where", one.where},
                                {"allStages", one.all_stages},
                                {"ignoreErrors", one.ignore_errors}});
  return out;
}

Result<std::string> send_folder(const Ctx& ctx, store::BlobStore& blobs, const fs::path& folder) {
  TRY(auto layer, oci::pack_layer(ctx, blobs, folder, {.compression = oci::Compression::zstd}));
  return layer.descriptor.digest.str();
}

class FarBuilder final : public path::ImageBuilder {
 public:
  FarBuilder(const FarHouse& house, store::BlobStore& blobs) : house_(house), blobs_(blobs) {}
  Result<path::BuildResult> build(const Ctx& ctx, const path::BuildRequest& request,
                                  const path::LogSink& log) override {
    doc::Map body{{"target", request.target},
                  {"image", request.image},
                  {"platform", request.platform},
                  {"args", texts(request.args)},
                  {"labels", texts(request.labels)},
                  {"annotations", texts(request.annotations)},
                  {"indexAnnotations", texts(request.index_annotations)},
                  {"secrets", texts(request.secrets)},
                  {"tags", doc::List(request.tags.begin(), request.tags.end())},
                  {"noCache", request.no_cache},
                  {"noCacheStages", doc::List(request.no_cache_stages.begin(), request.no_cache_stages.end())},
                  {"contextUrls", texts(request.context_urls)},
                  {"push", request.push},
                  {"provenance", request.provenance},
                  {"sbom", request.sbom},
                  {"cacheFrom", caches(request.cache_from)},
                  {"cacheTo", caches(request.cache_to)}};
    if (!request.ssh.empty())
      return Fail(Error(Kind::unavailable, "ssh: an agent in the job's Pod cannot be reached from the builder")
                      .with_hint("ssh: default=KEYFILE"));
    doc::Map keys;
    for (auto& [id, some] : request.ssh_keys) keys.set(id, doc::List(some.begin(), some.end()));
    body.set("sshKeys", std::move(keys));
    TRY(auto context, send_folder(ctx, blobs_, request.context));
    body.set("context", context);
    fs::path dockerfile = request.dockerfile;
    if (dockerfile.is_absolute()) {
      auto within = dockerfile.lexically_normal().lexically_relative(request.context.lexically_normal());
      if (!within.empty() && *within.begin() != "..") {
        body.set("dockerfile", within.string());
      } else {
        TRY(auto text, read_file(dockerfile, 1 << 20));
        body.set("dockerfileText", text);
      }
    } else {
      body.set("dockerfile", request.dockerfile);
    }
    doc::Map contexts;
    for (auto& [name, folder] : request.contexts) {
      TRY(auto digest, send_folder(ctx, blobs_, folder));
      contexts.set(name, digest);
    }
    body.set("contexts", std::move(contexts));
    if (request.source_date_epoch) body.set("epoch", *request.source_date_epoch);
    TRY(auto done, house_.live(ctx, "build", std::move(body), log));
    doc::View v(done);
    path::BuildResult out;
    TRY(auto text, v["digest"].str());
    TRY(out.digest, Digest::parse(text));
    out.bytes = static_cast<std::uint64_t>(v["bytes"].num_or(0)), out.inputs = v["inputs"].str_or("");
    out.media_type = v["mediaType"].str_or("");
    for (auto& [platform, name] : v["images"].members()) {
      TRY(out.images[platform], Digest::parse(name.text()));
    }
    out.steps = static_cast<int>(v["steps"].num_or(0)), out.cached = static_cast<int>(v["cached"].num_or(0));
    return out;
  }

 private:
  const FarHouse& house_;
  store::BlobStore& blobs_;
};

class FarScanner final : public path::Scanner {
 public:
  FarScanner(const FarHouse& house, store::BlobStore& blobs) : house_(house), blobs_(blobs) {}
  Result<path::ScanReport> scan_image(const Ctx& ctx, const std::string& repository,
                                      const std::string& reference) override {
    return scan(ctx, {{"image", repository}, {"reference", reference}});
  }
  Result<path::ScanReport> scan_folder(const Ctx& ctx, const fs::path& folder) override {
    TRY(auto digest, send_folder(ctx, blobs_, folder));
    return scan(ctx, {{"folder", digest}});
  }
  std::vector<path::Finding> scan_secrets(const std::vector<std::pair<std::string, std::string>>& files) override {
    doc::Map all;
    for (auto& [name, text] : files) all.set(name, text);
    auto report = scan({}, {{"files", std::move(all)}});
    return report ? std::move(report->findings) : std::vector<path::Finding>();
  }

 private:
  Result<path::ScanReport> scan(const Ctx& ctx, doc::Map body) {
    TRY(auto done, house_.live(ctx, "scan", std::move(body), [](int, std::string_view) {}));
    doc::View v(done);
    path::ScanReport out;
    for (auto& one : v["findings"].items()) {
      TRY(auto finding, path::finding_from(one));
      out.findings.push_back(std::move(finding));
    }
    out.packages = static_cast<std::size_t>(v["packages"].num_or(0));
    out.sbom_cyclonedx = v["cyclonedx"].str_or(""), out.sbom_spdx = v["spdx"].str_or("");
    return out;
  }
  const FarHouse& house_;
  store::BlobStore& blobs_;
};

class FarPreviewer final : public path::Previewer {
 public:
  FarPreviewer(const FarHouse& house, store::BlobStore& blobs) : house_(house), blobs_(blobs) {}
  Result<path::PreviewHandle> create(const Ctx& ctx, const path::PreviewRequest& request,
                                     const path::LogSink& log) override {
    doc::Map body{{"name", request.name},
                  {"repository", request.repository},
                  {"overlay", request.overlay},
                  {"images", texts(request.images)},
                  {"readyMillis", request.ready_within.count()},
                  {"livesMillis", request.lives.count()},
                  {"keep", request.keep}};
    if (request.repository.empty()) {
      TRY(auto digest, send_folder(ctx, blobs_, request.root));
      body.set("root", digest);
    }
    TRY(auto done, house_.live(ctx, "preview", std::move(body), log));
    path::PreviewHandle out;
    out.ns = doc::View(done)["namespace"].str_or("");
    for (auto& [name, url] : doc::View(done)["urls"].members()) out.urls[name] = url.text();
    return out;
  }
  Result<> tear_down(const Ctx& ctx, const std::string& ns, const path::LogSink& log) override {
    TRY_OK(house_.live(ctx, "preview", {{"tearDown", ns}}, log));
    return {};
  }

 private:
  const FarHouse& house_;
  store::BlobStore& blobs_;
};

}  // namespace

std::unique_ptr<path::ImageBuilder> far_builder(const FarHouse& house, store::BlobStore& blobs) {
  return std::make_unique<FarBuilder>(house, blobs);
}
std::unique_ptr<path::Scanner> far_scanner(const FarHouse& house, store::BlobStore& blobs) {
  return std::make_unique<FarScanner>(house, blobs);
}
std::unique_ptr<path::Previewer> far_previewer(const FarHouse& house, store::BlobStore& blobs) {
  return std::make_unique<FarPreviewer>(house, blobs);
}

}  // namespace slipway::ci
