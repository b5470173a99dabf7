#include "cli/run_place.h"

#include "base/hash.h"
#include "doc/json.h"
#include "engine/job_clusters.h"

namespace slipway::cli {
namespace {

constexpr std::string_view work_prefix = "work-";
constexpr std::size_t max_last = 256 << 20;

// Folders of processes that are gone: nobody holds their lock.
void clean_left(const fs::path& root) {
  auto names = list_dir(root);
  if (!names) return;
  for (auto& name : *names) {
    if (!name.starts_with(work_prefix)) continue;
    auto lock = FileLock::take(root / name / "lock");
    if (!lock) continue;
    (void)engine::make_job_clusters(Ctx{}, root / name / "clusters");
    if (auto runtime = box::Runtime::open(root / name / "box"))
      (void)ci::clean_up_after_crash(root / name / "jobs", runtime->get());
    (void)remove_tree(root / name);
  }
}

}  // namespace

Result<std::unique_ptr<RunPlace>> RunPlace::open(const Arguments& arguments, const fs::path& source) {
  std::unique_ptr<RunPlace> out(new RunPlace);
  out->source_ = source;
  out->root_ = data_dir(arguments) / "run";
  TRY_OK_IN("data directory", make_dirs(out->root_, 0700));
  clean_left(out->root_);
  TRY(out->work_, TempDir::make_in(out->root_, work_prefix));
  TRY(out->lock_, FileLock::take(out->work_->path() / "lock"));
  TRY_OK(out->open_stores(arguments));
  TRY_OK(out->open_services(arguments));
  return out;
}

RunPlace::~RunPlace() = default;

Result<> RunPlace::open_stores(const Arguments& arguments) {
  auto& work = work_->path();
  auto runtime = box::Runtime::open(work / "box");
  // What would run can be told without anything to run it.
  if (!runtime && !arguments.has("plan")) return Fail(std::move(runtime).error());
  if (runtime) runtime_ = *std::move(runtime);
  TRY_OK(make_dirs(work / "jobs"));
  // Images come from, and go to, the store that `build` and `image` use.
  TRY(store_, LocalStore::open(arguments));
  TRY(blobs_, store::BlobStore::open(root_ / "blobs"));
  TRY(layers_, oci::LayerCache::open(*store_->blobs, work / "layers"));
  TRY(scanner_, scan::make_scanner({.registry = store_->registry.get()}));
  builder_ = image::make_builder({.registry = store_->registry.get(),
                                  .layers = layers_.get(),
                                  .runtime = runtime_.get(),
                                  .remote = store_->remote.get(),
                                  .root = work / "build",
                                  .registry_names = store_->names,
                                  .scanner = scanner_.get()});
  return {};
}

// What JavaScript actions talk to, for as long as it takes.
Result<> RunPlace::open_services(const Arguments& arguments) {
  TRY(cache_, ci::open_file_job_cache(root_ / "jobs"));
  TRY(service_, ci::JobService::open({.blobs = blobs_.get(), .cache = cache_.get(), .url = [this](bool) {
                                        return "http://" + server_->address();
                                      }}));
  TRY(server_, net::Server::start({.threads = 16}, service_->routes()));
  TRY(actions_, ci::ActionSource::open({.root = store_->data / "actions", .places = arguments.all("actions")}));
  clusters_ = engine::make_job_clusters(Ctx{}, work_->path() / "clusters");
  auto file = source_ / ci::ActionLock::path;
  if (!path_exists(file)) return {};
  TRY(auto text, read_file(file));
  TRY(action_lock_, ci::ActionLock::parse(text));
  return {};
}

ci::RunnerOptions RunPlace::options() {
  ci::RunnerOptions out;
  out.folder = source_;
  out.root = work_->path() / "jobs";
  out.runtime = runtime_.get();
  out.allow_unisolated = out.runtime == nullptr;  // for --plan alone, see open_stores
  out.hide = {store_->data};
  out.blobs = blobs_.get();
  out.cache = cache_.get();
  out.service = service_.get();
  out.server_url = "http://" + server_->address();
  out.actions = [this](const Ctx& ctx, const std::string& name, const std::string& ref) {
    return actions_->folder(ctx, name, ref, action_lock_ ? &*action_lock_ : nullptr);
  };
  out.registry = store_->registry.get();
  out.layers = layers_.get();
  out.remote = store_->remote.get();
  out.builder = builder_.get();
  out.scanner = scanner_.get();
  out.clusters = clusters_.get();
  out.registry_names = store_->names;
  // Two repositories have jobs of the same name.
  out.keep_failed = root_ / "kept" / sha256_hex(source_.string()).substr(0, 16);
  return out;
}

fs::path RunPlace::last_file(const std::string& file) const {
  return root_ / "last" / (sha256_hex(source_.string() + "\n" + file).substr(0, 24) + ".json");
}

Result<std::vector<ci::JobResult>> RunPlace::last(const std::string& file) const {
  auto place = last_file(file);
  if (!path_exists(place))
    return Fail(Error(Kind::not_found, fmt::format("{} has not run here: there is nothing to go on with", file))
                    .with_hint(fmt::format("slipway run {}", file)));
  TRY(auto text, read_file(place, max_last));
  TRY(auto document, doc::parse_json(text, place.string()));
  std::vector<ci::JobResult> out;
  for (auto item : doc::View(document).items()) {
    TRY(auto job, ci::job_result_from(item));
    out.push_back(std::move(job));
  }
  return out;
}

Result<> RunPlace::remember(const std::string& file, const std::vector<ci::JobResult>& jobs) const {
  doc::List list;
  for (auto& job : jobs) list.push_back(to_doc(job));
  TRY_OK(make_dirs(root_ / "last"));
  return write_file(last_file(file), doc::print_json(list), 0600);
}

void RunPlace::clean_up() {
  (void)ci::clean_up_after_crash(work_->path() / "jobs", runtime_.get());
  (void)remove_tree(work_->path());
}

}  // namespace slipway::cli
