// Paths with / and URLs.
#include "base/text.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

std::string clean(std::string_view path) {
  if (path.empty()) return ".";
  bool rooted = path[0] == '/';
  std::vector<std::string_view> parts;
  for (auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      parts.push_back(part);
    else if (!parts.empty() && parts.back() != "..")
      parts.pop_back();
    else if (!rooted)
      parts.push_back(part);
  }
  auto out = (rooted ? "/" : "") + join(parts, "/");
  return out.empty() ? "." : out;
}

std::string base(std::string_view path) {
  if (path.empty()) return ".";
  while (path.ends_with('/')) path.remove_suffix(1);
  path = path.substr(path.rfind('/') + 1);
  return path.empty() ? "/" : std::string(path);
}

std::string dir(std::string_view path) { return clean(path.substr(0, path.rfind('/') + 1)); }

std::string ext(std::string_view path) {
  auto name = path.substr(path.rfind('/') + 1);
  auto dot = name.rfind('.');
  return dot == std::string_view::npos ? "" : std::string(name.substr(dot));
}

Result<Value> parse_url(const Items& a) {
  std::string_view rest = text(a[0]);
  for (char c : rest)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return wrong("unable to parse url: parse {}: net/url: invalid control character in URL", go_quote(rest));
  Dict out;
  auto part = [&](std::string_view mark) {
    auto found = cut(rest, mark);
    if (!found) return std::string();
    rest = found->first;
    return std::string(found->second);
  };
  out["fragment"] = part("#");
  out["query"] = part("?");
  std::string scheme, opaque, user, host;
  auto colon = rest.find(':');
  if (colon != std::string_view::npos && colon > 0 && rest.find('/') >= colon &&
      std::isalpha(static_cast<unsigned char>(rest[0]))) {
    scheme = lower(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
    if (!rest.starts_with('/')) opaque = rest, rest = "";
  }
  if (rest.starts_with("//")) {
    auto end = std::min(rest.find('/', 2), rest.size());
    host = rest.substr(2, end - 2);
    rest.remove_prefix(end);
    if (auto at = host.rfind('@'); at != std::string::npos) user = host.substr(0, at), host = host.substr(at + 1);
  }
  auto hostname = host;
  if (auto port = host.rfind(':'); port != std::string::npos && host.find(']', port) == std::string::npos)
    hostname = host.substr(0, port);
  if (hostname.starts_with('[') && hostname.ends_with(']')) hostname = hostname.substr(1, hostname.size() - 2);
  out["scheme"] = scheme, out["opaque"] = opaque, out["userinfo"] = user, out["host"] = host;
  out["hostname"] = hostname, out["path"] = rest;
  return Value(std::move(out));
}

Result<Value> join_url(const Items& a) {
  std::map<std::string_view, std::string> parts;
  for (std::string_view key : {"scheme", "host", "path", "query", "opaque", "fragment", "userinfo"}) {
    if (a[0].if_dict() == nullptr) continue;
    auto found = a[0].if_dict()->find(key);
    if (found == a[0].if_dict()->end()) continue;
    if (!found->second.if_string())
      return wrong("unable to parse {} key, must be of type string, but {} found", key, go_kind(found->second));
    parts[key] = text(found->second);
  }
  std::string out;
  if (!parts["scheme"].empty()) out += parts["scheme"] + ":";
  if (!parts["opaque"].empty()) {
    out += parts["opaque"];
  } else {
    bool authority = !parts["scheme"].empty() || !parts["host"].empty() || !parts["userinfo"].empty();
    if (authority && (!parts["host"].empty() || !parts["path"].empty() || !parts["userinfo"].empty())) {
      if (!parts["host"].empty() || !parts["userinfo"].empty()) out += "//";
      if (!parts["userinfo"].empty()) out += parts["userinfo"] + "@";
      out += parts["host"];
    }
    if (!parts["path"].empty() && parts["path"][0] != '/' && !parts["host"].empty()) out += "/";
    out += parts["path"];
  }
  if (!parts["query"].empty()) out += "?" + parts["query"];
  if (!parts["fragment"].empty()) out += "#" + parts["fragment"];
  return Value(std::move(out));
}

}  // namespace

Rows path_rows() {
  Rows rows{{"urlParse", {"s", parse_url}}, {"urlJoin", {"d", join_url}}};
  auto both = [&](std::string_view name, std::string_view os, Function f) {
    rows.emplace_back(name, f);
    rows.emplace_back(os, std::move(f));
  };
  both("base", "osBase", strings_to("s", [](const Items& a) { return base(text(a[0])); }));
  both("dir", "osDir", strings_to("s", [](const Items& a) { return dir(text(a[0])); }));
  both("clean", "osClean", strings_to("s", [](const Items& a) { return clean(text(a[0])); }));
  both("ext", "osExt", strings_to("s", [](const Items& a) { return ext(text(a[0])); }));
  both("isAbs", "osIsAbs", strings_to("s", [](const Items& a) { return text(a[0]).starts_with('/'); }));
  return rows;
}

}  // namespace slipway::gotemplate::sprig
