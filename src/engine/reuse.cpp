#include "engine/reuse.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::engine {
namespace {

// Lower case. As expressions, and as the variables that steps see.
constexpr std::array asks_for_the_event{"github.ref",      "github.event",
                                        "github.head_ref", "github.base_ref",
                                        "github.actor",    "github.triggering_actor",
                                        "github.run_",     "github.workflow_ref",
                                        "github[",         "(github)",
                                        "github_ref",      "github_event",
                                        "github_head_ref", "github_base_ref",
                                        "github_actor",    "github_triggering_actor",
                                        "github_run_",     "inputs."};

bool asks(const doc::Value& value, bool same_secrets) {
  auto text = lower(doc::print_json(value));
  if (!same_secrets && text.contains("secrets.")) return true;
  return std::any_of(asks_for_the_event.begin(), asks_for_the_event.end(),
                     [&](const char* word) { return text.contains(word); });
}

// Actions that read the commit and their inputs, nothing else.
bool plain_action(std::string_view uses) {
  static constexpr std::array known{"actions/checkout@",
                                    "actions/setup-",
                                    "actions/cache",
                                    "actions/upload-artifact@",
                                    "actions/download-artifact@",
                                    "docker/build-push-action@",
                                    "docker/setup-",
                                    "docker/login-action@",
                                    "slipway/"};
  return std::any_of(known.begin(), known.end(), [&](const char* name) { return uses.starts_with(name); });
}

bool stands_alone(doc::View job, bool same_secrets) {
  if (job["uses"].exists()) return false;         // what it calls may ask
  if (job["environment"].exists()) return false;  // a deployment is asked for each time
  auto document = job.value();
  document.map().erase("concurrency");
  if (asks(document, same_secrets)) return false;
  auto steps = job["steps"].items();
  return std::all_of(steps.begin(), steps.end(),
                     [](doc::View step) { return !step["uses"].exists() || plain_action(step["uses"].text()); });
}

}  // namespace

std::set<std::string> jobs_of_the_commit_alone(std::string_view workflow, bool same_secrets) {
  std::set<std::string> alone;
  auto parsed = doc::parse_yaml(workflow, {.dialect = doc::Dialect::actions});
  if (!parsed || !parsed->is_map()) return alone;
  doc::View root(*parsed);
  for (const auto* shared : {"env", "defaults"})
    if (asks(root[shared].value(), same_secrets)) return alone;
  auto jobs = root["jobs"].members();
  for (const auto& [id, job] : jobs)
    if (stands_alone(job, same_secrets)) alone.insert(id);
  // Who needs a job that is decided anew is so too.
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [id, job] : jobs) {
      auto needs = job["needs"].items();
      bool moved =
          job["needs"].value().is_string()
              ? !alone.contains(job["needs"].text())
              : std::any_of(needs.begin(), needs.end(), [&](doc::View need) { return !alone.contains(need.text()); });
      if (moved) changed = alone.erase(id) > 0 || changed;
    }
  }
  return alone;
}

}  // namespace slipway::engine
