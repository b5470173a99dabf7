// promote history: what was promoted where, from the commits of the configuration repository alone.
#include <set>

#include "base/text.h"
#include "cli/app_objects.h"
#include "cli/by_hand.h"
#include "promote/history.h"

namespace slipway::cli {
namespace {

struct Place {
  std::string repository, branch;
  auto operator<=>(const Place&) const = default;
};

// Those that are named, else those of the Pipelines.
Result<std::set<Place>> places_of(const Ctx& ctx, const Arguments& arguments) {
  if (arguments.has("repository")) return std::set<Place>{{arguments.get("repository"), arguments.get("branch")}};
  TRY(auto client, connect(ctx, arguments));
  TRY(auto list, pipelines(ctx, *client));
  std::set<Place> places;
  for (const auto& pipeline : list)
    places.insert({pipeline.config_repository, arguments.get("branch", pipeline.branch)});
  if (places.empty())
    return Fail(Error(Kind::not_found, "there is no Pipeline that names a configuration repository")
                    .with_hint("--repository names one"));
  return places;
}

Result<std::vector<promote::Past>> past_of(const Ctx& ctx, const Arguments& arguments, const Place& place,
                                           std::size_t limit) {
  TRY(auto mirrors, TempDir::make("slipway-history"));
  TRY(auto repository, repository_at(ctx, arguments, place.repository, mirrors.path()));
  TRY(auto head, repository.head());
  auto ref = place.branch.empty() ? head : "refs/heads/" + place.branch;
  TRY(auto tip, repository.resolve(ref));
  if (!tip)
    return Fail(Error(Kind::not_found, fmt::format("{}: no branch {}", place.repository, ref.substr(11)))
                    .with_hint("--branch names another"));
  // What is asked for may be a service or an environment: all is read, and what fits is kept.
  TRY(auto all, promote::history(repository, *tip, {.limit = std::string::npos}));
  auto wanted = arguments.get("what");
  std::set<std::string> names;
  std::vector<promote::Past> found;
  for (auto& past : all) {
    names.insert({past.service, past.environment});
    if ((wanted.empty() || past.service == wanted || past.environment == wanted) && found.size() < limit)
      found.push_back(std::move(past));
  }
  if (!found.empty() || wanted.empty()) return found;
  return fail(Kind::not_found, "{}: nothing was promoted that is called {}, there are: {}", place.repository, wanted,
              names.empty() ? "none" : join(std::vector<std::string>(names.begin(), names.end()), ", "));
}

std::string image_of(const promote::Past& past) {
  return fmt::format("{}@{}", past.image, past.digest.empty() ? "?" : past.digest.short_hex());
}

std::string note_of(const promote::Past& past) {
  if (!past.reverts.empty()) return "takes back " + past.reverts.substr(0, 12);
  if (!past.reverted_by.empty()) return "taken back by " + past.reverted_by.substr(0, 12);
  std::vector<std::string> notes;
  if (!past.approved_by.empty()) notes.push_back("approved by " + past.approved_by);
  if (!past.override_window.empty()) notes.push_back("past a window: " + past.override_window);
  return join(notes, "; ");
}

std::string source_of(const promote::Past& past) {
  auto commit = past.source_commit.substr(0, 12);
  return past.source_repository.empty() ? commit : fmt::format("{}@{}", past.source_repository, commit);
}

Result<int> history(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto limit = to_int(arguments.get("limit"));
  if (!limit || *limit < 1) return fail(Kind::invalid, "--limit {}: want a number above 0", arguments.get("limit"));
  TRY(auto places, places_of(ctx, arguments));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  Result<> missed;
  for (const auto& place : places) {
    auto found = past_of(ctx, arguments, place, static_cast<std::size_t>(*limit));
    if (!found && (places.size() == 1 || !found.error().is(Kind::not_found))) return Fail(std::move(found).error());
    if (!found) missed = Fail(std::move(found).error());
    if (!found) continue;
    for (const auto& past : *found) {
      auto document = to_doc(past);
      document["configRepository"] = place.repository;
      documents.push_back(std::move(document));
      rows.push_back({rfc3339(past.at), past.environment, past.service, image_of(past), past.landed.substr(0, 12),
                      source_of(past), past.run, note_of(past)});
    }
  }
  if (documents.empty() && !missed) return Fail(std::move(missed).error());
  if (io.json())
    io.document(documents);
  else
    io.table({"WHEN", "ENVIRONMENT", "SERVICE", "IMAGE", "COMMIT", "SOURCE", "RUN", "NOTE"}, rows);
  return 0;
}

}  // namespace

std::vector<Command> promote_history_commands() {
  return {{"promote history",
           "what was promoted where, when and from which run, as Git has it",
           "slipway promote history production",
           with_connection({{"--repository", "name, URL or folder of a configuration repository (the Pipelines')"},
                            {"--branch", "its branch (the Pipeline's, else its HEAD)"},
                            {"--limit,-n", "how many at most", false, false, "50"}}),
           {{"what", "ENVIRONMENT or SERVICE", false}},
           history}};
}

}  // namespace slipway::cli
