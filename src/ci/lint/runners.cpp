#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

using Sort = YamlNode::Sort;

// Labels of hosted runners and those every self-hosted one has; the system each stands for.
struct Label {
  std::string_view name, system;
};
constexpr Label labels[] = {
    {"windows-latest", "windows"},
    {"windows-latest-8-cores", "windows"},
    {"windows-2025", "windows"},
    {"windows-2022", "windows"},
    {"windows-11-arm", "windows"},
    {"windows-2025-vs2026", "windows"},
    {"ubuntu-slim", "linux"},
    {"ubuntu-latest", "linux"},
    {"ubuntu-latest-4-cores", "linux"},
    {"ubuntu-latest-8-cores", "linux"},
    {"ubuntu-latest-16-cores", "linux"},
    {"ubuntu-24.04", "linux"},
    {"ubuntu-24.04-arm", "linux"},
    {"ubuntu-22.04", "linux"},
    {"ubuntu-22.04-arm", "linux"},
    {"ubuntu-26.04", "linux"},
    {"macos-latest", "macos"},
    {"macos-latest-xlarge", "macos"},
    {"macos-latest-large", "macos"},
    {"macos-26", "macos"},
    {"macos-26-xlarge", "macos"},
    {"macos-26-large", "macos"},
    {"macos-26-intel", "macos"},
    {"macos-15", "macos"},
    {"macos-15-xlarge", "macos"},
    {"macos-15-large", "macos"},
    {"macos-15-intel", "macos"},
    {"macos-14", "macos"},
    {"macos-14-xlarge", "macos"},
    {"macos-14-large", "macos"},
    {"self-hosted", ""},
    {"x64", ""},
    {"arm", ""},
    {"arm64", ""},
    {"linux", "linux"},
    {"macos", "macos"},
    {"windows", "windows"},
};

const Label* find_label(std::string_view name) {
  for (auto& label : labels)
    if (iequals(label.name, name)) return &label;
  return nullptr;
}

// "*" stands for anything.
bool like(std::string_view pattern, std::string_view text) {
  auto star = pattern.find('*');
  if (star == pattern.npos) return iequals(pattern, text);
  if (text.size() < star || !iequals(pattern.substr(0, star), text.substr(0, star))) return false;
  for (auto i = star; i <= text.size(); ++i)
    if (like(pattern.substr(star + 1), text.substr(i))) return true;
  return false;
}

// The name in "${{ matrix.NAME }}", or nothing.
std::string matrix_name(std::string_view text) {
  if (!is_one_expression(text)) return {};
  auto inner = trim(text.substr(text.find("${{") + 3, text.rfind("}}") - text.find("${{") - 3));
  if (!lower(inner.substr(0, 7)).starts_with("matrix.")) return {};
  auto name = inner.substr(7);
  return name.find_first_of(".[ (") == name.npos ? lower(name) : std::string();
}

void add_scalars(const YamlNode& given, std::vector<const YamlNode*>& out) {
  auto& node = YamlTree::real(given);
  if (node.is(Sort::scalar)) out.push_back(&node);
  if (node.is(Sort::list))
    for (auto* item : node.items) add_scalars(*item, out);
}

std::vector<const YamlNode*> matrix_values(const JobFacts& job, std::string_view name) {
  std::vector<const YamlNode*> out;
  if (job.matrix == nullptr || !job.matrix->is(Sort::map)) return out;
  for (std::size_t i = 0; i + 1 < job.matrix->items.size(); i += 2) {
    auto& key = YamlTree::real(*job.matrix->items[i]);
    auto& value = YamlTree::real(*job.matrix->items[i + 1]);
    if (lower(key.text) == name) add_scalars(value, out);
    if (key.text != "include" || !value.is(Sort::list)) continue;
    for (auto* row : value.items)
      if (auto* one = YamlTree::find(YamlTree::real(*row), name)) add_scalars(*one, out);
  }
  return out;
}

class Runners {
 public:
  explicit Runners(Lint& lint) : lint_(lint) {}

  void check(const JobFacts& job) {
    std::vector<const YamlNode*> given;
    if (job.runs_on != nullptr) {
      auto* named = job.runs_on->is(Sort::map) ? YamlTree::find(*job.runs_on, "labels") : job.runs_on;
      if (named != nullptr) add_scalars(*named, given);
    }
    std::vector<const YamlNode*> fixed;
    for (auto* label : given)
      if (!holds_expression(label->text)) fixed.push_back(label);
    for (auto* label : fixed) known(*label);
    for (std::size_t i = 0; i < fixed.size(); ++i) conflict(*fixed[i], std::span(fixed).first(i));
    for (auto* label : given)
      for (auto* value : matrix_values(job, matrix_name(label->text))) {
        if (holds_expression(value->text)) continue;
        known(*value);
        conflict(*value, fixed);
      }
    shells(job, system_of(job, given));
  }

 private:
  void known(const YamlNode& node) {
    if (find_label(node.text) != nullptr) return;
    for (auto& own : lint_.options.labels)
      if (like(own, node.text)) return;
    std::vector<std::string> names;
    for (auto& label : labels) names.emplace_back(label.name);
    auto near = nearest(node.text, names);
    lint_.add("runner-label", node,
              fmt::format("no runner has the label '{}'{}; labels of your own runners belong into actionlint.yaml",
                          node.text, near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
  }

  void conflict(const YamlNode& node, std::span<const YamlNode* const> others) {
    auto* label = find_label(node.text);
    if (label == nullptr || label->system.empty()) return;
    for (auto* other : others) {
      auto* before = find_label(other->text);
      if (before == nullptr || before->system.empty() || before->system == label->system) continue;
      lint_.add("runner-label", node,
                fmt::format("no runner is both '{}' and '{}': use a matrix to run on each", other->text, node.text));
      return;
    }
  }

  // "linux", "windows", "macos", or "" where it is not certain.
  static std::string_view system_of(const JobFacts& job, const std::vector<const YamlNode*>& given) {
    std::string_view out;
    for (auto* node : given) {
      std::vector<const YamlNode*> values = {node};
      if (holds_expression(node->text)) {
        values = matrix_values(job, matrix_name(node->text));
        if (values.empty()) return {};
      }
      for (auto* value : values) {
        auto* label = find_label(value->text);
        auto system = label != nullptr ? label->system : std::string_view();
        if (system.empty()) continue;
        if (!out.empty() && out != system) return {};
        out = system;
      }
    }
    return out;
  }

  void shells(const JobFacts& job, std::string_view system) {
    if (job.shell != nullptr) shell(*job.shell, system);
    for (auto& step : job.steps)
      if (step.shell != nullptr) shell(*step.shell, system);
  }

 public:
  void shell(const YamlNode& node, std::string_view system) {
    static constexpr std::string_view everywhere[] = {"bash", "pwsh", "python"}, on_windows[] = {"cmd", "powershell"};
    auto name = lower(node.text);
    if (name.empty() || holds_expression(name) || name.contains("{0}")) return;
    auto among = [&](auto& list) { return std::find(std::begin(list), std::end(list), name) != std::end(list); };
    if (among(everywhere)) return;
    bool windows = among(on_windows);
    if (!windows && name != "sh")
      lint_.add("shell-name", node,
                fmt::format("there is no shell '{}': bash, sh, pwsh, python, cmd, powershell, or a command with {{0}}",
                            node.text));
    else if ((windows && !system.empty() && system != "windows") || (name == "sh" && system == "windows"))
      lint_.add("shell-name", node, fmt::format("there is no shell '{}' on {}", node.text, system));
  }

 private:
  Lint& lint_;
};

}  // namespace

void lint_runners(Lint& lint) {
  Runners runners(lint);
  if (lint.facts.shell != nullptr) runners.shell(*lint.facts.shell, "");
  for (auto& job : lint.facts.jobs) runners.check(job);
}

}  // namespace slipway::ci
