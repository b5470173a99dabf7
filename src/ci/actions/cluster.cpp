// azure/setup-helm, azure/setup-kubectl, helm/kind-action, gradle's wrapper check.
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/actions/toolchain.h"
#include "doc/view.h"
#include "doc/yaml.h"

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

namespace {

// Those of both; what is new becomes the current one.
Result<std::string> merged(const std::string& before, const std::string& added) {
  if (trim(before).empty()) return added;
  TRY_IN(auto old, "~/.kube/config", doc::parse_yaml(before));
  TRY(auto fresh, doc::parse_yaml(added));
  for (auto* list : {"clusters", "users", "contexts"}) {
    auto& entries = old[list];
    if (!entries.is_list()) entries = doc::List{};
    for (auto& entry : fresh[list].list()) {
      std::erase_if(entries.list(), [&](auto& one) { return one.str_at({"name"}) == entry.str_at({"name"}); });
      entries.list().push_back(entry);
    }
  }
  old["current-context"] = fresh["current-context"];
  return doc::print_yaml(old);
}

// What workflows call of kind itself, once the cluster is there.
std::string kind_program(const std::string& name, const std::string& kubeconfig) {
  return fmt::format(R"sh(#!/bin/sh
# kind, answered by slipway: this job has one cluster, {0}.
case "$1 $2" in
  "get clusters") echo {0} ;;
  "get nodes") echo slipway ;;
  "get kubeconfig") cat "{1}" ;;
  "export kubeconfig") ;;
  "load docker-image") echo "the cluster takes images from the runner's registry: nothing to load" >&2 ;;
  "delete cluster") echo "cluster {0} goes with the job" >&2 ;;
  "version "|"--version ") echo "kind (slipway)" ;;
  *) echo "kind $*: not there yet: the cluster of this job is slipway's own, see docs/actions.md" >&2; exit 1 ;;
esac
)sh",
                     name, kubeconfig);
}

void say_what_is_not_taken(ActionUse& use) {
  for (auto* input : {"version", "node_image", "kubectl_version", "registry_image", "registry_name", "registry_port",
                      "cloud_provider", "config"})
    if (auto given = use.input(input); !given.empty())
      use.say(fmt::format("##[notice]{}: \"{}\" is not used: the cluster is slipway's own, of one node", input, given));
}

}  // namespace

// A cluster of the job's own, made by a second slipway, where kind would make one in containers.
Result<> kind_cluster(const Ctx& ctx, ActionUse& use) {
  auto& job = use.job;
  auto& folder = job.folder();
  auto name = use.input("cluster_name", "chart-testing");
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") != std::string::npos)
    return fail(Kind::invalid, "cluster_name \"{}\": want small letters, digits, dots and dashes", name);
  auto bin = folder.tools() + "/kind/bin", config = std::string(".kube/config");
  if (auto given = use.input("kubeconfig"); !given.empty()) {
    TRY(config, job.relative_of(given));
  }
  TRY_OK(folder.write(bin + "/kind", kind_program(name, job.inside(config)), 0755));
  job.add_path(use.step, job.inside(bin));
  if (use.flag("install_only", false)) return {};
  auto* clusters = job.options().clusters;
  if (!clusters)
    return Fail(
        Error(Kind::unavailable,
              fmt::format("cluster {}: this runner makes no clusters, for jobs in Pods have no rights to", name))
            .with_hint("run this workflow where jobs run on the house's own machine (up --jobs local)"));
  say_what_is_not_taken(use);
  path::ClusterRequest request{.name = name, .host = {}, .images_from = job.options().registry_host};
  if (job.has_own_network()) request.host = job.options().network->gateway_ip();
  if (auto wait = use.input("wait"); !wait.empty()) {
    TRY_IN(request.ready_within, "wait", parse_duration(wait));
    request.ready_within = std::max(request.ready_within, Millis(10000));
  }
  TRY(auto made, clusters->create(ctx, request));
  job.defer("Delete cluster " + name, [clusters, id = made.id](const Ctx& later, StepContext&) -> Result<> {
    return clusters->remove(later, id);
  });
  job.shared().redaction.add(made.token);
  TRY(auto before, folder.read(config, 1 << 20));
  TRY(auto text, merged(before, made.kubeconfig));
  TRY_OK(folder.write(config, text, 0600));
  if (use.flag("registry", false)) {
    job.set_env(use.step, "LOCAL_REGISTRY", made.registry);
    use.output("LOCAL_REGISTRY", made.registry);
  }
  use.say(fmt::format("cluster {} is up; its context is kind-{}", name, name));
  return {};
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
