// render, lint: what needs no server.
#include <array>
#include <set>
#include <thread>

#include "base/pool.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/findings.h"
#include "cli/large_pages.h"
#include "cli/lint_files.h"
#include "gitops/jsonnet.h"
#include "lint/lint.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"
#include "net/client.h"
#include "path/findings.h"

namespace slipway::cli {
namespace {

Result<std::string> fetched(const Ctx& ctx, const std::string& url) {
  net::Client client;
  TRY(auto answer, client.get(ctx.within(Millis(27000)), url));
  if (answer.ok()) return std::move(answer.body);
  return fail(answer.status == 404 ? Kind::not_found : Kind::unavailable, "{}: answered {}", url, answer.status);
}

Result<manifest::KustomizeOptions> kustomize_options(const Arguments& arguments, manifest::Remotes& remotes) {
  using Restrictor = manifest::KustomizeOptions::LoadRestrictor;
  using Order = manifest::KustomizeOptions::Order;
  manifest::KustomizeOptions options;
  options.remotes = &remotes;
  if (auto word = arguments.get("load-restrictor"); word == "LoadRestrictionsNone" || word == "none")
    options.load_restrictor = Restrictor::none;
  else if (word != "LoadRestrictionsRootOnly" && word != "rootOnly")
    return fail(Kind::invalid, "--load-restrictor \"{}\": want LoadRestrictionsRootOnly or LoadRestrictionsNone", word);
  if (auto word = arguments.get("reorder"); word == "none")
    options.order = Order::none;
  else if (word != "legacy")
    return fail(Kind::invalid, "--reorder \"{}\": want legacy or none", word);
  return options;
}

// As the program `jsonnet` calls them.
Result<gitops::JsonnetOptions> jsonnet_options(const Arguments& arguments) {
  gitops::JsonnetOptions options;
  for (std::string flag : {"ext-str", "ext-code", "tla-str", "tla-code"}) {
    for (const auto& word : arguments.all(flag)) {
      auto pair = cut(word, "=");
      if (!pair || pair->first.empty()) return fail(Kind::invalid, "--{} \"{}\": want NAME=VALUE", flag, word);
      auto& list = flag.starts_with("ext") ? options.external : options.arguments;
      list.push_back({std::string(pair->first), std::string(pair->second), flag.ends_with("code")});
    }
  }
  for (const auto& library : arguments.all("jpath")) {
    std::error_code error;
    auto folder = fs::canonical(library, error);
    if (error) return fail(Kind::not_found, "--jpath {}: {}", library, error.message());
    options.libraries.push_back(folder.string());
  }
  return options;
}

// Its imports may be anywhere in the repository around the folder, libraries too.
Result<std::vector<doc::Value>> render_plain(const Ctx& ctx, const std::string& folder, bool recursive,
                                             gitops::JsonnetOptions jsonnet) {
  manifest::DiskSource source(folder);
  std::error_code error;
  auto absolute = fs::canonical(folder, error);
  if (error) return fail(Kind::not_found, "{}: {}", folder, error.message());
  auto root = manifest::root_around(absolute);
  manifest::DiskSource around(root);
  for (auto& library : jsonnet.libraries) {
    auto inside = manifest::join_path("", fs::path(library).lexically_relative(root).string());
    if (!inside) return fail(Kind::denied, "--jpath {}: is not in the repository {}", library, root.string());
    library = *std::move(inside);
  }
  auto place = absolute.lexically_relative(root).string();
  if (place == ".") place.clear();
  auto evaluate = gitops::jsonnet_evaluator(ctx, around, place, jsonnet);
  TRY(auto loaded, manifest::load_folder(ctx, source, "",
                                         {.recursive = recursive,
                                          .include = "",
                                          .exclude = "",
                                          .jsonnet = [&](const std::string& path, std::string text) {
                                            return evaluate(place.empty() ? path : fmt::format("{}/{}", place, path),
                                                            std::move(text));
                                          }}));
  std::vector<doc::Value> objects;
  for (auto& entry : loaded) objects.push_back(std::move(entry.object));
  return objects;
}

// A folder here, or in a repository elsewhere: https://host/org/repo//path?ref=v1.
Result<std::vector<doc::Value>> render_folder(const Ctx& ctx, const std::string& folder, bool recursive,
                                              const manifest::KustomizeOptions& options,
                                              const gitops::JsonnetOptions& jsonnet) {
  if (manifest::is_remote(folder)) {
    TRY(auto place, manifest::remote_folder(folder));
    TRY(auto repository, options.remotes->repository(ctx, place));
    auto revision = place.revision.empty() ? std::string("HEAD") : place.revision;
    TRY(auto commit, repository.resolve(revision));
    if (!commit) return fail(Kind::not_found, "{}: no revision {}", place.url, revision);
    manifest::GitSource files(repository, *commit, nullptr,
                              place.submodules ? options.remotes->submodules(ctx, place) : nullptr);
    return manifest::kustomize_build(ctx, files, place.folder, options);
  }
  manifest::DiskSource source(folder);
  TRY(auto kustomization, manifest::find_kustomization(source, ""));
  if (kustomization) return manifest::kustomize_build(ctx, fs::path(folder), options);
  return render_plain(ctx, folder, recursive, jsonnet);
}

// As `kustomize build -o` names files in a folder: group_version_kind_name.yaml, the namespace before it where there
// are several.
Result<> write_files(const doc::List& objects, const fs::path& folder) {
  std::set<std::string> namespaces;
  for (const auto& object : objects) namespaces.insert(object.str_at({"metadata", "namespace"}));
  namespaces.erase("");
  for (const auto& object : objects) {
    auto ns = object.str_at({"metadata", "namespace"});
    auto name = fmt::format("{}{}_{}_{}.yaml", namespaces.size() > 1 && !ns.empty() ? ns + "_" : "",
                            replace_all(object.str_at({"apiVersion"}), "/", "_"), object.str_at({"kind"}),
                            replace_all(object.str_at({"metadata", "name"}), "/", "_"));
    TRY_OK(write_file(folder / lower(name), manifest::print_object(object)));
  }
  return {};
}

// Made on all cores, in pieces: the whole text of thousands of objects would be as much memory again.
Result<> print_objects(const Ctx& ctx, Io& io, const doc::List& objects) {
  constexpr std::size_t piece = 512;
  std::size_t cores = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
  for (std::size_t begin = 0; begin < objects.size(); begin += piece * cores) {
    std::vector<std::string> texts(cores);
    std::vector<std::function<Result<>(const Ctx&)>> tasks;
    for (std::size_t n = 0; n < cores && begin + n * piece < objects.size(); ++n)
      tasks.emplace_back([&, n](const Ctx&) -> Result<> {
        auto from = begin + n * piece;
        for (auto i = from; i < std::min(from + piece, objects.size()); ++i) {
          if (i > 0) texts[n] += "---\n";
          texts[n] += manifest::print_object(objects[i]);
        }
        return {};
      });
    TRY_OK(run_all(ctx, cores, std::move(tasks)));
    for (const auto& text : texts) io.print(text);
  }
  return {};
}

// What `kustomize build` takes and nothing here needs.
constexpr std::array without_effect{"enable-helm", "enable-alpha-plugins", "enable-exec", "enable-star",
                                    "as-current-user"};

Result<int> render(const Ctx& ctx, const Arguments& arguments, Io& io) {
  use_large_pages();
  doc::List all;
  bool first = true;
  manifest::MirroredRemotes remotes(data_dir(arguments) / "remotes", arguments.all("remote-host"), fetched);
  TRY(auto options, kustomize_options(arguments, remotes));
  TRY(auto jsonnet, jsonnet_options(arguments));
  for (const auto* flag : without_effect)
    if (arguments.has(flag)) io.note(fmt::format("--{} has no effect here", flag));
  auto folders = arguments.all("folder");
  if (folders.empty()) folders.emplace_back(".");
  auto file = arguments.get("output");
  for (const auto& folder : folders) {
    TRY(auto objects, render_folder(ctx, folder, arguments.has("recursive"), options, jsonnet));
    if (io.json() || !file.empty()) {
      all.insert(all.end(), std::make_move_iterator(objects.begin()), std::make_move_iterator(objects.end()));
      continue;
    }
    if (objects.empty()) continue;
    if (!std::exchange(first, false)) io.print("---\n");
    TRY_OK(print_objects(ctx, io, objects));
    // The program ends here: to take many objects apart one by one would be a good part of its time.
    static auto* last = new doc::List;
    if (&folder == &folders.back()) last->swap(objects);
  }
  if (!file.empty()) {
    TRY_OK(fs::is_directory(file) ? write_files(all, file) : write_file(file, manifest::print_objects(all)));
    return 0;
  }
  if (io.json()) io.document(std::move(all));
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

}  // namespace

std::vector<Command> local_commands() {
  Option format{"--format", "text, json lines by --output json, or sarif", false, false, "text"};
  return {
      run_command(),
      {"lint",
       "manifests, Dockerfiles and workflow files",
       "slipway lint deploy/",
       {format},
       {{"path", "folder", false, true}},
       lint},
      {"render",
       "Kustomize, plain manifests or Jsonnet to YAML on stdout",
       "slipway render overlays/production",
       {{"--recursive,-R", "folders below too, without a kustomization", true},
        {"--remote-host", "host that remote bases may come from, a glob; without it any may", false, true},
        {"--load-restrictor", "LoadRestrictionsNone: files may come from beside the kustomization's folder", false,
         false, "LoadRestrictionsRootOnly"},
        {"--reorder", "legacy, or none: objects as they come", false, false, "legacy"},
        {"--ext-str", "NAME=VALUE: an external variable of Jsonnet", false, true},
        {"--ext-code", "NAME=CODE: one whose value is Jsonnet", false, true},
        {"--tla-str", "NAME=VALUE: an argument of the function that a Jsonnet file is", false, true},
        {"--tla-code", "NAME=CODE: one whose value is Jsonnet", false, true},
        {"--jpath", "folder of the repository that Jsonnet's imports are looked for in; the last one first", false,
         true},
        {"--output,-o", "a file, or a folder that gets one for each object; or text, json"},
        {"--enable-helm", "no effect: charts are not rendered yet", true},
        {"--enable-alpha-plugins", "no effect: built-in transformers need no leave", true},
        {"--enable-exec", "no effect: no program is run", true},
        {"--enable-star", "no effect: no program is run", true},
        {"--as-current-user", "no effect: no program is run", true},
        {"--data", "data directory, for mirrors of remote bases"}},
       {{"folder", "folder, or URL of one in a repository; without it the current folder", false, true}},
       render},
  };
}

}  // namespace slipway::cli
