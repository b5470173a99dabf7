// Secrets of type kubernetes.io/service-account-token: a token that lasts, for clients that keep one (`argocd cluster
// add`). Rule: Kubernetes' "Manually create a long-lived API token for a ServiceAccount".
#include "base/encode.h"
#include "cluster/controllers/common.h"

namespace slipway::cluster {
namespace {

const kube::Type secret_type{"v1", "Secret"};
constexpr std::string_view token_type = "kubernetes.io/service-account-token",
                           account_name = "kubernetes.io/service-account.name";
const std::string account_uid = "kubernetes.io/service-account.uid";
constexpr std::int64_t hundred_years = std::int64_t{100} * 365 * 24 * 3600;

Result<std::string> token_for(const Ctx& ctx, const Env& env, const kube::Key& account) {
  auto request = kube::make_object({"authentication.k8s.io/v1", "TokenRequest"}, account);
  request["spec"] = doc::Map{{"expirationSeconds", hundred_years}, {"audiences", doc::List{}}};
  TRY(auto made, env.client.create(ctx, std::move(request), env.write("token")));
  return made["status"]["token"].text();
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto secret, env.client.get(ctx, secret_type, key));
  if (!secret || secret->deleting() || (*secret)["type"].text() != token_type) return kube::Reconciled{};
  if (!(*secret)["data"]["token"].text().empty()) return kube::Reconciled{};
  kube::Key account{key.ns, secret->annotation(account_name)};
  TRY(auto there, env.client.get(ctx, {"v1", "ServiceAccount"}, account));
  if (!there) return kube::Reconciled{Millis(5000)};  // it may come
  TRY(auto token, token_for(ctx, env, account));
  doc::Value patch = doc::Map{{"metadata", doc::Map{{"annotations", doc::Map{{account_uid, there->uid()}}},
                                                    {"resourceVersion", secret->resource_version()}}},
                              {"data", doc::Map{{"token", to_base64(token)},
                                                {"namespace", to_base64(key.ns)},
                                                {"ca.crt", to_base64(env.settings.ca_pem)}}}};
  auto written = env.client.patch(ctx, secret_type, key, kube::PatchType::merge, patch, env.write());
  if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
  return kube::Reconciled{};
}

}  // namespace

Result<> run_token_secrets(const Ctx& ctx, const Env& env) {
  kube::ControllerOptions options{
      .name = env.name,
      .sources = {{.type = secret_type, .options = {.field_selector = fmt::format("type={}", token_type)}}},
      .workers = 1};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
