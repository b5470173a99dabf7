#include "engine/house.h"

#include <malloc.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "ci/runner.h"
#include "cluster/api_server.h"
#include "engine/admission.h"
#include "engine/audit.h"
#include "engine/endorse.h"
#include "engine/git_policy.h"
#include "engine/job_clusters.h"
#include "engine/network_claim.h"
#include "engine/pods.h"
#include "engine/project_roles.h"
#include "engine/push_notes.h"
#include "engine/recorder.h"
#include "engine/registry_settings.h"
#include "engine/render.h"
#include "engine/run_logs.h"
#include "engine/running_runs.h"
#include "engine/test_history.h"
#include "engine/wake.h"
#include "gitops/restricted.h"
#include "image/builder.h"
#include "path/crds.h"
#include "path/objects.h"
#include "preview/preview.h"
#include "scan/scanner.h"

namespace slipway::engine {
namespace {

// By default each thread may get an arena of its own, eight a core, and what it frees stays in it: of some 200 threads
// that mostly wait that is 20 MB more than an arena a core holds.
void keep_few_arenas() { ::mallopt(M_ARENA_MAX, std::max(2, static_cast<int>(std::thread::hardware_concurrency()))); }

// The address of the Service `kubernetes`: the first of the range. A range that is none is refused by the network.
std::string api_service_ip(const std::string& cidr) {
  auto base = split(std::string_view(cidr).substr(0, cidr.find('/')), '.');
  return base.size() == 4 ? fmt::format("{}.{}.{}.{}", base[0], base[1], base[2], to_int(base[3]).value_or(0) + 1)
                          : "10.96.0.1";
}

Result<> take_directory(House& house) {
  const auto& data = house.settings.data;
  if (auto made = make_dirs(data, 0700); !made)
    return Fail(std::move(made).error().in("data directory").as(Kind::unavailable));
  auto lock = FileLock::take(data / "lock");
  if (!lock && lock.error().is(Kind::conflict))
    return Fail(Error(Kind::unavailable, fmt::format("{}: another slipway runs on this data directory", data.native()))
                    .with_hint("stop it, or give this one a directory of its own: slipway up --data DIR"));
  if (!lock) return Fail(std::move(lock).error().in("data directory").as(Kind::unavailable));
  house.lock = std::make_unique<FileLock>(*std::move(lock));
  return {};
}

Result<> open_stores(House& house) {
  const auto& data = house.settings.data;
  TRY(house.users, Users::open(data));
  house.redaction->add(house.users->admin_token());
  TRY(house.pki, open_pki(data, house.settings.host, api_service_ip(house.settings.service_cidr)));
  TRY(house.blobs, store::BlobStore::open(data / "blobs"));
  house.registry_settings = std::make_unique<RegistrySettings>();
  TRY(auto options, registry_options(house));
  options.rules = [&house] {
    auto* client = house.client.get();  // later than the registry
    return house.registry_settings->rules(client);
  };
  TRY(house.registry, oci::Registry::open(*house.blobs, data / "registry.db", std::move(options)));
  TRY(house.endorser, Endorser::open(data, *house.registry));
  TRY(house.layers, oci::LayerCache::open(*house.blobs, data / "layers"));
  house.remote = std::make_unique<oci::Remote>(oci::RemoteOptions{.mirrors = house.settings.mirrors});
  house.run_logs = std::make_unique<RunLogs>(data / "logs");
  TRY(house.tests, TestHistory::open(data / "tests.db"));
  house.push_notes = std::make_unique<PushNotes>(data / "pushes");
  house.running = std::make_unique<RunningRuns>();
  house.decisions = std::make_unique<Wake>();
  return {};
}

Result<> open_api(House& house) {
  cluster::ApiOptions options;
  options.database = house.settings.data / "cluster.db";
  options.crds = path::builtin_crds();
  options.service_cidr = house.settings.service_cidr;
  options.token_key_pem = house.pki.token_key_pem;
  options.namespaces = {std::string(path::home), "argocd"};
  options.admit = [&house](const Ctx& ctx, const cluster::ApiOptions::User& user, const std::string& subresource,
                           const kube::Object& before,
                           doc::Value& next) { return admit(ctx, house, user, subresource, before, next); };
  options.also_grants = [&house](const cluster::ApiOptions::User& user, const cluster::ApiOptions::Question& question) {
    return granted_by_roles(house, user, question);
  };
  options.authenticate = [&house](const net::Request& request) -> std::optional<cluster::ApiOptions::User> {
    auto user = house.users->by_header(request.headers.get_or("authorization", ""));
    if (!user) return std::nullopt;
    return cluster::ApiOptions::User{user->name, user->groups};
  };
  TRY(house.api, cluster::ApiServer::open(std::move(options)));
  house.client = house.api->client("slipway");
  house.audit = std::make_unique<AuditTrail>();
  house.api->on_write([audit = house.audit.get()](const cluster::Audit& entry) { audit->note(entry); });
  return {};
}

Result<> open_node(House& house) {
  const auto& data = house.settings.data;
  TRY(house.runtime, box::Runtime::open(data / "box"));
  TRY(house.network_claim, claim_network(house.settings));
  auto network = box::NodeNetwork::open({.bridge = house.settings.bridge,
                                         .pod_cidr = house.settings.pod_cidr,
                                         .service_cidr = house.settings.service_cidr,
                                         .state = data / "net"});
  if (network)
    house.network = *std::move(network);
  else if (house.runtime->rootless() && (network.error().is(Kind::denied) || network.error().is(Kind::unavailable)))
    house.without.push_back(fmt::format(
        "no pod network (it needs root): pods get no address, Services do not reach them: {}", network.error().what()));
  else
    return Fail(std::move(network).error());
  cluster::NodeOptions options;
  options.root = data / "pods";
  options.registry = house.registry.get();
  options.registry_names = registry_names(house.settings);
  options.layers = house.layers.get();
  options.remote = house.remote.get();
  options.runtime = house.runtime.get();
  options.network = house.network.get();
  options.ca_pem = house.pki.ca.certificate_pem;
  TRY(house.node, cluster::Node::open(house.api->client("system:node:slipway"), std::move(options)));
  house.api->set_node(house.node.get());
  TRY(house.gateway, cluster::Gateway::open(house.api->client("slipway-gateway"),
                                            {.port = house.settings.gateway_port, .node_ip = "127.0.0.1"}));
  return {};
}

// The database is there from the start, so that an import beside a running slipway counts at once.
Result<std::shared_ptr<scan::AdvisoryDatabase>> open_advisories(const Ctx& ctx, const Settings& settings) {
  TRY(std::shared_ptr<scan::AdvisoryDatabase> database, scan::AdvisoryDatabase::open(settings.data / "advisories.db"));
  if (settings.advisories.empty()) return database;
  TRY_IN(auto report, "--advisories", database->import(ctx, settings.advisories));
  LOG(info, "advisories.imported", {"source", settings.advisories}, {"records", report.records},
      {"unusable", report.unusable});
  return database;
}

// What Argo CD's installation brings, so that its documents and clients find it: the project that permits everything,
// and settings to change. What is there stays as it is.
Result<> bring_argo_objects(const Ctx& ctx, kube::Client& client) {
  auto bring = [&](doc::Value object) -> Result<> {
    object["metadata"]["labels"] = doc::Map{{"app.kubernetes.io/part-of", "argocd"}};
    auto made = client.create(ctx, std::move(object), {.field_manager = "slipway"});
    return made || made.error().is(Kind::conflict) ? Result<>{} : Result<>(Fail(std::move(made).error()));
  };
  const std::string ns(gitops::home_namespace);
  for (auto name : {"argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm"})
    TRY_OK(bring(kube::make_object({"v1", "ConfigMap"}, {ns, name})));
  TRY_OK(bring(kube::make_object({"v1", "Secret"}, {ns, "argocd-secret"})));
  auto project = kube::make_object({"argoproj.io/v1alpha1", "AppProject"}, {ns, "default"});
  doc::List everything{doc::Map{{"group", "*"}, {"kind", "*"}}};
  project["spec"] = doc::Map{{"sourceRepos", doc::List{"*"}},
                             {"destinations", doc::List{doc::Map{{"server", "*"}, {"namespace", "*"}}}},
                             {"clusterResourceWhitelist", std::move(everything)}};
  return bring(std::move(project));
}

Result<> open_stages(const Ctx& ctx, House& house) {
  const auto& data = house.settings.data;
  house.repositories = make_repositories(house);
  TRY_OK(bring_argo_objects(ctx, *house.client));
  gitops::ControllerOptions options;
  options.ns = "";      // those elsewhere need the leave of their project
  options.workers = 8;  // most of a look is waiting for the disk: writes of several share a commit
  options.drift = [&house](const gitops::Drift& drift) { report_drift(house, drift); };
  options.turned = [&house](const gitops::Turn& turn) { report_turn(house, turn); };
  options.learned = [&house](std::string_view value) { house.redaction->add(value); };
  options.as_user = [&house](const std::string& user) {
    return gitops::restrict_to(house.api->client("slipway-gitops"), house.api->client(user), user);
  };
  options.connect = gitops::connect_by_http(house.settings.sign_in_programs);
  auto client = house.api->client("slipway-gitops");
  house.gitops = std::make_unique<gitops::Controller>(client, *house.repositories, options);
  house.flux = std::make_unique<gitops::FluxController>(client, *house.repositories, std::move(options));
  house.appsets =
      std::make_unique<gitops::appset::Controller>(house.api->client("slipway-appset"), *house.repositories, "");
  scan::ScannerOptions scanner;
  scanner.registry = house.registry.get();
  TRY(scanner.advisories, open_advisories(ctx, house.settings));
  scanner.cache = data / "inventory";
  TRY_OK(make_dirs(data / "inventory"));
  TRY(house.scanner, scan::make_scanner(std::move(scanner)));
  TRY_OK(make_dirs(data / "build"));
  image::BuilderOptions build;
  build.registry = house.registry.get();
  build.layers = house.layers.get();
  build.runtime = house.runtime.get();
  build.remote = house.remote.get();
  build.root = data / "build";
  build.registry_names = registry_names(house.settings);
  build.scanner = house.scanner.get();
  house.builder = image::make_builder(std::move(build));
  house.job_groups = std::make_unique<ci::JobGroups>();
  ci::CacheLimits limits{.bytes = house.settings.cache_bytes,
                         .unused = std::chrono::hours(24 * house.settings.cache_days)};
  TRY(house.job_cache, ci::open_file_job_cache(data / "jobs", limits));
  TRY_OK(make_dirs(data / "work"));
  TRY_OK(image::clean_up_after_crash(*house.runtime));
  TRY_OK(ci::clean_up_after_crash(data / "work", house.runtime.get()));
  // Not in a user namespace: a view of the host there is of single folders, and costs more to keep.
  if (!house.runtime->rootless())
    house.ready = std::make_unique<ci::ReadyPlaces>(ci::ReadyPlaces::Options{
        .root = data / "work", .runtime = house.runtime.get(), .hide = {data}, .limits = ci::RunnerOptions{}.limits});
  house.job_clusters = make_job_clusters(ctx, data / "clusters");
  house.previewer = preview::make_previewer(house.api->client("slipway-preview"),
                                            {[&house](const Ctx& inner, const path::PreviewRequest& request) {
                                              return render_overlay(inner, house, request);
                                            }});
  return {};
}

Result<> open_job_services(House& house) {
  const auto& data = house.settings.data;
  ci::ServiceOptions options;
  options.blobs = house.blobs.get();
  options.cache = house.job_cache.get();
  options.key_file = data / "pki" / "id-tokens.key";
  options.id_token_algorithm = house.settings.id_tokens;
  options.issuer = [&house] { return house.url(); };
  options.url = [&house](bool own_network) {
    if (own_network && house.job_pods) return house.job_pods->options().url();
    return own_network && house.network && house.pod_port > 0
               ? fmt::format("http://{}:{}", house.network->gateway_ip(), house.pod_port.load())
               : house.url();
  };
  TRY(house.job_service, ci::JobService::open(std::move(options)));
  ci::ActionSourceOptions actions;
  actions.root = data / "actions";
  actions.places = house.settings.actions;
  actions.hosted = [&house](const std::string& name) -> Result<std::optional<fs::path>> {
    auto found = house.git->repository(name);
    if (found) return found->path();
    return found.error().is(Kind::not_found) ? Result<std::optional<fs::path>>(std::nullopt)
                                             : Fail(std::move(found).error());
  };
  TRY(house.actions, ci::ActionSource::open(std::move(actions)));
  return {};
}

}  // namespace

std::vector<std::string> registry_names(const Settings& settings) {
  return {settings.registry_name, fmt::format("127.0.0.1:{}", settings.port),
          fmt::format("localhost:{}", settings.port)};
}

Result<std::unique_ptr<House>> House::open(const Ctx& ctx, Settings settings) {
  keep_few_arenas();
  auto house = std::make_unique<House>();
  house->settings = std::move(settings);
  TRY_OK(take_directory(*house));
  TRY_OK(open_stores(*house));
  secret::install_log_redaction(house->redaction);
  TRY_OK(open_api(*house));
  TRY_OK(open_node(*house));
  TRY_OK(open_stages(ctx, *house));
  TRY(house->git, git::Host::open(house->settings.data / "git", git_policy(*house)));
  TRY_OK(open_job_services(*house));
  TRY(house->job_pods, open_job_pods(ctx, *house));
  TRY_OK(ctx.alive());
  LOG(info, "house.open", {"data", house->settings.data.native()}, {"runtime", house->runtime->describe()});
  return house;
}

House::~House() { set_log_redaction({}); }

std::string House::url() const {
  auto reach = settings.host == "0.0.0.0" ? std::string("127.0.0.1") : settings.host;
  return fmt::format("http://{}:{}", reach, settings.port);
}

bool House::is_config_repository(const Ctx& ctx, const std::string& name) const {
  auto pipelines = client->list(ctx, kind("Pipeline"), {.ns = home});
  auto named = [&](const kube::Object& pipeline) { return pipeline["spec"]["repository"].text() == name; };
  if (pipelines && std::any_of(pipelines->items.begin(), pipelines->items.end(), named)) return true;
  auto sources = client->list(ctx, {"source.toolkit.fluxcd.io/v1", "GitRepository"}, {});
  auto has_url = [&](const kube::Object& source) {
    return embedded_repository(*this, source["spec"]["url"].text()) == name;
  };
  if (sources && std::any_of(sources->items.begin(), sources->items.end(), has_url)) return true;
  // There may be thousands of them, and the first is mostly one of those that are looked for.
  auto is_it = [&](doc::View source) { return embedded_repository(*this, source["repoURL"].text()) == name; };
  return has_any(ctx, *client, {"argoproj.io/v1alpha1", "Application"}, {}, [&](const kube::Object& one) {
    auto many = one["spec"]["sources"].items();
    return is_it(one["spec"]["source"]) || std::any_of(many.begin(), many.end(), is_it);
  });
}

}  // namespace slipway::engine
