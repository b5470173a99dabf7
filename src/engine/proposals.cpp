#include "engine/proposals.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "engine/config_repository.h"
#include "engine/house.h"
#include "engine/places.h"
#include "engine/pull_requests.h"
#include "engine/recorder.h"

namespace slipway::engine {
namespace {

using path::Phase;

std::int64_t number_of(const kube::Object& promotion) { return promotion["status"]["pullRequest"].num_or(0); }

Result<std::vector<kube::Object>> promotions_of(const Ctx& ctx, House& house, const std::string& repository) {
  TRY(auto objects, all(ctx, *house.client, "Promotion"));
  std::erase_if(objects, [&](const kube::Object& o) {
    return o["spec"]["configRepository"].text() != repository || o["spec"]["revert"].bool_or(false);
  });
  return objects;
}

// The house's own pull requests of a repository.
Result<std::vector<kube::Object>> requests_of(const Ctx& ctx, House& house, const std::string& repository) {
  TRY(auto objects, all(ctx, *house.client, "PullRequest", "slipway.dev/repository=" + object_name(repository)));
  std::erase_if(objects, [&](const kube::Object& o) {
    return o["spec"]["author"].text() != "slipway" || o["spec"]["repository"].text() != repository;
  });
  return objects;
}

bool is_open(const kube::Object& request) { return request["status"]["state"].str_or("open") == "open"; }

promote::Recorded recorded_of(const kube::Object& o) {
  promote::Recorded r{o.name(), o["spec"]["service"].text(), o["spec"]["environment"].text(), {}, {}, phase_of(o)};
  r.digest = Digest::parse(o["spec"]["artifact"]["digest"].text()).value_or(Digest());
  auto at = o.annotation(recorded_at);
  r.at = parse_rfc3339(at.empty() ? o["metadata"]["creationTimestamp"].text() : at).value_or(WallTime{});
  r.proposed = number_of(o) > 0;
  r.undecided = o["status"]["phase"].text().empty();
  r.image = o["spec"]["artifact"]["image"].text(), r.pipeline = o["spec"]["pipeline"].text();
  return r;
}

std::vector<promote::Recorded> recorded_from(const std::vector<kube::Object>& promotions) {
  std::vector<promote::Recorded> all;
  for (const auto& p : promotions) all.push_back(recorded_of(p));
  return all;
}

// Promotions that a request's commit names and that still wait for it; those that are about to be proposed do too.
Result<bool> holds_anything(House& house, const kube::Object& request, const std::vector<kube::Object>& promotions) {
  auto spec = request["spec"];
  TRY(auto repository, house.git->repository(spec["repository"].text()));
  TRY(auto commit, repository.commit(spec["head"].text()));
  std::set<std::string> named;
  for (const auto& [key, value] : promote::trailers(commit.message))
    if (key == "Slipway-Promotion") named.insert(value);
  if (named.empty()) return true;  // not one of promotions
  return std::any_of(promotions.begin(), promotions.end(), [&](const kube::Object& p) {
    auto number = number_of(p);
    bool waits = phase_of(p) == Phase::pending || phase_of(p) == Phase::waiting;
    return named.contains(p.name()) && waits && (number == 0 || number == spec["number"].num_or(-1));
  });
}

// What took the place of what a request held: the requests that hold it now, or what is there already.
std::string reason_of(const kube::Object& request, const std::vector<kube::Object>& promotions) {
  std::set<std::string> numbers;
  for (const auto& p : promotions) {
    if (number_of(p) > request["spec"]["number"].num_or(0) && phase_of(p) == Phase::waiting)
      numbers.insert(fmt::format("#{}", number_of(p)));
  }
  return numbers.empty() ? "superseded: what it held is not wanted any more"
                         : "superseded by " + join(std::vector<std::string>(numbers.begin(), numbers.end()), ", ");
}

class Followed {
 public:
  Followed(const Ctx& ctx, House& house, std::vector<kube::Object> promotions, std::vector<kube::Object> requests)
      : ctx_(ctx), house_(house), promotions_(std::move(promotions)), requests_(std::move(requests)) {}

  Result<> skip_superseded(const std::vector<promote::Passed>& artifacts) {
    for (const auto& [name, by] : promote::superseded(artifacts, recorded_from(promotions_))) {
      LOG(info, "promote.superseded", {"promotion", name}, {"by", by});
      TRY_OK(say(name, {{"phase", "Skipped"}, {"message", "superseded by " + by}}));
    }
    return {};
  }

  // The branch went on beneath it. Proposed anew on its tip, if it is still what the chain wants; a person's own wish
  // is left to the person.
  Result<> renew_conflicting(const std::set<std::string>& due) {
    for (const auto& p : promotions_) {
      const auto* request = request_of(p);
      if (phase_of(p) != Phase::waiting || request == nullptr || !is_open(*request)) continue;
      if ((*request)["status"]["mergeable"].bool_or(true) || !due.contains(p.name())) continue;
      TRY_OK(say(p.name(), {{"phase", "Pending"},
                            {"pullRequest", nullptr},
                            {"message", fmt::format("pull request {} is in conflict: proposed anew", number_of(p))}}));
    }
    return {};
  }

  // A person has closed the request, or merged it and put something else there at once.
  Result<> give_up_ended(const git::Repository& repository, const git::Oid& tip) {
    for (const auto& p : promotions_) {
      const auto* request = request_of(p);
      if (phase_of(p) != Phase::waiting || request == nullptr) continue;
      auto state = (*request)["status"]["state"].text();
      auto spec = p["spec"];
      if (state == "closed")
        TRY_OK(say(p.name(),
                   {{"phase", "Cancelled"}, {"message", fmt::format("pull request {} was closed", number_of(p))}}));
      if (state != "merged") continue;
      auto said = promote::image_at(repository, tip, spec["configPath"].text(), spec["artifact"]["image"].text());
      bool there = said && *said && (*said)->digest.str() == spec["artifact"]["digest"].text();
      if (!there)
        TRY_OK(say(p.name(),
                   {{"phase", "Skipped"},
                    {"message", fmt::format("pull request {} was merged, and something else since", number_of(p))}}));
    }
    return {};
  }

 private:
  const kube::Object* request_of(const kube::Object& promotion) const {
    auto number = number_of(promotion);
    for (const auto& request : requests_)
      if (number > 0 && request["spec"]["number"].num_or(0) == number) return &request;
    return nullptr;
  }
  Result<> say(const std::string& name, const doc::Map& status) {
    return set_status(ctx_, *house_.client, "Promotion", name, status);
  }
  const Ctx& ctx_;
  House& house_;
  std::vector<kube::Object> promotions_, requests_;
};

}  // namespace

Result<std::string> overtaken_by(const Ctx& ctx, House& house, const kube::Object& promotion,
                                 const std::vector<promote::Passed>& artifacts) {
  TRY(auto others, promotions_of(ctx, house, promotion["spec"]["configRepository"].text()));
  auto found = promote::superseded(artifacts, recorded_from(others));
  auto by = found.find(promotion.name());
  return by == found.end() ? std::string() : by->second;
}

Result<> take_along(const Ctx& ctx, House& house, Batch& batch) {
  TRY(auto promotions, promotions_of(ctx, house, batch.repository));
  std::set<std::string> services;
  for (const auto& request : batch.requests) services.insert(request.promotion.service);
  for (const auto& object : promotions) {
    if (phase_of(object) != Phase::waiting || number_of(object) == 0 || !is_of(object, batch.pipeline)) continue;
    auto promotion = path::promotion_from(object.view());
    if (!promotion || promotion->environment != batch.environment.name) continue;
    if (!services.insert(promotion->service).second) continue;
    batch.requests.push_back({*std::move(promotion), object.name()});
  }
  return {};
}

Result<> propose(const Ctx& ctx, House& house, git::Repository& repository, const Batch& batch) {
  auto config = batch.config;
  config.proposal_branch = "promotions/" + batch.requests.front().id;  // no branch: the request's own ref holds it
  config.move = [](const Ctx&, const std::string&, const git::Oid&, const git::Oid&) { return Result<>{}; };
  TRY(auto outcome, promote::promote(ctx, repository, config, batch.requests));
  if (!outcome.changed) {
    for (const auto& request : batch.requests)
      TRY_OK(set_status(ctx, *house.client, "Promotion", request.id,
                        doc::Map{{"phase", "Succeeded"}, {"commit", outcome.commit}, {"message", outcome.message}}));
    return {};
  }
  git::RefUpdate update{"refs/for/" + config.branch, std::string(git::zero_oid), outcome.commit, false, {}};
  git::Push push{batch.repository, "slipway", {update}, {}};
  TRY(auto ref, review_ref(ctx, house, push, update, repository));
  TRY_OK(repository.update_ref(ref, outcome.commit, std::nullopt, "promotion"));
  TRY(auto said, review_pushed(ctx, house, push, {ref, update.before, update.after, false, update.ref}));
  LOG(info, "promote.proposed", {"promotion", batch.requests.front().id}, {"said", said});
  auto number = to_int(split(ref, '/')[2]).value_or(0);
  for (const auto& request : batch.requests)
    TRY_OK(set_status(
        ctx, *house.client, "Promotion", request.id,
        doc::Map{{"phase", "Waiting"},
                 {"commit", outcome.commit},
                 {"pullRequest", number},
                 {"message", fmt::format("pull request {} of {} waits to be merged", number, batch.repository)}}));
  return {};
}

Result<> follow_proposals(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                          const std::vector<promote::Passed>& artifacts, const std::set<std::string>& due) {
  const auto& name = pipeline.config_repository;
  TRY(auto promotions, promotions_of(ctx, house, name));
  bool any = std::any_of(promotions.begin(), promotions.end(),
                         [](const auto& p) { return !is_final(phase_of(p)) || number_of(p) > 0; });
  if (!any) return {};
  TRY(auto requests, requests_of(ctx, house, name));
  auto opened = house.git->repository(name);
  if (!opened && opened.error().is(Kind::not_found)) return {};  // nothing was proposed in what is not there yet
  if (!opened) return Fail(std::move(opened).error());
  auto& repository = *opened;
  TRY(auto tip, repository.resolve("refs/heads/" + config_branch(pipeline, repository)));
  // Another Pipeline may be of another branch of the same repository.
  std::erase_if(promotions, [&](const auto& p) { return !is_of(p, pipeline); });
  Followed followed(ctx, house, std::move(promotions), requests);
  if (tip) TRY_OK(followed.give_up_ended(repository, *tip));
  TRY_OK(followed.skip_superseded(artifacts));
  TRY_OK(followed.renew_conflicting(due));
  TRY(promotions, promotions_of(ctx, house, name));  // as they are now
  for (const auto& request : requests) {
    if (!is_open(request)) continue;
    TRY(auto holds, holds_anything(house, request, promotions));
    if (!holds) TRY_OK(close_pull_request(ctx, house, request.name(), reason_of(request, promotions)));
  }
  return {};
}

Result<Hold> hold_on(const Ctx& ctx, House& house, const std::string& repository, int number) {
  Hold hold;
  TRY(auto promotions, promotions_of(ctx, house, repository));
  auto now = ctx.clock->wall();
  for (const auto& p : promotions) {
    if (number_of(p) != number || phase_of(p) != Phase::waiting) continue;
    TRY(auto lead, lead_of(ctx, *house.client, p));
    if (!lead) continue;
    if (auto why = promote::held_back(lead->environment, now); !why.empty()) {
      auto until = promote::windows_change(lead->environment, now);
      hold.until = hold.why.empty() ? until : std::min(hold.until, until);
      hold.why = why;
    }
    hold.environments.push_back(std::move(lead->environment));
  }
  return hold;
}

}  // namespace slipway::engine
