#include "ci/gitlab/read.h"

#include "base/text.h"
#include "ci/gitlab/values.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::string_view job_keys[] = {
    "after_script", "allow_failure", "artifacts", "before_script", "cache",     "coverage",  "dast_configuration",
    "dependencies", "environment",   "except",    "extends",       "hooks",     "id_tokens", "identity",
    "image",        "inherit",       "needs",     "interruptible", "only",      "pages",     "manual_confirmation",
    "parallel",     "publish",       "release",   "resource_group", "retry",    "rules",     "run",
    "script",       "secrets",       "services",  "stage",         "start_in",  "tags",      "timeout",
    "trigger",      "variables",     "when"};
constexpr std::string_view default_keys[] = {"after_script", "artifacts", "before_script", "cache",    "hooks",
                                             "id_tokens",    "image",     "interruptible", "identity", "retry",
                                             "services",     "tags",      "timeout"};
constexpr std::string_view top_keys[] = {"default", "stages",       "variables", "workflow", "include",
                                         "image",   "before_script", "services", "after_script", "cache",
                                         "pages",   "spec",         "types"};
constexpr std::string_view global_defaults[] = {"image", "services", "before_script", "after_script", "cache"};

struct Absent {
  std::string_view keyword, hint;
};
constexpr Absent absent[] = {
    {"trigger", "child and multi-project pipelines: put the jobs into this pipeline by include: {local: PATH}"},
    {"pages", "keep the site as artifacts, or deploy it as an image"},
    {"publish", "keep the site as artifacts, or deploy it as an image"},
    {"release", "create the release by a command of the script"},
    {"run", "write script: instead"},
    {"secrets", "secrets of the repository are variables of every trusted job"},
    {"id_tokens", "secrets of the repository are variables of every trusted job"},
    {"identity", "secrets of the repository are variables of every trusted job"},
    {"start_in", "use when: manual, or a schedule"},
    {"dast_configuration", "run the scanner in the script"}};

class JobReader {
 public:
  JobReader(Problems& problems, const Document& document) : v_(problems), document_(document) {}

  Job read(const std::string& name, const doc::Map& map, doc::Mark mark) {
    job_ = {};
    job_.name = name, job_.mark = mark;
    v_.known_keys(map, fmt::format("job '{}'", name), job_keys);
    bool told = false;
    for (const auto& [keyword, hint] : absent)
      if (map.contains(keyword)) v_.problems.not_yet(key_mark(map, keyword), keyword, std::string(hint)), told = true;
    if (name == "pages")
      v_.problems.not_yet(mark, "pages", "publishing a site: give the job another name to keep the site as artifacts"),
          told = true;
    if (!map.contains("script") && !told)
      v_.problems.add(mark, fmt::format("job '{}' has no script", name),
                      "a job that others extend starts with a dot: '." + name + "'");
    scripts(map);
    when(map);
    graph(map);
    files(map);
    place(map);
    limits(map);
    return std::move(job_);
  }

 private:
  void scripts(const doc::Map& map) {
    if (const auto* v = map.find("before_script")) job_.before = v_.texts(*v, "before_script");
    if (const auto* v = map.find("script")) {
      job_.script = v_.texts(*v, "script");
      if (job_.script.empty()) v_.problems.add(v->mark(), "script: is empty");
    }
    if (const auto* v = map.find("after_script")) job_.after = v_.texts(*v, "after_script");
    if (const auto* v = map.find("hooks"))
      if (const auto* m = v_.map(*v, "hooks")) {
        constexpr std::string_view keys[] = {"pre_get_sources_script"};
        v_.known_keys(*m, "hooks", keys);
        if (const auto* s = m->find(keys[0])) job_.hooks = v_.texts(*s, "hooks:pre_get_sources_script");
      }
    if (const auto* v = map.find("variables")) job_.variables = read_variables(*v, v_.problems);
  }

  void when(const doc::Map& map) {
    if (const auto* v = map.find("rules"); v && !v->is_null()) {
      for (auto* other : {"only", "except"})
        if (map.contains(other))
          v_.problems.add(key_mark(map, other), fmt::format("{} and rules cannot be in one job", other),
                          "rules can say the same");
      job_.rules = read_rules(*v, "rules", v_.problems);
    }
    if (const auto* v = map.find("only")) job_.only = policy(*v, "only");
    if (const auto* v = map.find("except")) job_.except = policy(*v, "except");
    if (const auto* v = map.find("when")) job_.when = v_.when(*v, "when");
    if (const auto* v = map.find("allow_failure")) job_.allow_failure = v_.allow_failure(*v);
    if (const auto* v = map.find("manual_confirmation")) (void)v_.text(*v, "manual_confirmation");
  }

  RefPolicy policy(const doc::Value& value, std::string_view of) {
    RefPolicy out;
    auto refs = [&](const doc::Value& list) {
      for (auto& word : v_.texts(list, of)) {
        RefPolicy::Ref ref;
        if (word.starts_with('/')) {
          auto pattern = Pattern::parse(word);
          if (!pattern) {
            v_.problems.add(list.mark(), fmt::format("{}: {}", of, pattern.error().what()));
            continue;
          }
          ref.pattern = *std::move(pattern);
        }
        ref.word = std::move(word);
        out.refs.push_back(std::move(ref));
      }
    };
    const auto* m = value.if_map();
    if (!m) {
      refs(value);
      return out;
    }
    constexpr std::string_view keys[] = {"refs", "variables", "changes", "kubernetes"};
    v_.known_keys(*m, of, keys);
    if (const auto* v = m->find("refs")) refs(*v);
    if (const auto* v = m->find("variables")) {
      const auto* list = v->if_list();
      if (!list) v_.problems.add(v->mark(), fmt::format("{}:variables: want a list of expressions", of));
      if (list)
        for (const auto& item : *list)
          if (auto e = v_.expression(item, fmt::format("{}:variables", of))) out.variables.push_back(*std::move(e));
    }
    if (const auto* v = m->find("changes")) out.changes = v_.texts(*v, fmt::format("{}:changes", of));
    if (m->contains("kubernetes"))
      v_.problems.not_yet(key_mark(*m, "kubernetes"), fmt::format("{}:kubernetes", of), "use rules:if");
    return out;
  }

  void graph(const doc::Map& map) {
    if (const auto* v = map.find("stage"))
      if (auto stage = v_.text(*v, "stage")) {
        job_.stage = *stage;
        if (document_.stage(*stage) == document_.stages.size())
          v_.problems.unknown(v->mark(),
                              fmt::format("stage: there is no stage '{}', want one of {}", *stage,
                                          join(std::span<const std::string>(document_.stages), ", ")),
                              *stage, document_.stages);
      }
    if (!map.contains("stage") && document_.stage(job_.stage) == document_.stages.size())
      v_.problems.add(job_.mark, fmt::format("job '{}' has no stage, and there is no stage 'test' to put it in", job_.name),
                      "add stage: to the job, or test to stages:");
    if (const auto* v = map.find("needs"); v && !v->is_null()) job_.needs = v_.needs(*v);
    if (const auto* v = map.find("dependencies"); v && !v->is_null()) job_.dependencies = v_.texts(*v, "dependencies");
    if (const auto* v = map.find("parallel")) parallel(*v);
  }

  void parallel(const doc::Value& value) {
    const auto* m = value.if_map();
    if (!m) {
      job_.parallel = v_.number(value, "parallel", 1, 200).value_or(0);
      return;
    }
    constexpr std::string_view keys[] = {"matrix"};
    v_.known_keys(*m, "parallel", keys);
    const auto* matrix = m->find("matrix");
    const auto* list = matrix ? matrix->if_list() : nullptr;
    if (!list || list->empty()) return v_.problems.add(value.mark(), "parallel: want a number, or matrix: with a list");
    std::size_t rows = 0;
    for (const auto& entry : *list) {
      auto read = v_.matrix_entry(entry, "parallel:matrix");
      std::size_t product = 1;
      for (const auto& [name, values] : read) product = std::min<std::size_t>(product * values.size(), 1000);
      rows += product;
      job_.matrix.push_back(std::move(read));
    }
    if (rows > 200) v_.problems.add(value.mark(), "parallel:matrix: makes more than 200 jobs");
  }

  void files(const doc::Map& map) {
    if (const auto* v = map.find("artifacts"); v && !v->is_null()) artifacts(*v);
    if (const auto* v = map.find("cache"); v && !v->is_null()) {
      if (const auto* list = v->if_list()) {
        if (list->size() > 4) v_.problems.add(v->mark(), "cache: want at most 4 caches");
        for (const auto& item : *list) cache(item);
      } else {
        cache(*v);
      }
    }
  }

  void artifacts(const doc::Value& value) {
    const auto* m = v_.map(value, "artifacts");
    if (!m) return;
    constexpr std::string_view keys[] = {"paths",  "exclude",   "name",   "when",  "expire_in",
                                         "reports", "untracked", "public", "access", "expose_as"};
    v_.known_keys(*m, "artifacts", keys);
    Artifacts out;
    out.mark = value.mark();
    if (const auto* v = m->find("paths")) out.paths = v_.texts(*v, "artifacts:paths");
    if (const auto* v = m->find("exclude")) out.exclude = v_.texts(*v, "artifacts:exclude");
    if (const auto* v = m->find("name")) out.name = v_.text(*v, "artifacts:name").value_or("");
    if (const auto* v = m->find("when")) out.when = v_.when(*v, "artifacts:when", true).value_or(When::on_success);
    if (const auto* v = m->find("untracked"); v && v_.flag(*v, "artifacts:untracked").value_or(false))
      v_.problems.not_yet(key_mark(*m, "untracked"), "artifacts:untracked", "list the files in artifacts:paths");
    if (const auto* v = m->find("expire_in"))
      if (auto written = v_.text(*v, "artifacts:expire_in"); written && lower(*written) != "never") {
        auto seconds = seconds_of(*written);
        if (!seconds)
          v_.problems.add(v->mark(), fmt::format("artifacts:expire_in: \"{}\" is no duration, want one like \"1 week\", "
                                                 "\"3 days\" or never",
                                                 *written));
        out.days = seconds ? std::max(1, static_cast<int>(*seconds / 86400)) : 0;
      }
    if (const auto* v = m->find("reports")) reports(*v, out);
    job_.artifacts = std::move(out);
  }

  void reports(const doc::Value& value, Artifacts& out) {
    const auto* m = v_.map(value, "artifacts:reports");
    if (!m) return;
    constexpr std::string_view keys[] = {
        "junit",           "dotenv",        "coverage_report",  "codequality",       "accessibility",
        "annotations",     "api_fuzzing",   "browser_performance", "cluster_image_scanning", "container_scanning",
        "coverage_fuzzing", "cyclonedx",    "dast",             "dependency_scanning", "license_scanning",
        "load_performance", "metrics",      "performance",      "repository_xray",   "requirements",
        "sast",            "secret_detection", "terraform"};
    v_.known_keys(*m, "artifacts:reports", keys);
    for (const auto& [kind, item] : *m) {
      auto what = fmt::format("artifacts:reports:{}", kind);
      if (kind == "coverage_report") {
        const auto* c = v_.map(item, what);
        const auto* path = c ? c->find("path") : nullptr;
        if (c && !path) v_.problems.add(item.mark(), what + ": want path:");
        if (path) out.reports.emplace_back(kind, v_.texts(*path, what));
      } else {
        out.reports.emplace_back(kind, v_.texts(item, what));
      }
    }
  }

  void cache(const doc::Value& value) {
    const auto* m = v_.map(value, "cache");
    if (!m) return;
    constexpr std::string_view keys[] = {"key",  "paths",     "policy",      "fallback_keys",
                                         "when", "untracked", "unprotect"};
    v_.known_keys(*m, "cache", keys);
    Cache out;
    out.mark = value.mark();
    if (const auto* v = m->find("key")) cache_key(*v, out);
    if (const auto* v = m->find("paths")) out.paths = v_.texts(*v, "cache:paths");
    if (const auto* v = m->find("fallback_keys")) out.fallback = v_.texts(*v, "cache:fallback_keys");
    if (out.fallback.size() > 5) v_.problems.add(value.mark(), "cache:fallback_keys: want at most 5");
    if (const auto* v = m->find("policy")) out.policy = v_.text(*v, "cache:policy").value_or(out.policy);
    constexpr std::string_view policies[] = {"pull", "push", "pull-push"};
    if (!out.policy.contains('$') && m->contains("policy")) (void)v_.choice(*m->find("policy"), "cache:policy", policies);
    if (const auto* v = m->find("when")) out.when = v_.when(*v, "cache:when", true).value_or(When::on_success);
    if (const auto* v = m->find("untracked"); v && v_.flag(*v, "cache:untracked").value_or(false))
      v_.problems.not_yet(key_mark(*m, "untracked"), "cache:untracked", "list the files in cache:paths");
    if (!out.paths.empty()) job_.caches.push_back(std::move(out));
  }

  void cache_key(const doc::Value& value, Cache& out) {
    const auto* m = value.if_map();
    if (!m) {
      out.key = v_.text(value, "cache:key").value_or("");
      if (out.key.empty() || out.key == "." || out.key.contains('/'))
        v_.problems.add(value.mark(), fmt::format("cache:key: got \"{}\", want a name without slashes", out.key));
      return;
    }
    constexpr std::string_view keys[] = {"files", "prefix", "files_commits"};
    v_.known_keys(*m, "cache:key", keys);
    for (auto* list : {"files", "files_commits"})
      if (const auto* v = m->find(list)) out.key_files = v_.texts(*v, "cache:key:files");
    if (out.key_files.empty() || out.key_files.size() > 2)
      v_.problems.add(value.mark(), "cache:key:files: want one or two files");
    if (const auto* v = m->find("prefix")) out.prefix = v_.text(*v, "cache:key:prefix").value_or("");
  }

  void place(const doc::Map& map) {
    if (const auto* v = map.find("image")) job_.image = image(*v, "image");
    if (const auto* v = map.find("services"); v && !v->is_null()) {
      const auto* list = v->if_list();
      if (!list) v_.problems.add(v->mark(), "services: want a list");
      if (list)
        for (const auto& item : *list) service(item);
    }
    if (const auto* v = map.find("environment")) environment(*v);
    if (const auto* v = map.find("tags")) job_.tags = v_.texts(*v, "tags");
    if (const auto* v = map.find("resource_group")) job_.resource_group = v_.text(*v, "resource_group").value_or("");
  }

  std::string image(const doc::Value& value, std::string_view what) {
    const auto* m = value.if_map();
    if (!m) return value.is_null() ? std::string() : v_.text(value, what).value_or("");
    constexpr std::string_view keys[] = {"name", "entrypoint", "pull_policy", "docker", "kubernetes"};
    v_.known_keys(*m, what, keys);
    for (auto* own : {"docker", "kubernetes"})
      if (m->contains(own))
        v_.problems.not_yet(key_mark(*m, own), fmt::format("{}:{}", what, own), "options of an executor have no meaning here");
    if (const auto* v = m->find("entrypoint")) {
      auto words = v_.texts(*v, "image:entrypoint");
      // Jobs start a shell in the image whatever its entrypoint is; an entrypoint that is no shell would be passed over.
      constexpr std::string_view shells[] = {"",     "sh",      "bash",      "/bin/sh", "/bin/bash", "/usr/bin/env",
                                             "-c", "-l", "-lc", "/usr/bin/bash", "ash", "/bin/ash"};
      bool shell = std::all_of(words.begin(), words.end(), [&](const auto& word) {
        return std::find(std::begin(shells), std::end(shells), word) != std::end(shells);
      });
      if (!shell)
        v_.problems.not_yet(v->mark(), "image:entrypoint of a program",
                            "scripts run in a shell of the image; call the program in the script and set entrypoint: [\"\"]");
    }
    const auto* name = m->find("name");
    if (!name) v_.problems.add(value.mark(), fmt::format("{}: want name:", what));
    return name ? v_.text(*name, what).value_or("") : std::string();
  }

  void service(const doc::Value& value) {
    Service out;
    out.mark = value.mark();
    const auto* m = value.if_map();
    if (!m) {
      out.image = v_.text(value, "services").value_or("");
    } else {
      constexpr std::string_view keys[] = {"name",      "alias",  "entrypoint", "command", "variables",
                                           "pull_policy", "docker", "kubernetes"};
      v_.known_keys(*m, "services", keys);
      if (const auto* v = m->find("name"))
        out.image = v_.text(*v, "services:name").value_or("");
      else
        v_.problems.add(value.mark(), "services: want name:");
      if (const auto* v = m->find("alias"))
        for (auto& text : v_.texts(*v, "services:alias")) {
          auto spaced = replace_all(text, ",", " ");
          for (auto word : split(spaced, ' '))
            if (!trim(word).empty()) out.aliases.emplace_back(trim(word));
        }
      if (const auto* v = m->find("entrypoint")) out.entrypoint = v_.texts(*v, "services:entrypoint");
      if (const auto* v = m->find("command")) out.command = v_.texts(*v, "services:command");
      if (const auto* v = m->find("variables")) out.variables = read_variables(*v, v_.problems);
    }
    if (!out.image.empty()) job_.services.push_back(std::move(out));
  }

  void environment(const doc::Value& value) {
    Environment out;
    const auto* m = value.if_map();
    if (!m) {
      out.name = v_.text(value, "environment").value_or("");
    } else {
      constexpr std::string_view keys[] = {"name", "url", "action", "on_stop", "auto_stop_in", "deployment_tier", "kubernetes"};
      v_.known_keys(*m, "environment", keys);
      if (const auto* v = m->find("name")) out.name = v_.text(*v, "environment:name").value_or("");
      if (const auto* v = m->find("url")) out.url = v_.text(*v, "environment:url").value_or("");
      constexpr std::string_view actions[] = {"start", "prepare", "stop", "verify", "access"};
      if (const auto* v = m->find("action")) out.action = v_.choice(*v, "environment:action", actions).value_or("start");
    }
    if (!out.name.empty()) job_.environment = std::move(out);
  }

  void limits(const doc::Map& map) {
    if (const auto* v = map.find("timeout"))
      if (auto written = v_.text(*v, "timeout")) {
        auto seconds = seconds_of(*written);
        if (!seconds || *seconds < 1)
          v_.problems.add(v->mark(),
                          fmt::format("timeout: \"{}\" is no duration, want one like \"1h 30m\" or \"90 minutes\"", *written));
        else
          job_.minutes = *seconds / 60;
      }
    if (const auto* v = map.find("retry")) retry(*v);
    if (const auto* v = map.find("interruptible")) job_.interruptible = v_.flag(*v, "interruptible");
    if (const auto* v = map.find("coverage"))
      if (auto written = v_.text(*v, "coverage")) {
        auto pattern = Pattern::parse(*written);
        if (!pattern) v_.problems.add(v->mark(), fmt::format("coverage: {}", pattern.error().what()));
        job_.coverage = *written;
      }
  }

  void retry(const doc::Value& value) {
    const auto* m = value.if_map();
    if (!m) {
      job_.retry.times = v_.number(value, "retry", 0, 2).value_or(0);
      return;
    }
    constexpr std::string_view keys[] = {"max", "when", "exit_codes"};
    v_.known_keys(*m, "retry", keys);
    job_.retry.times = 2;
    if (const auto* v = m->find("max")) job_.retry.times = v_.number(*v, "retry:max", 0, 2).value_or(0);
    if (const auto* v = m->find("exit_codes")) job_.retry.codes = v_.exit_codes(*v, "retry:exit_codes");
    constexpr std::string_view reasons[] = {
        "always",          "unknown_failure",     "script_failure",          "api_failure",
        "stuck_or_timeout_failure", "runner_system_failure", "runner_unsupported", "stale_schedule",
        "job_execution_timeout", "archived_failure", "unmet_prerequisites",  "scheduler_failure",
        "data_integrity_failure"};
    if (const auto* v = m->find("when")) {
      doc::List one{*v};
      for (const auto& item : v->if_list() ? *v->if_list() : one)
        if (auto word = v_.choice(item, "retry:when", reasons)) job_.retry.when.push_back(*std::move(word));
    }
  }

  Values v_;
  const Document& document_;
  Job job_;
};

class Reader {
 public:
  Reader(const doc::Map& top, Problems& problems) : top_(top), v_(problems) {}

  Document read(std::string_view source) {
    document_.source = source;
    if (top_.contains("spec"))
      v_.problems.not_yet(key_mark(top_, "spec"), "spec", "inputs of a file: use variables instead");
    stages();
    if (const auto* v = top_.find("variables")) document_.variables = read_variables(*v, v_.problems);
    workflow();
    defaults();
    for (const auto& [name, value] : top_) {
      if (name.starts_with('.') || is_top(name)) continue;
      const auto* map = value.if_map();
      if (!map) {
        auto keys = std::vector<std::string>(std::begin(top_keys), std::end(top_keys));
        v_.problems.unknown(key_mark(top_, name),
                            fmt::format("'{}': got a {}, want a job (a mapping with script:)", name,
                                        doc::to_string(value.type())),
                            name, keys);
        continue;
      }
      job(name, *map);
    }
    if (document_.jobs.empty() && !v_.problems.any())
      v_.problems.add({1, 1, 0, 0}, "there is no job in this file", "a job is a name with script: below it");
    references();
    return std::move(document_);
  }

 private:
  static bool is_top(std::string_view name) {
    return name != "pages" && std::find(std::begin(top_keys), std::end(top_keys), name) != std::end(top_keys);
  }

  void stages() {
    const auto* v = top_.find("stages");
    if (!v) v = top_.find("types");
    if (!v) return;
    auto list = v_.texts(*v, "stages");
    std::erase_if(list, [](const auto& stage) { return stage == ".pre" || stage == ".post"; });
    if (list.empty()) return v_.problems.add(v->mark(), "stages: want a list of names");
    document_.stages = {".pre"};
    for (auto& stage : list)
      if (std::find(document_.stages.begin(), document_.stages.end(), stage) == document_.stages.end())
        document_.stages.push_back(stage);
    document_.stages.emplace_back(".post");
  }

  void workflow() {
    const auto* v = top_.find("workflow");
    if (!v) return;
    const auto* m = v_.map(*v, "workflow");
    if (!m) return;
    constexpr std::string_view keys[] = {"rules", "name", "auto_cancel"};
    v_.known_keys(*m, "workflow", keys);
    if (const auto* name = m->find("name")) document_.name = v_.text(*name, "workflow:name").value_or("");
    if (const auto* rules = m->find("rules")) document_.rules = read_rules(*rules, "workflow:rules", v_.problems);
    if (document_.rules)
      for (const auto& rule : *document_.rules)
        if (rule.when && *rule.when != When::always && *rule.when != When::never)
          v_.problems.add(rule.mark, fmt::format("workflow:rules:when: got {}, want always or never", to_string(*rule.when)));
    if (const auto* cancel = m->find("auto_cancel"))
      if (const auto* c = v_.map(*cancel, "workflow:auto_cancel")) {
        constexpr std::string_view cancel_keys[] = {"on_new_commit", "on_job_failure"};
        constexpr std::string_view commits[] = {"conservative", "interruptible", "none"};
        v_.known_keys(*c, "workflow:auto_cancel", cancel_keys);
        if (const auto* word = c->find("on_new_commit"))
          document_.cancels = v_.choice(*word, "workflow:auto_cancel:on_new_commit", commits) != "none";
        if (const auto* word = c->find("on_job_failure"); word && v_.text(*word, "on_job_failure") == "all")
          v_.problems.not_yet(word->mark(), "workflow:auto_cancel:on_job_failure", "other jobs run to their end");
      }
  }

  void defaults() {
    for (auto key : global_defaults)
      if (const auto* v = top_.find(key)) defaults_.set(key, *v), defaults_.set_key_mark(key, key_mark(top_, key));
    const auto* v = top_.find("default");
    const auto* m = v ? v_.map(*v, "default") : nullptr;
    if (!m) return;
    v_.known_keys(*m, "default", default_keys);
    for (const auto& [key, value] : *m) defaults_.set(key, value), defaults_.set_key_mark(key, key_mark(*m, key));
  }

  void job(const std::string& name, const doc::Map& written) {
    auto whole = written;
    std::optional<std::vector<std::string>> from_default, variables;
    if (const auto* v = written.find("inherit"))
      if (const auto* m = v_.map(*v, "inherit")) {
        constexpr std::string_view keys[] = {"default", "variables"};
        v_.known_keys(*m, "inherit", keys);
        auto list = [&](std::string_view key, std::optional<std::vector<std::string>>& out) {
          const auto* value = m->find(key);
          if (!value) return;
          if (value->is_list())
            out = v_.texts(*value, fmt::format("inherit:{}", key));
          else if (!v_.flag(*value, fmt::format("inherit:{}", key)).value_or(true))
            out.emplace();
        };
        list("default", from_default), list("variables", variables);
      }
    for (const auto& [key, value] : defaults_) {
      bool wanted = !from_default || std::find(from_default->begin(), from_default->end(), key) != from_default->end();
      if (whole.contains(key) || !wanted) continue;
      whole.set(key, value);
      whole.set_key_mark(key, key_mark(defaults_, key));
    }
    auto made = JobReader(v_.problems, document_).read(name, whole, key_mark(top_, name));
    made.inherits = std::move(variables);
    for (const auto& other : document_.jobs)
      if (iequals(other.name, name))
        v_.problems.add(made.mark, fmt::format("jobs '{}' and '{}' differ in case alone", other.name, name),
                        "give one another name");
    document_.jobs.push_back(std::move(made));
  }

  // Names of other jobs, where they must be whatever the event is.
  void references() {
    std::vector<std::string> names;
    for (const auto& job : document_.jobs) names.push_back(job.name);
    auto check = [&](const Job& job, const Need& need) {
      const auto* other = document_.job(need.job);
      if (!other && need.optional) return;
      if (!other)
        return v_.problems.unknown(need.mark, fmt::format("job '{}' needs '{}', which is no job of this file", job.name, need.job),
                                   need.job, names);
      if (document_.stage(other->stage) > document_.stage(job.stage))
        v_.problems.add(need.mark, fmt::format("job '{}' of stage '{}' needs '{}' of the later stage '{}'", job.name,
                                               job.stage, need.job, other->stage));
      if (other == &job) v_.problems.add(need.mark, fmt::format("job '{}' needs itself", job.name));
    };
    for (const auto& job : document_.jobs) {
      if (job.needs)
        for (const auto& need : *job.needs) check(job, need);
      if (job.rules)
        for (const auto& rule : *job.rules)
          if (rule.needs)
            for (const auto& need : *rule.needs) check(job, need);
      if (job.dependencies)
        for (const auto& name : *job.dependencies) dependency(job, name, names);
    }
  }

  void dependency(const Job& job, const std::string& name, const std::vector<std::string>& names) {
    const auto* other = document_.job(name);
    if (!other)
      return v_.problems.unknown(job.mark, fmt::format("dependencies of '{}': there is no job '{}'", job.name, name), name, names);
    bool needed = job.needs && std::any_of(job.needs->begin(), job.needs->end(), [&](const Need& n) { return n.job == name; });
    if (job.needs && !needed)
      v_.problems.add(job.mark, fmt::format("dependencies of '{}': '{}' is not among its needs", job.name, name));
    if (!job.needs && document_.stage(other->stage) >= document_.stage(job.stage))
      v_.problems.add(job.mark, fmt::format("dependencies of '{}': '{}' is not in an earlier stage", job.name, name));
  }

  const doc::Map& top_;
  Values v_;
  Document document_;
  doc::Map defaults_;
};

}  // namespace

Document read_document(const doc::Map& top, std::string_view source, Problems& problems) {
  return Reader(top, problems).read(source);
}

}  // namespace slipway::ci::gitlab
