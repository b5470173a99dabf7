// promote, app rollback, rollout undo: what people ask of the chain. Each is a commit in the configuration repository.
#include <algorithm>

#include "base/text.h"
#include "cli/app_objects.h"
#include "cli/app_operation.h"
#include "cli/by_hand.h"
#include "engine/places.h"
#include "engine/recorder.h"
#include "gitops/customizations.h"
#include "promote/chain.h"

namespace slipway::cli {
namespace {

const kube::Type rollout_type{"argoproj.io/v1alpha1", "Rollout"}, set_type{"apps/v1", "ReplicaSet"};
constexpr std::string_view revision = "rollout.argoproj.io/revision", pod_hash = "rollouts-pod-template-hash";

Result<Ctx> patient(const Ctx& ctx, const Arguments& arguments) {
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  return ctx.within(wait);
}

// SERVICE, SERVICE@DIGEST, IMAGE, IMAGE:TAG, IMAGE@DIGEST: the newest that passed when nothing says which.
struct Wish {
  std::string name, tag;
  Digest digest;
};
Result<Wish> wish_of(const std::string& text) {
  Wish wish{text, {}, {}};
  if (auto pair = cut(text, "@")) {
    wish.name = pair->first;
    TRY(wish.digest, Digest::parse(pair->second));
  }
  if (auto colon = wish.name.rfind(':'); colon != std::string::npos && wish.name.find('/', colon) == std::string::npos)
    wish.tag = wish.name.substr(colon + 1), wish.name.erase(colon);
  return wish;
}

// The artifact that is meant. Only what passed its run and scan is promoted.
Result<path::Artifact> find_artifact(const Ctx& ctx, kube::Client& client, const path::ServiceSource& service,
                                     const Wish& wish) {
  TRY(auto objects, engine::all(ctx, client, "Artifact"));
  std::erase_if(objects, [&](const auto& o) {
    auto artifact = path::artifact_from(o["spec"]);
    return o["spec"]["service"].text() != service.name || (artifact && !promote::is_of(*artifact, service));
  });
  std::stable_sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) {
    return a["status"]["passedAt"].text() > b["status"]["passedAt"].text();
  });
  for (const auto& object : objects) {
    TRY(auto artifact, path::artifact_from(object["spec"]));
    bool meant = !wish.digest.empty() ? artifact.digest == wish.digest
                                      : wish.tag.empty() || std::find(artifact.tags.begin(), artifact.tags.end(),
                                                                      wish.tag) != artifact.tags.end();
    bool passed = engine::phase_of(object) == path::Phase::succeeded;
    if (meant && passed) return artifact;
    if (meant && (!wish.digest.empty() || !wish.tag.empty()))
      return fail(Kind::denied, "{}@{} did not pass its run {}", service.image, artifact.digest.str().substr(0, 19),
                  artifact.run);
  }
  return Fail(Error(Kind::not_found, wish.digest.empty() && wish.tag.empty()
                                         ? fmt::format("no image of {} passed so far", service.name)
                                         : fmt::format("no image of {} is {}", service.name,
                                                       wish.digest.empty() ? wish.tag : wish.digest.str()))
                  .with_hint("slipway status shows what was built"));
}

// The environment before it on the chain must have verified the image.
Result<> check_chain(const Ctx& ctx, kube::Client& client, const Target& target, const Digest& digest) {
  if (target.environment.after.empty()) return {};
  TRY(auto releases, engine::all(ctx, client, "Release"));
  for (const auto& release : releases) {
    auto spec = release["spec"];
    bool same = spec["service"].text() == target.service.name && spec["digest"].text() == digest.str();
    if (same && engine::is_of(release, target.pipeline) &&
        (spec["environment"].text() == target.environment.after ||
         spec["environment"].text() == target.environment.name) &&
        engine::phase_of(release) == path::Phase::succeeded)
      return {};
  }
  return Fail(Error(Kind::denied,
                    fmt::format("{} of {} was not verified in {}, which comes before {}", digest.str().substr(0, 19),
                                target.service.name, target.environment.after, target.environment.name))
                  .with_hint(fmt::format("slipway promote {}@{} --to {}", target.service.name, digest.str(),
                                         target.environment.after)));
}

Result<int> promote(const Ctx& ctx, const Arguments& arguments, Io& io) {
  if (!arguments.has("image"))
    return Fail(
        Error(Kind::invalid, "promote: want SERVICE or IMAGE[:TAG|@DIGEST]").with_hint("slipway promote --help"));
  if (!arguments.has("to")) return fail(Kind::invalid, "promote: want --to ENVIRONMENT");
  TRY(auto wish, wish_of(arguments.get("image")));
  TRY(auto inner, patient(ctx, arguments));
  TRY(auto client, connect(ctx, arguments));
  TRY(auto target, target_of(inner, *client, wish.name, arguments.get("to"), arguments.get("pipeline")));
  TRY(auto artifact, find_artifact(inner, *client, target.service, wish));
  TRY_OK(check_chain(inner, *client, target, artifact.digest));
  TRY(auto who, asker(inner, *client, arguments));
  TRY(auto name, ask(inner, *client, {target, artifact, "asked for by " + who, who, arguments.has("override-window")}));
  return follow(inner, *client, name, arguments.has("wait"), io);
}

// One service back to a digest that ran in its environment before.
Result<int> go_back(const Ctx& ctx, kube::Client& client, const Arguments& arguments, const Target& target,
                    const Digest& digest, Io& io) {
  TRY(auto artifact, artifact_of(ctx, client, target.service, digest));
  TRY(auto who, asker(ctx, client, arguments));
  TRY(auto name, ask(ctx, client, {target, artifact, "rollback by " + who, who, arguments.has("override-window")}));
  return follow(ctx, client, name, arguments.has("wait"), io);
}

// "registry/apps/web:1@sha256:..." is apps/web.
std::optional<Digest> digest_for(const std::string& image, const path::ServiceSource& service) {
  auto pair = cut(image, "@");
  if (!pair) return std::nullopt;
  auto name = std::string(pair->first);
  if (auto colon = name.rfind(':'); colon != std::string::npos && name.find('/', colon) == std::string::npos)
    name.erase(colon);
  if (name != service.image && !name.ends_with("/" + service.image)) return std::nullopt;
  auto digest = Digest::parse(pair->second);
  return digest ? std::optional(*digest) : std::nullopt;
}

std::optional<Digest> digest_in(doc::View pod_spec, const path::ServiceSource& service) {
  for (const auto& container : pod_spec["containers"].items())
    if (auto digest = digest_for(container["image"].text(), service)) return digest;
  return std::nullopt;
}

// The entry of its history that is meant: by its id, else the newest before what was deployed last.
Result<doc::View> deployed(const kube::Object& app, const std::string& id) {
  auto history = app["status"]["history"].items();
  std::vector<std::string> ids;
  for (auto it = history.rbegin(); it != history.rend(); ++it) {
    auto entry = *it;
    ids.push_back(entry["id"].text());
    bool same = entry["revision"].value() == history.back()["revision"].value() &&
                entry["revisions"].value() == history.back()["revisions"].value();
    if (id.empty() ? !same : entry["id"].text() == id) return entry;
  }
  if (id.empty()) return fail(Kind::not_found, "{}: nothing else was deployed before", app.name());
  return Fail(Error(Kind::not_found, fmt::format("{}: its history has no {}, only {}", app.name(), id,
                                                 ids.empty() ? "nothing" : join(ids, ", ")))
                  .with_hint("slipway app history " + app.name()));
}

bool leads_to(const std::vector<path::Pipeline>& pipelines, const std::string& application) {
  for (const auto& pipeline : pipelines)
    for (const auto& environment : pipeline.environments)
      if (environment.application == application) return true;
  return false;
}

// What no Pipeline leads to is synced to what was deployed before, as Argo CD goes back.
Result<int> sync_back(const Ctx& ctx, kube::Client& client, const kube::Object& app, doc::View entry, Io& io) {
  if (gitops::syncs_by_itself(app)) return Fail(held_by_git(app, "rolled back"));
  doc::Map sync{{"prune", true}, {"syncStrategy", doc::Map{{"apply", doc::Map{}}}}};
  for (auto key : {"revision", "revisions", "source", "sources"})
    if (entry[key].present()) sync.set(key, entry[key].value());
  if (auto options = app["spec"]["syncPolicy"]["syncOptions"]; options.present())
    sync.set("syncOptions", options.value());
  return sync_application(ctx, client, app, std::move(sync), io);
}

Result<int> app_rollback(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto inner, patient(ctx, arguments));
  TRY(auto client, connect(ctx, arguments));
  auto name = arguments.get("name");
  TRY(auto object, application_named(inner, *client, name));
  TRY(auto entry, deployed(object, arguments.get("id")));
  TRY(auto list, pipelines(inner, *client));
  if (!leads_to(list, name)) return sync_back(inner, *client, object, entry, io);
  auto wanted = entry["revision"].text();
  TRY(auto app, gitops::application_from(object));
  TRY(auto before, rendered_at(inner, arguments, client, app, wanted));
  std::vector<std::pair<Target, Digest>> moves;
  for (const auto& pipeline : list)
    for (const auto& environment : pipeline.environments) {
      if (environment.application != name) continue;
      for (const auto& service : pipeline.services)
        for (const auto& one : before)
          if (auto digest = digest_in(doc::View(one)["spec"]["template"]["spec"], service))
            moves.push_back({{pipeline, environment, service}, *digest});
    }
  if (moves.empty())
    return fail(Kind::not_found, "{}: revision {} names no image of a service by its digest", name,
                wanted.substr(0, 12));
  int status = 0, moved = 0;
  for (const auto& [target, digest] : moves) {
    auto went = go_back(inner, *client, arguments, target, digest, io);
    if (!went && went.error().is(Kind::conflict)) continue;  // that one is as it was
    if (!went) return went;
    ++moved;
    status = std::max(status, *went);
  }
  if (moved == 0)
    return fail(Kind::conflict, "{}: revision {} has the images that run already", name, wanted.substr(0, 12));
  return status;
}

std::int64_t revision_number(const kube::Object& set) {
  return to_int(set.annotation(std::string(revision))).value_or(0);
}

// The ReplicaSet to go back to: --to-revision, else the newest before the present one.
Result<kube::Object> set_before(const Ctx& ctx, kube::Client& client, const kube::Object& rollout,
                                const std::string& wanted) {
  TRY(auto sets, client.list(ctx, set_type, {.ns = rollout.ns()}));
  std::erase_if(sets.items, [&](const auto& set) {
    auto owner = set.controller();
    return !owner || owner->uid != rollout.uid();
  });
  std::sort(sets.items.begin(), sets.items.end(),
            [](const auto& a, const auto& b) { return revision_number(a) > revision_number(b); });
  auto present = rollout["status"]["currentPodHash"].text();
  std::vector<std::string> there;
  for (const auto& set : sets.items) {
    there.push_back(std::to_string(revision_number(set)));
    if (wanted.empty() ? set.label(pod_hash) != present : there.back() == wanted) return set;
  }
  return fail(Kind::not_found, "rollout {}: there is no {}, revisions are: {}", rollout.key().str(),
              wanted.empty() ? "version before this one" : "revision " + wanted,
              there.empty() ? "none" : join(there, ", "));
}

Result<int> rollout_undo(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto inner, patient(ctx, arguments));
  TRY(auto client, connect(ctx, arguments));
  kube::Key key{arguments.get("namespace"), arguments.get("name")};
  TRY(auto rollout, client->get(inner, rollout_type, key));
  if (!rollout)
    return Fail(
        Error(Kind::not_found, fmt::format("there is no rollout {}", key.str())).with_hint("slipway rollout list"));
  TRY(auto set, set_before(inner, *client, *rollout, arguments.get("to-revision")));
  TRY(auto customized, gitops::read_customizations(inner, *client));
  auto owner = gitops::owner_of(*rollout, customized->tracking());
  if (owner.empty()) {
    auto pod = set["spec"]["template"].value();
    if (auto* labels = pod["metadata"]["labels"].if_map()) labels->erase(pod_hash);
    doc::List patch{doc::Map{{"op", "replace"}, {"path", "/spec/template"}, {"value", std::move(pod)}}};
    TRY_OK(client->patch(inner, rollout_type, key, kube::PatchType::json, std::move(patch), {}));
    if (io.json())
      io.document(doc::Map{{"rollout", key.str()}, {"revision", revision_number(set)}});
    else
      io.line(fmt::format("rollout {} goes back to revision {}", key.str(), revision_number(set)));
    return 0;
  }
  // Git says what runs here: a change beside it would be healed at once.
  TRY(auto list, pipelines(inner, *client));
  for (const auto& pipeline : list)
    for (const auto& environment : pipeline.environments)
      for (const auto& service : pipeline.services) {
        if (environment.ns != key.ns || environment.application != owner) continue;
        if (auto digest = digest_in(set["spec"]["template"]["spec"], service))
          return go_back(inner, *client, arguments, {pipeline, environment, service}, *digest, io);
        return fail(Kind::not_found, "rollout {}: revision {} ran no image of {} that is named by its digest",
                    key.str(), revision_number(set), service.name);
      }
  return Fail(Error(Kind::denied,
                    fmt::format("rollout {}: Application {} keeps it equal to Git, a change beside it would be undone",
                                key.str(), owner))
                  .with_hint("slipway app rollback " + owner + ", or git revert in its repository"));
}

}  // namespace

std::vector<Command> promote_commands() {
  auto options = [](std::vector<Option> more) {
    more.push_back({"--wait", "until it is verified there, not only committed", true});
    more.push_back({"--timeout", "how long to wait", false, false, "10m"});
    more.push_back({"--as", "who asks (the user)"});
    more.push_back({"--override-window", "also while a promotion window is closed; the commit says so", true});
    return with_connection(std::move(more));
  };
  return {
      {"promote",
       "puts an image that passed into an environment: one commit",
       "slipway promote web --to staging",
       options({{"--to", "environment"}, {"--pipeline", "the Pipeline, where several have a service of the name"}}),
       {{"image", "SERVICE or IMAGE[:TAG|@DIGEST]; the newest that passed", false}},
       promote},
      {"app rollback",
       "what was deployed before: a commit a service, or a sync where no Pipeline leads",
       "slipway app rollback shop-production 3",
       options({}),
       {{"name", "Application"}, {"id", "of slipway app history (the one before)", false}},
       app_rollback},
      {"rollout undo",
       "back to the version before: as a commit where Git says what runs",
       "slipway rollout undo web -n shop-production",
       options({{"--namespace,-n", "namespace", false, false, "default"},
                {"--to-revision", "a revision of its ReplicaSets"}}),
       {{"name", "Rollout"}},
       rollout_undo},
  };
}

}  // namespace slipway::cli
