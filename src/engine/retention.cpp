#include "engine/retention.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/run_logs.h"
#include "engine/test_history.h"
#include "git/repository.h"

namespace slipway::engine {
namespace {

using Objects = std::vector<kube::Object>;
using Names = std::set<std::string>;

// The newest of each group, by when they were made.
template <class Group>
Names newest(const Objects& objects, std::size_t count, Group group) {
  std::map<std::string, std::vector<const kube::Object*>> groups;
  for (const auto& o : objects) groups[group(o)].push_back(&o);
  Names names;
  for (auto& [key, members] : groups) {
    std::stable_sort(members.begin(), members.end(), [](auto* a, auto* b) {
      return (*a)["metadata"]["creationTimestamp"].text() > (*b)["metadata"]["creationTimestamp"].text();
    });
    for (std::size_t n = 0; n < std::min(count, members.size()); ++n) names.insert(members[n]->name());
  }
  return names;
}

// An artifact as promotions and releases name it: its service and its digest.
std::string bytes_of(doc::View artifact) { return artifact["service"].text() + "@" + artifact["digest"].text(); }

class Sweep {
 public:
  Sweep(const Past& past, const Retention& rules, WallTime now)
      : past_(past), rules_(rules), before_(now - rules.young) {}

  std::vector<Overdue> take() {
    artifacts();
    runs_and_changes();
    auto recent = newest(past_.notices, rules_.notices, [](const auto&) { return ""; });
    for (const auto& notice : past_.notices)
      if (notice["status"]["phase"].text() == "Delivered" && !recent.contains(notice.name())) go("Notice", notice);
    return std::move(overdue_);
  }

 private:
  bool old(const kube::Object& o) const {
    auto made = parse_rfc3339(o["metadata"]["creationTimestamp"].text());
    return made && *made < before_;
  }
  bool go(const char* kind, const kube::Object& o) {
    if (!old(o)) return false;
    overdue_.push_back({kind, o.name()});
    return true;
  }

  void artifacts() {
    auto kept = newest(past_.artifacts, rules_.artifacts, [](const auto& o) { return o["spec"]["service"].text(); });
    Names needed;
    for (const auto& release : past_.releases)
      if (release["status"]["current"].bool_or(false) || !is_final(phase_of(release)))
        needed.insert(bytes_of(release["spec"]));
    for (const auto& promotion : past_.promotions)
      if (!is_final(phase_of(promotion))) needed.insert(bytes_of(promotion["spec"]["artifact"]));
    for (const auto& artifact : past_.artifacts) {
      auto bytes = bytes_of(artifact["spec"]);
      if (!kept.contains(artifact.name()) && !needed.contains(bytes) && go("Artifact", artifact)) continue;
      needed.insert(bytes);
      runs_kept_.insert(artifact["spec"]["run"].text());
      runs_kept_.insert(artifact["status"]["run"].text());
    }
    for (const auto& promotion : past_.promotions)
      if (!needed.contains(bytes_of(promotion["spec"]["artifact"]))) go("Promotion", promotion);
    for (const auto& release : past_.releases)
      if (!needed.contains(bytes_of(release["spec"]))) go("Release", release);
  }

  void runs_and_changes() {
    auto kept = newest(past_.changes, rules_.changes, [](const auto& o) { return o["spec"]["repository"].text(); });
    Names tips(past_.tips.begin(), past_.tips.end()), open;
    for (const auto& request : past_.requests)
      if (request["status"]["state"].str_or("open") == "open") open.insert(request.name());
    for (const auto& run : past_.runs) {
      auto change = run.label("slipway.dev/change");
      bool goes = is_final(phase_of(run)) && !kept.contains(change) && !runs_kept_.contains(run.name()) &&
                  !open.contains(run.label("slipway.dev/pull-request")) && go("WorkflowRun", run);
      if (!goes) kept.insert(change);
    }
    for (const auto& change : past_.changes)
      if (!kept.contains(change.name()) && !tips.contains(change["spec"]["after"].text())) go("Change", change);
  }

  const Past& past_;
  const Retention& rules_;
  WallTime before_;
  Names runs_kept_;
  std::vector<Overdue> overdue_;
};

Result<Past> look_back(const Ctx& ctx, House& house) {
  auto& client = *house.client;
  Past past;
  TRY(past.changes, all(ctx, client, "Change"));
  TRY(past.runs, all(ctx, client, "WorkflowRun"));
  TRY(past.artifacts, all(ctx, client, "Artifact"));
  TRY(past.promotions, all(ctx, client, "Promotion"));
  TRY(past.releases, all(ctx, client, "Release"));
  TRY(past.notices, all(ctx, client, "Notice"));
  TRY(past.requests, all(ctx, client, "PullRequest"));
  TRY(auto names, house.git->list());
  for (const auto& name : names) {
    TRY(auto repository, house.git->repository(name));
    TRY(auto refs, repository.refs("refs/"));
    for (const auto& [ref, id] : refs) past.tips.push_back(id);
  }
  return past;
}

}  // namespace

std::vector<Overdue> overdue(const Past& past, const Retention& rules, WallTime now) {
  return Sweep(past, rules, now).take();
}

Result<> forget_the_past(const Ctx& ctx, House& house, const Retention& rules) {
  TRY(auto past, look_back(ctx, house));
  auto list = overdue(past, rules, ctx.clock->wall());
  for (const auto& [kind_name, name] : list) {
    auto gone = house.client->remove(ctx, kind(kind_name), {home, name}, {});
    if (!gone && !gone.error().is(Kind::not_found)) return Fail(std::move(gone).error());
    if (kind_name == "WorkflowRun") TRY_OK(house.run_logs->remove(name));
  }
  TRY_OK(house.tests->prune(ctx.clock->wall()));
  if (!list.empty()) LOG(info, "retention.swept", {"objects", list.size()});
  return {};
}

}  // namespace slipway::engine
