// One job, every keyword of it.
#include "base/text.h"
#include "ci/gitlab/read.h"
#include "ci/gitlab/values.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::string_view job_keys[] = {
    "after_script", "allow_failure", "artifacts", "before_script",  "cache",    "coverage",  "dast_configuration",
    "dependencies", "environment",   "except",    "extends",        "hooks",    "id_tokens", "identity",
    "image",        "inherit",       "needs",     "interruptible",  "only",     "pages",     "manual_confirmation",
    "parallel",     "publish",       "release",   "resource_group", "retry",    "rules",     "run",
    "script",       "secrets",       "services",  "stage",          "start_in", "tags",      "timeout",
    "trigger",      "variables",     "when"};
struct Absent {
  std::string_view keyword, hint;
};
constexpr Absent absent[] = {
    {"run", "write script: instead"},
    {"secrets",
     "vaults are not asked by the house: secrets of the repository are variables of every trusted job, and "
     "id_tokens: sign the script in to a vault"},
    {"identity", "id_tokens: sign the script in to a cloud"},
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
    if (map.contains("trigger")) child(*map.find("trigger"), key_mark(map, "trigger"));
    if (job_.child && map.contains("script"))
      v_.problems.add(key_mark(map, "script"), fmt::format("job '{}' has trigger: and script:, want one", name));
    if (!map.contains("script") && !map.contains("trigger") && !told)
      v_.problems.add(mark, fmt::format("job '{}' has no script", name),
                      "a job that others extend starts with a dot: '." + name + "'");
    scripts(map);
    when(map);
    graph(map);
    files(map);
    place(map);
    limits(map);
    tokens(map);
    site(name, map, mark);
    if (const auto* v = map.find("release"); v && !v->is_null()) release(*v);
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
    if (const auto* v = map.find("start_in")) job_.start_in = v_.start_in(*v);
    if (job_.when == When::delayed && job_.start_in <= 0)
      v_.problems.add(key_mark(map, "when"), "when: delayed wants start_in:", "for example start_in: 30 minutes");
    if (const auto* v = map.find("allow_failure")) job_.allow_failure = v_.allow_failure(*v);
    if (const auto* v = map.find("manual_confirmation")) (void)v_.text(*v, "manual_confirmation");
  }

  void child(const doc::Value& value, doc::Mark mark) {
    const auto* m = value.if_map();
    const auto* include = m ? m->find("include") : nullptr;
    if (!include)
      return v_.problems.not_yet(mark, "trigger of another project",
                                 "its pipelines start by a push there; a child pipeline of this repository is "
                                 "trigger: {include: PATH}");
    constexpr std::string_view keys[] = {"include", "strategy", "forward", "inputs"};
    v_.known_keys(*m, "trigger", keys);
    ChildPipeline out;
    out.include = *include, out.mark = mark;
    if (const auto* inputs = m->find("inputs")) {
      doc::Map entry;
      if (include->is_string()) entry.set("local", *include);
      if (const auto* given = include->if_map()) entry = *given;
      if (include->is_list())
        v_.problems.not_yet(key_mark(*m, "inputs"), "trigger:inputs of several files", "give inputs: to each include");
      entry.set("inputs", *inputs);
      out.include = doc::Value(std::move(entry));
      out.include.set_mark(include->mark());
    }
    constexpr std::string_view strategies[] = {"depend", "mirror"};
    if (const auto* v = m->find("strategy")) out.depends = v_.choice(*v, "trigger:strategy", strategies).has_value();
    if (const auto* v = m->find("forward"))
      if (const auto* f = v_.map(*v, "trigger:forward")) {
        constexpr std::string_view forwards[] = {"yaml_variables", "pipeline_variables"};
        v_.known_keys(*f, "trigger:forward", forwards);
        if (const auto* flag = f->find("yaml_variables"))
          out.gives_variables = v_.flag(*flag, "trigger:forward:yaml_variables").value_or(true);
        if (const auto* flag = f->find("pipeline_variables"))
          out.gives_pipeline_variables = v_.flag(*flag, "trigger:forward:pipeline_variables").value_or(false);
      }
    job_.child = std::move(out);
  }

  void tokens(const doc::Map& map) {
    const auto* v = map.find("id_tokens");
    const auto* m = v && !v->is_null() ? v_.map(*v, "id_tokens") : nullptr;
    if (!m) return;
    for (const auto& [name, value] : *m) {
      const auto* about = v_.map(value, "id_tokens:" + name);
      const auto* aud = about ? about->find("aud") : nullptr;
      constexpr std::string_view keys[] = {"aud"};
      if (about) v_.known_keys(*about, "id_tokens:" + name, keys);
      if (!aud) {
        v_.problems.add(value.mark(), fmt::format("id_tokens:{}: want aud:, whom the token is for", name));
        continue;
      }
      job_.id_tokens.emplace_back(name, v_.texts(*aud, "id_tokens:aud"));
    }
  }

  // A site is kept as an artifact of its job.
  void site(const std::string& name, const doc::Map& map, doc::Mark mark) {
    const auto* v = map.find("pages");
    bool off = v && v->type() == doc::Type::boolean && !v_.flag(*v, "pages").value_or(true);
    if ((name != "pages" && !v) || off) return;
    job_.pages = "public";
    if (const auto* p = map.find("publish")) job_.pages = v_.text(*p, "publish").value_or("public");
    if (const auto* m = v ? v->if_map() : nullptr) {
      constexpr std::string_view keys[] = {"publish", "path_prefix", "expire_in"};
      v_.known_keys(*m, "pages", keys);
      if (const auto* p = m->find("publish")) job_.pages = v_.text(*p, "pages:publish").value_or("public");
    }
    if (!job_.artifacts) {
      job_.artifacts.emplace();
      job_.artifacts->mark = mark;
    }
    auto& paths = job_.artifacts->paths;
    bool there =
        std::any_of(paths.begin(), paths.end(), [&](auto& p) { return p == job_.pages || p == job_.pages + "/"; });
    if (!there) paths.push_back(job_.pages);
  }

  void release(const doc::Value& value) {
    const auto* m = v_.map(value, "release");
    if (!m) return;
    constexpr std::string_view keys[] = {"tag_name", "tag_message", "name",   "description",
                                         "ref",      "milestones",  "assets", "released_at"};
    v_.known_keys(*m, "release", keys);
    ReleaseWish out;
    out.mark = value.mark();
    auto text = [&](const char* key, std::string& place) {
      if (const auto* v = m->find(key)) place = v_.text(*v, fmt::format("release:{}", key)).value_or("");
    };
    text("tag_name", out.tag), text("name", out.name), text("description", out.description), text("ref", out.ref);
    if (out.tag.empty()) v_.problems.add(value.mark(), "release: want tag_name:");
    if (out.description.empty()) v_.problems.add(value.mark(), "release: want description:");
    const auto* assets = m->find("assets");
    const auto* a = assets ? v_.map(*assets, "release:assets") : nullptr;
    const auto* links = a ? a->find("links") : nullptr;
    if (links && links->if_list())
      for (const auto& link : *links->if_list()) {
        const auto* l = v_.map(link, "release:assets:links");
        const auto *label = l ? l->find("name") : nullptr, *url = l ? l->find("url") : nullptr;
        if (l && (!label || !url)) v_.problems.add(link.mark(), "release:assets:links: want name: and url:");
        if (label && url)
          out.links.emplace_back(v_.text(*label, "name").value_or(""), v_.text(*url, "url").value_or(""));
      }
    job_.release = std::move(out);
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
      v_.problems.add(job_.mark,
                      fmt::format("job '{}' has no stage, and there is no stage 'test' to put it in", job_.name),
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
    constexpr std::string_view keys[] = {"paths",   "exclude",   "name",   "when",   "expire_in",
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
          v_.problems.add(v->mark(),
                          fmt::format("artifacts:expire_in: \"{}\" is no duration, want one like \"1 week\", "
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
    constexpr std::string_view keys[] = {"junit",
                                         "dotenv",
                                         "coverage_report",
                                         "codequality",
                                         "accessibility",
                                         "annotations",
                                         "api_fuzzing",
                                         "browser_performance",
                                         "cluster_image_scanning",
                                         "container_scanning",
                                         "coverage_fuzzing",
                                         "cyclonedx",
                                         "dast",
                                         "dependency_scanning",
                                         "license_scanning",
                                         "load_performance",
                                         "metrics",
                                         "performance",
                                         "repository_xray",
                                         "requirements",
                                         "sast",
                                         "secret_detection",
                                         "terraform"};
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
    constexpr std::string_view keys[] = {"key", "paths", "policy", "fallback_keys", "when", "untracked", "unprotect"};
    v_.known_keys(*m, "cache", keys);
    Cache out;
    out.mark = value.mark();
    if (const auto* v = m->find("key")) cache_key(*v, out);
    if (const auto* v = m->find("paths")) out.paths = v_.texts(*v, "cache:paths");
    if (const auto* v = m->find("fallback_keys")) out.fallback = v_.texts(*v, "cache:fallback_keys");
    if (out.fallback.size() > 5) v_.problems.add(value.mark(), "cache:fallback_keys: want at most 5");
    if (const auto* v = m->find("policy")) out.policy = v_.text(*v, "cache:policy").value_or(out.policy);
    constexpr std::string_view policies[] = {"pull", "push", "pull-push"};
    if (!out.policy.contains('$') && m->contains("policy"))
      (void)v_.choice(*m->find("policy"), "cache:policy", policies);
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
        v_.problems.not_yet(key_mark(*m, own), fmt::format("{}:{}", what, own),
                            "options of an executor have no meaning here");
    if (const auto* v = m->find("entrypoint")) {
      auto words = v_.texts(*v, "image:entrypoint");
      // Jobs start a shell in the image whatever its entrypoint is; an entrypoint that is no shell would be passed
      // over.
      constexpr std::string_view shells[] = {"",   "sh", "bash", "/bin/sh",       "/bin/bash", "/usr/bin/env",
                                             "-c", "-l", "-lc",  "/usr/bin/bash", "ash",       "/bin/ash"};
      bool shell = std::all_of(words.begin(), words.end(), [&](const auto& word) {
        return std::find(std::begin(shells), std::end(shells), word) != std::end(shells);
      });
      if (!shell)
        v_.problems.not_yet(
            v->mark(), "image:entrypoint of a program",
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
      constexpr std::string_view keys[] = {"name",      "alias",       "entrypoint", "command",
                                           "variables", "pull_policy", "docker",     "kubernetes"};
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
      constexpr std::string_view keys[] = {"name",      "url", "action", "on_stop", "auto_stop_in", "deployment_tier",
                                           "kubernetes"};
      v_.known_keys(*m, "environment", keys);
      if (const auto* v = m->find("name")) out.name = v_.text(*v, "environment:name").value_or("");
      if (const auto* v = m->find("url")) out.url = v_.text(*v, "environment:url").value_or("");
      constexpr std::string_view actions[] = {"start", "prepare", "stop", "verify", "access"};
      if (const auto* v = m->find("action"))
        out.action = v_.choice(*v, "environment:action", actions).value_or("start");
    }
    if (!out.name.empty()) job_.environment = std::move(out);
  }

  void limits(const doc::Map& map) {
    if (const auto* v = map.find("timeout"))
      if (auto written = v_.text(*v, "timeout")) {
        auto seconds = seconds_of(*written);
        if (!seconds || *seconds < 1)
          v_.problems.add(
              v->mark(),
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
    constexpr std::string_view reasons[] = {"always",
                                            "unknown_failure",
                                            "script_failure",
                                            "api_failure",
                                            "stuck_or_timeout_failure",
                                            "runner_system_failure",
                                            "runner_unsupported",
                                            "stale_schedule",
                                            "job_execution_timeout",
                                            "archived_failure",
                                            "unmet_prerequisites",
                                            "scheduler_failure",
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

}  // namespace

Job read_job(const std::string& name, const doc::Map& map, doc::Mark mark, const Document& document,
             Problems& problems) {
  return JobReader(problems, document).read(name, map, mark);
}

}  // namespace slipway::ci::gitlab
