// npm, PyPI, Cargo, Go modules, Maven.
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
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

// "node_modules/a/node_modules/@s/b" -> "@s/b"
std::string_view name_of_path(std::string_view path) {
  auto at = path.rfind("node_modules/");
  return at == path.npos ? std::string_view() : path.substr(at + 13);
}

void read_dependencies(doc::View dependencies, std::string_view file, int depth, Packages& list) {
  if (depth > 60) return;
  for (const auto& [name, entry] : dependencies.members()) {
    auto version = entry["version"].str_or("");
    // An alias names its target in the version: npm:real@1.2.3.
    std::string real = name;
    if (version.starts_with("npm:")) {
      auto at = version.rfind('@');
      if (at == std::string::npos || at <= 4) continue;
      real = version.substr(4, at - 4), version = version.substr(at + 1);
    }
    if (!version.empty() && version.find("://") == std::string::npos && !version.starts_with("file:"))
      list.push_back(make("npm", real, version, place_of(file, entry.mark())));
    read_dependencies(entry["dependencies"], file, depth + 1, list);
  }
}

void add_unique(Packages& list) {
  std::set<std::pair<std::string, std::string>> seen;
  std::erase_if(list, [&](const Package& p) { return !seen.emplace(p.name, p.version).second; });
}

std::string_view unquote(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0])
    return text.substr(1, text.size() - 2);
  return {};
}

}  // namespace

Packages parse_package_lock(std::string_view json, std::string_view file) {
  Packages list;
  auto root = doc::parse_json(json, file);
  if (!root) return list;
  doc::View view(*root, file);
  if (view["packages"]) {
    for (const auto& [path, entry] : view["packages"].members()) {
      auto name = entry["name"].str_or(name_of_path(path));
      auto version = entry["version"].str_or("");
      if (path.empty() || name.empty() || version.empty() || entry["link"].bool_or(false)) continue;
      list.push_back(make("npm", name, version, place_of(file, entry.mark())));
    }
  } else {
    read_dependencies(view["dependencies"], file, 0, list);
  }
  add_unique(list);
  return list;
}

Packages parse_package_json(std::string_view json, std::string_view file) {
  auto root = doc::parse_json(json, file);
  if (!root) return {};
  doc::View view(*root, file);
  auto name = view["name"].str_or(""), version = view["version"].str_or("");
  if (name.empty() || version.empty()) return {};  // a hint for bundlers inside a package
  auto p = make("npm", name, version, place_of(file, view["version"].mark()));
  p.license = view["license"].str_or("");
  return {p};
}

Packages parse_python_metadata(std::string_view text, std::string_view file) {
  std::string name, version, license;
  int number = 0, at = 0;
  for (auto line : lines(text.substr(0, text.find("\n\n")))) {
    ++number;
    if (auto pair = cut(line, ":")) {
      auto value = trim(pair->second);
      if (pair->first == "Name")
        name = value;
      else if (pair->first == "Version")
        version = value, at = number;
      else if (pair->first == "License" && value.size() < 100)
        license = value;
    }
  }
  if (name.empty() || version.empty()) return {};
  auto p = make("PyPI", name, version, {std::string(file), at, 1});
  p.license = license;
  return {p};
}

Packages parse_requirements(std::string_view text, std::string_view file) {
  Packages list;
  int number = 0;
  for (auto whole : lines(text)) {
    ++number;
    auto line = trim(whole.substr(0, whole.find('#')));
    line = trim(line.substr(0, line.find(';')));
    auto pair = cut(line, "==");
    if (!pair || line.starts_with('-')) continue;
    auto name = trim(pair->first.substr(0, pair->first.find('[')));
    auto version = trim(pair->second);
    if (version.starts_with('=')) version = trim(version.substr(1));
    version = version.substr(0, version.find_first_of(" ,\\"));
    bool pinned = !name.empty() && !version.empty() && version.find('*') == version.npos &&
                  name.find_first_of("<>=!~ /\\\"'") == name.npos;
    if (pinned) list.push_back(make("PyPI", name, version, {std::string(file), number, 1}));
  }
  return list;
}

Packages parse_toml_lock(std::string_view text, std::string_view ecosystem, std::string_view file) {
  // Lock files are written by programs in one plain form: [[package]] tables of one-line keys.
  Packages list;
  std::string name, version, source;
  int number = 0, begin = 0;
  bool inside = false;
  auto finish = [&] {
    // Without a source, Cargo's entry is a crate of the workspace itself; so is uv's "editable" or "virtual" one.
    bool own = (ecosystem == "crates.io" && source.empty()) || source.find("virtual") != source.npos ||
               source.find("editable") != source.npos;
    if (inside && !own && !name.empty() && !version.empty())
      list.push_back(make(ecosystem, name, version, {std::string(file), begin, 1}));
    name.clear(), version.clear(), source.clear();
  };
  for (auto whole : lines(text)) {
    ++number;
    auto line = trim(whole);
    if (line.starts_with('[')) {
      if (line == "[[package]]" || line == "[[packages]]")
        finish(), inside = true, begin = number;
      else if (!line.starts_with("[package."))
        finish(), inside = false;
      else if (inside && begin > 0)
        finish(), inside = false;  // sub-tables hold other names
      continue;
    }
    auto pair = cut(line, "=");
    if (!inside || !pair) continue;
    auto key = trim(pair->first);
    if (key == "name")
      name = unquote(pair->second);
    else if (key == "version")
      version = unquote(pair->second);
    else if (key == "source")
      source = trim(pair->second);
  }
  finish();
  return list;
}

Packages parse_go_mod(std::string_view text, std::string_view file) {
  Packages list;
  std::map<std::string, std::pair<std::string, std::string>, std::less<>> replaced;
  std::string block;
  int number = 0;
  for (auto whole : lines(text)) {
    ++number;
    auto line = trim(whole.substr(0, whole.find("//")));
    if (line.empty()) continue;
    if (line == ")") {
      block.clear();
      continue;
    }
    std::vector<std::string_view> words;
    for (std::size_t i = 0; i < line.size();) {
      auto from = line.find_first_not_of(" \t", i);
      if (from == line.npos) break;
      auto to = std::min(line.find_first_of(" \t", from), line.size());
      words.push_back(line.substr(from, to - from));
      i = to;
    }
    if (words.size() == 2 && words[1] == "(") {
      block = words[0];
      continue;
    }
    std::string verb = block;
    if (verb.empty()) {
      verb = words[0];
      words.erase(words.begin());
    }
    if (verb == "require" && words.size() >= 2) {
      list.push_back(
          make("Go", words[0], words[1].substr(words[1].starts_with('v') ? 1 : 0), {std::string(file), number, 1}));
    } else if (verb == "replace") {
      auto arrow = std::find(words.begin(), words.end(), "=>");
      if (words.empty() || words.end() - arrow < 2) continue;
      // A folder as the target has no version: nothing to match.
      replaced[std::string(words[0])] = {std::string(arrow[1]), words.end() - arrow > 2 ? std::string(arrow[2]) : ""};
    }
  }
  for (auto& p : list) {
    auto it = replaced.find(p.name);
    if (it == replaced.end()) continue;
    p.name = it->second.first;
    p.version = it->second.second.starts_with('v') ? it->second.second.substr(1) : it->second.second;
  }
  std::erase_if(list, [](const Package& p) { return p.version.empty(); });
  return list;
}

Packages parse_pom_properties(std::string_view text, std::string_view file) {
  std::string group, artifact, version;
  for (auto line : lines(text)) {
    auto pair = cut(trim(line), "=");
    if (!pair) continue;
    if (pair->first == "groupId")
      group = pair->second;
    else if (pair->first == "artifactId")
      artifact = pair->second;
    else if (pair->first == "version")
      version = pair->second;
  }
  if (group.empty() || artifact.empty() || version.empty()) return {};
  return {make("Maven", group + ":" + artifact, version, {std::string(file), 1, 1})};
}

}  // namespace slipway::scan
