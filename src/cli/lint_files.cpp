#include "cli/lint_files.h"

#include "base/text.h"
#include "ci/front_end.h"
#include "ci/lint.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "image/stages.h"
#include "kube/validate.h"

namespace slipway::cli {
namespace {

constexpr std::size_t kLargestFile = std::size_t{4} << 20;

path::Finding error_at(std::string rule, path::Place place, std::string message) {
  path::Finding finding;
  finding.check = "lint", finding.rule = std::move(rule), finding.severity = path::Severity::error;
  finding.place = std::move(place);
  finding.message = std::move(message);
  return finding;
}

// "FILE:3:1: what" as its parts.
path::Finding from_error(const std::string& rule, const std::string& shown, const Error& error) {
  auto text = error.what();
  path::Place place{shown, 0, 0};
  if (text.starts_with(shown + ":")) {
    auto rest = std::string_view(text).substr(shown.size() + 1);
    auto parts = split(rest, ':');
    auto line = parts.empty() ? std::nullopt : to_int(parts[0]);
    auto column = parts.size() < 2 ? std::nullopt : to_int(parts[1]);
    if (line && column) {
      place.line = static_cast<int>(*line), place.column = static_cast<int>(*column);
      text = trim(rest.substr(parts[0].size() + parts[1].size() + 2));
    }
  }
  text = text.substr(0, text.find('\n'));  // the line itself follows
  if (!error.hint().empty()) text += " (" + error.hint() + ")";
  return error_at(rule, std::move(place), std::move(text));
}

bool is_dockerfile(std::string_view name) {
  return name == "Dockerfile" || name == "Containerfile" ||
         (name.starts_with("Dockerfile.") && !name.ends_with(".dockerignore")) || name.ends_with(".Dockerfile");
}

// The value at "spec.containers[0].name", or the nearest there is.
doc::View at(doc::View view, std::string_view field) {
  for (std::size_t i = 0; i < field.size();) {
    if (field[i] == '.') {
      ++i;
      continue;
    }
    doc::View next = view;
    if (field[i] == '[') {
      auto end = field.find(']', i);
      if (end == std::string_view::npos) return view;
      auto index = to_int(field.substr(i + 1, end - i - 1));
      next = index ? view[static_cast<std::size_t>(*index)] : view[field.substr(i + 1, end - i - 1)];
      i = end + 1;
    } else {
      auto end = std::min(field.find_first_of(".[", i), field.size());
      next = view[field.substr(i, end - i)];
      i = end;
    }
    if (!next.exists()) return view;
    view = next;
  }
  return view;
}

std::vector<std::string> members_of(const kube::Schema& schema, std::string_view field) {
  const auto* now = &schema;
  auto parent = field.substr(0, field.rfind('.') == std::string_view::npos ? 0 : field.rfind('.'));
  for (auto word : split(parent, '.')) {
    if (word.empty()) continue;
    const auto* child = now->child(word.substr(0, word.find('[')));
    if (child == nullptr) return {};
    now = word.contains('[') && child->items != nullptr ? child->items : child;
  }
  std::vector<std::string> names;
  if (now->fields != nullptr)
    for (const auto& member : now->fields->members) names.emplace_back(member.name);
  return names;
}

void check_object(const doc::Value& object, const std::string& shown, std::vector<path::Finding>& findings) {
  const auto* schema = kube::builtin_schema({object.str_at({"apiVersion"}), object.str_at({"kind"})});
  if (schema == nullptr) return;
  auto copy = object;
  auto checked = kube::check(copy, *schema, {.prune = true, .required = false});
  auto add = [&](const std::string& field, std::string message) {
    auto mark = at(doc::View(object), field).mark();
    findings.push_back(
        error_at("schema", {shown, static_cast<int>(mark.line), static_cast<int>(mark.column)}, std::move(message)));
  };
  for (const auto& field : checked.unknown) {
    auto near = nearest(field.substr(field.rfind('.') + 1), members_of(*schema, field));
    add(field, fmt::format("unknown field {}{}", field, near ? fmt::format(" (did you mean {}?)", *near) : ""));
  }
  for (const auto& problem : checked.problems)
    add(problem.field, fmt::format("{}: {}", problem.field, problem.message));
}

}  // namespace

Result<> walk_files(const Ctx& ctx, const fs::path& root, const fs::path& below,
                    const std::function<void(const fs::path& file, const std::string& shown)>& take) {
  TRY_OK(ctx.alive());
  if (!fs::is_directory(root / below)) {
    take(root / below, below.empty() ? root.string() : below.string());
    return {};
  }
  TRY(auto names, list_dir(root / below));
  for (const auto& name : names) {
    auto path = below / name;
    auto status = fs::symlink_status(root / path);
    bool chart = name == "templates" && path_exists(root / below / "Chart.yaml");
    if (fs::is_regular_file(status))
      take(root / path, path.string());
    else if (fs::is_directory(status) && !name.starts_with('.') && name != "node_modules" && !chart)
      TRY_OK(walk_files(ctx, root, path, take));
  }
  return {};
}

Result<> lint_workflows(const fs::path& root, std::vector<path::Finding>& findings) {
  auto add = [&](const fs::path& file, const std::string& shown, ci::LintOptions options) -> Result<> {
    TRY(auto text, read_file(file, kLargestFile));
    options.source = shown;
    for (auto& finding : ci::lint_workflow(text, options)) findings.push_back(std::move(finding));
    return {};
  };
  auto add_gitlab = [&](const fs::path& folder, const std::string& shown) -> Result<> {
    TRY(auto text, read_file(folder / ci::gitlab_file, kLargestFile));
    for (auto& finding : ci::lint_gitlab(text, shown, ci::folder_tree(folder))) findings.push_back(std::move(finding));
    return {};
  };
  if (fs::is_regular_file(root)) {
    auto folder = fs::absolute(root).lexically_normal().parent_path();
    if (root.filename() == ci::gitlab_file) return add_gitlab(folder, root.string());
    bool ours = folder.filename() == "workflows" && folder.parent_path().filename() == ".github";
    if (!ours || (root.extension() != ".yml" && root.extension() != ".yaml")) return {};
    return add(root, root.string(), ci::lint_options(folder.parent_path().parent_path()));
  }
  if (path_exists(root / ci::gitlab_file)) TRY_OK(add_gitlab(root, std::string(ci::gitlab_file)));
  auto folder = root / ".github/workflows";
  if (!path_exists(folder)) return {};
  TRY(auto names, list_dir(folder));
  auto options = ci::lint_options(root);
  for (const auto& name : names)
    if (name.ends_with(".yml") || name.ends_with(".yaml"))
      TRY_OK(add(folder / name, ".github/workflows/" + name, options));
  return {};
}

Result<> lint_dockerfiles(const Ctx& ctx, const fs::path& root, std::vector<path::Finding>& findings) {
  return walk_files(ctx, root, "", [&](const fs::path& file, const std::string& shown) {
    if (!is_dockerfile(file.filename().string())) return;
    auto text = read_file(file, kLargestFile);
    auto parsed = text ? image::parse_dockerfile(*text, shown) : Result<image::Dockerfile>(Fail(text.error()));
    auto planned = parsed ? image::plan_stages(*parsed) : Result<image::StagePlan>(Fail(parsed.error()));
    if (!planned) findings.push_back(from_error("dockerfile-syntax", shown, planned.error()));
  });
}

Result<> lint_schemas(const Ctx& ctx, const fs::path& root, std::vector<path::Finding>& findings) {
  return walk_files(ctx, root, "", [&](const fs::path& file, const std::string& shown) {
    if (!shown.ends_with(".yaml") && !shown.ends_with(".yml")) return;
    auto text = read_file(file, kLargestFile);
    if (!text) return;
    auto documents = doc::parse_yaml_all(*text, {.source = shown});
    if (!documents) return;  // the lint stage says what is no YAML
    for (const auto& document : *documents) check_object(document, shown, findings);
  });
}

}  // namespace slipway::cli
