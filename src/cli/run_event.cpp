#include "cli/run_event.h"

#include <cstdlib>

#include "base/text.h"
#include "ci/gitlab.h"
#include "doc/json.h"
#include "doc/view.h"
#include "git/repository.h"

namespace slipway::cli {
namespace {

constexpr std::size_t max_payload = 25 << 20;

// owner/name of the remote "origin" as .git/config has it; "" without one.
std::string origin_of(const fs::path& git) {
  auto text = read_file(git / "config", 1 << 20).value_or("");
  bool origin = false;
  for (auto line : lines(text)) {
    line = trim(line);
    if (line.starts_with('[')) origin = line == "[remote \"origin\"]";
    auto pair = cut(line, "=");
    if (!origin || !pair || trim(pair->first) != "url") continue;
    std::string url(trim(pair->second));
    while (url.ends_with('/')) url.pop_back();
    if (url.ends_with(".git")) url.resize(url.size() - 4);
    auto words = split(url, '/');
    if (words.size() < 2) return {};
    auto owner = words[words.size() - 2];
    owner = owner.substr(owner.rfind(':') + 1);  // git@host:owner/name
    return owner.empty() ? std::string() : fmt::format("{}/{}", owner, words.back());
  }
  return {};
}

// Where the working tree stands.
void fill_from_git(ci::Event& event, const fs::path& source) {
  auto git = source / ".git";
  auto repository = git::Repository::open(git);
  if (!repository) return;
  if (auto name = origin_of(git); !name.empty()) {
    event.repository = name;
    event.owner = name.substr(0, name.find('/'));
  }
  if (auto head = repository->head(); head && head->starts_with("refs/")) event.ref = *head;
  auto commit = repository->resolve("HEAD");
  if (!commit || !*commit) return;
  event.sha = **commit;
  if (auto known = repository->commit(event.sha)) {
    event.subject = known->subject();
    if (!known->author.name.empty()) event.actor = known->author.name;
    if (!known->parents.empty()) event.before = known->parents[0];
  }
  for (std::string name : {"main", "master"})
    if (auto found = repository->resolve("refs/heads/" + name); found && *found) {
      event.default_branch = name;
      return;
    }
}

// What a forge sends decides over what the working tree says.
void fill_from_payload(ci::Event& event, doc::Value payload) {
  doc::View view(payload);
  auto take = [](std::string& to, const doc::View& from) {
    if (auto text = from.text(); !text.empty()) to = text;
  };
  take(event.action, view["action"]);
  take(event.repository, view["repository"]["full_name"]);
  event.owner = event.repository.substr(0, event.repository.find('/'));
  take(event.default_branch, view["repository"]["default_branch"]);
  take(event.actor, view["sender"]["login"]);
  if (auto request = view["pull_request"]; request.present()) {
    event.number = static_cast<int>(request["number"].num_or(view["number"].num_or(0)));
    take(event.head_ref, request["head"]["ref"]);
    take(event.base_ref, request["base"]["ref"]);
    take(event.base_sha, request["base"]["sha"]);
    take(event.sha, request["head"]["sha"]);
    take(event.subject, request["title"]);
    event.ref = fmt::format("refs/pull/{}/merge", event.number);
  } else {
    take(event.ref, view["ref"]);
    take(event.before, view["before"]);
    take(event.sha, view["after"]);
    take(event.subject, view["head_commit"]["message"]);
  }
  if (event.ref.find('/') == std::string::npos) event.ref = "refs/heads/" + event.ref;
  event.payload = std::move(payload);
}

Result<> fill_inputs(ci::Event& event, const std::map<std::string, std::string>& given, const std::string& text,
                     const std::string& file) {
  if (file == ci::gitlab_file) {
    if (given.empty()) return {};
    return fail(Kind::invalid, "{}: --input is for workflow_dispatch of a workflow; variables are given by --var",
                file);
  }
  TRY(auto workflow, ci::parse_workflow(text, file));
  TRY(event.inputs, ci::typed_inputs(workflow, event.name, given));
  return {};
}

}  // namespace

Result<std::map<std::string, std::string>> values_of(const std::vector<std::string>& given, const std::string& file,
                                                     std::string_view what) {
  std::map<std::string, std::string> out;
  if (!file.empty()) {
    TRY(auto text, read_file(file, 1 << 20));
    int number = 0;
    for (auto line : lines(text)) {
      ++number;
      line = trim(line);
      if (line.empty() || line.starts_with('#')) continue;
      if (line.starts_with("export ")) line = trim(line.substr(7));
      auto pair = cut(line, "=");
      if (!pair) return fail(Kind::invalid, "{}:{}: got \"{}\", want NAME=VALUE", file, number, line);
      auto value = trim(pair->second);
      if (value.size() > 1 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
        value = value.substr(1, value.size() - 2);
      out[std::string(trim(pair->first))] = value;
    }
  }
  for (auto& one : given) {
    if (auto pair = cut(one, "=")) {
      out[std::string(pair->first)] = pair->second;
      continue;
    }
    const char* value = std::getenv(one.c_str());
    if (!value)
      return Fail(Error(Kind::invalid, fmt::format("{} {}: is not in the environment", what, one))
                      .with_hint(fmt::format("{} {}=VALUE", what, one)));
    out[one] = value;
  }
  return out;
}

Result<ci::Event> event_of(const Arguments& arguments, const fs::path& source, const std::string& text,
                           const std::string& file) {
  ci::Event event;
  TRY(auto inputs, values_of(arguments.all("input"), "", "--input"));
  event.name = arguments.get("event", inputs.empty() ? "push" : "workflow_dispatch");
  fill_from_git(event, source);
  if (auto name = arguments.get("event-file"); !name.empty()) {
    TRY(auto payload_text, read_file(name, max_payload));
    TRY(auto payload, doc::parse_json(payload_text, name));
    if (!payload.if_map()) return fail(Kind::invalid, "{}:1:1: want an object: what the forge sends", name);
    fill_from_payload(event, std::move(payload));
  }
  if (!inputs.empty()) TRY_OK(fill_inputs(event, inputs, text, file));
  if (event.payload.is_null()) event.payload = ci::payload_of(event);
  return event;
}

}  // namespace slipway::cli
