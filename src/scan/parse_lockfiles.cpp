// Yarn, pnpm, Pipenv, Composer, Bundler.
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "scan/parsers.h"

namespace slipway::scan {
namespace {

Package make(std::string_view ecosystem, std::string_view name, std::string_view version, path::Place place) {
  Package p;
  p.ecosystem = ecosystem, p.name = name, p.version = version, p.place = std::move(place);
  return p;
}
path::Place place_of(std::string_view file, const doc::Mark& mark) {
  return {std::string(file), static_cast<int>(mark.line), static_cast<int>(mark.column)};
}
std::string_view unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0])
    text = text.substr(1, text.size() - 2);
  return text;
}

// "@scope/name@^1.0.0" -> "@scope/name"; "alias@npm:real@1.0.0" -> "real".
std::string_view name_of_range(std::string_view range) {
  auto at = range.find('@', 1);
  if (at == range.npos) return {};
  auto alias = range.substr(at + 1);
  if (alias.starts_with("npm:") && alias.find('@', 5) != alias.npos) return alias.substr(4, alias.find('@', 5) - 4);
  return range.substr(0, at);
}

// pnpm's keys: "/name/1.0.0", "/name@1.0.0(peer@2)", "name@1.0.0", "/@scope/name/1.0.0_peer@2".
std::optional<std::pair<std::string_view, std::string_view>> split_pnpm(std::string_view key) {
  if (key.starts_with('/')) key.remove_prefix(1);
  key = key.substr(0, key.find('('));
  if (auto at = key.find('@', 1); at != key.npos && (key.find('_') == key.npos || at < key.find('_')))
    return std::pair(key.substr(0, at), key.substr(at + 1));
  auto slash = key.rfind('/');
  if (slash == key.npos || slash == 0) return std::nullopt;
  auto version = key.substr(slash + 1);
  return std::pair(key.substr(0, slash), version.substr(0, version.find('_')));
}

}  // namespace

Packages parse_yarn_lock(std::string_view text, std::string_view file) {
  Packages list;
  std::string name;
  int number = 0, begin = 0;
  for (auto line : lines(text)) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    if (line[0] != ' ') {  // "a@^1", "a@^2":
      auto key = trim(line);
      if (key.ends_with(':')) key.remove_suffix(1);
      auto first = unquoted(key.substr(0, key.find(", ")));
      if (first.starts_with('"')) first.remove_prefix(1);
      bool workspace = first.find("@workspace:") != first.npos || first.find("@link:") != first.npos ||
                       first.find("@file:") != first.npos;
      name = workspace ? std::string_view() : name_of_range(first);
      begin = number;
      continue;
    }
    auto entry = trim(line);
    if (name.empty() || !line.starts_with("  ") || line.starts_with("   ") || !entry.starts_with("version")) continue;
    auto version = unquoted(entry.substr(entry.starts_with("version:") ? 8 : 7));
    if (!version.empty()) list.push_back(make("npm", name, version, {std::string(file), begin, 1}));
    name.clear();
  }
  return list;
}

Packages parse_pnpm_lock(std::string_view text, std::string_view file) {
  Packages list;
  auto root = doc::parse_yaml(text, {.source = file});
  if (!root) return list;
  std::set<std::string> seen;
  const auto* packages = root->find("packages");
  if (packages == nullptr || !packages->is_map()) return list;
  for (const auto& [key, value] : *packages->if_map()) {
    auto parts = split_pnpm(key);
    if (!parts || parts->first.empty() || parts->second.empty() || parts->second.find(':') != std::string_view::npos)
      continue;
    if (!seen.insert(fmt::format("{}@{}", parts->first, parts->second)).second) continue;
    list.push_back(make("npm", parts->first, parts->second, place_of(file, packages->if_map()->key_mark(key))));
  }
  return list;
}

Packages parse_pipfile_lock(std::string_view json, std::string_view file) {
  Packages list;
  auto root = doc::parse_json(json, file);
  if (!root) return list;
  for (auto group : {"default", "develop"})
    for (const auto& [name, entry] : doc::View(*root, file)[group].members()) {
      auto version = entry["version"].str_or("");
      if (version.starts_with("==") && version.size() > 2 && !name.empty())
        list.push_back(make("PyPI", name, version.substr(2), place_of(file, entry["version"].mark())));
    }
  return list;
}

Packages parse_composer_lock(std::string_view json, std::string_view file) {
  Packages list;
  auto root = doc::parse_json(json, file);
  if (!root) return list;
  for (auto group : {"packages", "packages-dev"})
    for (const auto& entry : doc::View(*root, file)[group].items()) {
      auto name = entry["name"].str_or(""), version = entry["version"].str_or("");
      if (version.starts_with('v')) version.erase(0, 1);
      if (!name.empty() && !version.empty())
        list.push_back(make("Packagist", name, version, place_of(file, entry["version"].mark())));
    }
  return list;
}

Packages parse_gemfile_lock(std::string_view text, std::string_view file) {
  Packages list;
  bool gems = false;
  int number = 0;
  for (auto line : lines(text)) {
    ++number;
    if (!line.empty() && line[0] != ' ') gems = line == "GEM";
    // Four spaces: a resolved gem; six: what it needs.
    if (!gems || !line.starts_with("    ") || line.starts_with("     ")) continue;
    auto entry = trim(line);
    auto open = entry.find(" (");
    if (open == entry.npos || !entry.ends_with(')')) continue;
    auto version = entry.substr(open + 2, entry.size() - open - 3);
    version = version.substr(0, version.find('-'));  // the platform
    if (open > 0 && !version.empty())
      list.push_back(make("RubyGems", entry.substr(0, open), version, {std::string(file), number, 5}));
  }
  return list;
}

}  // namespace slipway::scan
