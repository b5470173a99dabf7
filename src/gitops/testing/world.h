#pragma once
// A cluster API, a bare repository and a clock of its own for a test, and looks taken by hand.
#include <atomic>

#include "base/testing/clock.h"
#include "base/text.h"
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "gitops/sync.h"
#include "path/crds.h"

namespace slipway::gitops {

inline const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

// Repositories of the test, by URL.
class TestRepositories final : public Repositories {
 public:
  TestRepositories() : folder_(must(TempDir::make("slipway-gitops"))) {}
  Result<git::Repository> open(const Ctx&, const std::string& named) override {
    ++opened;
    std::string url(url_of_apart(named));
    if (gone) return fail(Kind::unavailable, "{}: could not be reached", url);
    if (!path_exists(path(url))) return fail(Kind::not_found, "{}: no such repository", url);
    return git::Repository::open(path(url));
  }
  Result<std::map<std::string, std::string>> hosted(const Ctx& ctx) override {
    auto all = *hosts.lock();
    return all.empty() ? Repositories::hosted(ctx) : Result<std::map<std::string, std::string>>(std::move(all));
  }
  // A commit on main with these files changed; nothing deletes one. Gives its id.
  std::string commit(const std::string& url, const std::map<std::string, std::optional<std::string>>& files) {
    std::vector<git::FileEdit> edits;
    for (const auto& [file, content] : files) edits.push_back({file, content});
    return commit_edits(url, edits);
  }
  std::string commit_edits(const std::string& url, const std::vector<git::FileEdit>& edits) {
    auto repository =
        path_exists(path(url)) ? must(git::Repository::open(path(url))) : must(git::Repository::init(path(url)));
    auto tip = must(repository.resolve("refs/heads/main"));
    auto tree = must(repository.write_tree(tip ? must(repository.tree_of(*tip)) : git::Oid(), edits));
    std::vector<git::Oid> parents;
    if (tip) parents.push_back(*tip);
    auto id = must(repository.write_commit(
        tree, parents, {"ada", "ada@example.org", WallTime(std::chrono::seconds(1'780'000'000 + ++commits_))},
        "change"));
    must(repository.update_ref("refs/heads/main", id, std::nullopt, "test"));
    return id;
  }
  Guarded<std::map<std::string, std::string>> hosts;
  std::atomic<int> opened = 0;
  std::atomic<bool> gone = false;

 private:
  fs::path path(const std::string& url) const { return folder_.path() / url.substr(url.rfind('/') + 1); }
  TempDir folder_;
  int commits_ = 0;
};

// Fails or counts the calls of the client behind it.
class FaultClient final : public kube::Client {
 public:
  explicit FaultClient(std::shared_ptr<kube::Client> behind) : behind_(std::move(behind)) {}
  // Called before each write that is no dry run: "apply ConfigMap shop/a".
  std::function<Result<>(const std::string&)> before_write;
  // The same with dry runs and reads: "get ConfigMap shop/a".
  std::function<Result<>(const std::string&)> before;
  std::vector<std::string> writes;
  Guarded<std::set<kube::Type>> watched;
  std::condition_variable_any watching;  // one more
  // No garbage collector runs here: what is deleted in the foreground goes at once, or stays until the test lets it go.
  bool collects = true;

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    TRY_OK(note("get", type, key, true));
    return behind_->get(ctx, type, key);
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    return behind_->list(ctx, type, options);
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    watched.lock()->insert(type);
    watching.notify_all();
    return behind_->watch(ctx, type, options);
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(note("create", object, options.dry_run));
    return behind_->create(ctx, std::move(object), options);
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(note("update", object, options.dry_run));
    return behind_->update(ctx, std::move(object), options);
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    TRY_OK(note("patch", type, key, options.dry_run));
    return behind_->patch(ctx, type, key, kind, patch, options);
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(note("apply", object, options.dry_run));
    return behind_->apply(ctx, std::move(object), options);
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    TRY_OK(note("remove", type, key, false));
    auto used = options;
    if (collects && used.propagation == kube::RemoveOptions::Propagation::foreground)
      used.propagation = kube::RemoveOptions::Propagation::background;
    return behind_->remove(ctx, type, key, used);
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override { return behind_->resource(ctx, type); }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override { return behind_->resources(ctx); }

 private:
  Result<> note(const std::string& verb, const kube::Type& type, const kube::Key& key, bool harmless) {
    auto what = fmt::format("{} {} {}", verb, type.kind, key.str());
    if (before) TRY_OK(before(what));
    if (harmless) return {};
    if (before_write) TRY_OK(before_write(what));
    writes.push_back(std::move(what));
    return {};
  }
  Result<> note(const std::string& verb, const doc::Value& object, bool harmless) {
    kube::Object probe{doc::Value(object)};
    return note(verb, probe.type(), probe.key(), harmless);
  }
  std::shared_ptr<kube::Client> behind_;
};

// One Application "shop" of http://git/config into namespace shop, looked at by hand as the controller would.
struct World {
  // What the API server's webhooks would do to ConfigMaps.
  std::function<void(doc::Value& next)> webhook;
  cluster::TestApi api = cluster::make_test_api(
      {.crds = path::builtin_crds(),
       .namespaces = {"argocd"},
       .admit = [this](const Ctx&, const auto&, const std::string&, const kube::Object&, doc::Value& next) -> Result<> {
         if (webhook && next.str_at({"kind"}) == "ConfigMap") webhook(next);
         return {};
       }});
  std::shared_ptr<FaultClient> client = std::make_shared<FaultClient>(api.client("gitops"));
  std::shared_ptr<kube::Client> person = api.client("ada");
  TestRepositories repositories;
  FakeClock clock;
  std::unique_ptr<Renderer> renderer = std::make_unique<Renderer>(repositories);
  std::unique_ptr<Comparer> comparer = std::make_unique<Comparer>();
  std::unique_ptr<HealPacer> pacer = std::make_unique<HealPacer>(clock);
  std::vector<Drift> drifts;
  std::optional<Millis> again;
  std::shared_ptr<const Destination> place;  // whose objects `client` has; null: our own cluster's
  std::function<Result<std::shared_ptr<kube::Client>>(const std::string& user)> as_user;
  static constexpr std::string_view url = "http://git/config";
  kube::Key key{"argocd", "shop"};

  World() { must(person->create(ctx(), kube::make_object({"v1", "Namespace"}, {"", "shop"}), {})); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  Ctx ctx() const {
    Ctx context;
    context.clock = &clock;
    return context;
  }
  std::string commit(const std::map<std::string, std::optional<std::string>>& files) {
    return repositories.commit(std::string(url), files);
  }
  // `policy` and what follows it, in YAML, at the depth of spec.
  void application(std::string_view spec = "syncPolicy: {automated: {prune: true, selfHeal: true}}",
                   std::string_view metadata = "") {
    auto text = fmt::format(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd{}}}\nspec:\n",
        metadata);
    if (spec.find("destination") == std::string_view::npos)
      text += "  destination: {server: 'https://kubernetes.default.svc', namespace: shop}\n";
    if (spec.find("source:") == std::string_view::npos && spec.find("sources:") == std::string_view::npos)
      text += fmt::format("  source: {{repoURL: {}, path: ., targetRevision: main}}\n", url);
    for (auto line : lines(spec)) text += fmt::format("  {}\n", line);
    must(person->apply(ctx(), must(doc::parse_yaml(text)), {.force = true}));
  }
  // What a controller does with one look; a new World's parts would do as well (`restart`).
  Result<> try_look() {
    TRY(auto app, client->get(ctx(), application_type, key));
    if (!app) return {};
    SyncContext context{*client, *renderer, *comparer, *pacer, [this](const Drift& drift) { drifts.push_back(drift); }};
    TRY(context.customizations, read_customizations(ctx(), *person));
    context.place = place, context.as_user = as_user;
    TRY(auto looked, look(ctx(), context, *app));
    again = looked.again;
    if (looked.status.is_null()) return {};
    doc::List patch{doc::Map{{"op", "add"}, {"path", "/status"}, {"value", looked.status}}};
    if (!looked.under_way && app->value().find("operation") != nullptr)
      patch.emplace_back(doc::Map{{"op", "remove"}, {"path", "/operation"}});
    TRY_OK(client->patch(ctx(), application_type, key, kube::PatchType::json, std::move(patch),
                         {.field_manager = std::string(status_manager)}));
    return {};
  }
  kube::Object look_once() {
    must(try_look());
    auto app = must(person->get(ctx(), application_type, key));
    return app ? *app : kube::Object();
  }
  // The controller dies and another takes over: nothing is remembered.
  void restart() {
    renderer = std::make_unique<Renderer>(repositories);
    comparer = std::make_unique<Comparer>();
    pacer = std::make_unique<HealPacer>(clock);
  }
  std::optional<kube::Object> live(const kube::Type& type, const std::string& name, const std::string& ns = "shop") {
    return must(person->get(ctx(), type, {ns, name}));
  }
  bool has(const std::string& config_map) { return live({"v1", "ConfigMap"}, config_map).has_value(); }
  void merge(const kube::Type& type, const kube::Key& which, std::string_view yaml,
             const std::string& subresource = "") {
    must(person->patch(ctx(), type, which, kube::PatchType::merge, must(doc::parse_yaml(yaml)),
                       {.field_manager = "ada", .subresource = subresource}));
  }
  // The data of ConfigMap argocd-cm, in YAML.
  void settings(std::string_view data) {
    auto map = kube::make_object(settings_type, settings_key);
    map["data"] = must(doc::parse_yaml(data));
    must(person->apply(ctx(), std::move(map), {.force = true}));
  }
  void request(std::string_view sync = "{}") {
    merge(application_type, key, fmt::format("{{operation: {{sync: {}, initiatedBy: {{username: ada}}}}}}", sync));
  }
};

inline std::string config_map(std::string_view name, std::string_view value = "1", std::string_view annotations = "") {
  return fmt::format(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}, annotations: {{{}}}}}\ndata: {{v: \"{}\"}}\n", name,
      annotations, value);
}
inline std::string phase_of(const kube::Object& app) { return app["status"]["operationState"]["phase"].text(); }
inline std::string message_of(const kube::Object& app) { return app["status"]["operationState"]["message"].text(); }
// "ComparisonError: text|..."
inline std::string conditions_of(const kube::Object& app) {
  std::vector<std::string> all;
  for (const auto& c : app["status"]["conditions"].items())
    all.push_back(c["type"].text() + ": " + c["message"].text());
  return join(all, "|");
}

}  // namespace slipway::gitops
