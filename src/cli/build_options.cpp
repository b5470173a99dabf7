#include "cli/build_options.h"

#include <unistd.h>

#include <cstdlib>

#include "base/csv.h"
#include "base/text.h"
#include "base/time.h"
#include "image/context.h"

namespace slipway::cli {
namespace {

Result<std::pair<std::string, std::string>> pair_of(const std::string& option, const std::string& text) {
  auto pair = cut(text, "=");
  if (pair) return std::pair(std::string(pair->first), std::string(pair->second));
  const char* value = option == "--build-arg" ? std::getenv(text.c_str()) : nullptr;  // as docker does
  if (value != nullptr) return std::pair(text, std::string(value));
  return fail(Kind::invalid, "{} \"{}\": want NAME=VALUE", option, text);
}

std::string take(std::map<std::string, std::string>& fields, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    auto it = fields.find(name);
    if (it == fields.end()) continue;
    auto value = std::move(it->second);
    fields.erase(it);
    return value;
  }
  return {};
}

Result<> nothing_left(std::string_view option, const std::map<std::string, std::string>& fields,
                      std::string_view want) {
  if (fields.empty()) return {};
  return fail(Kind::invalid, "{}: unknown key \"{}\", want {}", option, fields.begin()->first, want);
}

// id=npm,src=.npmrc or id=token,env=TOKEN; without either the environment variable of that name.
Result<std::pair<std::string, std::string>> secret_of(const std::string& text) {
  TRY(auto fields, fields_of("--secret", text));
  take(fields, {"type"});
  auto id = take(fields, {"id"}), file = take(fields, {"src", "source"}), variable = take(fields, {"env"});
  TRY_OK(nothing_left("--secret", fields, "id, src or env"));
  if (id.empty()) return fail(Kind::invalid, "--secret \"{}\": want an id", text);
  if (!file.empty()) {
    TRY_IN(auto value, "--secret", read_file(file));
    return std::pair(id, std::move(value));
  }
  const char* value = std::getenv((variable.empty() ? id : variable).c_str());
  if (value == nullptr)
    return fail(Kind::invalid, "--secret {}: there is no environment variable {}", id,
                variable.empty() ? id : variable);
  return std::pair(id, std::string(value));
}

bool listens(const fs::path& path) {
  std::error_code error;
  return fs::is_socket(path, error);
}

// An agent of this build's own, which knows the given keys.
Result<fs::path> agent_with(const Ctx& ctx, const std::vector<std::string_view>& keys, BuildMeans& means) {
  TRY(auto folder, TempDir::make("slipway-agent"));
  auto socket = folder.path() / "agent";
  TRY_IN(auto agent, "--ssh", Child::start({.argv = {"ssh-agent", "-D", "-a", socket.native()}}, {}));
  means.agents.push_back(std::move(agent));
  means.folders.push_back(std::move(folder));
  auto soon = ctx.within(Millis(10'000));
  while (!listens(socket)) TRY_OK_IN("ssh-agent", sleep(soon, Millis(5)));
  for (auto key : keys)
    TRY_OK_IN("--ssh",
              run_ok(ctx, {.argv = {"ssh-add", "-q", std::string(key)},
                           .extra_env = {{"SSH_AUTH_SOCK", socket.native()}, {"SSH_ASKPASS_REQUIRE", "never"}}}));
  return socket;
}

// default, default=SOCKET, ID=KEY[,KEY]
Result<std::pair<std::string, fs::path>> ssh_of(const Ctx& ctx, const std::string& text, BuildMeans& means) {
  auto parts = cut(text, "=");
  std::string id(parts ? parts->first : std::string_view(text));
  if (id.empty()) return fail(Kind::invalid, "--ssh \"{}\": want default or ID=SOCKET|KEY[,KEY]", text);
  if (!parts) {
    const char* agent = std::getenv("SSH_AUTH_SOCK");
    if (agent == nullptr || *agent == '\0')
      return Fail(Error(Kind::invalid, fmt::format("--ssh {}: no agent runs here (SSH_AUTH_SOCK is not set)", id))
                      .with_hint(fmt::format("--ssh {}=KEYFILE", id)));
    return std::pair(id, fs::path(agent));
  }
  auto paths = split(parts->second, ',');
  if (paths.size() == 1 && listens(fs::path(paths[0]))) return std::pair(id, fs::absolute(fs::path(paths[0])));
  TRY(auto socket, agent_with(ctx, paths, means));
  return std::pair(id, socket);
}

Result<path::BuildCache> cache_of(const std::string& option, const std::string& text) {
  path::BuildCache cache;
  bool to = option == "--cache-to";
  if (!text.contains('=')) {  // an image's name alone, as docker takes it
    cache.type = text == "inline" ? "inline" : "registry";
    cache.where = text;
    return cache;
  }
  TRY(auto fields, fields_of(option, text));
  cache.type = take(fields, {"type"});
  auto mode = take(fields, {"mode"});
  cache.all_stages = mode == "max";
  if (!mode.empty() && mode != "max" && mode != "min")
    return fail(Kind::invalid, "{}: mode={}: want min or max", option, mode);
  cache.ignore_errors = take(fields, {"ignore-error"}) == "true";
  for (const char* ignored :
       {"image-manifest", "oci-mediatypes", "compression", "compression-level", "force-compression"})
    take(fields, {ignored});  // ours is always an OCI image, as compressed as the build is
  if (cache.type == "registry") {
    cache.where = take(fields, {"ref"});
    if (cache.where.empty()) return fail(Kind::invalid, "{}: type=registry wants ref=NAME", option);
  } else if (cache.type == "local") {
    cache.where = take(fields, {to ? "dest" : "src"});
    if (cache.where.empty()) return fail(Kind::invalid, "{}: type=local wants {}=FOLDER", option, to ? "dest" : "src");
    cache.where = fs::absolute(cache.where).native();
  } else if (cache.type != "inline" || !to) {
    return Fail(Error(Kind::unavailable, fmt::format("{}: type={}: not there", option, cache.type))
                    .with_hint(to ? "type=registry, type=local or type=inline" : "type=registry or type=local"));
  }
  TRY_OK(nothing_left(option, fields, to ? "type, ref, dest, mode or ignore-error" : "type, ref or src"));
  return cache;
}

// NAME=FOLDER, or NAME=docker-image://..., oci-layout://..., a Git address.
Result<> add_context(const std::string& text, path::BuildRequest& request) {
  TRY(auto pair, pair_of("--build-context", text));
  auto& [name, where] = pair;
  if (where.contains("://") || where.starts_with("git@"))
    request.context_urls.insert_or_assign(name, where);
  else
    request.contexts.insert_or_assign(name, fs::absolute(where));
  return {};
}

// --provenance and --sbom in the spellings of docker: true, false, mode=max; --attest type=sbom.
Result<> add_attestation(const std::string& type, const std::string& text, path::BuildRequest& request) {
  TRY(auto fields, text.contains('=') ? fields_of("--attest", text) : std::map<std::string, std::string>{});
  bool off = text == "false" || text == "0" || take(fields, {"disabled"}) == "true";
  auto mode = take(fields, {"mode"});
  for (const char* ignored : {"type", "builder-id", "inline-only", "version", "reproducible", "generator"})
    take(fields, {ignored});
  TRY_OK(nothing_left("--attest", fields, "type, mode or disabled"));
  if (type == "sbom") {
    request.sbom = !off;
    return {};
  }
  if (!mode.empty() && mode != "min" && mode != "max")
    return fail(Kind::invalid, "--provenance: mode={}: want min or max", mode);
  request.provenance = off ? "" : mode.empty() ? "min" : mode;
  return {};
}

Result<> add_attestations(const Arguments& arguments, path::BuildRequest& request) {
  for (const auto& text : arguments.all("attest")) {
    TRY(auto fields, fields_of("--attest", text));
    auto type = fields["type"];
    if (type != "sbom" && type != "provenance")
      return fail(Kind::invalid, "--attest {}: want type=sbom or type=provenance", text);
    TRY_OK(add_attestation(type, text, request));
  }
  for (const char* type : {"sbom", "provenance"})
    for (const auto& text : arguments.all(type)) TRY_OK(add_attestation(type, text, request));
  return {};
}

Result<> set_context(const Ctx& ctx, const Arguments& arguments, path::BuildRequest& request, BuildMeans& means) {
  auto given = arguments.get("context");
  auto file = arguments.get("file");
  if (image::is_remote_context(given)) {
    TRY(auto folder, TempDir::make("slipway-context"));
    image::ContextOptions options{.secrets = request.secrets, .agent = {}};
    if (auto it = request.ssh.find("default"); it != request.ssh.end()) options.agent = it->second;
    TRY_IN(auto context, "context " + given, image::fetch_context(ctx, given, options, folder.path()));
    request.context = context.folder;
    if (!context.dockerfile.empty()) request.dockerfile = context.dockerfile.native();
    if (!file.empty()) request.dockerfile = file;
    means.folders.push_back(std::move(folder));
    return {};
  }
  request.context = fs::absolute(given).lexically_normal();
  if (!fs::is_directory(request.context))
    return fail(Kind::invalid, "context {}: no such folder", request.context.native());
  if (file == "-") {
    TRY(auto text, read_all(STDIN_FILENO));
    TRY(auto folder, TempDir::make("slipway-dockerfile"));
    request.dockerfile = (folder.path() / "Dockerfile").native();
    TRY_OK(write_file(request.dockerfile, text));
    means.folders.push_back(std::move(folder));
    return {};
  }
  // As docker has it: a path from where one stands, else one in the context.
  if (!file.empty()) request.dockerfile = path_exists(file) ? fs::absolute(file).lexically_normal().native() : file;
  return {};
}

}  // namespace

Result<std::map<std::string, std::string>> fields_of(std::string_view option, const std::string& text) {
  std::map<std::string, std::string> out;
  for (const auto& field : split_quoted(text)) {
    auto parts = cut(field, "=");
    if (!parts) return fail(Kind::invalid, "{} \"{}\": want KEY=VALUE,KEY=VALUE", option, text);
    out[lower(parts->first)] = parts->second;
  }
  return out;
}

Result<BuildOutput> output_of(const std::string& text) {
  BuildOutput out;
  if (!text.contains('=')) {  // a folder, or "-" for a tar on standard output
    out.type = text == "-" ? "tar" : "local";
    out.to = text;
    return out;
  }
  TRY(auto fields, fields_of("--output", text));
  out.type = take(fields, {"type"});
  out.to = take(fields, {"dest"});
  take(fields, {"compression"});  // read by build_request
  if (out.type == "image" || out.type == "registry") {
    if (out.type == "registry") fields.erase("push");
    take(fields, {"name"});
    take(fields, {"push"});
  } else if (out.type != "local" && out.type != "tar" && out.type != "oci" && out.type != "docker") {
    return fail(Kind::invalid, "--output: type={}: want local, tar, oci, docker, image or registry", out.type);
  } else if (out.to.empty()) {
    out.to = out.type == "local" ? "" : "-";
    if (out.to.empty()) return fail(Kind::invalid, "--output: type=local wants dest=FOLDER");
  }
  for (const char* ignored : {"oci-mediatypes", "force-compression", "rewrite-timestamp", "tar", "platform-split"})
    take(fields, {ignored});
  TRY_OK(nothing_left("--output", fields, "type, dest, name, push or compression"));
  return out;
}

Result<path::BuildRequest> build_request(const Ctx& ctx, const Arguments& arguments, BuildMeans& means) {
  path::BuildRequest request;
  request.target = arguments.get("target");
  auto platforms = arguments.all("platform");
  request.platform = join(std::span<const std::string>(platforms), ",");
  request.no_cache = arguments.has("no-cache");
  for (const auto& text : arguments.all("no-cache-filter"))
    for (auto name : split(text, ',')) request.no_cache_stages.emplace_back(trim(name));
  for (const auto& text : arguments.all("allow")) {
    if (text != "security.insecure" && text != "network.host")
      return fail(Kind::invalid, "--allow {}: want security.insecure or network.host", text);
    request.allow.push_back(text);
  }
  for (const auto& text : arguments.all("build-arg")) {
    TRY(auto pair, pair_of("--build-arg", text));
    request.args.insert_or_assign(pair.first, pair.second);
  }
  for (const auto& text : arguments.all("label")) {
    TRY(auto pair, pair_of("--label", text));
    request.labels.insert_or_assign(pair.first, pair.second);
  }
  for (const auto& text : arguments.all("build-context")) TRY_OK(add_context(text, request));
  for (const auto& text : arguments.all("secret")) {
    TRY(auto pair, secret_of(text));
    request.secrets.insert_or_assign(pair.first, pair.second);
  }
  for (const auto& text : arguments.all("ssh")) {
    TRY(auto pair, ssh_of(ctx, text, means));
    request.ssh.insert_or_assign(pair.first, pair.second);
  }
  for (const auto& text : arguments.all("cache-from")) {
    TRY(auto cache, cache_of("--cache-from", text));
    request.cache_from.push_back(std::move(cache));
  }
  for (const auto& text : arguments.all("cache-to")) {
    TRY(auto cache, cache_of("--cache-to", text));
    request.cache_to.push_back(std::move(cache));
  }
  TRY_OK(add_attestations(arguments, request));
  request.compression = arguments.get("compression");
  for (const auto& text : arguments.all("output"))
    if (text.contains('=')) {
      TRY(auto fields, fields_of("--output", text));
      if (fields.contains("compression")) request.compression = fields["compression"];
    }
  if (request.compression == "uncompressed") request.compression = "none";
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH"); epoch != nullptr) {
    auto seconds = to_int(epoch);
    if (!seconds) return fail(Kind::invalid, "SOURCE_DATE_EPOCH \"{}\": want a number of seconds", epoch);
    request.source_date_epoch = *seconds;
  }
  TRY_OK(set_context(ctx, arguments, request, means));
  return request;
}

std::vector<Option> build_options() {
  return {{"--file,-f", "the Dockerfile (CONTEXT/Dockerfile); - standard input"},
          {"--tag,-t", "NAME:TAG, or HOST/NAME:TAG for another registry", false, true},
          {"--target", "stop at this stage"},
          {"--build-arg", "NAME=VALUE, or NAME from the environment", false, true},
          {"--label", "NAME=VALUE", false, true},
          {"--secret", "id=NAME,src=FILE or id=NAME,env=VARIABLE: for RUN --mount=type=secret", false, true},
          {"--ssh", "default (the running agent), ID=SOCKET or ID=KEYFILE: for RUN --mount=type=ssh", false, true},
          {"--build-context", "NAME=FOLDER, docker-image://NAME, oci-layout://FOLDER or a Git address", false, true},
          {"--platform", "like linux/arm64; several make an index", false, true},
          {"--allow", "security.insecure: RUN --security=insecure may be used", false, true},
          {"--no-cache", "do every step again", true},
          {"--no-cache-filter", "do the steps of this stage again", false, true},
          {"--cache-from", "type=registry,ref=NAME or type=local,src=FOLDER", false, true},
          {"--cache-to", "type=registry,ref=NAME, type=local,dest=FOLDER or type=inline; mode=max: all stages", false,
           true},
          {"--compression", "of new layers: gzip, zstd or none"},
          {"--provenance", "true or mode=max: how it was built, as SLSA provenance in the index", false, true},
          {"--sbom", "true: what is in it, as SPDX in the index", false, true},
          {"--attest", "type=provenance or type=sbom, in docker's spelling", false, true},
          {"--output,-o",
           "FOLDER, or type=local|tar|oci|docker,dest=PATH: the result also there; text or json: what is said", false,
           true},
          {"--push", "send it to the registries that the tags name", true},
          {"--layout", "also write an OCI layout: a folder, or a file that ends with .tar"},
          {"--iidfile", "write the image's digest to this file"},
          {"--metadata-file", "write what was built to this file, as JSON"},
          {"--check", "only look for what the Dockerfile should not do", true},
          {"--progress", "auto, plain, tty or quiet", false, false, "auto"},
          {"--quiet,-q", "only the digest", true},
          {"--data", "data directory of the store"}};
}

}  // namespace slipway::cli
