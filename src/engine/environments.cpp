#include "engine/environments.h"

#include <algorithm>

#include "base/encode.h"
#include "base/log.h"
#include "engine/attempts.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/recorder.h"
#include "engine/wake.h"

namespace slipway::engine {
namespace {

constexpr std::size_t history_kept = 30;

Ctx briefly() { return Ctx{}.within(Millis(10000)); }

bool is_of(const doc::View& record, const std::string& run, std::int64_t attempt, const std::string& job) {
  return record["run"].text() == run && record["attempt"].num_or(1) == attempt && record["job"].text() == job;
}

}  // namespace

RunEnvironments::RunEnvironments(House& house, const kube::Object& run, const path::Change& change)
    : house_(house), run_(run.name()), change_(change), attempt_(attempt_of(run)), started_by_(started_by(run)) {
  auto known = since_.lock();
  for (const auto& job : run["status"]["jobs"].items())
    if (auto at = parse_rfc3339(job["since"].text())) (*known)[job["key"].text()] = *at;
}

WallTime RunEnvironments::since(const std::string& job) {
  auto known = since_.lock();
  return known->emplace(job, std::chrono::floor<std::chrono::microseconds>(real_clock().wall())).first->second;
}

Result<std::optional<path::JobEnvironment>> RunEnvironments::rules_of(const Ctx& ctx, const std::string& name) {
  auto object_name = path::environment_object_name(change_.repository, name);
  TRY(auto object, find(ctx, *house_.client, "Environment", object_name));
  if (!object) {
    path::JobEnvironment open{.repository = change_.repository, .name = name};
    // It is there from when it is first named, without rules; strangers make none.
    if (change_.trusted)
      TRY_OK(record(ctx, *house_.client, "Environment", object_name,
                    doc::Map{{"repository", change_.repository}, {"name", name}},
                    {{"slipway.dev/repository", engine::object_name(change_.repository)}}));
    return std::optional(std::move(open));
  }
  TRY(auto rules, path::job_environment_from(object->view()));
  return std::optional(std::move(rules));
}

Result<RunEnvironments::Look> RunEnvironments::look(const Ctx& ctx, const Wish& wish, WallTime from) {
  Look out;
  TRY(auto run, find(ctx, *house_.client, "WorkflowRun", run_));
  if (!run) return fail(Kind::cancelled, "the run is gone");
  auto started = started_by_hand(*run);
  if (wish.by_hand && std::find(started.begin(), started.end(), wish.key) == started.end()) {
    out.decision.what = Decision::What::wait;
    auto& w = out.decision.waiting;
    w.why = "manual: waits for somebody to start it";
    w.environment = wish.environment, w.since = from, w.by_hand = true;
    return out;
  }
  if (wish.environment.empty()) return out;
  out.object = path::environment_object_name(change_.repository, wish.environment);
  auto rules = rules_of(ctx, wish.environment);
  if (!rules) {
    if (!rules.error().is(Kind::invalid)) return Fail(std::move(rules).error());
    out.decision = {Decision::What::refused,
                    {},
                    fmt::format("the rules of {} cannot be read: {}", wish.environment, rules.error().what()),
                    {}};
    return out;
  }
  std::vector<path::Approval> said;
  TRY(auto objects, all(ctx, *house_.client, "Approval", "slipway.dev/run=" + run_));
  for (const auto& object : objects)
    if (auto approval = path::approval_from(object.view())) said.push_back(*std::move(approval));
  Entry entry{run_, change_.after, change_.ref, wish.key, attempt_, started_by_, from};
  out.decision = decide(**rules, entry, said, real_clock().wall());
  out.vars = (*rules)->vars;
  return out;
}

Result<ci::Environments::Grant> RunEnvironments::enter(const Ctx& ctx, const Wish& wish,
                                                       const std::function<void(const ci::Waiting&)>& waiting) {
  auto from = since(wish.key);
  for (std::optional<ci::Waiting> told;;) {
    auto seen = house_.decisions->now();
    // Also when the run has begun to stop: what is decided already counts.
    TRY(auto now, look(briefly(), wish, from));
    if (now.decision.what == Decision::What::refused) return fail(Kind::denied, "{}", now.decision.why);
    if (now.decision.what == Decision::What::go) {
      Grant grant;
      if (!now.object.empty()) {
        grant.vars = now.vars;
        if (change_.trusted) {
          TRY(grant.secrets, secrets_of(briefly(), now.object));
        }
        TRY_OK(begun(briefly(), wish, now));
      }
      return grant;
    }
    const auto& w = now.decision.waiting;
    if (told != w) {
      waiting(w);
      told = w;
      if (!w.who.empty()) {
        auto text = fmt::format("{} / {}: {}", run_, wish.key, w.why);
        (void)announce(
            briefly(), house_,
            {.id = fmt::format("waits-{}-{}-{}", run_, attempt_, wish.key),
             .event = "environment.waiting",
             .title = text,
             .text = change_.subject,
             .link = fmt::format("{}/#/run/{}", house_.url(), run_),
             .facts = {
                 {"repository", change_.repository}, {"environment", wish.environment}, {"commit", change_.after}}});
      }
    }
    auto own =
        w.until ? ctx.within(std::max(std::chrono::duration_cast<Millis>(*w.until - real_clock().wall()), Millis(0)) +
                             Millis(1))
                : ctx;
    auto woken = house_.decisions->past(own, seen);
    if (!woken && (woken.error().is(Kind::cancelled) || !ctx.alive())) return Fail(std::move(woken).error());
  }
}

Result<RunEnvironments::Rest> RunEnvironments::rest(const Ctx& ctx, const kube::Object& run) {
  Rest out;
  for (const auto& job : run["status"]["jobs"].items()) {
    auto waiting = job["waiting"];
    if (!waiting.present()) continue;
    Wish wish{job["key"].text(), job["name"].text(), waiting["environment"].text(), waiting["byHand"].bool_or(false)};
    TRY(auto now, look(ctx, wish, since(wish.key)));
    const auto& w = now.decision.waiting;
    out.goes_on = out.goes_on || now.decision.what != Decision::What::wait || w.why != job["message"].text();
    if (w.until && (!out.until || *w.until < *out.until)) out.until = w.until;
  }
  return out;
}

Result<std::map<std::string, std::string>> RunEnvironments::secrets_of(const Ctx& ctx, const std::string& object) {
  return secret_values(ctx, house_, "ci." + object);
}

Result<> RunEnvironments::begun(const Ctx& ctx, const Wish& wish, const Look& look) {
  if (!wish.deployment || !change_.trusted) return {};
  doc::Value record = doc::Map{{"run", run_},        {"attempt", attempt_},
                               {"job", wish.key},    {"commit", change_.after},
                               {"ref", change_.ref}, {"subject", change_.subject},
                               {"phase", "Running"}, {"startedAt", rfc3339(real_clock().wall())}};
  if (!look.decision.by.empty()) record["approvedBy"] = doc::List(look.decision.by.begin(), look.decision.by.end());
  auto written = kube::modify(ctx, *house_.client, kind("Environment"), {home, look.object}, {.subresource = "status"},
                              [&](doc::Value& o) -> Result<bool> {
                                doc::List history{record};
                                for (const auto& old : doc::View(o)["status"]["history"].items())
                                  if (history.size() < history_kept && !is_of(old, run_, attempt_, wish.key))
                                    history.push_back(old.value());
                                o["status"]["history"] = std::move(history);
                                return true;
                              });
  return written ? Result<>{} : Result<>(Fail(std::move(written).error()));
}

void RunEnvironments::ended(const Ctx& ctx, const ci::JobResult& result) {
  if (result.environment.empty() || !change_.trusted) return;
  auto object = path::environment_object_name(change_.repository, result.environment);
  auto written = kube::modify(ctx, *house_.client, kind("Environment"), {home, object}, {.subresource = "status"},
                              [&](doc::Value& o) -> Result<bool> {
                                doc::List history;
                                bool found = false;
                                for (const auto& old : doc::View(o)["status"]["history"].items()) {
                                  auto record = old.value();
                                  if (!found && is_of(old, run_, attempt_, result.key)) {
                                    found = true;
                                    bool good = result.conclusion == ci::Conclusion::success;
                                    record["phase"] = good                                           ? "Succeeded"
                                                      : result.conclusion == ci::Conclusion::failure ? "Failed"
                                                                                                     : "Cancelled";
                                    record["finishedAt"] = rfc3339(ctx.clock->wall());
                                    if (!result.environment_url.empty()) record["url"] = result.environment_url;
                                    if (good) o["status"]["current"] = record;
                                  }
                                  history.push_back(std::move(record));
                                }
                                if (found) o["status"]["history"] = std::move(history);
                                return found;
                              });
  if (!written && !written.error().is(Kind::not_found))
    LOG(warn, "environment.not_recorded", {"run", run_}, {"error", written.error().what()});
}

Result<std::map<std::string, std::string>> secret_values(const Ctx& ctx, House& house, const std::string& name) {
  std::map<std::string, std::string> out;
  TRY(auto secret, house.client->get(ctx, {"v1", "Secret"}, {home, name}));
  if (!secret) return out;
  for (const auto& [key, value] : (*secret)["data"].members()) {
    TRY_IN(auto plain, fmt::format("Secret {}, {}", name, key), from_base64(value.text()));
    house.redaction->add(plain);
    out[key] = plain;
  }
  return out;
}

Result<std::map<std::string, std::string>> repository_vars(const Ctx& ctx, House& house,
                                                           const std::string& repository) {
  std::map<std::string, std::string> out;
  TRY(auto map, house.client->get(ctx, {"v1", "ConfigMap"}, {home, object_name("ci-" + repository)}));
  if (!map) return out;
  for (const auto& [key, value] : (*map)["data"].members()) out[key] = value.text();
  return out;
}

Result<> take_approval(const Ctx& ctx, House& house, const std::string& name) {
  TRY(auto object, find(ctx, *house.client, "Approval", name));
  if (!object || !(*object)["status"]["toldAt"].text().empty()) return {};
  TRY(auto a, path::approval_from(object->view()));
  house.decisions->all();
  auto word = a.approved ? "approved" : "rejected";
  LOG(info, "environment.reviewed", {"run", a.run}, {"environment", a.environment}, {"decision", word}, {"by", a.by});
  TRY(auto run, find(ctx, *house.client, "WorkflowRun", a.run));
  auto repository = run ? (*run)["spec"]["change"]["repository"].text() : std::string();
  TRY_OK(announce(
      ctx, house,
      {.id = "review-" + name,
       .event = fmt::format("environment.{}", word),
       .title = fmt::format("{} {} {} for {}", a.by, word, a.run, a.environment),
       .text = a.comment,
       .link = fmt::format("{}/#/run/{}", house.url(), a.run),
       .facts = {{"repository", repository}, {"environment", a.environment}, {"commit", a.commit}, {"author", a.by}}}));
  return set_status(ctx, *house.client, "Approval", name, doc::Map{{"toldAt", rfc3339(ctx.clock->wall())}});
}

}  // namespace slipway::engine
