#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "ci/front_end.h"
#include "engine/concurrency.h"
#include "engine/house.h"
#include "engine/notices.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/runs.h"

namespace slipway::engine {
namespace {

std::string stem(std::string_view file) {
  file = file.substr(file.rfind('/') + 1);
  if (file.starts_with('.')) file.remove_prefix(1);  // .gitlab-ci.yml
  return std::string(file.substr(0, file.rfind('.')));
}

// What earlier runs of the same workflow file tell: the number of the next, and the one that did the same work already
// (same commit, succeeded), whose artifacts are this one's.
struct Earlier {
  std::int64_t number = 1;
  std::string same;
};
Result<Earlier> earlier_runs(const Ctx& ctx, House& house, const path::Change& change, const std::string& file,
                             const std::string& own) {
  Earlier out;
  // A timer, a person and what follows from another run all mean "do it".
  using E = path::Change::Event;
  bool by_code = change.event == E::push || change.event == E::pull_request || change.event == E::tag;
  TRY(auto runs, all(ctx, *house.client, "WorkflowRun", "slipway.dev/repository=" + object_name(change.repository)));
  for (const auto& run : runs) {
    if (run["spec"]["workflow"].text() != file || run.name() == own) continue;
    out.number = std::max(out.number, run["spec"]["number"].num_or(0) + 1);
    bool same = run["spec"]["change"]["after"].text() == change.after;
    if (by_code && same && phase_of(run) == path::Phase::succeeded) out.same = run.name();
  }
  return out;
}

Result<> start_one(const Ctx& ctx, House& house, const std::string& change_name, const path::Change& change,
                   const std::string& file, const std::string& name, const std::optional<ci::Concurrency>& group) {
  auto run_name = object_name(change_name + "-" + stem(file));
  doc::Map spec{{"change", to_doc(change)}, {"workflow", file}, {"name", name}};
  kube::StringMap labels{{"slipway.dev/change", change_name},
                         {"slipway.dev/repository", object_name(change.repository)}};
  if (change.pull_request > 0)
    labels["slipway.dev/pull-request"] = object_name(fmt::format("{}-{}", change.repository, change.pull_request));
  if (group) {
    spec.set("concurrency", concurrency_doc(*group, ctx.clock->wall()));
    labels[std::string(concurrency_label)] = concurrency_group(change.repository, group->group);
  }
  TRY(auto earlier, earlier_runs(ctx, house, change, file, run_name));
  spec.set("number", earlier.number);
  if (!earlier.same.empty()) spec.set("reuse", earlier.same);
  auto recorded = record(ctx, *house.client, "WorkflowRun", run_name, std::move(spec), std::move(labels));
  return recorded ? Result<>{} : Result<>(Fail(std::move(recorded).error()));
}

// A workflow that cannot be read is a failed run that says where and why; it must not be passed over in silence.
Result<> record_broken(const Ctx& ctx, House& house, const std::string& change_name, const path::Change& change,
                       const std::string& file, const std::string& why) {
  auto run_name = object_name(change_name + "-" + stem(file));
  doc::Map spec{{"change", to_doc(change)}, {"workflow", file}, {"name", stem(file)}};
  kube::StringMap labels{{"slipway.dev/change", change_name},
                         {"slipway.dev/repository", object_name(change.repository)}};
  TRY_OK(record(ctx, *house.client, "WorkflowRun", run_name, std::move(spec), std::move(labels)));
  return set_status(ctx, *house.client, "WorkflowRun", run_name,
                    doc::Map{{"phase", "Failed"}, {"message", why}, {"finishedAt", rfc3339(ctx.clock->wall())}});
}

// Which file a person means by ci, ci.yml, its path or its `name:`.
Result<std::string> workflow_named(const git::Repository& repository, const std::string& commit,
                                   const std::vector<git::TreeEntry>& files, const std::string& asked) {
  std::vector<std::string> names;
  for (const auto& entry : files) {
    const auto& file = entry.path;
    if (entry.is_tree() || !ci::is_pipeline_file(file)) continue;
    if (file == asked || stem(file) == asked || file.substr(file.rfind('/') + 1) == asked) return file;
    names.push_back(stem(file));
  }
  for (const auto& entry : files) {
    if (entry.is_tree() || !ci::is_pipeline_file(entry.path)) continue;
    auto text = repository.read(commit, entry.path);
    auto workflow =
        text && *text ? ci::parse_workflow(**text, entry.path) : Result<ci::Workflow>(fail(Kind::not_found, "gone"));
    if (workflow && workflow->name && workflow->name->text == asked) return entry.path;
  }
  auto near = nearest(asked, names);
  auto hint = near            ? fmt::format("did you mean {}?", *near)
              : names.empty() ? std::string("the commit has no workflow files")
                              : "it has " + join(std::span<const std::string>(names), ", ");
  return Fail(
      Error(Kind::not_found, fmt::format("{} has no workflow {}", commit.substr(0, 12), asked)).with_hint(hint));
}

Result<std::vector<git::TreeEntry>> pipeline_files(const git::Repository& repository, const std::string& commit) {
  TRY(auto entries, repository.list(commit, {}, false));
  std::vector<git::TreeEntry> files;
  if (std::any_of(entries.begin(), entries.end(), [](const auto& e) { return e.path == ".github"; })) {
    auto listed = repository.list(commit, ".github/workflows", false);
    if (listed) files = *std::move(listed);
  }
  for (auto& entry : files) entry.path = ".github/workflows/" + entry.path.substr(entry.path.rfind('/') + 1);
  for (const auto& entry : entries)
    if (entry.path == ci::gitlab_file) files.push_back(entry);
  return files;
}

// What a person asked for by names: the commit of a branch or tag, a file, inputs that fit.
Result<> make_whole(House& house, path::Change& change) {
  auto found = house.git->repository(change.repository);
  if (!found) {
    TRY(auto names, house.git->list());
    auto near = nearest(change.repository, names);
    auto error = Error(Kind::not_found, fmt::format("there is no repository {}", change.repository));
    return Fail(near ? std::move(error).with_hint(fmt::format("did you mean {}?", *near)) : std::move(error));
  }
  auto& repository = *found;
  auto asked = change.ref.empty() ? default_branch(repository) : change.ref;
  change.ref.clear();
  for (auto prefix : {"", "refs/heads/", "refs/tags/"}) {
    auto ref = prefix + asked;
    if (!ref.starts_with("refs/heads/") && !ref.starts_with("refs/tags/")) continue;
    TRY(auto tip, repository.resolve(ref));
    if (!tip) continue;
    change.ref = ref, change.after = *tip;
    break;
  }
  if (change.ref.empty()) return fail(Kind::not_found, "{} has no branch or tag {}", change.repository, asked);
  TRY(auto commit, repository.commit(change.after));
  change.after = commit.id, change.tree = commit.tree, change.subject = commit.subject();
  if (change.event != path::Change::Event::manual) return {};
  TRY(auto files, pipeline_files(repository, change.after));
  TRY(change.workflow, workflow_named(repository, change.after, files, change.workflow));
  if (change.workflow == ci::gitlab_file) return {};
  TRY(auto text, repository.read(change.after, change.workflow));
  TRY(auto workflow, ci::parse_workflow(text.value_or(""), change.workflow));
  if (!workflow.trigger("workflow_dispatch"))
    return Fail(Error(Kind::invalid, fmt::format("{} of {} is not started by hand", change.workflow, asked))
                    .with_hint("add workflow_dispatch to its `on:`"));
  auto event = ci::event_from(change, {.default_branch = default_branch(repository)});
  return ci::type_inputs(workflow, event);
}

// Refused, with the reason where people look for it; or whole, and on disk so.
Result<bool> take_request(const Ctx& ctx, House& house, const std::string& change_name, path::Change& change) {
  if (auto whole = make_whole(house, change); !whole) {
    if (whole.error().retryable() || whole.error().is(Kind::cancelled)) return Fail(std::move(whole).error());
    TRY_OK(set_status(ctx, *house.client, "Change", change_name,
                      doc::Map{{"phase", "Refused"}, {"message", whole.error().print()}}));
    return false;
  }
  TRY_OK(kube::modify(ctx, *house.client, kind("Change"), {home, change_name}, {}, [&](doc::Value& o) -> Result<bool> {
    o["spec"] = to_doc(change);
    o["metadata"]["labels"]["slipway.dev/repository"] = object_name(change.repository);
    return true;
  }));
  return true;
}

}  // namespace

Result<> start_runs(const Ctx& ctx, House& house, const std::string& change_name) {
  TRY(auto object, find(ctx, *house.client, "Change", change_name));
  if (!object) return {};
  if (auto phase = (*object)["status"]["phase"].text(); phase == "Started" || phase == "Refused") return {};
  TRY(auto change, path::change_from((*object)["spec"]));
  if (change.after.empty()) {
    TRY(auto taken, take_request(ctx, house, change_name, change));
    if (!taken) return {};
  }
  TRY(auto repository, house.git->repository(change.repository));
  TRY(auto files, pipeline_files(repository, change.after));
  auto tree = source_tree(repository, change.after, house.actions);
  ci::EventOptions options{.default_branch = default_branch(repository)};
  doc::List started;
  for (const auto& entry : files) {
    const auto& file = entry.path;
    if (entry.is_tree() || !ci::is_pipeline_file(file)) continue;
    if (!change.workflow.empty() && file != change.workflow) continue;
    TRY(auto text, repository.blob(entry.id));
    auto start = ci::start_of(text, file, change, options, tree);
    auto run_name = object_name(change_name + "-" + stem(file));
    if (!start) {
      TRY_OK(record_broken(ctx, house, change_name, change, file, start.error().what()));
      started.emplace_back(run_name);
      continue;
    }
    if (!*start) continue;
    auto name = (*start)->name.empty() ? stem(file) : (*start)->name;
    TRY_OK(start_one(ctx, house, change_name, change, file, name, (*start)->concurrency));
    started.emplace_back(run_name);
  }
  auto count = static_cast<std::int64_t>(started.size());
  LOG(info, "ci.started", {"change", change_name}, {"runs", count});
  return set_status(ctx, *house.client, "Change", change_name,
                    doc::Map{{"phase", "Started"}, {"runs", count}, {"runNames", std::move(started)}});
}

}  // namespace slipway::engine
