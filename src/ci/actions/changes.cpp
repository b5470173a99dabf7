// dorny/paths-filter, tj-actions/changed-files: what a change touches.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::ci {
namespace {

using Type = git::FileChange::Type;
using Files = std::vector<git::FileChange>;
constexpr std::size_t max_patterns = 1 << 20;  // bytes of a file of patterns

std::string print_type(Type type) {
  return type == Type::added      ? "added"
         : type == Type::deleted  ? "deleted"
         : type == Type::renamed  ? "renamed"
         : type == Type::modified ? "modified"
                                  : "type_changed";
}

Result<std::optional<std::string>> resolve(const git::Repository& repository, const std::string& name) {
  for (const auto& candidate : {name, "refs/heads/" + name, "refs/remotes/origin/" + name, "refs/tags/" + name}) {
    TRY(auto found, repository.resolve(candidate));
    if (found) return found;
  }
  return std::optional<std::string>();
}

// What is compared with: the base that is asked for, else what the event says.
Result<std::string> base_of(ActionUse& use, const std::string& asked, const std::string& head) {
  auto& event = use.job.plan().event;
  auto& repository = *use.job.options().repository;
  bool same_branch = asked == event.ref || "refs/heads/" + asked == event.ref;
  auto base =
      asked.empty() || same_branch ? (event.name.starts_with("pull_request") ? event.base_sha : event.before) : asked;
  if (base == git::zero_oid) base.clear();
  if (base.empty() && event.ref != "refs/heads/" + event.default_branch) base = event.default_branch;  // a new branch
  if (base.empty()) return base;
  TRY(auto found, resolve(repository, base));
  if (!found) {
    if (!asked.empty()) return fail(Kind::not_found, "base '{}' is not in the repository", asked);
    return std::string();
  }
  if (asked.empty() && !event.name.starts_with("pull_request") && base == event.before) return *found;
  TRY(auto common, repository.merge_base(*found, head));
  return common ? *common : *found;
}

// The difference in the repository; a run without one knows the event's paths alone.
Result<Files> changed(ActionUse& use, const std::string& base, const std::string& head) {
  auto& event = use.job.plan().event;
  auto& options = use.job.options();
  Files out;
  if (options.repository) {
    auto to = options.commit;
    if (!head.empty()) {
      TRY(auto found, resolve(*options.repository, head));
      if (!found) return fail(Kind::not_found, "'{}' is not in the repository", head);
      to = *found;
    }
    TRY(auto from, base_of(use, base, to));
    if (!from.empty() || event.paths.empty()) return options.repository->diff(from, to);
  } else if (!base.empty() || !head.empty()) {
    use.say("##[warning]this run works on a folder: what changed is what its event says");
  }
  for (auto& path : event.paths) {
    git::FileChange one;
    one.path = path;
    out.push_back(std::move(one));
  }
  return out;
}

// {a,b} as several patterns, nested ones as well; at most 256.
void expand(const std::string& pattern, std::vector<std::string>& out) {
  auto open = pattern.find('{');
  int depth = 0;
  std::vector<std::size_t> cuts;
  std::size_t close = std::string::npos;
  for (auto i = open; i < pattern.size() && close == std::string::npos; ++i) {
    if (pattern[i] == '{' && depth++ == 0) cuts.push_back(i);
    if (pattern[i] == ',' && depth == 1) cuts.push_back(i);
    if (pattern[i] == '}' && --depth == 0) cuts.push_back(i), close = i;
  }
  if (close == std::string::npos || cuts.size() < 3) {
    if (out.size() < 256) out.push_back(pattern);
    return;
  }
  for (std::size_t i = 0; i + 1 < cuts.size() && out.size() < 256; ++i)
    expand(pattern.substr(0, open) + pattern.substr(cuts[i] + 1, cuts[i + 1] - cuts[i] - 1) + pattern.substr(close + 1),
           out);
}

bool matches(const std::string& pattern, const std::string& file) {
  std::vector<std::string> all;
  expand(pattern, all);
  return std::any_of(all.begin(), all.end(), [&](auto& p) { return glob_match(p, file); });
}

// The last pattern that matches decides; only exceptions: all but them.
bool selected(const std::vector<std::string>& patterns, const std::string& file) {
  bool in = std::all_of(patterns.begin(), patterns.end(), [](auto& p) { return p.starts_with('!'); });
  for (auto& p : patterns) {
    bool negative = p.starts_with('!');
    if (matches(negative ? p.substr(1) : p, file)) in = !negative;
  }
  return in;
}

std::string print_list(const std::vector<std::string>& files, const std::string& form) {
  if (form == "json") return doc::print_json(doc::Value(doc::List(files.begin(), files.end())));
  if (form == "csv") {
    std::string out;
    for (auto& f : files) {
      bool plain = f.find_first_of(",\"\n") == std::string::npos;
      out += (out.empty() ? "" : ",") + (plain ? f : "\"" + replace_all(f, "\"", "\"\"") + "\"");
    }
    return out;
  }
  std::string out;
  for (auto& f : files) {
    auto one = f;
    if (form == "shell") one = "'" + replace_all(f, "'", "'\\''") + "'";
    if (form == "escape") {
      one.clear();
      for (char c : f) {
        if (!std::isalnum(static_cast<unsigned char>(c)) && !std::string_view("_-./,:@%+=").contains(c)) one += '\\';
        one += c;
      }
    }
    out += (out.empty() ? "" : " ") + one;
  }
  return out;
}

// A rule of paths-filter: a pattern, and the kinds of change it is for ("added|modified: pattern"); none: all.
struct Rule {
  std::string pattern;
  std::set<std::string> kinds;
};
Result<> rules_of(const doc::Value& value, const std::set<std::string>& kinds, std::vector<Rule>& out) {
  if (auto* text = value.if_string()) out.push_back({*text, kinds});
  if (auto* list = value.if_list())
    for (auto& item : *list) TRY_OK(rules_of(item, kinds, out));
  auto* map = value.if_map();
  if (!map) return {};
  for (auto& [key, inner] : *map) {
    std::set<std::string> own;
    for (auto kind : split(key, '|')) {
      auto name = lower(trim(kind));
      if (name != "added" && name != "modified" && name != "deleted" && name != "renamed" && name != "copied")
        return fail(Kind::invalid,
                    "filters: unknown kind of change \"{}\", want added, modified, deleted, renamed or copied", name);
      own.insert(name);
    }
    TRY_OK(rules_of(inner, own, out));
  }
  return {};
}

// Each rule stands for itself: `!x` takes whatever is not x.
bool takes(const Rule& rule, const git::FileChange& file) {
  bool negative = rule.pattern.starts_with('!');
  bool hit = matches(negative ? rule.pattern.substr(1) : rule.pattern, file.path) != negative;
  return hit && (rule.kinds.empty() || rule.kinds.contains(print_type(file.type)));
}

// The text itself, or the file of the repository that it names.
Result<std::string> filters_of(ActionUse& use) {
  auto text = use.input("filters");
  if (text.contains('\n') || text.contains(':')) return text;
  TRY(auto relative, use.job.relative_of(text));
  if (!use.job.folder().has_file(relative))
    return Fail(Error(Kind::not_found, fmt::format("filters: no such file {}", text))
                    .with_hint("is there an actions/checkout step before?"));
  return use.job.folder().read(relative, max_patterns);
}

}  // namespace

Result<> paths_filter(const Ctx&, ActionUse& use) {
  TRY(auto text, filters_of(use));
  TRY(auto document, doc::parse_yaml(text, {.dialect = doc::Dialect::actions, .source = "filters"}));
  auto* map = document.if_map();
  if (!map) return fail(Kind::invalid, "filters: want a mapping of names to lists of patterns");
  TRY(auto files, changed(use, use.input("base"), use.input("ref")));
  auto form = use.input("list-files", "none"), quantifier = use.input("predicate-quantifier", "some");
  if (form != "none" && form != "csv" && form != "json" && form != "shell" && form != "escape")
    return fail(Kind::invalid, "Input parameter 'list-files' is set to invalid value '{}'", form);
  if (quantifier != "some" && quantifier != "every")
    return fail(Kind::invalid, "Input parameter 'predicate-quantifier' is set to invalid value '{}'", quantifier);
  std::vector<std::string> hits;
  for (auto& [name, value] : *map) {
    std::vector<Rule> rules;
    TRY_OK(rules_of(value, {}, rules));
    std::vector<std::string> matching;
    for (auto& file : files) {
      auto fits = [&](auto& rule) { return takes(rule, file); };
      bool in = quantifier == "some" ? std::any_of(rules.begin(), rules.end(), fits)
                                     : std::all_of(rules.begin(), rules.end(), fits);
      if (in) matching.push_back(file.path);
    }
    use.say(fmt::format("{}: {}", name, matching.empty() ? "not touched" : fmt::format("{} files", matching.size())));
    use.output(name, matching.empty() ? "false" : "true");
    use.output(name + "_count", std::to_string(matching.size()));
    if (form != "none") use.output(name + "_files", print_list(matching, form));
    if (!matching.empty()) hits.push_back(name);
  }
  use.output("changes", print_list(hits, "json"));
  return {};
}

namespace {

// tj-actions/changed-files.
class ChangedFiles {
 public:
  explicit ChangedFiles(ActionUse& use) : use_(use) {}

  Result<> run() {
    if (use_.input("path", ".") != ".")
      return fail(Kind::unavailable, "path: the run's own repository alone is looked at");
    TRY(files_, changed(use_, use_.input("base_sha"), use_.input("sha")));
    TRY(auto patterns, patterns_from("files", "files_from_source_file", "files_separator"));
    TRY(auto ignored, patterns_from("files_ignore", "files_ignore_from_source_file", "files_ignore_separator"));
    for (auto& p : ignored) patterns.push_back("!" + p);
    TRY(auto named, named_patterns());
    if (named.empty() || !patterns.empty()) TRY_OK(tell("", patterns));
    doc::List changed_keys, modified_keys;
    for (auto& [name, own] : named) {
      TRY_OK(tell(name + "_", own));
      if (any_changed_) changed_keys.emplace_back(name);
      if (any_modified_) modified_keys.emplace_back(name);
    }
    if (named.empty()) return {};
    auto keys = [&](const doc::List& list) {
      std::vector<std::string> out;
      for (auto& key : list) out.push_back(*key.if_string());
      return print(out);
    };
    use_.output("changed_keys", keys(changed_keys));
    use_.output("modified_keys", keys(modified_keys));
    return {};
  }

 private:
  using Texts = std::vector<std::string>;

  Result<std::string> file_text(const std::string& name) {
    TRY(auto relative, use_.job.relative_of(name));
    if (!use_.job.folder().has_file(relative)) return fail(Kind::not_found, "{}: no such file", name);
    return use_.job.folder().read(relative, max_patterns);
  }
  Result<Texts> patterns_from(const char* input, const char* file_input, const char* separator_input) {
    Texts out;
    auto separator = use_.input(separator_input);
    for (auto& line : use_.list(input)) {
      std::string_view rest = line;
      while (!separator.empty() && rest.contains(separator)) {
        out.emplace_back(trim(rest.substr(0, rest.find(separator))));
        rest.remove_prefix(rest.find(separator) + separator.size());
      }
      out.emplace_back(trim(rest));
    }
    for (auto& file : use_.list(file_input)) {
      TRY(auto text, file_text(file));
      for (auto line : lines(text))
        if (!trim(line).empty() && !trim(line).starts_with('#')) out.emplace_back(trim(line));
    }
    std::erase(out, "");
    // A folder stands for all it holds.
    for (auto& p : out)
      if (p.ends_with('/')) p += "**";
    return out;
  }
  Result<std::vector<std::pair<std::string, Texts>>> named_patterns() {
    std::vector<std::pair<std::string, Texts>> out;
    auto add = [&](const std::string& text, const std::string& source, bool ignored) -> Result<> {
      TRY(auto document, doc::parse_yaml(text, {.dialect = doc::Dialect::actions, .source = source}));
      auto* map = document.if_map();
      if (!map) return fail(Kind::invalid, "{}: want a mapping of names to lists of patterns", source);
      for (auto& [name, value] : *map) {
        std::vector<Rule> rules;
        TRY_OK(rules_of(value, {}, rules));
        auto found = std::find_if(out.begin(), out.end(), [&](auto& one) { return one.first == name; });
        if (found == out.end()) found = out.insert(out.end(), {name, {}});
        for (auto& rule : rules) found->second.push_back(ignored ? "!" + rule.pattern : rule.pattern);
      }
      return {};
    };
    if (auto text = use_.input("files_yaml"); !text.empty()) TRY_OK(add(text, "files_yaml", false));
    for (auto& file : use_.list("files_yaml_from_source_file")) {
      TRY(auto text, file_text(file));
      TRY_OK(add(text, file, false));
    }
    if (auto text = use_.input("files_ignore_yaml"); !text.empty()) TRY_OK(add(text, "files_ignore_yaml", true));
    return out;
  }

  std::string print(const Texts& files) const {
    if (use_.flag("json", false) || use_.flag("matrix", false)) {
      auto text = print_list(files, "json");
      bool escape = use_.flag("escape_json", true) && !use_.flag("matrix", false);
      return escape ? replace_all(text, "\"", "\\\"") : text;
    }
    auto given = use_.inputs.find("separator");
    auto separator = given == use_.inputs.end() || given->second.empty() ? " " : given->second;
    auto out = join(std::span<const std::string>(files), separator);
    if (!use_.flag("safe_output", true)) return out;
    // What a shell would take for its own when the list is pasted into a command.
    std::string safe;
    for (char c : out) {
      if (std::string_view(":*?\"<>|;`$()&!").contains(c)) safe += '\\';
      safe += c;
    }
    return safe;
  }
  Texts shaped(const Texts& files) const {
    if (!use_.flag("dir_names", false)) return files;
    auto depth = to_int(use_.input("dir_names_max_depth")).value_or(0);
    Texts out;
    for (auto& file : files) {
      fs::path folder;
      std::int64_t count = 0;
      for (auto& part : fs::path(file).parent_path())
        if (depth <= 0 || count++ < depth) folder /= part;
      auto name = folder.empty() ? std::string(".") : folder.string();
      if (name == "." && use_.flag("dir_names_exclude_current_dir", false)) continue;
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
    return out;
  }

  Result<> list(const std::string& prefix, const std::string& name, const Texts& files) {
    auto all = shaped(files);
    auto text = print(all);
    use_.output(prefix + name, text);
    use_.output(prefix + name + "_count", std::to_string(all.size()));
    if (!use_.flag("write_output_files", false)) return {};
    auto extension = use_.flag("json", false) ? "json" : "txt";
    TRY(auto folder, use_.job.relative_of(use_.input("output_dir", ".github/outputs")));
    return use_.job.folder().write(fmt::format("{}/{}{}.{}", folder, prefix, name, extension), text + "\n");
  }

  Result<> tell(const std::string& prefix, const Texts& patterns) {
    std::map<std::string, Texts> by_type;
    Texts changed_all, modified_all, every, other_changed, other_modified, deleted_others;
    for (auto& file : files_) {
      bool deleted = file.type == Type::deleted, typed = file.type == Type::type_changed;
      bool in = patterns.empty() || selected(patterns, file.path);
      if (!in) {
        if (!deleted) other_changed.push_back(file.path);
        (deleted ? deleted_others : other_modified).push_back(file.path);
        if (deleted) other_modified.push_back(file.path);
        continue;
      }
      by_type[print_type(file.type)].push_back(file.path);
      every.push_back(file.path);
      if (!typed) modified_all.push_back(file.path);
      if (!typed && !deleted) changed_all.push_back(file.path);
    }
    for (auto* type : {"added", "deleted", "modified", "renamed", "type_changed"})
      TRY_OK(list(prefix, fmt::format("{}_files", type), by_type[type]));
    for (auto* type : {"copied", "unmerged", "unknown"}) TRY_OK(list(prefix, fmt::format("{}_files", type), {}));
    TRY_OK(list(prefix, "all_changed_files", changed_all));
    TRY_OK(list(prefix, "all_modified_files", modified_all));
    TRY_OK(list(prefix, "all_changed_and_modified_files", every));
    TRY_OK(list(prefix, "other_changed_files", other_changed));
    TRY_OK(list(prefix, "other_modified_files", other_modified));
    TRY_OK(list(prefix, "other_deleted_files", deleted_others));
    auto flag = [&](const char* name, bool value) { use_.output(prefix + name, value ? "true" : "false"); };
    auto& deleted = by_type["deleted"];
    any_changed_ = !changed_all.empty(), any_modified_ = !modified_all.empty();
    flag("any_changed", any_changed_), flag("any_modified", any_modified_), flag("any_deleted", !deleted.empty());
    flag("only_changed", any_changed_ && other_changed.empty());
    flag("only_modified", any_modified_ && other_modified.empty());
    flag("only_deleted", !deleted.empty() && deleted_others.empty());
    use_.say(fmt::format("{}{} of {} changed files", prefix, every.size(), files_.size()));
    return {};
  }

  ActionUse& use_;
  Files files_;
  bool any_changed_ = false, any_modified_ = false;
};

}  // namespace

Result<> changed_files(const Ctx&, ActionUse& use) { return ChangedFiles(use).run(); }

}  // namespace slipway::ci
