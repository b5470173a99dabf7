// A Release is what runs where: watched until it is verified, or failed and taken back in Git.
#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/places.h"
#include "engine/promotions.h"
#include "engine/recorder.h"
#include "engine/verification.h"
#include "verify/smoke.h"

namespace slipway::engine {
namespace {

Counter releases_total("slipway_releases_total", "releases by service, environment and outcome");

const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

// The checks that the Pipeline asks for in the environment; null for none.
doc::Value smoke_of(const Lead& lead) {
  for (const auto& environment : lead.object["spec"]["environments"].items())
    if (environment["name"].text() == lead.environment.name) return environment["smoke"].value();
  return {};
}

// The other cluster that the environment's Application goes to; null: our own.
Result<std::shared_ptr<kube::Client>> other_cluster(const Ctx& ctx, House& house,
                                                    const path::Environment& environment) {
  if (environment.application.empty() || !house.gitops) return nullptr;
  TRY(auto application,
      house.client->get(ctx, application_type, {std::string(gitops::home_namespace), environment.application}));
  return application ? house.gitops->elsewhere(*application) : nullptr;
}

Result<path::Verdict> smoke(const Ctx& ctx, const doc::Value& list) {
  path::Verdict verdict{path::Verdict::Outcome::pass, "healthy", {}};
  if (!list.is_list()) return verdict;
  TRY(auto checks, verify::checks_from(doc::View(list)));
  net::Client client;
  return verify::run_checks(ctx.within(Millis(60000)), client, checks);
}

// The others of the service in its environment.
Result<std::vector<kube::Object>> others_of(const Ctx& ctx, House& house, const kube::Object& release) {
  auto selector = place_selector(release["spec"]["service"].text(), release["spec"]["environment"].text());
  TRY(auto others, all(ctx, *house.client, "Release", selector));
  std::erase_if(others, [&](const auto& o) { return o.name() == release.name() || !same_place(o, release); });
  return others;
}

// Others of the service in this environment are no longer what Git says. One that was not verified by now never will
// be.
Result<> replace_others(const Ctx& ctx, House& house, const kube::Object& release) {
  TRY(auto others, others_of(ctx, house, release));
  for (const auto& other : others) {
    if (!other["status"]["current"].bool_or(false)) continue;
    if (is_final(phase_of(other))) {
      TRY_OK(set_status(ctx, *house.client, "Release", other.name(), doc::Map{{"current", false}}));
      continue;
    }
    doc::Map ended{{"phase", "Cancelled"}, {"message", "replaced before it was verified"}};
    auto promotion = other["spec"]["promotion"].text();
    if (!promotion.empty() && promotion != release["spec"]["promotion"].text()) {
      auto told = set_status(ctx, *house.client, "Promotion", promotion, ended);
      if (!told && !told.error().is(Kind::not_found)) return told;
    }
    ended.set("current", false);
    TRY_OK(set_status(ctx, *house.client, "Release", other.name(), ended));
  }
  return {};
}

Result<> succeed(const Ctx& ctx, House& house, const kube::Object& release, const path::Verdict& verdict) {
  auto spec = release["spec"];
  TRY_OK(set_status(ctx, *house.client, "Release", release.name(),
                    doc::Map{{"phase", "Succeeded"},
                             {"current", true},
                             {"message", ""},
                             {"verdict", to_doc(verdict)},
                             {"since", rfc3339_micro(ctx.clock->wall())}}));
  if (auto promotion = spec["promotion"].text(); !promotion.empty()) {
    auto done =
        set_status(ctx, *house.client, "Promotion", promotion, doc::Map{{"phase", "Succeeded"}, {"message", ""}});
    if (!done && !done.error().is(Kind::not_found)) return done;
  }
  auto service = spec["service"].text(), environment = spec["environment"].text();
  releases_total.add(1, {{"service", service}, {"environment", environment}, {"outcome", "succeeded"}});
  LOG(info, "release.verified", {"service", service}, {"environment", environment}, {"digest", spec["digest"].text()});
  return announce(
      ctx, house,
      {.id = "released-" + release.name() + "-" + spec["commit"].text().substr(0, 12),
       .event = "promotion.succeeded",
       .title = fmt::format("{} is in {}", service, environment),
       .text = fmt::format("{}@{}", spec["image"].text(), spec["digest"].text()),
       .link = house.url() + "/",
       .facts = {{"service", service}, {"environment", environment}, {"commit", spec["sourceCommit"].text()}}});
}

// What ran before runs again: the last release that passed is current once more.
Result<> restore_previous(const Ctx& ctx, House& house, const kube::Object& release) {
  TRY(auto others, others_of(ctx, house, release));
  std::erase_if(others, [](const auto& o) { return phase_of(o) != path::Phase::succeeded; });
  if (others.empty()) return {};
  auto last = std::max_element(others.begin(), others.end(), [](const auto& a, const auto& b) {
    return a["status"]["since"].text() < b["status"]["since"].text();
  });
  if ((*last)["status"]["current"].bool_or(false)) return {};
  return set_status(ctx, *house.client, "Release", last->name(), doc::Map{{"current", true}});
}

// The promotion is reverted in Git by a Promotion of its own; the environment goes back by the usual way.
Result<> take_back(const Ctx& ctx, House& house, const kube::Object& release, const std::string& why) {
  auto spec = release["spec"];
  auto service = spec["service"].text(), environment = spec["environment"].text();
  auto asked = spec["promotion"].text();
  std::optional<kube::Object> promotion_object;  // none: somebody's own commit, which is not ours to revert
  if (!asked.empty()) {
    TRY(promotion_object, find(ctx, *house.client, "Promotion", asked));
  }
  if (promotion_object) {
    TRY(auto promotion, path::promotion_from(promotion_object->view()));
    promotion.commit = spec["commit"].text();
    promotion.revert = true;
    promotion.reason = why;
    promotion.phase = path::Phase::pending;
    promotion.message.clear();
    auto name = object_name(asked + "-revert");
    auto document = to_doc(promotion);
    document["commit"] = promotion.commit;
    auto pipeline = spec["pipeline"].text();
    if (!pipeline.empty()) document["pipeline"] = pipeline;
    TRY(auto recorded, record(ctx, *house.client, "Promotion", name, std::move(document),
                              place_labels(pipeline, service, environment)));
    bool fresh = recorded.object["status"]["phase"].text().empty();
    if (fresh) {
      TRY_OK(set_status(ctx, *house.client, "Promotion", name, doc::Map{{"phase", "Pending"}}));
    }
    TRY_OK(set_status(ctx, *house.client, "Promotion", asked, doc::Map{{"phase", "Failed"}, {"message", why}}));
  }
  path::Verdict verdict{path::Verdict::Outcome::fail, why, {}};
  TRY_OK(set_status(ctx, *house.client, "Release", release.name(),
                    doc::Map{{"phase", "Failed"},
                             {"current", false},
                             {"verdict", to_doc(verdict)},
                             {"since", rfc3339_micro(ctx.clock->wall())}}));
  TRY_OK(restore_previous(ctx, house, release));
  releases_total.add(1, {{"service", service}, {"environment", environment}, {"outcome", "failed"}});
  LOG(warn, "release.reverted", {"service", service}, {"environment", environment}, {"why", why});
  return announce(
      ctx, house,
      {.id = "aborted-" + release.name(),
       .event = "rollout.aborted",
       .severity = path::Severity::error,
       .title = fmt::format("{} was taken back from {}", service, environment),
       .text = why,
       .link = house.url() + "/",
       .facts = {{"service", service}, {"environment", environment}, {"commit", spec["sourceCommit"].text()}}});
}

// What runs, and the Application that brings it.
Result<Seen> look(const Ctx& ctx, House& house, kube::Client& client, const Lead& lead, const kube::Object& release) {
  auto spec = release["spec"];
  auto since = parse_rfc3339(release["status"]["since"].text()).value_or(WallTime{});
  TRY(auto runs, look_at_carriers(ctx, house, client, lead.environment.ns, spec["digest"].text(), since));
  if (runs.state == Seen::State::failed) return runs;
  TRY(auto brought, look_at_application(ctx, house, lead, release));
  if (brought.state == Seen::State::healthy) return runs;
  // When all is there the workloads tell more than their Application.
  return brought.at_commit && runs.state == Seen::State::coming ? runs : brought;
}

// What is waited for, on the Release and on the Promotion that asked for it.
Result<> tell(const Ctx& ctx, House& house, const kube::Object& release, const std::string& why) {
  if (release["status"]["message"].text() == why) return {};
  TRY_OK(set_status(ctx, *house.client, "Release", release.name(), doc::Map{{"message", why}}));
  auto name = release["spec"]["promotion"].text();
  if (name.empty()) return {};
  TRY(auto promotion, find(ctx, *house.client, "Promotion", name));
  if (!promotion || phase_of(*promotion) != path::Phase::running) return {};
  return set_status(ctx, *house.client, "Promotion", name, doc::Map{{"message", why}});
}

}  // namespace

Result<> begin_release(const Ctx& ctx, House& house, const std::string& name, doc::Value spec) {
  auto labels = place_labels(spec.str_at({"pipeline"}), spec.str_at({"service"}), spec.str_at({"environment"}));
  TRY(auto recorded, record(ctx, *house.client, "Release", name, spec, std::move(labels)));
  if (!recorded.fresh && !(recorded.object["spec"].value() == spec)) {
    TRY_OK(kube::modify(ctx, *house.client, kind("Release"), {home, name}, {}, [&](doc::Value& object) -> Result<bool> {
      object["spec"] = spec;
      return true;
    }));
  }
  TRY_OK(set_status(
      ctx, *house.client, "Release", name,
      doc::Map{{"phase", "Running"}, {"current", true}, {"message", ""}, {"since", rfc3339_micro(ctx.clock->wall())}}));
  TRY(auto begun, find(ctx, *house.client, "Release", name));
  return begun ? replace_others(ctx, house, *begun) : Result<>{};
}

Result<std::optional<Millis>> look_at_release(const Ctx& ctx, House& house, const std::string& name) {
  std::optional<Millis> later;
  TRY(auto release, find(ctx, *house.client, "Release", name));
  if (!release || is_final(phase_of(*release))) return later;
  auto spec = (*release)["spec"];
  TRY(auto place, lead_of(ctx, *house.client, *release));
  if (!place) return later;
  TRY(auto other, other_cluster(ctx, house, place->environment));
  if (other) later = Millis(5000);  // nothing tells of its workloads here
  TRY(auto seen, look(ctx, house, other ? *other : *house.client, *place, *release));
  if (seen.state == Seen::State::coming) {
    TRY_OK(tell(ctx, house, *release, seen.why));
    return later;
  }
  if (seen.state == Seen::State::failed) {
    TRY_OK(take_back(ctx, house, *release, seen.why));
    return later;
  }
  TRY(auto verdict, smoke(ctx, smoke_of(*place)));
  bool failed = verdict.outcome == path::Verdict::Outcome::fail;
  TRY_OK(failed ? take_back(ctx, house, *release, "smoke test: " + verdict.why)
                : succeed(ctx, house, *release, verdict));
  return later;
}

}  // namespace slipway::engine
