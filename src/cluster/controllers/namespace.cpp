#include "base/log.h"
#include "cluster/controllers/common.h"

namespace slipway::cluster {
namespace {

using kube::Object;

const kube::Type account_type{"v1", "ServiceAccount"}, config_type{"v1", "ConfigMap"};

Result<> create_if_absent(const Ctx& ctx, const Env& env, const kube::Type& type, const kube::Key& key,
                          doc::Value object) {
  TRY(auto present, env.client.get(ctx, type, key));
  if (present) return {};
  auto made = env.client.create(ctx, std::move(object), env.write());
  if (made || made.error().is(Kind::conflict)) return {};
  return Fail(std::move(made).error());
}

// What every pod of the namespace may count on.
Result<> furnish(const Ctx& ctx, const Env& env, const std::string& ns) {
  kube::Key account{ns, "default"}, root{ns, "kube-root-ca.crt"};
  TRY_OK(create_if_absent(ctx, env, account_type, account, kube::make_object(account_type, account)));
  auto config = kube::make_object(
      config_type, root, {},
      {{"kubernetes.io/description", "Contains a CA bundle that can be used to verify the kube-apiserver."}});
  config["data"]["ca.crt"] = env.settings.ca_pem;
  TRY(auto present, env.client.get(ctx, config_type, root));
  if (!present) return create_if_absent(ctx, env, config_type, root, std::move(config));
  if ((*present)["data"]["ca.crt"].str_or("") == env.settings.ca_pem) return {};
  config["metadata"]["resourceVersion"] = present->resource_version();
  auto updated = env.client.update(ctx, std::move(config), env.write());
  return updated ? Result<>{} : Fail(std::move(updated).error());
}

// Deletes everything inside; gives how many objects are still there.
Result<std::size_t> empty_out(const Ctx& ctx, const Env& env, const std::string& ns) {
  TRY(auto resources, env.client.resources(ctx));
  std::size_t left = 0;
  for (const auto& resource : resources) {
    if (!resource.namespaced) continue;
    auto list = env.client.list(ctx, resource.type, {.ns = ns});
    if (!list && (list.error().is(Kind::not_found) || list.error().is(Kind::invalid) || list.error().is(Kind::denied)))
      continue;  // not a stored kind
    if (!list) return Fail(std::move(list).error());
    for (const auto& object : list->items) {
      // Keeps the object's own identity: the list may answer with another version of the kind.
      if (!object.deleting()) {
        auto removed = env.client.remove(ctx, resource.type, object.key(), {.uid = object.uid()});
        if (!removed && !removed.error().is(Kind::not_found) && !removed.error().is(Kind::conflict))
          return Fail(std::move(removed).error());
      }
      ++left;
    }
  }
  return left;
}

Result<kube::Reconciled> take_down(const Ctx& ctx, const Env& env, const Object& ns) {
  if (ns["status"]["phase"].str_or("") != "Terminating") {
    doc::Value status = ns["status"].value();
    status["phase"] = "Terminating";
    TRY_OK(put_status(ctx, env, ns, std::move(status)));
  }
  TRY(auto left, empty_out(ctx, env, ns.name()));
  // What was there may be gone by its deletion already: look again at once, then wait for pods to end.
  if (left > 0) {
    TRY(left, empty_out(ctx, env, ns.name()));
  }
  if (left > 0) return kube::Reconciled{Millis(100)};
  TRY(auto now, env.client.get(ctx, namespace_type, ns.key()));
  if (!now || !now->deleting()) return kube::Reconciled{};
  auto value = now->copy();
  auto& finalizers = value["spec"]["finalizers"].list();
  std::erase_if(finalizers, [](const doc::Value& f) { return f == doc::Value("kubernetes"); });
  auto done = env.client.update(ctx, std::move(value), env.write("finalize"));
  if (!done && !done.error().is(Kind::not_found))
    return Fail(std::move(done).error().in("finalize namespace " + ns.name()));
  return kube::Reconciled{};
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto ns, env.client.get(ctx, namespace_type, {"", key.name}));
  if (!ns) return kube::Reconciled{};
  if (ns->deleting()) return take_down(ctx, env, *ns);
  auto done = furnish(ctx, env, ns->name());
  if (!done) return Fail(std::move(done).error());
  return kube::Reconciled{};
}

}  // namespace

Result<> run_namespaces(const Ctx& ctx, const Env& env) {
  // Whoever deletes the two objects of a namespace gets them back.
  auto of_furniture = [](const kube::Event& event) {
    if (event.type != kube::Event::Type::deleted) return std::vector<kube::Key>();
    return std::vector<kube::Key>{{"", event.object.ns()}};
  };
  kube::ControllerOptions options{
      .name = env.name,
      .sources = {{.type = namespace_type},
                  {.type = account_type, .keys = of_furniture, .options = {.field_selector = "metadata.name=default"}},
                  {.type = config_type,
                   .keys = of_furniture,
                   .options = {.field_selector = "metadata.name=kube-root-ca.crt"}}},
      .workers = 2};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
