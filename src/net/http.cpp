#include "net/http.h"

#include "base/encode.h"
#include "base/text.h"

namespace slipway::net {

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const auto& [key, value] : list_)
    if (iequals(key, name)) return value;
  return std::nullopt;
}

std::string_view Headers::get_or(std::string_view name, std::string_view fallback) const {
  return get(name).value_or(fallback);
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : list_)
    if (iequals(key, name)) values.push_back(value);
  return values;
}

void Headers::set(std::string_view name, std::string_view value) {
  std::string kept(value);  // `value` may point into this list
  std::string key(name);
  erase(key);
  list_.emplace_back(std::move(key), std::move(kept));
}

void Headers::add(std::string_view name, std::string_view value) { list_.emplace_back(name, value); }

void Headers::erase(std::string_view name) {
  std::erase_if(list_, [&](const auto& entry) { return iequals(entry.first, name); });
}

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != 0) text += fmt::format(":{}", port);
  return text;
}

std::string Url::print() const {
  std::string text = scheme + "://" + authority() + path;
  if (!query.empty()) text += "?" + query;
  if (!fragment.empty()) text += "#" + fragment;
  return text;
}

namespace {

Fail bad_url(std::string_view text, std::string_view what) {
  // Credentials never reach a message.
  auto at = text.substr(0, text.find('/', text.find("://") == text.npos ? 0 : text.find("://") + 3)).rfind('@');
  auto shown = at == text.npos ? std::string(text) : "***" + std::string(text.substr(at));
  return fail(Kind::invalid, "url \"{}\": {}", shown.substr(0, 200), what);
}

bool is_scheme(std::string_view s) {
  auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !s.empty() && alpha(s[0]) && std::all_of(s.begin(), s.end(), [&](char c) {
    return alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

bool is_host(std::string_view host) { return !host.empty() && host.find_first_of("/\\?#@<>\"^`{|}% ") == host.npos; }

Result<> read_authority(Url& url, std::string_view text, std::string_view whole) {
  if (auto at = text.rfind('@'); at != text.npos) {
    auto user = text.substr(0, at);
    text.remove_prefix(at + 1);
    auto parts = cut(user, ":");
    TRY(url.user, percent_decode(parts ? parts->first : user));
    if (parts) {
      TRY(url.password, percent_decode(parts->second));
    }
  }
  std::string_view port;
  if (text.starts_with('[')) {
    auto end = text.find(']');
    if (end == text.npos) return bad_url(whole, "want ] after the address");
    url.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (url.host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos)
      return bad_url(whole, "want an IPv6 address between [ and ]");
    if (!port.empty() && port[0] != ':') return bad_url(whole, "want :port after ]");
  } else {
    auto colon = text.find(':');
    url.host = lower(text.substr(0, colon));
    if (colon != text.npos) port = text.substr(colon);
  }
  if (!port.empty()) port.remove_prefix(1);
  if (!port.empty()) {
    auto number = to_int(port);
    if (!number || *number < 1 || *number > 65535) return bad_url(whole, "want a port from 1 to 65535");
    url.port = static_cast<int>(*number);
  }
  if (!is_host(url.host)) return bad_url(whole, "want a host");
  return {};
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  for (unsigned char c : text)
    if (c <= 0x20 || c == 0x7f) return bad_url(text, "has a space or a control character");
  auto parts = cut(text, "://");
  if (!parts || !is_scheme(parts->first)) return bad_url(text, "want scheme://host/path");
  Url url;
  url.scheme = lower(parts->first);
  auto rest = parts->second;
  if (auto hash = rest.find('#'); hash != rest.npos) {
    url.fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  if (auto mark = rest.find('?'); mark != rest.npos) {
    url.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  auto slash = rest.find('/');
  url.path = slash == rest.npos ? "/" : rest.substr(slash);
  TRY_OK(read_authority(url, rest.substr(0, slash), text));
  return url;
}

Query parse_query(std::string_view query) {
  Query result;
  for (auto part : split(query, '&')) {
    if (part.empty()) continue;
    auto pair = cut(part, "=");
    auto name = pair ? pair->first : part;
    auto value = pair ? pair->second : std::string_view();
    // What does not decode stays as it was written.
    result.emplace_back(percent_decode(name, true).value_or(std::string(name)),
                        percent_decode(value, true).value_or(std::string(value)));
  }
  return result;
}

std::string query_value(const Query& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return "";
}

std::string_view status_text(int status) {
  static constexpr std::pair<int, std::string_view> table[] = {{100, "Continue"},
                                                               {101, "Switching Protocols"},
                                                               {200, "OK"},
                                                               {201, "Created"},
                                                               {202, "Accepted"},
                                                               {203, "Non-Authoritative Information"},
                                                               {204, "No Content"},
                                                               {205, "Reset Content"},
                                                               {206, "Partial Content"},
                                                               {301, "Moved Permanently"},
                                                               {302, "Found"},
                                                               {303, "See Other"},
                                                               {304, "Not Modified"},
                                                               {307, "Temporary Redirect"},
                                                               {308, "Permanent Redirect"},
                                                               {400, "Bad Request"},
                                                               {401, "Unauthorized"},
                                                               {402, "Payment Required"},
                                                               {403, "Forbidden"},
                                                               {404, "Not Found"},
                                                               {405, "Method Not Allowed"},
                                                               {406, "Not Acceptable"},
                                                               {407, "Proxy Authentication Required"},
                                                               {408, "Request Timeout"},
                                                               {409, "Conflict"},
                                                               {410, "Gone"},
                                                               {411, "Length Required"},
                                                               {412, "Precondition Failed"},
                                                               {413, "Content Too Large"},
                                                               {414, "URI Too Long"},
                                                               {415, "Unsupported Media Type"},
                                                               {416, "Range Not Satisfiable"},
                                                               {417, "Expectation Failed"},
                                                               {421, "Misdirected Request"},
                                                               {422, "Unprocessable Entity"},
                                                               {426, "Upgrade Required"},
                                                               {428, "Precondition Required"},
                                                               {429, "Too Many Requests"},
                                                               {431, "Request Header Fields Too Large"},
                                                               {499, "Client Closed Request"},
                                                               {500, "Internal Server Error"},
                                                               {501, "Not Implemented"},
                                                               {502, "Bad Gateway"},
                                                               {503, "Service Unavailable"},
                                                               {504, "Gateway Timeout"},
                                                               {505, "HTTP Version Not Supported"},
                                                               {507, "Insufficient Storage"}};
  for (auto [code, text] : table)
    if (code == status) return text;
  return "Unknown";
}

}  // namespace slipway::net
