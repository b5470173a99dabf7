#include <algorithm>

#include "base/text.h"
#include "engine/config_repository.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/verification.h"
#include "gitops/application.h"
#include "promote/promote.h"

namespace slipway::engine {
namespace {

const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

// Of one source, or of several.
std::vector<std::string> revisions_in(doc::View view) {
  std::vector<std::string> revisions;
  for (const auto& one : view["revisions"].items()) revisions.push_back(one.text());
  if (auto one = view["revision"].text(); !one.empty()) revisions.push_back(one);
  return revisions;
}

class Applied {
 public:
  Applied(const Lead& lead, const kube::Object& release, const kube::Object& application)
      : lead_(lead), release_(release), application_(application) {}

  Result<Seen> look(const Ctx& ctx, House& house) {
    TRY(auto repository, config_repository(ctx, house, lead_.pipeline));
    auto status = application_["status"];
    auto sync = status["sync"];
    bool there = sync["status"].text() == "Synced" && says(repository, sync);
    if (there) {
      auto health = status["health"]["status"].text(), why = status["health"]["message"].text();
      if (health == "Healthy") return Seen{Seen::State::healthy, ""};
      auto seen = coming("is " + (health.empty() ? "of no health yet" : health) + (why.empty() ? "" : ": " + why));
      seen.at_commit = true;
      return seen;
    }
    if (auto failed = failure(repository)) return *failed;
    for (const auto& condition : status["conditions"].items())
      if (condition["type"].text().ends_with("Error") || condition["type"].text() == "SyncWindowWarning")
        return coming(fmt::format("{}: {}", condition["type"].text(), condition["message"].text()));
    auto at = revisions_in(sync);
    if (!at.empty() && !says(repository, sync))
      return coming(fmt::format("is at {}, not at {} yet", at.front().substr(0, 12),
                                release_["spec"]["commit"].text().substr(0, 12)));
    auto operation = status["operationState"];
    if (operation["phase"].text() == "Running") return coming("is being synced: " + operation["message"].text());
    return coming("is " + sync["status"].str_or("not looked at yet"));
  }

 private:
  Seen coming(const std::string& why) const {
    return {Seen::State::coming, fmt::format("Application {} {}", application_.name(), why)};
  }

  // One of these revisions is the Release's commit, or one after it that says the same image still.
  bool says(const git::Repository& repository, doc::View revisions) const {
    auto commit = release_["spec"]["commit"].text();
    auto all = revisions_in(revisions);
    return std::any_of(all.begin(), all.end(), [&](const std::string& revision) {
      if (revision == commit) return true;
      auto after = repository.is_ancestor(commit, revision);
      if (!after || !*after) return false;
      auto said = promote::image_at(repository, revision, lead_.environment.path, release_["spec"]["image"].text());
      return said && *said && (*said)->digest.str() == release_["spec"]["digest"].text();
    });
  }

  // Of the sync that should have brought it.
  std::optional<Seen> failure(const git::Repository& repository) const {
    auto state = application_["status"]["operationState"];
    auto phase = state["phase"].text();
    auto asked = state["operation"]["sync"];
    bool whole = !asked["dryRun"].bool_or(false) && asked["resources"].items().empty();
    if ((phase != "Failed" && phase != "Error") || !whole || !says(repository, state["syncResult"]))
      return std::nullopt;
    auto why = fmt::format("sync failed: {}", state["message"].text());
    auto limit = tries(state["operation"]["retry"]), done = state["retryCount"].num_or(0);
    if (limit >= 0 && done >= limit)
      return Seen{Seen::State::failed, fmt::format("Application {}: {}", application_.name(), why)};
    return coming(
        fmt::format("{} (tried again, {} of {})", why, done + 1, limit < 0 ? "any number" : std::to_string(limit)));
  }

  // How often a failed sync is tried again, -1 for ever: a person's request may bring its own rule, an automatic one
  // has the Application's, any other none.
  std::int64_t tries(doc::View own) const {
    if (own.present()) {
      auto retry = gitops::retry_from(own);
      return retry ? retry->limit : 0;
    }
    auto app = gitops::application_from(application_);
    return app && app->automated ? app->retry.limit : 0;
  }

  const Lead& lead_;
  const kube::Object& release_;
  const kube::Object& application_;
};

}  // namespace

Result<Seen> look_at_application(const Ctx& ctx, House& house, const Lead& lead, const kube::Object& release) {
  const auto& name = lead.environment.application;
  if (name.empty()) return Seen{Seen::State::healthy, ""};
  TRY(auto application, house.client->get(ctx, application_type, {std::string(gitops::home_namespace), name}));
  if (!application) return Seen{Seen::State::coming, fmt::format("there is no Application {}", name)};
  return Applied(lead, release, *application).look(ctx, house);
}

}  // namespace slipway::engine
