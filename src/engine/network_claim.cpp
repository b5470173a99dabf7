#include "engine/network_claim.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <unistd.h>

#include "base/text.h"

namespace slipway::engine {
namespace {

std::optional<std::uint32_t> number_of(std::string_view address) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, std::string(address).c_str(), &parsed) != 1) return std::nullopt;
  return ntohl(parsed.s_addr);
}

struct Other {
  std::string interface, address;
};

// Addresses of this host's other interfaces.
std::vector<Other> others(const std::string& bridge) {
  std::vector<Other> list;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return list;
  for (const auto* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET || one->ifa_name == bridge) continue;
    char text[INET_ADDRSTRLEN];
    sockaddr_in address;
    std::memcpy(&address, one->ifa_addr, sizeof address);
    if (::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text) != nullptr) list.push_back({one->ifa_name, text});
  }
  ::freeifaddrs(all);
  return list;
}

}  // namespace

bool in_range(std::string_view address, std::string_view cidr) {
  auto parts = cut(cidr, "/");
  auto base = parts ? number_of(parts->first) : std::nullopt, given = number_of(address);
  auto bits = parts ? to_int(parts->second) : std::nullopt;
  if (!base || !given || !bits || *bits < 1 || *bits > 32) return false;
  return (*base ^ *given) >> (32 - *bits) == 0;
}

Result<std::unique_ptr<FileLock>> claim_network(const Settings& settings) {
  if (::geteuid() != 0 || ::access("/run", W_OK) != 0 || settings.bridge.contains('/'))
    return std::unique_ptr<FileLock>();
  auto lock = FileLock::take(fs::path("/run") / fmt::format("slipway-{}.lock", settings.bridge));
  if (!lock && lock.error().is(Kind::conflict))
    return Fail(Error(Kind::unavailable,
                      fmt::format("--bridge {}: another slipway on this host uses this bridge", settings.bridge))
                    .with_hint("give this one a network of its own: --bridge slipway1 --pod-cidr 10.242.0.0/16 "
                               "--service-cidr 10.98.0.0/16"));
  if (!lock) return Fail(std::move(lock).error().in("claim the pod network").as(Kind::unavailable));
  for (const auto& [interface, address] : others(settings.bridge)) {
    for (const auto& [option, range] :
         {std::pair("--pod-cidr", settings.pod_cidr), std::pair("--service-cidr", settings.service_cidr)})
      if (in_range(address, range))
        return Fail(
            Error(Kind::unavailable,
                  fmt::format("{} {}: {} has the address {} of this range", option, range, interface, address))
                .with_hint(fmt::format(
                    "choose another range, or if a stopped slipway left {} there: slipway down --data DIR --bridge {}",
                    interface, interface)));
  }
  return std::make_unique<FileLock>(*std::move(lock));
}

}  // namespace slipway::engine
