// render, lint: what needs no server.
#include "cli/command.h"
#include "cli/findings.h"
#include "cli/lint_files.h"
#include "lint/lint.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"
#include "path/findings.h"

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
       {{"--recursive,-R", "folders below too, without a kustomization", true}},
       {{"folder", "folder"}},
       render},
  };
}

}  // namespace slipway::cli
