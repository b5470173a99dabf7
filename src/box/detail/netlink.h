#pragma once
// The few rtnetlink requests a pod network needs. Addresses are IPv4 in network byte order.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace slipway::box {

// One socket in the network namespace of the thread that opened it. Threads: one.
class Netlink {
 public:
  static Result<Netlink> open();

  Result<> add_bridge(const std::string& name, const std::string& mac);  // there already: fine
  // A pair: `name` here as a port of the bridge and up, `peer` born inside `netns`.
  Result<> add_veth(const std::string& name, int bridge, const std::string& peer, int netns);
  // Lets a port send back what came from it.
  Result<> set_hairpin(int index);
  Result<> remove_link(const std::string& name);  // absent: fine
  Result<> set_up(int index);
  Result<> add_address(int index, std::uint32_t address, int prefix);
  struct Route {
    std::uint32_t to = 0;
    int prefix = 0;  // 0: the default route
    std::uint32_t via = 0, source = 0;
    int index = 0;
  };
  Result<> add_route(const Route& route);

 private:
  explicit Netlink(Fd fd) : fd_(std::move(fd)) {}
  Result<> send(std::string message, std::string_view doing);
  Fd fd_;
  std::uint32_t sequence_ = 0;
};

// The index of a link of this thread's namespace, 0 when there is none.
int link_index(const std::string& name);

// "10.244.0.0/16". Errors: invalid.
struct Cidr {
  std::uint32_t base = 0;  // host byte order
  int prefix = 0;
  std::uint32_t size() const { return prefix == 0 ? 0 : std::uint32_t{1} << (32 - prefix); }
  bool contains(std::uint32_t address) const {
    return prefix == 0 || (address >> (32 - prefix)) == (base >> (32 - prefix));
  }
};
Result<Cidr> parse_cidr(std::string_view text);
std::string print_ip(std::uint32_t host_order);
Result<std::uint32_t> parse_ip(std::string_view text);  // host byte order

}  // namespace slipway::box
