// Kubernetes' URLs: absolute ones, and paths that start with /. Rule: Go's url.ParseRequestURI.
#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "cel/detail/function.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

struct Parts {
  std::string scheme, user, host, path, query;
};

bool has_controls(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Every % has two hex digits behind it.
bool well_escaped(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1))
    if (at + 2 >= text.size() || !std::isxdigit(static_cast<unsigned char>(text[at + 1])) ||
        !std::isxdigit(static_cast<unsigned char>(text[at + 2])))
      return false;
  return true;
}

bool well_formed_host(std::string_view host) {
  auto colon = host.rfind(':');
  if (host.starts_with('[')) {
    auto close = host.find(']');
    if (close == std::string_view::npos) return false;
    colon = close + 1 < host.size() ? close + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && host[colon] != ':') return false;
  } else if (std::ranges::any_of(host, [](char c) { return std::string_view(" \"<>\\^`{|}[]").contains(c); })) {
    return false;
  }
  return colon == std::string_view::npos || host.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
}

std::optional<Parts> parse(std::string_view text) {
  if (text.empty() || has_controls(text)) return std::nullopt;
  Parts parts;
  auto colon = text.find(':');
  if (auto scheme = text.substr(0, colon == std::string_view::npos ? 0 : colon);
      !scheme.empty() && is_alpha(scheme[0]) && std::ranges::all_of(scheme, [](char c) {
        return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
      })) {
    parts.scheme = lower(scheme);
    text.remove_prefix(colon + 1);
  } else if (!text.starts_with('/')) {
    return std::nullopt;
  }
  if (auto question = text.find('?'); question != std::string_view::npos) {
    parts.query = text.substr(question + 1);
    text = text.substr(0, question);
  }
  if (!text.starts_with('/')) {
    // mailto:someone has no path; only a URL with a scheme may be so.
    return parts.scheme.empty() ? std::nullopt : std::optional(parts);
  }
  if (text.starts_with("//") && (!parts.scheme.empty() || !text.starts_with("///"))) {
    text.remove_prefix(2);
    auto authority = text.substr(0, text.find('/'));
    text.remove_prefix(authority.size());
    if (auto at = authority.rfind('@'); at != std::string_view::npos) {
      parts.user = authority.substr(0, at);
      authority.remove_prefix(at + 1);
    }
    if (!well_formed_host(authority)) return std::nullopt;
    parts.host = authority;
  }
  if (!well_escaped(text)) return std::nullopt;
  parts.path = text;
  return parts;
}

class Url final : public Object {
 public:
  Url(std::string text, Parts parts) : text_(std::move(text)), parts_(std::move(parts)) {}
  std::string_view type() const override { return "kubernetes.URL"; }
  bool equals(const Object& other) const override { return text_ == static_cast<const Url&>(other).text_; }
  std::string print() const override { return text_; }
  const Parts& parts() const { return parts_; }

 private:
  std::string text_;
  Parts parts_;
};

const Parts& parts(const Value& v) { return static_cast<const Url*>(v.if_object())->parts(); }

Result<Value> url(Run& run, Args a) {
  auto text = *a[0].if_string();
  TRY_OK(run.spend_on(text));
  TRY_OK(run.make(text.size() * 2));
  auto parsed = parse(text);
  if (!parsed)
    return fail(Kind::invalid, "{} is no URL, want an absolute one or a path from /", print(a[0]).substr(0, 100));
  return Value(std::shared_ptr<const Object>(std::make_shared<Url>(std::string(text), *std::move(parsed))));
}
Result<Value> is_url(Run& run, Args a) {
  TRY_OK(run.spend_on(*a[0].if_string()));
  return Value(parse(*a[0].if_string()).has_value());
}

// Where the port's colon is; the size when there is none.
std::size_t colon_of(const std::string& host) {
  auto from = host.starts_with('[') ? host.find(']') : 0;
  return std::min(host.find(':', from), host.size());
}
Result<Value> scheme(Run& run, Args a) { return run.text(parts(a[0]).scheme); }
Result<Value> host(Run& run, Args a) { return run.text(parts(a[0]).host); }
Result<Value> hostname(Run& run, Args a) {
  auto name = parts(a[0]).host.substr(0, colon_of(parts(a[0]).host));
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  return run.text(std::move(name));
}
Result<Value> port(Run& run, Args a) {
  const auto& host = parts(a[0]).host;
  auto colon = colon_of(host);
  return run.text(colon < host.size() ? host.substr(colon + 1) : "");
}

// Go's EscapedPath: as it is written when that is allowed, else escaped.
Result<Value> escaped_path(Run& run, Args a) {
  constexpr std::string_view allowed = "-_.~$&+,/:;=@!'()*%[]";
  std::string out;
  for (char c : parts(a[0]).path) {
    if (is_alpha(c) || (c >= '0' && c <= '9') || allowed.contains(c))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return run.text(std::move(out));
}

Result<Value> query(Run& run, Args a) {
  const std::string& text = parts(a[0]).query;
  TRY_OK(run.spend_on(text));
  std::vector<std::pair<std::string, List::Items>> keys;
  for (auto part : split(text, '&')) {
    TRY_OK(run.spend(1 + keys.size() / 10));
    if (part.empty() || part.contains(';')) continue;
    auto [name, value] = cut(part, "=").value_or(std::pair{part, std::string_view()});
    auto key = percent_decode(name, true), decoded = percent_decode(value, true);
    if (!key || !decoded) continue;  // as Go passes over what it cannot read
    TRY_OK(run.make(key->size() + decoded->size() + 2 * sizeof(Value)));
    auto it = std::ranges::find(keys, *key, [](const auto& one) { return one.first; });
    if (it == keys.end()) it = keys.insert(keys.end(), {*key, {}});
    it->second.push_back(Value(*std::move(decoded)));
  }
  std::vector<Map::Entry> entries;
  for (auto& [key, values] : keys) entries.emplace_back(Value(std::move(key)), Value(List(std::move(values))));
  TRY(auto map, Map::of(std::move(entries)));
  return Value(std::move(map));
}

constexpr Overload all[] = {
    {"url", "s", url},
    {"isURL", "s", is_url},
    {"getScheme", ".U", scheme},
    {"getHost", ".U", host},
    {"getHostname", ".U", hostname},
    {"getPort", ".U", port},
    {"getEscapedPath", ".U", escaped_path},
    {"getQuery", ".U", query},
};

}  // namespace

Overloads url_functions() { return all; }

}  // namespace slipway::cel::detail
