#include "ci/actions/version_file.h"

#include <array>

#include "base/text.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

std::string unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() > 1 && (text[0] == '"' || text[0] == '\'')) {
    auto end = text.find(text[0], 1);
    return std::string(text.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  return std::string(trim(text.substr(0, text.find('#'))));
}

bool is_name(std::string_view tool, std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> others[] = {
      {"node", "nodejs"}, {"go", "golang"}, {"dotnet", "dotnet-core"}};
  if (name == tool) return true;
  for (auto& [a, b] : others)
    if (tool == a && name == b) return true;
  return false;
}

// "temurin-17.0.1+12", "17.0.7-tem": the number alone.
std::string java_version(std::string_view text) {
  auto start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) return {};
  auto end = text.find_first_not_of("0123456789.", start);
  return std::string(text.substr(start, end == std::string_view::npos ? end : end - start));
}

std::string tool_versions(std::string_view tool, std::string_view text) {
  for (auto line : lines(text)) {
    line = trim(line.substr(0, line.find('#')));
    auto blank = line.find_first_of(" \t");
    if (blank == std::string_view::npos || !is_name(tool, line.substr(0, blank))) continue;
    auto rest = trim(line.substr(blank));
    return std::string(rest.substr(0, rest.find_first_of(" \t")));
  }
  return {};
}

// The value of a key in one of the sections of a TOML file, one line each. Enough for the keys that name versions.
std::string toml_value(std::string_view text, std::string_view section, std::string_view key) {
  std::string_view here;
  for (auto line : lines(text)) {
    line = trim(line);
    if (line.starts_with('[')) {
      here = trim(line.substr(1, line.find(']') == std::string_view::npos ? line.size() - 1 : line.find(']') - 1));
    } else if (auto pair = cut(line, "="); pair && here == section && unquoted(pair->first) == key) {
      auto value = trim(pair->second);
      if (!value.starts_with('{')) return unquoted(value);
      auto version = cut(value, "version");
      auto equals = version ? cut(version->second, "=") : std::nullopt;
      return equals ? unquoted(equals->second) : std::string();
    }
  }
  return {};
}

std::string of_toml(std::string_view tool, std::string_view name, std::string_view text) {
  if (name == "Pipfile") {
    auto whole = toml_value(text, "requires", "python_full_version");
    return whole.empty() ? toml_value(text, "requires", "python_version") : whole;
  }
  if (name == "rust-toolchain.toml") return toml_value(text, "toolchain", "channel");
  if (name == "mise.toml" || name == ".mise.toml") {
    auto own = toml_value(text, "tools", tool);
    return own.empty() && tool == "node" ? toml_value(text, "tools", "nodejs") : own;
  }
  if (tool == "uv") return toml_value(text, "tool.uv", "required-version");
  auto requires_python = toml_value(text, "project", "requires-python");
  return requires_python.empty() ? toml_value(text, "tool.poetry.dependencies", "python") : requires_python;
}

Result<std::string> of_json(std::string_view tool, std::string_view name, std::string_view text) {
  TRY(auto document, doc::parse_json(text, name));
  if (name == "global.json") return document.str_at({"sdk", "version"});
  auto manager = document.str_at({"packageManager"});
  if (manager.starts_with(std::string(tool) + "@"))
    return manager.substr(tool.size() + 1,
                          manager.find('+') == std::string::npos ? manager.npos : manager.find('+') - tool.size() - 1);
  if (auto volta = document.str_at({"volta", tool}); !volta.empty()) return volta;
  for (auto* kind : {"runtime", "packageManager"}) {
    auto* given = document.find_path({"devEngines", kind});
    if (!given) continue;
    auto of = [&](const doc::Value& one) { return one.str_at({"name"}) == tool ? one.str_at({"version"}) : ""; };
    if (auto* list = given->if_list())
      for (auto& one : *list)
        if (auto version = of(one); !version.empty()) return version;
    if (auto version = given->is_map() ? of(*given) : ""; !version.empty()) return version;
  }
  return document.str_at({"engines", tool});
}

VersionRequest of_go(std::string_view text) {
  VersionRequest out;
  for (auto line : lines(text)) {
    line = trim(line.substr(0, line.find("//")));
    // The toolchain line is the one that is to be used; the go line the least.
    if (line.starts_with("toolchain go")) return {std::string(trim(line.substr(12))), true};
    if (line.starts_with("go ")) out = {std::string(trim(line.substr(3))), true};
  }
  return out;
}

std::string of_gemfile(std::string_view text) {
  for (auto line : lines(text)) {
    line = trim(line);
    if (!line.starts_with("ruby ") && !line.starts_with("ruby(")) continue;
    auto quote = line.find_first_of("\"'");
    if (quote != std::string_view::npos) return unquoted(line.substr(quote));
  }
  return {};
}

std::string first_line(std::string_view tool, std::string_view text) {
  for (auto line : lines(text)) {
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    std::string out(line);
    if (tool == "java") return java_version(out);
    for (std::string_view prefix : {"ruby-", "go", "v", "deno-", "bun-", "pypy"})
      if (prefix != "pypy" && out.starts_with(prefix) && out.size() > prefix.size() && std::isdigit(out[prefix.size()]))
        return out.substr(prefix.size());
    return out;
  }
  return {};
}

}  // namespace

Result<VersionRequest> parse_version_file(std::string_view tool, std::string_view name, std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (name == "go.mod" || name == "go.work") return of_go(text);
  if (name.ends_with(".json")) {
    TRY(auto range, of_json(tool, name, text));
    return VersionRequest{std::move(range)};
  }
  if (name.ends_with(".toml") || name == "Pipfile") return VersionRequest{of_toml(tool, name, text)};
  if (name == ".tool-versions") {
    auto version = tool_versions(tool, text);
    return VersionRequest{tool == "java" ? java_version(version) : version};
  }
  if (name == "Gemfile") return VersionRequest{of_gemfile(text)};
  if (name == ".sdkmanrc") {
    for (auto line : lines(text))
      if (trim(line).starts_with("java=")) return VersionRequest{java_version(trim(line).substr(5))};
    return VersionRequest{};
  }
  return VersionRequest{first_line(tool, text)};
}

}  // namespace slipway::ci
