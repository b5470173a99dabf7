// People roll back, pin or restore by commits of their own. What Git says is what the environments hold.
#include "base/log.h"
#include "engine/config_repository.h"
#include "engine/house.h"
#include "engine/places.h"
#include "engine/promotions.h"
#include "engine/recorder.h"
#include "promote/promote.h"

namespace slipway::engine {
namespace {

// A service in an environment of a Pipeline.
struct Spot {
  const path::Pipeline& pipeline;
  const path::ServiceSource& service;
  const path::Environment& environment;
};

// What is recorded of this kind there.
Result<std::vector<kube::Object>> recorded_at_spot(const Ctx& ctx, House& house, std::string_view kind_name,
                                                   const Spot& spot) {
  TRY(auto objects, all(ctx, *house.client, kind_name, place_selector(spot.service.name, spot.environment.name)));
  std::erase_if(objects, [&](const auto& o) { return !is_of(o, spot.pipeline); });
  return objects;
}

// A promotion about to commit, or that has just done so, says itself what it changes.
Result<bool> is_promoting(const Ctx& ctx, House& house, const Spot& spot) {
  TRY(auto promotions, recorded_at_spot(ctx, house, "Promotion", spot));
  return std::any_of(promotions.begin(), promotions.end(),
                     [](const auto& p) { return phase_of(p) == path::Phase::pending; });
}

Result<bool> is_held(const Ctx& ctx, House& house, const Spot& spot, const std::string& digest) {
  TRY(auto releases, recorded_at_spot(ctx, house, "Release", spot));
  return std::any_of(releases.begin(), releases.end(), [&](const auto& r) {
    return r["status"]["current"].bool_or(false) && r["spec"]["digest"].text() == digest;
  });
}

// A promotion whose pull request brought this to the branch.
Result<std::string> proposed(const Ctx& ctx, House& house, const Spot& spot, const std::string& digest) {
  TRY(auto promotions, recorded_at_spot(ctx, house, "Promotion", spot));
  for (const auto& p : promotions)
    if (p["status"]["pullRequest"].num_or(0) > 0 && !path::is_final(phase_of(p)) &&
        p["spec"]["artifact"]["digest"].text() == digest)
      return p.name();
  return std::string();
}

// False: to be looked at again when the promotion under way has ended.
Result<bool> observe(const Ctx& ctx, House& house, const git::Repository& repository, const git::Oid& tip,
                     const Spot& spot) {
  const auto& [pipeline, service, environment] = spot;
  auto said = promote::image_at(repository, tip, environment.path, service.image);
  if (!said || !*said) return true;  // an overlay that cannot be read is for gitops to report
  auto digest = (*said)->digest;
  TRY(auto promoting, is_promoting(ctx, house, spot));
  if (promoting) return false;
  TRY(auto held, is_held(ctx, house, spot, digest.str()));
  if (held) return true;
  path::Artifact artifact{.service = service.name, .image = service.image, .digest = digest};
  TRY(auto known, find(ctx, *house.client, "Artifact", name_of(artifact)));
  if (known) {
    TRY(artifact, path::artifact_from((*known)["spec"]));
  }
  LOG(info, "release.observed", {"service", service.name}, {"environment", environment.name}, {"digest", digest.str()},
      {"commit", tip});
  doc::Map spec{{"service", service.name},
                {"environment", environment.name},
                {"digest", digest.str()},
                {"image", service.image},
                {"sourceCommit", artifact.commit},
                {"repository", artifact.repository},
                {"run", artifact.run},
                {"commit", tip},
                {"configRepository", pipeline.config_repository},
                {"pipeline", pipeline.name}};
  TRY(auto promotion, proposed(ctx, house, spot, digest.str()));
  if (!promotion.empty()) spec.set("promotion", promotion);
  TRY(auto name, release_name(ctx, house, pipeline, service.name, environment.name, digest));
  TRY_OK(begin_release(ctx, house, name, std::move(spec)));
  if (!promotion.empty())
    TRY_OK(set_status(ctx, *house.client, "Promotion", promotion,
                      doc::Map{{"phase", "Running"}, {"commit", tip}, {"message", ""}}));
  return true;
}

}  // namespace

Result<> observe_configuration(const Ctx& ctx, House& house, const kube::Object& object,
                               const path::Pipeline& pipeline) {
  auto opened = config_repository(ctx, house, pipeline);
  if (!opened) return {};  // not here, or not yet
  TRY(auto tip, opened->resolve("refs/heads/" + config_branch(pipeline, *opened)));
  if (!tip || object["status"]["observedCommit"].text() == *tip) return {};
  bool all_seen = true;
  for (const auto& service : pipeline.services)
    for (const auto& environment : pipeline.environments) {
      TRY(auto seen, observe(ctx, house, *opened, *tip, {pipeline, service, environment}));
      all_seen = all_seen && seen;
    }
  if (!all_seen) return {};
  return set_status(ctx, *house.client, "Pipeline", object.name(), doc::Map{{"observedCommit", *tip}});
}

}  // namespace slipway::engine
