// azure/setup-helm, azure/setup-kubectl, helm/kind-action, gradle's wrapper check.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/actions/toolchain.h"

namespace slipway::ci {
namespace {

const Toolchain helm{"Helm", "helm", "helm", {"helm"}, {"/usr/local/bin/helm", "/opt/helm*/helm"}, "version --short"};
const Toolchain kubectl{"kubectl", "kubectl", "kubectl", {"kubectl"}, {"/usr/local/bin/kubectl"}, "version --client"};

}  // namespace

Result<> setup_helm(const Ctx& ctx, ActionUse& use) {
  VersionRequest request{use.input("version", "latest")};
  TRY(auto tool, provide(ctx, use, helm, request));
  use.output("helm-path", tool.program);
  return {};
}

Result<> setup_kubectl(const Ctx& ctx, ActionUse& use) {
  VersionRequest request{use.input("version", "latest")};
  TRY(auto tool, provide(ctx, use, kubectl, request));
  use.output("kubectl-path", tool.program);
  return {};
}

// The house's own cluster stands where kind would make one. What a step may have of it is a namespace with an overlay
// (slipway/preview); the keys of the whole cluster are not given to jobs.
Result<> kind_cluster(const Ctx&, ActionUse& use) {
  if (use.flag("install_only", false)) {
    use.say("There is no kind to install: the house's own cluster stands where kind would make one");
    return {};
  }
  if (use.flag("registry", false)) use.output("LOCAL_REGISTRY", use.job.options().registry_host);
  auto name = use.input("cluster_name", "chart-testing");
  if (!use.job.options().previewer)
    return Fail(Error(Kind::unavailable,
                      fmt::format("cluster {}: this runner has no cluster to give, and makes none in containers", name))
                    .with_hint("run the workflow by `slipway up` and use slipway/preview: it brings an overlay up in a "
                               "namespace of its own and tears it down with the job"));
  return Fail(Error(Kind::unavailable, fmt::format("cluster {}: jobs get namespaces of the house's cluster, not one of "
                                                   "their own",
                                                   name))
                  .with_hint("use slipway/preview with `overlay:` in place of kind and `kubectl apply`"));
}

Result<> gradle_wrapper(const Ctx& ctx, ActionUse& use) {
  TRY(auto matched, match_files(ctx, use.job, {"**/gradle-wrapper.jar"}, true));
  std::set<std::string> allowed;
  auto given = use.input("allow-checksums");
  for (auto word : split(given, ',')) allowed.insert(lower(trim(word)));
  auto least = to_int(use.input("min-wrapper-count", "0"));
  if (!least) return fail(Kind::invalid, "min-wrapper-count: want a number");
  if (static_cast<std::int64_t>(matched.files.size()) < *least)
    return fail(Kind::invalid, "Expected to find at least {} Gradle Wrapper jars, but got {}", *least,
                matched.files.size());
  std::vector<std::string> failed;
  for (auto& file : matched.files) {
    TRY(auto bytes, use.job.folder().read(file, 16 << 20));
    auto sum = sha256_hex(bytes);
    // A jar is a zip; a name of Gradle's that hides other letters is an old trick.
    bool jar = bytes.starts_with("PK\x03\x04");
    if (!jar || (!given.empty() && !allowed.contains(sum))) failed.push_back(file);
    use.say(fmt::format("{} {}{}", sum, fs::path(file).lexically_relative(use.job.folder().workspace()).string(),
                        allowed.contains(sum) ? " is allowed"
                        : jar                 ? ""
                                              : " is no jar"));
  }
  auto all = join(std::span<const std::string>(failed), "|");
  use.output("failed-wrapper", all);
  if (!failed.empty())
    return fail(Kind::denied, "{} of {} Gradle Wrapper jars are not what they should be: {}", failed.size(),
                matched.files.size(), all);
  if (given.empty() && !matched.files.empty())
    use.say(
        "##[warning]Gradle's list of checksums is elsewhere and is not fetched: give allow-checksums to compare with");
  return {};
}

}  // namespace slipway::ci
