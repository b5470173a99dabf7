#pragma once
// What an ApplicationSet's generators give: a set of parameters for each Application.
#include <map>
#include <string>
#include <vector>

#include "gitops/appset/answers.h"
#include "gitops/appset/template.h"
#include "gitops/source.h"
#include "kube/client.h"

namespace slipway::gitops::appset {

// What generators read: objects of the home cluster (Secrets of clusters, pull requests of the embedded host, tokens)
// and repositories.
struct World {
  kube::Client& client;
  Repositories& repositories;
  std::string ns, name;        // the ApplicationSet's
  Answers* answers = nullptr;  // of services outside, kept from look to look; null: each look asks
};

// One Application to be: its parameters, and the generator's own template laid over the ApplicationSet's.
struct Instance {
  doc::Map params;
  doc::Value over;
};
// All of spec.generators, in order. Errors: invalid (naming the field; also a generator that is not supported), those
// of repositories, forges and the client. A generator that fails fails all: nobody may take what is missing for gone.
Result<std::vector<Instance>> generate(const Ctx& ctx, const World& world, const Renderer& renderer, doc::View spec);

// How soon generators that nothing wakes are asked again: the least of requeueAfterSeconds; nothing: only by events.
std::optional<Millis> requeue_after(doc::View spec);
// How long whoever failed is left alone: what it asked for, within ten seconds and an hour.
Millis retry_pause(const Error& error);
// The repositories that git generators read, as written.
std::vector<std::string> repositories_of(doc::View spec);
// Whether a generator reads the clusters' Secrets, or pull requests or the list of repositories of the embedded host.
bool reads_clusters(doc::View spec);
bool reads_pull_requests(doc::View spec);
bool reads_hosted(doc::View spec);

}  // namespace slipway::gitops::appset
