// docker/setup-buildx, setup-qemu, login, build-push: images by slipway's own builder.
#include "ci/detail/images.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/build_request.h"
#include "ci/actions/image_tags.h"
#include "ci/actions/toolchain.h"
#include "doc/json.h"
#include "doc/view.h"
#include "doc/yaml.h"

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

// Whether images go on to the registry of their names: `push`, or an output that says so.
bool pushes(ActionUse& use) {
  bool out = use.flag("push", false);
  for (auto& line : use.list("outputs"))
    for (auto& [key, value] : tag_fields(line))
      out = out || (key == "push" && value == "true") || (key == "type" && value == "registry");
  return out;
}

struct Built {
  std::vector<std::string> names;
  path::BuildResult result;
};

Result<> build_one(const Ctx& ctx, ActionUse& use, const path::BuildRequest& request, Built& built) {
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
  auto done = job.options().builder->build(ctx, request, log);
  for (auto& rest : partial)
    if (!rest.empty()) job.log(use.step, 1, rest);
  if (!done) return Fail(std::move(done).error());
  BuiltImage image{request.image, done->digest, request.tags, done->inputs, done->bytes};
  use.say(fmt::format("{}@{} ({}, {} of {} steps from the cache)", request.image, done->digest.str(),
                      human_bytes(done->bytes), done->cached, done->steps));
  job.result().images.push_back(std::move(image));
  built.names.push_back(request.image);
  built.result = *std::move(done);
  return {};
}

// imageid is the digest of the configuration, where the store can say it.
void tell_built(ActionUse& use, const Built& built, const std::vector<std::string>& names) {
  auto digest = built.result.digest.str(), config = digest;
  doc::Value document;
  if (auto* registry = use.job.options().registry)
    if (auto image = registry->image(built.names.back(), digest); image && built.result.images.size() < 2) {
      config = image->manifest.config.digest.str();
      document["containerimage.config.digest"] = config;
    }
  document["containerimage.digest"] = digest;
  document["containerimage.descriptor"]["mediaType"] =
      built.result.media_type.empty() ? std::string(oci::media::manifest) : built.result.media_type;
  document["containerimage.descriptor"]["digest"] = digest;
  document["image.name"] = join(std::span<const std::string>(names), ",");
  use.output("digest", digest);
  use.output("imageid", config);
  use.output("metadata", doc::print_json_pretty(document));
}

}  // namespace

Result<> docker_setup(const Ctx&, ActionUse& use) {
  use.say("Images are built by slipway's own builder: there is nothing to set up.");
  auto platform = host_architecture() == "arm64" ? "linux/arm64" : "linux/amd64";
  use.output("name", "slipway");
  use.output("driver", "slipway");
  use.output("platforms", platform);
  use.output("nodes",
             fmt::format("[{{\"name\":\"slipway0\",\"endpoint\":\"\",\"status\":\"running\",\"platforms\":\"{}\"}}]",
                         platform));
  use.output("status", "running");
  return {};
}

// What the kernel can run through qemu is a matter of the host; nothing is installed from a step.
Result<> docker_qemu(const Ctx&, ActionUse& use) {
  std::vector<std::string> there = {host_architecture() == "arm64" ? "linux/arm64" : "linux/amd64"};
  constexpr std::pair<const char*, const char*> handlers[] = {
      {"qemu-aarch64", "linux/arm64"},   {"qemu-x86_64", "linux/amd64"},    {"qemu-arm", "linux/arm/v7"},
      {"qemu-riscv64", "linux/riscv64"}, {"qemu-ppc64le", "linux/ppc64le"}, {"qemu-s390x", "linux/s390x"}};
  for (auto& [handler, platform] : handlers)
    if (path_exists(fs::path("/proc/sys/fs/binfmt_misc") / handler)) there.emplace_back(platform);
  use.output("platforms", join(std::span<const std::string>(there), ","));
  for (auto& asked : words_of(use, "platforms")) {
    auto known = [&](const std::string& p) {
      return p == asked || p == "linux/" + asked || p.starts_with(asked + "/");
    };
    if (asked != "all" && std::none_of(there.begin(), there.end(), known))
      use.job.annotate(use.step, {.level = Annotation::Level::warning,
                                  .message = fmt::format("{} is not emulated on this host (there is {}); register "
                                                         "qemu-user-static with binfmt_misc on it",
                                                         asked, join(std::span<const std::string>(there), ", "))});
  }
  return {};
}

Result<> docker_login(const Ctx&, ActionUse& use) {
  std::vector<std::string> registries = {use.input("registry", "docker.io")};
  if (auto several = use.input("registry-auth"); !several.empty()) {
    registries.clear();
    TRY(auto list, doc::parse_yaml(several, {.source = "registry-auth"}));
    for (auto& one : doc::View(list).items()) {
      registries.push_back(one["registry"].str_or("docker.io"));
      if (auto password = one["password"].text(); !password.empty()) use.job.add_mask(password);
    }
  }
  if (auto password = use.input("password"); !password.empty()) use.job.add_mask(password);
  for (auto& registry : registries) {
    if (is_own_registry(use.job.options(), registry)) {
      use.say(fmt::format("{} is this machine's own registry: no login is needed.", registry));
      continue;
    }
    if (registries.size() == 1 && use.input("registry-auth").empty() &&
        (use.input("username").empty() || use.input("password").empty()))
      return Fail(Error(Kind::invalid, "Username and password required")
                      .with_hint("secrets of a change from outside are empty: is this one trusted?"));
    use.say(
        fmt::format("##[warning]{}: the runner does not push to other registries; images go to this machine's store "
                    "and on from there.",
                    registry));
  }
  return {};
}

Result<> docker_build_push(const Ctx& ctx, ActionUse& use) {
  if (!use.job.options().builder)
    return Fail(Error(Kind::unavailable, "no image builder is connected to this runner")
                    .with_hint("run the workflow by `slipway up` or `slipway run`"));
  TRY(auto wanted, wanted_build(ctx, use));
  auto& request = wanted.request;
  std::map<std::string, std::vector<std::string>> by_repository;
  std::vector<std::string> order, names = words_of(use, "tags");
  for (auto& line : use.list("outputs"))
    for (auto& [key, value] : tag_fields(line))
      if (key == "name" && names.empty()) names.push_back(value);
  auto& own = use.job.options().registry_host;
  for (auto& text : names) {
    auto name = parse_name(text);
    if (pushes(use) && !name.host.empty() && !is_own_registry(use.job.options(), name.host))
      return Fail(Error(Kind::unavailable, fmt::format("{}: pushing to {} is not connected here", text, name.host))
                      .with_hint(own.empty() ? "name the image without a host; copy it on with `slipway image copy`"
                                             : fmt::format("tag it as {}/{}:{}; copy it on with `slipway image copy`",
                                                           own, name.repository, name.tag)));
    if (!by_repository.contains(name.repository)) order.push_back(name.repository);
    by_repository[name.repository].push_back(name.tag);
  }
  if (order.empty()) {
    order.push_back(lower(use.job.plan().event.repository));
    by_repository[order[0]] = {};
  }
  Built built;
  for (auto& repository : order) {
    request.image = repository, request.tags = by_repository[repository];
    TRY_OK(build_one(ctx, use, request, built));
  }
  for (auto& cache : wanted.caches) TRY_OK_IN("cache-to", use.job.folder().move_in(cache.folder.path(), cache.to));
  tell_built(use, built, names.empty() ? order : names);
  return {};
}

}  // namespace slipway::ci
