#include "cli/by_hand.h"

#include <algorithm>

#include "base/text.h"
#include "engine/places.h"
#include "engine/promotions.h"
#include "engine/recorder.h"
#include "promote/chain.h"

namespace slipway::cli {
namespace {

std::string names_of(const auto& list) {
  std::vector<std::string> names;
  for (const auto& one : list) names.push_back(one.name);
  return names.empty() ? "none" : join(names, ", ");
}

// What the environment holds now, "" for nothing.
Result<std::string> held(const Ctx& ctx, kube::Client& client, const Target& target) {
  TRY(auto releases, engine::all(ctx, client, "Release"));
  for (const auto& release : releases)
    if (release["spec"]["service"].text() == target.service.name &&
        release["spec"]["environment"].text() == target.environment.name &&
        release["status"]["current"].bool_or(false) && engine::is_of(release, target.pipeline))
      return release["spec"]["digest"].text();
  return std::string();
}

// One of the same image that is on its way, or waits for an approval.
Result<std::optional<kube::Object>> under_way(const Ctx& ctx, kube::Client& client, const Order& order) {
  TRY(auto promotions, engine::all(ctx, client, "Promotion"));
  for (auto& promotion : promotions) {
    auto spec = promotion["spec"];
    bool same = spec["service"].text() == order.target.service.name &&
                spec["environment"].text() == order.target.environment.name &&
                spec["artifact"]["digest"].text() == order.artifact.digest.str() &&
                engine::is_of(promotion, order.target.pipeline);
    if (same && !spec["revert"].bool_or(false) && !is_final(engine::phase_of(promotion)))
      return std::optional(promotion);
  }
  return std::optional<kube::Object>();
}

// It waits for others, not only for the house to take up what was just written.
bool rests(const kube::Object& promotion) {
  auto spec = promotion["spec"], status = promotion["status"];
  if (engine::phase_of(promotion) != path::Phase::waiting) return false;
  if (status["pullRequest"].num_or(0) > 0) return true;
  bool held = status["message"].text().starts_with(promote::held_mark);
  return held ? spec["overrideWindow"].text().empty() : spec["approvedBy"].text().empty();
}

}  // namespace

Result<std::vector<path::Pipeline>> pipelines(const Ctx& ctx, kube::Client& client) {
  TRY(auto objects, engine::all(ctx, client, "Pipeline"));
  std::vector<path::Pipeline> list;
  for (const auto& object : objects)
    if (auto pipeline = path::pipeline_from(object.view())) list.push_back(*std::move(pipeline));
  return list;
}

Result<Target> target_of(const Ctx& ctx, kube::Client& client, const std::string& service,
                         const std::string& environment, const std::string& of_pipeline) {
  TRY(auto list, pipelines(ctx, client));
  if (!of_pipeline.empty()) {
    auto there = names_of(list);
    std::erase_if(list, [&](const auto& p) { return p.name != of_pipeline; });
    if (list.empty()) return fail(Kind::not_found, "there is no Pipeline {}, there are: {}", of_pipeline, there);
  }
  std::vector<path::ServiceSource> services;
  std::vector<path::Environment> environments;  // of those that have the service
  std::vector<Target> found;
  for (const auto& pipeline : list) {
    services.insert(services.end(), pipeline.services.begin(), pipeline.services.end());
    for (const auto& one : pipeline.services) {
      if (one.name != service && one.image != service) continue;
      environments.insert(environments.end(), pipeline.environments.begin(), pipeline.environments.end());
      for (const auto& place : pipeline.environments)
        if (place.name == environment) found.push_back({pipeline, place, one});
    }
  }
  if (found.size() == 1) return found.front();
  if (!found.empty()) {
    std::vector<std::string> meant;
    for (const auto& [pipeline, place, one] : found)
      meant.push_back(fmt::format("{} of Pipeline {}", one.image, pipeline.name));
    return Fail(
        Error(Kind::conflict, fmt::format("{} services are called {}: {}", found.size(), service, join(meant, ", ")))
            .with_hint("name its image, or --pipeline " + found.front().pipeline.name));
  }
  if (!environments.empty())
    return fail(Kind::not_found, "{} has no environment {}, there are: {}", service, environment,
                names_of(environments));
  return Fail(
      Error(Kind::not_found, fmt::format("no Pipeline has a service {}, there are: {}", service, names_of(services)))
          .with_hint("Pipelines live in the configuration repository; slipway bootstrap reads them"));
}

Result<path::Artifact> artifact_of(const Ctx& ctx, kube::Client& client, const path::ServiceSource& service,
                                   const Digest& digest) {
  TRY(auto objects, engine::all(ctx, client, "Artifact"));
  for (const auto& object : objects)
    if (object["spec"]["digest"].text() == digest.str()) {
      auto artifact = path::artifact_from(object["spec"]);
      if (!artifact || promote::is_of(*artifact, service)) return artifact;
    }
  path::Artifact artifact;
  artifact.service = service.name, artifact.image = service.image, artifact.digest = digest;
  return artifact;
}

Result<std::string> asker(const Ctx& ctx, kube::Client& client, const Arguments& arguments) {
  auto claimed = arguments.get("as", current_user());
  doc::Map question{{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "SelfSubjectReview"}};
  auto review = client.create(ctx, std::move(question), {});
  if (!review && review.error().is(Kind::not_found)) return claimed;  // servers before Kubernetes 1.28
  if (!review) return Fail(std::move(review).error());
  auto name = (*review)["status"]["userInfo"]["username"].text();
  return name == "admin" ? claimed : name;
}

Result<std::string> ask(const Ctx& ctx, kube::Client& client, const Order& order) {
  const auto& [pipeline, environment, service] = order.target;
  TRY(auto now, held(ctx, client, order.target));
  if (now == order.artifact.digest.str())
    return fail(Kind::conflict, "{} holds {} of {} already", environment.name, now.substr(0, 19), service.name);
  path::Promotion promotion;
  promotion.service = service.name, promotion.environment = environment.name;
  promotion.artifact = order.artifact;
  promotion.config_repository = pipeline.config_repository, promotion.config_path = environment.path;
  promotion.reason = order.reason;
  if (!environment.automatic) {
    if (!promote::may_approve(environment, order.who))
      return Fail(Error(Kind::denied, fmt::format("{} may not put anything into {}, only {} may", order.who,
                                                  environment.name, join(environment.approvers, " or ")))
                      .with_hint("--as NAME says who asks"));
  }
  TRY(auto before, under_way(ctx, client, order));
  if (before) {  // asking for it is the approval that it waits for
    if (engine::phase_of(*before) != path::Phase::waiting) return before->name();
    TRY_OK(kube::modify(ctx, client, engine::kind("Promotion"), before->key(), {}, [&](doc::Value& o) -> Result<bool> {
      o["spec"]["approvedBy"] = order.who;
      if (order.override_window) o["spec"]["overrideWindow"] = order.who;
      return true;
    }));
    return before->name();
  }
  // A name of its own each time: the same image may be asked for again.
  auto name = engine::object_name(fmt::format("{}-{}-{}-by-hand-{}", service.name, environment.name,
                                              order.artifact.digest.short_hex(), random_hex(3)));
  auto spec = to_doc(promotion);
  spec["pipeline"] = pipeline.name;
  if (!environment.automatic) spec["approvedBy"] = order.who;
  if (order.override_window) spec["overrideWindow"] = order.who;
  TRY_OK(engine::record(ctx, client, "Promotion", name, std::move(spec),
                        engine::place_labels(pipeline.name, service.name, environment.name),
                        {{std::string(engine::recorded_at), rfc3339_micro(ctx.clock->wall())}}));
  doc::Map status{{"phase", "Pending"}, {"message", ""}};
  if (!environment.automatic) status.set("approvedBy", order.who);
  TRY_OK(engine::set_status(ctx, client, "Promotion", name, status));
  return name;
}

Result<int> follow(const Ctx& ctx, kube::Client& client, const std::string& promotion, bool verified, Io& io) {
  TRY(auto done,
      kube::await(ctx, client, engine::kind("Promotion"), {engine::home, promotion}, [&](const kube::Object& now) {
        auto phase = engine::phase_of(now);
        return !now || is_final(phase) || (!verified && (phase == path::Phase::running || rests(now)));
      }));
  if (!done) return fail(Kind::not_found, "promotion {}: was deleted", promotion);
  auto phase = done["status"]["phase"].text();
  bool waits = phase == "Waiting", good = phase == "Running" || phase == "Succeeded";
  if (io.json())
    io.document(doc::Map{{"promotion", promotion},
                         {"service", done["spec"]["service"].text()},
                         {"environment", done["spec"]["environment"].text()},
                         {"digest", done["spec"]["artifact"]["digest"].text()},
                         {"phase", phase},
                         {"commit", done["status"]["commit"].text()},
                         {"message", done["status"]["message"].text()}});
  else
    io.line(fmt::format("{} to {}: {} {}{}", done["spec"]["service"].text(), done["spec"]["environment"].text(),
                        io.paint(good    ? Io::Paint::good
                                 : waits ? Io::Paint::warn
                                         : Io::Paint::bad,
                                 verified && good ? "verified"
                                 : good           ? "committed"
                                                  : lower(phase)),
                        done["status"]["commit"].text().substr(0, 12),
                        done["status"]["message"].text().empty() ? "" : ": " + done["status"]["message"].text()));
  return good || waits ? 0 : 1;
}

}  // namespace slipway::cli
