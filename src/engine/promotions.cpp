#include "engine/promotions.h"

#include "engine/config_repository.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/places.h"
#include "engine/proposals.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "promote/chain.h"
#include "promote/promote.h"

namespace slipway::engine {
namespace {

using Outcome = path::Verdict::Outcome;

// Creation order, oldest first: times of objects have whole seconds, versions do not tie.
void by_age(std::vector<kube::Object>& objects) {
  std::stable_sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) {
    auto order = [](const kube::Object& o) {
      return std::pair(o["metadata"]["creationTimestamp"].text(), o["status"]["order"].num_or(0));
    };
    return order(a) < order(b);
  });
}

Result<std::vector<promote::Passed>> passed_artifacts(const Ctx& ctx, House& house) {
  TRY(auto objects, all(ctx, *house.client, "Artifact"));
  std::erase_if(objects, [](const auto& o) { return phase_of(o) != path::Phase::succeeded; });
  std::vector<promote::Passed> passed;
  for (const auto& object : objects) {
    TRY(auto artifact, path::artifact_from(object["spec"]));
    auto status = object["status"];
    artifact.run = status["run"].str_or(artifact.run);
    if (auto commit = status["commit"].text(); !commit.empty()) artifact.commit = commit;
    passed.push_back({std::move(artifact), parse_rfc3339(status["passedAt"].text()).value_or(WallTime{})});
  }
  std::stable_sort(passed.begin(), passed.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return passed;
}

Result<std::vector<promote::Holding>> holdings(const Ctx& ctx, House& house, const path::Pipeline& pipeline) {
  TRY(auto objects, all(ctx, *house.client, "Release"));
  std::erase_if(objects, [&](const auto& o) { return !is_of(o, pipeline); });
  by_age(objects);
  std::vector<promote::Holding> list;
  for (const auto& o : objects) {
    auto digest = Digest::parse(o["spec"]["digest"].text());
    if (!digest) continue;
    promote::Holding holding{o["spec"]["service"].text(), o["spec"]["environment"].text(), *digest,
                             o["status"]["current"].bool_or(false)};
    auto phase = phase_of(o);
    holding.verdict = phase == path::Phase::succeeded ? Outcome::pass
                      : phase == path::Phase::failed  ? Outcome::fail
                                                      : Outcome::inconclusive;
    holding.since = parse_rfc3339(o["status"]["since"].text()).value_or(WallTime{});
    list.push_back(std::move(holding));
  }
  return list;
}

Result<std::vector<promote::Approval>> approvals(const Ctx& ctx, House& house, const path::Pipeline& pipeline) {
  TRY(auto objects, all(ctx, *house.client, "Promotion"));
  std::vector<promote::Approval> list;
  for (const auto& o : objects) {
    auto by = o["spec"]["approvedBy"].text();
    auto digest = Digest::parse(o["spec"]["artifact"]["digest"].text());
    if (!by.empty() && digest && is_of(o, pipeline))
      list.push_back({o["spec"]["service"].text(), o["spec"]["environment"].text(), *digest, by});
  }
  return list;
}

// A commit that takes the source back makes the bytes of before, which then pass once more. Those that passed last
// anyway need not.
bool is_newest(const std::vector<promote::Passed>& passed, const kube::Object& artifact) {
  auto service = artifact["spec"]["service"].text(), image = artifact["spec"]["image"].text();
  for (auto it = passed.rbegin(); it != passed.rend(); ++it)
    if (it->artifact.service == service && it->artifact.image == image)
      return it->artifact.digest.str() == artifact["spec"]["digest"].text();
  return false;
}

// Only what is on the default branch goes on: a push there, or a tag of a commit that is part of it. What another
// branch built was tested and stays an image.
Result<bool> is_on_trunk(House& house, const path::Change& change) {
  TRY(auto repository, house.git->repository(change.repository));
  TRY(auto trunk, repository.head());
  if (change.event == path::Change::Event::push || change.event == path::Change::Event::manual ||
      change.event == path::Change::Event::schedule)
    return change.ref == trunk;
  if (change.event != path::Change::Event::tag) return false;
  TRY(auto tip, repository.resolve(trunk));
  if (!tip) return false;
  return repository.is_ancestor(change.after, *tip);
}

// The one that is under way already for the same bytes: what passes once more meanwhile needs no second.
Result<std::string> name_for(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                             const path::Promotion& promotion) {
  const auto& [service, environment] = std::tie(promotion.service, promotion.environment);
  TRY(auto others, all(ctx, *house.client, "Promotion", place_selector(service, environment)));
  for (const auto& other : others)
    if (is_of(other, pipeline) && !is_final(phase_of(other)) && !other["spec"]["revert"].bool_or(false) &&
        other["spec"]["artifact"]["digest"].text() == promotion.artifact.digest.str())
      return other.name();
  return name_within(ctx, *house.client, "Promotion", name_of(promotion), pipeline, service, environment);
}

// Its object, with nothing said of it yet when it is new.
Result<kube::Object> record_promotion(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                                      const path::Promotion& promotion) {
  TRY(auto name, name_for(ctx, house, pipeline, promotion));
  auto spec = promotion;
  spec.phase = path::Phase::pending, spec.message.clear(), spec.approved_by.clear();
  auto document = to_doc(spec);
  document["pipeline"] = pipeline.name;
  TRY(auto recorded, record(ctx, *house.client, "Promotion", name, std::move(document),
                            place_labels(pipeline.name, promotion.service, promotion.environment),
                            {{std::string(recorded_at), rfc3339_micro(ctx.clock->wall())}}));
  const auto& there = recorded.object["spec"];
  bool moved = there["configPath"].text() != promotion.config_path ||
               there["configRepository"].text() != promotion.config_repository;
  if (recorded.fresh || !moved || is_final(phase_of(recorded.object)) ||
      recorded.object["status"]["pullRequest"].num_or(0) > 0)
    return std::move(recorded.object);
  // The environment has moved since: what waits goes to where it is now.
  return kube::modify(ctx, *house.client, kind("Promotion"), {home, name}, {}, [&](doc::Value& o) -> Result<bool> {
    o["spec"]["configPath"] = promotion.config_path;
    o["spec"]["configRepository"] = promotion.config_repository;
    return true;
  });
}

Result<> ask_for_approval(const Ctx& ctx, House& house, const path::Promotion& promotion, const std::string& name) {
  TRY_OK(set_status(ctx, *house.client, "Promotion", name,
                    doc::Map{{"phase", "Waiting"}, {"message", promotion.message}}));
  return announce(ctx, house,
                  {.id = "waiting-" + name,
                   .event = "promotion.waiting",
                   .title = fmt::format("{} waits for approval for {}", promotion.service, promotion.environment),
                   .text = fmt::format("{}@{}", promotion.artifact.image, promotion.artifact.digest.str()),
                   .link = fmt::format("{}/#/promotion/{}", house.url(), name),
                   .facts = {{"service", promotion.service},
                             {"environment", promotion.environment},
                             {"commit", promotion.artifact.commit}}});
}

// It failed for what was not in the configuration repository (no such repository, branch, file or field, or a file that
// cannot be read), and that is there now.
bool is_mended(const Ctx& ctx, House& house, const path::Pipeline& pipeline, const path::Promotion& promotion,
               const kube::Object& object) {
  if (phase_of(object) != path::Phase::failed || !object["status"]["mendable"].bool_or(false)) return false;
  auto repository = config_repository(ctx, house, pipeline);
  if (!repository) return false;
  auto tip = repository->resolve("refs/heads/" + config_branch(pipeline, *repository));
  return tip && *tip && promote::image_at(*repository, **tip, promotion.config_path, promotion.artifact.image);
}

// Says of a recorded promotion what is to be done with it; of one that is under way nothing.
Result<> say(const Ctx& ctx, House& house, const path::Pipeline& pipeline, const path::Promotion& promotion,
             kube::Object object) {
  if (is_mended(ctx, house, pipeline, promotion, object)) {
    TRY_OK(set_status(ctx, *house.client, "Promotion", object.name(),
                      doc::Map{{"phase", nullptr}, {"message", ""}, {"mendable", nullptr}}));
    TRY(auto again, find(ctx, *house.client, "Promotion", object.name()));
    if (!again) return {};
    object = *std::move(again);
  }
  auto status = object["status"];
  bool known = !status["phase"].text().empty(), waits = phase_of(object) == path::Phase::waiting;
  if (status["pullRequest"].num_or(0) > 0) return {};
  if (promotion.phase == path::Phase::waiting)
    return known ? Result<>{} : ask_for_approval(ctx, house, promotion, object.name());
  if (known && !waits) return {};
  doc::Map next{{"phase", "Pending"}, {"message", ""}};
  if (!promotion.approved_by.empty()) next.set("approvedBy", promotion.approved_by);
  return set_status(ctx, *house.client, "Promotion", object.name(), next);
}

// Due, and kept back by a window.
Result<> hold_back(const Ctx& ctx, House& house, const path::Pipeline& pipeline, const path::Promotion& promotion) {
  TRY(auto object, record_promotion(ctx, house, pipeline, promotion));
  bool known = !object["status"]["phase"].text().empty();
  if (known && phase_of(object) != path::Phase::waiting) return {};
  if (object["status"]["pullRequest"].num_or(0) > 0) return {};
  bool past_it = !object["spec"]["overrideWindow"].text().empty();
  doc::Map status{{"phase", past_it ? "Pending" : "Waiting"}, {"message", past_it ? "" : promotion.message}};
  if (!promotion.approved_by.empty()) status.set("approvedBy", promotion.approved_by);
  return set_status(ctx, *house.client, "Promotion", object.name(), status);
}

}  // namespace

Result<std::string> release_name(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                                 const std::string& service, const std::string& environment, const Digest& digest) {
  auto plain = object_name(fmt::format("{}-{}-{}", service, environment, digest.short_hex()));
  return name_within(ctx, *house.client, "Release", plain, pipeline, service, environment);
}

Result<std::vector<path::Pipeline>> pipelines(const Ctx& ctx, House& house) {
  TRY(auto objects, all(ctx, *house.client, "Pipeline"));
  std::vector<path::Pipeline> list;
  for (const auto& object : objects) {
    auto pipeline = path::pipeline_from(object.view());
    if (!pipeline) {
      TRY_OK(set_status(ctx, *house.client, "Pipeline", object.name(), doc::Map{{"message", pipeline.error().what()}}));
      continue;
    }
    list.push_back(*std::move(pipeline));
  }
  return list;
}

Result<> pass_artifacts(const Ctx& ctx, House& house, const std::string& run_name) {
  TRY(auto run, find(ctx, *house.client, "WorkflowRun", run_name));
  if (!run || phase_of(*run) != path::Phase::succeeded) return {};
  TRY(auto change, path::change_from((*run)["spec"]["change"]));
  TRY(auto landed, is_on_trunk(house, change));
  if (!landed) return {};
  TRY(auto passed, passed_artifacts(ctx, house));
  for (const auto& name : (*run)["status"]["artifacts"].items()) {
    TRY(auto artifact, find(ctx, *house.client, "Artifact", name.text()));
    if (!artifact || is_newest(passed, *artifact) || (*artifact)["status"]["run"].text() == run_name) continue;
    TRY_OK(set_status(ctx, *house.client, "Artifact", name.text(),
                      doc::Map{{"phase", "Succeeded"},
                               {"passedAt", rfc3339_micro(ctx.clock->wall())},
                               {"run", run_name},
                               {"commit", change.after}}));
  }
  return {};
}

Result<std::optional<Millis>> plan_promotions(const Ctx& ctx, House& house, const std::string& pipeline_name) {
  std::optional<Millis> later;
  TRY(auto object, find(ctx, *house.client, "Pipeline", pipeline_name));
  if (!object) return later;
  auto pipeline = path::pipeline_from(object->view());
  if (!pipeline) {
    TRY_OK(set_status(ctx, *house.client, "Pipeline", pipeline_name, doc::Map{{"message", pipeline.error().what()}}));
    return later;
  }
  TRY_OK(observe_configuration(ctx, house, *object, *pipeline));
  TRY(auto artifacts, passed_artifacts(ctx, house));
  TRY(auto held, holdings(ctx, house, *pipeline));
  TRY(auto approved, approvals(ctx, house, *pipeline));
  auto now = ctx.clock->wall();
  auto next = promote::next_promotions(*pipeline, artifacts, held, approved, now);
  // All are there before the first is carried out: some go together.
  std::vector<kube::Object> recorded;
  for (const auto& promotion : next.promotions) {
    TRY(auto one, record_promotion(ctx, house, *pipeline, promotion));
    recorded.push_back(std::move(one));
  }
  for (std::size_t i = 0; i < recorded.size(); ++i) TRY_OK(say(ctx, house, *pipeline, next.promotions[i], recorded[i]));
  for (const auto& promotion : next.held) TRY_OK(hold_back(ctx, house, *pipeline, promotion));
  std::set<std::string> due;
  for (const auto& one : recorded) due.insert(one.name());
  TRY_OK(follow_proposals(ctx, house, *pipeline, artifacts, due));
  if (next.look_again) later = std::chrono::duration_cast<Millis>(*next.look_again - now) + Millis(10);
  return later;
}

namespace {

// Others that are due for the same environment, when its rules say that they go as one commit.
Result<> add_others(const Ctx& ctx, House& house, Batch& batch) {
  const auto first = batch.requests.front();
  std::set<std::string> services{first.promotion.service};
  TRY(auto artifacts, passed_artifacts(ctx, house));
  TRY(auto objects,
      all(ctx, *house.client, "Promotion", "slipway.dev/environment=" + object_name(first.promotion.environment)));
  for (const auto& object : objects) {
    auto phase = object["status"]["phase"].text();
    bool due = phase == "Pending" || (phase.empty() && batch.environment.automatic);
    if (!due || object.name() == first.id || !is_of(object, batch.pipeline)) continue;
    auto other = path::promotion_from(object.view());
    if (!other || other->revert || other->config_repository != batch.repository ||
        other->environment != first.promotion.environment)
      continue;
    // Of one service there is one: what it overtakes must not come after it.
    TRY(auto overtaken, overtaken_by(ctx, house, object, artifacts));
    if (!overtaken.empty() || !services.insert(other->service).second) continue;
    batch.requests.push_back({*std::move(other), object.name()});
  }
  return {};
}

Result<Batch> batch_of(const Ctx& ctx, House& house, path::Promotion promotion, const kube::Object& object) {
  Batch batch;
  batch.repository = promotion.config_repository;
  bool alone = promotion.revert;
  batch.requests.push_back({std::move(promotion), object.name()});
  TRY(auto lead, lead_of(ctx, *house.client, object));
  if (lead) {
    batch.pipeline = std::move(lead->pipeline), batch.environment = std::move(lead->environment);
  } else {  // by hand, to where no Pipeline leads any more: any that names the repository knows how it is reached
    TRY(auto known, pipelines(ctx, house));
    for (const auto& pipeline : known)
      if (pipeline.config_repository == batch.repository) batch.pipeline = pipeline;
  }
  batch.config.move = [&house, repository = batch.repository](const Ctx& inner, const std::string& ref,
                                                              const git::Oid& before, const git::Oid& after) {
    return house.git->update(inner, repository, {ref, before, after, false}, "slipway");
  };
  if (!batch.pipeline.config_url.empty()) {
    batch.config.remote = batch.pipeline.config_url, batch.config.move = nullptr;
    TRY(batch.config.access, access_to(ctx, house, batch.config.remote));
    if (batch.environment.pull_request && !alone)
      return Fail(
          Error(Kind::invalid, fmt::format("environment {}: pullRequest is for repositories that this house hosts",
                                           batch.environment.name))
              .with_hint("without it promotions are commits in " + batch.config.remote));
  }
  if (batch.environment.together && !alone) TRY_OK(add_others(ctx, house, batch));
  if (batch.environment.together && batch.environment.pull_request && !alone) TRY_OK(take_along(ctx, house, batch));
  return batch;
}

Result<> begin_release_of(const Ctx& ctx, House& house, const path::Pipeline& pipeline, const promote::Request& request,
                          const git::Oid& commit) {
  const auto& promotion = request.promotion;
  TRY(auto release,
      release_name(ctx, house, pipeline, promotion.service, promotion.environment, promotion.artifact.digest));
  doc::Map spec{{"service", promotion.service},
                {"environment", promotion.environment},
                {"digest", promotion.artifact.digest.str()},
                {"image", promotion.artifact.image},
                {"sourceCommit", promotion.artifact.commit},
                {"repository", promotion.artifact.repository},
                {"run", promotion.artifact.run},
                {"commit", commit},
                {"promotion", request.id},
                {"configRepository", promotion.config_repository}};
  if (!pipeline.name.empty()) spec.set("pipeline", pipeline.name);
  return begin_release(ctx, house, release, std::move(spec));
}

bool says(const git::Repository& repository, const git::Oid& tip, const path::Promotion& promotion) {
  auto said = promote::image_at(repository, tip, promotion.config_path, promotion.artifact.image);
  return said && *said && (*said)->digest == promotion.artifact.digest;
}

// Its Release, which has begun already, may have ended meanwhile: what that said stays.
Result<> set_under_way(const Ctx& ctx, House& house, const std::string& name, std::string_view phase,
                       const promote::Outcome& outcome) {
  auto written = kube::modify(ctx, *house.client, kind("Promotion"), {home, name}, {.subresource = "status"},
                              [&](doc::Value& object) -> Result<bool> {
                                auto& status = object["status"];
                                if (!is_final(phase_of(kube::Object(doc::Value(object))))) status["phase"] = phase;
                                status["commit"] = outcome.commit, status["message"] = outcome.message;
                                return true;
                              });
  return written ? Result<>{} : Result<>(Fail(std::move(written).error()));
}

// On the branch itself.
Result<> commit_batch(const Ctx& ctx, House& house, git::Repository& repository, const Batch& batch) {
  const auto& first = batch.requests.front();
  bool revert = first.promotion.revert;
  TRY(auto outcome, revert ? promote::revert(ctx, repository, batch.config, first, first.promotion.reason)
                           : promote::promote(ctx, repository, batch.config, batch.requests));
  LOG(info, "promote.done", {"promotion", first.id}, {"count", batch.requests.size()}, {"commit", outcome.commit},
      {"changed", outcome.changed});
  TRY(auto tip, repository.resolve("refs/heads/" + batch.config.branch));
  for (const auto& request : batch.requests) {
    // It may have been done before a kill, and others since: then it is not what runs.
    if (!revert && tip && !says(repository, *tip, request.promotion)) {
      TRY_OK(set_status(ctx, *house.client, "Promotion", request.id,
                        doc::Map{{"phase", "Skipped"},
                                 {"commit", outcome.commit},
                                 {"message", "was promoted, and something else since"}}));
      continue;
    }
    if (!revert) TRY_OK(begin_release_of(ctx, house, batch.pipeline, request, outcome.commit));
    TRY_OK(set_under_way(ctx, house, request.id, revert ? "Succeeded" : "Running", outcome));
  }
  repository_changed(house, batch.config.remote.empty() ? repository_url(batch.repository) : batch.config.remote);
  return {};
}

// A window holds back what people ask for as well, but for what they put past it. Gives when to look again; nothing: it
// may go. What waits so is taken up by execute_promotion alone: the chain need not want it.
Result<std::optional<Millis>> wait_for_window(const Ctx& ctx, House& house, const kube::Object& object, Batch& batch) {
  std::optional<Millis> later;
  auto& first = batch.requests.front();
  auto now = ctx.clock->wall();
  auto held = first.promotion.revert ? std::string() : promote::held_back(batch.environment, now);
  if (auto by = object["spec"]["overrideWindow"].text(); !held.empty() && !by.empty()) {
    batch.requests.resize(1);  // the others are held back
    batch.requests.front().override_window = fmt::format("{}, {}", by, held);
    LOG(warn, "promote.past_window", {"promotion", object.name()}, {"by", by}, {"window", held});
    held.clear();
  }
  if (!held.empty()) {
    later = std::chrono::duration_cast<Millis>(promote::windows_change(batch.environment, now) - now) + Millis(10);
    TRY_OK(set_status(
        ctx, *house.client, "Promotion", object.name(),
        doc::Map{{"phase", "Waiting"}, {"heldBack", true}, {"message", std::string(promote::held_mark) + held}}));
    return later;
  }
  if (object["status"]["heldBack"].bool_or(false))
    TRY_OK(set_status(ctx, *house.client, "Promotion", object.name(),
                      doc::Map{{"phase", "Pending"}, {"heldBack", nullptr}, {"message", ""}}));
  return later;
}

}  // namespace

Result<std::optional<Millis>> execute_promotion(const Ctx& ctx, House& house, const std::string& name) {
  std::optional<Millis> later;
  TRY(auto object, find(ctx, *house.client, "Promotion", name));
  if (!object) return later;
  auto status = (*object)["status"];
  bool held = status["phase"].text() == "Waiting" && status["heldBack"].bool_or(false);
  if (status["phase"].text() != "Pending" && !held) return later;
  TRY(auto promotion, path::promotion_from(object->view()));
  TRY(auto artifacts, passed_artifacts(ctx, house));
  TRY(auto overtaken, promotion.revert ? Result<std::string>() : overtaken_by(ctx, house, *object, artifacts));
  if (!overtaken.empty()) {
    TRY_OK(set_status(ctx, *house.client, "Promotion", name,
                      doc::Map{{"phase", "Skipped"}, {"message", "superseded by " + overtaken}}));
    return later;
  }
  auto failed = [&](const Error& error) -> Result<std::optional<Millis>> {
    if (error.retryable() || error.is(Kind::cancelled)) return Fail(error);
    bool in_repository = error.is(Kind::not_found) || error.is(Kind::invalid);
    doc::Map said{{"phase", "Failed"}, {"message", error.print()}};
    if (in_repository) said.set("mendable", true);
    TRY_OK(set_status(ctx, *house.client, "Promotion", name, said));
    return later;
  };
  auto made = batch_of(ctx, house, std::move(promotion), *object);
  if (!made) return failed(made.error());
  auto& batch = *made;
  const auto& first = batch.requests.front().promotion;
  // Also of what somebody asked for by hand: the commands look first, others may not.
  if (!first.revert && !batch.environment.automatic && !promote::may_approve(batch.environment, first.approved_by)) {
    TRY_OK(set_status(ctx, *house.client, "Promotion", name,
                      doc::Map{{"phase", "Waiting"}, {"message", promote::asks_for(batch.environment)}}));
    return later;
  }
  TRY(later, wait_for_window(ctx, house, *object, batch));
  if (later) return later;
  auto opened = batch.pipeline.name.empty() ? house.git->repository(batch.repository)
                                            : config_repository(ctx, house, batch.pipeline);
  if (!opened) return failed(opened.error());
  auto& repository = *opened;
  batch.config.branch = config_branch(batch.pipeline, repository);
  auto carry_out = [&] {
    return batch.environment.pull_request && !batch.requests.front().promotion.revert
               ? propose(ctx, house, repository, batch)
               : commit_batch(ctx, house, repository, batch);
  };
  auto done = carry_out();
  if (!done && !done.error().retryable() && batch.requests.size() > 1) {
    batch.requests.resize(1);  // what is wrong with another must not keep this one
    done = carry_out();
  }
  return done ? Result<std::optional<Millis>>(later) : failed(done.error());
}

}  // namespace slipway::engine
