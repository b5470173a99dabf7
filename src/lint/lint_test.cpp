#include "lint/lint.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::lint {
namespace {

std::string found(const std::string& text, std::initializer_list<std::string_view> only = {}) {
  std::vector<std::string> out;
  for (const auto& f : lint_manifests(std::vector<Source>{{"m.yaml", text}}))
    if (only.size() == 0 || std::find(only.begin(), only.end(), f.rule) != only.end())
      out.push_back(fmt::format("{}@{}:{}", f.rule, f.place.line, f.place.column));
  return join(out, " ");
}

const std::string good = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
      - name: web
        image: shop/web:1.2
        ports: [{containerPort: 8080, name: http}]
        readinessProbe: {httpGet: {path: /, port: http}}
        livenessProbe: {httpGet: {path: /, port: 8080}}
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 1, memory: 64Mi}}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
)";

TEST(Lint, GoodManifestsHaveNoFindings) { EXPECT_EQ(found(good), ""); }

TEST(Lint, FindingsStandAtTheirPlace) {
  EXPECT_EQ(found(replace_all(good, "shop/web:1.2", "shop/web")), "latest-tag@13:16");
  EXPECT_EQ(found(replace_all(good, "shop/web:1.2", "host:5000/web:latest")), "latest-tag@13:16");
  EXPECT_EQ(found(replace_all(good, "shop/web:1.2", "web@sha256:0")), "");
  EXPECT_EQ(
      found(replace_all(good, "labels: {app: web}", "labels: {app: other}"), {"selector-mismatch", "dangling-service"}),
      "selector-mismatch@6:13 dangling-service@23:18");
  EXPECT_EQ(found(replace_all(good, "port: http}}", "port: nope}}")), "probe-port@15:51");
  EXPECT_EQ(found(replace_all(good, "targetPort: http", "targetPort: 81")), "target-port@23:61");
  EXPECT_EQ(found(good + "---\n" + good, {"duplicate-object"}), "duplicate-object@27:18 duplicate-object@46:18");
  EXPECT_EQ(found("apiVersion: v1\nkind: [\n"), "invalid-yaml@3:1");
}

TEST(Lint, RulesByObject) {
  EXPECT_EQ(found("apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: i}\nspec: {tls: [{}]}\n"),
            "removed-api@1:13");
  EXPECT_EQ(found("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"), "missing-name@3:11");
  EXPECT_EQ(found("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"), "");
  EXPECT_EQ(found("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: []}}}\n",
                  {"restart-policy"}),
            "restart-policy@4:25");
  EXPECT_EQ(found("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  hostPID: true\n  volumes:\n  - {name: s, "
                  "hostPath: {path: /var/run/docker.sock}}\n  - {name: d, hostPath: {path: /srv/x}}\n",
                  {"host-pid", "sensitive-host-path", "host-path"}),
            "sensitive-host-path@7:32 host-pid@5:12 host-path@8:32");
}

TEST(Lint, IgnoresWhatItIsToldTo) {
  auto bad = replace_all(good, "shop/web:1.2", "shop/web");
  EXPECT_EQ(found(replace_all(bad, "image: shop/web\n", "image: shop/web  # slipway:ignore latest-tag\n")), "");
  EXPECT_EQ(found(replace_all(bad, "        image: shop/web\n",
                              "        # slipway:ignore other, latest-tag\n        image: shop/web\n")),
            "");
  EXPECT_EQ(found(replace_all(bad, "metadata: {name: web}\nspec:\n",
                              "metadata: {name: web, annotations: {slipway.dev/lint-ignore: latest-tag}}\nspec:\n")),
            "");
  EXPECT_TRUE(lint_manifests(std::vector<Source>{{"m.yaml", bad}}, {.off = {"latest-tag"}}).empty());
}

TEST(Lint, FolderPassesOverWhatIsNoManifest) {
  auto dir = must(TempDir::make());
  must(make_dirs(dir.path() / "chart/templates"));
  must(write_file(dir.path() / "chart/Chart.yaml", "apiVersion: v2\nname: x\n"));
  must(write_file(dir.path() / "chart/templates/d.yaml", "apiVersion: v1\nkind: Pod\n"));
  must(write_file(dir.path() / "values.yaml", "a: 1\n"));
  must(write_file(dir.path() / "pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"));
  auto findings = must(lint_folder({}, dir.path()));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].rule, "naked-pod");
  EXPECT_EQ(findings[0].place.file, "pod.yaml");
  EXPECT_FALSE(lint_folder({}, dir.path() / "absent"));
}

// Polaris' own cases, by the rules that mean the same.
TEST(Lint, AgreesWithPolarisCases) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  const std::map<std::string, std::vector<std::string>> same = {
      {"memoryLimitsMissing", {"memory-limits"}},
      {"cpuLimitsMissing", {"cpu-limits"}},
      {"memoryRequestsMissing", {"memory-requests"}},
      {"cpuRequestsMissing", {"cpu-requests"}},
      {"hostIPCSet", {"host-ipc"}},
      {"hostPIDSet", {"host-pid"}},
      {"hostNetworkSet", {"host-network"}},
      {"hostPortSet", {"host-port"}},
      {"hostProcess", {"host-process"}},
      {"runAsPrivileged", {"privileged"}},
      {"notReadOnlyRootFilesystem", {"writable-root"}},
      {"privilegeEscalationAllowed", {"privilege-escalation"}},
      {"runAsRootAllowed", {"run-as-root"}},
      {"tagNotSpecified", {"latest-tag"}},
      {"procMount", {"proc-mount"}},
      {"nakedPod", {"naked-pod"}},
      {"sensitiveContainerEnvVar", {"secret-in-env"}},
      {"tlsSettingsMissing", {"ingress-without-tls"}},
      {"pdbDisruptionsIsZero", {"pdb-blocks"}},
      {"sensitiveConfigmapContent", {"secret-in-configmap"}},
      {"dangerousCapabilities", {"dangerous-capability"}},
      {"readinessProbeMissing", {"no-readiness-probe"}},
      {"livenessProbeMissing", {"no-liveness-probe"}},
      {"rolePodExecAttach", {"rbac-pod-exec", "rbac-wildcard"}}};
  int cases = 0, agree = 0;
  std::string wrong;
  auto labelled = must(read_file(*root / "lint/polaris.jsonl"));
  for (auto line : lines(labelled)) {
    auto value = must(doc::parse_json(line));
    doc::View view(value);
    auto it = same.find(view["check"].str_or(""));
    if (it == same.end()) continue;
    bool hit = false;
    for (const auto& f : lint_manifests(std::vector<Source>{{"m.yaml", view["manifest"].str_or("")}}))
      hit = hit || std::find(it->second.begin(), it->second.end(), f.rule) != it->second.end();
    ++cases;
    if (hit == view["hit"].bool_or(false))
      ++agree;
    else
      wrong += fmt::format("{} {} want {}\n", it->first, view["file"].str_or(""), view["hit"].bool_or(false));
  }
  fmt::print("Polaris cases: {} of {}\n{}", agree, cases, wrong);
  EXPECT_GE(agree, cases * 0.9);
}

// kube-linter's own cases: as many findings as it says.
TEST(Lint, AgreesWithKubeLinterCounts) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  const std::map<std::string, std::string> same = {{"cluster-admin-role-binding", "cluster-admin"},
                                                   {"dangling-service", "dangling-service"},
                                                   {"dangling-ingress", "dangling-ingress"},
                                                   {"docker-sock", "sensitive-host-path"},
                                                   {"duplicate-env-var", "duplicate-env"},
                                                   {"env-var-secret", "secret-in-env"},
                                                   {"host-ipc", "host-ipc"},
                                                   {"host-network", "host-network"},
                                                   {"host-pid", "host-pid"},
                                                   {"latest-tag", "latest-tag"},
                                                   {"mismatching-selector", "selector-mismatch"},
                                                   {"no-extensions-v1beta", "removed-api"},
                                                   {"no-read-only-root-fs", "writable-root"},
                                                   {"privilege-escalation-container", "privilege-escalation"},
                                                   {"sensitive-host-mounts", "sensitive-host-path"},
                                                   {"unsafe-sysctls", "unsafe-sysctl"},
                                                   {"no-liveness-probe", "no-liveness-probe"},
                                                   {"deprecated-service-account-field", "service-account-field"},
                                                   {"liveness-port", "probe-port"},
                                                   {"readiness-port", "probe-port"},
                                                   {"startup-port", "probe-port"}};
  int cases = 0, agree = 0;
  std::string wrong;
  auto text = must(read_file(*root / "lint/kube-linter.jsonl"));
  for (auto line : lines(text)) {
    auto value = must(doc::parse_json(line));
    doc::View view(value);
    auto it = same.find(view["test"].str_or(""));
    if (it == same.end()) continue;
    std::int64_t found_here = 0;
    for (const auto& f : lint_manifests(std::vector<Source>{{"m.yaml", view["manifest"].str_or("")}}))
      found_here += f.rule == it->second;
    ++cases;
    if (found_here == view["count"].num_or(-1))
      ++agree;
    else
      wrong += fmt::format("{}: {} found, want {}\n", it->first, found_here, view["count"].num_or(-1));
  }
  fmt::print("kube-linter cases: {} of {}\n{}", agree, cases, wrong);
  EXPECT_GE(agree * 10, cases * 6);
}

}  // namespace
}  // namespace slipway::lint
