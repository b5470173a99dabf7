#include "box/detail/rules.h"

#include <nftables/libnftables.h>

#include "base/hash.h"
#include "base/text.h"
#include "box/detail/netlink.h"

namespace slipway::box {
namespace {

std::string chain_of(const ServiceRule& rule, const ServicePort& port) {
  return "svc_" + sha256_hex(fmt::format("{} {} {}", rule.id, port.protocol, port.port)).substr(0, 16);
}

bool served(const ServicePort& port) { return !port.endpoints.empty(); }

std::string service_element(const ServiceRule& rule, const ServicePort& port) {
  return fmt::format("{} . {} . {}", rule.cluster_ip, port.protocol, port.port);
}

std::string destination(const ServicePort& port) {
  if (port.endpoints.size() == 1)
    return fmt::format("meta l4proto {} dnat to {}:{}", port.protocol, port.endpoints[0].first,
                       port.endpoints[0].second);
  std::string map;
  for (std::size_t i = 0; i < port.endpoints.size(); ++i)
    map += fmt::format("{}{} : {} . {}", i == 0 ? "" : ", ", i, port.endpoints[i].first, port.endpoints[i].second);
  return fmt::format("meta l4proto {} dnat ip addr . port to numgen random mod {} map {{ {} }}", port.protocol,
                     port.endpoints.size(), map);
}

// Adds what the rule asks for; chains that are there already must have been flushed.
void add_service(std::string& text, const RuleNames& names, const ServiceRule& rule) {
  for (const auto& port : rule.ports) {
    if (!served(port)) continue;
    auto chain = chain_of(rule, port);
    text += fmt::format("add chain ip {} {}\nadd rule ip {} {} {}\n", names.table, chain, names.table, chain,
                        destination(port));
    if (!rule.cluster_ip.empty())
      text += fmt::format("add element ip {} services {{ {} : goto {} }}\n", names.table, service_element(rule, port),
                          chain);
    if (port.node_port > 0)
      text += fmt::format("add element ip {} node_ports {{ {} . {} : goto {} }}\n", names.table, port.protocol,
                          port.node_port, chain);
  }
}

void remove_service(std::string& text, const RuleNames& names, const ServiceRule& rule) {
  for (const auto& port : rule.ports) {
    if (!served(port)) continue;
    if (!rule.cluster_ip.empty())
      text += fmt::format("delete element ip {} services {{ {} }}\n", names.table, service_element(rule, port));
    if (port.node_port > 0)
      text +=
          fmt::format("delete element ip {} node_ports {{ {} . {} }}\n", names.table, port.protocol, port.node_port);
  }
  for (const auto& port : rule.ports)
    if (served(port))
      text += fmt::format("flush chain ip {} {}\ndelete chain ip {} {}\n", names.table, chain_of(rule, port),
                          names.table, chain_of(rule, port));
}

constexpr std::string_view kTable = R"(add table ip @T
delete table ip @T
table ip @T {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  map node_ports { type inet_proto . inet_service : verdict; }
  set self { type ipv4_addr . ipv4_addr; }
  chain prerouting_nat {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local meta l4proto . th dport vmap @node_ports
  }
  chain output_nat {
    type nat hook output priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local meta l4proto . th dport vmap @node_ports
  }
  chain postrouting_nat {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr . ip daddr @self masquerade
    ip saddr 127.0.0.0/8 oifname "@B" masquerade
    ip saddr @P ip daddr != @P oifname != "@B" masquerade
  }
  chain forward_filter {
    type filter hook forward priority filter; policy accept;
    ip daddr @S meta l4proto tcp reject with tcp reset
    ip daddr @S reject
  }
  chain output_filter {
    type filter hook output priority filter; policy accept;
    oifname "@B" icmp type redirect drop
    oifname "@B" ip daddr @S meta l4proto tcp reject with tcp reset
    oifname "@B" ip daddr @S reject
  }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname "@B" ip daddr 127.0.0.0/8 drop
  }
}
)";

}  // namespace

std::string table_text(const RuleNames& names, const std::vector<ServiceRule>& services,
                       const std::set<std::string>& pod_ips) {
  auto text = replace_all(std::string(kTable), "@T", names.table);
  text = replace_all(std::move(text), "@B", names.bridge);
  text = replace_all(std::move(text), "@P", names.pod_cidr);
  text = replace_all(std::move(text), "@S", names.service_cidr);
  for (const auto& ip : pod_ips) text += pod_text(names, ip, true);
  for (const auto& service : services) add_service(text, names, service);
  return text;
}

std::string service_text(const RuleNames& names, const ServiceRule& before, const ServiceRule& after) {
  std::string text;
  remove_service(text, names, before);
  add_service(text, names, after);
  return text;
}

std::string pod_text(const RuleNames& names, const std::string& ip, bool add) {
  return fmt::format("{} element ip {} self {{ {} . {} }}\n", add ? "add" : "delete", names.table, ip, ip);
}

Result<> check(const ServiceRule& rule) {
  auto port_fine = [](int port) { return port > 0 && port < 65536; };
  if (!rule.cluster_ip.empty()) {
    TRY_OK_IN("service " + rule.id, parse_ip(rule.cluster_ip));
  }
  for (const auto& port : rule.ports) {
    if (port.protocol != "tcp" && port.protocol != "udp" && port.protocol != "sctp")
      return fail(Kind::invalid, "service {}: protocol \"{}\", want tcp, udp or sctp", rule.id, port.protocol);
    if (!port_fine(port.port) || port.node_port < 0 || port.node_port > 65535)
      return fail(Kind::invalid, "service {}: port {} or node port {} out of range", rule.id, port.port,
                  port.node_port);
    for (const auto& [ip, number] : port.endpoints) {
      TRY_OK_IN("service " + rule.id, parse_ip(ip));
      if (!port_fine(number)) return fail(Kind::invalid, "service {}: endpoint port {} out of range", rule.id, number);
    }
  }
  return {};
}

Result<std::unique_ptr<Nft>> Nft::open() {
  std::unique_ptr<Nft> nft(new Nft());
  nft->ctx_ = ::nft_ctx_new(NFT_CTX_DEFAULT);
  if (nft->ctx_ == nullptr) return fail(Kind::unavailable, "nftables: cannot open a context");
  ::nft_ctx_buffer_output(nft->ctx_);
  ::nft_ctx_buffer_error(nft->ctx_);
  return nft;
}

Nft::~Nft() {
  if (ctx_ != nullptr) ::nft_ctx_free(ctx_);
}

Result<> Nft::run(const std::string& text) {
  if (text.empty()) return {};
  std::lock_guard lock(mutex_);
  if (::nft_run_cmd_from_buffer(ctx_, text.c_str()) == 0) {
    (void)::nft_ctx_get_output_buffer(ctx_);  // reading is what empties it
    return {};
  }
  std::string message(trim(::nft_ctx_get_error_buffer(ctx_)));
  (void)::nft_ctx_get_output_buffer(ctx_);
  auto first = lines(message).empty() ? std::string("no message") : std::string(lines(message)[0]);
  if (message.contains("Operation not permitted"))
    return fail(Kind::denied, "nftables: {}: programming the node's network needs CAP_NET_ADMIN", first);
  return Fail(Error(Kind::unavailable, fmt::format("nftables: {}", first))
                  .with_hint("the kernel needs nf_tables with nat, numgen, fib and reject (modprobe nft_chain_nat "
                             "nft_numgen nft_fib_ipv4 nft_reject_ipv4)"));
}

}  // namespace slipway::box
