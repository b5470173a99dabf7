#include "cluster/node/pod_worker.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "kube/events.h"

namespace slipway::cluster {
namespace {

const kube::Type pod_kind{"v1", "Pod"};
constexpr Millis kRetry{1000}, kPatience{100};

bool has_ended(const box::Container& box) {
  pollfd fd{box.exit_fd(), POLLIN, 0};
  return ::poll(&fd, 1, 0) > 0;
}

// Resource versions of the embedded API are numbers; of another's, nothing is known.
bool older(const kube::Object& a, const kube::Object& b) {
  auto x = to_int(a.resource_version()), y = to_int(b.resource_version());
  return x && y && *x < *y;
}

// Ports of the host that lead to the pod, as a service without an address.
box::ServiceRule host_ports(const kube::Object& pod, const std::string& ip) {
  box::ServiceRule rule{.id = "hostport/" + pod.uid(), .cluster_ip = {}, .ports = {}};
  for (const auto& c : containers_of(pod))
    for (auto port : c.spec["ports"].items()) {
      auto host = static_cast<int>(port["hostPort"].num_or(0)),
           inside = static_cast<int>(port["containerPort"].num_or(0));
      if (host > 0)
        rule.ports.push_back({.protocol = lower(port["protocol"].str_or("TCP")),
                              .port = inside,
                              .node_port = host,
                              .endpoints = {{ip, inside}}});
    }
  return rule;
}

}  // namespace

PodWorker::PodWorker(NodeShared& node, kube::Object pod)
    : node_(node),
      inbox_(std::make_shared<Inbox>()),
      pod_(std::move(pod)),
      folder_(node.pod_folder(pod_.uid())),
      volumes_(folder_ / "volumes", node.options.root / "claims"),
      facts_(node.facts),
      written_(pod_),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

PodWorker::~PodWorker() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  std::lock_guard lock(inbox_->mutex);
  inbox_->closed = true;
  inbox_->calls.clear();
}

void PodWorker::post(std::move_only_function<void()> call) { inbox_->push(std::move(call)); }

void PodWorker::update(kube::Object pod) {
  post([this, pod = std::move(pod)] {
    // Our own writes come back by the watch: an older one must not undo a newer.
    if (older(pod, written_)) return;
    pod_ = written_ = pod;
  });
}
void PodWorker::removed() {
  post([this] { gone_ = true; });
}
void PodWorker::refresh() {
  post([this] {
    volumes_ready_ = false;
    volumes_retry_ = {};
    for (auto& unit : units_)
      if (unit.state == Unit::State::waiting && unit.reason == "CreateContainerConfigError") unit.retry_at = {};
  });
}
void PodWorker::end() {
  post([this] { asked_to_end_ = true; });
}

Result<> PodWorker::wait_over(const Ctx& ctx) {
  std::unique_lock lock(view_mutex_);
  if (ctx.deadline == Clock::time_point::max())
    over_wake_.wait(lock, ctx.stop, [&] { return over_.load(); });
  else
    over_wake_.wait_until(lock, ctx.stop, ctx.deadline, [&] { return over_.load(); });
  return over_ ? Result<>{} : ctx.alive();
}

PodWorker::View PodWorker::view() const {
  std::lock_guard lock(view_mutex_);
  return view_;
}

void PodWorker::publish() {
  View view{.pod = pod_, .ip = facts_.pod_ip, .netns = netns_, .containers = {}};
  for (const auto& unit : units_)
    view.containers.push_back(
        {unit.name, unit.attempt, unit.lived, unit.state == Unit::State::running ? unit.box : nullptr, unit.started});
  std::lock_guard lock(view_mutex_);
  view_ = std::move(view);
}

void PodWorker::run(const std::stop_token& stop) {
  ctx_.stop = stop;
  std::stop_callback poke(stop, [inbox = inbox_] { (void)::eventfd_write(inbox->wake.get(), 1); });
  born_ = now();
  restore();
  while (!stop.stop_requested()) {
    std::deque<std::move_only_function<void()>> calls;
    {
      std::lock_guard lock(inbox_->mutex);
      calls.swap(inbox_->calls);
    }
    for (auto& call : calls) call();
    next_ = Clock::time_point::max();
    step();
    if (stop.stop_requested()) break;
    publish();
    if (!over_ && !status_final_ && !only_begun()) write_status();
    sleep_until_something(stop);
  }
  for (auto& unit : units_)
    if (unit.box) unit.box->detach();
}

void PodWorker::sleep_until_something(const std::stop_token& stop) {
  std::vector<pollfd> fds{{inbox_->wake.get(), POLLIN, 0}};
  for (const auto& unit : units_)
    if (unit.state == Unit::State::running && unit.box) fds.push_back({unit.box->exit_fd(), POLLIN, 0});
  int timeout = -1;
  if (next_ != Clock::time_point::max()) {
    auto left = std::chrono::ceil<Millis>(next_ - now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }
  if (!stop.stop_requested()) (void)::poll(fds.data(), fds.size(), timeout);
  eventfd_t ignored = 0;
  (void)::eventfd_read(inbox_->wake.get(), &ignored);
}

StatusInput PodWorker::status_input() const {
  return {.pod = written_,
          .units = units_,
          .facts = facts_,
          .sandbox = sandbox_,
          .ending = ending_.has_value() || retired_,
          .reason = reason_,
          .message = message_,
          .failed = failed_,
          .now = ctx_.clock->wall()};
}

void PodWorker::write_status() {
  if (gone_ || silent()) return;
  auto put = put_status();
  if (put) {
    status_final_ = retired_;
    return;
  }
  if (put.error().is(Kind::cancelled)) return;
  if (put.error().is(Kind::not_found)) {
    gone_ = true;
    wake_at(now());
    return;
  }
  if (!put.error().is(Kind::conflict))
    LOG(warn, "node.status", {"pod", pod_.key().str()}, {"error", put.error().what()});
  wake_at(now() + (put.error().is(Kind::conflict) ? Millis(20) : kRetry));
}

// Errors: not_found (the pod is gone, or another has its name), conflict (given up for now), those of the API.
Result<> PodWorker::put_status() {
  for (int attempt = 0; attempt < 5; ++attempt) {
    auto written = kube::write_status(ctx_, node_.client, written_, pod_status(status_input()), "slipway-node");
    if (written) {
      pod_ = written_ = *std::move(written);
      return {};
    }
    if (!written.error().is(Kind::conflict)) return Fail(std::move(written).error());
    TRY(auto fresh, node_.client.get(ctx_, pod_kind, pod_.key()));
    if (!fresh || fresh->uid() != pod_.uid()) return fail(Kind::not_found, "pod {}: gone", pod_.key().str());
    pod_ = written_ = *std::move(fresh);
  }
  return fail(Kind::conflict, "pod {}: written by others all the time", pod_.key().str());
}

// A pod that starts at once is told of once, as running: a write costs a sync that its start would wait for.
bool PodWorker::only_begun() {
  if (ending_ || gone_ || pod_.deleting() || now() >= born_ + kPatience) return false;
  for (const auto& unit : units_)
    if (unit.lived || !unit.message.empty()) return false;
  wake_at(born_ + kPatience);
  return true;
}

bool PodWorker::past_deadline() {
  auto seconds = pod_["spec"]["activeDeadlineSeconds"];
  auto start = parse_rfc3339(written_["status"]["startTime"].str_or(""));
  if (!seconds || !start) return false;
  auto left = *start + std::chrono::seconds(seconds.num_or(0)) - ctx_.clock->wall();
  if (left > Millis(0)) {
    wake_at(now() + std::chrono::duration_cast<Millis>(left) + Millis(1));
    return false;
  }
  return true;
}

void PodWorker::step() {
  if (over_) return;
  for (auto& unit : units_)
    if (unit.state == Unit::State::running && unit.box && has_ended(*unit.box)) on_exit(unit);
  if (gone_ || pod_.deleting() || asked_to_end_ || ending_) {
    step_end();
    return;
  }
  if (retired_) return;
  auto phase = pod_phase(status_input());
  if (phase == "Succeeded" || phase == "Failed") {
    retire();
    return;
  }
  if (past_deadline()) {
    failed_ = true;
    reason_ = "DeadlineExceeded";
    message_ = "Pod was active on the node longer than the specified deadline";
    step_end();
    return;
  }
  if (!ensure_sandbox() || !ensure_volumes()) return;
  bool worked =
      std::any_of(units_.begin(), units_.end(), [](const Unit& u) { return u.role == Role::main && u.lived; });
  for (auto& unit : units_) {
    drive(unit);
    bool init_done = unit.state == Unit::State::ended && unit.ended && unit.ended->code == 0;
    bool serves = unit.state == Unit::State::running && unit.started_ok;
    if (unit.role == Role::init ? !init_done : unit.role == Role::sidecar && !serves && !worked) break;
  }
}

void PodWorker::drop_sandbox() {
  sandbox_ = false;
  if (node_.options.network == nullptr) return;
  (void)node_.options.network->remove_service("hostport/" + pod_.uid());
  (void)node_.options.network->remove_pod(pod_.uid());
}

bool PodWorker::ensure_sandbox() {
  if (sandbox_) return true;
  if (now() < sandbox_retry_) {
    wake_at(sandbox_retry_);
    return false;
  }
  auto make = [&]() -> Result<> {
    TRY_OK(make_dirs(folder_ / "etc"));
    facts_.pod_ip = facts_.host_ip;
    if (!host_network(pod_) && node_.options.network != nullptr) {
      TRY(auto network, node_.options.network->add_pod(pod_.uid()));
      facts_.pod_ip = network.ip;
      netns_ = network.netns;
      auto ports = host_ports(pod_, network.ip);
      if (!ports.ports.empty()) {
        TRY_OK(node_.options.network->set_service(ports));
      }
    }
    TRY_OK(write_file(folder_ / "etc/hosts", hosts_file(pod_, facts_.pod_ip)));
    return write_file(folder_ / "etc/resolv.conf", resolv_conf(pod_, {node_.dns_server, node_.host_resolv}));
  };
  if (auto made = make(); !made) {
    node_.event(pod_, "Warning", "FailedCreatePodSandBox", made.error().what());
    sandbox_retry_ = now() + kRetry;
    wake_at(sandbox_retry_);
    return false;
  }
  sandbox_ = true;
  return true;
}

bool PodWorker::ensure_volumes() {
  if (volumes_ready_ && now() < tokens_due_) {
    if (tokens_due_ != Clock::time_point::max()) wake_at(tokens_due_);
    return true;
  }
  tokens_due_ = Clock::time_point::max();
  if (now() < volumes_retry_) {
    wake_at(volumes_retry_);
    return false;
  }
  VolumeInput input{.pod = pod_,
                    .facts = facts_,
                    .find =
                        [&](const kube::Type& type, const std::string& name) {
                          return node_.find(ctx_, type.kind == "PersistentVolume" ? "" : pod_.ns(), type, name);
                        },
                    .token =
                        [&](const std::string& audience, std::int64_t seconds) {
                          // Made anew after four fifths of its time, as the kubelet does.
                          tokens_due_ = std::min<Clock::time_point>(tokens_due_, now() + Millis(seconds * 800));
                          return node_.token(ctx_, pod_, audience, seconds);
                        },
                    .ca_pem = node_.options.ca_pem};
  if (auto prepared = volumes_.prepare(input); !prepared) {
    bool waiting = std::none_of(units_.begin(), units_.end(), [](const Unit& u) { return u.lived; });
    if (waiting)
      node_.event(pod_, "Warning", "FailedMount", "MountVolume.SetUp failed for " + prepared.error().what());
    else
      volumes_ready_ = true;  // it runs with what it had
    volumes_retry_ = now() + kRetry * 2;
    wake_at(volumes_retry_);
    return !waiting;
  }
  volumes_ready_ = true;
  return true;
}

// Succeeded or Failed: what still runs (sidecars) ends, the sandbox goes, the object and the logs stay.
void PodWorker::retire() {
  if (retired_) return;
  bool running = false;
  for (auto& unit : units_) {
    if (unit.state != Unit::State::running) continue;
    running = true;
    if (!unit.kill_at) stop(unit, grace(), "");
    tick_kill(unit);
  }
  if (running) return;
  retired_ = true;
  drop_sandbox();
  (void)volumes_.remove();
}

Millis PodWorker::grace() const {
  auto seconds = pod_["metadata"]["deletionGracePeriodSeconds"];
  if (!seconds) seconds = pod_["spec"]["terminationGracePeriodSeconds"];
  if (gone_ && !pod_.deleting()) return Millis(1000);
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds.num_or(30), 0, 86400 * 365));
}

void PodWorker::step_end() {
  if (!ending_) {
    ending_ = now();
  }
  kill_at_ = *ending_ + grace();  // a second delete may have shortened it
  bool mains = false;
  for (auto& unit : units_)
    if (unit.role != Role::sidecar && unit.state == Unit::State::running) mains = true;
  bool running = false;
  for (auto unit = units_.rbegin(); unit != units_.rend(); ++unit) {
    if (unit->state != Unit::State::running) continue;
    running = true;
    if (unit->role == Role::sidecar && mains) continue;  // they serve the others to the last
    auto left = std::chrono::duration_cast<Millis>(*kill_at_ - now());
    if (!unit->kill_at) stop(*unit, std::max(left, Millis(0)), fmt::format("Stopping container {}", unit->name));
    unit->kill_at = std::min(*unit->kill_at, *kill_at_);
    tick_kill(*unit);
    if (unit->role == Role::sidecar) break;  // in reverse order, one after the other
  }
  if (now() >= *kill_at_)
    for (auto& unit : units_)
      if (unit.state == Unit::State::running && unit.box) (void)unit.box->signal(SIGKILL);
  if (running) {
    wake_at(std::max(*kill_at_, now() + Millis(20)));
    return;
  }
  finish_end();
}

// Nothing runs any more: tells the API how it ended, removes every trace, confirms the deletion.
void PodWorker::finish_end() {
  if (!gone_ && !silent()) {
    if (auto put = put_status(); !put && put.error().is(Kind::not_found)) gone_ = true;
  }
  drop_sandbox();
  bool keep = silent();
  bool stays = failed_ && !gone_ && !pod_.deleting();
  if (auto removed = volumes_.remove(); !removed)
    LOG(warn, "node.volumes", {"pod", pod_.key().str()}, {"error", removed.error().what()});
  if (stays) {
    retired_ = true;
    ending_.reset();
    return;
  }
  (void)remove_tree(folder_);
  if (!keep) (void)remove_tree(node_.log_folder(pod_));
  if (!gone_ && pod_.deleting()) {
    auto removed = node_.client.remove(ctx_, pod_kind, pod_.key(),
                                       {.grace_seconds = 0, .uid = pod_.uid(), .resource_version = {}});
    if (!removed && !removed.error().is(Kind::not_found) && !removed.error().is(Kind::conflict)) {
      LOG(warn, "node.delete", {"pod", pod_.key().str()}, {"error", removed.error().what()});
      wake_at(now() + kRetry);
      return;
    }
  }
  std::lock_guard lock(view_mutex_);
  over_ = true;
  view_.containers.clear();
  over_wake_.notify_all();
}

void NodeShared::event(const kube::Object& about, std::string_view type, std::string_view reason, std::string message) {
  pool.submit([this, about, type = std::string(type), reason = std::string(reason), message = std::move(message)](
                  const Ctx& ctx) { kube::record_event(ctx, client, about, {type, reason, message, "slipway-node"}); });
}

Result<std::optional<kube::Object>> NodeShared::find(const Ctx& ctx, const std::string& ns, const kube::Type& type,
                                                     const std::string& name) {
  return client.get(ctx, type, {ns, name});
}

Result<std::string> NodeShared::token(const Ctx& ctx, const kube::Object& pod, const std::string& audience,
                                      std::int64_t seconds) {
  if (options.token) return options.token(pod, audience, seconds);
  auto account = pod["spec"]["serviceAccountName"].str_or("default");
  auto request = kube::make_object({"authentication.k8s.io/v1", "TokenRequest"}, {pod.ns(), account});
  request["spec"]["expirationSeconds"] = seconds;
  request["spec"]["audiences"] = audience.empty() ? doc::List{} : doc::List{audience};
  request["spec"]["boundObjectRef"] =
      doc::Map{{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", pod.name()}, {"uid", pod.uid()}};
  kube::WriteOptions how{.field_manager = "slipway-node", .subresource = "token"};
  auto made = client.create(ctx, request, how);
  if (!made && made.error().is(Kind::not_found) && account == "default") {
    // The namespace is younger than its controller's last look.
    auto there = client.create(ctx, kube::make_object({"v1", "ServiceAccount"}, {pod.ns(), account}),
                               {.field_manager = "slipway-node"});
    if (!there && !there.error().is(Kind::conflict)) return Fail(std::move(there).error());
    made = client.create(ctx, std::move(request), how);
  }
  if (!made) return Fail(std::move(made).error());
  return (*made)["status"]["token"].str_or("");
}

}  // namespace slipway::cluster
