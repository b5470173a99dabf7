#include "gitops/detail/old_servers.h"

#include "base/testing/golden.h"

#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::gitops::detail {
namespace {

struct Case {
  const char *name, *written, *applied;
};
class OldServers : public testing::TestWithParam<Case> {};
TEST_P(OldServers, AreToldAll) {
  auto parse = [](std::string_view text) { return must(doc::parse_yaml(text)); };
  auto object = parse(GetParam().written);
  spell_out(object);
  EXPECT_EQ(doc::print_json(object), doc::print_json(parse(GetParam().applied)));
}
INSTANTIATE_TEST_SUITE_P(
    Table, OldServers,
    testing::Values(
        Case{"Service", "{apiVersion: v1, kind: Service, spec: {ports: [{port: 80}, {port: 53, protocol: UDP}]}}",
             "{apiVersion: v1, kind: Service, spec: {ports: [{port: 80, protocol: TCP}, {port: 53, protocol: UDP}]}}"},
        Case{"Deployment",
             "{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{ports: [{containerPort: "
             "80}], resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 0.5}}}]}}}}",
             "{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{ports: [{containerPort: "
             "80, protocol: TCP}], resources: {limits: {cpu: '1', memory: 1Gi}, requests: {cpu: '0.5'}}}]}}}}"},
        Case{"CronJob",
             "{apiVersion: batch/v1beta1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: "
             "{initContainers: [{ports: [{containerPort: 80}]}]}}}}}}",
             "{apiVersion: batch/v1beta1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: "
             "{initContainers: [{ports: [{containerPort: 80, protocol: TCP}]}]}}}}}}"},
        Case{"Quota", "{apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: 5}}}",
             "{apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: '5'}}}"},
        Case{"LimitRange", "{apiVersion: v1, kind: LimitRange, spec: {limits: [{type: Container, max: {cpu: 2}}]}}",
             "{apiVersion: v1, kind: LimitRange, spec: {limits: [{type: Container, max: {cpu: '2'}}]}}"},
        Case{"OthersAreLeftAlone", "{apiVersion: example.com/v1, kind: Service, spec: {ports: [{port: 80}]}}",
             "{apiVersion: example.com/v1, kind: Service, spec: {ports: [{port: 80}]}}"},
        Case{"WhatIsOddlyShaped", "{apiVersion: v1, kind: Pod, spec: [{containers: 1}]}",
             "{apiVersion: v1, kind: Pod, spec: [{containers: 1}]}"}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::gitops::detail
