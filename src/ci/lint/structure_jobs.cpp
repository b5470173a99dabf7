#include "ci/detail/lint_reader.h"

namespace slipway::ci {
namespace {

using Sort = YamlNode::Sort;

constexpr std::string_view scopes[] = {"actions",
                                       "artifact-metadata",
                                       "attestations",
                                       "checks",
                                       "code-quality",
                                       "contents",
                                       "copilot-requests",
                                       "deployments",
                                       "discussions",
                                       "drives",
                                       "id-token",
                                       "issues",
                                       "models",
                                       "packages",
                                       "pages",
                                       "pull-requests",
                                       "repository-projects",
                                       "security-events",
                                       "statuses",
                                       "vulnerability-alerts"};

std::string_view levels_of(std::string_view scope) {
  if (scope == "id-token" || scope == "copilot-requests") return "write none";
  return scope == "models" ? "read none" : "read write none";
}

}  // namespace

void StructureReader::jobs(const Entry& e, const KeyRule&) {
  for (auto& entry : section(*e.value, "jobs", false, false)) job(entry);
}

void StructureReader::job(const Entry& e) {
  static constexpr KeyRule keys[] = {{"name", &StructureReader::text_or_empty, "M"},
                                     {"needs", &StructureReader::needs, ""},
                                     {"runs-on", &StructureReader::runs_on, "M"},
                                     {"permissions", &StructureReader::permissions, ""},
                                     {"environment", &StructureReader::environment, "M"},
                                     {"concurrency", &StructureReader::concurrency, "M"},
                                     {"outputs", &StructureReader::outputs, "R"},
                                     {"env", &StructureReader::env, "MS"},
                                     {"defaults", &StructureReader::defaults, "JD"},
                                     {"if", &StructureReader::condition, "IFJ"},
                                     {"steps", &StructureReader::steps, ""},
                                     {"timeout-minutes", &StructureReader::number, "M"},
                                     {"cancel-timeout-minutes", &StructureReader::number, "M"},
                                     {"strategy", &StructureReader::strategy, "N"},
                                     {"continue-on-error", &StructureReader::boolean, "M"},
                                     {"container", &StructureReader::container, "M"},
                                     {"services", &StructureReader::services, "M"},
                                     {"snapshot", &StructureReader::snapshot, "M"},
                                     {"uses", &StructureReader::call_target, ""},
                                     {"with", &StructureReader::call_with, "M"},
                                     {"secrets", &StructureReader::call_with_secrets, "MS"}};
  static constexpr std::string_view of_calls[] = {"name",     "needs", "if",   "permissions", "concurrency",
                                                  "strategy", "uses",  "with", "secrets"};
  job_ = static_cast<int>(lint_.facts.jobs.size());
  JobFacts facts;
  facts.id = e.name, facts.key = e.key, facts.body = &real(*e.value);
  lint_.facts.jobs.push_back(std::move(facts));
  auto entries = section(*e.value, fmt::format("job '{}'", e.key->text), false, true);
  by_table(entries, "a job", keys);
  bool calls = entry_of(entries, "uses") != nullptr;
  for (auto& entry : entries) {
    bool for_calls = entry.name == "with" || entry.name == "secrets";
    bool both = std::find(std::begin(of_calls), std::end(of_calls), entry.name) != std::end(of_calls);
    if (calls && !both && rule_of(keys, entry.name) != nullptr)
      wrong(*entry.key, fmt::format("'{}' is not for a job that calls a workflow with 'uses'", entry.key->text));
    if (!calls && for_calls)
      wrong(*entry.key, fmt::format("'{}' is only for a job that calls a workflow with 'uses'", entry.key->text));
  }
  for (auto* key : {"runs-on", "steps"}) {
    auto* entry = entry_of(entries, key);
    bool read = entry != nullptr && (std::string_view(key) != "steps" || real(*entry->value).is(Sort::list));
    if (!calls && !entries.empty() && !read) wrong(*e.key, fmt::format("job '{}' has no '{}'", e.key->text, key));
  }
  job_ = -1;
}

void StructureReader::needs(const Entry& e, const KeyRule&) {
  current_job().needs = strings(*e.value, "needs", true, "");
}

void StructureReader::runs_on(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule keys[] = {{"group", &StructureReader::text, "M"},
                                     {"labels", &StructureReader::one_or_list, "M"}};
  auto& node = real(*e.value);
  current_job().runs_on = &node;
  if (is_expression(node)) return use(node, r.place, Want::labels, e.name);
  if (node.is(Sort::map))
    by_table(section(node, "runs-on", false, true), "runs-on", keys);
  else
    strings(node, "runs-on", true, r.place);
}

void StructureReader::permissions(const Entry& e, const KeyRule&) {
  auto& node = real(*e.value);
  if (node.is(Sort::scalar)) {
    if (node.text.empty()) wrong(node, "the text is empty");
    if (node.text != "read-all" && node.text != "write-all")
      lint_.add("permissions", node,
                fmt::format("'{}' is no permission for everything: read-all, write-all or {{}}", node.text));
    return;
  }
  for (auto& entry : section(node, "permissions", true, true)) {
    auto* level = string(*entry.value, true, "");
    if (std::find(std::begin(scopes), std::end(scopes), entry.name) == std::end(scopes)) {
      std::vector<std::string> names(std::begin(scopes), std::end(scopes));
      auto near = nearest(entry.name, names);
      lint_.add("permissions", *entry.key,
                fmt::format("there is no permission '{}'{}", entry.key->text,
                            near ? fmt::format("; did you mean '{}'?", *near) : ""));
      continue;
    }
    auto known = levels_of(entry.name);
    auto words = split(known, ' ');
    if (level != nullptr && std::find(words.begin(), words.end(), level->text) == words.end())
      lint_.add("permissions", *level,
                fmt::format("'{}' is none of the levels of {}: {}", level->text, entry.name, known));
  }
}

void StructureReader::concurrency(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule workflow_keys[] = {{"group", &StructureReader::text, "W"},
                                              {"cancel-in-progress", &StructureReader::boolean, "W"},
                                              {"queue", &StructureReader::text, ""}};
  static constexpr KeyRule job_keys[] = {{"group", &StructureReader::text, "M"},
                                         {"cancel-in-progress", &StructureReader::boolean, "M"},
                                         {"queue", &StructureReader::text, ""}};
  auto& node = real(*e.value);
  if (!node.is(Sort::map)) {
    string(node, false, r.place);
    return;
  }
  auto entries = section(node, "concurrency", false, true);
  by_table(entries, "concurrency", r.place == "W" ? Table(workflow_keys) : Table(job_keys));
  if (entry_of(entries, "group") == nullptr) wrong(*e.key, "concurrency has no 'group'");
}

void StructureReader::environment(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule keys[] = {{"name", &StructureReader::text, "M"},
                                     {"url", &StructureReader::text_or_empty, "RN"},
                                     {"deployment", &StructureReader::boolean, "M"}};
  auto& node = real(*e.value);
  if (!node.is(Sort::map)) {
    string(node, false, r.place);
    return;
  }
  auto entries = section(node, "environment", false, true);
  by_table(entries, "environment", keys);
  if (entry_of(entries, "name") == nullptr) wrong(*e.key, "environment has no 'name'");
}

void StructureReader::defaults(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule workflow_keys[] = {{"shell", &StructureReader::default_shell, ""},
                                              {"working-directory", &StructureReader::text, ""}};
  static constexpr KeyRule job_keys[] = {{"shell", &StructureReader::default_shell, "JD"},
                                         {"working-directory", &StructureReader::text, "JD"}};
  auto entries = section(*e.value, "defaults", false, true);
  bool run = false;
  for (auto& entry : entries) {
    if (entry.name != "run") {
      wrong(*entry.key, fmt::format("unexpected key '{}' in defaults; known is run", entry.key->text));
      continue;
    }
    run = true;
    by_table(section(*entry.value, "run", false, true), "defaults.run",
             r.place.empty() ? Table(workflow_keys) : Table(job_keys));
  }
  if (!run && entries.empty()) wrong(real(*e.value), "defaults has no 'run'");
}

void StructureReader::default_shell(const Entry& e, const KeyRule& r) {
  auto* node = string(*e.value, false, r.place);
  (job_ >= 0 ? current_job().shell : lint_.facts.shell) = node;
}

void StructureReader::outputs(const Entry& e, const KeyRule& r) {
  for (auto& [key, value] : pairs(*e.value, "outputs", r.place, false))
    current_job().outputs.push_back(lower(key->text));
}

void StructureReader::strategy(const Entry& e, const KeyRule&) {
  static constexpr KeyRule keys[] = {{"matrix", &StructureReader::matrix, "N"},
                                     {"fail-fast", &StructureReader::boolean, "N"},
                                     {"max-parallel", &StructureReader::integer, "N"}};
  by_table(section(*e.value, "strategy", false, true), "strategy", keys);
}

void StructureReader::matrix(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  current_job().matrix = &node;
  if (is_expression(node)) return use(node, r.place, Want::object, "matrix");
  for (auto& entry : section(node, "matrix", false, false)) {
    if (entry.name == "include" || entry.name == "exclude") {
      matrix_rows(entry, r.place);
      continue;
    }
    auto& row = real(*entry.value);
    if (is_expression(row)) {
      use(row, r.place, Want::list, "matrix");
      continue;
    }
    if (!row.is(Sort::list)) {
      wrong(row, fmt::format("'{}' of the matrix must be a list", entry.key->text));
      continue;
    }
    if (row.items.empty()) wrong(row, fmt::format("'{}' of the matrix is an empty list", entry.key->text));
    for (auto* item : row.items) raw(*item, r.place);
  }
}

void StructureReader::matrix_rows(const Entry& e, std::string_view place) {
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, place, Want::list, e.name);
  if (!node.is(Sort::list)) return wrong(node, fmt::format("{} must be a list", e.name));
  if (node.items.empty()) wrong(node, fmt::format("{} is an empty list", e.name));
  for (auto* item : node.items) {
    auto& row = real(*item);
    if (is_expression(row)) {
      use(row, place, Want::object, e.name);
      continue;
    }
    for (auto& entry : section(row, fmt::format("an element of {}", e.name), false, false)) raw(*entry.value, place);
  }
}

void StructureReader::container(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule keys[] = {
      {"image", &StructureReader::text, "M"},   {"credentials", &StructureReader::credentials, "CRED"},
      {"env", &StructureReader::env, "R"},      {"ports", &StructureReader::list, "M"},
      {"volumes", &StructureReader::list, "M"}, {"options", &StructureReader::text_or_empty, "M"}};
  auto& node = real(*e.value);
  if (node.is(Sort::scalar)) {
    string(node, false, r.place);
    return;
  }
  credentials_of_ = "the container";
  container_body(e, "container", keys);
}

void StructureReader::container_body(const Entry& e, std::string_view what, Table table) {
  auto entries = section(*e.value, what, false, true);
  by_table(entries, what, table);
  if (entry_of(entries, "image") == nullptr) wrong(*e.key, fmt::format("{} has no 'image'", what));
}

void StructureReader::credentials(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule keys[] = {{"username", &StructureReader::text, "CRED"},
                                     {"password", &StructureReader::text, "CRED"}};
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::object, "credentials");
  auto entries = section(node, "credentials", false, true);
  by_table(entries, "credentials", keys);
  auto *user = entry_of(entries, "username"), *password = entry_of(entries, "password");
  if (user == nullptr || password == nullptr) wrong(*e.key, "credentials need both 'username' and 'password'");
  if (password == nullptr) return;
  auto& given = real(*password->value);
  if (given.is(Sort::scalar) && !given.text.empty() && !holds_expression(given.text))
    lint_.add("credentials", given,
              fmt::format("the password of {} stands in the file: keep it as a secret", credentials_of_));
}

void StructureReader::services(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule keys[] = {{"image", &StructureReader::text, "M"},
                                     {"credentials", &StructureReader::credentials, "CRED"},
                                     {"env", &StructureReader::env, "R"},
                                     {"ports", &StructureReader::list, "M"},
                                     {"volumes", &StructureReader::list, "M"},
                                     {"options", &StructureReader::text_or_empty, "M"},
                                     {"entrypoint", &StructureReader::text_or_empty, "M"},
                                     {"command", &StructureReader::text_or_empty, "M"}};
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::object, "services");
  for (auto& entry : section(node, "services", false, false)) {
    auto& service = real(*entry.value);
    current_job().services[entry.name] = parse_type("{id: string, network: string, ports: any}");
    credentials_of_ = fmt::format("service '{}'", entry.key->text);
    if (is_expression(service))
      use(service, r.place, Want::any);
    else if (service.is(Sort::scalar) && !service.is_null())
      string(service, false, r.place);
    else
      container_body(entry, "a service", keys);
  }
}

void StructureReader::snapshot(const Entry& e, const KeyRule& r) {
  static constexpr KeyRule keys[] = {{"image-name", &StructureReader::text, ""},
                                     {"version", &StructureReader::version_pattern, ""},
                                     {"if", &StructureReader::condition, "M"}};
  auto& node = real(*e.value);
  if (node.is(Sort::scalar)) {
    string(node, false, r.place);
    return;
  }
  if (!node.is(Sort::map)) return wrong(node, "snapshot must be a text or a mapping");
  auto entries = section(node, "snapshot", false, true);
  by_table(entries, "snapshot", keys);
  if (entry_of(entries, "image-name") == nullptr) wrong(*e.key, "snapshot has no 'image-name'");
}

void StructureReader::version_pattern(const Entry& e, const KeyRule& r) {
  auto* node = string(*e.value, false, r.place);
  if (node != nullptr && !node->text.empty() && !holds_expression(node->text)) check_reference_glob(lint_, *node);
}

void StructureReader::call_target(const Entry& e, const KeyRule& r) {
  current_job().uses = string(*e.value, false, r.place);
}

void StructureReader::call_with(const Entry& e, const KeyRule& r) {
  for (auto& entry : section(*e.value, "with", false, false)) {
    auto& value = real(*entry.value);
    if (!value.is(Sort::scalar)) {
      wrong(value, "a value of 'with' must be plain");
      continue;
    }
    use(value, r.place, is_expression(value) ? Want::any : Want::text);
    current_job().with.emplace_back(entry.key, &value);
  }
}

void StructureReader::call_with_secrets(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (node.is(Sort::scalar) && !node.is_null()) {
    if (node.text != "inherit") wrong(node, "secrets must be a mapping or 'inherit'");
    current_job().inherit_secrets = true;
    return;
  }
  for (auto& [key, value] : pairs(node, "secrets", r.place, false)) current_job().secrets.emplace_back(key, value);
}

}  // namespace slipway::ci
