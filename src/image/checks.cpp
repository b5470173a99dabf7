#include "image/checks.h"

#include <algorithm>

#include "base/text.h"
#include "image/detail/build.h"
#include "image/expand.h"

namespace slipway::image {

namespace {

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return text;
}
bool is_lower(std::string_view text) { return lower(text) == text; }
bool is_upper(const std::string& text) { return upper(text) == text; }

// What "# check=" says.
struct Config {
  bool skip_all = false, error = false, experimental_all = false;
  std::set<std::string, std::less<>> skip, experimental;
};
Result<Config> parse_config(std::string_view text) {
  Config out;
  if (trim(text).empty()) return out;
  for (auto part : split(text, ';')) {
    auto pair = cut(part, "=");
    if (!pair) return fail(Kind::invalid, "check option {:?}: want skip=, error= or experimental=", part);
    auto key = trim(pair->first), value = trim(pair->second);
    auto names = [&](std::set<std::string, std::less<>>& to, bool& all) {
      if (value == "all")
        all = true;
      else
        for (auto name : split(value, ',')) to.emplace(trim(name));
    };
    if (key == "skip") {
      names(out.skip, out.skip_all);
    } else if (key == "experimental") {
      names(out.experimental, out.experimental_all);
    } else if (key == "error") {
      if (value != "true" && value != "false" && value != "1" && value != "0")
        return fail(Kind::invalid, "check option error={}: want true or false", value);
      out.error = value == "true" || value == "1";
    } else {
      return fail(Kind::invalid, "check option {:?}: want skip, error or experimental", key);
    }
  }
  return out;
}

// A name that looks like a secret's: one of its words, unless another says that it is none.
bool names_a_secret(std::string_view name) {
  static const std::set<std::string, std::less<>> deny{"apikey",   "auth",  "credential", "credentials", "key",
                                                       "password", "pword", "passwd",     "secret",      "token"};
  static const std::set<std::string, std::less<>> allow{"public", "file", "version"};
  auto words = lower(name);
  bool secret = false;
  for (auto word : split(words, '_')) {
    if (allow.contains(word)) return false;
    secret = secret || deny.contains(word);
  }
  return secret;
}

// Variables as they are known at one line.
struct Scope {
  std::map<std::string, std::string> values;
  std::set<std::string> declared;  // ARGs, also those without a value
  bool known = true;               // false: the base image may set more
  bool shell = false, workdir = false;
};

class Checker {
 public:
  Checker(const Dockerfile& file, const StagePlan& plan, const CheckOptions& options)
      : file_(file), plan_(plan), options_(options) {}

  Result<Checked> run() {
    TRY(config_, parse_config(options_.config.empty() ? file_.check : options_.config));
    for (const auto& remark : file_.remarks) add("NoEmptyContinuation", remark.line, "Empty continuation line");
    casing();
    global_args();
    scopes_.resize(plan_.stages.size());
    for (const auto& stage : plan_.stages) check_stage(stage);
    Checked out;
    std::stable_sort(found_.begin(), found_.end(), [](const Check& a, const Check& b) { return a.line < b.line; });
    out.found = std::move(found_);
    out.fails = config_.error && !out.found.empty();
    return out;
  }

 private:
  void add(std::string rule, int line, std::string text) {
    bool skipped = config_.skip_all || here_.skip_all || config_.skip.contains(rule) || here_.skip.contains(rule);
    if (!skipped) found_.push_back({std::move(rule), line, std::move(text)});
  }
  // Comments right above an instruction may hold a "check=" of its own.
  void enter(const Instruction& i) {
    here_ = {};
    for (const auto& comment : i.comments) {
      auto pair = cut(comment, "=");
      if (!pair || !iequals(trim(pair->first), "check")) continue;
      auto value = trim(pair->second);
      if (auto config = parse_config(value.substr(0, value.find(' ')))) here_ = *std::move(config);
      return;
    }
  }

  void casing() {
    int low = 0, high = 0;
    auto count = [&](const Instruction& i) {
      if (is_lower(i.written))
        ++low;
      else if (is_upper(i.written))
        ++high;
    };
    auto judge = [&](const Instruction& i) {
      enter(i);
      bool to_lower = low > high;
      if (to_lower ? !is_lower(i.written) : !is_upper(i.written))
        add("ConsistentInstructionCasing", i.line,
            fmt::format("Command '{}' should match the case of the command majority ({})", i.written,
                        to_lower ? "lowercase" : "uppercase"));
    };
    for (const auto& stage : plan_.stages) {
      count(stage.from);
      for (const auto& i : stage.steps) count(i);
    }
    for (const auto& stage : plan_.stages) {
      judge(stage.from);
      for (const auto& i : stage.steps) judge(i);
    }
  }

  void global_args() {
    auto platform = detail::host_platform().print();
    for (const char* side : {"BUILD", "TARGET"}) {
      std::string prefix = side;
      for (const char* part : {"OS", "OSVERSION", "ARCH", "VARIANT"}) global_[prefix + part] = "";
      global_[prefix + "PLATFORM"] = platform;
    }
    global_["TARGETSTAGE"] = "default";
    defaults_ = global_;
    for (const auto& i : plan_.global_args) {
      enter(i);
      describe("ARG", i, names_of(i));
      for (const auto& word : i.args) {
        auto parts = cut(word, "=");
        auto name = std::string(parts ? parts->first : std::string_view(word));
        declared_.insert(name);
        auto given = options_.args.find(name);
        if (parts) {
          if (auto value = expand(parts->second, in(defaults_))) defaults_[name] = *value;
          if (auto value = expand(parts->second, in(global_))) global_[name] = *value;
        }
        if (given != options_.args.end()) global_[name] = given->second;
      }
    }
  }

  static Lookup in(const std::map<std::string, std::string>& values) {
    return [&values](std::string_view name) -> std::optional<std::string> {
      auto it = values.find(std::string(name));
      return it == values.end() ? std::nullopt : std::optional(it->second);
    };
  }
  // Which variables a text uses, found or not.
  struct Uses {
    std::string result;
    std::set<std::string> found, missing;
    bool fine = true;
  };
  Uses uses_of(std::string_view text, const std::map<std::string, std::string>& values) const {
    Uses out;
    Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
      auto it = values.find(std::string(name));
      (it == values.end() ? out.missing : out.found).emplace(name);
      return it == values.end() ? std::nullopt : std::optional(it->second);
    };
    auto result = expand(text, lookup, {.escape = file_.escape});
    out.fine = result.has_value();
    out.result = result.value_or("");
    return out;
  }

  static std::vector<std::string> names_of(const Instruction& arg) {
    std::vector<std::string> out;
    for (const auto& word : arg.args) out.push_back(word.substr(0, word.find('=')));
    return out;
  }
  static std::vector<std::string> keys_of(const std::map<std::string, std::string>& values) {
    std::vector<std::string> out;
    for (const auto& [key, value] : values) out.push_back(key);
    return out;
  }
  static std::string suggestion(const std::string& name, const std::vector<std::string>& all, const char* sign) {
    auto near = nearest(name, all);
    return near && *near != name ? fmt::format(" (did you mean {}{}?)", sign, *near) : "";
  }

  void describe(const char* what, const Instruction& i, const std::vector<std::string>& names) {
    bool on = config_.experimental_all || config_.experimental.contains("InvalidDefinitionDescription") ||
              here_.experimental_all || here_.experimental.contains("InvalidDefinitionDescription");
    if (!on || i.comments.empty() || names.empty()) return;
    auto first = i.comments.back().substr(0, i.comments.back().find(' '));
    if (std::find(names.begin(), names.end(), first) != names.end()) return;
    found_.push_back({"InvalidDefinitionDescription", i.line,
                      fmt::format("Comment for {} should follow the format: `# {} <description>`", what,
                                  names.size() > 1 ? "<arg_key>" : names[0])});
  }

  void check_from(const Stage& stage, Scope& scope) {
    const auto& i = stage.from;
    enter(i);
    if (i.args.size() == 3) {
      const auto& written = i.args[2];
      if (!is_lower(written))
        add("StageNameCasing", i.line, fmt::format("Stage name '{}' should be lowercase", written));
      bool low = is_lower(i.written), high = is_upper(i.written);
      if ((low && !is_lower(i.args[1])) || (!low && high && !is_upper(i.args[1])))
        add("FromAsCasing", i.line, fmt::format("'{}' and '{}' keywords' casing do not match", i.args[1], i.written));
      if (stage.name == "scratch" || stage.name == "context")
        add("ReservedStageName", i.line,
            fmt::format("Stage name should not use the same name as reserved stage \"{}\"", stage.name));
      if (plan_.base_of(stage.name, stage.index) != nullptr)
        add("DuplicateStageName", i.line,
            fmt::format("Duplicate stage name \"{}\", stage names should be unique", stage.name));
      describe("FROM", i, {stage.name});
    }
    auto all = keys_of(global_);
    all.insert(all.end(), declared_.begin(), declared_.end());
    auto undeclared = [&](const Uses& uses) {
      for (const auto& name : uses.missing)
        if (!declared_.contains(name))
          add("UndefinedArgInFrom", i.line,
              fmt::format("FROM argument '{}' is not declared{}", name, suggestion(name, all, "")));
    };
    auto base = uses_of(stage.base, global_);
    undeclared(base);
    auto by_default = uses_of(stage.base, defaults_);
    if (by_default.fine && !oci::parse_reference(by_default.result))
      add("InvalidDefaultArgInFrom", i.line,
          fmt::format("Default value for ARG {} results in empty or invalid base image name", stage.base));
    if (auto flag = i.flag("platform")) check_platform(stage, *flag, undeclared);
    begin(stage, base.result, scope);
  }
  void check_platform(const Stage& stage, std::string_view flag, const auto& undeclared) {
    auto platform = uses_of(flag, global_);
    undeclared(platform);
    if (platform.missing.empty() && platform.found == std::set<std::string>{"TARGETPLATFORM"} &&
        platform.result == global_["TARGETPLATFORM"])
      add("RedundantTargetPlatform", stage.from.line,
          fmt::format("Setting platform to predefined {} in FROM is redundant as this is the default behavior", flag));
    if (!platform.missing.empty() || !platform.found.empty()) return;
    auto parsed = oci::parse_platform(platform.result);
    if (!parsed || stage.name.contains(parsed->os) || stage.name.contains(parsed->architecture)) return;
    add("FromPlatformFlagConstDisallowed", stage.from.line,
        fmt::format("FROM --platform flag should not use constant value \"{}\"", platform.result));
  }
  // What a stage starts with.
  void begin(const Stage& stage, const std::string& base, Scope& scope) {
    if (const auto* earlier = plan_.base_of(base, stage.index)) {
      scope = scopes_[earlier->index];
      return;
    }
    scope.values["PATH"] = "";
    if (base == "scratch") return;
    auto env = options_.env_of ? options_.env_of(base) : std::nullopt;
    scope.known = env.has_value();
    if (!env) return;
    for (const auto& item : *env)
      if (auto parts = cut(item, "=")) scope.values[std::string(parts->first)] = parts->second;
  }

  void undefined(const Instruction& i, std::string_view text, const Scope& scope) {
    if (!scope.known) return;
    for (const auto& name : uses_of(text, scope.values).missing) {
      if (scope.declared.contains(name) || name.starts_with("BUILDKIT_SBOM_SCAN_")) continue;
      add("UndefinedVar", i.line,
          fmt::format("Usage of undefined variable '${}'{}", name, suggestion(name, keys_of(scope.values), "$")));
    }
  }

  void check_stage(const Stage& stage) {
    Scope scope;
    check_from(stage, scope);
    std::map<std::string, int> once;
    for (const auto& i : stage.steps) {
      enter(i);
      if (i.name == "cmd" || i.name == "entrypoint" || i.name == "healthcheck") {
        auto [it, first] = once.emplace(i.name, i.line);
        if (!first) {
          add("MultipleInstructionsDisallowed", it->second,
              fmt::format("Multiple {} instructions should not be used in the same stage because only the last one "
                          "will be used",
                          i.written));
          it->second = i.line;
        }
      }
      step(i, scope);
    }
    scopes_[stage.index] = std::move(scope);
  }

  void step(const Instruction& i, Scope& scope) {
    if (i.name == "arg") return arg(i, scope);
    if (i.name == "env" || i.name == "label") return name_values(i, scope);
    if (i.name == "shell") scope.shell = true;
    if (i.name == "maintainer")
      add("MaintainerDeprecated", i.line, "Maintainer instruction is deprecated in favor of using label");
    if ((i.name == "cmd" || i.name == "entrypoint") && !i.json && !scope.shell)
      add("JSONArgsRecommended", i.line,
          fmt::format("JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
                      i.written));
    if (i.name == "workdir") {
      undefined(i, i.args[0], scope);
      if (!scope.workdir && !i.args[0].starts_with('/'))
        add("WorkdirRelativePath", i.line,
            fmt::format("Relative workdir \"{}\" can have unexpected results if the base image changes", i.args[0]));
      scope.workdir = true;
    }
    if (i.name == "user" || i.name == "volume" || i.name == "stopsignal")
      for (const auto& text : i.args) undefined(i, text, scope);
    if (i.name == "expose") expose(i, scope);
    if (i.name == "copy" || i.name == "add") copy(i, scope);
  }
  void arg(const Instruction& i, Scope& scope) {
    describe("ARG", i, names_of(i));
    for (const auto& word : i.args) {
      auto parts = cut(word, "=");
      auto name = std::string(parts ? parts->first : std::string_view(word));
      if (names_a_secret(name)) secret("ARG", name, i);
      auto given = options_.args.find(name);
      if (given != options_.args.end()) {
        scope.values[name] = given->second;
      } else if (parts) {
        undefined(i, parts->second, scope);
        scope.values[name] = uses_of(parts->second, scope.values).result;
      } else if (auto it = global_.find(name); it != global_.end()) {
        scope.values[name] = it->second;
      }
      scope.declared.insert(name);
    }
  }
  void secret(const char* instruction, const std::string& name, const Instruction& i) {
    add("SecretsUsedInArgOrEnv", i.line,
        fmt::format("Do not use ARG or ENV instructions for sensitive data ({} \"{}\")", instruction, name));
  }
  void name_values(const Instruction& i, Scope& scope) {
    auto before = scope;
    for (std::size_t n = 0; n + 2 < i.args.size(); n += 3) {
      if (i.args[n + 2].empty())
        add("LegacyKeyValueFormat", i.line,
            fmt::format("\"{0} key=value\" should be used instead of legacy \"{0} key value\" format", i.written));
      undefined(i, i.args[n], before);
      undefined(i, i.args[n + 1], before);
      if (i.name != "env") continue;
      if (names_a_secret(i.args[n])) secret("ENV", i.args[n], i);
      scope.values[i.args[n]] = uses_of(i.args[n + 1], before.values).result;
    }
  }
  void expose(const Instruction& i, const Scope& scope) {
    for (const auto& arg : i.args) {
      undefined(i, arg, scope);
      auto words = expand_words(arg, in(scope.values), {.escape = file_.escape});
      if (!words) continue;
      for (const auto& word : *words) {
        auto parts = cut(word, "/");
        if (parts && !is_lower(parts->second))
          add("ExposeProtoCasing", i.line,
              fmt::format("Defined protocol '{}' in EXPOSE instruction should be lowercase", word));
        if (word.contains(':'))
          add("ExposeInvalidFormat", i.line,
              fmt::format("EXPOSE instruction should not define an IP address or host-port mapping, found '{}'", word));
      }
    }
  }
  void copy(const Instruction& i, const Scope& scope) {
    for (const auto& text : i.args) undefined(i, text, scope);
    for (auto name : {"chown", "chmod", "checksum"})
      if (auto flag = i.flag(name)) undefined(i, *flag, scope);
    if (options_.ignore == nullptr || options_.ignore->takes_back() || i.flag("from")) return;
    for (std::size_t n = 0; n + 1 < i.args.size(); ++n) {
      const auto& source = i.args[n];
      if (source.starts_with("http://") || source.starts_with("https://") || source.starts_with("<<")) continue;
      auto path = slipway::clean_path(uses_of(source, scope.values).result);
      bool ignored = path.empty() ? options_.ignore->excludes_all() : options_.ignore->excludes(path);
      if (ignored)
        add("CopyIgnoredFile", i.line,
            fmt::format("Attempting to {} file \"{}\" that is excluded by .dockerignore",
                        i.name == "add" ? "Add" : "Copy", path.empty() ? source : path));
    }
  }

  const Dockerfile& file_;
  const StagePlan& plan_;
  const CheckOptions& options_;
  Config config_, here_;
  std::vector<Check> found_;
  std::map<std::string, std::string> global_, defaults_;
  std::set<std::string> declared_;
  std::vector<Scope> scopes_;
};

}  // namespace

Result<Checked> check_dockerfile(const Dockerfile& file, const StagePlan& plan, const CheckOptions& options) {
  return Checker(file, plan, options).run();
}

}  // namespace slipway::image
