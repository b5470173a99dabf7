#pragma once
// Jsonnet in plain folders, as Argo CD evaluates it: what an Application says of it, and where imports are looked for.
#include "gitops/kustomize_block.h"
#include "manifest/load.h"
#include "script/script.h"

namespace slipway::gitops {

struct JsonnetOptions {
  std::vector<script::Jsonnet::Variable> external, arguments;
  std::vector<std::string> libraries;  // folders of the repository; the last one is asked first
};
// An Application's directory.jsonnet. Errors: invalid, naming the field.
Result<JsonnetOptions> jsonnet_from(doc::View block);
// With the build environment in the values of variables.
JsonnetOptions with_environment(JsonnetOptions options, const Variables& variables);

// For LoadOptions::jsonnet of this folder; the arguments must outlive it. Imports are looked for beside the file that
// imports, in the libraries and in the folder, never outside of `files`. Errors: invalid (file:line:column), and those
// of `files` and of the process that evaluates.
std::function<Result<doc::Value>(const std::string& path, std::string text)> jsonnet_evaluator(
    const Ctx& ctx, manifest::FileSource& files, const std::string& folder, const JsonnetOptions& options);

}  // namespace slipway::gitops
