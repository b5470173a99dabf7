#include "oci/reference.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::oci {

namespace {

bool alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* ; gives the offset of the first wrong byte.
std::optional<std::size_t> bad_component(std::string_view part) {
  if (part.empty()) return 0;
  std::size_t i = 0;
  while (i < part.size()) {
    if (!alnum(part[i])) return i;
    while (i < part.size() && alnum(part[i])) ++i;
    if (i == part.size()) return std::nullopt;
    auto start = i;
    if (part[i] == '.') {
      ++i;
    } else if (part[i] == '_') {
      ++i;
      if (i < part.size() && part[i] == '_') ++i;
    } else if (part[i] == '-') {
      while (i < part.size() && part[i] == '-') ++i;
    } else {
      return i;
    }
    if (i == part.size()) return start;
  }
  return std::nullopt;
}

std::optional<std::size_t> bad_repository(std::string_view name) {
  std::size_t at = 0;
  for (auto part : split(name, '/')) {
    if (auto bad = bad_component(part)) return at + *bad;
    at += part.size() + 1;
  }
  return std::nullopt;
}

bool valid_host(std::string_view host) {
  std::string_view name = host, port;
  if (host.starts_with('[')) {
    auto close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    auto inside = host.substr(1, close - 1);
    if (inside.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return false;
    name = {};
    port = host.substr(close + 1);
    if (port.empty()) return true;
    if (port[0] != ':') return false;
    port.remove_prefix(1);
  } else if (auto colon = host.find(':'); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon + 1);
    if (port.empty()) return false;
  }
  if (!port.empty() && (port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos))
    return false;
  if (host.starts_with('[')) return true;
  if (name.empty() || name.front() == '-' || name.back() == '-' || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return alnum(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-'; });
}

}  // namespace

bool valid_repository(std::string_view name) { return name.size() <= 255 && !name.empty() && !bad_repository(name); }

bool valid_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > 128) return false;
  auto word = [](char c) { return alnum(c) || (c >= 'A' && c <= 'Z') || c == '_'; };
  return word(tag[0]) && std::all_of(tag.begin(), tag.end(), [&](char c) { return word(c) || c == '.' || c == '-'; });
}

std::string Reference::print() const {
  auto text = host.empty() ? repository : host + "/" + repository;
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest.str();
  return text;
}

Result<Reference> parse_reference(std::string_view text, std::string_view default_host) {
  if (text.empty()) return fail(Kind::invalid, "image reference is empty");
  auto wrong = [&](std::size_t offset, std::string_view what) {
    return fail(Kind::invalid, "image reference {:?}: {} at offset {}", text, what, offset);
  };
  Reference ref;
  auto rest = text;
  if (auto at = rest.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(rest.substr(at + 1));
    if (!digest) return wrong(at + 1, "want sha256:<64 hex digits> after '@'");
    ref.digest = *digest;
    rest = rest.substr(0, at);
  }
  // A host has a dot, a colon or is "localhost": Docker's rule to tell it from a first path component.
  std::size_t path_at = 0;
  if (auto slash = rest.find('/'); slash != std::string_view::npos) {
    auto first = rest.substr(0, slash);
    if (first.find_first_of(".:[") != std::string_view::npos || first == "localhost") {
      if (!valid_host(first)) return wrong(0, "want host[:port] before the first '/'");
      ref.host = first;
      path_at = slash + 1;
    }
  }
  auto path = rest.substr(path_at);
  if (auto colon = path.rfind(':');
      colon != std::string_view::npos && path.find('/', colon) == std::string_view::npos) {
    auto tag = path.substr(colon + 1);
    if (!valid_tag(tag))
      return wrong(path_at + colon + 1, "want a tag of letters, digits, '_', '.', '-' (at most 128)");
    ref.tag = tag;
    path = path.substr(0, colon);
  }
  if (path.empty()) return wrong(path_at, "the name is missing");
  if (auto bad = bad_repository(path))
    return wrong(path_at + *bad, "want lower-case letters, digits and single separators");
  ref.repository = path;
  if (ref.host == "index.docker.io" || ref.host == "registry-1.docker.io") ref.host = "docker.io";
  if (ref.host.empty()) ref.host = default_host.empty() ? "docker.io" : std::string(default_host);
  if (ref.host == "docker.io" && ref.repository.find('/') == std::string::npos) ref.repository.insert(0, "library/");
  if (ref.host.size() + 1 + ref.repository.size() > 255) return wrong(0, "the name is longer than 255 bytes");
  if (ref.tag.empty() && ref.digest.empty()) ref.tag = "latest";
  return ref;
}

}  // namespace slipway::oci
