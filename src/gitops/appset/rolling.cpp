// Progressive syncs: the steps of a RollingSync, one after the other, so many Applications at once. Rules: Argo CD's
// progressive syncs. An Application is Waiting (it differs), Pending (it may be synced), Progressing (it is), Healthy.
#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "gitops/appset/detail_set.h"

namespace slipway::gitops::appset::detail {
namespace {

struct Entry {
  std::string status, message, since;
  std::size_t step = 0;
  doc::List revisions;
};

Entry former(const kube::Object& set, const std::string& name) {
  for (const auto& item : set["status"]["applicationStatus"].items())
    if (item["application"].text() == name)
      return {item["status"].text(), item["message"].text(), item["lastTransitionTime"].text(), 0,
              item["targetRevisions"].value().is_list() ? *item["targetRevisions"].value().if_list() : doc::List()};
  return {};
}

doc::List revisions_of(const kube::Object& app) {
  auto sync = app["status"]["sync"];
  if (const auto* many = sync["revisions"].value().if_list(); many != nullptr && !many->empty()) return *many;
  return doc::List{sync["revision"].text()};
}

// How many of `count` may be under way at once.
std::size_t most_of(const std::string& most, std::size_t count) {
  if (most.empty()) return count;
  if (most.ends_with('%')) {
    auto percent = to_int(std::string_view(most).substr(0, most.size() - 1)).value_or(100);
    auto n = static_cast<std::size_t>(std::clamp<std::int64_t>(percent, 0, 100)) * count / 100;
    return percent > 0 ? std::max<std::size_t>(n, 1) : 0;
  }
  return static_cast<std::size_t>(std::max<std::int64_t>(to_int(most).value_or(0), 0));
}

// What has become of an Application since the last look.
void observe(Entry& e, const kube::Object& app, const std::string& now) {
  auto become = [&](std::string_view status, std::string_view message) {
    if (e.status != status) e.since = now;
    e.status = status, e.message = message;
  };
  auto status = app["status"];
  auto phase = status["operationState"]["phase"].text();
  auto started = status["operationState"]["startedAt"].text();
  bool synced = status["sync"]["status"].text() == "Synced", healthy = status["health"]["status"].text() == "Healthy";
  bool running = phase == "Running" || app["operation"].present();
  bool differs = status["sync"]["status"].text() == "OutOfSync";
  auto revisions = revisions_of(app);
  bool moved = e.revisions != revisions;
  if (e.status.empty() || (differs && e.status != "Pending" && e.status != "Progressing") ||
      (moved && e.status != "Pending"))
    become("Waiting", moved && !e.status.empty() ? "Application has pending changes, setting status to Waiting"
                                                 : "No Application status found, defaulting status to Waiting");
  e.revisions = std::move(revisions);
  if (e.status == "Pending" && (running || (!started.empty() && started >= e.since && !differs)))
    become("Progressing", "Application resource became Progressing, updating status from Pending to Progressing");
  if (e.status == "Waiting" && synced && healthy && !running)
    become("Healthy", "Application resource is already Healthy, updating status from Waiting to Healthy");
  if (e.status == "Progressing" && healthy && synced && !running && (phase == "Succeeded" || phase.empty()))
    become("Healthy", "Application resource became Healthy, updating status from Progressing to Healthy");
}

Result<> request_sync(const Ctx& ctx, kube::Client& client, const kube::Object& app) {
  auto policy = app["spec"]["syncPolicy"];
  doc::Map sync{{"prune", policy["automated"]["prune"].bool_or(false)}};
  doc::Map operation{
      {"initiatedBy", doc::Map{{"username", "applicationset-controller"}, {"automated", true}}},
      {"info",
       doc::List{doc::Map{{"name", "Reason"},
                          {"value", "ApplicationSet RollingSync triggered a sync of this Application resource"}}}},
      {"sync", std::move(sync)}};
  if (policy["retry"].present()) operation.set("retry", policy["retry"].value());
  LOG(info, "appset.sync", {"app", app.key().str()});
  auto asked = client.patch(ctx, app.type(), app.key(), kube::PatchType::merge, doc::Map{{"operation", operation}},
                            {.field_manager = std::string(manager)});
  return asked || asked.error().is(Kind::not_found) ? Result<>{} : Result<>(Fail(std::move(asked).error()));
}

}  // namespace

Result<Rollout> Rollout::from(const kube::Object& set) {
  Rollout rollout;
  doc::View spec(*set.value().find("spec"), "ApplicationSet");
  auto strategy = spec["strategy"];
  auto type = strategy["type"].text();
  if (type.empty() || type == "AllAtOnce") return rollout;
  if (type != "RollingSync") return strategy["type"].wrong("want AllAtOnce or RollingSync");
  auto steps = strategy["rollingSync"]["steps"];
  for (const auto& item : steps.items()) {
    doc::Value selector(doc::Map{{"matchExpressions", item["matchExpressions"].value()}});
    auto read = kube::LabelSelector::from(doc::View(selector));
    if (!read) return item["matchExpressions"].wrong(read.error().what());
    auto most = item["maxUpdate"].text();
    auto number = most.ends_with('%') ? std::string_view(most).substr(0, most.size() - 1) : std::string_view(most);
    if (!most.empty() && (!to_int(number) || *to_int(number) < 0))
      return item["maxUpdate"].wrong("want a number or a percentage");
    rollout.steps_.push_back({*std::move(read), std::move(most)});
  }
  if (rollout.steps_.empty()) return steps.wrong("want at least one step");
  auto order = strategy["deletionOrder"].text();
  if (!order.empty() && order != "AllAtOnce" && order != "Reverse")
    return strategy["deletionOrder"].wrong("want AllAtOnce or Reverse");
  rollout.reverse_ = order == "Reverse";
  return rollout;
}

std::size_t Rollout::step_of(const kube::StringMap& labels) const {
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (steps_[i].selector.matches(labels)) return i + 1;
  return 0;
}

Result<doc::Value> Rollout::advance(const Ctx& ctx, kube::Client& client, const kube::Object& set,
                                    const std::vector<kube::Object>& applications) const {
  auto now = rfc3339(ctx.clock->wall());
  std::map<std::string, Entry> entries;
  for (const auto& app : applications) {
    auto& e = entries[app.name()] = former(set, app.name());
    e.step = step_of(app.labels());
    observe(e, app, now);
  }
  bool may_go = true;
  for (std::size_t step = 1; step <= steps_.size() && may_go; ++step) {
    std::size_t count = 0, under_way = 0, healthy = 0;
    for (const auto& [name, e] : entries) {
      if (e.step != step) continue;
      ++count;
      under_way += e.status == "Pending" || e.status == "Progressing" ? 1 : 0;
      healthy += e.status == "Healthy" ? 1 : 0;
    }
    auto most = most_of(steps_[step - 1].most, count);
    for (const auto& app : applications) {
      auto& e = entries[app.name()];
      if (e.step != step) continue;
      if (e.status == "Waiting" && under_way < most) {
        e.status = "Pending", e.since = now;
        e.message = "Application moved to Pending status, watching for the Application resource to start Progressing";
        ++under_way;
      }
      if (e.status == "Pending" && !app["operation"].present()) TRY_OK(request_sync(ctx, client, app));
    }
    may_go = healthy == count;
  }
  doc::List out;
  for (const auto& [name, e] : entries)
    out.emplace_back(doc::Map{{"application", name},
                              {"lastTransitionTime", e.since},
                              {"message", e.message},
                              {"status", e.status},
                              {"step", e.step == 0 ? std::string("-1") : std::to_string(e.step)},
                              {"targetRevisions", e.revisions}});
  return doc::Value(std::move(out));
}

}  // namespace slipway::gitops::appset::detail
