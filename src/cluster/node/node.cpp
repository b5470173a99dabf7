#include "cluster/node.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "cluster/node/dns.h"
#include "cluster/node/log_file.h"
#include "cluster/node/node_object.h"
#include "cluster/node/pod_worker.h"
#include "cluster/node/socket.h"
#include "cluster/node/usage_meter.h"
#include "cluster/node/watch_loop.h"

namespace slipway::cluster {
namespace {

const kube::Type pod_kind{"v1", "Pod"}, service_kind{"v1", "Service"},
    slice_kind{"discovery.k8s.io/v1", "EndpointSlice"};
constexpr Millis kDrainGrace{10000};

std::set<kube::Key> keys_of(const std::vector<kube::Object>& objects) {
  std::set<kube::Key> keys;
  for (const auto& object : objects) keys.insert(object.key());
  return keys;
}

}  // namespace

struct Node::Rep {
  std::shared_ptr<kube::Client> client;
  NodeOptions options;
  NodeShared shared;
  std::unique_ptr<DnsServer> dns;
  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<PodWorker>> workers;  // by uid
  bool draining = false;
  UsageMeter meter;

  Rep(std::shared_ptr<kube::Client> c, NodeOptions o)
      : client(std::move(c)), options(std::move(o)), shared(*client, options) {}

  void all_pods(const std::vector<kube::Object>& pods);
  void pod_event(const kube::Event& event);
  void pod_seen(const kube::Object& pod);
  void pod_gone(const std::string& uid);
  void forget_strangers(const std::set<std::string>& uids);
  void config_changed(const std::string& ns, const std::string& name);
  std::vector<std::shared_ptr<PodWorker>> list() const;
  Result<PodWorker::View> find(const kube::Key& key) const;
  std::vector<Sight> sights();
  void start_dns();
};

std::vector<std::shared_ptr<PodWorker>> Node::Rep::list() const {
  std::lock_guard lock(mutex);
  std::vector<std::shared_ptr<PodWorker>> all;
  for (const auto& [uid, worker] : workers) all.push_back(worker);
  return all;
}

void Node::Rep::pod_seen(const kube::Object& pod) {
  std::shared_ptr<PodWorker> known;
  {
    std::lock_guard lock(mutex);
    if (draining) return;
    auto& slot = workers[pod.uid()];
    if (slot && slot->over()) slot.reset();
    if (!slot) {
      if (pod.deleting() && pod["metadata"]["deletionGracePeriodSeconds"].num_or(1) == 0 &&
          !path_exists(shared.pod_folder(pod.uid()))) {
        workers.erase(pod.uid());
        return;
      }
      slot = std::make_shared<PodWorker>(shared, pod);
      return;
    }
    known = slot;
  }
  known->update(pod);
}

void Node::Rep::pod_gone(const std::string& uid) {
  std::shared_ptr<PodWorker> known;
  {
    std::lock_guard lock(mutex);
    auto found = workers.find(uid);
    if (found == workers.end()) return;
    known = found->second;
    if (known->over()) {
      workers.erase(found);
      return;
    }
  }
  known->removed();
  // Deleted by force: the worker ends what runs and is dropped then.
  shared.pool.submit([this, known, uid](const Ctx& ctx) {
    if (!known->wait_over(ctx)) return;
    std::lock_guard lock(mutex);
    if (auto found = workers.find(uid); found != workers.end() && found->second == known) workers.erase(found);
  });
}

void Node::Rep::all_pods(const std::vector<kube::Object>& pods) {
  std::set<std::string> uids;
  for (const auto& pod : pods) uids.insert(pod.uid());
  forget_strangers(uids);
  for (const auto& pod : pods) pod_seen(pod);
  for (const auto& worker : list())
    if (auto uid = worker->view().pod.uid(); !uid.empty() && !uids.contains(uid)) pod_gone(uid);
}

// Containers, namespaces and folders of pods that were deleted while nobody looked.
void Node::Rep::forget_strangers(const std::set<std::string>& uids) {
  for (auto it = shared.survivors.begin(); it != shared.survivors.end();) {
    auto rest = std::string_view(*it).substr(kContainerPrefix.size());
    if (uids.contains(std::string(rest.substr(0, rest.find('_'))))) {
      ++it;
      continue;
    }
    if (auto container = options.runtime->attach(*it)) (void)(*container)->destroy();
    it = shared.survivors.erase(it);
  }
  if (options.network != nullptr)
    for (const auto& id : options.network->pods().value_or(std::vector<std::string>()))
      if (!uids.contains(id) && !path_exists(shared.pod_folder(id))) (void)options.network->remove_pod(id);
  std::set<std::string> busy;
  {
    std::lock_guard lock(mutex);
    for (const auto& [uid, worker] : workers) busy.insert(uid);
  }
  for (const auto& uid : list_dir(options.root / "pods").value_or(std::vector<std::string>())) {
    if (uids.contains(uid) || busy.contains(uid)) continue;
    if (options.network != nullptr) (void)options.network->remove_pod(uid);
    (void)PodVolumes(shared.pod_folder(uid) / "volumes", {}).remove();
    (void)remove_tree(shared.pod_folder(uid));
  }
  for (const auto& name : list_dir(options.root / "logs").value_or(std::vector<std::string>())) {
    auto uid = name.substr(name.rfind('_') + 1);
    if (!uids.contains(uid) && !busy.contains(uid)) (void)remove_tree(options.root / "logs" / name);
  }
}

void Node::Rep::pod_event(const kube::Event& event) {
  if (event.type == kube::Event::Type::deleted)
    pod_gone(event.object.uid());
  else
    pod_seen(event.object);
}

void Node::Rep::config_changed(const std::string& ns, const std::string& name) {
  (void)name;
  for (const auto& worker : list())
    if (worker->view().pod.ns() == ns) worker->refresh();
}

std::vector<Sight> Node::Rep::sights() {
  auto changed = [this](const kube::Event& event) { config_changed(event.object.ns(), event.object.name()); };
  auto ignore = [](const std::vector<kube::Object>&) {};
  return {
      {.type = pod_kind,
       .options =
           {.ns = {}, .label_selector = {}, .field_selector = "spec.nodeName=" + options.name, .resource_version = {}},
       .all = [this](const auto& pods) { all_pods(pods); },
       .event = [this](const auto& event) { pod_event(event); }},
      {.type = service_kind,
       .options = {},
       .all =
           [this](const auto& services) {
             shared.services.keep_services(keys_of(services));
             for (const auto& service : services) shared.services.service_changed(service);
           },
       .event =
           [this](const auto& event) {
             if (event.type == kube::Event::Type::deleted)
               shared.services.service_removed(event.object.key());
             else
               shared.services.service_changed(event.object);
           }},
      {.type = slice_kind,
       .options = {},
       .all =
           [this](const auto& slices) {
             shared.services.keep_slices(keys_of(slices));
             for (const auto& slice : slices) shared.services.slice_changed(slice);
           },
       .event =
           [this](const auto& event) {
             if (event.type == kube::Event::Type::deleted)
               shared.services.slice_removed(event.object);
             else
               shared.services.slice_changed(event.object);
           }},
      {.type = config_map_type, .options = {}, .all = ignore, .event = changed},
      {.type = secret_type, .options = {}, .all = ignore, .event = changed},
  };
}

void Node::Rep::start_dns() {
  auto text = read_file("/etc/resolv.conf").value_or("");
  shared.host_resolv = text;
  if (options.network == nullptr || options.dns_port < 0) return;
  auto server = DnsServer::start(
      shared.services,
      {.address = options.network->gateway_ip(), .port = options.dns_port, .upstream = read_resolv_conf(text).servers});
  if (!server) {
    LOG(error, "node.dns", {"error", server.error().what()});
    return;
  }
  dns = *std::move(server);
  shared.dns_server = options.network->gateway_ip();
}

Node::Node(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Node::~Node() {
  if (rep_ == nullptr) return;
  rep_->workers.clear();
  rep_->shared.pool.stop();
}

Result<std::unique_ptr<Node>> Node::open(std::shared_ptr<kube::Client> client, NodeOptions options) {
  if (options.runtime == nullptr) return fail(Kind::unavailable, "node {}: no container runtime", options.name);
  for (const char* part : {"pods", "logs", "claims"}) {
    TRY_OK_IN("node folder", make_dirs(options.root / part, 0711));
  }
  auto rep = std::make_unique<Rep>(std::move(client), std::move(options));
  TRY(auto survivors, rep->options.runtime->survivors());
  for (auto& id : survivors)
    if (id.starts_with(kContainerPrefix)) rep->shared.survivors.insert(std::move(id));
  auto fallback = rep->options.network != nullptr ? rep->options.network->gateway_ip() : std::string("127.0.0.1");
  rep->shared.facts = machine_facts(rep->options.name, fallback);
  return std::unique_ptr<Node>(new Node(std::move(rep)));
}

Result<> Node::run(const Ctx& ctx) {
  auto& rep = *rep_;
  {
    std::lock_guard lock(rep.mutex);
    rep.draining = false;
  }
  rep.start_dns();
  NodeDescription description{.name = rep.options.name,
                              .host_ip = rep.shared.facts.host_ip,
                              .runtime = rep.options.runtime->describe(),
                              .pod_cidr = {},
                              .facts = rep.shared.facts};
  for (Millis pause{100};; pause = std::min(pause * 2, Millis(5000))) {
    auto registered = register_node(ctx, *rep.client, description);
    if (registered) break;
    TRY_OK(ctx.alive());
    LOG(warn, "node.register", {"error", registered.error().what()});
    TRY_OK(sleep(ctx, pause));
  }
  // Services first, so that the first containers find them in their environment.
  auto sights = rep.sights();
  for (std::size_t i : {std::size_t{1}, std::size_t{2}})
    if (auto list = rep.client->list(ctx, sights[i].type, {})) sights[i].all(list->items);
  {
    std::vector<std::jthread> threads;
    for (const auto& sight : sights)
      threads.emplace_back([&ctx, &rep, &sight] { keep_in_sight(ctx, *rep.client, sight); });
  }
  std::map<std::string, std::shared_ptr<PodWorker>> workers;
  {
    std::lock_guard lock(rep.mutex);
    workers.swap(rep.workers);
  }
  workers.clear();  // the threads end, the containers do not
  rep.dns.reset();
  return ctx.alive();
}

Result<> Node::drain(const Ctx& ctx) {
  auto& rep = *rep_;
  {
    std::lock_guard lock(rep.mutex);
    rep.draining = true;
  }
  auto workers = rep.list();
  for (const auto& worker : workers) worker->end();
  for (const auto& worker : workers) TRY_OK(worker->wait_over(ctx));
  // Those of pods nobody watches any more (run has ended).
  TRY(auto left, rep.options.runtime->survivors());
  std::vector<std::unique_ptr<box::Container>> containers;
  for (const auto& id : left)
    if (id.starts_with(kContainerPrefix))
      if (auto container = rep.options.runtime->attach(id)) containers.push_back(*std::move(container));
  for (const auto& container : containers) (void)container->signal(SIGTERM);
  auto limited = ctx.within(kDrainGrace);
  for (const auto& container : containers) (void)container->wait(limited);
  for (const auto& container : containers) TRY_OK(container->destroy());
  return {};
}

Result<PodWorker::View> Node::Rep::find(const kube::Key& key) const {
  std::optional<PodWorker::View> best;
  for (const auto& worker : list()) {
    auto view = worker->view();
    if (view.pod && view.pod.key() == key && (!best || !view.pod.deleting())) best = std::move(view);
  }
  if (!best) return fail(Kind::not_found, "pod {} does not run on node {}", key.str(), options.name);
  return *std::move(best);
}

namespace {

// The container that is meant: named, or the annotated default, or the only one.
Result<PodWorker::View::Container> choose(const PodWorker::View& view, std::string name) {
  if (name.empty()) name = view.pod.annotation("kubectl.kubernetes.io/default-container");
  if (name.empty()) {
    auto mains = view.pod["spec"]["containers"].items();
    if (mains.size() != 1) {
      std::vector<std::string> names;
      for (auto c : mains) names.push_back(c["name"].str_or(""));
      return fail(Kind::invalid, "a container name must be specified for pod {}, choose one of: [{}]", view.pod.name(),
                  join(names, " "));
    }
    name = mains[0]["name"].str_or("");
  }
  for (const auto& container : view.containers)
    if (container.name == name) return container;
  return fail(Kind::invalid, "container {} is not valid for pod {}", name, view.pod.name());
}

}  // namespace

Result<> Node::logs(const Ctx& ctx, const kube::Key& pod, const LogOptions& options,
                    const std::function<bool(std::string_view)>& sink) {
  TRY(auto view, rep_->find(pod));
  TRY(auto container, choose(view, options.container));
  int attempt = container.attempt - (options.previous ? 1 : 0);
  auto file = rep_->shared.log_folder(view.pod) / container.name / fmt::format("{}.log", attempt);
  if (options.previous && attempt < 0)
    return fail(Kind::invalid, "previous terminated container \"{}\" in pod \"{}\" not found", container.name,
                view.pod.name());
  if (!path_exists(file)) {
    // Between two lives the last one's log is the log.
    auto last = rep_->shared.log_folder(view.pod) / container.name / fmt::format("{}.log", attempt - 1);
    if (!container.lived || options.previous || !path_exists(last))
      return fail(Kind::invalid, "container \"{}\" in pod \"{}\" is waiting to start", container.name, view.pod.name());
    file = last;
  }
  auto ended = [&] {
    auto now = rep_->find(pod);
    if (!now || now->pod.uid() != view.pod.uid()) return true;
    for (const auto& c : now->containers)
      if (c.name == container.name) return c.attempt != attempt || c.box == nullptr;
    return true;
  };
  return read_log(ctx, file, options, ended, sink);
}

Result<int> Node::exec(const Ctx& ctx, const kube::Key& pod, const ExecOptions& options) {
  TRY(auto view, rep_->find(pod));
  TRY(auto container, choose(view, options.container));
  if (container.box == nullptr)
    return fail(Kind::invalid, "container {} of pod {} does not run", container.name, pod.str());
  return container.box->exec(ctx, {.argv = options.command, .env = {}, .cwd = {}, .user = {}, .tty = options.tty},
                             {options.in, options.out, options.err});
}

namespace {

// Nothing: a container that should run does not, or was not seen long enough.
std::optional<PodUsage> measure(UsageMeter& meter, const PodWorker::View& view, WallTime now, Millis shortest) {
  PodUsage usage{.pod = view.pod.key(), .time = now, .window = {}, .containers = {}};
  bool whole = true;  // all are read, so that the next to ask finds them all
  for (const auto& wanted : containers_of(view.pod)) {
    if (wanted.role == Role::init) continue;
    auto running = std::find_if(view.containers.begin(), view.containers.end(),
                                [&](const auto& c) { return c.name == wanted.name && c.box != nullptr; });
    auto used = running == view.containers.end() ? std::nullopt : running->box->usage();
    auto rate = used ? meter.read(running->box->id(), used->cpu, running->started, now, shortest) : std::nullopt;
    whole = whole && rate;
    if (!rate) continue;
    usage.window = std::max(usage.window, rate->window);
    usage.containers.push_back({wanted.name, rate->nanos, used->memory_bytes});
  }
  if (!whole || usage.containers.empty()) return std::nullopt;
  return usage;
}

}  // namespace

Result<std::vector<PodUsage>> Node::usage(const Ctx& ctx, const std::string& ns, Millis shortest) {
  std::vector<PodUsage> all;
  auto now = ctx.clock->wall();
  for (const auto& worker : rep_->list()) {
    TRY_OK(ctx.alive());
    auto view = worker->view();
    if (!view.pod || (!ns.empty() && view.pod.ns() != ns)) continue;
    if (auto usage = measure(rep_->meter, view, now, shortest)) all.push_back(*std::move(usage));
  }
  rep_->meter.forget(now);
  return all;
}

Result<NodeUsage> Node::node_usage(const Ctx& ctx, Millis shortest) {
  TRY(auto used, machine_usage());
  auto now = ctx.clock->wall();
  auto rate = rep_->meter.read("", used.cpu, WallTime(), now, shortest);
  if (!rate) return fail(Kind::unavailable, "node {} was not looked at long enough", rep_->options.name);
  return NodeUsage{rep_->options.name, now, rate->window, rate->nanos, used.memory_bytes};
}

Result<Fd> Node::connect(const Ctx& ctx, const kube::Key& pod, int port) {
  TRY(auto view, rep_->find(pod));
  TRY(auto fd,
      view.netns.empty() ? connect_tcp(ctx, "127.0.0.1", port) : connect_inside(ctx, view.netns, "127.0.0.1", port));
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

}  // namespace slipway::cluster
