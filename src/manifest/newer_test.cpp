// What kustomize does since 5.6: values of one's own, paths into texts, labels of claims, volumes of images.
#include "manifest/testing/tree.h"

namespace slipway::manifest {
namespace {

constexpr std::string_view settings = R"(apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  host: prod.example.com
  port: "5432"
  text.json: |-
    {
      "db": {"port": 1, "host": "localhost", "names": ["a", "b"]},
      "debug": false
    }
  flat.json: '{"b":1,"a":{"host":"x"}}'
  text.yaml: |
    # of the team
    db:
      host: "localhost"  # here
      url: https://localhost/app
      ports:
        - 1
)";

struct Newer {
  const char* name;
  std::string source, path, options, want;  // want: a part of the output, or of the error
};
class Newer_ : public testing::TestWithParam<Newer> {};
TEST_P(Newer_, ReplacesWithinTexts) {
  Tree tree;
  tree.file("settings.yaml", settings);
  tree.file("kustomization.yaml",
            fmt::format("resources: [settings.yaml]\nreplacements:\n- {}\n  targets:\n  - select: {{kind: "
                        "ConfigMap}}\n    fieldPaths: ['{}']\n    options: {}\n",
                        GetParam().source, GetParam().path, GetParam().options));
  auto got = tree.build("");
  EXPECT_TRUE(got.contains(GetParam().want)) << got;
}
const std::string host = "source: {kind: ConfigMap, name: settings, fieldPath: data.host}",
                  port = "source: {kind: ConfigMap, name: settings, fieldPath: data.port}";
INSTANTIATE_TEST_SUITE_P(
    Table, Newer_,
    testing::Values(Newer{"AValueOfItsOwn", "sourceValue: own", "data.host", "{}", "  host: own\n"},
                    Newer{"NotBoth", host + "\n  sourceValue: own", "data.host", "{}", "not both"},
                    Newer{"Json", host, "data.text\\.json.db.host", "{}", R"(  text.json: |-
    {
      "db": {
        "host": "prod.example.com",
        "names": [
          "a",
          "b"
        ],
        "port": 1
      },
      "debug": false
    }
)"},
                    Newer{"JsonKeepsTheType", port, "data.text\\.json.db.port", "{}", "\"port\": 5432"},
                    Newer{"JsonList", host, "data.text\\.json.db.names.1", "{}", "\"prod.example.com\"\n        ]"},
                    Newer{"JsonOnOneLine", host, "data.flat\\.json.a.host", "{}",
                          R"(flat.json: '{"a":{"host":"prod.example.com"},"b":1}')"},
                    Newer{"JsonNewField", host, "data.flat\\.json.a.new", "{create: true}",
                          R"("new":"prod.example.com")"},
                    Newer{"JsonNoField", host, "data.flat\\.json.a.new", "{}", "unable to find field"},
                    Newer{"YamlKeepsItsText", host, "data.text\\.yaml.db.host", "{}",
                          "    # of the team\n    db:\n      host: \"prod.example.com\"  # here\n"},
                    Newer{"YamlPart", host, "data.text\\.yaml.db.url", "{delimiter: /, index: 2}",
                          "url: https://prod.example.com/app\n"},
                    Newer{"YamlList", port, "data.text\\.yaml.db.ports.0", "{}", "- 5432\n"},
                    Newer{"PlainText", host, "data.host.x", "{}", "unable to find field \"data.host.x\""}),
    [](const auto& i) { return i.param.name; });

constexpr std::string_view set = R"(apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  template:
    spec:
      containers: [{name: db, image: "db:1"}]
      volumes: [{name: files, image: {reference: "shop/files:1"}}]
  volumeClaimTemplates:
  - metadata: {name: data}
)";

TEST(Newer, LabelsOfClaimsAndVolumesOfImages) {
  Tree tree;
  tree.file("set.yaml", set).file("empty.yaml", "# nothing\n").file("kustomization.yaml", R"(resources: [set.yaml]
labels: [{pairs: {team: a}, includeVolumeClaimTemplates: true}]
images: [{name: shop/files, newTag: "2"}, {name: "[", newTag: x}]
patches: [{path: empty.yaml}, {path: empty.yaml, target: {kind: StatefulSet}}]
)");
  auto got = tree.build("");
  EXPECT_TRUE(got.contains("reference: shop/files:2")) << got;
  EXPECT_TRUE(got.contains("  - metadata:\n      labels:\n        team: a\n      name: data\n")) << got;
  EXPECT_TRUE(got.contains("      - image: db:1\n")) << got;
}

TEST(Newer, DigestsOfAnyAlgorithm) {
  Tree tree;
  tree.file("pod.yaml",
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: 'web@sha512:ab'}, {image: "
            "'web:1@multihash+base58:QmR'}, {image: 'web@nothing'}]}}");
  tree.file("kustomization.yaml", "resources: [pod.yaml]\nimages: [{name: web, newTag: '2'}]\n");
  EXPECT_TRUE(tree.build("").contains("  - image: web:2\n  - image: web:2\n  - image: web@nothing\n"))
      << tree.build("");
}

TEST(Newer, AdmissionPoliciesAreInNoNamespace) {
  Tree tree;
  tree.file("policy.yaml",
            "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: a}}");
  tree.file("kustomization.yaml", "namespace: shop\nresources: [policy.yaml]\n");
  EXPECT_FALSE(tree.build("").contains("namespace")) << tree.build("");
}

}  // namespace
}  // namespace slipway::manifest
