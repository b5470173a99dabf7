#include "box/detail/netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace slipway::box {
namespace {

// A netlink message built front to back; attributes nest.
class Message {
 public:
  template <class Header>
  Message(std::uint16_t type, std::uint16_t flags, const Header& header) {
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    raw(&head, sizeof head);
    raw(&header, sizeof header);
  }
  void raw(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
  }
  void put(std::uint16_t type, const void* data, std::size_t size) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
    bytes_.append(reinterpret_cast<const char*>(&attribute), sizeof attribute);
    raw(data, size);
  }
  void put(std::uint16_t type, const std::string& text) { put(type, text.c_str(), text.size() + 1); }
  void put(std::uint16_t type, std::uint32_t number) { put(type, &number, sizeof number); }
  std::size_t begin(std::uint16_t type) {
    std::size_t at = bytes_.size();
    put(type, nullptr, 0);
    return at;
  }
  void end(std::size_t at) {
    auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  std::string take() {
    auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

}  // namespace

Result<Netlink> Netlink::open() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return fail_errno(errno, "open a netlink socket");
  return Netlink(std::move(fd));
}

Result<> Netlink::send(std::string message, std::string_view doing) {
  auto* head = reinterpret_cast<nlmsghdr*>(message.data());
  head->nlmsg_seq = ++sequence_;
  if (::send(fd_.get(), message.data(), message.size(), 0) < 0) return fail_errno(errno, doing);
  alignas(nlmsghdr) char buffer[8192];
  for (;;) {
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, doing);
    auto size = static_cast<unsigned>(n);
    for (auto* reply = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(reply, size); reply = NLMSG_NEXT(reply, size)) {
      if (reply->nlmsg_seq != sequence_ || reply->nlmsg_type != NLMSG_ERROR) continue;
      int error = -static_cast<nlmsgerr*>(NLMSG_DATA(reply))->error;
      if (error == 0) return {};
      return fail_errno(error, doing);
    }
  }
}

Result<> Netlink::add_bridge(const std::string& name, const std::string& mac) {
  if (link_index(name) != 0) return {};
  Message m(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  m.put(IFLA_IFNAME, name);
  // Fixed: else it follows the lowest port's and pods lose their gateway when ports come and go.
  m.put(IFLA_ADDRESS, mac.data(), mac.size());
  auto info = m.begin(IFLA_LINKINFO);
  m.put(IFLA_INFO_KIND, "bridge", 6);
  m.end(info);
  return send(m.take(), fmt::format("make bridge {}", name));
}

Result<> Netlink::add_veth(const std::string& name, int bridge, const std::string& peer, int netns) {
  ifinfomsg up{};
  up.ifi_flags = IFF_UP, up.ifi_change = IFF_UP;
  Message m(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
  m.put(IFLA_IFNAME, name);
  m.put(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  auto info = m.begin(IFLA_LINKINFO);
  m.put(IFLA_INFO_KIND, "veth", 4);
  auto data = m.begin(IFLA_INFO_DATA);
  auto other = m.begin(VETH_INFO_PEER);
  ifinfomsg empty{};
  m.raw(&empty, sizeof empty);
  m.put(IFLA_IFNAME, peer);
  m.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  m.end(other);
  m.end(data);
  m.end(info);
  return send(m.take(), fmt::format("make link {}", name));
}

Result<> Netlink::set_hairpin(int index) {
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE, header.ifi_index = index;
  Message m(RTM_SETLINK, 0, header);
  auto port = m.begin(IFLA_PROTINFO | NLA_F_NESTED);
  std::uint8_t on = 1;
  m.put(IFLA_BRPORT_MODE, &on, sizeof on);
  m.end(port);
  return send(m.take(), fmt::format("set link {} to hairpin", index));
}

Result<> Netlink::remove_link(const std::string& name) {
  Message m(RTM_DELLINK, 0, ifinfomsg{});
  m.put(IFLA_IFNAME, name);
  auto done = send(m.take(), fmt::format("remove link {}", name));
  if (!done && link_index(name) == 0) return {};
  return done;
}

Result<> Netlink::set_up(int index) {
  ifinfomsg header{};
  header.ifi_index = index, header.ifi_flags = IFF_UP, header.ifi_change = IFF_UP;
  return send(Message(RTM_NEWLINK, 0, header).take(), fmt::format("set link {} up", index));
}

Result<> Netlink::add_address(int index, std::uint32_t address, int prefix) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET, header.ifa_prefixlen = static_cast<std::uint8_t>(prefix);
  header.ifa_index = static_cast<std::uint32_t>(index);
  Message m(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
  m.put(IFA_LOCAL, address);
  m.put(IFA_ADDRESS, address);
  return send(m.take(), fmt::format("give link {} its address", index));
}

Result<> Netlink::add_route(const Route& route) {
  rtmsg header{};
  header.rtm_family = AF_INET, header.rtm_dst_len = static_cast<std::uint8_t>(route.prefix);
  header.rtm_table = RT_TABLE_MAIN, header.rtm_protocol = RTPROT_STATIC, header.rtm_type = RTN_UNICAST;
  header.rtm_scope = route.via != 0 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  Message m(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, header);
  if (route.prefix > 0) m.put(RTA_DST, route.to);
  if (route.via != 0) m.put(RTA_GATEWAY, route.via);
  if (route.source != 0) m.put(RTA_PREFSRC, route.source);
  m.put(RTA_OIF, static_cast<std::uint32_t>(route.index));
  return send(m.take(), "add a route");
}

int link_index(const std::string& name) { return static_cast<int>(::if_nametoindex(name.c_str())); }

Result<Cidr> parse_cidr(std::string_view text) {
  auto parts = cut(text, "/");
  auto prefix = parts ? to_int(parts->second) : std::nullopt;
  if (!prefix || *prefix < 8 || *prefix > 30)
    return fail(Kind::invalid, "network \"{}\": want an IPv4 range like 10.244.0.0/16", text);
  TRY(auto base, parse_ip(parts->first));
  auto mask = ~std::uint32_t{0} << (32 - *prefix);
  return Cidr{base & mask, static_cast<int>(*prefix)};
}

std::string print_ip(std::uint32_t a) {
  return fmt::format("{}.{}.{}.{}", a >> 24, (a >> 16) & 255, (a >> 8) & 255, a & 255);
}

Result<std::uint32_t> parse_ip(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return fail(Kind::invalid, "\"{}\": not an IPv4 address", text);
  return ntohl(address.s_addr);
}

}  // namespace slipway::box
