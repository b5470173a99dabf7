// Argo CD's objects as anybody may write them: an Application is read or refused, its status comes back from its own
// print, windows and rules of a project are read or refused.
#include "doc/yaml.h"
#include "gitops/front.h"
#include "gitops/project.h"
#include "gitops/roles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::gitops;
  auto input = doc::parse_yaml({reinterpret_cast<const char*>(data), size}, {.max_nodes = 2'000});
  if (!input || !input->is_map()) return 0;
  kube::Object object{*std::move(input)};
  auto app = application_from(object);
  auto now = WallTime(std::chrono::seconds(1'790'000'000));
  for (const auto& view : object["spec"]["syncWindows"].items()) {
    auto window = window_from(view);
    if (!window) continue;
    (void)is_open(*window, now);
    if (app) (void)window->concerns(*app);
  }
  // What a project allows it allows by its roles, whole or not at all.
  (void)check_roles(object);
  std::vector<std::string> groups{"people", fmt::format("proj:{}:r", object.name())};
  (void)role_allows(object, groups, {"applications", "sync", object.name() + "/web"});
  SLP_ASSERT(!role_allows(object, {}, {"applications", "sync", object.name() + "/web"}));
  if (auto budget = DeleteBudget::parse(object.annotation(delete_budget_annotation)); budget && !budget->present())
    SLP_ASSERT(budget->refusal(1'000'000, 1'000'000, "objects").empty());
  std::vector<std::string> warnings;
  auto tasks = tasks_of({object.value()}, {}, warnings);
  for (auto phase : {SyncPhase::pre_delete, SyncPhase::post_delete}) (void)deletion_steps(tasks, phase);
  (void)steps_of(tasks);

  auto status = status_from(object);
  auto printed = to_doc(status, object, "2026-01-01T00:00:00Z");
  auto again = status_from(kube::Object(doc::Map{{"status", printed}}));
  SLP_ASSERT(again.inventory == status.inventory && again.revisions == status.revisions);
  SLP_ASSERT(again.deletion.results.size() == (status.deletion.phase.empty() ? 0 : status.deletion.results.size()));
  return 0;
}
