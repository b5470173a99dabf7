// render, lint: what needs no server.
#include <thread>

#include "base/pool.h"
#include "cli/command.h"
#include "cli/findings.h"
#include "cli/large_pages.h"
#include "cli/lint_files.h"
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

Result<std::vector<doc::Value>> render_folder(const Ctx& ctx, const fs::path& folder, bool recursive,
                                              manifest::Remotes& remotes) {
  manifest::DiskSource source(folder);
  TRY(auto kustomization, manifest::find_kustomization(source, ""));
  manifest::KustomizeOptions options;
  options.remotes = &remotes;
  if (kustomization) return manifest::kustomize_build(ctx, folder, options);
  std::vector<doc::Value> objects;
  TRY(auto loaded, manifest::load_folder(ctx, source, "", {.recursive = recursive, .include = "", .exclude = ""}));
  for (auto& entry : loaded) objects.push_back(std::move(entry.object));
  return objects;
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

Result<int> render(const Ctx& ctx, const Arguments& arguments, Io& io) {
  use_large_pages();
  doc::List all;
  bool first = true;
  manifest::MirroredRemotes remotes(data_dir(arguments) / "remotes", arguments.all("remote-host"), fetched);
  auto folders = arguments.all("folder");
  for (const auto& folder : folders) {
    TRY(auto objects, render_folder(ctx, folder, arguments.has("recursive"), remotes));
    if (io.json()) {
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
       "Kustomize or plain manifests to YAML on stdout",
       "slipway render overlays/production",
       {{"--recursive,-R", "folders below too, without a kustomization", true},
        {"--remote-host", "host that remote bases may come from, a glob; without it any may", false, true},
        {"--data", "data directory, for mirrors of remote bases"}},
       {{"folder", "folder", true, true}},
       render},
  };
}

}  // namespace slipway::cli
