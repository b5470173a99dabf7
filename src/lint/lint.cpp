#include "lint/lint.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/yaml.h"
#include "lint/detail/rules.h"
#include "path/findings.h"

namespace slipway::lint {
namespace {

using path::Severity;

constexpr Rule rules[] = {
    {"invalid-yaml", Severity::error, "the file is no YAML"},
    {"missing-name", Severity::error, "an object has neither metadata.name nor generateName"},
    {"removed-api", Severity::error, "the API version does not exist any more"},
    {"duplicate-object", Severity::error, "two objects are the same one"},
    {"selector-mismatch", Severity::error, "a workload's selector does not match its own pods"},
    {"restart-policy", Severity::error, "a restart policy that the kind does not allow"},
    {"duplicate-env", Severity::warning, "an environment variable is set twice"},
    {"duplicate-port", Severity::warning, "a container port or its name is given twice"},
    {"probe-port", Severity::error, "a probe names a port that the container does not have"},
    {"target-port", Severity::warning, "a Service leads to a port that its pods do not have"},
    {"dangling-service", Severity::warning, "a Service selects no pods of these manifests"},
    {"dangling-ingress", Severity::warning, "an Ingress leads to a Service or port that is not in these manifests"},
    {"dangling-hpa", Severity::warning, "an autoscaler's target is not in these manifests"},
    {"latest-tag", Severity::warning, "an image without a tag or with latest: what runs changes by itself"},
    {"cpu-requests", Severity::warning, "no CPU request: the scheduler is blind"},
    {"memory-requests", Severity::warning, "no memory request: the scheduler is blind"},
    {"memory-limits", Severity::warning, "no memory limit: one pod can take the node's memory"},
    {"cpu-limits", Severity::info, "no CPU limit"},
    {"no-readiness-probe", Severity::warning, "no readiness probe: traffic comes before the program is ready"},
    {"no-liveness-probe", Severity::info, "no liveness probe: a hung program is never restarted"},
    {"privileged", Severity::error, "a privileged container is root on the node"},
    {"privilege-escalation", Severity::warning, "allowPrivilegeEscalation is not false"},
    {"run-as-root", Severity::warning, "the container may run as root"},
    {"writable-root", Severity::info, "the root file system can be written"},
    {"dangerous-capability", Severity::error, "a capability that is as good as root on the node"},
    {"added-capability", Severity::warning, "a capability beyond the usual ones"},
    {"capabilities-kept", Severity::info, "the capabilities are not all dropped"},
    {"proc-mount", Severity::warning, "an unmasked /proc"},
    {"unsafe-sysctl", Severity::warning, "a sysctl that is not safe to share a node with"},
    {"host-network", Severity::warning, "the pod is in the node's network"},
    {"host-pid", Severity::warning, "the pod sees the node's processes"},
    {"host-ipc", Severity::warning, "the pod shares the node's IPC"},
    {"host-process", Severity::warning, "a Windows host-process container"},
    {"host-port", Severity::warning, "a port of the node is taken"},
    {"host-path", Severity::warning, "a folder of the node is mounted"},
    {"sensitive-host-path", Severity::error, "a folder that gives the node away is mounted"},
    {"secret-in-env", Severity::warning, "what looks like a secret stands in an environment variable"},
    {"secret-in-configmap", Severity::warning, "what looks like a secret stands in a ConfigMap"},
    {"service-account-field", Severity::info, "serviceAccount is deprecated, serviceAccountName is not"},
    {"naked-pod", Severity::warning, "a Pod of its own is not replaced when its node goes"},
    {"single-replica", Severity::info, "one replica: every restart is an outage"},
    {"pdb-blocks", Severity::warning, "a PodDisruptionBudget that allows no disruption: nodes cannot be drained"},
    {"ingress-without-tls", Severity::info, "an Ingress without TLS"},
    {"cluster-admin", Severity::warning, "cluster-admin is given away"},
    {"rbac-wildcard", Severity::warning, "a role with everything in it"},
    {"rbac-pod-exec", Severity::warning, "a role that may run commands in pods"},
    {"rbac-secrets", Severity::info, "a role that may read secrets"},
};

const Rule* rule_of(std::string_view id) {
  for (const auto& rule : rules)
    if (rule.id == id) return &rule;
  return nullptr;
}

// "# slipway:ignore a, b": the rules named on this line.
bool line_allows(std::string_view line, std::string_view rule) {
  auto at = line.find("slipway:ignore");
  if (at == line.npos || line.find('#') > at) return false;
  for (auto word : split(line.substr(at + 14), ','))
    if (trim(word) == rule) return true;
  return false;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  for (auto line : lines(text)) out.emplace_back(line);
  return out;
}

path::Finding invalid_yaml(const std::string& file, const Error& error) {
  path::Finding f;
  f.check = "lint", f.rule = "invalid-yaml", f.severity = Severity::error;
  // The parser says "file:line:col: what".
  auto text = error.what();
  f.place.file = file;
  if (text.starts_with(file + ":")) {
    auto parts = split(std::string_view(text).substr(file.size() + 1), ':');
    if (parts.size() >= 3) {
      f.place.line = static_cast<int>(to_int(parts[0]).value_or(0)),
      f.place.column = static_cast<int>(to_int(parts[1]).value_or(0));
      text = trim(text.substr(file.size() + 1 + parts[0].size() + 1 + parts[1].size() + 1));
    }
  }
  f.message = text;
  f.fails = true;
  return f;
}

// A List holds objects.
void add_objects(const std::string& file, const std::vector<std::string>* lines, const doc::Value& value,
                 std::vector<detail::Object>& out) {
  if (value.str_at({"kind"}).empty() || value.str_at({"apiVersion"}).empty()) return;
  const auto* items = value.find("items");
  if (value.str_at({"kind"}).ends_with("List") && items != nullptr && items->is_list()) {
    for (const auto& item : *items->if_list()) add_objects(file, lines, item, out);
    return;
  }
  out.push_back({file, lines, value});
}

bool is_template(std::string_view text) { return text.find("{{") != text.npos; }

Result<> collect(const Ctx& ctx, const fs::path& root, const fs::path& at, int depth, std::vector<Source>& out) {
  if (depth > 30) return {};
  TRY(auto names, list_dir(at));
  bool chart = std::find(names.begin(), names.end(), "Chart.yaml") != names.end();
  for (const auto& name : names) {
    TRY_OK(ctx.alive());
    auto path = at / name;
    std::error_code ec;
    auto status = fs::symlink_status(path, ec);
    if (fs::is_directory(status)) {
      bool skip = name == ".git" || name == "node_modules" || name == ".github" ||
                  (chart && (name == "templates" || name == "charts"));
      if (!skip) TRY_OK(collect(ctx, root, path, depth + 1, out));
      continue;
    }
    if (!fs::is_regular_file(status) || !(name.ends_with(".yaml") || name.ends_with(".yml"))) continue;
    auto text = read_file(path, 16 << 20);
    if (!text || text->find("apiVersion") == std::string::npos || is_template(*text)) continue;
    out.push_back({fs::relative(path, root, ec).string(), *std::move(text)});
  }
  return {};
}

}  // namespace

namespace detail {

void Report::add(std::string_view id, const Object& object, doc::View at, std::string message) {
  const auto* rule = rule_of(id);
  SLP_ASSERT(rule != nullptr);
  if (options_.off.contains(std::string(id))) return;
  auto ignored = object.value.str_at({"metadata", "annotations", "slipway.dev/lint-ignore"});
  for (auto word : split(ignored, ','))
    if (trim(word) == id) return;
  auto mark = at.mark();
  if (mark.line == 0) mark = object.value.mark();
  if (object.lines != nullptr && mark.line > 0 && mark.line <= object.lines->size()) {
    const auto& lines = *object.lines;
    if (line_allows(lines[mark.line - 1], id)) return;
    if (mark.line >= 2 && trim(lines[mark.line - 2]).starts_with('#') && line_allows(lines[mark.line - 2], id)) return;
  }
  path::Finding f;
  f.check = "lint", f.rule = id, f.severity = rule->severity;
  f.place = {object.file, static_cast<int>(mark.line), static_cast<int>(mark.column)};
  f.message = fmt::format("{}: {}", object.describe(), message);
  f.fingerprint = sha256_hex(fmt::format("{}\n{}\n{}\n{}\n{}", id, object.file, object.describe(), at.path(), message))
                      .substr(0, 32);
  f.fails = rule->severity == Severity::error;
  findings_.push_back(std::move(f));
}

std::vector<path::Finding> Report::take() { return std::move(findings_); }

}  // namespace detail

std::span<const Rule> manifest_rules() { return rules; }

std::vector<path::Finding> lint_manifests(std::span<const Source> sources, const Options& options) {
  std::vector<detail::Object> objects;
  std::vector<path::Finding> broken;
  std::deque<std::vector<std::string>> texts;  // stay where they are
  for (const auto& source : sources) {
    auto values = doc::parse_yaml_all(source.text, {.source = source.file});
    if (!values) {
      broken.push_back(invalid_yaml(source.file, values.error()));
      continue;
    }
    texts.push_back(lines_of(source.text));
    for (const auto& value : *values) add_objects(source.file, &texts.back(), value, objects);
  }
  detail::Report report(options);
  for (const auto& object : objects) {
    detail::object_rules(object, report);
    detail::pod_rules(object, report);
  }
  detail::set_rules(objects, report);
  auto findings = report.take();
  findings.insert(findings.end(), broken.begin(), broken.end());
  path::sort_findings(findings);
  return findings;
}

Result<std::vector<path::Finding>> lint_folder(const Ctx& ctx, const fs::path& path, const Options& options) {
  std::error_code ec;
  std::vector<Source> sources;
  if (fs::is_directory(path, ec)) {
    TRY_OK(collect(ctx, path, path, 0, sources));
  } else {
    TRY(auto text, read_file(path, 16 << 20));
    sources.push_back({path.string(), std::move(text)});
  }
  return lint_manifests(sources, options);
}

}  // namespace slipway::lint
