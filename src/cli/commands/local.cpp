// render, lint, run: what needs no server.
#include <iostream>

#include "base/text.h"
#include "box/box.h"
#include "ci/actions_source.h"
#include "ci/front_end.h"
#include "ci/runner.h"
#include "ci/service.h"
#include "cli/command.h"
#include "cli/findings.h"
#include "cli/lint_files.h"
#include "cli/local_store.h"
#include "doc/json.h"
#include "image/builder.h"
#include "lint/lint.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"
#include "path/findings.h"
#include "scan/scanner.h"

namespace slipway::cli {
namespace {

Result<int> render(const Ctx& ctx, const Arguments& arguments, Io& io) {
  fs::path folder = arguments.get("folder");
  manifest::DiskSource source(folder);
  TRY(auto kustomization, manifest::find_kustomization(source, ""));
  std::vector<doc::Value> objects;
  if (kustomization) {
    TRY(objects, manifest::kustomize_build(ctx, folder));
  } else {
    TRY(auto loaded, manifest::load_folder(ctx, source, "",
                                           {.recursive = arguments.has("recursive"), .include = "", .exclude = ""}));
    for (auto& entry : loaded) objects.push_back(std::move(entry.object));
  }
  if (io.json())
    io.document(doc::List(objects.begin(), objects.end()));
  else
    io.print(manifest::print_objects(objects));
  return 0;
}

Result<int> lint(const Ctx& ctx, const Arguments& arguments, Io& io) {
  std::vector<path::Finding> findings;
  auto paths = arguments.all("path");
  if (paths.empty()) paths.emplace_back(".");
  for (const auto& path : paths) {
    TRY(auto found, lint::lint_folder(ctx, path));
    findings.insert(findings.end(), found.begin(), found.end());
    TRY_OK(lint_workflows(path, findings));
    TRY_OK(lint_dockerfiles(ctx, path, findings));
    TRY_OK(lint_schemas(ctx, path, findings));
  }
  return show(io, std::move(findings), arguments.get("format"));
}

// Lines of all jobs, each under its job's name.
class Printer final : public ci::Observer {
 public:
  explicit Printer(Io& io) : io_(io) {}
  void job_started(const std::string&, const std::string& name) override { io_.line(io_.paint(Io::Paint::bold, name)); }
  void job_finished(const ci::JobResult& result) override {
    auto paint = result.conclusion == ci::Conclusion::failure ? Io::Paint::bad : Io::Paint::good;
    io_.line(fmt::format("{} {} ({:.2f} s){}", result.name, io_.paint(paint, to_string(result.conclusion)),
                         static_cast<double>(result.duration.count()) / 1000,
                         result.why.empty() ? "" : ": " + result.why));
  }
  void step_started(const std::string& job, const std::string&, const std::string& name) override {
    io_.line(fmt::format("{} ▸ {}", job, name));
  }
  void log(const ci::LogLine& line) override { io_.line(fmt::format("{} | {}", line.job, line.text)); }

 private:
  Io& io_;
};

Result<std::string> workflow_file(const fs::path& root, const std::string& given) {
  if (!given.empty())
    return path_exists(root / given) || given.contains('/')
               ? given
               : ".github/workflows/" + given + (given.ends_with(".yml") || given.ends_with(".yaml") ? "" : ".yml");
  std::vector<std::string> files;
  if (path_exists(root / ".github/workflows")) {
    TRY(auto names, list_dir(root / ".github/workflows"));
    for (const auto& name : names) files.push_back(".github/workflows/" + name);
  }
  if (path_exists(root / ci::gitlab_file)) files.emplace_back(ci::gitlab_file);
  std::erase_if(files, [](const auto& file) { return !ci::is_pipeline_file(file); });
  if (files.empty())
    return Fail(Error(Kind::not_found, fmt::format("no workflow below .github/workflows and no {}", ci::gitlab_file))
                    .with_hint("slipway init writes one"));
  if (files.size() != 1)
    return fail(Kind::invalid, "{} workflow files, say which: {}", files.size(), join(files, ", "));
  return files[0];
}

// What a run by hand has beside its jobs: the services that JavaScript actions talk to, for as long as it takes.
struct JobServices {
  std::unique_ptr<ci::JobCache> cache;
  std::unique_ptr<ci::JobService> service;
  std::unique_ptr<net::Server> server;
  std::shared_ptr<ci::ActionSource> actions;
  std::optional<ci::ActionLock> lock;

  Result<> open(const fs::path& work, const fs::path& root, const Arguments& arguments, store::BlobStore& blobs,
                const fs::path& data) {
    TRY(cache, ci::open_file_job_cache(work / "cache"));
    TRY(service, ci::JobService::open({.blobs = &blobs, .cache = cache.get(), .url = [this](bool) { return url(); }}));
    TRY(server, net::Server::start({.threads = 16}, service->routes()));
    TRY(actions, ci::ActionSource::open({.root = data / "actions", .places = arguments.all("actions")}));
    auto file = root / ci::ActionLock::path;
    if (!path_exists(file)) return {};
    TRY(auto text, read_file(file));
    TRY(lock, ci::ActionLock::parse(text));
    return {};
  }
  std::string url() const { return "http://" + server->address(); }
};

Result<int> run(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto root = fs::absolute(arguments.get("folder"));
  TRY(auto file, workflow_file(root, arguments.get("workflow")));
  TRY(auto text, read_file(root / file));
  ci::Event event;
  event.name = arguments.get("event");
  TRY(auto plan, ci::plan_file(text, file, event, ci::folder_tree(root)));
  if (arguments.has("plan")) {
    if (io.json())
      io.document(plan.to_doc());
    else
      io.print(plan.print());
    return 0;
  }
  TRY(auto work, TempDir::make("slipway-run"));
  TRY(auto runtime, box::Runtime::open(work.path() / "box"));
  TRY_OK(make_dirs(work.path() / "jobs"));
  // Images come from, and go to, the store that `build` and `image` use; work of this run is its own.
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto blobs, store::BlobStore::open(work.path() / "blobs"));
  TRY(auto layers, oci::LayerCache::open(*store->blobs, work.path() / "layers"));
  auto builder = image::make_builder({.registry = store->registry.get(),
                                      .layers = layers.get(),
                                      .runtime = runtime.get(),
                                      .remote = store->remote.get(),
                                      .root = work.path() / "build",
                                      .registry_names = store->names});
  TRY(auto scanner, scan::make_scanner({.registry = store->registry.get()}));
  JobServices services;
  TRY_OK(services.open(work.path(), root, arguments, *blobs, store->data));
  LastWish wish([&] {
    (void)ci::clean_up_after_crash(work.path() / "jobs", runtime.get());
    (void)remove_tree(work.path());
  });
  Printer printer(io);
  ci::RunnerOptions options;
  options.folder = root;
  options.root = work.path() / "jobs";
  options.runtime = runtime.get();
  options.blobs = blobs.get();
  options.cache = services.cache.get();
  options.cache_jobs = false;
  options.service = services.service.get();
  options.server_url = services.url();
  options.actions = [&services](const Ctx& inner, const std::string& name, const std::string& ref) {
    return services.actions->folder(inner, name, ref, services.lock ? &*services.lock : nullptr);
  };
  options.registry = store->registry.get();
  options.layers = layers.get();
  options.remote = store->remote.get();
  options.builder = builder.get();
  options.scanner = scanner.get();
  options.registry_names = store->names;
  options.only_jobs = arguments.all("job");
  options.observer = io.json() ? nullptr : &printer;
  ci::Runner runner(std::move(options));
  TRY(auto result, runner.run(ctx, plan));
  if (io.json()) {
    doc::List jobs;
    for (const auto& job : result.jobs) jobs.push_back(to_doc(job));
    io.document(doc::Map{{"conclusion", to_string(result.conclusion)}, {"jobs", std::move(jobs)}});
  }
  if (result.conclusion == ci::Conclusion::cancelled) return ctx.stop.stop_requested() ? 130 : 1;
  return result.conclusion == ci::Conclusion::success ? 0 : 1;
}

}  // namespace

std::vector<Command> local_commands() {
  Option format{"--format", "text, json lines by --output json, or sarif", false, false, "text"};
  return {
      {"run",
       "runs a workflow here and now on the working tree",
       "slipway run ci --job test",
       {{"--job,-j", "only this job and what it needs", false, true},
        {"--event", "event to run for", false, false, "push"},
        {"--folder,-C", "the repository", false, false, "."},
        {"--plan", "print what would run", true},
        {"--actions", "folder or URL/{owner}/{name}.git of mirrors of actions", false, true},
        {"--data", "data directory whose images are used"}},
       {{"workflow", "file of .github/workflows, or .gitlab-ci.yml", false}},
       run,
       true},
      {"lint",
       "manifests, Dockerfiles and workflow files",
       "slipway lint deploy/",
       {format},
       {{"path", "folder", false, true}},
       lint},
      {"render",
       "Kustomize or plain manifests to YAML on stdout",
       "slipway render overlays/production",
       {{"--recursive,-R", "folders below too, without a kustomization", true}},
       {{"folder", "folder"}},
       render},
  };
}

}  // namespace slipway::cli
