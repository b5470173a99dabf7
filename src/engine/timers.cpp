// `on: schedule`: each Workflow knows when each of its lines was last due, so that no tick is told twice, whatever ends
// the program in between.
#include "base/hash.h"
#include "base/log.h"
#include "ci/schedule.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/workflows.h"

namespace slipway::engine {
namespace {

constexpr auto least_gap = std::chrono::minutes(5);    // rule: "The shortest interval you can run scheduled workflows"
constexpr auto longest_sleep = std::chrono::hours(1);  // then the clock is looked at again: it may have been set

struct Line {
  std::string cron, zone;
  std::string key() const { return zone == "UTC" ? cron : cron + " " + zone; }
};

// The latest time at which the line was due, after `last` and not after `now`; and when it is next.
struct Due {
  std::optional<WallTime> missed, next;
};
Due due(const ci::Cron& cron, const ci::TimeZone& zone, WallTime last, WallTime now) {
  using std::chrono::hours;
  using std::chrono::seconds;
  Due out;
  // Looked for from the end: of a long pause only the last tick counts.
  for (auto window : {hours(1), hours(24), hours(24 * 40), hours(24 * 366 * 9)}) {
    auto from = std::max(last, now - window);
    for (auto tick = cron.next(zone, from); tick && *tick <= now; tick = cron.next(zone, *tick)) out.missed = tick;
    if (out.missed || from == last) break;
  }
  // Ticks closer than the least gap are left out; `last` may also be the time of the push.
  bool ticked = cron.next(zone, last - seconds(1)) == last;
  if (out.missed && ticked && *out.missed < last + least_gap) out.missed.reset();
  auto least = out.missed ? *out.missed + least_gap : ticked ? last + least_gap : last;
  out.next = cron.next(zone, std::max(now, least - seconds(1)));
  return out;
}

// The Change of one tick; the same tick has the same name.
Result<> tell_tick(const Ctx& ctx, House& house, const doc::View& spec, const Line& line, WallTime tick) {
  path::Change change;
  change.event = path::Change::Event::schedule;
  change.repository = spec["repository"].text();
  TRY(auto repository, house.git->repository(change.repository));
  change.ref = "refs/heads/" + default_branch(repository);
  TRY(auto tip, repository.resolve(change.ref));
  if (!tip) return {};
  TRY(auto commit, repository.commit(*tip));
  change.after = commit.id, change.tree = commit.tree;
  change.subject = commit.subject(), change.author = commit.author.name;
  change.workflow = spec["file"].text(), change.cron = line.cron;
  auto minute = std::chrono::duration_cast<std::chrono::minutes>(tick.time_since_epoch()).count();
  auto name = object_name(fmt::format("{}-schedule-{}-{}", change.repository,
                                      sha256_hex(change.workflow + "\n" + line.key()).substr(0, 6), minute));
  TRY(auto recorded, record(ctx, *house.client, "Change", name, to_doc(change),
                            {{"slipway.dev/repository", object_name(change.repository)}}));
  if (recorded.fresh)
    LOG(info, "ci.timer", {"repository", change.repository}, {"workflow", change.workflow}, {"cron", line.key()});
  return {};
}

}  // namespace

Result<std::optional<Millis>> look_at_timers(const Ctx& ctx, House& house, const std::string& name) {
  std::optional<Millis> later;
  TRY(auto object, find(ctx, *house.client, "Workflow", name));
  if (!object) return later;
  auto lines = (*object)["spec"]["schedules"].items();
  if (lines.empty() && !(*object)["status"]["nextRun"].present() && !(*object)["status"]["message"].present())
    return later;
  auto now = ctx.clock->wall();
  doc::Map ticks;
  for (const auto& [old, value] : (*object)["status"]["ticks"].members())
    ticks.set(old, doc::Value());  // goes, unless kept
  std::optional<WallTime> next;
  std::string message;
  for (const auto& view : lines) {
    Line line{view["cron"].text(), view["timezone"].str_or("UTC")};
    auto zone = ci::TimeZone::load(line.zone);
    auto cron = ci::Cron::parse(line.cron);
    if (!zone || !cron) {
      message =
          fmt::format("{}: {}", (*object)["spec"]["file"].text(), zone ? cron.error().print() : zone.error().print());
      continue;
    }
    // A line counts from when it was pushed.
    auto last = parse_rfc3339((*object)["status"]["ticks"][line.key()].text()).value_or(now);
    auto when = due(*cron, *zone, last, now);
    if (when.missed) {
      TRY_OK(tell_tick(ctx, house, (*object)["spec"], line, *when.missed));
      last = *when.missed;
    }
    ticks.set(line.key(), rfc3339(last));
    if (when.next && (!next || *when.next < *next)) next = when.next;
  }
  doc::Map status{{"ticks", std::move(ticks)}, {"message", message.empty() ? doc::Value() : doc::Value(message)}};
  status.set("nextRun", next ? doc::Value(rfc3339(*next)) : doc::Value());
  TRY_OK(set_status(ctx, *house.client, "Workflow", name, status));
  if (!next) return later;
  auto wait = std::chrono::duration_cast<Millis>(*next - ctx.clock->wall()) + Millis(1);
  return std::optional(std::clamp(wait, Millis(1), std::chrono::duration_cast<Millis>(longest_sleep)));
}

}  // namespace slipway::engine
