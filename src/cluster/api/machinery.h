#pragma once
// The semantics of the Kubernetes API over the object store: what both faces (in-process client and HTTP) share.
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "cluster/api/addresses.h"
#include "cluster/api/kinds.h"
#include "cluster/api/status.h"
#include "cluster/api/store.h"
#include "cluster/api_server.h"
#include "kube/selector.h"

namespace slipway::cluster {

enum class FieldValidation { ignore, warn, strict };
struct Caller {
  std::string user, user_agent;
  std::vector<std::string> groups;
};
struct WriteArgs {
  const Caller* caller = nullptr;
  std::string manager;  // of fields
  bool dry_run = false, force = false;
  FieldValidation validation = FieldValidation::warn;
};
struct Written {
  kube::Object object;  // in the version that was asked
  bool created = false;
  std::vector<std::string> warnings;
};
struct ListArgs {
  std::string ns, labels, fields;
  std::size_t limit = 0;
  std::string continued, resource_version, match;  // match: "", "Exact", "NotOlderThan"
  std::function<bool(const kube::Object&)> visible = {};
  std::vector<std::string> mentions = {};  // as kube::ListOptions has them
};
struct Listed {
  std::vector<StoredPtr> items;
  Revision revision = 0;
  std::string continued;  // "" at the end
  std::optional<std::size_t> remaining;
};
struct DeleteArgs {
  const Caller* caller = nullptr;
  std::optional<std::int64_t> grace;
  std::string propagation;  // "", Background, Foreground, Orphan
  std::string uid, resource_version;
  bool dry_run = false;
};
struct Removed {
  kube::Object object;  // the last state, or what waits for its finalizers
  bool gone = false;
};
enum class PatchKind { json, merge, strategic, apply };

// A filter of list and watch. Errors of make: 400.
struct Filter {
  std::string ns;
  kube::LabelSelector labels;
  kube::FieldSelector fields;
  std::function<bool(const kube::Object&)> visible;  // empty: all
  bool all = true;                                   // nothing but the namespace
  void only(std::function<bool(const kube::Object&)> what) {
    visible = std::move(what);
    all = all && !visible;
  }
  static ApiResult<Filter> make(const KindInfo& kind, const std::string& ns, const std::string& labels,
                                const std::string& fields);
  bool matches(const kube::Object& object) const;
  // Without making the object's tree, where the key says enough.
  bool matches(const kube::Key& key, const Stored& stored) const {
    if (!ns.empty() && key.ns != ns) return false;
    return all || matches(stored.object());
  }
};

// Threads: any.
class ServiceTokens;

class Machinery {
 public:
  Machinery(ObjectStore& store, Kinds& kinds, std::string service_cidr);

  ApiResult<kube::Object> get(const KindInfo& kind, const kube::Key& key) const;
  ApiResult<Listed> list(const KindInfo& kind, const ListArgs& args) const;
  ApiResult<Written> create(const Ctx& ctx, const KindInfo& kind, const std::string& ns, doc::Value object,
                            const WriteArgs& args);
  ApiResult<Written> update(const Ctx& ctx, const KindInfo& kind, const kube::Key& key, const std::string& sub,
                            doc::Value object, const WriteArgs& args);
  ApiResult<Written> patch(const Ctx& ctx, const KindInfo& kind, const kube::Key& key, const std::string& sub,
                           PatchKind how, const doc::Value& patch, const WriteArgs& args);
  ApiResult<Removed> remove(const Ctx& ctx, const KindInfo& kind, const kube::Key& key, const DeleteArgs& args);
  ApiResult<Listed> remove_collection(const Ctx& ctx, const KindInfo& kind, const ListArgs& which,
                                      const DeleteArgs& args);
  // pods/binding and pods/eviction.
  ApiResult<> bind(const Ctx& ctx, const kube::Key& pod, const doc::Value& binding, const WriteArgs& args);
  ApiResult<> evict(const Ctx& ctx, const kube::Key& pod, const DeleteArgs& args);

  // As another version of its kind shows it.
  kube::Object shown(const KindInfo& kind, const kube::Object& stored) const;
  kube::Object shown(const KindInfo& kind, const StoredPtr& stored) const { return shown(kind, stored->object()); }
  void on_write(std::function<void(const Audit&)> listener);
  // ApiOptions::admit; before anything is served.
  using Admit = decltype(ApiOptions::admit);
  void set_admit(Admit admit) { admit_ = std::move(admit); }
  using AlsoGrants = decltype(ApiOptions::also_grants);
  void set_also_grants(AlsoGrants rules) { also_grants_ = std::move(rules); }
  const AlsoGrants& also_grants() const { return also_grants_; }
  // Namespaces, the kubernetes Service, the definitions that are present from the start. Idempotent.
  Result<> bootstrap(const Ctx& ctx, const std::vector<std::string>& crds, const std::vector<std::string>& namespaces);
  // Absent: service accounts have no tokens here.
  void set_tokens(std::shared_ptr<const ServiceTokens> tokens) { tokens_ = std::move(tokens); }
  const ServiceTokens* tokens() const { return tokens_.get(); }
  ObjectStore& store() { return store_; }
  Kinds& kinds() { return kinds_; }

 private:
  using Change = std::function<ApiResult<doc::Value>(const kube::Object& current)>;
  // Who writes managedFields: we, by what changed, or an apply, by what it says.
  enum class Fields { track, given };
  ApiResult<Written> add(const Ctx& ctx, const KindInfo& kind, const std::string& ns, doc::Value object,
                         const WriteArgs& args, Fields fields);
  ApiResult<Written> change(const Ctx& ctx, const KindInfo& kind, const kube::Key& key, const std::string& sub,
                            const WriteArgs& args, Fields fields, const Change& make);
  ApiResult<> decode(const KindInfo& kind, const kube::Object& before, doc::Value& object, const WriteArgs& args,
                     std::vector<std::string>& warnings) const;
  ApiResult<> prepare(const KindInfo& kind, const kube::Object& before, doc::Value& next, const std::string& sub,
                      std::vector<std::string>& warnings);
  ApiResult<> admit_namespace(const KindInfo& kind, const std::string& ns, const std::string& name) const;
  ApiResult<> admit(const Ctx& ctx, const KindInfo& kind, const Caller* caller, const std::string& sub,
                    const kube::Object& before, doc::Value& next) const;
  void stamp(const KindInfo& kind, doc::Value& object) const;  // what the server sets in a new object
  ApiResult<> define(const KindInfo& kind, doc::Value& object, const kube::Object& before);
  ApiResult<Written> patch_scale(const Ctx& ctx, const KindInfo& kind, const kube::Key& key,
                                 const std::function<ApiResult<doc::Value>(doc::Value)>& make, const WriteArgs& args);
  ApiResult<Removed> remove_once(const Ctx& ctx, const KindInfo& kind, const kube::Object& before,
                                 const DeleteArgs& args);
  void remove_instances(const Ctx& ctx, const kube::Object& crd, const DeleteArgs& args);
  void after_removal(const Ctx& ctx, const KindInfo& kind, const kube::Object& gone);
  void audit(const KindInfo& kind, std::string_view verb, const std::string& sub, const kube::Object& object,
             const Caller* caller, const std::string& manager) const;

  ObjectStore& store_;
  Kinds& kinds_;
  Addresses addresses_;
  std::shared_ptr<const ServiceTokens> tokens_;
  Admit admit_;
  AlsoGrants also_grants_;
  std::shared_ptr<const std::function<void(const Audit&)>> listener_;
  mutable std::mutex listener_mutex_;
};

// {"kind": "Scale"} of a scalable object, and its replicas put back.
ApiResult<doc::Value> scale_of(const KindInfo& kind, const kube::Object& object);

}  // namespace slipway::cluster
