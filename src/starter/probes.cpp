// Where the service says that it is well: probes that people wrote for it, then the routes of its sources.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "starter/detail/look.h"

namespace slipway::starter::detail {
namespace {

// Last parts of paths that are health checks by custom, the likeliest first.
constexpr std::string_view customary[] = {"readyz", "healthz",     "health",  "ready", "livez",
                                          "live",   "healthcheck", "_health", "alive", "ping"};

std::size_t rank_of(std::string_view path) {
  auto last = path.substr(path.rfind('/') + 1);
  return static_cast<std::size_t>(std::find(std::begin(customary), std::end(customary), last) - std::begin(customary));
}

bool is_source(std::string_view file) {
  static constexpr std::string_view ends[] = {".go",   ".js", ".mjs", ".cjs", ".ts",  ".py", ".rb",  ".rs",
                                              ".java", ".kt", ".c",   ".cc",  ".cpp", ".h",  ".php", ".cs"};
  auto base = base_of(file);
  bool test =
      base.contains("_test.") || base.contains(".test.") || base.contains(".spec.") || base.starts_with("test_");
  return !test && std::any_of(std::begin(ends), std::end(ends), [&](auto end) { return file.ends_with(end); });
}

// A quoted path whose last part is customary: app.get("/healthz", ...).
void routes_in(const std::string& file, std::string_view text,
               std::map<std::pair<std::size_t, std::string>, std::string>& found) {
  int line = 1;
  for (std::size_t i = 0; i + 2 < text.size(); ++i) {
    if (text[i] == '\n') ++line;
    if ((text[i] != '"' && text[i] != '\'' && text[i] != '`') || text[i + 1] != '/') continue;
    auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-", i + 1);
    if (end == std::string_view::npos || end - i > 48 || (text[end] != text[i] && text[end] != '?')) continue;
    std::string path(text.substr(i + 1, end - i - 1));
    auto rank = rank_of(path);
    if (rank < std::size(customary)) found.try_emplace({rank, path}, fmt::format("a route in {}:{}", file, line));
  }
}

// The number right after a text that people write where a server starts to listen.
int port_after(std::string_view text, std::string_view mark, std::size_t& at) {
  for (at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    auto rest = text.substr(at + mark.size());
    auto number = to_int(rest.substr(0, rest.find_first_not_of("0123456789")));
    if (number && *number > 0 && *number < 65536) return static_cast<int>(*number);
  }
  return 0;
}

// Where it listens, by its sources: the least certain of all, and better than a guess.
void look_at_listeners(const Tree& tree, Facts& facts, int& port) {
  static constexpr std::string_view marks[] = {"ListenAndServe(\":",
                                               "ListenAndServeTLS(\":",
                                               "net.Listen(\"tcp\", \":",
                                               ".Run(\":",
                                               ".Start(\":",
                                               "PORT || ",
                                               "PORT ?? ",
                                               "PORT\", ",
                                               ".listen(",
                                               "port=",
                                               "0.0.0.0:",
                                               "--port ",
                                               "--port=",
                                               "--port\", \""};
  auto look = [&](const std::string& file, std::string_view text) {
    for (auto mark : marks) {
      std::size_t at = 0;
      if (port != 0) return;
      port = port_after(text, mark, at);
      if (port != 0)
        facts.reasons.push_back(
            {"port", std::to_string(port),
             fmt::format("where it listens, in {}:{}", file, line_of(text, text.substr(at, mark.size() + 2)))});
    }
  };
  look(facts.dockerfile, tree.text(facts.dockerfile));
  for (const auto& file : tree.files())
    if (port == 0 && is_source(file) && !is_aside(file)) look(file, tree.text(file));
}

}  // namespace

void look_at_probes(const Tree& tree, Facts& facts, int& port, std::string& health) {
  for (const auto& file : tree.files()) {
    if ((port != 0 && !health.empty()) || (!file.ends_with(".yaml") && !file.ends_with(".yml")) ||
        file.starts_with(".github/"))
      continue;
    auto text = tree.text(file);
    if (!text.contains("containerPort") && !text.contains("readinessProbe") && !text.contains("livenessProbe"))
      continue;
    auto documents = doc::parse_yaml_all(text, {.source = file});
    if (!documents) continue;  // a chart's template, most likely
    for (const auto& document : *documents) {
      doc::View spec = doc::View(document)["spec"]["template"]["spec"];
      for (const auto& container : spec["containers"].items()) {
        for (std::string_view probe : {"readinessProbe", "livenessProbe"}) {
          auto path = container[probe]["httpGet"]["path"].text();
          if (!health.empty() || !path.starts_with('/')) continue;
          health = path;
          facts.reasons.push_back(
              {"health", health,
               fmt::format("{} in {}:{}", probe, file, container[probe]["httpGet"]["path"].mark().line)});
        }
        auto number = container["ports"][0]["containerPort"].num_or(0);
        if (port == 0 && number > 0 && number < 65536) {
          port = static_cast<int>(number);
          facts.reasons.push_back({"port", std::to_string(port), fmt::format("containerPort in {}", file)});
        }
      }
    }
  }
  if (port == 0) look_at_listeners(tree, facts, port);
  if (!health.empty()) return;
  std::map<std::pair<std::size_t, std::string>, std::string> found;
  for (const auto& file : tree.files())
    if (is_source(file) && !is_aside(file)) routes_in(file, tree.text(file), found);
  if (found.empty()) return;
  health = found.begin()->first.second;
  facts.reasons.push_back({"health", health, found.begin()->second});
}

}  // namespace slipway::starter::detail
