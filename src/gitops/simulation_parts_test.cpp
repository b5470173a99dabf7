// What src/gitops/testing/sim_parts.h declares.
#include "gitops/testing/sim_parts.h"

#include "base/text.h"

namespace slipway::gitops::sim {

std::string config_map_text(const std::string& name, const std::string& value, int wave) {
  return fmt::format(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}, annotations: {{argocd.argoproj.io/sync-wave: \"{}\"}}}}\n"
      "data: {{v: \"{}\"}}\n",
      name, wave, value);
}

namespace {

// A Job and a ConfigMap, each a hook.
std::string two_hooks(const std::string& app, const std::string& policy, const std::string& first,
                      const std::string& second) {
  auto policies = policy.empty() ? "" : fmt::format(", argocd.argoproj.io/hook-delete-policy: {}", policy);
  return fmt::format(
      "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {0}-{4}, annotations: {{argocd.argoproj.io/hook: "
      "{2}{1}}}}}\n"
      "spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}}}\n"
      "---\n"
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}-{5}, annotations: {{argocd.argoproj.io/hook: "
      "{3}{1}}}}}\n"
      "data: {{v: hook}}\n",
      app, policies, first, second, lower(first), lower(second));
}

}  // namespace

std::string hook_text(const std::string& app, const std::string& policy) {
  return two_hooks(app, policy, "PreSync", "PostSync");
}
std::string deletion_hook_text(const std::string& app, const std::string& policy) {
  return two_hooks(app, policy, "PreDelete", "PostDelete");
}

namespace {

// Memory is quicker to write, where there is such a place.
fs::path quick_folder() {
  struct stat st{};
  return ::stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) ? fs::path("/dev/shm") : fs::temp_directory_path();
}

std::map<std::string, std::string> files_of(const Commit& commit) {
  std::map<std::string, std::string> files;
  for (const auto& [app, desired] : commit) {
    int wave = 0;
    for (const auto& [name, value] : desired.maps)
      files[fmt::format("{}/{}.yaml", app, name)] = config_map_text(name, value, wave++ % 2);
    if (desired.hooks) files[app + "/hooks.yaml"] = hook_text(app, desired.hook_policy);
    if (desired.deletion_hooks) files[app + "/deletion.yaml"] = deletion_hook_text(app, desired.hook_policy);
    if (desired.broken) files[app + "/broken.yaml"] = "kind: [\n";
  }
  return files;
}

}  // namespace

SimRepositories::SimRepositories(Dice& dice)
    : dice_(dice), folder_(must(TempDir::make_in(quick_folder(), "slipway-sim"))) {
  must(git::Repository::init(folder_.path()));
}

git::Repository SimRepositories::repository() const { return must(git::Repository::open(folder_.path())); }

Result<git::Repository> SimRepositories::open(const Ctx&, const std::string& url) {
  if (gone) return fail(Kind::unavailable, "{}: could not be reached", url);
  return git::Repository::open(folder_.path());
}

void SimRepositories::write(const std::string& parent, Commit wanted) {
  auto repository = this->repository();
  std::map<std::string, std::string> before;
  if (!parent.empty()) before = files_of(commits_.at(parent));
  auto after = files_of(wanted);
  std::vector<git::FileEdit> edits;
  for (const auto& [path, text] : after)
    if (auto old = before.find(path); old == before.end() || old->second != text) edits.push_back({path, text});
  for (const auto& [path, text] : before)
    if (!after.contains(path)) edits.push_back({path, std::nullopt});
  auto tree = must(repository.write_tree(parent.empty() ? git::Oid() : must(repository.tree_of(parent)), edits));
  std::vector<git::Oid> parents;
  if (!parent.empty()) parents.push_back(parent);
  auto when = WallTime(std::chrono::seconds(1'780'000'000 + ++count_));
  auto id = must(repository.write_commit(tree, parents, {"ada", "ada@example.org", when}, "change"));
  must(repository.update_ref("refs/heads/main", id, std::nullopt, "test"));
  commits_[id] = std::move(wanted);
  parents_[id] = parent;
  heads_.push_back(id);
}

void SimRepositories::commit(Commit wanted) { write(heads_.empty() ? "" : heads_.back(), std::move(wanted)); }

void SimRepositories::force_back(Commit wanted) { write(parents_.at(heads_.back()), std::move(wanted)); }

void SimRepositories::rot() {
  auto repository = this->repository();
  std::vector<std::string> ids{must(repository.tree_of(head_id()))};
  for (const auto& entry : must(repository.list(head_id()))) ids.push_back(entry.id);
  auto id = dice_.pick(ids);
  auto from = folder_.path() / "objects" / id.substr(0, 2) / id.substr(2), to = folder_.path() / ("lost-" + id);
  if (!path_exists(from)) return;
  fs::rename(from, to);
  lost_.emplace_back(from, to);
}

void SimRepositories::restore() {
  for (const auto& [from, to] : lost_) fs::rename(to, from);
  lost_.clear();
}

const Commit* SimRepositories::wanted_at(const std::string& id) const {
  auto found = commits_.find(id);
  return found == commits_.end() ? nullptr : &found->second;
}

std::vector<const Commit*> SimRepositories::heads_since(std::size_t number) const {
  std::vector<const Commit*> found;
  for (auto i = number == 0 ? 0 : number - 1; i < heads_.size(); ++i) found.push_back(&commits_.at(heads_[i]));
  return found;
}

// -- the client
// ---------------------------------------------------------------------------------------------------------

Result<SimClient::Fate> SimClient::call(bool write) {
  if (dead()) return fail(Kind::cancelled, "killed");
  ++calls_;
  if (around_.steps != nullptr) ++*around_.steps;
  if (around_.meanwhile && !inside_) {
    inside_ = true;
    around_.meanwhile();
    inside_ = false;
    if (dead()) return fail(Kind::cancelled, "killed");
  }
  auto& life = *around_.life;
  if (life.left > 0 && --life.left == 0) {
    life.dead = true;
    // Killed before the call, or after it and before its answer.
    if (!write || around_.dice->chance(500)) return fail(Kind::cancelled, "killed");
    return Fate::lost_answer;
  }
  if (around_.away && around_.away()) return fail(Kind::unavailable, "no route to host");
  if (!around_.dice->chance(around_.fault_rate)) return Fate::fine;
  switch (around_.dice->below(write ? 5 : 3)) {
    case 0:
      return fail(Kind::unavailable, "connection refused");
    case 1:
      return fail(Kind::timeout, "no answer in time");
    case 2:
      return Fail(Error(Kind::unavailable, "too many requests").with_retry_after(Millis(1000)));
    case 3:
      return fail(Kind::conflict, "the object has been modified");
    default:
      return Fate::lost_answer;
  }
}

Result<kube::Object> SimClient::write(const Ctx& ctx, const std::string& verb, const kube::Type& type,
                                      const kube::Key& key, bool dry_run, const doc::Value& object,
                                      const std::function<Result<kube::Object>()>& real) {
  TRY(auto fate, call(!dry_run));
  if (dry_run) return real();
  TRY(auto before, behind_->get(ctx, type, key));
  if (around_.about_to_write) around_.about_to_write(verb, kube::Object(object));
  TRY(auto after, real());
  if (!before || before->resource_version() != after.resource_version())
    around_.log->events.push_back({before ? kube::Event::Type::modified : kube::Event::Type::added, after});
  if (around_.wrote) around_.wrote(before.value_or(kube::Object()), after);
  if (fate == Fate::lost_answer)
    return dead() ? fail(Kind::cancelled, "killed") : fail(Kind::timeout, "no answer in time");
  return after;
}

Result<std::optional<kube::Object>> SimClient::get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) {
  TRY_OK(call(false));
  return behind_->get(ctx, type, key);
}
Result<kube::ObjectList> SimClient::list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) {
  TRY_OK(call(false));
  return behind_->list(ctx, type, options);
}
Result<std::unique_ptr<kube::Watch>> SimClient::watch(const Ctx&, const kube::Type& type, const kube::WatchOptions&) {
  return fail(Kind::internal, "{}: the simulation tells of events itself", type.kind);
}
Result<kube::Object> SimClient::create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) {
  kube::Object probe{doc::Value(object)};
  return write(ctx, "create", probe.type(), probe.key(), options.dry_run, object,
               [&] { return behind_->create(ctx, object, options); });
}
Result<kube::Object> SimClient::update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) {
  kube::Object probe{doc::Value(object)};
  return write(ctx, "update", probe.type(), probe.key(), options.dry_run, object,
               [&] { return behind_->update(ctx, object, options); });
}
Result<kube::Object> SimClient::patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                                      kube::PatchType kind, const doc::Value& patch,
                                      const kube::WriteOptions& options) {
  return write(ctx, "patch", type, key, options.dry_run, kube::make_object(type, key),
               [&] { return behind_->patch(ctx, type, key, kind, patch, options); });
}
Result<kube::Object> SimClient::apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) {
  kube::Object probe{doc::Value(object)};
  return write(ctx, "apply", probe.type(), probe.key(), options.dry_run, object,
               [&] { return behind_->apply(ctx, object, options); });
}
Result<> SimClient::remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                           const kube::RemoveOptions& options) {
  TRY(auto fate, call(true));
  TRY(auto before, behind_->get(ctx, type, key));
  if (before && around_.about_to_write) around_.about_to_write("remove", *before);
  // Nobody collects garbage here.
  auto used = options;
  used.propagation = kube::RemoveOptions::Propagation::background;
  TRY_OK(behind_->remove(ctx, type, key, used));
  TRY(auto after, behind_->get(ctx, type, key));
  if (!after)
    around_.log->events.push_back({kube::Event::Type::deleted, *before});
  else
    around_.log->events.push_back({kube::Event::Type::modified, *after});
  if (fate == Fate::lost_answer)
    return dead() ? fail(Kind::cancelled, "killed") : fail(Kind::timeout, "no answer in time");
  return {};
}
Result<kube::Client::Resource> SimClient::resource(const Ctx& ctx, const kube::Type& type) {
  TRY_OK(call(false));
  return behind_->resource(ctx, type);
}

// -- people
// -------------------------------------------------------------------------------------------------------------

std::optional<kube::Object> Person::get(const kube::Type& type, const kube::Key& key) {
  return must(client_->get(Ctx(), type, key));
}
void Person::create(doc::Value object) {
  log_.events.push_back({kube::Event::Type::added, must(client_->create(Ctx(), std::move(object), {}))});
}
void Person::merge(const kube::Type& type, const kube::Key& key, std::string_view yaml,
                   const std::string& subresource) {
  auto changed = client_->patch(Ctx(), type, key, kube::PatchType::merge, must(doc::parse_yaml(yaml)),
                                {.field_manager = "ada", .subresource = subresource});
  if (changed) log_.events.push_back({kube::Event::Type::modified, *std::move(changed)});
}
void Person::remove(const kube::Type& type, const kube::Key& key) {
  auto before = get(type, key);
  if (!before || !client_->remove(Ctx(), type, key, {})) return;
  auto after = get(type, key);
  log_.events.push_back({after ? kube::Event::Type::modified : kube::Event::Type::deleted, after ? *after : *before});
}

}  // namespace slipway::gitops::sim
