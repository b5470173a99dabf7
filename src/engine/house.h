#pragma once
// Everything of one data directory, opened in order and closed in reverse: stores, registry, API, git host, runtime,
// network, node, gateway. Stages get what they need from here; nothing is global.
#include <atomic>
#include <memory>

#include "box/network.h"
#include "ci/actions_source.h"
#include "ci/groups.h"
#include "ci/jobcache.h"
#include "ci/pod/pods.h"
#include "ci/ready.h"
#include "ci/service.h"
#include "cluster/api_server.h"
#include "cluster/controllers.h"
#include "cluster/gateway.h"
#include "cluster/node.h"
#include "engine/endorse.h"
#include "engine/pki.h"
#include "engine/settings.h"
#include "engine/users.h"
#include "git/host.h"
#include "gitops/appset/controller.h"
#include "gitops/flux.h"
#include "oci/registry.h"
#include "path/services.h"
#include "secret/redact.h"

namespace slipway::engine {

class AuditTrail;
class PushNotes;
class RegistrySettings;
class RunLogs;
class RunningRuns;
class TestHistory;
class Wake;

struct House {
  // Errors: unavailable (another `up` has the directory, no OCI runtime, no disk), denied, corrupt.
  static Result<std::unique_ptr<House>> open(const Ctx& ctx, Settings settings);
  ~House();

  Settings settings;
  std::unique_ptr<FileLock> lock, network_claim;
  std::unique_ptr<Users> users;
  Pki pki;
  std::shared_ptr<secret::RedactionSet> redaction = std::make_shared<secret::RedactionSet>();
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<RegistrySettings> registry_settings;
  std::unique_ptr<oci::Registry> registry;
  std::unique_ptr<Endorser> endorser;  // signs what is built
  std::unique_ptr<oci::LayerCache> layers;
  std::unique_ptr<oci::Remote> remote;
  std::unique_ptr<cluster::ApiServer> api;
  std::shared_ptr<kube::Client> client;
  std::unique_ptr<AuditTrail> audit;
  std::unique_ptr<RunLogs> run_logs;
  std::unique_ptr<TestHistory> tests;
  std::unique_ptr<PushNotes> push_notes;
  std::atomic<bool> pushes_behind = false;  // a push was taken whose Change is not recorded
  std::unique_ptr<RunningRuns> running;
  std::unique_ptr<Wake> decisions;  // of people, and rules: whoever waits for one looks again
  std::unique_ptr<git::Host> git;
  std::unique_ptr<box::Runtime> runtime;
  std::unique_ptr<box::NodeNetwork> network;  // null without rights over the host's network (rootless)
  std::unique_ptr<cluster::Node> node;
  std::unique_ptr<cluster::Gateway> gateway;
  std::unique_ptr<gitops::Repositories> repositories;
  std::unique_ptr<gitops::Controller> gitops;
  std::unique_ptr<gitops::FluxController> flux;
  std::unique_ptr<gitops::appset::Controller> appsets;
  std::unique_ptr<path::ImageBuilder> builder;
  std::unique_ptr<path::Scanner> scanner;
  std::unique_ptr<path::Previewer> previewer;
  std::unique_ptr<path::ClusterMaker> job_clusters;  // null: jobs get none
  std::unique_ptr<ci::ReadyPlaces> ready;
  std::unique_ptr<ci::JobCache> job_cache;
  std::unique_ptr<ci::JobGroups> job_groups;
  std::unique_ptr<ci::JobService> job_service;  // what JavaScript actions talk to
  std::shared_ptr<ci::ActionSource> actions;
  std::unique_ptr<ci::JobPods> job_pods;  // null: jobs run here

  std::atomic<int> pod_port = 0;  // of the address at which pods reach this host; 0: none

  std::vector<std::string> without;  // what does not work here, and why: said at the start

  fs::path logs() const { return settings.data / "logs"; }
  // http://host:port, for links that people follow.
  std::string url() const;
  // The configuration repositories: those that Pipelines name or Applications and GitRepositories read.
  bool is_config_repository(const Ctx& ctx, const std::string& name) const;
};

}  // namespace slipway::engine
