#include "cluster/api/addresses.h"

#include <arpa/inet.h>

#include "base/hash.h"
#include "base/text.h"
#include "cluster/api/kinds.h"

namespace slipway::cluster {
namespace {

std::optional<std::uint32_t> parse(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}
std::string print(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

constexpr std::int64_t first_port = 30000, last_port = 32767;
// The first addresses are for those who ask by number: .1 the API server, .10 DNS.
constexpr std::uint32_t reserved = 16;

bool wants_ports(std::string_view type) { return type == "NodePort" || type == "LoadBalancer"; }

}  // namespace

Addresses::Addresses(std::string cidr) {
  auto parts = cut(cidr, "/");
  auto bits = parts ? to_int(parts->second).value_or(16) : 16;
  base_ = parse(std::string(parts ? parts->first : cidr)).value_or(0x0A600000);
  size_ = bits >= 8 && bits <= 28 ? 1u << (32 - bits) : 1u << 16;
  next_ = reserved;
}

std::string Addresses::first() const { return print(base_ + 1); }

void Addresses::take(const kube::Object& service) {
  std::lock_guard hold(mutex_);
  if (auto ip = parse(service["spec"]["clusterIP"].text())) used_.insert(*ip);
  for (const auto& port : service["spec"]["ports"].items())
    if (auto n = port["nodePort"].num_or(0); n != 0) ports_.insert(n);
}

void Addresses::release(const kube::Object& service) {
  std::lock_guard hold(mutex_);
  if (auto ip = parse(service["spec"]["clusterIP"].text())) used_.erase(*ip);
  for (const auto& port : service["spec"]["ports"].items()) ports_.erase(port["nodePort"].num_or(0));
}

ApiResult<> Addresses::address(const KindInfo& kind, doc::Value& service, const std::string& kept) {
  auto name = service.str_at({"metadata", "name"});
  auto& spec = service["spec"];
  auto asked = spec.str_at({"clusterIP"});
  if (asked.empty()) asked = kept;
  if (asked == "None") {
    spec["clusterIP"] = "None";
    spec["clusterIPs"] = doc::List{"None"};
    return {};
  }
  std::uint32_t ip = 0;
  if (!asked.empty()) {
    auto parsed = parse(asked);
    auto wrong = [&](std::string why) {
      return ApiFail(
          invalid(kind, name,
                  {{"FieldValueInvalid", fmt::format("Invalid value: \"{}\": {}", asked, why), "spec.clusterIPs"}}));
    };
    if (!parsed || *parsed <= base_ || *parsed >= base_ + size_ - 1)
      return wrong(
          fmt::format("the provided IP is not in the valid range {}/{}", print(base_), 32 - std::countr_zero(size_)));
    ip = *parsed;
    if (asked != kept && !used_.insert(ip).second) return wrong("provided IP is already allocated");
  } else {
    for (std::uint32_t tries = 0; tries < size_ && ip == 0; ++tries) {
      auto candidate = base_ + next_;
      if (++next_ >= size_ - 1) next_ = reserved;
      if (used_.insert(candidate).second) ip = candidate;
    }
    if (ip == 0) return ApiFail(ApiError(500, "InternalError", "failed to allocate a cluster IP: the range is full"));
  }
  spec["clusterIP"] = print(ip);
  spec["clusterIPs"] = doc::List{print(ip)};
  return {};
}

ApiResult<> Addresses::ports(const KindInfo& kind, doc::Value& service, const kube::Object& before) {
  auto name = service.str_at({"metadata", "name"});
  auto* list = service["spec"].map().find("ports");
  if (list == nullptr || !list->is_list()) return {};
  std::set<std::int64_t> kept;
  for (const auto& port : before["spec"]["ports"].items()) kept.insert(port["nodePort"].num_or(0));
  std::size_t index = 0;
  for (auto& port : list->list()) {
    auto field = fmt::format("spec.ports[{}].nodePort", index++);
    auto asked = doc::View(port)["nodePort"].num_or(0);
    // A port that only lost its number (an update by somebody who does not know it) keeps it.
    if (asked == 0)
      for (const auto& old : before["spec"]["ports"].items())
        if (old["port"].num_or(0) == doc::View(port)["port"].num_or(-1) &&
            old["protocol"].str_or("TCP") == doc::View(port)["protocol"].str_or("TCP"))
          asked = old["nodePort"].num_or(0);
    if (asked != 0) {
      if (asked < first_port || asked > last_port)
        return ApiFail(invalid(
            kind, name,
            {{"FieldValueInvalid",
              fmt::format(
                  "Invalid value: {}: provided port is not in the valid range. The range of valid ports is {}-{}",
                  asked, first_port, last_port),
              field}}));
      if (!kept.contains(asked) && !ports_.insert(asked).second)
        return ApiFail(invalid(kind, name,
                               {{"FieldValueInvalid",
                                 fmt::format("Invalid value: {}: provided port is already allocated", asked), field}}));
      port["nodePort"] = asked;
      continue;
    }
    auto bytes = random_bytes(2);
    auto start = (static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1])) %
                 (last_port - first_port + 1);
    for (std::int64_t i = 0; i <= last_port - first_port && asked == 0; ++i) {
      auto candidate = first_port + (start + i) % (last_port - first_port + 1);
      if (ports_.insert(candidate).second) asked = candidate;
    }
    if (asked == 0) return ApiFail(ApiError(500, "InternalError", "failed to allocate a nodePort: the range is full"));
    port["nodePort"] = asked;
  }
  return {};
}

ApiResult<> Addresses::allocate(const KindInfo& kind, doc::Value& service, const kube::Object& before) {
  std::lock_guard hold(mutex_);
  auto type = service.str_at({"spec", "type"});
  if (type == "ExternalName") {
    service["spec"].map().erase("clusterIP");
    service["spec"].map().erase("clusterIPs");
    return {};
  }
  API_TRY_OK(address(kind, service, before["spec"]["clusterIP"].text()));
  if (wants_ports(type)) API_TRY_OK(ports(kind, service, before));
  return {};
}

}  // namespace slipway::cluster
