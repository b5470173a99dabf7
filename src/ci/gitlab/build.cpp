#include "ci/gitlab/build.h"

#include <set>

#include "base/text.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::size_t names_a_call = 200;
// Where the image has bash, that; like GitLab's runner, which also ends a pipe at its first failure.
constexpr std::string_view shell_in_image =
    "sh -c 'if command -v bash >/dev/null 2>&1; then exec bash --noprofile --norc -eo pipefail \"$0\"; fi; exec sh -e "
    "\"$0\"' {0}";
constexpr std::string_view shell_of_host = "bash --noprofile --norc -eo pipefail {0}";

Template list_of(const std::vector<std::string>& items, doc::Mark mark) {
  Template out;
  out.sort = Template::Sort::list, out.mark = mark;
  for (const auto& item : items) out.items.push_back(literal(item, mark));
  return out;
}

Template empty_map(doc::Mark mark) {
  Template out;
  out.sort = Template::Sort::map, out.mark = mark;
  return out;
}

void put(Template& map, std::string key, Template value) {
  map.entries.push_back({literal(std::move(key), map.mark), std::move(value)});
}
Template truth(bool value) {
  Template out;
  out.sort = Template::Sort::boolean, out.boolean = value;
  return out;
}
Template number_of(double value) {
  Template out;
  out.sort = Template::Sort::number, out.number = value;
  return out;
}

// A name for the artifact of a job: no signs that names and patterns give a meaning to.
std::string plain_name(std::string_view text) {
  std::string out;
  for (char c : text)
    out += std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view(" ._-(),+=").contains(c) ? c : '-';
  return out;
}

// Host names of a service: before the tag, slashes as "-" and as "__".
std::vector<std::string> host_names(std::string_view image) {
  auto name = image.substr(0, image.find('@'));
  if (auto slash = name.rfind('/'), colon = name.rfind(':');
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash))
    name = name.substr(0, colon);
  std::vector<std::string> out = {replace_all(std::string(name), "/", "-")};
  if (name.contains('/')) out.push_back(replace_all(std::string(name), "/", "__"));
  for (auto& one : out) one = replace_all(one, ":", "");
  return out;
}

class JobBuilder {
 public:
  JobBuilder(const Document& document, const Selected& selected, const std::vector<Row>& rows, const Event& event,
             const std::vector<std::string>& artifact_names, Problems& problems)
      : document_(document),
        selected_(selected),
        rows_(rows),
        event_(event),
        artifact_names_(artifact_names),
        problems_(problems) {}

  JobDefinition build(std::size_t index) {
    row_ = &rows_[index], job_ = row_->chosen->job;
    scope();
    JobDefinition out;
    out.id = row_->id, out.mark = job_->mark;
    out.name = literal(row_->id, job_->mark);
    out.runs_on = list_of(expanded(job_->tags), job_->mark);
    for (auto need : row_->needs) out.needs.push_back(literal(rows_[need].id, job_->mark));
    out.condition = condition();
    out.env = env();
    if (auto image = text(job_->image); !image.empty()) {
      auto container = empty_map(job_->mark);
      put(container, "image", template_of(job_->image));
      out.container = std::move(container);
    }
    if (!job_->services.empty()) out.services = services();
    const auto& allow = row_->chosen->allow_failure;
    if (allow.any) out.continue_on_error = truth(true);
    if (job_->minutes > 0) out.timeout_minutes = number_of(job_->minutes);
    if (!job_->resource_group.empty()) {
      auto group = empty_map(job_->mark);
      put(group, "group", template_of(job_->resource_group));
      put(group, "queue", literal("max"));
      out.concurrency = std::move(group);
    }
    if (job_->environment) {
      auto environment = empty_map(job_->mark);
      put(environment, "name", template_of(job_->environment->name));
      if (!job_->environment->url.empty()) put(environment, "url", template_of(job_->environment->url));
      out.environment = std::move(environment);
    }
    if (!job_->id_tokens.empty()) out.permissions = Permissions{{"id-token", "write"}};
    if (job_->child) {
      out.uses = literal("child pipeline", job_->mark), out.inherit_secrets = true;
      // Whose end is not waited for is not the job's either.
      if (!job_->child->depends) out.continue_on_error = truth(true);
      return out;
    }
    steps(index, out);
    return out;
  }

  // What a child pipeline is given.
  doc::Map given() const {
    doc::Map out;
    if (job_->child->gives_pipeline_variables)
      if (const auto* own = event_.inputs.if_map()) out = *own;
    if (job_->child->gives_variables)
      for (const auto* list : {&document_.variables, &job_->variables, &row_->chosen->variables})
        for (const auto& variable : *list) out.set(variable.name, text("${" + variable.name + "}"));
    for (const auto& [name, value] : row_->matrix) out.set(name, value);
    return out;
  }
  const Job& job() const { return *job_; }

  PlanJob planned(const JobDefinition& definition) const {
    PlanJob out;
    out.id = out.name = definition.id;
    out.definition = &definition;
    for (auto need : row_->needs) out.needs.push_back(rows_[need].id);
    out.legs = {Leg{}};
    out.fail_fast = false;
    auto when = row_->chosen->when;
    out.when = to_string(when);
    out.manual = when == When::manual;
    out.tolerated_codes = row_->chosen->allow_failure.codes;
    out.retry = {job_->retry.times, job_->retry.when, job_->retry.codes};
    out.coverage = job_->coverage;
    out.delay = Millis(static_cast<std::int64_t>(row_->chosen->start_in * 1000));
    return out;
  }

 private:
  std::string ids(const std::vector<std::size_t>& rows) const {
    std::string out;
    for (auto n : rows) out += (out.empty() ? "" : ", ") + as_string(rows_[n].id);
    return out;
  }

  // success('a', 'b') for as many rows as there are.
  std::string all_of(std::string_view function, const std::vector<std::size_t>& rows, std::string_view joined) const {
    std::string out;
    for (std::size_t i = 0; i < rows.size(); i += names_a_call) {
      std::vector<std::size_t> some(
          rows.begin() + static_cast<std::ptrdiff_t>(i),
          rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), i + names_a_call)));
      out += fmt::format("{}{}({})", out.empty() ? "" : joined, function, ids(some));
    }
    return out;
  }

  // Without needs: nothing of the earlier stages has failed, and no manual job there is still waited for. With needs:
  // those named have succeeded, whatever others did.
  Condition condition() {
    auto when = row_->chosen->when;
    std::string text;
    if (row_->by_needs) {
      text = "!cancelled()";
      if (when == When::on_failure)
        text +=
            " && " + (row_->needs.empty() ? std::string("false") : "(" + all_of("failure", row_->needs, " || ") + ")");
      else if (when != When::always && !row_->needs.empty())
        text += " && " + all_of("success", row_->needs, " && ");
    } else {
      text = when == When::always       ? "!cancelled()"
             : when == When::on_failure ? "failure()"
                                        : "!failure() && !cancelled()";
      if (!row_->blockers.empty()) text += " && " + all_of("success", row_->blockers, " && ");
    }
    Condition out;
    out.mark = job_->mark, out.text = text;
    auto parsed = Expression::parse(text, full_vocabulary());
    if (parsed)
      out.expression = *std::move(parsed);
    else
      problems_.add(job_->mark, fmt::format("job '{}' waits for too many others: {}", row_->id, parsed.error().what()));
    return out;
  }

  std::vector<std::size_t> variable_givers() const {
    auto out = row_->artifacts;
    std::erase_if(out, [&](auto n) {
      const auto& artifacts = rows_[n].chosen->job->artifacts;
      bool direct = std::find(row_->needs.begin(), row_->needs.end(), n) != row_->needs.end();
      return !direct || !artifacts ||
             std::none_of(artifacts->reports.begin(), artifacts->reports.end(),
                          [](auto& report) { return report.first == "dotenv"; });
    });
    return out;
  }

  void scope() {
    scope_ = Selector::base(event_, document_, selected_.variables, job_->inherits);
    std::vector<std::string> sources = {"secrets", "vars"};
    for (auto n : variable_givers())
      sources.insert(sources.begin() + 2, fmt::format("needs[{}].outputs", as_string(rows_[n].id)));
    auto set = [&](const char* name, std::string value) { scope_.set(name, Text::of(std::move(value))); };
    set("CI_JOB_NAME", row_->id), set("CI_JOB_NAME_SLUG", slug(row_->id)), set("CI_JOB_STAGE", job_->stage);
    set("CI_JOB_GROUP_NAME", job_->name);
    if (row_->total > 1 || job_->parallel > 0 || !job_->matrix.empty())
      set("CI_NODE_INDEX", std::to_string(row_->index));
    set("CI_NODE_TOTAL", std::to_string(row_->total));
    if (row_->chosen->when == When::manual) set("CI_JOB_MANUAL", "true");
    scope_.set("CI_JOB_ID",
               Text::computed(fmt::format("format('{{0}}-{{1}}', github.run_id, {})", as_string(slug(row_->id)))));
    scope_.set_sources(std::move(sources));
    scope_.set(job_->variables);
    scope_.set(row_->chosen->variables);
    for (const auto& [name, value] : row_->matrix) scope_.set(name, Text::of(value));
    Selector::set_given(event_, scope_);
    if (!job_->image.empty()) scope_.set("CI_JOB_IMAGE", scope_.expand(job_->image));
    if (job_->environment) {
      auto name = scope_.expand(job_->environment->name);
      scope_.set("CI_ENVIRONMENT_SLUG", Text::of(slug(name.plain()).substr(0, 24)));
      scope_.set("CI_ENVIRONMENT_NAME", std::move(name));
      scope_.set("CI_ENVIRONMENT_ACTION", Text::of(job_->environment->action));
      if (!job_->environment->url.empty()) scope_.set("CI_ENVIRONMENT_URL", scope_.expand(job_->environment->url));
    }
  }

  // What is known now, for names and patterns.
  std::string text(const std::string& written) const { return scope_.expand(written).plain(); }
  std::vector<std::string> expanded(const std::vector<std::string>& written) const {
    std::vector<std::string> out;
    for (const auto& one : written) out.push_back(text(one));
    return out;
  }
  Template from(const Text& value) {
    auto made = to_template(value, job_->mark);
    if (made) return *std::move(made);
    problems_.add(job_->mark,
                  fmt::format("job '{}': a value is too long or too deep: {}", row_->id, made.error().what()));
    return literal({});
  }
  Template template_of(const std::string& written) { return from(scope_.expand(written)); }
  Template expression(std::string written) { return from(Text::computed(std::move(written))); }
  Template lines_of(const std::vector<std::string>& written) {
    Text all;
    for (const auto& one : written) {
      if (!all.pieces.empty()) all.add(Text::of("\n"));
      all.add(scope_.expand(one));
    }
    return from(all);
  }

  void insert(Template& map, std::string expression_text) {
    Template key;
    key.sort = Template::Sort::insert;
    map.entries.push_back({std::move(key), expression(std::move(expression_text))});
  }

  // Of a job, weakest first: the file's, what earlier jobs gave, the house's, what was given for this run.
  Template env() {
    auto out = empty_map(job_->mark);
    for (auto& [name, value] : scope_.all()) put(out, name, from(value));
    for (auto n : variable_givers()) insert(out, fmt::format("needs[{}].outputs", as_string(rows_[n].id)));
    insert(out, "vars");
    insert(out, "secrets");
    if (const auto* given = event_.inputs.if_map())
      for (const auto& [name, value] : *given) put(out, name, literal(Data::from(value).text()));
    return out;
  }

  Template services() {
    auto out = empty_map(job_->mark);
    std::set<std::string> taken;
    for (const auto& service : job_->services) {
      auto one = empty_map(service.mark);
      put(one, "image", template_of(service.image));
      auto names = service.aliases.empty() ? host_names(text(service.image)) : expanded(service.aliases);
      std::erase_if(names, [&](const auto& name) { return name.empty() || !taken.insert(name).second; });
      if (names.empty()) {
        problems_.add(service.mark, fmt::format("services: two of '{}' have the same name", row_->id),
                      "give one an alias:");
        continue;
      }
      put(one, "aliases", list_of(names, service.mark));
      if (!service.command.empty()) put(one, "command", list_of(service.command, service.mark));
      if (!service.entrypoint.empty() && service.entrypoint != std::vector<std::string>{""})
        put(one, "entrypoint", list_of(service.entrypoint, service.mark));
      auto variables = empty_map(service.mark);
      auto own = scope_;
      own.set(service.variables);
      for (const auto* list : {&document_.variables, &job_->variables, &service.variables})
        for (const auto& variable : *list) {
          bool inherited =
              list != &document_.variables || !job_->inherits ||
              std::find(job_->inherits->begin(), job_->inherits->end(), variable.name) != job_->inherits->end();
          if (inherited) put(variables, variable.name, from(own.expand("${" + variable.name + "}")));
        }
      put(one, "env", std::move(variables));
      put(out, names[0], std::move(one));
    }
    return out;
  }

  Step& step(JobDefinition& job, std::string id, std::string name) {
    Step made;
    made.id = std::move(id), made.id_given = true, made.mark = job_->mark;
    made.name = literal(std::move(name), job_->mark);
    return job.steps.emplace_back(std::move(made));
  }
  Template& with(Step& step, std::string_view action) {
    step.uses = literal(std::string(action), job_->mark);
    step.with = empty_map(job_->mark);
    return *step.with;
  }
  void run_when(Step& step, When when) {
    step.condition.text = when == When::always ? "always()" : when == When::on_failure ? "failure()" : "success()";
    if (auto parsed = Expression::parse(step.condition.text, full_vocabulary())) step.condition.expression = *parsed;
    step.condition.mark = job_->mark;
  }
  void script(Step& step, const std::vector<std::string>& commands) {
    std::string text;
    for (const auto& command : commands) text += std::string(trim_end(command)) + "\n";
    step.run = literal(std::move(text), job_->mark);
    step.shell = literal(std::string(job_->image.empty() ? shell_of_host : shell_in_image), job_->mark);
  }

  void steps(std::size_t index, JobDefinition& job) {
    for (const auto& [name, audiences] : job_->id_tokens) {
      auto& token = step(job, "id_token_" + name, "Id token " + name);
      run_when(token, When::on_success);
      auto& inputs = with(token, "slipway/gitlab-id-token@v1");
      put(inputs, "name", literal(name)), put(inputs, "aud", lines_of(audiences));
    }
    if (!job_->hooks.empty()) {
      auto& hook = step(job, "pre_get_sources", "pre_get_sources_script");
      run_when(hook, When::on_success), script(hook, job_->hooks);
    }
    checkout(job);
    for (std::size_t i = 0; i < job_->caches.size(); ++i) cache(job, job_->caches[i], i);
    download(job);
    auto commands = job_->before;
    commands.insert(commands.end(), job_->script.begin(), job_->script.end());
    auto& main = step(job, "script", "script");
    run_when(main, When::on_success), script(main, commands);
    if (!job_->after.empty()) {
      auto& after = step(job, "after_script", "after_script");
      run_when(after, When::always), script(after, job_->after);
      after.continue_on_error = truth(true);
      after.timeout_minutes = number_of(5);
      after.env = empty_map(job_->mark);
      put(*after.env, "CI_JOB_STATUS",
          expression("job.status == 'failure' && 'failed' || job.status == 'cancelled' && 'canceled' || 'success'"));
    }
    if (job_->artifacts) artifacts(index, job);
    if (!job_->pages.empty()) {
      auto& site = step(job, "pages", "Pages");
      run_when(site, When::on_success);
      auto& inputs = with(site, "slipway/gitlab-pages@v1");
      put(inputs, "publish", template_of(job_->pages)), put(inputs, "artifact", literal(artifact_names_[index]));
    }
    if (job_->release) release(job);
  }

  void release(JobDefinition& job) {
    const auto& wish = *job_->release;
    auto& made = step(job, "release", "Release");
    run_when(made, When::on_success);
    auto& inputs = with(made, "slipway/gitlab-release@v1");
    put(inputs, "tag_name", template_of(wish.tag)), put(inputs, "description", template_of(wish.description));
    if (!wish.name.empty()) put(inputs, "name", template_of(wish.name));
    if (!wish.ref.empty()) put(inputs, "target_commitish", template_of(wish.ref));
    std::vector<std::string> links;
    for (const auto& [label, url] : wish.links) links.push_back(fmt::format("- [{}]({})", label, url));
    if (!links.empty()) put(inputs, "links", lines_of(links));
  }

  void checkout(JobDefinition& job) {
    auto strategy = text("$GIT_STRATEGY");
    if (strategy == "none" || strategy == "empty") return;
    if (!strategy.empty() && strategy != "fetch" && strategy != "clone")
      problems_.add(job_->mark, fmt::format("job '{}': GIT_STRATEGY: got \"{}\", want fetch, clone, none or empty",
                                            row_->id, strategy));
    if (auto submodules = text("$GIT_SUBMODULE_STRATEGY"); submodules == "normal" || submodules == "recursive")
      problems_.not_yet(job_->mark, "GIT_SUBMODULE_STRATEGY", "get submodules by a command of before_script");
    auto& checkout = step(job, "get_sources", "Get sources");
    run_when(checkout, When::on_success);
    auto& inputs = with(checkout, "actions/checkout@v4");
    auto depth = to_int(text("$GIT_DEPTH"));
    if (depth && *depth != 1) put(inputs, "fetch-depth", literal(std::to_string(std::max<std::int64_t>(*depth, 0))));
  }

  void cache(JobDefinition& job, const Cache& cache, std::size_t index) {
    auto& restore = step(job, fmt::format("cache_{}", index + 1), "Restore cache");
    run_when(restore, When::on_success);
    auto& inputs = with(restore, "slipway/gitlab-cache@v1");
    if (cache.key_files.empty()) {
      put(inputs, "key", template_of(cache.key));
    } else {
      std::string files;
      for (const auto& file : expanded(cache.key_files)) files += (files.empty() ? "" : ", ") + as_string(file);
      Text key;
      if (!cache.prefix.empty()) key = scope_.expand(cache.prefix), key.add(Text::of("-"));
      key.add(Text::computed(fmt::format("(hashFiles({}) || 'default')", files)));
      put(inputs, "key", from(key));
    }
    put(inputs, "path", lines_of(with_braces_resolved(cache.paths)));
    auto policy = text(cache.policy);
    if (policy != "pull" && policy != "push" && policy != "pull-push")
      problems_.add(cache.mark, fmt::format("cache:policy: \"{}\" means \"{}\", want pull, push or pull-push",
                                            cache.policy, policy));
    put(inputs, "policy", literal(policy));
    put(inputs, "when", literal(std::string(to_string(cache.when))));
    if (!cache.fallback.empty()) put(inputs, "fallback", lines_of(cache.fallback));
  }

  static std::vector<std::string> with_braces_resolved(const std::vector<std::string>& patterns) {
    std::vector<std::string> out;
    for (const auto& pattern : patterns) {
      if (pattern.contains("${")) {
        out.push_back(pattern);
        continue;
      }
      for (auto& one : without_braces(pattern)) out.push_back(std::move(one));
    }
    return out;
  }

  void download(JobDefinition& job) {
    std::string names, from;
    for (auto n : row_->artifacts) {
      const auto& artifacts = rows_[n].chosen->job->artifacts;
      if (!artifacts || artifacts->paths.empty()) continue;
      names += artifact_names_[n] + "\n";
      if (from.size() < 80) from += (from.empty() ? "" : ", ") + rows_[n].id;
    }
    if (names.empty()) return;
    auto& get = step(job, "artifacts_of_others", "Artifacts of " + from + (from.size() < 80 ? "" : " ..."));
    run_when(get, When::on_success);
    put(with(get, "slipway/gitlab-artifacts@v1"), "get", literal(names));
  }

  void artifacts(std::size_t index, JobDefinition& job) {
    const auto& artifacts = *job_->artifacts;
    if (!artifacts.paths.empty()) {
      auto paths = with_braces_resolved(artifacts.paths);
      for (const auto& pattern : with_braces_resolved(artifacts.exclude)) paths.push_back("!" + pattern);
      auto& keep = step(job, "artifacts", "Keep artifacts");
      run_when(keep, artifacts.when);
      auto& inputs = with(keep, "slipway/gitlab-artifacts@v1");
      put(inputs, "name", literal(artifact_names_[index]));
      put(inputs, "path", lines_of(paths));
      if (artifacts.days > 0) put(inputs, "retention-days", literal(std::to_string(artifacts.days)));
    }
    for (const auto& [kind, files] : artifacts.reports) {
      auto& report = step(job, "report_" + kind, "Report: " + kind);
      run_when(report, kind == "dotenv" ? When::on_success : When::always);
      if (kind == "junit" || kind == "dotenv") {
        put(with(report, fmt::format("slipway/gitlab-{}@v1", kind)), "path", lines_of(with_braces_resolved(files)));
      } else {
        auto& inputs = with(report, "slipway/gitlab-artifacts@v1");
        put(inputs, "name", literal(artifact_names_[index] + " " + kind));
        put(inputs, "path", lines_of(with_braces_resolved(files)));
      }
    }
  }

  const Document& document_;
  const Selected& selected_;
  const std::vector<Row>& rows_;
  const Event& event_;
  const std::vector<std::string>& artifact_names_;
  Problems& problems_;
  const Row* row_ = nullptr;
  const Job* job_ = nullptr;
  Scoped scope_;
};

// Under which name the run keeps what a job leaves behind: the job's, with the name it was given before it.
std::vector<std::string> artifact_names(const Document& document, const Selected& selected,
                                        const std::vector<Row>& rows, const Event& event) {
  std::vector<std::string> out;
  std::set<std::string> taken;
  for (const auto& row : rows) {
    const auto& job = *row.chosen->job;
    auto name = plain_name(document.prefix + row.id);
    if (job.artifacts && !job.artifacts->name.empty()) {
      auto scope = Selector::base(event, document, selected.variables, job.inherits);
      scope.set("CI_JOB_NAME", Text::of(row.id)), scope.set("CI_JOB_STAGE", Text::of(job.stage));
      scope.set(job.variables);
      scope.set(row.chosen->variables);
      for (const auto& [key, value] : row.matrix) scope.set(key, Text::of(value));
      auto given = plain_name(scope.expand(job.artifacts->name).plain());
      if (!given.empty() && given != name) name = fmt::format("{} ({})", given, name);
    }
    auto unique = name;
    for (int i = 2; !taken.insert(lower(unique)).second; ++i) unique = fmt::format("{} {}", name, i);
    out.push_back(std::move(unique));
  }
  return out;
}

}  // namespace

Result<Plan> build_plan(const Document& document, const Selected& selected, const std::vector<Row>& rows,
                        const Event& event, const ChildMaker& child, Problems& problems) {
  auto names = artifact_names(document, selected, rows, event);
  auto workflow = std::make_shared<Workflow>();
  workflow->source = document.source;
  auto variables = Selector::base(event, document, selected.variables, {});
  Selector::set_given(event, variables);
  if (!document.name.empty()) workflow->name = literal(variables.expand(document.name).plain());
  workflow->triggers.emplace_back().event = event.name;
  // A newer pipeline of the same ref ends this one where every job may be interrupted.
  bool interruptible = document.cancels && std::all_of(selected.jobs.begin(), selected.jobs.end(),
                                                       [](const Chosen& c) { return c.interruptible; });
  if (interruptible && !selected.jobs.empty()) {
    auto concurrency = empty_map({});
    put(concurrency, "group", literal(fmt::format("{} {}", document.source, event.ref)));
    put(concurrency, "cancel-in-progress", truth(true));
    workflow->concurrency = std::move(concurrency);
  }
  JobBuilder builder(document, selected, rows, event, names, problems);
  Plan out;
  out.event = event;
  std::vector<PlanJob> jobs;
  workflow->jobs.reserve(rows.size());  // PlanJobs point to them
  for (std::size_t i = 0; i < rows.size(); ++i) {
    workflow->jobs.push_back(builder.build(i));
    out.jobs.push_back(builder.planned(workflow->jobs.back()));
    if (builder.job().child) out.jobs.back().called = child(builder.job(), builder.given());
  }
  out.workflow = std::move(workflow);
  return out;
}

}  // namespace slipway::ci::gitlab
