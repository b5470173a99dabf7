#include "image/detail/assembly.h"

#include "base/pool.h"
#include "base/text.h"

namespace slipway::image::detail {

Assembly::Assembly(Workshop& shop, const Ctx& ctx, const path::BuildRequest& request, const path::LogSink& log)
    : shop_(shop), far_(shop.options.remote, shop.options.registry->blobs()), ctx_(ctx), request_(request) {
  repository_ = request.image.empty() ? std::string("local/build") : request.image;
  if (log)
    log_ = [this, &log](int stream, std::string_view piece) {
      std::lock_guard guard(calling_);
      log(stream, piece);
    };
  if (request.on_step)
    request_.on_step = [this, &request](const path::BuildStep& step) {
      std::lock_guard guard(calling_);
      request.on_step(step);
    };
}

Result<std::vector<oci::Platform>> Assembly::platforms() const {
  std::vector<oci::Platform> out;
  for (auto text : split(request_.platform, ',')) {
    if (trim(text).empty()) continue;
    TRY(auto platform, oci::parse_platform(trim(text)));
    out.push_back(std::move(platform));
  }
  if (out.empty()) out.push_back(host_platform());
  return out;
}

// A step that is in the cache by its result alone is believed at first: often the result is all that is needed. When
// its files are needed after all, it is done again, and all else is answered from the cache.
Result<Built> Assembly::build_one(const Ctx& ctx, const oci::Platform& platform) {
  Build build(shop_, far_, ctx, request_, platform, log_);
  auto built = build.run();
  if (built || !build.missed_files()) return built;
  build.say(" => the cache knows a step without its files, which are needed: doing it again");
  Build again(shop_, far_, ctx, request_, platform, log_);
  again.set_absent(Build::Absent::rebuilt);
  return again.run();
}

// A cache that is not there, or cannot be read, costs time but no build.
void Assembly::import_caches(const std::vector<oci::Platform>& platforms) {
  for (const auto& from : request_.cache_from) {
    for (const auto& platform : platforms) {
      CachePlaces places{*shop_.options.registry, shop_.options.remote, shop_.options.registry_names, platform, far_};
      auto count = import_cache(ctx_, places, from, *shop_.steps);
      auto said = count ? fmt::format("{} steps", *count) : count.error().what();
      if (log_) log_(count ? 1 : 2, fmt::format(" => cache from {}: {}\n", from.where, said));
      if (!count) break;
    }
  }
}

Result<> Assembly::start_agents() {
  for (const auto& [id, keys] : request_.ssh_keys) {
    TRY_IN(auto agent, "ssh " + id, KeyAgent::start(ctx_, keys));
    request_.ssh[id] = agent.socket();
    agents_.push_back(std::move(agent));
  }
  return {};
}

Result<> Assembly::export_caches(const std::vector<Built>& built) {
  for (const auto& to : request_.cache_to) {
    if (to.type == "inline") continue;
    CacheRecords all;
    for (const auto& one : built) {
      all.steps.insert(one.records.steps.begin(), one.records.steps.end());
      all.contents.insert(one.records.contents.begin(), one.records.contents.end());
    }
    CachePlaces places{*shop_.options.registry, shop_.options.remote, shop_.options.registry_names,
                       built.front().image.platform.value_or(host_platform()), far_};
    auto done = export_cache(ctx_, places, to, all);
    if (log_)
      log_(done ? 1 : 2, fmt::format(" => cache to {}: {}\n", to.where,
                                     done ? fmt::format("{} steps", all.steps.size()) : done.error().what()));
    if (!done && !to.ignore_errors) return Fail(std::move(done).error().in("cache to " + to.where));
  }
  return {};
}

std::vector<std::string> Assembly::tags() const { return request_.push ? request_.tags : std::vector<std::string>{}; }

Result<path::BuildResult> Assembly::write_index(std::vector<Built>& built) {
  auto& registry = *shop_.options.registry;
  oci::Index index;
  index.annotations = request_.index_annotations;
  std::vector<oci::Descriptor> statements;
  path::BuildResult result = std::move(built.front().result);
  for (std::size_t n = 1; n < built.size(); ++n) {
    auto& other = built[n].result;
    result.bytes += other.bytes;
    result.steps += other.steps;
    result.cached += other.cached;
    result.inputs = "sha256:" + sha256_hex(result.inputs + other.inputs);
    result.images.insert(other.images.begin(), other.images.end());
    result.commands.insert(result.commands.end(), other.commands.begin(), other.commands.end());
  }
  for (const auto& one : built) {
    index.manifests.push_back(one.image);
    if (one.statements.empty()) continue;
    TRY(auto d, attach_statements(registry, repository_, request_.tags, one.image, one.statements));
    statements.push_back(std::move(d));
  }
  index.manifests.insert(index.manifests.end(), statements.begin(), statements.end());
  TRY(auto stored, registry.put_manifest(repository_, tags(), oci::media::index, oci::print(index)));
  result.digest = stored.digest;
  result.media_type = oci::media::index;
  if (log_) log_(1, fmt::format(" => index {} of {} images\n", stored.digest.str(), built.size()));
  return result;
}

Result<path::BuildResult> Assembly::run() {
  TRY(auto wanted, platforms());
  if (request_.sbom && shop_.options.scanner == nullptr)
    return fail(Kind::unavailable, "an SBOM is asked for, and no scanner is here to make it");
  TRY_OK(start_agents());
  import_caches(wanted);
  std::vector<Built> built(wanted.size());
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (std::size_t n = 0; n < wanted.size(); ++n)
    tasks.emplace_back([&, n](const Ctx& ctx) -> Result<> {
      TRY(built[n], build_one(ctx, wanted[n]));
      return {};
    });
  TRY_OK(run_all(ctx_, wanted.size(), std::move(tasks)));
  bool index = built.size() > 1 || request_.sbom || !built.front().statements.empty();
  for (const auto& one : built)
    TRY_OK(shop_.options.registry->put_manifest(repository_, index ? std::vector<std::string>{} : tags(),
                                                oci::media::manifest, one.manifest));
  if (request_.sbom) {
    for (auto& one : built) {
      TRY_IN(auto report, "sbom", shop_.options.scanner->scan_image(ctx_, repository_, one.image.digest.str()));
      one.statements.push_back(spdx_statement(report.sbom_spdx));
    }
  }
  TRY_OK(export_caches(built));
  if (index) return write_index(built);
  return std::move(built.front().result);
}

}  // namespace slipway::image::detail
