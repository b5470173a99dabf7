// The life of one container of a pod: image, start, hooks, probes, end, restart.
#include <poll.h>
#include <signal.h>

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "cluster/node/log_file.h"
#include "cluster/node/pod_worker.h"

namespace slipway::cluster {
namespace {

constexpr Millis kBackoffFirst{10000}, kBackoffMax{300000}, kGoodRun{600000}, kConfigRetry{5000};
constexpr std::size_t kStartup = 0, kReadiness = 1, kLiveness = 2;

Histogram& start_seconds() {
  static Histogram histogram("slipway_node_container_start_seconds",
                             "From the order to run a container to its process");
  return histogram;
}

const char* probe_field(std::size_t kind) {
  static constexpr const char* kFields[] = {"startupProbe", "readinessProbe", "livenessProbe"};
  return kFields[kind];
}

std::string container_id(const kube::Object& pod, const Unit& unit) {
  return fmt::format("{}{}_{}_{}", kContainerPrefix, pod.uid(), unit.name, unit.attempt);
}

}  // namespace

doc::View PodWorker::spec_of(const Unit& unit) const {
  for (const char* list : {"initContainers", "containers"})
    for (auto c : pod_["spec"][list].items())
      if (c["name"].str_or("") == unit.name) return c;
  return pod_["spec"]["no such container"];
}

Unit* PodWorker::unit_named(const std::string& name, int attempt) {
  for (auto& unit : units_)
    if (unit.name == name && unit.attempt == attempt) return &unit;
  return nullptr;
}

// What a former process of ours left running, or learned, about this pod.
void PodWorker::restore() {
  auto status = pod_["status"];
  bool was_terminal = status["phase"].str_or("") == "Succeeded" || status["phase"].str_or("") == "Failed";
  for (const auto& c : containers_of(pod_)) {
    Unit unit;
    unit.name = c.name, unit.role = c.role, unit.image = c.spec["image"].str_or("");
    if (c.role == Role::main && containers_of(pod_).front().role != Role::main) unit.reason = "PodInitializing";
    bool known = load_unit(folder_ / c.name, unit);
    if (known && unit.ended) unit.state = Unit::State::ended;
    if (known && !unit.ended) {
      Result<std::unique_ptr<box::Container>> attached = fail(Kind::not_found, "{}: gone", unit.id);
      if (node_.survivors.contains(unit.id)) attached = node_.options.runtime->attach(unit.id);
      if (attached) {
        unit.box = *std::move(attached);
        unit.state = Unit::State::running;
        for (const char* list : {"initContainerStatuses", "containerStatuses"})
          for (auto entry : status[list].items())
            if (entry["name"].str_or("") == unit.name)
              unit.ready = entry["ready"].bool_or(false), unit.started_ok = entry["started"].bool_or(false);
        start_probes(unit);
      } else {
        set_ended(unit, {137, "Unknown", "the container was gone when the node agent came back", unit.id, unit.started,
                         ctx_.clock->wall()});
      }
    }
    units_.push_back(std::move(unit));
  }
  if (was_terminal) retired_ = status_final_ = true;
}

void PodWorker::drive(Unit& unit) {
  if (unit.state == Unit::State::running) {
    tick_kill(unit);
    tick_probes(unit);
    return;
  }
  if (unit.state == Unit::State::ended) {
    if (!restarts(pod_, unit)) return;
    if (now() < unit.retry_at) {
      wake_at(unit.retry_at);
      return;
    }
    unit.last = std::exchange(unit.ended, std::nullopt);
    unit.state = Unit::State::waiting;
    ++unit.attempt;
  }
  if (unit.pulling) return;
  if (now() < unit.retry_at) {
    wake_at(unit.retry_at);
    return;
  }
  start(unit);
}

void PodWorker::wait_with(Unit& unit, std::string reason, std::string message, Millis again) {
  unit.reason = std::move(reason);
  unit.message = std::move(message);
  unit.retry_at = now() + again;
  wake_at(unit.retry_at);
}

void PodWorker::start(Unit& unit) {
  auto spec = spec_of(unit);
  if (!unit.ready_image) {
    pull(unit, spec);
    return;
  }
  launch(unit, spec);
}

void PodWorker::pull(Unit& unit, const doc::View& spec) {
  auto name = spec["image"].str_or("");
  unit.image = name;
  std::vector<std::string> secrets;
  for (auto ref : pod_["spec"]["imagePullSecrets"].items()) {
    auto secret = node_.find(ctx_, pod_.ns(), secret_type, ref["name"].str_or(""));
    if (secret && *secret)
      for (auto& [key, text] : data_of(**secret))
        if (key == ".dockerconfigjson" || key == ".dockercfg") secrets.push_back(text);
  }
  auto policy = pull_policy(spec);
  unit.pulling = true;
  // In a thread of its own: what must be fetched takes its time.
  node_.pool.submit([this, &node = node_, inbox = inbox_, name, policy, secrets, unit_name = unit.name,
                     attempt = unit.attempt](const Ctx& ctx) {
    auto begun = std::chrono::steady_clock::now();
    auto image = node.images.get(ctx, name, policy, secrets);
    auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
    inbox->push([this, image = std::move(image), took, unit_name, attempt]() mutable {
      if (auto* found = unit_named(unit_name, attempt)) pulled(*found, std::move(image), took);
    });
  });
}

void PodWorker::pulled(Unit& unit, Result<ReadyImage> image, Millis took) {
  unit.pulling = false;
  if (image) {
    if (took > Millis(50))
      node_.event(pod_, "Normal", "Pulled",
                  fmt::format("Successfully pulled image \"{}\" in {}ms", unit.image, took.count()));
    else
      node_.event(pod_, "Normal", "Pulled",
                  fmt::format("Container image \"{}\" already present on machine", unit.image));
    unit.image_id = image->id;
    unit.stop_signal = image->config.stop_signal;
    unit.ready_image = std::make_shared<const ReadyImage>(*std::move(image));
    unit.pull_backoff = Millis(0);
    unit.retry_at = {};
    return;
  }
  const auto& error = image.error();
  bool first = unit.pull_backoff == Millis(0);
  unit.pull_backoff = first ? kBackoffFirst : std::min(unit.pull_backoff * 2, kBackoffMax);
  std::string reason =
      error.is(Kind::invalid) && error.what().starts_with("InvalidImageName") ? "InvalidImageName" : "ErrImagePull";
  node_.event(pod_, "Warning", "Failed", fmt::format("Failed to pull image \"{}\": {}", unit.image, error.what()));
  if (!first && reason == "ErrImagePull") reason = "ImagePullBackOff";
  wait_with(unit, reason,
            reason == "ImagePullBackOff" ? fmt::format("Back-off pulling image \"{}\": {}", unit.image, error.what())
                                         : error.what(),
            unit.pull_backoff);
}

void PodWorker::launch(Unit& unit, const doc::View& spec) {
  ScopedTimer timer(start_seconds());
  unit.id = container_id(pod_, unit);
  auto log = node_.log_folder(pod_) / unit.name / fmt::format("{}.log", unit.attempt);
  PodContainer container{unit.name, unit.role, spec};
  bool links = pod_["spec"]["enableServiceLinks"].bool_or(true);
  auto made = [&]() -> Result<box::Spec> {
    TRY_OK(make_dirs(log.parent_path()));
    return container_spec({.pod = pod_,
                           .container = container,
                           .image = *unit.ready_image,
                           .facts = facts_,
                           .services = node_.services.environment(pod_.ns(), links),
                           .find = [&](const kube::Type& type,
                                       const std::string& name) { return node_.find(ctx_, pod_.ns(), type, name); },
                           .volumes = volumes_,
                           .netns = netns_,
                           .folder = folder_,
                           .id = unit.id,
                           .log = log});
  }();
  if (!made) {
    node_.event(pod_, "Warning", "Failed", "Error: " + made.error().what());
    wait_with(unit, "CreateContainerConfigError", made.error().what(), kConfigRetry);
    return;
  }
  // The log of two lives ago goes.
  if (unit.attempt >= 2) {
    auto old = node_.log_folder(pod_) / unit.name / fmt::format("{}.log", unit.attempt - 2);
    for (int i = 0; i < 10; ++i) (void)remove_tree(i == 0 ? old.string() : fmt::format("{}.{}", old.string(), i));
  }
  unit.started = ctx_.clock->wall();
  unit.lived = true;
  // Written first: a container without a record would be ended as nobody's after a crash.
  (void)save_unit(folder_ / unit.name, unit);
  auto box = node_.options.runtime->start(ctx_, *made, {});
  if (!box && box.error().is(Kind::cancelled)) return;
  if (!box) {
    node_.event(pod_, "Warning", "Failed", "Error: " + box.error().what());
    auto reason = box.error().is(Kind::invalid) ? "StartError" : "RunContainerError";
    set_ended(unit, {128, reason, box.error().what(), unit.id, unit.started, ctx_.clock->wall()});
    return;
  }
  started(unit, *std::move(box));
}

void PodWorker::started(Unit& unit, std::shared_ptr<box::Container> box) {
  unit.box = std::move(box);
  unit.state = Unit::State::running;
  unit.reason.clear(), unit.message.clear();
  unit.kill_at.reset(), unit.term_sent = false;
  unit.ready = unit.started_ok = false;
  node_.event(pod_, "Normal", "Created", fmt::format("Created container: {}", unit.name));
  node_.event(pod_, "Normal", "Started", fmt::format("Started container {}", unit.name));
  auto spec = spec_of(unit);
  if (auto hook = spec["lifecycle"]["postStart"])
    post_start(unit, hook);
  else
    start_probes(unit);
  tick_probes(unit);
}

void PodWorker::post_start(Unit& unit, const doc::View& hook) {
  unit.hook_running = true;
  node_.pool.submit([this, inbox = inbox_, pod = pod_, hook, box = unit.box, spec = spec_of(unit), ip = facts_.pod_ip,
                     name = unit.name, attempt = unit.attempt](const Ctx& ctx) {
    auto result = hook["sleep"]
                      ? sleep(ctx, std::chrono::seconds(hook["sleep"]["seconds"].num_or(0)))
                      : probe_once(ctx.within(kBackoffMax), hook, {.ip = ip, .container = spec, .running = box.get()});
    inbox->push([this, result, name, attempt] {
      auto* found = unit_named(name, attempt);
      if (found == nullptr || found->state != Unit::State::running) return;
      found->hook_running = false;
      if (result) {
        start_probes(*found);
        return;
      }
      node_.event(pod_, "Warning", "FailedPostStartHook", result.error().what());
      stop(*found, grace(), "FailedPostStartHook");
    });
  });
}

// Startup gates the others; without one the container counts as started.
void PodWorker::start_probes(Unit& unit) {
  auto spec = spec_of(unit);
  auto begin = [&](std::size_t kind) {
    if (auto probe = spec[probe_field(kind)]; probe && !unit.probes[kind]) unit.probes[kind].emplace(probe, now());
  };
  for (auto& probe : unit.probes) probe.reset();
  if (spec["startupProbe"].present() && !unit.started_ok) {
    begin(kStartup);
    return;
  }
  unit.started_ok = true;
  begin(kReadiness);
  begin(kLiveness);
  if (!unit.probes[kReadiness]) unit.ready = true;
}

void PodWorker::tick_probes(Unit& unit) {
  if (unit.state != Unit::State::running || unit.kill_at) return;
  auto spec = spec_of(unit);
  for (std::size_t kind = 0; kind < 3; ++kind) {
    auto& schedule = unit.probes[kind];
    auto due = schedule ? schedule->due() : std::nullopt;
    if (!due) continue;
    if (*due > now()) {
      wake_at(*due);
      continue;
    }
    schedule->begin();
    auto probe = spec[probe_field(kind)];
    auto limit = schedule->timeout();
    // The pod is held: the views point into it.
    node_.pool.submit([this, inbox = inbox_, pod = pod_, probe, spec, limit, box = unit.box, ip = facts_.pod_ip,
                       name = unit.name, attempt = unit.attempt, kind](const Ctx& ctx) {
      auto result = probe_once(ctx.within(limit), probe, {.ip = ip, .container = spec, .running = box.get()});
      inbox->push([this, result = std::move(result), name, attempt, kind] {
        auto* found = unit_named(name, attempt);
        if (found != nullptr && found->state == Unit::State::running)
          probed(*found, static_cast<ProbeKind>(kind), result);
      });
    });
  }
}

void PodWorker::probed(Unit& unit, ProbeKind kind, const Result<>& result) {
  auto& schedule = unit.probes[static_cast<std::size_t>(kind)];
  if (!schedule) return;
  auto verdict = schedule->finish(result.has_value(), now());
  if (!result && schedule->failures() > 0)
    node_.event(pod_, "Warning", "Unhealthy",
                fmt::format("{} probe failed: {}", to_string(kind), result.error().what()));
  if (verdict == ProbeSchedule::Verdict::unchanged) return;
  bool passed = verdict == ProbeSchedule::Verdict::passed;
  if (kind == ProbeKind::readiness) {
    unit.ready = passed;
  } else if (kind == ProbeKind::startup && passed) {
    unit.started_ok = true;
    start_probes(unit);
  } else if (!passed && !unit.kill_at) {
    auto limit = spec_of(unit)[probe_field(static_cast<std::size_t>(kind))]["terminationGracePeriodSeconds"];
    stop(unit, limit ? Millis(std::chrono::seconds(limit.num_or(30))) : grace(),
         fmt::format("Container {} failed {} probe, will be restarted", unit.name, lower(to_string(kind))));
  }
}

// preStop, then TERM; KILL after the grace.
void PodWorker::stop(Unit& unit, Millis limit, const std::string& why) {
  if (!why.empty()) node_.event(pod_, "Normal", "Killing", why);
  unit.kill_at = now() + limit;
  unit.ready = false;
  wake_at(*unit.kill_at);
  auto hook = spec_of(unit)["lifecycle"]["preStop"];
  if (!hook || limit == Millis(0)) {
    send_term(unit);
    return;
  }
  node_.pool.submit([this, inbox = inbox_, pod = pod_, hook, spec = spec_of(unit), box = unit.box, ip = facts_.pod_ip,
                     name = unit.name, attempt = unit.attempt, limit](const Ctx& ctx) {
    auto inside = ctx.within(limit);
    auto result = hook["sleep"] ? sleep(inside, std::chrono::seconds(hook["sleep"]["seconds"].num_or(0)))
                                : probe_once(inside, hook, {.ip = ip, .container = spec, .running = box.get()});
    inbox->push([this, result, name, attempt] {
      if (!result) node_.event(pod_, "Warning", "FailedPreStopHook", result.error().what());
      auto* found = unit_named(name, attempt);
      if (found != nullptr && found->state == Unit::State::running) send_term(*found);
    });
  });
}

void PodWorker::send_term(Unit& unit) {
  if (std::exchange(unit.term_sent, true)) return;
  int number = SIGTERM;
  if (auto named = signal_number(unit.stop_signal)) number = *named;
  if (unit.box) (void)unit.box->signal(number);
}

void PodWorker::tick_kill(Unit& unit) {
  if (!unit.kill_at || !unit.box) return;
  if (now() >= *unit.kill_at)
    (void)unit.box->signal(SIGKILL);
  else
    wake_at(*unit.kill_at);
}

void PodWorker::on_exit(Unit& unit) {
  auto code = unit.box->wait(ctx_.within(Millis(1000)));
  if (!code) return;
  Ended ended{.code = *code,
              .reason = *code == 0 ? "Completed" : "Error",
              .message = {},
              .id = unit.id,
              .started = unit.started,
              .finished = unit.box->finished().value_or(ctx_.clock->wall())};
  if (unit.box->oom_killed() && *code != 0) ended.reason = "OOMKilled";
  bool from_log = *code != 0 && spec_of(unit)["terminationMessagePolicy"].str_or("") == "FallbackToLogsOnError";
  ended.message =
      termination_message(folder_ / unit.name / "termination",
                          node_.log_folder(pod_) / unit.name / fmt::format("{}.log", unit.attempt), from_log);
  auto box = std::exchange(unit.box, nullptr);
  set_ended(unit, std::move(ended));
  // Unmounting and removing what it wrote takes longer than the next start should wait.
  node_.pool.submit([box, pod = pod_.key().str()](const Ctx&) {
    if (auto done = box->destroy(); !done) LOG(warn, "node.destroy", {"pod", pod}, {"error", done.error().what()});
  });
}

void PodWorker::set_ended(Unit& unit, Ended ended) {
  bool good_run = ended.finished - ended.started >= kGoodRun;
  if (good_run) unit.backoff = Millis(0);
  unit.retry_at = now() + unit.backoff;
  if (unit.backoff > Millis(0)) {
    unit.reason = "CrashLoopBackOff";
    unit.message = fmt::format("back-off {} restarting failed container={} pod={}_{}({})", print_duration(unit.backoff),
                               unit.name, pod_.name(), pod_.ns(), pod_.uid());
  }
  unit.ended = std::move(ended);
  unit.state = Unit::State::ended;
  unit.ready = unit.started_ok = false;
  unit.kill_at.reset(), unit.term_sent = false;
  for (auto& probe : unit.probes) probe.reset();
  if (unit.backoff > Millis(0) && !ending_ && restarts(pod_, unit))
    node_.event(pod_, "Warning", "BackOff",
                fmt::format("Back-off restarting failed container {} in pod {}", unit.name, pod_.key().str()));
  unit.backoff = unit.backoff == Millis(0) ? kBackoffFirst : std::min(unit.backoff * 2, kBackoffMax);
  (void)save_unit(folder_ / unit.name, unit);
}

}  // namespace slipway::cluster
