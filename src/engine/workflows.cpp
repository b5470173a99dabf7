#include "engine/workflows.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "ci/front_end.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/render.h"

namespace slipway::engine {
namespace {

std::string stem(std::string_view file) {
  file = file.substr(file.rfind('/') + 1);
  return std::string(file.substr(0, file.rfind('.')));
}

doc::Value input_doc(const ci::Input& input) {
  doc::Map out{{"name", input.name}, {"type", input.type}, {"line", input.mark.line}, {"column", input.mark.column}};
  if (!input.description.empty()) out.set("description", input.description);
  if (input.required) out.set("required", true);
  if (!input.fallback.is(ci::Template::Sort::null)) out.set("default", input.fallback.literal_text());
  if (!input.options.empty()) out.set("options", doc::List(input.options.begin(), input.options.end()));
  return out;
}

doc::Value spec_of(const std::string& repository, const std::string& file, const std::string& commit,
                   const std::string& text) {
  doc::Map spec{{"repository", repository}, {"file", file}, {"name", stem(file)}, {"commit", commit}};
  auto workflow = ci::parse_workflow(text, file);
  if (!workflow) {
    spec.set("problem", workflow.error().what());
    return spec;
  }
  if (workflow->name && !workflow->name->text.empty()) spec.set("name", workflow->name->text);
  doc::List events, schedules, inputs;
  for (const auto& trigger : workflow->triggers) {
    events.emplace_back(trigger.event);
    for (const auto& [line, zone] : trigger.crons)
      schedules.emplace_back(doc::Map{{"cron", line}, {"timezone", zone.empty() ? "UTC" : zone}});
    if (trigger.event == "workflow_dispatch")
      for (const auto& input : trigger.inputs) inputs.push_back(input_doc(input));
  }
  spec.set("events", std::move(events));
  if (!schedules.empty()) spec.set("schedules", std::move(schedules));
  if (!inputs.empty()) spec.set("inputs", std::move(inputs));
  return spec;
}

Result<> put(const Ctx& ctx, House& house, const std::string& name, doc::Value spec, const std::string& repository) {
  TRY(auto recorded,
      record(ctx, *house.client, "Workflow", name, spec, {{"slipway.dev/repository", object_name(repository)}}));
  if (recorded.fresh || recorded.object["spec"].value() == spec) return {};
  auto changed =
      kube::modify(ctx, *house.client, kind("Workflow"), {home, name}, {}, [&](doc::Value& o) -> Result<bool> {
        o["spec"] = spec;
        return true;
      });
  return changed ? Result<>{} : Result<>(Fail(std::move(changed).error()));
}

}  // namespace

std::string workflow_object_name(const std::string& repository, const std::string& file) {
  return object_name(fmt::format("{}-{}", repository, stem(file)).substr(0, 50)) + "-" +
         sha256_hex(repository + "\n" + file).substr(0, 6);
}

Result<> keep_workflows(const Ctx& ctx, House& house, const std::string& name) {
  TRY(auto repository, house.git->repository(name));
  TRY(auto tip, repository.resolve("refs/heads/" + default_branch(repository)));
  std::set<std::string> kept;
  if (tip) {
    auto files = repository.list(*tip, ".github/workflows", false);
    for (const auto& entry : files ? *files : std::vector<git::TreeEntry>()) {
      auto file = ".github/workflows/" + entry.path.substr(entry.path.rfind('/') + 1);
      if (entry.is_tree() || !ci::is_pipeline_file(file)) continue;
      TRY(auto text, repository.blob(entry.id));
      auto object = workflow_object_name(name, file);
      kept.insert(object);
      // The commit that last touched it is not worth looking for; what it says is what counts.
      TRY_OK(put(ctx, house, object, spec_of(name, file, "", text), name));
    }
  }
  TRY(auto known, all(ctx, *house.client, "Workflow", "slipway.dev/repository=" + object_name(name)));
  for (const auto& object : known) {
    if (kept.contains(object.name()) || object["spec"]["repository"].text() != name) continue;
    auto gone = house.client->remove(ctx, kind("Workflow"), {home, object.name()}, {});
    if (!gone && !gone.error().is(Kind::not_found)) return gone;
  }
  return {};
}

Result<> keep_all_workflows(const Ctx& ctx, House& house) {
  TRY(auto names, house.git->list());
  for (const auto& name : names)
    if (auto kept = keep_workflows(ctx, house, name); !kept)
      LOG(warn, "ci.workflows_unknown", {"repository", name}, {"error", kept.error().what()});
  return {};
}

Result<> follow_default_branch(const Ctx& ctx, House& house, const std::string& change_name) {
  TRY(auto object, find(ctx, *house.client, "Change", change_name));
  if (!object || (*object)["spec"]["event"].text() != "push") return {};
  auto name = (*object)["spec"]["repository"].text();
  auto repository = house.git->repository(name);
  if (!repository) return {};
  auto branch = "refs/heads/" + default_branch(*repository);
  if ((*object)["spec"]["ref"].text() != branch) return {};
  // Of many Changes only the tip's says anything new.
  TRY(auto tip, repository->resolve(branch));
  if (!tip || *tip != (*object)["spec"]["after"].text()) return {};
  return keep_workflows(ctx, house, name);
}

Result<std::vector<std::string>> listeners(const Ctx& ctx, House& house, const std::string& repository,
                                           std::string_view event) {
  std::vector<std::string> files;
  TRY(auto known, all(ctx, *house.client, "Workflow", "slipway.dev/repository=" + object_name(repository)));
  for (const auto& object : known) {
    if (object["spec"]["repository"].text() != repository) continue;
    auto events = object["spec"]["events"].items();
    if (std::any_of(events.begin(), events.end(), [&](const auto& e) { return e.text() == event; }))
      files.push_back(object["spec"]["file"].text());
  }
  return files;
}

Result<> tell_listeners(const Ctx& ctx, House& house, const path::Change& change, const std::string& name) {
  TRY(auto files, listeners(ctx, house, change.repository, to_string(change.event)));
  if (files.empty()) return {};
  TRY(auto repository, house.git->repository(change.repository));
  auto tree = source_tree(repository, change.after, house.actions);
  for (const auto& file : files) {
    TRY(auto text, repository.read(change.after, file));
    if (!text) continue;
    auto start = ci::start_of(*text, file, change, {.default_branch = default_branch(repository)}, tree);
    if (start && !*start) continue;  // one that cannot be read becomes a failed run
    auto own = change;
    own.workflow = file;
    TRY_OK(record(ctx, *house.client, "Change", object_name(name + "-" + stem(file)), to_doc(own),
                  {{"slipway.dev/repository", object_name(change.repository)}}));
  }
  return {};
}

}  // namespace slipway::engine
