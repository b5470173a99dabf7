// People roll back, pin or restore by commits of their own. What Git says is what the environments hold.
#include "base/log.h"
#include "engine/config_repository.h"
#include "engine/house.h"
#include "engine/promotions.h"
#include "engine/recorder.h"
#include "promote/promote.h"

namespace slipway::engine {
namespace {

// A promotion about to commit, or that has just done so, says itself what it changes.
Result<bool> is_promoting(const Ctx& ctx, House& house, const std::string& of_service) {
  TRY(auto promotions, all(ctx, *house.client, "Promotion", of_service));
  return std::any_of(promotions.begin(), promotions.end(),
                     [](const auto& p) { return phase_of(p) == path::Phase::pending; });
}

Result<bool> is_held(const Ctx& ctx, House& house, const std::string& of_service, const std::string& digest) {
  TRY(auto releases, all(ctx, *house.client, "Release", of_service));
  return std::any_of(releases.begin(), releases.end(), [&](const auto& r) {
    return r["status"]["current"].bool_or(false) && r["spec"]["digest"].text() == digest;
  });
}

// A promotion whose pull request brought this to the branch.
Result<std::string> proposed(const Ctx& ctx, House& house, const std::string& of_service, const std::string& digest) {
  TRY(auto promotions, all(ctx, *house.client, "Promotion", of_service));
  for (const auto& p : promotions)
    if (p["status"]["pullRequest"].num_or(0) > 0 && !path::is_final(phase_of(p)) &&
        p["spec"]["artifact"]["digest"].text() == digest)
      return p.name();
  return std::string();
}

// False: to be looked at again when the promotion under way has ended.
Result<bool> observe(const Ctx& ctx, House& house, const git::Repository& repository, const git::Oid& tip,
                     const path::Pipeline& pipeline, const path::ServiceSource& service,
                     const path::Environment& environment) {
  auto said = promote::image_at(repository, tip, environment.path, service.image);
  if (!said || !*said) return true;  // an overlay that cannot be read is for gitops to report
  auto digest = (*said)->digest;
  auto of_service = fmt::format("slipway.dev/service={},slipway.dev/environment={}", object_name(service.name),
                                object_name(environment.name));
  TRY(auto promoting, is_promoting(ctx, house, of_service));
  if (promoting) return false;
  TRY(auto held, is_held(ctx, house, of_service, digest.str()));
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
                {"configRepository", pipeline.config_repository}};
  TRY(auto promotion, proposed(ctx, house, of_service, digest.str()));
  if (!promotion.empty()) spec.set("promotion", promotion);
  TRY_OK(begin_release(ctx, house, release_name(service.name, environment.name, digest), std::move(spec)));
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
  TRY(auto tip, opened->resolve("refs/heads/" + pipeline.branch));
  if (!tip || object["status"]["observedCommit"].text() == *tip) return {};
  bool all_seen = true;
  for (const auto& service : pipeline.services)
    for (const auto& environment : pipeline.environments) {
      TRY(auto seen, observe(ctx, house, *opened, *tip, pipeline, service, environment));
      all_seen = all_seen && seen;
    }
  if (!all_seen) return {};
  return set_status(ctx, *house.client, "Pipeline", object.name(), doc::Map{{"observedCommit", *tip}});
}

}  // namespace slipway::engine
