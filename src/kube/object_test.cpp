#include "kube/object.h"

#include "base/testing/golden.h"
#include "doc/yaml.h"
#include "kube/schema.h"

namespace slipway::kube {
namespace {

TEST(Object, EmptyAnswersNothing) {
  Object o;
  EXPECT_FALSE(o);
  EXPECT_EQ(o.name(), "");
  EXPECT_TRUE(o.labels().empty());
  EXPECT_TRUE(o.owners().empty());
  EXPECT_FALSE(o.deleting());
  EXPECT_EQ(o.generation(), 0);
}

TEST(Object, BuildsAndReads) {
  auto owner = make_object({"apps/v1", "Deployment"}, {"shop", "web"}, {{"app", "web"}}, {{"a/b", "c"}});
  owner["metadata"]["uid"] = "u1";
  auto child = make_object({"apps/v1", "ReplicaSet"}, {"shop", "web-1"});
  child["metadata"]["ownerReferences"] = doc::List{owner_reference(Object(owner))};
  Object rs(child);
  ASSERT_TRUE(rs.controller());
  EXPECT_EQ(rs.controller()->uid, "u1");
  EXPECT_EQ(Object(owner).type().group(), "apps");
  EXPECT_EQ(Object(owner).annotation("a/b"), "c");
  EXPECT_EQ(rs.describe(), "ReplicaSet shop/web-1");
}

TEST(Object, ConditionMovesItsTimeOnlyWithStatus) {
  doc::Value o = make_object({"v1", "Pod"}, {"d", "p"});
  set_condition(o, "Ready", false, "Starting", "wait", "T1");
  set_condition(o, "Ready", false, "Starting", "longer", "T2");
  EXPECT_EQ((*o["status"]["conditions"].if_list())[0].str_at({"lastTransitionTime"}), "T1");
  set_condition(o, "Ready", true, "", "", "T3");
  EXPECT_EQ((*o["status"]["conditions"].if_list())[0].str_at({"lastTransitionTime"}), "T3");
  EXPECT_EQ(condition_status(Object(o), "Ready"), "True");
  EXPECT_EQ(condition_status(Object(o), "Other"), "");
}

TEST(Schema, TableOfBuiltInKinds) {
  const auto* deployment = find_builtin({"apps/v1", "Deployment"});
  ASSERT_NE(deployment, nullptr);
  EXPECT_EQ(deployment->plural, "deployments");
  EXPECT_TRUE(deployment->namespaced);
  EXPECT_EQ(deployment->short_names, std::vector<std::string>{"deploy"});
  const auto* containers = deployment->schema->child("spec")->child("template")->child("spec")->child("containers");
  ASSERT_NE(containers, nullptr);
  EXPECT_EQ(containers->list_type(), doc::MergeSchema::ListType::map);
  EXPECT_EQ(containers->patch_merge_key(), "name");
  const auto* ports = static_cast<const Schema*>(containers->element())->child("ports");
  EXPECT_EQ(ports->map_keys(), (std::vector<std::string>{"containerPort", "protocol"}));
  EXPECT_EQ(ports->patch_merge_key(), "containerPort");
  EXPECT_TRUE(deployment->schema->child("spec")->child("strategy")->retain_keys());
  EXPECT_TRUE(deployment->schema->child("spec")->child("selector")->atomic_map());
  EXPECT_TRUE(deployment->schema->child("metadata")->child("finalizers")->patch_merge());
  EXPECT_EQ(deployment->schema->child("metadata")->child("nonsense"), nullptr);
}

TEST(Schema, OfCrd) {
  auto open_api = must(doc::parse_yaml(R"(
type: object
properties:
  spec:
    type: object
    required: [size]
    properties:
      size: {type: integer, minimum: 1, default: 3}
      list: {type: array, items: {type: object, properties: {name: {type: string}}}, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name]}
      free: {type: object, x-kubernetes-preserve-unknown-fields: true}
      labels: {type: object, additionalProperties: {type: string}}
)"));
  auto schema = must(schema_of_crd(open_api));
  const auto* spec = schema->child("spec");
  EXPECT_EQ(spec->child("list")->list_type(), doc::MergeSchema::ListType::map);
  EXPECT_TRUE(spec->child("free")->preserves_unknown());
  EXPECT_EQ(spec->child("labels")->shape, Schema::Shape::map);
  EXPECT_NE(schema->child("metadata")->child("labels"), nullptr);
  auto bad = must(doc::parse_yaml("{type: object, properties: {spec: {properties: {}}}}"));
  auto r = schema_of_crd(bad);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().what().find(".properties.spec.type"), std::string::npos) << r.error().what();
}

}  // namespace
}  // namespace slipway::kube
