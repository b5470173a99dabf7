#include "cli/build_options.h"

#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "base/time.h"
#include "image/context.h"
#include "path/build_spelling.h"

namespace slipway::cli {
namespace {

Result<std::pair<std::string, std::string>> pair_of(const std::string& option, const std::string& text) {
  auto pair = cut(text, "=");
  if (pair) return std::pair(std::string(pair->first), std::string(pair->second));
  const char* value = option == "--build-arg" ? std::getenv(text.c_str()) : nullptr;  // as docker does
  if (value != nullptr) return std::pair(text, std::string(value));
  return fail(Kind::invalid, "{} \"{}\": want NAME=VALUE", option, text);
}

// id=npm,src=.npmrc or id=token,env=TOKEN; without either the environment variable of that name.
Result<std::pair<std::string, std::string>> secret_of(const std::string& text) {
  TRY(auto fields, path::build_fields("--secret", text));
  path::take_field(fields, {"type"});
  auto id = path::take_field(fields, {"id"}), file = path::take_field(fields, {"src", "source"}),
       variable = path::take_field(fields, {"env"});
  TRY_OK(path::no_field_left("--secret", fields, "id, src or env"));
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
  std::vector<std::string> keys;
  for (auto path : paths) {
    TRY_IN(auto key, "--ssh", read_file(fs::path(path), 1 << 20));
    keys.push_back(std::move(key));
  }
  TRY_IN(auto agent, "--ssh", image::KeyAgent::start(ctx, keys));
  auto socket = agent.socket();
  means.agents.push_back(std::move(agent));
  return std::pair(id, socket);
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

Result<> add_attestations(const Arguments& arguments, path::BuildRequest& request) {
  for (const auto& text : arguments.all("attest")) TRY_OK(path::add_attestation("--attest", "", text, request));
  for (const char* type : {"sbom", "provenance"})
    for (const auto& text : arguments.all(type))
      TRY_OK(path::add_attestation(fmt::format("--{}", type), type, text, request));
  return {};
}

// A local cache is where one stands.
Result<path::BuildCache> cache_of(std::string_view option, const std::string& text, path::CacheUse use) {
  TRY(auto cache, path::parse_build_cache(option, text, use));
  if (cache.type == "local") cache.where = fs::absolute(cache.where).native();
  return cache;
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

Result<BuildOutput> output_of(const std::string& text) {
  BuildOutput out;
  if (!text.contains('=')) {  // a folder, or "-" for a tar on standard output
    out.type = text == "-" ? "tar" : "local";
    out.to = text;
    return out;
  }
  TRY(auto fields, path::build_fields("--output", text));
  out.type = path::take_field(fields, {"type"});
  out.to = path::take_field(fields, {"dest"});
  path::take_field(fields, {"compression"});  // read by build_request
  if (out.type == "image" || out.type == "registry") {
    if (out.type == "registry") fields.erase("push");
    path::take_field(fields, {"name"});
    path::take_field(fields, {"push"});
  } else if (out.type != "local" && out.type != "tar" && out.type != "oci" && out.type != "docker") {
    return fail(Kind::invalid, "--output: type={}: want local, tar, oci, docker, image or registry", out.type);
  } else if (out.to.empty()) {
    out.to = out.type == "local" ? "" : "-";
    if (out.to.empty()) return fail(Kind::invalid, "--output: type=local wants dest=FOLDER");
  }
  for (const char* ignored : {"oci-mediatypes", "force-compression", "rewrite-timestamp", "tar", "platform-split"})
    path::take_field(fields, {ignored});
  TRY_OK(path::no_field_left("--output", fields, "type, dest, name, push or compression"));
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
  for (const auto& text : arguments.all("annotation")) TRY_OK(path::add_annotation("--annotation", text, request));
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
    TRY(auto cache, cache_of("--cache-from", text, path::CacheUse::from));
    request.cache_from.push_back(std::move(cache));
  }
  for (const auto& text : arguments.all("cache-to")) {
    TRY(auto cache, cache_of("--cache-to", text, path::CacheUse::to));
    request.cache_to.push_back(std::move(cache));
  }
  TRY_OK(add_attestations(arguments, request));
  request.compression = arguments.get("compression");
  for (const auto& text : arguments.all("output"))
    if (text.contains('=')) {
      TRY(auto fields, path::build_fields("--output", text));
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
          {"--annotation", "NAME=VALUE of the manifest, or index:NAME=VALUE", false, true},
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
