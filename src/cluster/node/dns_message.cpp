// DNS messages (RFC 1035): questions in, answers out.
#include "base/text.h"
#include "cluster/node/dns.h"

namespace slipway::cluster {
namespace {

constexpr std::uint16_t kA = 1, kCname = 5, kPtr = 12, kSrv = 33, kAny = 255, kIn = 1;
constexpr std::uint16_t kQuery = 0x8000, kAuthoritative = 0x0400, kTruncated = 0x0200, kRecursion = 0x0100,
                        kAvailable = 0x0080;
constexpr unsigned kNxDomain = 3;
constexpr std::uint32_t kTtl = 5;

std::uint16_t u16(std::string_view m, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(m[at]) << 8 | static_cast<unsigned char>(m[at + 1]));
}
void put16(std::string& out, std::size_t n) {
  out += static_cast<char>(n >> 8);
  out += static_cast<char>(n);
}
void put32(std::string& out, std::uint32_t n) {
  put16(out, n >> 16);
  put16(out, n & 0xffff);
}
void put_name(std::string& out, std::string_view name) {
  for (auto label : split(name, '.')) {
    if (label.empty() || label.size() > 63) continue;
    out += static_cast<char>(label.size());
    out += label;
  }
  out += '\0';
}

struct Records {
  std::string bytes;
  unsigned count = 0;
  std::size_t limit;
  bool cut = false;

  // The owner is the question's name (a pointer to byte 12) unless `owner` is given.
  void add(std::uint16_t type, const std::string& data, std::string_view owner = {}) {
    std::string record;
    if (owner.empty())
      put16(record, 0xc00c);
    else
      put_name(record, owner);
    put16(record, type);
    put16(record, kIn);
    put32(record, kTtl);
    put16(record, data.size());
    record += data;
    if (cut || bytes.size() + record.size() > limit) {
      cut = true;
      return;
    }
    bytes += record;
    ++count;
  }
};

std::string address_data(std::string_view ip) {
  std::string data;
  for (auto part : split(ip, '.')) data += static_cast<char>(to_int(part).value_or(0));
  return data;
}

std::string name_data(std::string_view name) {
  std::string data;
  put_name(data, name);
  return data;
}

std::string assemble(std::string_view message, const DnsQuestion& q, unsigned rcode, std::uint16_t more,
                     const Records* records) {
  std::string out;
  put16(out, q.id);
  put16(out, kQuery | kAuthoritative | kAvailable | (q.flags & kRecursion) | (q.flags & 0x7800) | more | rcode);
  put16(out, 1);
  put16(out, records != nullptr ? records->count : 0);
  put16(out, 0);
  put16(out, 0);
  out += message.substr(12, q.end - 12);
  if (records != nullptr) out += records->bytes;
  return out;
}

}  // namespace

Result<DnsQuestion> parse_dns_question(std::string_view m) {
  if (m.size() < 12) return fail(Kind::invalid, "dns: message of {} bytes", m.size());
  DnsQuestion q{.id = u16(m, 0), .type = 0, .klass = 0, .flags = u16(m, 2), .name = {}, .end = 12};
  if ((q.flags & kQuery) != 0 || u16(m, 4) != 1) return fail(Kind::invalid, "dns: want one question");
  for (;;) {
    if (q.end >= m.size()) return fail(Kind::invalid, "dns: name without an end");
    auto size = static_cast<unsigned char>(m[q.end]);
    if (size == 0) break;
    if (size > 63 || q.end + 1 + size >= m.size() || q.name.size() + size > 253)
      return fail(Kind::invalid, "dns: bad name");
    if (!q.name.empty()) q.name += '.';
    q.name += m.substr(q.end + 1, size);
    q.end += 1U + size;
  }
  if (q.end + 5 > m.size()) return fail(Kind::invalid, "dns: question without a type");
  q.type = u16(m, q.end + 1);
  q.klass = u16(m, q.end + 3);
  q.end += 5;
  q.name = lower(q.name);
  return q;
}

std::string dns_answer(std::string_view message, const DnsQuestion& q, const DnsAnswer& answer, std::size_t limit) {
  if (!answer.exists) return assemble(message, q, kNxDomain, 0, nullptr);
  Records records{.bytes = {}, .count = 0, .limit = limit > q.end ? limit - q.end : 0, .cut = false};
  bool all = q.type == kAny;
  if (!answer.alias.empty()) records.add(kCname, name_data(answer.alias));
  if (q.type == kA || all)
    for (const auto& ip : answer.addresses) records.add(kA, address_data(ip), answer.alias);
  if (q.type == kSrv || all)
    for (const auto& s : answer.services) {
      std::string data;
      put16(data, 0);
      put16(data, 100);
      put16(data, static_cast<std::size_t>(s.port));
      records.add(kSrv, data + name_data(s.target));
    }
  if ((q.type == kPtr || all) && !answer.pointer.empty()) records.add(kPtr, name_data(answer.pointer));
  return assemble(message, q, 0, records.cut ? kTruncated : std::uint16_t{0}, &records);
}

std::string dns_question(std::uint16_t id, std::string_view name) {
  std::string out;
  put16(out, id);
  put16(out, kRecursion);
  for (int count : {1, 0, 0, 0}) put16(out, static_cast<std::size_t>(count));
  put_name(out, name);
  put16(out, kA);
  put16(out, kIn);
  return out;
}

std::vector<std::string> dns_addresses(std::string_view m) {
  std::vector<std::string> found;
  if (m.size() < 12) return found;
  std::size_t at = 12, records = u16(m, 6);
  // A name ends with a zero byte or a pointer of two.
  auto skip_name = [&] {
    while (at < m.size()) {
      auto size = static_cast<unsigned char>(m[at]);
      if (size >= 0xc0) {
        at += 2;
        return;
      }
      at += 1U + size;
      if (size == 0) return;
    }
  };
  for (std::size_t q = u16(m, 4); q > 0; --q) {
    skip_name();
    at += 4;
  }
  for (; records > 0; --records) {
    skip_name();
    if (at + 10 > m.size()) break;
    std::size_t type = u16(m, at), size = u16(m, at + 8);
    at += 10;
    if (at + size > m.size()) break;
    if (type == kA && size == 4)
      found.push_back(fmt::format("{}.{}.{}.{}", static_cast<unsigned char>(m[at]),
                                  static_cast<unsigned char>(m[at + 1]), static_cast<unsigned char>(m[at + 2]),
                                  static_cast<unsigned char>(m[at + 3])));
    at += size;
  }
  return found;
}

std::string dns_failure(std::string_view message, const DnsQuestion& q, unsigned rcode) {
  return assemble(message, q, rcode, 0, nullptr);
}

HostResolver read_resolv_conf(std::string_view text) {
  HostResolver found;
  for (auto line : lines(text)) {
    auto text_line = replace_all(std::string(line), "\t", " ");
    auto words = split(trim(text_line), ' ');
    if (words.size() < 2 || words[0].starts_with('#') || words[0].starts_with(';')) continue;
    auto rest = std::vector<std::string>();
    for (std::size_t i = 1; i < words.size(); ++i)
      if (!words[i].empty()) rest.emplace_back(words[i]);
    if (words[0] == "nameserver" && !rest.empty() && rest[0].find(':') == std::string::npos)
      found.servers.push_back(rest[0]);
    if (words[0] == "search" || words[0] == "domain") found.search = rest;
    if (words[0] == "options") found.options.insert(found.options.end(), rest.begin(), rest.end());
  }
  return found;
}

}  // namespace slipway::cluster
