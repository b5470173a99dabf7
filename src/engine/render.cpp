#include "engine/render.h"

#include "ci/actions_source.h"

#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/audit.h"
#include "engine/notices.h"
#include "gitops/artifact.h"
#include "gitops/jsonnet.h"
#include "gitops/repository_login.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"
#include "net/client.h"

namespace slipway::engine {
namespace {

class HouseRepositories final : public gitops::Repositories {
 public:
  explicit HouseRepositories(House& house) : house_(house), logins_(house.client) {}

  // A mirror is fetched when it is first asked for; later by refresh alone, once for all that read it.
  Result<git::Repository> open(const Ctx& ctx, const std::string& url) override {
    auto ours = embedded_repository(house_, gitops::url_of_apart(url));
    if (!ours.empty()) {
      if (auto held = held_.lock()->find(ours); held) return *held;
      TRY(auto repository, house_.git->repository(ours));
      held_.lock()->keep(ours, repository);
      return repository;
    }
    if (auto held = held_.lock()->find(url); held) return *held;
    // One fetches, the others wait for it; a host that does not answer is not asked by each of them.
    auto door = held_.lock()->door(url);
    std::lock_guard hold(*door);
    if (auto held = held_.lock()->find(url); held) return *held;
    if (auto failed = held_.lock()->failed(url); failed) return Fail(*std::move(failed));
    // Whose sign-in is not known here stands as it was fetched last.
    if (gitops::url_of_apart(url) != url) return git::Repository::open(mirror_of(url));
    return fetch_refs(ctx, url);
  }
  Result<std::map<std::string, std::string>> hosted(const Ctx&) override {
    TRY(auto names, house_.git->list());
    std::map<std::string, std::string> all;
    for (auto& name : names) all.emplace(name, repository_url(name));
    return all;
  }
  Result<std::string> file(const Ctx& ctx, const std::string& url) override {
    net::Client client;
    TRY(auto answer, client.get(ctx.within(Millis(27000)), url));
    if (answer.ok()) return std::move(answer.body);
    return fail(answer.status == 404 ? Kind::not_found : Kind::unavailable, "{}: answered {}", url, answer.status);
  }
  Result<> fetch(const Ctx& ctx, const std::string& url, const git::Oid& commit, const git::Access* access) override {
    auto plain = std::string(gitops::url_of_apart(url));
    if (!embedded_repository(house_, plain).empty()) return {};
    TRY(auto repository, fetch_refs(ctx, url, access));
    if (repository.commit(commit)) return {};
    TRY(auto login, access != nullptr ? Result<git::Access>(*access) : logins_.access(ctx, plain));
    auto fetched = repository.fetch_commit(ctx, plain, commit, login);
    LOG(debug, "gitops.fetched_by_id", {"url", gitops::shown(url)}, {"commit", commit},
        {"error", fetched ? "" : fetched.error().what()});
    return {};  // who asked sees whether it is there
  }
  Result<> refresh(const Ctx& ctx, const std::string& url, const git::Access* access) override {
    if (!embedded_repository(house_, gitops::url_of_apart(url)).empty()) return {};
    TRY(auto repository, fetch_refs(ctx, url, access));
    return {};
  }
  Result<git::Access> access(const Ctx& ctx, const std::string& url) override {
    if (!embedded_repository(house_, gitops::url_of_apart(url)).empty()) return git::Access();
    return logins_.access(ctx, url);
  }
  Result<> permit(const Ctx& ctx, const std::string& url, const std::string& project) override {
    if (!embedded_repository(house_, gitops::url_of_apart(url)).empty()) return {};
    return logins_.permit(ctx, url, project);
  }

  Result<git::Repository> at(const Ctx& ctx, const std::string& url, const git::Oid& commit) override {
    auto folder = url.starts_with("oci://") ? artifacts_of(url) : mirror_of(url);
    if (embedded_repository(house_, gitops::url_of_apart(url)).empty() && path_exists(folder)) {
      TRY(auto here, git::Repository::open(folder));
      TRY(auto known, here.resolve(commit));
      if (known || url.starts_with("oci://")) return here;
    }
    return open(ctx, url);
  }

  Result<gitops::Artifact> artifact(const Ctx& ctx, const gitops::ArtifactRequest& request) override {
    auto folder = artifacts_of(request.url);
    TRY_OK(make_dirs(folder.parent_path()));
    return gitops::import_artifact(ctx, request, {.mirrors = house_.settings.mirrors}, folder);
  }

 private:
  struct Held {
    std::map<std::string, git::Repository> repositories;  // by name or URL; handles are kept open in them
    std::optional<git::Repository> find(const std::string& name) const {
      auto found = repositories.find(name);
      if (found == repositories.end() || !path_exists(found->second.path() / "HEAD")) return std::nullopt;
      return found->second;
    }
    void keep(const std::string& name, git::Repository repository) {
      repositories.insert_or_assign(name, std::move(repository));
      failures.erase(name);
    }
    std::shared_ptr<std::mutex> door(const std::string& url) {
      auto& one = doors[url];
      if (!one) one = std::make_shared<std::mutex>();
      return one;
    }
    std::optional<Error> failed(const std::string& url) const {
      auto found = failures.find(url);
      if (found == failures.end() || real_clock().now() - found->second.first > Millis(5000)) return std::nullopt;
      return found->second.second;
    }
    std::map<std::string, std::shared_ptr<std::mutex>> doors;
    std::map<std::string, std::pair<Clock::time_point, Error>> failures;
  };
  Result<git::Repository> fetch_refs(const Ctx& ctx, const std::string& url, const git::Access* access = nullptr) {
    auto repository = mirror(ctx.within(Millis(120000)), url, access);
    auto held = held_.lock();
    if (repository)
      held->keep(url, *repository);
    else
      held->failures.insert_or_assign(url, std::pair(real_clock().now(), repository.error()));
    return repository;
  }
  Result<git::Repository> mirror(const Ctx& ctx, const std::string& url, const git::Access* access) {
    auto folder = mirror_of(url);
    TRY_OK(make_dirs(folder.parent_path()));
    if (access != nullptr) return git::Repository::mirror(ctx, std::string(gitops::url_of_apart(url)), folder, *access);
    TRY(auto login, logins_.access(ctx, url));
    return git::Repository::mirror(ctx, url, folder, login);
  }
  fs::path mirror_of(const std::string& url) const { return house_.settings.data / "mirrors" / name_of(url); }
  static std::string name_of(const std::string& url) { return sha256_hex(url).substr(0, 16); }
  fs::path artifacts_of(const std::string& url) const { return house_.settings.data / "artifacts" / name_of(url); }
  House& house_;
  gitops::RepositoryLogins logins_;
  Guarded<Held> held_;
};

Result<std::vector<doc::Value>> render_source(const Ctx& ctx, manifest::FileSource& source, const std::string& folder) {
  TRY(auto kustomization, manifest::find_kustomization(source, folder));
  if (kustomization) return manifest::kustomize_build(ctx, source, folder);
  gitops::JsonnetOptions none;
  TRY(auto loaded,
      manifest::load_folder(
          ctx, source, folder,
          {.include = "", .exclude = "", .jsonnet = gitops::jsonnet_evaluator(ctx, source, folder, none)}));
  std::vector<doc::Value> objects;
  for (auto& entry : loaded) objects.push_back(std::move(entry.object));
  return objects;
}

}  // namespace

std::string repository_url(std::string_view name) { return fmt::format("http://slipway/git/{}.git", name); }

std::string embedded_repository(const House& house, std::string_view url) {
  auto rest = url;
  for (auto prefix : {std::string("http://slipway/git/"), std::string("https://slipway/git/"), house.url() + "/git/"}) {
    if (!rest.starts_with(prefix)) continue;
    rest.remove_prefix(prefix.size());
    while (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.ends_with(".git")) rest.remove_suffix(4);
    return std::string(rest);
  }
  return "";
}

std::string default_branch(const git::Repository& repository) {
  auto head = repository.head().value_or("refs/heads/main");
  return head.substr(std::string_view("refs/heads/").size());
}

ci::SourceTree source_tree(const git::Repository& repository, const git::Oid& commit,
                           const std::shared_ptr<ci::ActionSource>& places) {
  ci::SourceTree out;
  if (places)
    out.other = [places](const std::string& name, const std::string& ref, const std::string& path) {
      return places->file({}, name, ref, path);
    };
  out.read = [&repository, commit](const std::string& path) { return repository.read(commit, path); };
  out.files = [&repository, commit]() -> Result<std::vector<std::string>> {
    TRY(auto entries, repository.list(commit));
    std::vector<std::string> files;
    for (auto& entry : entries)
      if (!entry.is_tree()) files.push_back(std::move(entry.path));
    return files;
  };
  return out;
}

std::unique_ptr<gitops::Repositories> make_repositories(House& house) {
  return std::make_unique<HouseRepositories>(house);
}

void repository_changed(House& house, const std::string& url) {
  std::vector<std::string> addresses{url};
  if (auto name = embedded_repository(house, url); !name.empty())
    addresses = {repository_url(name), fmt::format("{}/git/{}", house.url(), name)};
  for (const auto& address : addresses) {
    house.gitops->repository_changed(address);
    if (house.flux) house.flux->repository_changed(address);
    if (house.appsets) house.appsets->repository_changed(address);
  }
}

Result<std::vector<doc::Value>> render_at(const Ctx& ctx, const git::Repository& repository,
                                          const git::Oid& commit_or_tree, const std::string& folder) {
  manifest::GitSource source(repository, commit_or_tree);
  return render_source(ctx, source, manifest::join_path("", folder).value_or(""));
}

Result<std::vector<doc::Value>> render_overlay(const Ctx& ctx, House& house, const path::PreviewRequest& request) {
  if (request.repository.empty()) {
    manifest::DiskSource source(request.root);
    auto folder = manifest::join_path("", request.overlay);
    if (!folder) return fail(Kind::denied, "{}: leaves the repository", request.overlay);
    return render_source(ctx, source, *folder);
  }
  TRY(auto repository, house.git->repository(request.repository));
  TRY(auto tip, repository.resolve("HEAD"));
  if (!tip) return fail(Kind::not_found, "{}: has no commits yet", request.repository);
  return render_at(ctx, repository, *tip, request.overlay);
}

void report_drift(House& house, const gitops::Drift& drift) {
  auto who = house.audit->who(drift.type, drift.key);
  if (who.empty()) who = "somebody";
  auto what = fmt::format("{} {}", drift.type.kind, drift.key.str());
  path::Notice notice;
  auto live_mark =
      fmt::format("{}|{}|{}|{}", what, join(drift.fields, ","), drift.revision, rfc3339_millis(real_clock().wall()));
  notice.id = "drift-" + sha256_hex(live_mark).substr(0, 16);
  notice.event = drift.healed ? "drift.healed" : "drift.found";
  notice.severity = path::Severity::warning;
  notice.title = drift.deleted ? fmt::format("{} was deleted by {} and is back", what, who)
                               : fmt::format("{} was changed by {} ({}) and is as in Git again", what, who,
                                             join(drift.fields, ", "));
  notice.text = fmt::format("Application {} at {}", drift.application.name, drift.revision.substr(0, 12));
  notice.facts = {{"application", drift.application.name}, {"object", what}, {"who", who}};
  if (auto announced = announce(Ctx{}.within(Millis(5000)), house, notice); !announced)
    LOG(warn, "gitops.drift_report_failed", {"object", what}, {"error", announced.error().what()});
}

void report_turn(House& house, const gitops::Turn& turn) {
  bool home = turn.kind == "Application" && turn.application.ns == gitops::home_namespace;
  auto name = home                         ? turn.application.name
              : turn.kind == "Application" ? turn.application.str()
                                           : fmt::format("{} {}", turn.kind, turn.application.str());
  path::Notice notice;
  notice.id = fmt::format("app-{}-{}", turn.event, turn.id);
  notice.event = "app." + turn.event;
  notice.severity = turn.event == "unknown" ? path::Severity::warning : path::Severity::error;
  notice.title = turn.event == "sync-failed" ? fmt::format("The sync of {} failed", name)
                 : turn.event == "degraded"  ? fmt::format("{} is degraded", name)
                                             : fmt::format("Nothing is known of {} any more", name);
  notice.text = turn.message;
  notice.facts = {{turn.kind == "Application" ? "application" : "object", name},
                  {"revision", turn.revision.substr(0, 12)}};
  if (auto announced = announce(Ctx{}.within(Millis(5000)), house, notice); !announced)
    LOG(warn, "gitops.turn_report_failed", {"app", name}, {"error", announced.error().what()});
}

}  // namespace slipway::engine
