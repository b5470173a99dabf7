// docker/setup-buildx, setup-qemu, login, build-push: images by slipway's own builder.
#include "ci/detail/images.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

struct Name {
  std::string host, repository, tag;
};
// "localhost:5000/shop/web:1": host only if it looks like one.
Name parse_name(std::string_view text) {
  Name out;
  auto slash = text.find('/');
  auto first = text.substr(0, slash);
  if (slash != std::string_view::npos && (first.contains('.') || first.contains(':') || first == "localhost")) {
    out.host = first;
    text.remove_prefix(slash + 1);
  }
  auto colon = text.rfind(':');
  out.repository = text.substr(0, colon);
  out.tag = colon == std::string_view::npos ? "latest" : std::string(text.substr(colon + 1));
  return out;
}

std::vector<std::string> words(const ActionUse& use, std::string_view input) {
  std::vector<std::string> out;
  for (auto& line : use.list(input))
    for (auto part : split(line, ','))
      if (!trim(part).empty()) out.emplace_back(trim(part));
  return out;
}

Result<std::map<std::string, std::string>> pairs(const ActionUse& use, std::string_view input) {
  std::map<std::string, std::string> out;
  for (auto& line : use.list(input)) {
    auto pair = cut(line, "=");
    if (!pair) return fail(Kind::invalid, "{}: \"{}\": want NAME=value", input, line);
    out[std::string(trim(pair->first))] = pair->second;
  }
  return out;
}

Result<path::BuildRequest> request_of(ActionUse& use) {
  auto& job = use.job;
  path::BuildRequest out;
  auto context = use.input("context", ".");
  if (context.starts_with("{{") || context.contains("://") || context.starts_with("git@"))
    return fail(Kind::unavailable, "context {}: only folders of the job are built here", context);
  TRY(auto relative, job.relative_of(context));
  if (!job.folder().has_folder(relative))
    return Fail(Error(Kind::not_found, fmt::format("context {}: no such folder", context))
                    .with_hint("is there an actions/checkout step before?"));
  out.context = (job.folder().home() / relative).lexically_normal();
  auto file = use.input("file");
  if (!file.empty()) {
    TRY(auto dockerfile, job.relative_of(file));
    if (!job.folder().has_file(dockerfile)) return fail(Kind::not_found, "Dockerfile {}: no such file", file);
    out.dockerfile = (job.folder().home() / dockerfile).string();
  }
  out.target = use.input("target");
  TRY(out.args, pairs(use, "build-args"));
  TRY(out.labels, pairs(use, "labels"));
  TRY(out.secrets, pairs(use, "secrets"));
  for (auto& [id, value] : out.secrets) job.add_mask(value);
  auto platforms = words(use, "platforms");
  if (platforms.size() > 1)
    return fail(Kind::unavailable, "platforms: {} are asked for, one at a time can be built", platforms.size());
  if (!platforms.empty()) out.platform = platforms[0];
  out.no_cache = use.flag("no-cache", false);
  out.push = true;  // into the store of this machine; `push` decides about other hosts
  return out;
}

Result<> build_one(const Ctx& ctx, ActionUse& use, path::BuildRequest request, std::string& metadata) {
  auto& job = use.job;
  std::string partial[2];
  std::mutex logging;  // stages are built side by side
  auto log = [&](int stream, std::string_view piece) {
    std::lock_guard lock(logging);
    auto& rest = partial[stream == 2 ? 1 : 0];
    rest += piece;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      job.log(use.step, stream, std::string_view(rest).substr(0, end));
      rest.erase(0, end + 1);
    }
  };
  auto built = job.options().builder->build(ctx, request, log);
  for (auto& rest : partial)
    if (!rest.empty()) job.log(use.step, 1, rest);
  if (!built) return Fail(std::move(built).error());
  BuiltImage image{request.image, built->digest, request.tags, built->inputs, built->bytes};
  use.say(fmt::format("{}@{} ({}, {} of {} steps from the cache)", request.image, built->digest.str(),
                      human_bytes(built->bytes), built->cached, built->steps));
  use.output("digest", built->digest.str());
  use.output("imageid", built->digest.str());
  doc::Value document;
  document["containerimage.digest"] = built->digest.str();
  document["image.name"] = request.image;
  metadata = doc::print_json_pretty(document);
  job.result().images.push_back(std::move(image));
  return {};
}

}  // namespace

Result<> docker_setup(const Ctx&, ActionUse& use) {
  use.say("Images are built by slipway's own builder: there is nothing to set up.");
  use.output("name", "slipway");
  use.output("driver", "slipway");
  use.output("platforms", "linux/amd64");
  return {};
}

Result<> docker_login(const Ctx&, ActionUse& use) {
  auto password = use.input("password");
  if (!password.empty()) use.job.add_mask(password);
  auto registry = use.input("registry", "docker.io");
  if (is_own_registry(use.job.options(), registry))
    use.say(fmt::format("{} is this machine's own registry: no login is needed.", registry));
  else
    use.say(
        fmt::format("##[warning]{}: the runner does not push to other registries; images go to this machine's store "
                    "and on from there.",
                    registry));
  return {};
}

Result<> docker_build_push(const Ctx& ctx, ActionUse& use) {
  if (!use.job.options().builder)
    return Fail(Error(Kind::unavailable, "no image builder is connected to this runner")
                    .with_hint("run the workflow by `slipway up` or `slipway run`"));
  TRY(auto request, request_of(use));
  std::map<std::string, std::vector<std::string>> by_repository;
  std::vector<std::string> order;
  auto& own = use.job.options().registry_host;
  for (auto& text : words(use, "tags")) {
    auto name = parse_name(text);
    if (use.flag("push", false) && !name.host.empty() && !is_own_registry(use.job.options(), name.host))
      return Fail(Error(Kind::unavailable, fmt::format("{}: pushing to {} is not connected here", text, name.host))
                      .with_hint(own.empty() ? "name the image without a host; copy it on with `slipway image copy`"
                                             : fmt::format("tag it as {}/{}:{}; copy it on with `slipway image copy`",
                                                           own, name.repository, name.tag)));
    if (!by_repository.contains(name.repository)) order.push_back(name.repository);
    by_repository[name.repository].push_back(name.tag);
  }
  if (order.empty()) {
    auto& repository = use.job.plan().event.repository;
    order.push_back(lower(repository));
    by_repository[order[0]] = {};
  }
  std::string metadata;
  for (auto& repository : order) {
    request.image = repository, request.tags = by_repository[repository];
    TRY_OK(build_one(ctx, use, request, metadata));
  }
  use.output("metadata", metadata);
  return {};
}

}  // namespace slipway::ci
