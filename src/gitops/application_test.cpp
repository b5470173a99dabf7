#include "gitops/application.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

kube::Object application(std::string_view spec) {
  auto text = fmt::format(
      "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd}}\nspec: {}\n",
      spec);
  return kube::Object(must(doc::parse_yaml(text)));
}

std::string show(const Application& app) {
  std::string text;
  for (const auto& s : app.sources)
    text += fmt::format("{} {} {}{}; ", s.repo_url, s.path, s.target_revision, s.recurse ? " recurse" : "");
  text += fmt::format("to {}{}/{}; ", app.server, app.cluster_name, app.ns);
  for (auto [on, word] :
       {std::pair{app.automated, "auto"}, {app.prune, "prune"}, {app.self_heal, "heal"}, {app.allow_empty, "empty"}})
    if (on) text += fmt::format("{} ", word);
  const auto& o = app.options;
  for (auto [on, word] : {std::pair{o.create_namespace, "CreateNamespace"},
                          {o.fail_on_shared, "FailOnShared"},
                          {!o.validate, "NoValidate"},
                          {o.replace, "Replace"},
                          {o.force, "Force"},
                          {o.skip_missing_kind, "SkipMissing"},
                          {o.prune == Permission::no, "Prune=false"},
                          {o.remove == Permission::confirm, "Delete=confirm"},
                          {o.propagation == kube::RemoveOptions::Propagation::orphan, "orphan"}})
    if (on) text += fmt::format("{} ", word);
  text += fmt::format("retry {} {} {} {}; history {}; {}", app.retry.limit, app.retry.first.count(), app.retry.factor,
                      app.retry.max.count(), app.history_limit, app.project);
  for (const auto& i : app.ignore)
    text += fmt::format("; ignore {}/{} {} {} {}", i.group, i.kind, join(i.pointers, ","), i.managers.size(),
                        join(i.paths, ","));
  return text;
}

struct Case {
  const char* name;
  const char* spec;
  const char* want;  // or a part of the error
};
class Parse : public testing::TestWithParam<Case> {};
TEST_P(Parse, Table) {
  auto app = application_from(application(GetParam().spec));
  auto got = app ? show(*app) : app.error().what();
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got;
}

#define SRC "source: {repoURL: http://g/c, path: p}"
#define DST "destination: {server: 'https://kubernetes.default.svc', namespace: shop}"
INSTANTIATE_TEST_SUITE_P(
    Application, Parse,
    testing::ValuesIn(std::to_array<Case>({
        {"Defaults", "{" SRC ", " DST "}",
         "http://g/c p HEAD; to https://kubernetes.default.svc/shop; retry 5 5000 2 180000; history 10; default"},
        {"EmptyRevisionIsHead", "{source: {repoURL: u, targetRevision: ''}, " DST "}", "u . HEAD"},
        {"NullsAreAbsent",
         "{source: {repoURL: u, path: null, directory: null, kustomize: null, helm: null}, project: null, syncPolicy: "
         "null, " DST "}",
         "u . HEAD"},
        {"ManySourcesWin",
         "{" SRC
         ", sources: [{repoURL: a, path: x}, {repoURL: b, path: y, targetRevision: v1, directory: {recurse: true}}]}",
         "a x HEAD; b y v1 recurse; "},
        {"ByClusterName", "{" SRC ", destination: {name: in-cluster, namespace: n}}", "to in-cluster/n"},
        {"OtherServer", "{" SRC ", destination: {server: 'https://10.0.0.1', namespace: n}}", "to https://10.0.0.1/n"},
        {"OtherCluster", "{" SRC ", destination: {name: eu, namespace: n}}", "to eu/n"},
        {"AutomatedEmpty", "{" SRC ", syncPolicy: {automated: {}}}", "auto retry"},
        {"AutomatedNull", "{" SRC ", syncPolicy: {automated: }}", "auto retry"},
        {"AutomatedDisabled", "{" SRC ", syncPolicy: {automated: {enabled: false, prune: true}}}", "to /; prune retry"},
        {"AutomatedAll", "{" SRC ", syncPolicy: {automated: {prune: true, selfHeal: true, allowEmpty: true}}}",
         "auto prune heal empty"},
        {"Options",
         "{" SRC
         ", syncPolicy: {syncOptions: [CreateNamespace=true, FailOnSharedResource=true, Validate=false, Replace=true, "
         "Force=true, SkipDryRunOnMissingResource=true, Prune=false, Delete=confirm, PrunePropagationPolicy=orphan]}}",
         "CreateNamespace FailOnShared NoValidate Replace Force SkipMissing Prune=false Delete=confirm orphan"},
        {"OptionsThatAreOurWay",
         "{" SRC ", syncPolicy: {syncOptions: [PruneLast=true, ApplyOutOfSyncOnly=true, RespectIgnoreDifferences=true, "
         "ServerSideApply=false]}}",
         "to /; retry"},
        {"Retry", "{" SRC ", syncPolicy: {retry: {limit: -1, backoff: {duration: 2s, factor: 3, maxDuration: 1m}}}}",
         "retry -1 2000 3 60000"},
        {"RetryZero", "{" SRC ", syncPolicy: {retry: {limit: 0}}}", "retry 0 5000"},
        {"RetryPlainSeconds", "{" SRC ", syncPolicy: {retry: {backoff: {duration: \"7\"}}}}", "retry 5 7000"},
        {"Ignore",
         "{" SRC ", ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas], "
         "managedFieldsManagers: [hpa]}]}",
         "ignore apps/Deployment /spec/replicas 1"},
        {"History", "{" SRC ", revisionHistoryLimit: 0, project: team}", "history 0; team"},
        {"Kustomize",
         "{source: {repoURL: u, kustomize: {namePrefix: a-, images: [x=y:1], forceCommonLabels: true, version: '', "
         "ignoreMissingComponents: false}}}",
         "u . HEAD"},
        {"Jsonnet",
         "{source: {repoURL: u, directory: {jsonnet: {extVars: [{name: a}], tlas: [{name: b, value: '1', code: true}], "
         "libs: [/vendor, .]}}}}",
         "u . HEAD"},
        // What is wrong is named.
        {"NoSource", "{" DST "}", ".spec.source: want a source or sources"},
        {"NoRepository", "{source: {path: x}}", ".spec.source.repoURL: "},
        {"RepositoryNoText", "{source: {repoURL: [x]}}", ".spec.source.repoURL: want a string"},
        {"Chart", "{source: {repoURL: u, chart: nginx}}", ".spec.source.chart: Helm charts are not rendered yet"},
        {"Helm", "{source: {repoURL: u, helm: {values: ''}}}", ".spec.source.helm: Helm charts are not rendered yet"},
        {"Ref", "{sources: [{repoURL: u, ref: values}]}", ".spec.sources[0].ref: value files of Helm charts"},
        {"Plugin", "{source: {repoURL: u, plugin: {name: p}}}",
         ".spec.source.plugin: config management plugins are not run"},
        {"JsonnetVariableNoName", "{source: {repoURL: u, directory: {jsonnet: {tlas: [{value: x}]}}}}",
         ".spec.source.directory.jsonnet.tlas[0].name: missing, want a string"},
        {"JsonnetVariableNoText", "{source: {repoURL: u, directory: {jsonnet: {extVars: [{name: a, value: 1}]}}}}",
         ".spec.source.directory.jsonnet.extVars[0].value: want a string"},
        {"JsonnetLibraryOutside", "{source: {repoURL: u, directory: {jsonnet: {libs: [vendor, ../x]}}}}",
         ".spec.source.directory.jsonnet.libs[1]: got \"../x\", which leaves the repository"},
        {"Hydrator", "{" SRC ", sourceHydrator: {drySource: {}}}",
         ".spec.sourceHydrator: the source hydrator is not supported"},
        {"KustomizeField", "{source: {repoURL: u, kustomize: {imageTags: [x]}}}",
         ".spec.source.kustomize.imageTags: this field of the kustomize block is not supported"},
        {"KustomizeVersion", "{source: {repoURL: u, kustomize: {version: v4}}}", ".spec.source.kustomize.version: "},
        {"RecurseNoBool", "{source: {repoURL: u, directory: {recurse: 'yes'}}}",
         ".spec.source.directory.recurse: want"},
        {"ServerAndName", "{" SRC ", destination: {server: a, name: b}}", ".spec.destination: has server and name"},
        {"AutomatedNoMap", "{" SRC ", syncPolicy: {automated: true}}", ".spec.syncPolicy.automated: want a map"},
        {"PruneNoBool", "{" SRC ", syncPolicy: {automated: {prune: 'true'}}}",
         ".spec.syncPolicy.automated.prune: want"},
        {"OptionsNoList", "{" SRC ", syncPolicy: {syncOptions: CreateNamespace=true}}",
         ".spec.syncPolicy.syncOptions: want a list"},
        {"OptionNoValue", "{" SRC ", syncPolicy: {syncOptions: [CreateNamespace]}}",
         ".spec.syncPolicy.syncOptions[0]: got \"CreateNamespace\", want Name=value"},
        {"OptionUnknown", "{" SRC ", syncPolicy: {syncOptions: [CreateNamespaces=true]}}",
         "CreateNamespaces: no such sync option, did you mean CreateNamespace?"},
        {"OptionValue", "{" SRC ", syncPolicy: {syncOptions: [Replace=maybe]}}",
         "Replace: got \"maybe\", want true or false"},
        {"OptionPropagation", "{" SRC ", syncPolicy: {syncOptions: [PrunePropagationPolicy=Background]}}",
         "PrunePropagationPolicy: got \"Background\", want foreground, background or orphan"},
        {"OptionPermission", "{" SRC ", syncPolicy: {syncOptions: [Prune=ask]}}",
         "Prune: got \"ask\", want true, false or confirm"},
        {"LimitNoNumber", "{" SRC ", syncPolicy: {retry: {limit: many}}}",
         ".spec.syncPolicy.retry.limit: want an integer"},
        {"BadDuration", "{" SRC ", syncPolicy: {retry: {backoff: {duration: soon}}}}",
         ".spec.syncPolicy.retry.backoff.duration: "},
        {"FactorBelowOne", "{" SRC ", syncPolicy: {retry: {backoff: {factor: 0}}}}",
         ".spec.syncPolicy.retry.backoff.factor: want a number of 1 or more"},
        {"IgnoreNoKind", "{" SRC ", ignoreDifferences: [{jsonPointers: [/a]}]}",
         ".spec.ignoreDifferences[0].kind: want a kind"},
        {"IgnoreNoPointer", "{" SRC ", ignoreDifferences: [{kind: A, jsonPointers: [spec.a]}]}",
         ".spec.ignoreDifferences[0].jsonPointers[0]: want a JSON pointer"},
        {"IgnoreJq", "{" SRC ", ignoreDifferences: [{kind: A, jqPathExpressions: ['.a', '.b']}]}",
         "ignore /A  0 .a,.b"},
        {"IgnoreJqEmpty", "{" SRC ", ignoreDifferences: [{kind: A, jqPathExpressions: [' ']}]}",
         ".spec.ignoreDifferences[0].jqPathExpressions[0]: is empty, want a jq path"},
        {"IgnoreJqNumber", "{" SRC ", ignoreDifferences: [{kind: A, jqPathExpressions: [1]}]}",
         ".spec.ignoreDifferences[0].jqPathExpressions[0]: want a string"},
        {"HistoryNegative", "{" SRC ", revisionHistoryLimit: -1}", ".spec.revisionHistoryLimit: want 0 or more"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(RetryPause, GrowsToItsLimit) {
  auto retry =
      must(retry_from(doc::View(must(doc::parse_yaml("{backoff: {duration: 5s, factor: 2, maxDuration: 3m}}")))));
  std::string text;
  for (int i = 0; i < 8; ++i) text += fmt::format("{} ", retry_pause(retry, i).count() / 1000);
  EXPECT_EQ(text, "5 10 20 40 80 160 180 180 ");
  EXPECT_EQ(retry_pause(retry, 1'000'000'000).count(), 180000);
  retry.factor = 1;
  EXPECT_EQ(retry_pause(retry, 1'000'000'000).count(), 5000);
}

TEST(TrackingName, GoesBothWays) {
  for (const kube::Key& key : {kube::Key{"argocd", "shop"}, kube::Key{"team-a", "shop"}})
    EXPECT_EQ(application_key(tracking_name(key)), key);
  EXPECT_EQ(tracking_name({"argocd", "shop"}), "shop");
  EXPECT_EQ(tracking_name({"team-a", "shop"}), "team-a_shop");
}

TEST(Cascade, IsReadWithoutAValidSpec) {
  using P = kube::RemoveOptions::Propagation;
  auto with = [](std::string_view finalizers) {
    return kube::Object(
        must(doc::parse_yaml(fmt::format("{{metadata: {{name: a, finalizers: {}}}, spec: 7}}", finalizers))));
  };
  EXPECT_EQ(cascade_of(with("[]")), std::nullopt);
  EXPECT_EQ(cascade_of(with("[other]")), std::nullopt);
  EXPECT_EQ(cascade_of(with("[resources-finalizer.argocd.argoproj.io]")), P::foreground);
  EXPECT_EQ(cascade_of(with("[x, resources-finalizer.argocd.argoproj.io/background]")), P::background);
  EXPECT_EQ(cascade_of(with("[resources-finalizer.argocd.argoproj.iox]")), std::nullopt);
}

TEST(ObjectOptions, BeatTheApplications) {
  SyncOptions app;
  app.create_namespace = true;
  auto of = [&](std::string_view annotations) {
    return options_of(
        app, kube::Object(must(doc::parse_yaml(fmt::format("{{metadata: {{annotations: {}}}}}", annotations)))));
  };
  auto options = of(
      "{argocd.argoproj.io/sync-options: 'Prune=false, Replace=true,Delete=confirm,CreateNamespace=false,Nonsense'}");
  EXPECT_EQ(options.prune, Permission::no);
  EXPECT_EQ(options.remove, Permission::confirm);
  EXPECT_TRUE(options.replace);
  EXPECT_TRUE(options.create_namespace) << "not an object's to say";
  EXPECT_EQ(of("{helm.sh/resource-policy: keep}").remove, Permission::no);
}

}  // namespace
}  // namespace slipway::gitops
