#include "ci/actions/build_request.h"

#include <fcntl.h>

#include "base/text.h"
#include "ci/actions/image_tags.h"
#include "ci/detail/images.h"
#include "path/build_spelling.h"

namespace slipway::ci {

std::vector<std::string> words_of(const ActionUse& use, std::string_view input) {
  std::vector<std::string> out;
  for (auto& line : use.list(input))
    for (auto part : split(line, ','))
      if (!trim(part).empty()) out.emplace_back(trim(part));
  return out;
}

namespace {

Result<std::map<std::string, std::string>> pairs(const ActionUse& use, std::string_view input) {
  std::map<std::string, std::string> out;
  for (auto& line : use.list(input)) {
    auto pair = cut(line, "=");
    if (!pair) return fail(Kind::invalid, "{}: \"{}\": want NAME=value", input, line);
    out[std::string(trim(pair->first))] = pair->second;
  }
  return out;
}

// What a builder of a folder at a time cannot do is refused, not left out in silence.
Result<> refuse(ActionUse& use) {
  constexpr std::pair<const char*, const char*> refused[] = {
      {"add-hosts", "builds resolve names as this machine does"},
      {"cgroup-parent", "builds run below the runner's own limits"}};
  for (auto& [input, hint] : refused)
    if (!use.list(input).empty())
      return Fail(
          Error(Kind::unavailable, fmt::format("{}: is not supported by slipway's builder", input)).with_hint(hint));
  if (auto call = use.input("call", "build"); call != "build")
    return Fail(Error(Kind::unavailable, fmt::format("call {}: build alone is supported", call))
                    .with_hint("`slipway lint` checks Dockerfiles"));
  for (auto& line : use.list("outputs")) {
    std::string type = "image";
    for (auto& [key, value] : tag_fields(line)) {
      if (key == "type") type = value;
      if (key == "dest" || type == "local" || type == "tar" || type == "oci" || type == "cacheonly")
        return Fail(
            Error(Kind::unavailable, fmt::format("outputs: \"{}\": images go to this machine's store alone", line))
                .with_hint("`slipway image export` writes one as an OCI layout"));
    }
    if (type != "image" && type != "registry" && type != "docker")
      return fail(Kind::invalid, "outputs: \"{}\": unknown type {}, want image, registry or docker", line, type);
  }
  return {};
}

Result<> add_secrets(ActionUse& use, path::BuildRequest& out) {
  TRY(out.secrets, pairs(use, "secrets"));
  TRY(auto from_env, pairs(use, "secret-envs"));
  auto env = use.job.scope(*use.step.frame, &use.step).context("env");
  for (auto& [id, name] : from_env) {
    auto value = env.member(name);
    if (value.is_null()) return fail(Kind::not_found, "secret-envs: {}: there is no variable {}", id, name);
    out.secrets[id] = value.text();
  }
  TRY(auto from_files, pairs(use, "secret-files"));
  for (auto& [id, file] : from_files) {
    TRY(auto relative, use.job.relative_of(file));
    if (!use.job.folder().has_file(relative))
      return fail(Kind::not_found, "secret-files: {}: no such file {}", id, file);
    TRY(out.secrets[id], use.job.folder().read(relative, 1 << 20));
  }
  for (auto& [id, value] : out.secrets) use.job.add_mask(value);
  return {};
}

// By a descriptor: what a folder's name leads to may change while it is built.
Result<fs::path> held_folder(ActionUse& use, WantedBuild& out, const std::string& relative) {
  TRY(auto fd,
      open_beneath(use.job.folder().home(), relative.empty() ? "." : relative, O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto path = fs::path(fmt::format("/proc/self/fd/{}/.", fd.get()));
  out.held.push_back(std::move(fd));
  return path;
}

Result<> add_contexts(ActionUse& use, WantedBuild& out) {
  TRY(auto named, pairs(use, "build-contexts"));
  for (auto& [name, where] : named) {
    if (where.starts_with("oci-layout://"))
      return Fail(Error(Kind::unavailable, fmt::format("build-contexts: {}={}: layouts are not read here", name, where))
                      .with_hint("name a folder of the job, docker-image://NAME, or a Git repository"));
    if (where.contains("://") || where.starts_with("git@")) {
      out.request.context_urls[name] = where;
      continue;
    }
    TRY(auto relative, use.job.relative_of(where));
    if (!use.job.folder().has_folder(relative))
      return fail(Kind::not_found, "build-contexts: {}: no such folder {}", name, where);
    use.job.folder().looked_at(Look::whole, relative);
    TRY(out.request.contexts[name], held_folder(use, out, relative));
  }
  return {};
}

// One outside of the context is read here, with the list of what to ignore that belongs to it.
Result<> add_dockerfile(ActionUse& use, WantedBuild& out, const std::string& context) {
  auto file = use.input("file");
  if (file.empty()) return {};
  auto& folder = use.job.folder();
  TRY(auto relative, use.job.relative_of(file));
  if (!folder.has_file(relative)) return fail(Kind::not_found, "Dockerfile {}: no such file", file);
  auto within = fs::path(relative).lexically_relative(context.empty() ? "." : context);
  if (!within.empty() && *within.begin() != "..") {
    out.request.dockerfile = within.string();
    return {};
  }
  TRY(auto aside, TempDir::make_in(folder.base(), "dockerfile"));
  auto name = fs::path(relative).filename();
  for (const char* suffix : {"", ".dockerignore"}) {
    if (!folder.has_file(relative + suffix)) continue;
    TRY(auto text, folder.read(relative + suffix, 16 << 20));
    TRY_OK(write_file(aside.path() / (name.string() + suffix), text));
  }
  out.request.dockerfile = (aside.path() / name).string();
  out.folders.push_back(std::move(aside));
  return {};
}

// The builder keeps every step itself, on this machine: what GitHub's or a cloud's cache is to others.
bool is_kept_anyway(std::string_view type) { return type == "gha" || type == "s3" || type == "azblob"; }

Result<> add_cache(ActionUse& use, WantedBuild& out, const std::string& text, path::CacheUse kind) {
  auto& folder = use.job.folder();
  bool to = kind == path::CacheUse::to;
  const char* input = to ? "cache-to" : "cache-from";
  if (text.contains('=')) {
    TRY(auto fields, path::build_fields(input, text));
    if (is_kept_anyway(fields["type"])) {
      use.say(fmt::format("{}: type={}: the builder keeps its steps on this machine; nothing is to be moved.", input,
                          fields["type"]));
      return {};
    }
  }
  TRY(auto cache, path::parse_build_cache(input, text, kind));
  if (cache.type == "local") {
    TRY(auto relative, use.job.relative_of(cache.where));
    if (!to && !folder.has_folder(relative)) {
      use.say(fmt::format("{}: {}: no such folder, going on without it", input, cache.where));
      return {};
    }
    if (to) {
      TRY(auto aside, TempDir::make_in(folder.base(), "cache"));
      cache.where = (aside.path() / fs::path(relative).filename()).string();
      out.caches.push_back({std::move(aside), fs::path(relative).parent_path().string()});
    } else {
      folder.looked_at(Look::whole, relative);
      TRY(cache.where, held_folder(use, out, relative));
    }
  } else if (cache.type == "registry" && to) {
    auto slash = cache.where.find('/');
    auto host = slash == std::string::npos ? std::string() : cache.where.substr(0, slash);
    bool elsewhere = host.find_first_of(".:") != std::string::npos && !is_own_registry(use.job.options(), host);
    if (elsewhere)
      return Fail(Error(Kind::unavailable, fmt::format("cache-to: pushing to {} is not connected here", host))
                      .with_hint("name the cache without a host: this machine's registry keeps it"));
  }
  (to ? out.request.cache_to : out.request.cache_from).push_back(std::move(cache));
  return {};
}

Result<> add_caches(ActionUse& use, WantedBuild& out) {
  for (auto& line : use.list("cache-from")) TRY_OK(add_cache(use, out, line, path::CacheUse::from));
  for (auto& line : use.list("cache-to")) TRY_OK(add_cache(use, out, line, path::CacheUse::to));
  return {};
}

Result<> add_attestations(ActionUse& use, path::BuildRequest& out) {
  for (auto& line : use.list("attests")) TRY_OK(path::add_attestation("attests", "", line, out));
  for (const char* type : {"provenance", "sbom"})
    if (auto text = use.input(type); !text.empty()) TRY_OK(path::add_attestation(type, type, text, out));
  return {};
}

// A socket as the job's processes see it.
Result<Fd> socket_of(const Ctx& ctx, ActionUse& use, const std::string& path) {
  TRY(auto* sandbox, use.job.sandbox(ctx));
  auto root = sandbox->root();
  auto at = root ? fs::path(fmt::format("/proc/self/fd/{}/.", root.get())) : fs::path("/");
  auto fd = open_beneath(at, path, O_PATH | O_CLOEXEC);
  std::error_code error;
  if (!fd || !fs::is_socket(fmt::format("/proc/self/fd/{}", fd->get()), error))
    return fail(Kind::not_found, "ssh: {}: no agent's socket", path);
  return fd;
}

// "default" is the agent of SSH_AUTH_SOCK; ID=SOCKET, or ID=KEYFILE[,KEYFILE] for an agent of the build's own.
Result<> add_ssh(const Ctx& ctx, ActionUse& use, WantedBuild& out) {
  for (auto& line : use.list("ssh")) {
    auto parts = cut(line, "=");
    auto id = std::string(parts ? parts->first : std::string_view(line));
    auto where = parts ? std::string(parts->second) : std::string();
    if (!parts) {
      where = use.job.scope(*use.step.frame, &use.step).context("env").member("SSH_AUTH_SOCK").text();
      if (where.empty())
        return Fail(Error(Kind::invalid, fmt::format("ssh: {}: no agent runs here (SSH_AUTH_SOCK is not set)", id))
                        .with_hint("ssh: default=KEYFILE"));
    }
    auto& folder = use.job.folder();
    for (auto file : split(where, ',')) {
      auto relative = use.job.relative_of(std::string(file));
      if (relative && folder.has_file(*relative)) {
        TRY(auto key, folder.read(*relative, 1 << 20));
        use.job.add_mask(key);
        out.request.ssh_keys[id].push_back(std::move(key));
        continue;
      }
      TRY(auto socket, socket_of(ctx, use, std::string(file)));
      out.request.ssh[id] = fmt::format("/proc/self/fd/{}", socket.get());
      out.held.push_back(std::move(socket));
    }
  }
  return {};
}

}  // namespace

Result<WantedBuild> wanted_build(const Ctx& ctx, ActionUse& use) {
  TRY_OK(refuse(use));
  auto& job = use.job;
  WantedBuild out;
  auto& request = out.request;
  auto context = use.input("context", ".");
  if (context.starts_with("{{") || context.contains("://") || context.starts_with("git@"))
    return Fail(Error(Kind::unavailable, fmt::format("context {}: only folders of the job are built here", context))
                    .with_hint("check the repository out and write `context: .`"));
  TRY(auto relative, job.relative_of(context));
  if (!job.folder().has_folder(relative))
    return Fail(Error(Kind::not_found, fmt::format("context {}: no such folder", context))
                    .with_hint("is there an actions/checkout step before?"));
  job.folder().looked_at(Look::whole, relative);
  TRY(request.context, held_folder(use, out, relative));
  TRY_OK(add_dockerfile(use, out, relative));
  request.target = use.input("target");
  TRY(request.args, pairs(use, "build-args"));
  TRY(request.labels, pairs(use, "labels"));
  for (auto& line : use.list("annotations")) TRY_OK(path::add_annotation("annotations", line, request));
  TRY_OK(add_secrets(use, request));
  TRY_OK(add_ssh(ctx, use, out));
  TRY_OK(add_contexts(use, out));
  TRY_OK(add_caches(use, out));
  TRY_OK(add_attestations(use, request));
  request.platform = join(std::span<const std::string>(words_of(use, "platforms")), ",");
  request.no_cache = use.flag("no-cache", false);
  request.no_cache_stages = words_of(use, "no-cache-filters");
  request.push = true;  // into the store of this machine; `push` decides about other hosts
  return out;
}

}  // namespace slipway::ci
