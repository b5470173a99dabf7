#include "gitops/clusters.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "gitops/application.h"

namespace slipway::gitops {

std::string Destination::refusal(const std::string& kind, const std::string& ns) const {
  if (namespaces.empty()) return "";
  if (ns.empty())
    return cluster_resources
               ? ""
               : fmt::format("{} is cluster-scoped, and the Secret of {} manages namespaces only", kind, describe());
  if (std::find(namespaces.begin(), namespaces.end(), ns) != namespaces.end()) return "";
  return fmt::format("namespace {} is none of those that the Secret of {} manages: {}", ns, describe(),
                     join(namespaces, ", "));
}

std::string Destination::describe() const {
  return name.empty() ? fmt::format("cluster {}", server) : fmt::format("cluster {} ({})", name, server);
}

Target Target::of(doc::View destination) {
  Target target{destination["server"].text(), destination["name"].text()};
  while (target.server.ends_with('/')) target.server.pop_back();
  return target;
}

bool Target::own() const { return server == own_server || (server.empty() && (name.empty() || name == own_name)); }

Clusters::Clusters(const Clock& clock, Connect connect, Patience patience)
    : clock_(clock), connect_(connect ? std::move(connect) : connect_by_http()), patience_(patience) {}

bool Clusters::Entry::is(const Target& target) const {
  return target.server.empty() ? secret.name == target.name : secret.server == target.server;
}

void Clusters::note(const Entry& entry, Changed& changed) {
  for (const auto& id : {entry.secret.server, entry.secret.name})
    if (!id.empty()) changed.insert(id);
}

void Clusters::put(State& state, const kube::Object& secret, Changed& changed) {
  auto read = cluster_secret_from(secret);
  auto [it, fresh] = state.entries.try_emplace(secret.key());
  auto& entry = it->second;
  if (!fresh && entry.secret == read) return;  // labels, annotations
  if (!fresh) note(entry, changed);
  entry = {std::move(read), secret.describe(), nullptr};
  note(entry, changed);
  auto& said = entry.secret;
  if (!said.unusable.empty()) {
    LOG(warn, "gitops.cluster_unusable", {"secret", entry.describe}, {"error", said.unusable});
    return;
  }
  auto place = std::make_shared<Destination>();
  place->server = said.server, place->name = said.name, place->project = said.project;
  place->namespaces = said.namespaces, place->cluster_resources = said.cluster_resources;
  if (said.server != own_server) {
    auto remote = Remote::open(place->describe(), said.sign_in, connect_, clock_, patience_);
    if (!remote) {
      said.unusable = fmt::format("{}: {}", entry.describe, remote.error().what());
      return;
    }
    place->remote = *std::move(remote);
  }
  entry.place = std::move(place);
}

Clusters::Changed Clusters::set(const kube::Object& secret) {
  Changed changed;
  put(*state_.lock(), secret, changed);
  return changed;
}

Clusters::Changed Clusters::drop(const kube::Key& secret) {
  Changed changed;
  auto state = state_.lock();
  if (auto found = state->entries.find(secret); found != state->entries.end()) {
    note(found->second, changed);
    state->entries.erase(found);
  }
  return changed;
}

Clusters::Changed Clusters::replace(const std::vector<kube::Object>& secrets) {
  Changed changed;
  std::set<kube::Key> there;
  auto state = state_.lock();
  state->read = true;
  for (const auto& secret : secrets) {
    there.insert(secret.key());
    put(*state, secret, changed);
  }
  for (auto it = state->entries.begin(); it != state->entries.end();) {
    if (there.contains(it->first)) {
      ++it;
      continue;
    }
    note(it->second, changed);
    it = state->entries.erase(it);
  }
  return changed;
}

Result<std::shared_ptr<const Destination>> Clusters::find(const Target& target) const {
  if (!target.server.empty() && !target.name.empty())
    return fail(Kind::invalid, "destination: has server and name, want one of them");
  auto state = state_.lock();
  const Entry* found = nullptr;
  for (const auto& [key, entry] : state->entries) {
    if (!entry.is(target.own() ? Target{std::string(own_server), ""} : target)) continue;
    if (found != nullptr)
      return fail(Kind::invalid, "destination: there are two clusters {}{}: {} and {}", target.server, target.name,
                  found->describe, entry.describe);
    found = &entry;
  }
  if (found != nullptr && found->place) return found->place;
  if (target.own()) return own_;
  if (found != nullptr) return fail(Kind::invalid, "destination: {}", found->secret.unusable);
  if (!state->read) return fail(Kind::unavailable, "the Secrets of clusters were not read yet");
  auto error = Error(Kind::not_found, target.server.empty()
                                          ? fmt::format("destination: there is no cluster named \"{}\"", target.name)
                                          : fmt::format("destination: there is no cluster {}", target.server));
  return Fail(std::move(error).with_hint("a Secret of the namespace argocd with the label " +
                                         std::string(cluster_secrets) + " describes it"));
}

std::shared_ptr<const Destination> Clusters::remote(const std::string& server) const {
  auto found = find({server, ""});
  return found && (*found)->remote ? *found : nullptr;
}

Result<std::shared_ptr<const Destination>> destination_of(const Ctx& ctx, kube::Client& home, const Target& target) {
  Clusters clusters(*ctx.clock);
  if (target.own()) return clusters.find(target);
  TRY(auto secrets, home.list(ctx, {"v1", "Secret"},
                              {.ns = std::string(home_namespace), .label_selector = std::string(cluster_secrets)}));
  clusters.replace(secrets.items);
  return clusters.find(target);
}

}  // namespace slipway::gitops
