// dorny/paths-filter, tj-actions/changed-files: what a change touches.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::ci {
namespace {

// The paths of the event; else the difference in the repository.
Result<std::vector<std::string>> changed(ActionUse& use) {
  auto& event = use.job.plan().event;
  auto& options = use.job.options();
  if (!event.paths.empty() || !options.repository) return event.paths;
  auto from = event.name.starts_with("pull_request") ? event.base_sha : event.before;
  if (event.name.starts_with("pull_request") && !event.base_sha.empty()) {
    TRY(auto base, options.repository->merge_base(event.base_sha, options.commit));
    if (base) from = *base;
  }
  TRY(auto files, options.repository->diff(from, options.commit));
  std::vector<std::string> out;
  for (auto& f : files) out.push_back(f.path);
  return out;
}

bool selected(const std::vector<std::string>& patterns, const std::string& file) {
  bool in = false,
       only_negative = std::all_of(patterns.begin(), patterns.end(), [](auto& p) { return p.starts_with('!'); });
  if (only_negative) in = true;
  for (std::string_view p : patterns) {
    bool negative = p.starts_with('!');
    if (glob_match(negative ? p.substr(1) : p, file)) in = !negative;
  }
  return in;
}

void patterns_of(const doc::Value& value, std::vector<std::string>& out) {
  if (auto* text = value.if_string()) out.push_back(*text);
  if (auto* list = value.if_list())
    for (auto& item : *list) patterns_of(item, out);
  if (auto* map = value.if_map())  // "added|modified: pattern": the kind of change does not matter here
    for (auto& [kind, inner] : *map) patterns_of(inner, out);
}

std::string print_list(const std::vector<std::string>& files, const std::string& form) {
  if (form == "json") {
    doc::List list;
    for (auto& f : files) list.emplace_back(f);
    return doc::print_json(doc::Value(std::move(list)));
  }
  if (form == "csv") return join(std::span<const std::string>(files), ",");
  std::string out;
  for (auto& f : files)
    out +=
        (out.empty() ? "" : " ") + (form == "escape" || form == "shell" ? "'" + replace_all(f, "'", "'\\''") + "'" : f);
  return out;
}

}  // namespace

Result<> paths_filter(const Ctx&, ActionUse& use) {
  auto filters = use.inputs.find("filters");
  if (filters == use.inputs.end() || trim(filters->second).empty())
    return fail(Kind::invalid, "Input required and not supplied: filters");
  std::string text = filters->second;
  if (!text.contains(':')) {
    TRY(auto relative, use.job.relative_of(std::string(trim(text))));
    TRY(text, use.job.folder().read(relative, 1 << 20));
  }
  TRY(auto document, doc::parse_yaml(text, {.dialect = doc::Dialect::actions, .source = "filters"}));
  auto* map = document.if_map();
  if (!map) return fail(Kind::invalid, "filters: want a mapping of names to lists of patterns");
  TRY(auto files, changed(use));
  auto form = use.input("list-files", "none");
  std::vector<std::string> hits;
  for (auto& [name, value] : *map) {
    std::vector<std::string> patterns, matching;
    patterns_of(value, patterns);
    for (auto& file : files)
      if (selected(patterns, file)) matching.push_back(file);
    use.say(fmt::format("{}: {}", name, matching.empty() ? "not touched" : fmt::format("{} files", matching.size())));
    use.output(name, matching.empty() ? "false" : "true");
    use.output(name + "_count", std::to_string(matching.size()));
    if (form != "none") use.output(name + "_files", print_list(matching, form));
    if (!matching.empty()) hits.push_back(name);
  }
  use.output("changes", print_list(hits, "json"));
  return {};
}

Result<> changed_files(const Ctx&, ActionUse& use) {
  TRY(auto files, changed(use));
  std::vector<std::string> patterns = use.list("files"), kept;
  for (auto& p : use.list("files_ignore")) patterns.push_back("!" + p);
  for (auto& file : files)
    if (patterns.empty() || selected(patterns, file)) kept.push_back(file);
  auto separator = use.input("separator", " ");
  auto all = use.flag("json", false) ? print_list(kept, "json") : join(std::span<const std::string>(kept), separator);
  for (auto name : {"all_changed_files", "all_modified_files", "all_changed_and_modified_files"}) use.output(name, all);
  use.output("any_changed", kept.empty() ? "false" : "true");
  use.output("any_modified", kept.empty() ? "false" : "true");
  use.output("only_changed", kept.size() == files.size() && !kept.empty() ? "true" : "false");
  use.output("all_changed_files_count", std::to_string(kept.size()));
  return {};
}

// Actions that only report to a service of others: accepted, and said so.
Result<> reports_elsewhere(const Ctx&, ActionUse& use) {
  use.job.annotate(use.step, {.level = Annotation::Level::notice,
                              .message = fmt::format(
                                  "{} reports to a service that is not connected here: nothing is sent", use.uses)});
  return {};
}

}  // namespace slipway::ci
