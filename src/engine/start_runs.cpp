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

// The run that did the same work already: same commit, same workflow file, succeeded. Its artifacts are this one's.
Result<std::optional<kube::Object>> done_before(const Ctx& ctx, House& house, const path::Change& change,
                                                const std::string& file, const std::string& own) {
  TRY(auto runs, all(ctx, *house.client, "WorkflowRun", "slipway.dev/repository=" + object_name(change.repository)));
  for (const auto& run : runs) {
    bool same = run["spec"]["change"]["after"].text() == change.after && run["spec"]["workflow"].text() == file;
    if (same && run.name() != own && phase_of(run) == path::Phase::succeeded) return std::optional(run);
  }
  return std::optional<kube::Object>();
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
  TRY(auto before, done_before(ctx, house, change, file, run_name));
  if (before) spec.set("reuse", before->name());
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

}  // namespace

Result<> start_runs(const Ctx& ctx, House& house, const std::string& change_name) {
  TRY(auto object, find(ctx, *house.client, "Change", change_name));
  if (!object || (*object)["status"]["phase"].text() == "Started") return {};
  TRY(auto change, path::change_from((*object)["spec"]));
  TRY(auto repository, house.git->repository(change.repository));
  TRY(auto entries, repository.list(change.after, {}, false));
  bool has_folder = std::any_of(entries.begin(), entries.end(), [](const auto& e) { return e.path == ".github"; });
  std::size_t started = 0;
  std::vector<git::TreeEntry> files;
  if (has_folder) {
    auto listed = repository.list(change.after, ".github/workflows", false);
    if (listed) files = *std::move(listed);
  }
  for (auto& entry : files) entry.path = ".github/workflows/" + entry.path.substr(entry.path.rfind('/') + 1);
  for (const auto& entry : entries)
    if (entry.path == ci::gitlab_file) files.push_back(entry);
  auto tree = source_tree(repository, change.after);
  ci::EventOptions options{.default_branch = default_branch(repository)};
  for (const auto& entry : files) {
    const auto& file = entry.path;
    if (entry.is_tree() || !ci::is_pipeline_file(file)) continue;
    TRY(auto text, repository.blob(entry.id));
    auto start = ci::start_of(text, file, change, options, tree);
    if (!start) {
      TRY_OK(record_broken(ctx, house, change_name, change, file, start.error().what()));
      ++started;
      continue;
    }
    if (!*start) continue;
    auto name = (*start)->name.empty() ? stem(file) : (*start)->name;
    TRY_OK(start_one(ctx, house, change_name, change, file, name, (*start)->concurrency));
    ++started;
  }
  LOG(info, "ci.started", {"change", change_name}, {"runs", started});
  return set_status(ctx, *house.client, "Change", change_name,
                    doc::Map{{"phase", "Started"}, {"runs", static_cast<std::int64_t>(started)}});
}

}  // namespace slipway::engine
