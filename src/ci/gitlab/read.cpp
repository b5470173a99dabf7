#include "ci/gitlab/read.h"

#include "base/text.h"
#include "ci/gitlab/values.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::string_view default_keys[] = {"after_script", "artifacts", "before_script", "cache",    "hooks",
                                             "id_tokens",    "image",     "interruptible", "identity", "retry",
                                             "services",     "tags",      "timeout"};
constexpr std::string_view top_keys[] = {"default", "stages",        "variables", "workflow",     "include",
                                         "image",   "before_script", "services",  "after_script", "cache",
                                         "pages",   "spec",          "types"};
constexpr std::string_view global_defaults[] = {"image", "services", "before_script", "after_script", "cache"};

class Reader {
 public:
  Reader(const doc::Map& top, Problems& problems) : top_(top), v_(problems) {}

  Document read(std::string_view source) {
    document_.source = source;
    if (top_.contains("spec"))
      v_.problems.add(key_mark(top_, "spec"), "spec: stands in a head of its own",
                      "end it with a line --- and write the jobs below");
    stages();
    if (const auto* v = top_.find("variables")) document_.variables = read_variables(*v, v_.problems);
    workflow();
    defaults();
    for (const auto& [name, value] : top_) {
      if (name.starts_with('.') || is_top(name)) continue;
      const auto* map = value.if_map();
      if (!map) {
        auto keys = std::vector<std::string>(std::begin(top_keys), std::end(top_keys));
        v_.problems.unknown(
            key_mark(top_, name),
            fmt::format("'{}': got a {}, want a job (a mapping with script:)", name, doc::to_string(value.type())),
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
          v_.problems.add(rule.mark,
                          fmt::format("workflow:rules:when: got {}, want always or never", to_string(*rule.when)));
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
    for (auto key : global_defaults) {
      const auto* value = top_.find(key);
      if (!value) continue;
      if (value->find("script")) {
        v_.problems.add(key_mark(top_, key), fmt::format("'{}' is a keyword, no name for a job", key),
                        fmt::format("call the job 'build-{}', or something like it", key));
        continue;
      }
      defaults_.set(key, *value), defaults_.set_key_mark(key, key_mark(top_, key));
    }
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
    auto made = read_job(name, whole, key_mark(top_, name), document_, v_.problems);
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
        return v_.problems.unknown(need.mark,
                                   fmt::format("job '{}' needs '{}', which is no job of this file", job.name, need.job),
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
      return v_.problems.unknown(job.mark, fmt::format("dependencies of '{}': there is no job '{}'", job.name, name),
                                 name, names);
    bool needed =
        job.needs && std::any_of(job.needs->begin(), job.needs->end(), [&](const Need& n) { return n.job == name; });
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
