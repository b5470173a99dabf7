// The clusters that Argo CD's Secrets name, and our own. Rules: Argo CD's cluster generator.
#include "base/text.h"
#include "gitops/application.h"
#include "gitops/appset/detail.h"
#include "gitops/clusters.h"
#include "kube/selector.h"

namespace slipway::gitops::appset::detail {
namespace {

doc::Map texts(const kube::StringMap& map) {
  doc::Map out;
  for (const auto& [key, value] : map) out.set(key, value);
  return out;
}

Result<doc::Map> params_of(const Call& call, const std::string& name, const std::string& server,
                           const std::string& project, const kube::Object& secret, doc::View values) {
  doc::Map params{{"name", name}, {"nameNormalized", normalized(name)}, {"server", server}, {"project", project}};
  if (call.renderer.go() && secret) {
    params.set("metadata", doc::Map{{"labels", texts(secret.labels())}, {"annotations", texts(secret.annotations())}});
  } else if (secret) {
    for (const auto& [key, value] : secret.labels()) params.set("metadata.labels." + key, value);
    for (const auto& [key, value] : secret.annotations()) params.set("metadata.annotations." + key, value);
  }
  TRY_OK(add_values(call, values, params));
  return params;
}

Result<std::vector<kube::Object>> secrets_of(const Call& call) {
  TRY(auto secrets,
      call.world.client.list(call.ctx, {"v1", "Secret"},
                             {.ns = std::string(home_namespace), .label_selector = std::string(cluster_secrets)}));
  return std::move(secrets.items);
}

}  // namespace

Result<std::vector<NamedCluster>> named_clusters(const Call& call) {
  TRY(auto secrets, secrets_of(call));
  std::vector<NamedCluster> all;
  bool described = false;  // our own cluster has a Secret as well
  for (const auto& secret : secrets) {
    NamedCluster one;
    TRY_IN(one.name, secret.describe(), secret_text(secret, "name"));
    TRY_IN(one.server, secret.describe(), secret_text(secret, "server"));
    described = described || one.server == own_server;
    all.push_back(std::move(one));
  }
  if (!described) all.push_back({std::string(own_name), std::string(own_server)});
  return all;
}

Result<Params> from_clusters(const Call& call, doc::View clusters) {
  auto selector = clusters["selector"];
  auto labels = Result<kube::LabelSelector>(kube::LabelSelector());
  bool all = selector["matchLabels"].members().empty() && selector["matchExpressions"].items().empty();
  if (!all) labels = kube::LabelSelector::from(selector);
  if (!labels) return selector.wrong(labels.error().what());
  TRY(auto secrets, secrets_of(call));
  Params out;
  bool described = false;  // our own cluster has a Secret as well
  auto values = clusters["values"];
  for (const auto& secret : secrets) {
    TRY_IN(auto name, secret.describe(), secret_text(secret, "name"));
    TRY_IN(auto server, secret.describe(), secret_text(secret, "server"));
    TRY_IN(auto project, secret.describe(), secret_text(secret, "project"));
    described = described || server == own_server;
    if (!all && !labels->matches(secret.labels())) continue;
    TRY(auto params, params_of(call, name, server, project, secret, values));
    out.push_back(std::move(params));
  }
  // A selector is for labels, and the cluster we run in has none.
  if (all && !described) {
    TRY(auto params, params_of(call, std::string(own_name), std::string(own_server), "", {}, values));
    out.push_back(std::move(params));
  }
  if (!clusters["flatList"].bool_or(false)) return out;
  doc::List list;
  for (auto& params : out) list.emplace_back(std::move(params));
  return Params{doc::Map{{"clusters", std::move(list)}}};
}

}  // namespace slipway::gitops::appset::detail
