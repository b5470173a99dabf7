#include "gitops/restricted.h"

#include <map>

#include "base/guarded.h"
#include "base/text.h"

namespace slipway::gitops {
namespace {

class Restricted final : public kube::Client {
 public:
  Restricted(std::shared_ptr<kube::Client> asks, std::shared_ptr<kube::Client> acts, std::string user)
      : asks_(std::move(asks)), acts_(std::move(acts)), user_(std::move(user)) {}

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    TRY_OK(ask(ctx, "get", type, key.ns));
    return acts_->get(ctx, type, key);
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    TRY_OK(ask(ctx, "list", type, options.ns));
    return acts_->list(ctx, type, options);
  }
  Result<std::string> for_each(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options,
                               const Visit& visit) override {
    TRY_OK(ask(ctx, "list", type, options.ns));
    return acts_->for_each(ctx, type, options, visit);
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    TRY_OK(ask(ctx, "watch", type, options.ns));
    return acts_->watch(ctx, type, options);
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(ask(ctx, "create", object));
    return acts_->create(ctx, std::move(object), options);
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(ask(ctx, "update", object));
    return acts_->update(ctx, std::move(object), options);
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    TRY_OK(ask(ctx, "patch", type, key.ns));
    return acts_->patch(ctx, type, key, kind, patch, options);
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY_OK(ask(ctx, "patch", object));
    kube::Object probe{doc::Value(object)};
    TRY(auto there, acts_->get(ctx, probe.type(), probe.key()));
    if (!there) TRY_OK(ask(ctx, "create", object));
    return acts_->apply(ctx, std::move(object), options);
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    TRY_OK(ask(ctx, "delete", type, key.ns));
    return acts_->remove(ctx, type, key, options);
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override { return acts_->resource(ctx, type); }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override { return acts_->resources(ctx); }

 private:
  Result<> ask(const Ctx& ctx, const std::string& verb, const doc::Value& object) {
    kube::Object probe{doc::Value(object)};
    return ask(ctx, verb, probe.type(), probe.ns());
  }
  Result<> ask(const Ctx& ctx, const std::string& verb, const kube::Type& type, const std::string& ns) {
    TRY(auto resource, acts_->resource(ctx, type));
    auto question = fmt::format("{} {}.{} in {}", verb, resource.plural, type.group(), ns);
    auto known = answers_.lock()->find(question);
    bool may = false;
    if (known != answers_.lock()->end()) {
      may = known->second;
    } else {
      TRY(may, review(ctx, verb, type.group(), resource.plural, ns));
      (*answers_.lock())[question] = may;
    }
    if (may) return {};
    return fail(Kind::denied, "{} cannot {} {}{}{}", user_, verb, resource.plural, ns.empty() ? "" : " in namespace ",
                ns);
  }
  Result<bool> review(const Ctx& ctx, const std::string& verb, const std::string& group, const std::string& resource,
                      const std::string& ns) {
    auto ask = kube::make_object({"authorization.k8s.io/v1", "SubjectAccessReview"}, {});
    ask["spec"]["user"] = user_;
    doc::List groups{"system:authenticated", "system:serviceaccounts"};
    auto parts = split(user_, ':');
    if (parts.size() == 4) groups.emplace_back(fmt::format("system:serviceaccounts:{}", parts[2]));
    ask["spec"]["groups"] = std::move(groups);
    doc::Map attributes{{"verb", verb}, {"group", group}, {"resource", resource}};
    if (!ns.empty()) attributes.set("namespace", ns);
    ask["spec"]["resourceAttributes"] = std::move(attributes);
    TRY(auto answer, asks_->create(ctx, std::move(ask), {}));
    return answer["status"]["allowed"].bool_or(false);
  }
  std::shared_ptr<kube::Client> asks_, acts_;
  std::string user_;
  Guarded<std::map<std::string, bool>> answers_;
};

class Split final : public kube::Client {
 public:
  Split(kube::Client& reads, std::shared_ptr<kube::Client> writes) : reads_(reads), writes_(std::move(writes)) {}

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    return reads_.get(ctx, type, key);
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    return reads_.list(ctx, type, options);
  }
  Result<std::string> for_each(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options,
                               const Visit& visit) override {
    return reads_.for_each(ctx, type, options, visit);
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    return reads_.watch(ctx, type, options);
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return writes_->create(ctx, std::move(object), options);
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return writes_->update(ctx, std::move(object), options);
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    return writes_->patch(ctx, type, key, kind, patch, options);
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return writes_->apply(ctx, std::move(object), options);
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    return writes_->remove(ctx, type, key, options);
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override { return reads_.resource(ctx, type); }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override { return reads_.resources(ctx); }

 private:
  kube::Client& reads_;
  std::shared_ptr<kube::Client> writes_;
};

}  // namespace

std::shared_ptr<kube::Client> writes_through(kube::Client& reads, std::shared_ptr<kube::Client> writes) {
  return std::make_shared<Split>(reads, std::move(writes));
}

std::shared_ptr<kube::Client> restrict_to(std::shared_ptr<kube::Client> asks, std::shared_ptr<kube::Client> acts,
                                          std::string user) {
  return std::make_shared<Restricted>(std::move(asks), std::move(acts), std::move(user));
}

}  // namespace slipway::gitops
