#include "box/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <thread>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "box/detail/netlink.h"
#include "box/detail/rules.h"

namespace slipway::box {
namespace {

constexpr long kNsfsMagic = 0x6e736673;

bool pinned(const fs::path& path) {
  struct statfs st{};
  return ::statfs(path.c_str(), &st) == 0 && st.f_type == kNsfsMagic;
}

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= 200 && id[0] != '.' && id.find_first_of("/\n") == std::string_view::npos;
}

// A setting of /proc/sys in this thread's network namespace.
Result<> set(const std::string& name, std::string_view value) {
  auto path = "/proc/sys/net/ipv4/" + name;
  if (auto now = read_file(path); now && trim(*now) == value) return {};
  Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, path);
  return write_all(fd.get(), value);
}

struct Inside {
  std::uint32_t ip, gateway;
};

// In a thread of its own, which ends in the new namespace: makes it, pins it at `pin`, links it to the bridge.
Result<> build_namespace(const fs::path& pin, const std::string& link, int bridge, Netlink& host,
                         const Inside& inside) {
  if (::unshare(CLONE_NEWNET) < 0) return fail_errno(errno, "make a network namespace");
  auto self = fmt::format("/proc/self/task/{}/ns/net", ::syscall(SYS_gettid));
  Fd file(::open(pin.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, pin.string());
  if (::mount(self.c_str(), pin.c_str(), nullptr, MS_BIND, nullptr) < 0)
    return fail_errno(errno, fmt::format("pin {}", pin.string()));
  Fd ns(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns) return fail_errno(errno, self);
  // A hairpin port sends its own duplicate-address probe back: no probes.
  (void)set("../ipv6/conf/default/accept_dad", "0");
  TRY_OK(host.add_veth(link, bridge, "eth0", ns.get()));
  TRY(auto netlink, Netlink::open());
  TRY_OK(netlink.set_up(1));  // lo
  int eth0 = link_index("eth0");
  // A prefix of 32: pods reach each other through the host, where services are translated back.
  TRY_OK(netlink.add_address(eth0, htonl(inside.ip), 32));
  TRY_OK(netlink.set_up(eth0));
  TRY_OK(netlink.add_route({.to = htonl(inside.gateway), .prefix = 32, .index = eth0}));
  TRY_OK(netlink.add_route({.via = htonl(inside.gateway), .index = eth0}));
  // As container runtimes do: port 80 and ping need no capability inside a pod.
  TRY_OK(set("ip_unprivileged_port_start", "0"));
  return set("ping_group_range", "0\t2147483647");
}

class BridgeNetwork final : public NodeNetwork {
 public:
  static Result<std::unique_ptr<NodeNetwork>> open(NetworkOptions options);
  Result<PodNetwork> add_pod(const std::string& id) override;
  Result<> remove_pod(const std::string& id) override;
  Result<std::vector<std::string>> pods() const override;
  Result<> set_service(const ServiceRule& rule) override;
  Result<> remove_service(const std::string& id) override {
    return set_service(ServiceRule{.id = id, .cluster_ip = {}, .ports = {}});
  }
  std::string gateway_ip() const override { return print_ip(gateway_); }
  Result<> tear_down() override;

 private:
  explicit BridgeNetwork(NetworkOptions options) : options_(std::move(options)) {}
  Result<> set_up_bridge();
  Result<> recover();
  Result<std::uint32_t> allocate();
  Result<> drop(const std::string& id);
  std::string link_of(const std::string& id) const {
    return "sw" + sha256_hex(options_.bridge + " " + id).substr(0, 12);
  }
  fs::path pin(const std::string& id) const { return options_.state / "netns" / id; }
  fs::path record(const std::string& id) const { return options_.state / "pods" / id; }
  fs::path service_file(const std::string& id) const {
    return options_.state / "services" / sha256_hex(id).substr(0, 24);
  }
  PodNetwork describe(const std::string& id, std::uint32_t ip) const {
    return {print_ip(ip), print_ip(gateway_), "eth0", pin(id)};
  }

  NetworkOptions options_;
  RuleNames names_;
  Cidr pod_cidr_, service_cidr_;
  std::uint32_t gateway_ = 0;
  int bridge_ = 0;
  std::unique_ptr<Nft> nft_;
  mutable std::mutex mutex_;  // guards all below and the order of rule changes
  std::map<std::string, std::uint32_t> pods_;
  std::set<std::uint32_t> used_;
  std::uint32_t next_ = 0;
  std::map<std::string, ServiceRule> services_;
};

// One line a port, so that a restarted node serves at once what the last one served.
std::string print(const ServiceRule& rule) {
  auto text = fmt::format("{}\n{}\n", rule.id, rule.cluster_ip);
  for (const auto& port : rule.ports) {
    text += fmt::format("{} {} {}", port.protocol, port.port, port.node_port);
    for (const auto& [ip, number] : port.endpoints) text += fmt::format(" {}:{}", ip, number);
    text += '\n';
  }
  return text;
}

std::optional<ServiceRule> parse(std::string_view text) {
  auto all = lines(text);
  if (all.size() < 2) return std::nullopt;
  ServiceRule rule{.id = std::string(all[0]), .cluster_ip = std::string(all[1]), .ports = {}};
  for (std::size_t i = 2; i < all.size(); ++i) {
    auto words = split(all[i], ' ');
    if (words.size() < 3) return std::nullopt;
    ServicePort port{.protocol = std::string(words[0]),
                     .port = static_cast<int>(to_int(words[1]).value_or(0)),
                     .node_port = static_cast<int>(to_int(words[2]).value_or(0)),
                     .endpoints = {}};
    for (std::size_t w = 3; w < words.size(); ++w)
      if (auto end = cut(words[w], ":"))
        port.endpoints.emplace_back(end->first, static_cast<int>(to_int(end->second).value_or(0)));
    rule.ports.push_back(std::move(port));
  }
  if (!check(rule)) return std::nullopt;
  return rule;
}

Result<std::unique_ptr<NodeNetwork>> BridgeNetwork::open(NetworkOptions options) {
  if (options.bridge.empty() || options.bridge.size() > 15 ||
      options.bridge.find_first_of(" /\"\\") != std::string::npos)
    return fail(Kind::invalid, "bridge name \"{}\": want 1 to 15 characters without blanks and slashes",
                options.bridge);
  if (options.state.empty()) return fail(Kind::invalid, "node network: no state folder given");
  std::unique_ptr<BridgeNetwork> network(new BridgeNetwork(std::move(options)));
  const auto& o = network->options_;
  TRY(network->pod_cidr_, parse_cidr(o.pod_cidr));
  TRY(network->service_cidr_, parse_cidr(o.service_cidr));
  network->gateway_ = network->pod_cidr_.base + 1;
  std::string table = "slipway_";
  for (char c : o.bridge) table += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  network->names_ = {table, o.bridge, o.pod_cidr, o.service_cidr};
  for (const char* part : {"netns", "pods", "services"}) {
    TRY_OK(make_dirs(o.state / part, 0700));
  }
  TRY_OK_IN("node network", network->set_up_bridge());
  TRY(network->nft_, Nft::open());
  TRY_OK_IN("node network", network->recover());
  return std::unique_ptr<NodeNetwork>(std::move(network));
}

Result<> BridgeNetwork::set_up_bridge() {
  TRY(auto netlink, Netlink::open());
  auto mac = "\x02" + Digest::of(options_.bridge).str().substr(7, 5);
  TRY_OK(netlink.add_bridge(options_.bridge, mac));
  bridge_ = link_index(options_.bridge);
  TRY_OK(netlink.add_address(bridge_, htonl(gateway_), pod_cidr_.prefix));
  TRY_OK(netlink.set_up(bridge_));
  // Without a route a connection of the host to a service address fails before it is translated.
  TRY_OK(netlink.add_route(
      {.to = htonl(service_cidr_.base), .prefix = service_cidr_.prefix, .source = htonl(gateway_), .index = bridge_}));
  TRY_OK(set("ip_forward", "1"));
  // 127.0.0.1:nodePort leaves by the bridge; the table's guard chain keeps the other way shut.
  return set(fmt::format("conf/{}/route_localnet", options_.bridge), "1");
}

Result<> BridgeNetwork::recover() {
  TRY(auto ids, list_dir(options_.state / "pods"));
  for (const auto& id : ids) {
    auto ip = parse_ip(trim(read_file(record(id)).value_or("")));
    if (ip && pinned(pin(id)) && pod_cidr_.contains(*ip)) {
      pods_[id] = *ip;
      used_.insert(*ip);
    } else {
      TRY_OK(drop(id));  // half made, or of a former boot
    }
  }
  TRY(auto pins, list_dir(options_.state / "netns"));
  for (const auto& id : pins)
    if (!pods_.contains(id)) {
      TRY_OK(drop(id));
    }
  TRY(auto files, list_dir(options_.state / "services"));
  for (const auto& file : files)
    if (auto rule = parse(read_file(options_.state / "services" / file).value_or(""))) services_[rule->id] = *rule;
  std::vector<ServiceRule> rules;
  for (const auto& [id, rule] : services_) rules.push_back(rule);
  std::set<std::string> ips;
  for (auto ip : used_) ips.insert(print_ip(ip));
  return nft_->run(table_text(names_, rules, ips));
}

// The next free address after the last one given, so that one is not reused while peers may still remember it.
Result<std::uint32_t> BridgeNetwork::allocate() {
  auto size = pod_cidr_.size();
  for (std::uint32_t tried = 0; tried < size; ++tried) {
    next_ = next_ + 1 >= size - 1 ? 2 : std::max<std::uint32_t>(2, next_ + 1);
    auto ip = pod_cidr_.base + next_;
    if (used_.insert(ip).second) return ip;
  }
  return fail(Kind::unavailable, "pod network {}: no free address, {} in use", options_.pod_cidr, used_.size());
}

Result<PodNetwork> BridgeNetwork::add_pod(const std::string& id) {
  if (!valid_id(id)) return fail(Kind::invalid, "pod network id \"{}\": want a file name", id);
  std::uint32_t ip = 0;
  {
    std::lock_guard lock(mutex_);
    if (auto found = pods_.find(id); found != pods_.end()) return describe(id, found->second);
    TRY(ip, allocate());
    pods_[id] = ip;
  }
  auto build = [&]() -> Result<> {
    TRY_OK(write_file(record(id), print_ip(ip) + "\n"));
    TRY(auto netlink, Netlink::open());
    Result<> built;
    std::thread([&] { built = build_namespace(pin(id), link_of(id), bridge_, netlink, {ip, gateway_}); }).join();
    TRY_OK(std::move(built));
    // Where br_netfilter is loaded, a pod that reaches itself through a service is turned around in the bridge.
    TRY_OK(netlink.set_hairpin(link_index(link_of(id))));
    return nft_->run(pod_text(names_, print_ip(ip), true));
  };
  if (auto built = build(); !built) {
    (void)drop(id);
    std::lock_guard lock(mutex_);
    pods_.erase(id);
    used_.erase(ip);
    return Fail(std::move(built).error().in(fmt::format("network of pod {}", id)));
  }
  return describe(id, ip);
}

Result<> BridgeNetwork::drop(const std::string& id) {
  TRY(auto netlink, Netlink::open());
  TRY_OK(netlink.remove_link(link_of(id)));
  ::umount2(pin(id).c_str(), MNT_DETACH);
  ::unlink(pin(id).c_str());
  ::unlink(record(id).c_str());
  return {};
}

Result<> BridgeNetwork::remove_pod(const std::string& id) {
  if (!valid_id(id)) return fail(Kind::invalid, "pod network id \"{}\": want a file name", id);
  std::uint32_t ip = 0;
  {
    std::lock_guard lock(mutex_);
    auto found = pods_.find(id);
    if (found == pods_.end()) return {};
    ip = found->second;
  }
  TRY_OK(drop(id));
  auto done = nft_->run(pod_text(names_, print_ip(ip), false));
  std::lock_guard lock(mutex_);
  pods_.erase(id);
  used_.erase(ip);
  return done;
}

Result<std::vector<std::string>> BridgeNetwork::pods() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, ip] : pods_) ids.push_back(id);
  return ids;
}

Result<> BridgeNetwork::set_service(const ServiceRule& rule) {
  TRY_OK(check(rule));
  std::lock_guard lock(mutex_);
  auto found = services_.find(rule.id);
  auto before = found == services_.end() ? ServiceRule{.id = rule.id, .cluster_ip = {}, .ports = {}} : found->second;
  auto text = print(rule);
  if (print(before) == text) return {};
  TRY_OK_IN(fmt::format("service {}", rule.id), nft_->run(service_text(names_, before, rule)));
  if (rule.ports.empty()) {
    services_.erase(rule.id);
    ::unlink(service_file(rule.id).c_str());
    return {};
  }
  services_[rule.id] = rule;
  return write_file(service_file(rule.id), text);
}

Result<> BridgeNetwork::tear_down() {
  TRY(auto ids, pods());
  for (const auto& id : ids) {
    TRY_OK(remove_pod(id));
  }
  std::lock_guard lock(mutex_);
  services_.clear();
  TRY_OK(nft_->run(fmt::format("add table ip {}\ndelete table ip {}\n", names_.table, names_.table)));
  TRY(auto netlink, Netlink::open());
  TRY_OK(netlink.remove_link(options_.bridge));
  for (const char* part : {"netns", "pods", "services"}) {
    TRY_OK(remove_tree(options_.state / part));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<NodeNetwork>> NodeNetwork::open(NetworkOptions options) {
  return BridgeNetwork::open(std::move(options));
}

}  // namespace slipway::box
