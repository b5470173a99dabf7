// The configuration repository: what runs, in dev, staging and production, and in which order it gets there.
#include "base/text.h"
#include "starter/starter.h"

namespace slipway::starter {
namespace {

constexpr std::string_view readme = R"(# The environments of @NAME@

Written by `slipway init`; yours to change. Slipway writes only the images in `overlays/*/kustomization.yaml`.

| folder | holds |
| --- | --- |
| `base/` | what runs everywhere: Deployment and Service |
| `overlays/dev` | one replica, rolling; follows every push to main |
| `overlays/staging` | blue-green; follows what was verified in dev |
| `overlays/production` | canary, judged against the stable version; follows staging after an approval |
| `apps/` | the Applications, and the Pipeline that orders them |

    slipway bootstrap http://slipway/git/@CONFIG@.git --path apps
)";

constexpr std::string_view base_kustomization = R"(apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
  - service.yaml
)";

constexpr std::string_view deployment = R"(apiVersion: apps/v1
kind: Deployment
metadata:
  name: @NAME@
spec:
  replicas: 2
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      app: @NAME@
  strategy:
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  template:
    metadata:
      labels:
        app: @NAME@
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: @NAME@
          image: @IMAGE@
          ports:
            - name: http
              containerPort: @PORT@
          readinessProbe:
@PROBE@
            periodSeconds: 1
          livenessProbe:
@PROBE@
            initialDelaySeconds: 10
            failureThreshold: 6
          resources:
            requests:
              cpu: 20m
              memory: @REQUEST@
            limits:
              memory: @LIMIT@
)";

constexpr std::string_view service = R"(apiVersion: v1
kind: Service
metadata:
  name: @NAME@@SUFFIX@
spec:
  selector:
    app: @NAME@
  ports:
    - name: http
      port: 80
      targetPort: http
)";

constexpr std::string_view ingress = R"(apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: @NAME@
spec:
  ingressClassName: slipway
  rules:
    - host: @NAME@.@ENV@.slipway.local
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: @NAME@
                port:
                  name: http
)";

constexpr std::string_view dev_kustomization = R"(apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: @NAME@-dev
resources:
  - ../../base
  - route.yaml
replicas:
  - name: @NAME@
    count: 1
# Slipway writes the image here; the first promotion fills it in.
images:
  - name: @IMAGE@
    newTag: none
)";

constexpr std::string_view rollout_kustomization = R"(apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: @NAME@-@ENV@
resources:
  - ../../base
@EXTRA@
# @WORDS@: the Deployment of the base becomes a Rollout.
patches:
  - path: @PATCH@
    target:
      kind: Deployment
      name: @NAME@
    options:
      allowKindChange: true
images:
  - name: @IMAGE@
    newTag: none
)";

constexpr std::string_view to_rollout = R"(- op: replace
  path: /apiVersion
  value: argoproj.io/v1alpha1
- op: replace
  path: /kind
  value: Rollout
- op: replace
  path: /spec/strategy
  value:
)";

constexpr std::string_view blue_green = R"(    blueGreen:
      activeService: @NAME@
      previewService: @NAME@-preview
      autoPromotionEnabled: true
      scaleDownDelaySeconds: 5
)";

constexpr std::string_view canary = R"(    canary:
      canaryService: @NAME@-canary
      stableService: @NAME@
      trafficRouting:
        plugins:
          argoproj-labs/gatewayAPI:
            httpRoute: @NAME@
            namespace: @NAME@-production
      steps:
        - setWeight: 20
        - analysis:
            templates:
              - templateName: error-rate
            args:
              - name: service
                value: @NAME@
        - setWeight: 60
        - pause:
            duration: 2s
)";

constexpr std::string_view route = R"(apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: @NAME@
spec:
  hostnames:
    - @NAME@.production.slipway.local
  rules:
    - backendRefs:
        - name: @NAME@
          port: 80
          weight: 100
        - name: @NAME@-canary
          port: 80
          weight: 0
)";

constexpr std::string_view error_rate =
    R"(# The canary's requests at the gateway against the stable version's: a sequential test that may stop at any time, with
# a chance of at most alpha of ever stopping a canary that is no worse.
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: error-rate
spec:
  args:
    - name: service
  metrics:
    - name: error-rate
      interval: 1s
      count: 4
      failureLimit: 0
      provider:
        slipway:
          canaryService: "{{args.service}}-canary"
          stableService: "{{args.service}}"
          alpha: 0.01
          minRequests: 0
)";

constexpr std::string_view application = R"(apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: @NAME@-@ENV@
  namespace: argocd
spec:
  project: default
  source:
    repoURL: http://slipway/git/@CONFIG@.git
    targetRevision: main
    path: overlays/@ENV@
  destination:
    server: https://kubernetes.default.svc
    namespace: @NAME@-@ENV@
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
    syncOptions:
      - CreateNamespace=true
)";

constexpr std::string_view moved_weights = R"(  # The rollout's controller moves these weights.
  ignoreDifferences:
    - group: gateway.networking.k8s.io
      kind: HTTPRoute
      jsonPointers:
        - /spec/rules
)";

constexpr std::string_view pipeline =
    R"(# The path of @NAME@: which workflow builds it, and where its image goes, in which order.
apiVersion: slipway.dev/v1
kind: Pipeline
metadata:
  name: @NAME@
  namespace: slipway-system
spec:
  repository: @CONFIG@
  services:
    - name: @NAME@
      image: @IMAGE@
      repository: @REPOSITORY@
      workflow: @WORKFLOW@
  environments:
    - name: dev
      path: overlays/dev
      namespace: @NAME@-dev
      application: @NAME@-dev
    - name: staging
      path: overlays/staging
      namespace: @NAME@-staging
      application: @NAME@-staging
      after: dev
    # A person lets it go on: slipway approve PROMOTION. `automatic: true` needs nobody.
    - name: production
      path: overlays/production
      namespace: @NAME@-production
      application: @NAME@-production
      after: staging
      automatic: false
)";

// Memory that a small service of the language is content with.
std::pair<std::string_view, std::string_view> memory(const Facts& facts) {
  for (const auto& module : facts.modules) {
    if (module.language == Language::java) return {"256Mi", "768Mi"};
    if (module.language == Language::node || module.language == Language::python) return {"96Mi", "384Mi"};
  }
  return {"32Mi", "256Mi"};
}

class Writer {
 public:
  explicit Writer(const Facts& facts) {
    auto [request, limit] = memory(facts);
    std::string probe =
        facts.health.empty()
            ? "            tcpSocket:\n              port: http"
            : fmt::format("            httpGet:\n              path: {}\n              port: http", facts.health);
    words_ = {{"@NAME@", facts.name},
              {"@IMAGE@", facts.image},
              {"@CONFIG@", config_repository(facts)},
              {"@REPOSITORY@", facts.repository},
              {"@WORKFLOW@", facts.workflow},
              {"@PORT@", std::to_string(facts.port)},
              {"@PROBE@", probe},
              {"@REQUEST@", std::string(request)},
              {"@LIMIT@", std::string(limit)}};
  }
  using Words = std::vector<std::pair<std::string, std::string>>;
  void add(std::string path, std::string text, std::string why, const Words& more = {}) {
    for (const Words* words : {&more, static_cast<const Words*>(&words_)})
      for (const auto& [from, to] : *words) text = replace_all(std::move(text), from, to);
    files.push_back({std::move(path), std::move(text), std::move(why)});
  }
  std::vector<File> files;

 private:
  Words words_;
};

}  // namespace

std::string config_repository(const Facts& facts) { return facts.name + "-config"; }

std::vector<File> config_files(const Facts& facts) {
  Writer w(facts);
  auto text = [](auto... parts) { return (std::string(parts) + ...); };
  w.add("README.md", std::string(readme), "what is where");
  w.add("base/kustomization.yaml", std::string(base_kustomization), "what runs everywhere");
  w.add("base/deployment.yaml", std::string(deployment),
        facts.health.empty() ? fmt::format("ready when port {} takes connections", facts.port)
                             : fmt::format("ready when GET {} on port {} is answered well", facts.health, facts.port));
  w.add("base/service.yaml", std::string(service), "port 80 inside the cluster", {{"@SUFFIX@", ""}});
  w.add("overlays/dev/kustomization.yaml", std::string(dev_kustomization), "dev: one replica, rolling");
  w.add("overlays/dev/route.yaml", std::string(ingress), fmt::format("at {}.dev.slipway.local", facts.name),
        {{"@ENV@", "dev"}});
  w.add("overlays/staging/kustomization.yaml", std::string(rollout_kustomization), "staging: blue-green",
        {{"@ENV@", "staging"},
         {"@EXTRA@", "  - preview-service.yaml\n  - route.yaml"},
         {"@WORDS@", "Blue-green"},
         {"@PATCH@", "blue-green.yaml"}});
  w.add("overlays/staging/blue-green.yaml", text(to_rollout, blue_green),
        "all of the new version, then all of the traffic");
  w.add("overlays/staging/preview-service.yaml", std::string(service), "the version that waits",
        {{"@SUFFIX@", "-preview"}});
  w.add("overlays/staging/route.yaml", std::string(ingress), fmt::format("at {}.staging.slipway.local", facts.name),
        {{"@ENV@", "staging"}});
  w.add("overlays/production/kustomization.yaml", std::string(rollout_kustomization), "production: canary",
        {{"@ENV@", "production"},
         {"@EXTRA@", "  - canary-service.yaml\n  - route.yaml\n  - error-rate.yaml"},
         {"@WORDS@", "Canary"},
         {"@PATCH@", "canary.yaml"}});
  w.add("overlays/production/canary.yaml", text(to_rollout, canary), "a fifth of the traffic, judged, then more");
  w.add("overlays/production/canary-service.yaml", std::string(service), "the version on trial",
        {{"@SUFFIX@", "-canary"}});
  w.add("overlays/production/route.yaml", std::string(route),
        fmt::format("at {}.production.slipway.local", facts.name));
  w.add("overlays/production/error-rate.yaml", std::string(error_rate), "what the canary is judged by");
  for (const char* environment : {"dev", "staging", "production"})
    w.add(fmt::format("apps/{}.yaml", environment),
          text(application, std::string_view(environment) == "production" ? moved_weights : std::string_view()),
          "the Application that keeps it equal to Git", {{"@ENV@", environment}});
  w.add("apps/pipeline.yaml", std::string(pipeline), "the order of environments; production waits for an approval");
  return std::move(w.files);
}

}  // namespace slipway::starter
