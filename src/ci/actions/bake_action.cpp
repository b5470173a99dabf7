// docker/bake-action: each target of a bake file is built as docker/build-push-action would.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/bake.h"
#include "doc/json.h"
#include "path/build_spelling.h"

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
  constexpr std::pair<const char*, const char*> refused[] = {{"dockerfile-inline", "write it as a file"}};
  for (auto& [key, hint] : refused)
    if (target.fields.contains(key))
      return Fail(Error(Kind::unavailable, fmt::format("bake: target '{}': {} is not supported", target.name, key))
                      .with_hint(hint));
  return {};
}

// "id=token,env=TOKEN" or "id=npm,src=.npmrc", as a text or as fields.
Result<> add_secrets(const BakeTarget& target, ActionUse& build) {
  const auto* secrets = target.fields.find("secret");
  if (!secrets || !secrets->is_list()) return {};
  for (const auto& item : *secrets->if_list()) {
    std::map<std::string, std::string> fields;
    if (const auto* map = item.if_map()) {
      for (const auto& [key, value] : *map) fields[std::string(key)] = text_of(value);
    } else {
      TRY(fields, path::build_fields("secret", text_of(item)));
    }
    auto id = path::take_field(fields, {"id"}), env = path::take_field(fields, {"env"});
    auto file = path::take_field(fields, {"src", "source"});
    path::take_field(fields, {"type"});
    TRY_OK(path::no_field_left("secret", fields, "id, env or src"));
    if (id.empty()) return fail(Kind::invalid, "secret: want an id");
    if (file.empty())
      build.inputs["secret-envs"] += fmt::format("{}={}\n", id, env.empty() ? id : env);
    else
      build.inputs["secret-files"] += fmt::format("{}={}\n", id, file);
  }
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
                               {"cache-from", "cache-from"},
                               {"cache-to", "cache-to"},
                               {"attest", "attests"},
                               {"ssh", "ssh"},
                               {"no-cache-filter", "no-cache-filters"}})
      if (auto lines = lines_of(target.fields.find(key)); !lines.empty()) build.inputs[input] = lines;
    build.inputs["target"] = text("target", "");
    build.inputs["no-cache"] = use.flag("no-cache", false) ? "true" : text("no-cache", "false");
    build.inputs["push"] = use.input("push", "false");
    for (const char* input : {"provenance", "sbom"})
      if (auto value = use.input(input); !value.empty()) build.inputs[input] = value;
    TRY_OK_IN(fmt::format("bake: target '{}'", target.name), add_secrets(target, build));
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
