// A job's Pod from its making to its end.
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "ci/pod/pod_state.h"
#include "ci/pod/rep.h"

namespace slipway::ci {
namespace {

using Steady = std::chrono::steady_clock;
constexpr Millis tick{1000};
constexpr Millis removal{120'000};
constexpr Millis service_slack{30'000};

std::string lasted(Millis time) { return print_duration(std::chrono::duration_cast<std::chrono::seconds>(time)); }

// What was seen of one Pod, and since when: pure decisions, so that time is the only thing that makes them late.
struct Watched {
  const PodSettings& settings;
  const PodWish& wish;
  Steady::time_point since = Steady::now();
  std::optional<Steady::time_point> pulling, running;
  std::string said;

  bool over(const std::optional<Steady::time_point>& from, Millis limit) const {
    return from && Steady::now() - *from > limit;
  }
  Millis service_limit() const {
    Millis longest{0};
    for (auto& service : wish.services) longest = std::max(longest, service.interval * std::max(service.retries, 1));
    return longest + service_slack;
  }
  // Why it will not go on.
  std::optional<Error> trouble(const PodLook& look) {
    using What = PodLook::What;
    if (look.what == What::ended)
      return Error(look.user_fault ? Kind::invalid : Kind::unavailable,
                   look.why.empty() ? "the Pod ended before it told how the job came out" : look.why);
    if (look.hopeless) return Error(Kind::invalid, look.why);
    if (!look.stuck) pulling.reset();
    if (look.stuck && !pulling) pulling = Steady::now();
    if (over(pulling, settings.pull)) return Error(Kind::unavailable, look.why);
    if (look.what == What::running && !running) running = Steady::now();
    if ((look.what == What::unscheduled || look.what == What::starting) && over(since, settings.pending))
      return Error(Kind::unavailable, fmt::format("the Pod did not start within {}: {}", lasted(settings.pending),
                                                  look.why.empty() ? "the cluster says no reason" : look.why))
          .with_hint("kubectl describe pod, or give pendingTimeout more");
    return {};
  }
  std::optional<Error> service_trouble(const PodLook& look) const {
    if (!look.dead.empty()) return Error(Kind::unavailable, fmt::format("service {} has ended", look.dead.front()));
    if (!look.not_ready.empty() && over(running, service_limit()))
      return Error(Kind::timeout, fmt::format("service {} did not become healthy within {}", look.not_ready.front(),
                                              lasted(service_limit())));
    return {};
  }
};

}  // namespace

Result<> JobPods::Rep::clear(const Ctx& ctx, const PodWish& wish) {
  kube::Key key{wish.ns, wish.name};
  TRY(auto there, options.client->get(ctx, pod_type, key));
  remove(key, 1);
  forget(wish.name);
  if (!there) return {};
  auto gone = kube::await(ctx.within(removal), *options.client, pod_type, key,
                          [&](const kube::Object& pod) { return !pod || pod.uid() != there->uid(); });
  if (!gone && gone.error().is(Kind::timeout) && ctx.alive())
    return fail(Kind::unavailable, "an earlier Pod {} does not go away", key.str());
  TRY_OK(std::move(gone));
  return {};
}

// Whether a Pod of an earlier life of ours has this job, and can tell how it comes out.
Result<bool> JobPods::Rep::goes_on(const Ctx& ctx, const PodWish& wish) {
  if (jobs.lock()->contains(wish.name)) return false;  // of this life: the job runs once more
  TRY(auto pod, options.client->get(ctx, pod_type, {wish.ns, wish.name}));
  if (!pod || pod->label(label_house) != options.house || !expected(wish.name)) return false;
  auto look = look_at(*pod);
  return look.what != PodLook::What::ended && look.what != PodLook::What::leaving && !look.hopeless;
}

Result<> JobPods::Rep::create(const Ctx& ctx, const PodWish& wish, const std::string& word) {
  TRY_IN(auto secret, "make the job's Secret", options.client->create(ctx, secret_of(wish, word), {}));
  auto pod = options.client->create(ctx, pod_of(wish), {});
  if (!pod) {
    (void)options.client->remove(ctx, secret_type, secret.key(), {});
    return Fail(std::move(pod).error().in("make the job's Pod"));
  }
  // It goes with its Pod, whatever becomes of us.
  doc::Value owner =
      doc::Map{{"metadata", doc::Map{{"ownerReferences", doc::List{kube::owner_reference(*pod, false)}}}}};
  auto owned = options.client->patch(ctx, secret_type, secret.key(), kube::PatchType::merge, owner, {});
  if (!owned && !owned.error().is(Kind::not_found))  // the agent may have been quicker
    LOG(warn, "ci.pod.secret_unowned", {"secret", secret.key().str()}, {"error", owned.error().what()});
  return {};
}

Result<JobPods::Rep::Begun> JobPods::Rep::begin(const Ctx& ctx, const Work& work) {
  auto& wish = *work.wish;
  TRY_OK(make_namespace(ctx, wish.ns));
  watch(wish.ns);
  TRY(bool old, goes_on(ctx, wish));
  if (!old) {
    if (auto found = jobs.lock()->extract(wish.name); found) found.mapped()->close();
    TRY_OK(clear(ctx, wish));
  }
  Begun out{std::make_shared<PodJob>(wish.name, std::move(*work.side)), old};
  (*jobs.lock())[wish.name] = out.job;
  Expected who;
  auto word = random_hex(32);
  if (old)
    who = expected(wish.name).value_or(Expected());
  else
    who.word = sha256_hex(word);
  TRY_OK(expect(wish.name, who));
  {
    auto all = guests.lock();
    (*all)[who.word] = {out.job, wish.ns, true};
    if (!who.session.empty()) (*all)[who.session] = {out.job, wish.ns, false};
  }
  if (!old) {
    TRY_OK(create(ctx, wish, word));
  }
  TRY(auto pod, options.client->get(ctx, pod_type, {wish.ns, wish.name}));
  if (pod) out.job->pod_is(*pod, false);
  return out;
}

void JobPods::Rep::leave(const std::shared_ptr<PodJob>& job) {
  job->close();
  std::erase_if(*guests.lock(), [&](auto& entry) { return entry.second.job == job; });
  auto all = jobs.lock();
  if (auto found = all->find(job->name()); found != all->end() && found->second == job) all->erase(found);
}

Result<JobResult> JobPods::Rep::await(const Ctx& ctx, const Work& work, const Begun& begun,
                                      const PodSettings& settings) {
  auto& job = *begun.job;
  Watched watched{settings, *work.wish};
  std::optional<Steady::time_point> asked;  // to end
  for (;;) {
    std::string news;
    {
      auto state = job.state().lock();
      if (state->result) return *std::move(state->result);
      if (house_stops.stop_requested()) return fail(Kind::cancelled, "the house stops");
      if (state->gone) return fail(Kind::unavailable, "the Pod is gone: somebody deleted it, or its node is gone");
      auto look = look_at(state->pod);
      if (auto error = watched.trouble(look)) return Fail(*error);
      if (look.what == PodLook::What::running && !state->ready) {
        if (auto error = watched.service_trouble(look)) return Fail(*error);
        state->waits_for = join(std::span<const std::string>(look.not_ready), ", ");
        state->ready = look.not_ready.empty();
      }
      auto silent = Steady::now() - std::max(state->heard, watched.running.value_or(state->heard));
      if (watched.running && silent > settings.lost)
        return Fail(Error(Kind::unavailable,
                          fmt::format("nothing was heard from the agent in the Pod for {}", lasted(settings.lost)))
                        .with_hint(fmt::format("can Pods reach {}?", work.wish->url)));
      if (!ctx.alive() && !asked) {
        asked = Steady::now();
        // One that ran on while we were away has not found us yet.
        if (!state->greeted && !begun.adopted) return fail(Kind::cancelled, "cancelled before the Pod had started");
      }
      if (asked && Steady::now() - *asked > work.wish->grace + Millis(30'000))
        return fail(Kind::cancelled, "cancelled; its last steps took too long");
      if (look.why != watched.said && look.what != PodLook::What::leaving) news = watched.said = look.why;
    }
    if (asked && !job.state().lock()->cancel) job.cancel();
    if (!news.empty()) work.say(news);
    std::stop_callback wake(asked ? std::stop_token() : ctx.stop, [&] { job.changed().notify_all(); });
    std::stop_callback stop(house_stops, [&] { job.changed().notify_all(); });
    auto state = job.state().lock();
    auto seen = state->pod.resource_version();
    bool ready = state->ready, greeted = state->greeted;
    (void)state.wait(Ctx{}.within(tick), job.changed(), [&] {
      return state->result || state->gone || state->pod.resource_version() != seen || state->ready != ready ||
             state->greeted != greeted || (!asked && !ctx.alive()) || house_stops.stop_requested();
    });
  }
}

Result<JobResult> JobPods::run(const Ctx& ctx, const Work& work) {
  auto& wish = *work.wish;
  TRY(auto settings, rep_->options.settings(ctx));
  auto begun = rep_->begin(ctx, work);
  kube::Key key{wish.ns, wish.name};
  if (!begun) {
    std::shared_ptr<PodJob> half;
    if (auto found = rep_->jobs.lock()->extract(wish.name); found) half = found.mapped();
    if (half) rep_->leave(half);
    rep_->remove(key, 1);
    rep_->forget(wish.name);
    return Fail(std::move(begun).error());
  }
  if (begun->adopted) work.again();
  work.placed();
  work.say(fmt::format("{} Pod {} ({})", begun->adopted ? "Goes on in" : "Runs in", key.str(), wish.image));
  auto result = rep_->await(ctx, work, *begun, settings);
  bool stays = rep_->house_stops.stop_requested() && !result;  // it goes on, and is found again
  bool left = begun->job->state().lock()->pod.deleting();
  if (result && left && result->conclusion == Conclusion::cancelled && ctx.alive()) {
    result->conclusion = Conclusion::failure;
    result->why = look_at(begun->job->state().lock()->pod).why;
  }
  if (result) {
    begun->job->state().lock()->result = *result;
    // Until it is written down the agent stays, and would tell a house that was killed meanwhile.
    (*rep_->to_go.lock())[wish.run + "\n" + wish.key] = key;
    begun->job->close();
    return result;
  }
  rep_->leave(begun->job);
  if (!stays) {
    rep_->remove(key, 5);
    rep_->forget(wish.name);
  }
  return result;
}

}  // namespace slipway::ci
