#include "ci/pod/pods.h"

#include "base/log.h"
#include "ci/pod/rep.h"
#include "doc/json.h"

namespace slipway::ci {

std::optional<JobPods::Rep::Expected> JobPods::Rep::expected(const std::string& name) const {
  auto text = read_file(options.state / (name + ".json"), 1 << 16);
  auto document = text ? doc::parse_json(*text) : Result<doc::Value>(Fail(text.error()));
  if (!document) return {};
  doc::View v(*document);
  return Expected{v["word"].str_or(""), v["session"].str_or("")};
}

Result<> JobPods::Rep::expect(const std::string& name, const Expected& who) const {
  return write_file(options.state / (name + ".json"),
                    doc::print_json(doc::Map{{"word", who.word}, {"session", who.session}}), 0600, Durable::yes);
}

void JobPods::Rep::forget(const std::string& name) const {
  std::error_code ignored;
  fs::remove(options.state / (name + ".json"), ignored);
}

Result<> JobPods::Rep::make_namespace(const Ctx& ctx, const std::string& ns) const {
  const kube::Type type{"v1", "Namespace"};
  TRY_IN(auto found, "jobs as Pods", options.client->get(ctx, type, {"", ns}));
  if (found) return {};
  auto made = options.client->create(ctx, kube::make_object(type, {"", ns}), {});
  if (!made && !made.error().is(Kind::conflict))
    return Fail(std::move(made).error().in(fmt::format("jobs as Pods: make namespace {}", ns)));
  return {};
}

// What an earlier life left: Pods of runs that are over, Secrets without a Pod.
Result<> JobPods::Rep::sweep(const Ctx& ctx, const std::string& ns) {
  TRY(auto pods, options.client->list(ctx, pod_type, {.ns = ns, .label_selector = selector()}));
  std::set<std::string> there;
  for (auto& pod : pods.items) {
    if (!options.wanted || options.wanted(pod.annotation(annotation_run))) {
      there.insert(pod.name());
      continue;
    }
    LOG(info, "ci.pod.swept", {"pod", pod.key().str()}, {"run", pod.annotation(annotation_run)});
    remove(pod.key(), 5);
    forget(pod.name());
  }
  TRY(auto secrets, options.client->list(ctx, secret_type, {.ns = ns, .label_selector = selector()}));
  for (auto& secret : secrets.items)
    if (!there.contains(secret.name())) (void)options.client->remove(ctx, secret_type, secret.key(), {});
  return {};
}

void JobPods::Rep::see(const kube::Object& pod, bool gone) {
  std::shared_ptr<PodJob> job;
  {
    auto all = jobs.lock();
    if (auto found = all->find(pod.name()); found != all->end()) job = found->second;
  }
  if (job) job->pod_is(pod, gone);
}

// Lists, then watches; again from the start when the watch is lost.
void JobPods::Rep::follow(const Ctx& ctx, const std::string& ns) {
  Millis pause{100};
  while (ctx.alive()) {
    auto list = options.client->list(ctx, pod_type, {.ns = ns, .label_selector = selector()});
    if (list) {
      std::set<std::string> there;
      for (auto& pod : list->items) there.insert(pod.name()), see(pod, false);
      std::vector<std::shared_ptr<PodJob>> missing;
      for (auto& [name, job] : *jobs.lock())
        if (!there.contains(name) && job->state().lock()->pod.ns() == ns) missing.push_back(job);
      for (auto& job : missing) job->pod_is(job->state().lock()->pod, true);
      auto watch = options.client->watch(
          ctx, pod_type, {.ns = ns, .label_selector = selector(), .resource_version = list->resource_version});
      while (watch) {
        auto event = (*watch)->next(ctx);
        if (!event) break;
        pause = Millis(100);
        if (event->type != kube::Event::Type::bookmark) see(event->object, event->type == kube::Event::Type::deleted);
      }
    } else {
      LOG(warn, "ci.pod.list_failed", {"error", list.error().what()});
    }
    if (!sleep(ctx, pause)) return;
    pause = std::min(pause * 2, Millis(10'000));
  }
}

void JobPods::Rep::watch(const std::string& ns) {
  auto all = watchers.lock();
  auto& one = (*all)[ns];
  if (one) return;
  one = std::make_unique<std::jthread>([this, ns](const std::stop_token& stop) { follow(Ctx{.stop = stop}, ns); });
}

void JobPods::Rep::remove(const kube::Key& key, std::int64_t grace) const {
  auto ctx = Ctx{}.within(Millis(15'000));
  kube::RemoveOptions how;
  how.grace_seconds = grace;
  auto gone = options.client->remove(ctx, pod_type, key, how);
  if (!gone && !gone.error().is(Kind::not_found))
    LOG(warn, "ci.pod.left", {"pod", key.str()}, {"error", gone.error().what()});
  gone = options.client->remove(ctx, secret_type, key, {});
  if (!gone && !gone.error().is(Kind::not_found))
    LOG(warn, "ci.pod.secret_left", {"secret", key.str()}, {"error", gone.error().what()});
}

JobPods::JobPods(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}

JobPods::~JobPods() {
  std::map<std::string, std::unique_ptr<std::jthread>> watchers;
  std::swap(watchers, *rep_->watchers.lock());
  for (auto& [ns, thread] : watchers) thread->request_stop();
}

Result<std::unique_ptr<JobPods>> JobPods::open(const Ctx& ctx, JobPodsOptions options) {
  auto rep = std::make_shared<Rep>();
  rep->options = std::move(options);
  rep->house_stops = ctx.stop;
  TRY_OK(make_dirs(rep->options.state, 0700));
  auto own = ctx.within(Millis(30'000));
  TRY_OK(rep->make_namespace(own, rep->options.ns));
  TRY_OK_IN("jobs as Pods", rep->sweep(own, rep->options.ns));
  rep->watch(rep->options.ns);
  return std::unique_ptr<JobPods>(new JobPods(std::move(rep)));
}

net::Handler JobPods::routes() {
  return [rep = rep_](const Ctx& ctx, net::Request& request) { return rep->answer(ctx, request); };
}

void JobPods::recorded(const std::string& run, const std::string& key) {
  kube::Key pod;
  {
    auto all = rep_->to_go.lock();
    auto found = all->extract(run + "\n" + key);
    if (!found) return;
    pod = found.mapped();
  }
  std::shared_ptr<PodJob> job;
  {
    auto all = rep_->jobs.lock();
    if (auto found = all->find(pod.name); found != all->end()) job = found->second;
  }
  if (job) {
    job->release();
    rep_->leave(job);
  }
  rep_->remove(pod, 1);
  rep_->forget(pod.name);
}

const JobPodsOptions& JobPods::options() const { return rep_->options; }

}  // namespace slipway::ci
