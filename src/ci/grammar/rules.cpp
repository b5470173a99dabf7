#include "ci/detail/rules.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

// What expressions may name, by place. "+x" includes the set x.
constexpr std::string_view context_text = R"(
W    github inputs vars
WS   +W secrets
N    +W needs
M    +N strategy matrix
MS   +M secrets
MSV  +MS env
RN   +M steps job runner env
R    +RN secrets
S    +R hashFiles(1,255)
IFJ  +N always(0,0) failure(0,255) cancelled(0,0) success(0,255)
IFS  +RN always(0,0) failure(0,0) cancelled(0,0) success(0,0) hashFiles(1,255)
CRED +W secrets env
JD   +M env
OUT  +W jobs
COMP github inputs strategy matrix steps job runner env hashFiles(1,255)
CIF  +COMP always(0,0) failure(0,0) cancelled(0,0) success(0,0)
AIN  github strategy matrix steps job runner env hashFiles(1,255)
AOUT github strategy matrix steps inputs job runner env
AARG inputs
)";

// Events: name, then what the mapping may hold; "-" for events that take nothing.
constexpr std::string_view event_text = R"(
branch_protection_rule      types=created,edited,deleted
check_run                   types=completed,created,rerequested,requested_action
check_suite                 types=completed
create -
delete -
deployment -
deployment_status -
discussion                  types=created,edited,deleted,transferred,pinned,unpinned,labeled,unlabeled,locked,unlocked,category_changed,answered,unanswered
discussion_comment          types=created,edited,deleted
fork -
gollum -
image_version               types=created,ready,deleted names versions
issue_comment               types=created,edited,deleted
issues                      types=opened,edited,deleted,transferred,pinned,unpinned,closed,reopened,assigned,unassigned,labeled,unlabeled,locked,unlocked,milestoned,demilestoned,field_added,field_removed,typed,untyped
label                       types=created,edited,deleted
merge_group                 types=checks_requested branches
milestone                   types=created,closed,opened,edited,deleted
page_build -
project                     types=created,closed,reopened,edited,deleted
project_card                types=created,moved,converted,edited,deleted
project_column              types=created,updated,moved,deleted
public -
pull_request                types=assigned,unassigned,labeled,unlabeled,opened,edited,closed,reopened,synchronize,converted_to_draft,locked,unlocked,enqueued,dequeued,milestoned,demilestoned,ready_for_review,review_requested,review_request_removed,auto_merge_enabled,auto_merge_disabled,stacked branches paths
pull_request_comment        types=created,edited,deleted
pull_request_review         types=submitted,edited,dismissed
pull_request_review_comment types=created,edited,deleted
pull_request_target         types=assigned,unassigned,labeled,unlabeled,opened,edited,closed,reopened,synchronize,converted_to_draft,locked,unlocked,enqueued,dequeued,milestoned,demilestoned,ready_for_review,review_requested,review_request_removed,auto_merge_enabled,auto_merge_disabled,stacked branches paths
push                        branches tags paths
registry_package            types=published,updated
release                     types=published,unpublished,created,edited,deleted,prereleased,released
repository_dispatch         :dispatch-types
schedule                    :schedule
status -
watch                       types=started
workflow_call               :call
workflow_dispatch           :dispatch
workflow_run                types=requested,completed,in_progress workflows branches
)";

// name = what it may be. text, text! (not empty), bool, num, null, any, 'constant', [item], {key: rule, key!:
// required, *: any other key}, or the name of another rule; rule@SET changes what expressions may name.
constexpr std::string_view rule_text = R"(
workflow        = {on!: on, name: text, description: text, run-name: text@W, defaults: defaults, env: env@WS, permissions: permissions, concurrency: wf-concurrency@W, jobs!: jobs}
workflow-called = {on: on-loose, name: text, description: text, run-name: text@W, defaults: defaults, env: env@WS, permissions: permissions, concurrency: wf-concurrency@W, jobs!: jobs}
on-loose        = text | [any] | {workflow_call: event-workflow_call, *: any}
env             = {*: text}
list            = [text!]
one-or-list     = text! | list
dispatch-types  = null | {types: list}
schedule        = [cron]
cron            = {cron!: text!, timezone: text}
call            = null | {inputs: call-inputs, secrets: call-secrets, outputs: call-outputs}
call-inputs     = {*: call-input}
call-input      = {description: text, type!: call-type, required: bool, default: scalar@W}
call-type       = 'string' | 'boolean' | 'number'
call-secrets    = {*: call-secret}
call-secret     = null | {description: text, required: bool}
call-outputs    = {*: call-output}
call-output     = {description: text, value!: text@OUT}
dispatch        = null | {inputs: dispatch-inputs, *: any}
dispatch-inputs = null | {*: dispatch-input}
dispatch-input  = null | {description: text, type: dispatch-type, required: bool, default: scalar, deprecationMessage: text, options: strings}
strings         = [text]
dispatch-type   = 'string' | 'boolean' | 'number' | 'environment' | 'choice'
scalar          = text | bool | num
permissions     = 'read-all' | 'write-all' | {actions: level, artifact-metadata: level, attestations: level, checks: level, code-quality: level, contents: level, copilot-requests: write-or-none, deployments: level, discussions: level, drives: level, id-token: write-or-none, issues: level, models: read-or-none, packages: level, pages: level, pull-requests: level, repository-projects: level, security-events: level, statuses: level, vulnerability-alerts: level}
level           = 'read' | 'write' | 'none'
write-or-none   = 'write' | 'none'
read-or-none    = 'read' | 'none'
defaults        = {run: run-defaults}
run-defaults    = {shell: text!, working-directory: text!}
jobs            = {*: job}
job             = plain-job | calling-job
plain-job       = {needs: needs, if: text@IFJ, strategy: strategy@N, name: text@M, runs-on!: runs-on@M, timeout-minutes: num@M, cancel-timeout-minutes: num@M, continue-on-error: bool@M, container: container@M, services: services@M, env: env@MS, environment: environment@M, permissions: permissions, concurrency: job-concurrency@M, outputs: env@R, defaults: job-defaults, steps: steps, snapshot: snapshot}
calling-job     = {name: text@M, uses!: text!, with: call-with, secrets: call-with-secrets, needs: needs, if: text@IFJ, permissions: permissions, concurrency: job-concurrency@M, strategy: strategy@N}
call-with       = {*: scalar@M}
call-with-secrets = {*: scalar@MS} | 'inherit'
needs           = list | text!
strategy        = {fail-fast: bool, max-parallel: num, matrix: matrix}
matrix          = {include: matrix-rows, exclude: matrix-rows, *: anys}
anys            = [any]
matrix-rows     = [matrix-row]
matrix-row      = {*: any}
snapshot        = text! | {image-name!: text!, if: text@M, version: text!}
runs-on         = text! | list | {group: text!, labels: one-or-list}
wf-concurrency  = text | concurrency
job-concurrency = text! | concurrency
concurrency     = {group!: text!, cancel-in-progress: bool, queue: queue}
queue           = 'single' | 'max'
environment     = text | {name!: text@M, url: text@RN, deployment: bool}
job-defaults    = {run: run-defaults@JD}
container       = text | {image: text!, options: text, env: env@R, ports: list, volumes: list, credentials: credentials@CRED}
services        = {*: service@M}
service         = text! | {image: text!, options: text, env: env@R, ports: list, volumes: list, credentials: credentials@CRED, entrypoint: text, command: text}
credentials     = {username: text!, password: text!}
steps           = [step]
step            = run-step | uses-step | {name: text@S, id: text!, continue-on-error: bool@S, wait!: one-or-list} | {name: text@S, id: text!, continue-on-error: bool@S, wait-all!: null-or-bool} | {name: text@S, id: text!, continue-on-error: bool@S, cancel!: text!} | {parallel!: steps}
run-step        = {name: text@S, id: text!, if: text@IFS, timeout-minutes: num@S, run!: text@S, continue-on-error: bool@S, env: env@S, working-directory: text@S, shell: text!@S, background: bool}
uses-step       = {name: text@S, id: text!, if: text@IFS, continue-on-error: bool@S, timeout-minutes: num@S, uses!: text!, with: env@S, env: env@S, background: bool}
null-or-bool    = null | bool

action          = {name: text, description: text, author: text, inputs: action-inputs, outputs: action-outputs, runs!: runs, branding: any}
action-inputs   = {*: action-input}
action-input    = null | {description: text, required: scalar, default: text@AIN, deprecationMessage: text, type: text, options: strings}
action-outputs  = {*: action-output}
action-output   = null | {description: text, value: text@AOUT}
runs            = runs-composite | runs-node | runs-docker
runs-composite  = {using!: text!, steps!: composite-steps}
runs-node       = {using!: text!, main!: text!, pre: text!, pre-if: text, post: text!, post-if: text}
runs-docker     = {using!: text!, image!: text!, args: args@AARG, env: env@AARG, entrypoint: text!, pre-entrypoint: text!, pre-if: text, post-entrypoint: text!, post-if: text}
args            = [text]
composite-steps = [composite-step]
composite-step  = {name: text@COMP, id: text!, if: text@CIF, run!: text@COMP, env: env@COMP, continue-on-error: bool@COMP, working-directory: text@COMP, shell!: text!@COMP} | {name: text@COMP, id: text!, if: text@CIF, uses!: text!, continue-on-error: bool@COMP, with: env@COMP, env: env@COMP}
)";

class Table {
 public:
  Table() {
    load_contexts();
    for (auto name : {"text", "text!", "bool", "num", "null", "any"}) rules_[name].name = name;
    rules_["text"].text = Rule::Text::any;
    rules_["text!"].text = Rule::Text::non_empty;
    rules_["bool"].boolean = rules_["num"].number = rules_["null"].null = true;
    auto& any = rules_["any"];
    any.text = Rule::Text::any, any.boolean = any.number = any.null = true;
    any.item = RuleRef{&any};
    any.maps.push_back({{}, RuleRef{&any}});
    load_rules();
    load_events();
  }

  RuleRef find(std::string_view name) {
    auto at = name.find('@');
    const Vocabulary* words = at == std::string_view::npos ? nullptr : &contexts_.at(std::string(name.substr(at + 1)));
    return {&rule(name.substr(0, at)), words};
  }
  const Vocabulary& words(const std::string& set) const { return contexts_.at(set); }

 private:
  void load_contexts() {
    for (auto line : lines(context_text)) {
      auto words = split(trim(line), ' ');
      if (words[0].empty()) continue;
      Vocabulary set;
      for (auto word : std::span(words).subspan(1)) {
        if (word.empty()) continue;
        if (word[0] == '+') {
          auto& other = contexts_.at(std::string(word.substr(1)));
          set.names.insert(set.names.end(), other.names.begin(), other.names.end());
          set.functions.insert(set.functions.end(), other.functions.begin(), other.functions.end());
        } else if (auto paren = word.find('('); paren != std::string_view::npos) {
          auto limits = cut(word.substr(paren + 1, word.size() - paren - 2), ",");
          set.functions.push_back({std::string(word.substr(0, paren)), static_cast<std::size_t>(*to_int(limits->first)),
                                   static_cast<std::size_t>(*to_int(limits->second))});
        } else {
          set.names.emplace_back(word);
        }
      }
      contexts_[std::string(words[0])] = std::move(set);
    }
  }

  // Rules are made on first mention and filled when their line is read; a rule that names another as an
  // alternative copies it, so alternatives must be filled first: done on demand by name.
  void load_rules() {
    for (auto line : lines(rule_text)) {
      auto parts = cut(line, " = ");
      if (parts) texts_[std::string(trim(parts->first))] = trim(parts->second);
    }
  }

  Rule& rule(std::string_view name) {
    std::string key(name);
    if (auto found = rules_.find(key); found != rules_.end()) return found->second;
    Rule& made = rules_[key];
    made.name = key;
    if (key == "on")
      load_events();
    else if (auto text = texts_.find(key); text != texts_.end())
      fill(made, text->second);
    else if (key.starts_with("event-"))
      load_events();
    else
      SLP_ASSERT(!"a rule of the grammar names one that is not there");
    return made;
  }

  // Splits at a separator that stands outside of braces and brackets.
  static std::vector<std::string_view> split_outside(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    int depth = 0;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (i == text.size() || (depth == 0 && text[i] == separator)) {
        out.push_back(trim(text.substr(start, i - start)));
        start = i + 1;
      } else if (text[i] == '{' || text[i] == '[') {
        ++depth;
      } else if (text[i] == '}' || text[i] == ']') {
        --depth;
      }
    }
    return out;
  }

  void fill(Rule& out, std::string_view text) {
    for (auto alternative : split_outside(text, '|')) {
      if (alternative[0] == '\'')
        out.constants.emplace_back(alternative.substr(1, alternative.size() - 2));
      else if (alternative[0] == '[')
        out.item = find(alternative.substr(1, alternative.size() - 2));
      else if (alternative[0] == '{')
        out.maps.push_back(map(alternative.substr(1, alternative.size() - 2)));
      else
        absorb(out, rule(alternative));
    }
  }

  static void absorb(Rule& out, const Rule& other) {
    out.null |= other.null, out.boolean |= other.boolean, out.number |= other.number;
    if (other.text != Rule::Text::no) out.text = other.text;
    out.constants.insert(out.constants.end(), other.constants.begin(), other.constants.end());
    if (other.item) out.item = other.item;
    out.maps.insert(out.maps.end(), other.maps.begin(), other.maps.end());
  }

  MapRule map(std::string_view text) {
    MapRule out;
    for (auto entry : split_outside(text, ',')) {
      auto parts = cut(entry, ": ");
      SLP_ASSERT(parts.has_value());
      auto [key, value] = *parts;
      bool required = key.ends_with('!');
      if (key == "*")
        out.loose = find(trim(value));
      else
        out.properties.push_back(
            {std::string(required ? key.substr(0, key.size() - 1) : key), find(trim(value)), required});
    }
    return out;
  }

  void load_events() {
    if (events_loaded_) return;
    events_loaded_ = true;
    Rule& on = rules_["on"];
    Rule& name = rules_["event-name"];
    on.name = "on", name.name = "event-name";
    MapRule mapping;
    for (auto line : lines(event_text)) {
      auto words = split(trim(line), ' ');
      std::erase(words, "");
      if (words.empty()) continue;
      std::string event(words[0]);
      name.constants.push_back(event);
      Rule& settings = rules_["event-" + event];
      settings.name = "event-" + event;
      if (words[1][0] == ':') {
        absorb(settings, rule(words[1].substr(1)));
      } else {
        settings.null = true;
        if (words[1] != "-") settings.maps.push_back(event_map(event, std::span(words).subspan(1)));
      }
      mapping.properties.push_back({event, RuleRef{&settings}, false});
    }
    on.constants = name.constants;
    on.item = RuleRef{&name};
    on.maps.push_back(std::move(mapping));
  }

  MapRule event_map(const std::string& event, std::span<const std::string_view> words) {
    MapRule out;
    for (auto word : words) {
      if (word.starts_with("types=")) {
        Rule& type = rules_["type-" + event];
        for (auto constant : split(word.substr(6), ',')) type.constants.emplace_back(constant);
        Rule& types = rules_["types-" + event];
        types.constants = type.constants;
        types.item = RuleRef{&type};
        out.properties.push_back({"types", RuleRef{&types}, false});
      } else {
        out.properties.push_back({std::string(word), find("one-or-list"), false});
        if (word == "branches" || word == "tags" || word == "paths")
          out.properties.push_back({std::string(word) + "-ignore", find("one-or-list"), false});
      }
    }
    return out;
  }

  std::map<std::string, Vocabulary> contexts_;
  std::map<std::string, Rule> rules_;  // nodes stay where they are
  std::map<std::string, std::string_view> texts_;
  bool events_loaded_ = false;
};

// Building looks rules up by name; afterwards the table is only read.
Table& table() {
  static Table* built = [] {
    auto* made = new Table;
    for (auto name : {"workflow", "workflow-called", "action"}) made->find(name);
    return made;
  }();
  return *built;
}

}  // namespace

const MapRule::Property* MapRule::find(std::string_view name) const {
  for (auto& property : properties)
    if (property.name == name) return &property;
  return nullptr;
}

RuleRef find_rule(std::string_view name) {
  static const RuleRef workflow = table().find("workflow"), called = table().find("workflow-called"),
                       action = table().find("action");
  return name == "workflow" ? workflow : name == "action" ? action : called;
}

const Vocabulary& condition_words(bool step) {
  static const Vocabulary &for_step = table().words("IFS"), &for_job = table().words("IFJ");
  return step ? for_step : for_job;
}

const Vocabulary& words_of(std::string_view set) {
  static const Vocabulary none;
  return set.empty() ? none : table().words(std::string(set));
}

std::optional<std::vector<std::string>> event_types(std::string_view event) {
  for (auto line : lines(event_text)) {
    auto words = split(trim(line), ' ');
    std::erase(words, "");
    if (words.empty() || words[0] != event) continue;
    std::vector<std::string> types;
    for (auto word : words)
      if (word.starts_with("types="))
        for (auto type : split(word.substr(6), ',')) types.emplace_back(type);
    return types;
  }
  return {};
}

std::vector<std::string> event_names() {
  std::vector<std::string> out;
  for (auto line : lines(event_text))
    if (auto name = trim(line); !name.empty()) out.emplace_back(name.substr(0, name.find(' ')));
  return out;
}

const Vocabulary& full_vocabulary() {
  static const Vocabulary all = [] {
    Vocabulary v = condition_words(true);
    v.names.insert(v.names.end(), {"secrets", "jobs", "needs"});
    for (auto& f : v.functions) f.max = 255;
    return v;
  }();
  return all;
}

}  // namespace slipway::ci
