// rollout list, get, watch, promote, abort, retry, pause: Argo Rollouts, by the same fields its plugin writes.
#include "rollout/rollout.h"
#include "cli/command.h"

namespace slipway::cli {
namespace {

const kube::Type rollout{"argoproj.io/v1alpha1", "Rollout"};

std::string paint(const Io& io, std::string_view phase) {
  if (phase == "Healthy") return io.paint(Io::Paint::good, phase);
  if (phase == "Degraded") return io.paint(Io::Paint::bad, phase);
  return io.paint(Io::Paint::warn, phase);
}

Result<kube::Object> get_rollout(const Ctx& ctx, kube::Client& client, const Arguments& arguments) {
  kube::Key key{arguments.get("namespace"), arguments.get("name")};
  TRY(auto object, client.get(ctx, rollout, key));
  if (!object)
    return Fail(
        Error(Kind::not_found, fmt::format("there is no rollout {}", key.str())).with_hint("slipway rollout list"));
  return *object;
}

std::string step_of(const kube::Object& o) {
  auto steps = o["spec"]["strategy"]["canary"]["steps"].items();
  if (steps.empty()) return "-";
  return fmt::format("{}/{}", o["status"]["currentStepIndex"].num_or(0), steps.size());
}

std::string weight_of(const kube::Object& o) {
  auto weight = o["status"]["canary"]["weights"]["canary"]["weight"];
  return weight.present() ? weight.text() + "%" : "-";
}

Result<int> list(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto objects, client->list(ctx, rollout, {.ns = arguments.get("namespace")}));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& o : objects.items) {
    documents.push_back(o.copy());
    auto canary = o["spec"]["strategy"]["canary"].exists();
    rows.push_back({o.ns(), o.name(), canary ? "Canary" : "BlueGreen",
                    paint(io, o["status"]["phase"].str_or("Progressing")), step_of(o), weight_of(o),
                    o["status"]["message"].text()});
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"NAMESPACE", "NAME", "STRATEGY", "STATUS", "STEP", "WEIGHT", "MESSAGE"}, rows);
  return 0;
}

Result<int> get(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto o, get_rollout(ctx, *client, arguments));
  if (io.json()) {
    io.document(o.value());
    return 0;
  }
  io.line(fmt::format("{} {}  step {}  weight {}  {}", io.paint(Io::Paint::bold, o.key().str()),
                      paint(io, o["status"]["phase"].text()), step_of(o), weight_of(o), o["status"]["message"].text()));
  TRY(auto sets, client->list(ctx, {"apps/v1", "ReplicaSet"}, {.ns = o.ns()}));
  std::vector<std::vector<std::string>> rows;
  for (const auto& set : sets.items) {
    auto owner = set.controller();
    if (!owner || owner->uid != o.uid()) continue;
    auto hash = set.label("rollouts-pod-template-hash");
    std::string role = hash == o["status"]["stableRS"].text()         ? "stable"
                       : hash == o["status"]["currentPodHash"].text() ? "canary"
                                                                      : "";
    rows.push_back({set.name(), role, set["spec"]["replicas"].text(),
                    set["status"]["readyReplicas"].str_or(set["status"]["readyReplicas"].text())});
  }
  io.table({"REPLICASET", "ROLE", "DESIRED", "READY"}, rows);
  return 0;
}

Result<int> watch(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  std::string last;
  TRY(auto done, kube::await(ctx, *client, rollout, {arguments.get("namespace"), arguments.get("name")},
                             [&](const kube::Object& o) {
                               if (!o) return true;
                               auto text = fmt::format("{}  step {}  weight {}  {}", o["status"]["phase"].text(),
                                                       step_of(o), weight_of(o), o["status"]["message"].text());
                               if (text != last && !io.json()) io.line(text);
                               last = text;
                               auto phase = o["status"]["phase"].text();
                               return o["status"]["observedGeneration"].text() == std::to_string(o.generation()) &&
                                      (phase == "Healthy" || phase == "Degraded");
                             }));
  if (io.json()) io.document(done.value());
  return done && done["status"]["phase"].text() == "Healthy" ? 0 : 1;
}

Run patching(std::string subresource, doc::Value patch, std::string said) {
  return [subresource, patch, said](const Ctx& ctx, const Arguments& arguments, Io& io) -> Result<int> {
    TRY(auto client, connect(ctx, arguments));
    TRY(auto o, get_rollout(ctx, *client, arguments));
    TRY_OK(client->patch(ctx, rollout, o.key(), kube::PatchType::merge, patch, {.subresource = subresource}));
    io.said(fmt::format("rollout {} {}", o.key().str(), said),
            doc::Map{{"namespace", o.ns()}, {"name", o.name()}, {"done", said}});
    return 0;
  };
}

// What goes on depends on what it waits for: a pause, a person's stop, an analysis without a verdict.
Result<int> promote(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto o, get_rollout(ctx, *client, arguments));
  TRY_OK(arguments.has("full") ? slipway::rollout::promote_full(ctx, *client, o.key())
                               : slipway::rollout::promote(ctx, *client, o.key()));
  io.said(fmt::format("rollout {} promoted", o.key().str()),
          doc::Map{{"namespace", o.ns()}, {"name", o.name()}, {"done", "promoted"}});
  return 0;
}

}  // namespace

std::vector<Command> rollout_commands() {
  Positional name{"name", "Rollout"};
  auto options = with_connection({{"--namespace,-n", "namespace", false, false, "default"}});
  auto promote_options = options;
  promote_options.push_back({"--full", "skip all steps that are left", true});
  auto list_options = with_connection({{"--namespace,-n", "only this namespace"}});
  return {
      {"rollout list", "Rollouts and how far they are", "slipway rollout list", list_options, {}, list},
      {"rollout get",
       "one Rollout with its ReplicaSets",
       "slipway rollout get api -n shop-production",
       options,
       {name},
       get},
      {"rollout watch",
       "follows a Rollout until it is healthy or degraded",
       "slipway rollout watch api -n shop-production",
       options,
       {name},
       watch},
      {"rollout promote",
       "goes on from a pause",
       "slipway rollout promote api -n shop-production",
       promote_options,
       {name},
       promote},
      {"rollout pause",
       "stops where it is",
       "slipway rollout pause api",
       options,
       {name},
       patching("", doc::Map{{"spec", doc::Map{{"paused", true}}}}, "paused")},
      {"rollout abort",
       "back to the stable version",
       "slipway rollout abort api",
       options,
       {name},
       patching("status", doc::Map{{"status", doc::Map{{"abort", true}}}}, "aborted")},
      {"rollout retry",
       "tries an aborted version again",
       "slipway rollout retry api",
       options,
       {name},
       patching("status", doc::Map{{"status", doc::Map{{"abort", false}}}}, "retried")},
  };
}

}  // namespace slipway::cli
