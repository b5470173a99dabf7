// docker/bake-action: each target of a bake file is built as docker/build-push-action would.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/bake.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr const char* usual_files[] = {"docker-bake.json", "docker-bake.override.json", "docker-bake.hcl",
                                       "docker-bake.override.hcl"};

std::string text_of(const doc::Value& value) {
  if (const auto* text = value.if_string()) return *text;
  return value.is_null() ? std::string() : doc::print_json(value);
}

std::string lines_of(const doc::Value* value) {
  std::string out;
  if (value && value->is_list())
    for (auto& item : *value->if_list()) out += text_of(item) + "\n";
  if (value && value->is_map())
    for (auto& [key, item] : *value->if_map())
      if (!item.is_null()) out += fmt::format("{}={}\n", key, text_of(item));
  if (value && value->is_string()) out = *value->if_string();
  return out;
}

Result<doc::Value> read_files(ActionUse& use, const std::string& folder) {
  std::vector<std::string> names = use.list("files");
  for (auto& name : names)
    if (name.starts_with("cwd://")) name.erase(0, 6);
  bool given = !names.empty();
  if (!given) names.assign(std::begin(usual_files), std::end(usual_files));
  doc::Value all{doc::Map()};
  bool any = false;
  for (auto& name : names) {
    if (name.ends_with(".yml") || name.ends_with(".yaml"))
      return Fail(Error(Kind::unavailable, fmt::format("{}: compose files are not read as bake files", name))
                      .with_hint("write the targets in docker-bake.hcl"));
    TRY(auto file, use.job.relative_of(name.starts_with('/') ? name : folder + "/" + name));
    if (!use.job.folder().has_file(file)) {
      if (given) return fail(Kind::not_found, "bake file {}: no such file", name);
      continue;
    }
    TRY(auto text, use.job.folder().read(file, 1 << 20));
    TRY(auto one, parse_bake(text, name));
    merge_bake(all, one), any = true;
  }
  if (!any)
    return Fail(Error(Kind::not_found, fmt::format("no bake file in {}", folder))
                    .with_hint("is there an actions/checkout step before? else name it in files"));
  return all;
}

Result<> refuse(const BakeTarget& target) {
  constexpr std::pair<const char*, const char*> refused[] = {
      {"dockerfile-inline", "write it as a file"},
      {"ssh", "give what the build needs as a secret"},
      {"secret", "build that target by docker/build-push-action, which takes `secrets`"}};
  for (auto& [key, hint] : refused)
    if (target.fields.contains(key))
      return Fail(Error(Kind::unavailable, fmt::format("bake: target '{}': {} is not supported", target.name, key))
                      .with_hint(hint));
  return {};
}

}  // namespace

Result<> docker_bake(const Ctx& ctx, ActionUse& use) {
  auto folder = use.input("workdir", use.input("source", "."));
  if (folder.contains("://") || folder.starts_with("{{"))
    return Fail(Error(Kind::unavailable, fmt::format("source {}: only folders of the job are built here", folder))
                    .with_hint("check the repository out and write source: ."));
  TRY(auto file, read_files(use, folder));
  std::vector<std::string> wanted;
  for (auto& line : use.list("targets"))
    for (auto part : split(line, ','))
      if (!trim(part).empty()) wanted.emplace_back(trim(part));
  auto env = use.job.scope(*use.step.frame, &use.step).context("env");
  auto variable = [&](const std::string& name) -> std::optional<std::string> {
    auto value = env.member(name);
    return value.is_null() ? std::nullopt : std::optional(value.text());
  };
  TRY(auto targets, bake_targets(file, wanted, use.list("set"), variable));
  doc::Map metadata;
  for (auto& target : targets) {
    TRY_OK(refuse(target));
    ActionUse build{use.job, use.step, "docker/build-push-action", "v6", {}};
    auto text = [&](const char* key, std::string fallback) {
      const auto* value = target.fields.find(key);
      return value ? text_of(*value) : std::move(fallback);
    };
    auto context = text("context", ".");
    if (!context.contains("://")) context = (fs::path(folder) / context).lexically_normal().string();
    build.inputs["context"] = context;
    if (auto dockerfile = text("dockerfile", ""); !dockerfile.empty())
      build.inputs["file"] = (fs::path(context) / dockerfile).lexically_normal().string();
    for (auto& [key, input] : {std::pair{"tags", "tags"},
                               {"args", "build-args"},
                               {"labels", "labels"},
                               {"platforms", "platforms"},
                               {"contexts", "build-contexts"},
                               {"output", "outputs"},
                               {"no-cache-filter", "no-cache-filters"}})
      if (auto lines = lines_of(target.fields.find(key)); !lines.empty()) build.inputs[input] = lines;
    build.inputs["target"] = text("target", "");
    build.inputs["no-cache"] = use.flag("no-cache", false) ? "true" : text("no-cache", "false");
    build.inputs["push"] = use.input("push", "false");
    use.say(fmt::format("Target {}", target.name));
    TRY_OK_IN(fmt::format("target {}", target.name), docker_build_push(ctx, build));
    auto made = doc::parse_json(use.step.record->outputs["metadata"], "metadata");
    if (made) metadata.set(target.name, *std::move(made));
  }
  for (const auto* own : {"digest", "imageid"}) use.step.record->outputs.erase(own);
  use.output("metadata", doc::print_json_pretty(metadata));
  return {};
}

}  // namespace slipway::ci
