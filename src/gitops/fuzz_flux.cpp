// Flux's objects as anybody may write them, with the sources and Secrets that they may name: read or refused, and a
// status that comes back from its own print.
#include "doc/yaml.h"
#include "gitops/flux/kustomization.h"
#include "gitops/flux/sources.h"
#include "gitops/front.h"
#include "kube/testing/memory_client.h"

namespace {

using namespace slipway;
using namespace slipway::gitops;

// What exists where the objects live.
kube::MemoryClient& home() {
  static kube::MemoryClient client;
  static const bool filled = [] {
    for (std::string_view text :
         {"{apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {name: shop, namespace: apps}, "
          "spec: "
          "{url: 'https://git.example.org/shop'}, status: {artifact: {revision: 'main@sha1:1111111111111111111111111111"
          "111111111111'}}}",
          "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: apps}, data: {username: YQ==, password: Yg==, "
          "identity: eA==, value: e30=, values.yaml: YTogYg==}}",
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: apps}, data: {region: eu, size: '3'}}"}) {
      auto object = doc::parse_yaml(text);
      SLP_ASSERT(object && client.create(Ctx(), *std::move(object), {}));
    }
    return true;
  }();
  SLP_ASSERT(filled);
  return client;
}

class NoRepositories final : public Repositories {
 public:
  Result<git::Repository> open(const Ctx&, const std::string& url) override {
    return fail(Kind::not_found, "{}: no such repository", url);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = doc::parse_yaml({reinterpret_cast<const char*>(data), size}, {.max_nodes = 2'000});
  if (!input || !input->is_map()) return 0;
  kube::Object object{*std::move(input)};
  Ctx ctx;
  if (auto app = flux::read_kustomization(ctx, home(), object)) {
    SLP_ASSERT(app->front == &flux_front());
    if (app->health) (void)app->health(object);
    for (const auto& dependency : app->depends_on)
      if (dependency.unready) (void)dependency.unready(object);
  }
  flux::Remotes nowhere(
      [](const kube::Kubeconfig&) -> Result<Connection> { return fail(Kind::unavailable, "no other cluster here"); },
      {});
  (void)flux::client_of(ctx, home(), object, {}, nowhere);
  (void)flux::dependencies_of(object);
  (void)flux::git_ref(object["spec"]);
  (void)flux::git_url(ctx, home(), object);
  NoRepositories none;
  (void)flux::look_at_source(ctx, home(), none, object);
  (void)flux_front().cascade_of(object);

  auto status = flux_front().status_from(object);
  auto printed = flux_front().to_doc(status, object, "2026-01-01T00:00:00Z");
  auto again = flux_front().status_from(kube::Object(doc::Map{{"status", std::move(printed)}}));
  SLP_ASSERT(again.inventory == status.inventory);
  return 0;
}
