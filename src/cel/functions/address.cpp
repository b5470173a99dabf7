// IP addresses and CIDR ranges. Rule: Kubernetes' library, on Go's netip: no zones, no IPv4 within IPv6.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

struct Address {
  int family = 4;
  std::array<unsigned char, 16> bytes{};  // the first 4 for IPv4
  std::size_t size() const { return family == 4 ? 4 : 16; }
  friend bool operator==(const Address&, const Address&) = default;
};

std::optional<Address> parse_address(std::string_view text) {
  std::string terminated(text.substr(0, 64));
  Address a;
  if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) return std::nullopt;
  if (::inet_pton(AF_INET, terminated.c_str(), a.bytes.data()) == 1) return a;
  a.family = 6;
  if (::inet_pton(AF_INET6, terminated.c_str(), a.bytes.data()) != 1) return std::nullopt;
  bool v4_mapped = std::all_of(a.bytes.begin(), a.bytes.begin() + 10, [](auto b) { return b == 0; }) &&
                   a.bytes[10] == 0xFF && a.bytes[11] == 0xFF;
  return v4_mapped ? std::nullopt : std::optional(a);
}

std::string print_address(const Address& a) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (a.family == 4) {
    ::inet_ntop(AF_INET, a.bytes.data(), text.data(), text.size());
    return text.data();
  }
  // The C library writes ::1.2.3.4 of what has zeros before the last 32 bits; Go and RFC 5952 do not.
  bool v4_compatible = std::all_of(a.bytes.begin(), a.bytes.begin() + 12, [](auto b) { return b == 0; }) &&
                       (a.bytes[12] != 0 || a.bytes[13] != 0);
  if (v4_compatible) return fmt::format("::{:x}:{:x}", a.bytes[12] << 8 | a.bytes[13], a.bytes[14] << 8 | a.bytes[15]);
  ::inet_ntop(AF_INET6, a.bytes.data(), text.data(), text.size());
  return text.data();
}

class Ip final : public Object {
 public:
  explicit Ip(Address address) : address_(address) {}
  std::string_view type() const override { return "net.IP"; }
  bool equals(const Object& other) const override { return address_ == static_cast<const Ip&>(other).address_; }
  std::string print() const override { return print_address(address_); }
  const Address& address() const { return address_; }

 private:
  Address address_;
};

struct Range {
  Address address;
  int bits = 0;
  friend bool operator==(const Range&, const Range&) = default;
  Address masked() const {
    Address out = address;
    for (std::size_t i = 0; i < out.size(); ++i) {
      int left = std::clamp(bits - static_cast<int>(i) * 8, 0, 8);
      out.bytes[i] = static_cast<unsigned char>(out.bytes[i] & (0xFF00U >> left));
    }
    return out;
  }
  bool holds(const Address& a) const { return a.family == address.family && Range{a, bits}.masked() == masked(); }
};

class Cidr final : public Object {
 public:
  explicit Cidr(Range range) : range_(range) {}
  std::string_view type() const override { return "net.CIDR"; }
  bool equals(const Object& other) const override { return range_ == static_cast<const Cidr&>(other).range_; }
  std::string print() const override { return fmt::format("{}/{}", print_address(range_.address), range_.bits); }
  const Range& range() const { return range_; }

 private:
  Range range_;
};

std::optional<Range> parse_range(std::string_view text) {
  auto parts = cut(text, "/");
  if (!parts) return std::nullopt;
  auto [address, bits] = *parts;
  auto parsed = parse_address(address);
  if (!parsed || bits.empty() || bits.size() > 3 || bits.find_first_not_of("0123456789") != std::string_view::npos ||
      (bits.size() > 1 && bits[0] == '0'))
    return std::nullopt;
  Range range{*parsed, static_cast<int>(to_int(bits).value_or(999))};
  return range.bits <= static_cast<int>(parsed->size()) * 8 ? std::optional(range) : std::nullopt;
}

const Address& address_of(const Value& v) { return static_cast<const Ip*>(v.if_object())->address(); }
const Range& range_of(const Value& v) { return static_cast<const Cidr*>(v.if_object())->range(); }
Value made(const Address& a) { return Value(std::shared_ptr<const Object>(std::make_shared<Ip>(a))); }
Value made(const Range& r) { return Value(std::shared_ptr<const Object>(std::make_shared<Cidr>(r))); }

Result<Address> want_address(const Value& v) {
  auto parsed = parse_address(*v.if_string());
  if (!parsed)
    return fail(Kind::invalid, "{} is no IP address, want IPv4 or IPv6 without a zone or IPv4 within",
                print(v).substr(0, 100));
  return *parsed;
}
Result<Range> want_range(const Value& v) {
  auto parsed = parse_range(*v.if_string());
  if (!parsed)
    return fail(Kind::invalid, "{} is no CIDR, want an IP address, \"/\" and the length of its prefix",
                print(v).substr(0, 100));
  return *parsed;
}

Result<Value> ip(Run&, Args a) {
  TRY(auto address, want_address(a[0]));
  return made(address);
}
Result<Value> is_ip(Run&, Args a) { return Value(parse_address(*a[0].if_string()).has_value()); }
Result<Value> is_canonical(Run&, Args a) {
  TRY(auto address, want_address(a[0]));
  return Value(print_address(address) == *a[0].if_string());
}
Result<Value> family(Run&, Args a) { return Value(address_of(a[0]).family); }

bool unspecified(const Address& a) { return a.bytes == decltype(a.bytes){}; }
bool loopback(const Address& a) {
  if (a.family == 4) return a.bytes[0] == 127;
  auto one = decltype(a.bytes){};
  one[15] = 1;
  return a.bytes == one;
}
bool link_local_multicast(const Address& a) {
  if (a.family == 4) return a.bytes[0] == 224 && a.bytes[1] == 0 && a.bytes[2] == 0;
  return a.bytes[0] == 0xFF && (a.bytes[1] & 0x0F) == 2;
}
bool link_local_unicast(const Address& a) {
  if (a.family == 4) return a.bytes[0] == 169 && a.bytes[1] == 254;
  return a.bytes[0] == 0xFE && (a.bytes[1] & 0xC0) == 0x80;
}
bool multicast(const Address& a) { return a.family == 4 ? (a.bytes[0] & 0xF0) == 0xE0 : a.bytes[0] == 0xFF; }
bool global_unicast(const Address& a) {
  bool broadcast = a.family == 4 && std::all_of(a.bytes.begin(), a.bytes.begin() + 4, [](auto b) { return b == 255; });
  return !broadcast && !unspecified(a) && !loopback(a) && !multicast(a) && !link_local_unicast(a);
}
template <bool (*test)(const Address&)>
Result<Value> is(Run&, Args a) {
  return Value(test(address_of(a[0])));
}

Result<Value> cidr(Run&, Args a) {
  TRY(auto range, want_range(a[0]));
  return made(range);
}
Result<Value> is_cidr(Run&, Args a) { return Value(parse_range(*a[0].if_string()).has_value()); }
Result<Value> contains_ip(Run&, Args a) { return Value(range_of(a[0]).holds(address_of(a[1]))); }
Result<Value> contains_ip_text(Run&, Args a) {
  TRY(auto address, want_address(a[1]));
  return Value(range_of(a[0]).holds(address));
}
bool holds_range(const Range& outer, const Range& inner) {
  return inner.bits >= outer.bits && outer.holds(inner.address);
}
Result<Value> contains_cidr(Run&, Args a) { return Value(holds_range(range_of(a[0]), range_of(a[1]))); }
Result<Value> contains_cidr_text(Run&, Args a) {
  TRY(auto range, want_range(a[1]));
  return Value(holds_range(range_of(a[0]), range));
}
Result<Value> ip_of(Run&, Args a) { return made(range_of(a[0]).address); }
Result<Value> masked(Run&, Args a) { return made(Range{range_of(a[0]).masked(), range_of(a[0]).bits}); }
Result<Value> prefix_length(Run&, Args a) { return Value(range_of(a[0]).bits); }

constexpr Overload all[] = {
    {"ip", "s", ip},
    {"isIP", "s", is_ip},
    {"ip.isCanonical", "s", is_canonical},
    {"family", ".P", family},
    {"isUnspecified", ".P", is<unspecified>},
    {"isLoopback", ".P", is<loopback>},
    {"isLinkLocalMulticast", ".P", is<link_local_multicast>},
    {"isLinkLocalUnicast", ".P", is<link_local_unicast>},
    {"isGlobalUnicast", ".P", is<global_unicast>},
    {"cidr", "s", cidr},
    {"isCIDR", "s", is_cidr},
    {"containsIP", ".CP", contains_ip},
    {"containsIP", ".Cs", contains_ip_text},
    {"containsCIDR", ".CC", contains_cidr},
    {"containsCIDR", ".Cs", contains_cidr_text},
    {"ip", ".C", ip_of},
    {"masked", ".C", masked},
    {"prefixLength", ".C", prefix_length},
};

}  // namespace

Overloads address_functions() { return all; }

}  // namespace slipway::cel::detail
