#include "scan/package.h"

#include "base/encode.h"
#include "base/text.h"
#include "doc/view.h"

namespace slipway::scan {
namespace {

std::string_view base_of(std::string_view ecosystem) { return ecosystem.substr(0, ecosystem.find(':')); }

// purl keeps "/" between name segments and ":" as they are.
std::string encode_segment(std::string_view text) { return replace_all(percent_encode(text), "%3A", ":"); }
std::string encode_path(std::string_view text) {
  std::string out;
  for (auto part : split(text, '/')) {
    if (!out.empty()) out += '/';
    out += encode_segment(part);
  }
  return out;
}

}  // namespace

std::string purl(const Package& package) {
  auto base = base_of(package.ecosystem);
  auto release = package.ecosystem.size() > base.size() ? package.ecosystem.substr(base.size() + 1) : std::string();
  std::string type = lower(base), name = encode_path(package.name), qualifiers;
  if (base == "Debian" || base == "Ubuntu")
    type = "deb/" + lower(base);
  else if (base == "Alpine")
    type = "apk/alpine";
  else if (base == "Go")
    type = "golang";
  else if (base == "crates.io")
    type = "cargo";
  else if (base == "RubyGems")
    type = "gem";
  else if (base == "Packagist")
    type = "composer";
  else if (base == "Maven")
    name = encode_path(replace_all(package.name, ":", "/"));
  else if (base == "PyPI")
    name = encode_path(replace_all(lower(package.name), "_", "-"));
  if (!package.architecture.empty()) qualifiers = "?arch=" + package.architecture;
  if (!release.empty())
    qualifiers += fmt::format("{}distro={}-{}", qualifiers.empty() ? "?" : "&", lower(base), encode_segment(release));
  auto version = package.version.empty() ? "" : "@" + encode_segment(package.version);
  return fmt::format("pkg:{}/{}{}{}", type, name, version, qualifiers);
}

std::string Distribution::ecosystem() const {
  // Alpine's stream is "v3.20" whatever the patch release is.
  auto two = [&] {
    auto parts = split(version, '.');
    return parts.size() < 2 ? version : fmt::format("{}.{}", parts[0], parts[1]);
  };
  if (id == "debian") return version.empty() ? "Debian" : "Debian:" + std::string(split(version, '.')[0]);
  if (id == "alpine") return version.empty() ? "Alpine" : "Alpine:v" + two();
  if (id == "ubuntu") {
    auto year = to_int(split(version, '.')[0]);
    bool lts = year && *year % 2 == 0 && version.ends_with(".04");
    return "Ubuntu:" + version + (lts ? ":LTS" : "");
  }
  if (id == "wolfi") return "Wolfi";
  if (id == "chainguard") return "Chainguard";
  if (id == "almalinux") return "AlmaLinux:" + std::string(split(version, '.')[0]);
  if (id == "rocky") return "Rocky Linux:" + std::string(split(version, '.')[0]);
  return {};
}

Distribution parse_os_release(std::string_view text) {
  Distribution found;
  for (auto line : lines(text)) {
    auto pair = cut(trim(line), "=");
    if (!pair) continue;
    auto value = pair->second;
    if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0])
      value = value.substr(1, value.size() - 2);
    if (pair->first == "ID")
      found.id = lower(value);
    else if (pair->first == "VERSION_ID")
      found.version = value;
    else if (pair->first == "PRETTY_NAME")
      found.name = value;
  }
  return found;
}

doc::Value to_doc(const Package& p) {
  doc::Map map;
  auto put = [&](std::string_view key, const std::string& text) {
    if (!text.empty()) map.set(key, text);
  };
  put("ecosystem", p.ecosystem), put("name", p.name), put("version", p.version);
  put("source", p.source_name), put("sourceVersion", p.source_version), put("architecture", p.architecture);
  put("file", p.place.file), put("layer", p.layer), put("license", p.license);
  if (p.place.line > 0) map.set("line", p.place.line);
  return map;
}

Package package_from(doc::View view) {
  auto text = [&](std::string_view key) { return view[key].str_or(""); };
  Package p;
  p.ecosystem = text("ecosystem"), p.name = text("name"), p.version = text("version");
  p.source_name = text("source"), p.source_version = text("sourceVersion"), p.architecture = text("architecture");
  p.place = {text("file"), static_cast<int>(view["line"].num_or(0)), 0};
  p.layer = text("layer"), p.license = text("license");
  return p;
}

}  // namespace slipway::scan
