#pragma once
// What an installation says of kinds, beside what Applications say and what is built in: the keys
// `resource.customizations...` of ConfigMap argocd-cm, as Argo CD reads them. Differences to ignore, health and actions
// in Lua.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "gitops/application.h"
#include "gitops/health.h"
#include "gitops/tracking.h"
#include "kube/client.h"

namespace slipway::gitops {

inline const kube::Type settings_type{"v1", "ConfigMap"};
inline const kube::Key settings_key{std::string(home_namespace), "argocd-cm"};

struct CustomAction {
  std::string name;
  bool disabled = false;
  std::string display_name, icon_class;
  doc::Value params;  // the list of what it may be told, null for nothing
};

// What running an action does to the cluster.
struct ActionImpact {
  enum class Operation { patch, create } operation = Operation::patch;
  doc::Value object;
};

// Threads: any.
class Customizations {
 public:
  // An empty object says nothing. What cannot be read is told where it matters: by health, actions, or the comparison.
  static std::shared_ptr<const Customizations> from(const kube::Object& config_map);

  bool same_as(const Customizations& other) const;
  // Kinds that are not handled at all: resource.exclusions and resource.inclusions, with what Argo CD always leaves
  // out.
  bool excludes(const kube::Type& type, std::string_view server) const;
  // kustomize.buildOptions: --load-restrictor LoadRestrictionsNone.
  bool load_anywhere() const { return load_anywhere_; }
  const Tracking& tracking() const { return tracking_; }
  const std::vector<IgnoreDifference>& ignore() const { return ignore_; }
  // Keys that are not understood, for a warning.
  const std::vector<std::string>& problems() const { return problems_; }
  // By a script for the object's kind; what goes wrong with it is Unknown health that says what. The outer nothing:
  // there is no script. The inner: it has no opinion, so the object has no health.
  std::optional<std::optional<HealthStatus>> health(const Ctx& ctx, const kube::Object& object) const;

  // Nothing: no actions are written for the kind. `merged`: those that are built in are there as well.
  struct Actions {
    std::vector<CustomAction> list;
    bool merged = false;
  };
  // Errors: invalid (what is wrong with the key or its discovery script), cancelled.
  Result<std::optional<Actions>> actions(const Ctx& ctx, const kube::Object& object) const;
  // What the action of this name wants done. Nothing: no action of this name is written for the kind. Errors as above.
  Result<std::optional<std::vector<ActionImpact>>> act(const Ctx& ctx, const kube::Object& object,
                                                       std::string_view action, const doc::Map& params) const;

 private:
  struct Script {
    std::string text, place;
  };
  struct OfKind {
    std::string group, kind;  // globs
    Script health, actions;
    bool open_libraries = false;
  };
  struct Filter {
    std::vector<std::string> groups, kinds, clusters;  // globs; none: all
    bool fits(const kube::Type& type, std::string_view server) const;
  };
  friend struct CustomizationReader;
  const OfKind* find(const kube::Type& type, Script OfKind::* of) const;
  std::optional<HealthStatus> evaluate(const Ctx& ctx, const OfKind& kind, const kube::Object& object,
                                       bool& lasts) const;

  doc::Map written_;                     // the keys that it was read from
  std::map<std::string, OfKind> kinds_;  // by group/kind
  std::vector<IgnoreDifference> ignore_;
  std::vector<std::string> problems_;
  std::vector<Filter> exclusions_, inclusions_;
  bool load_anywhere_ = false;
  Tracking tracking_;
  // What scripts said of an object's version, by uid.
  struct Said {
    std::string version;
    std::optional<HealthStatus> health;
  };
  mutable Guarded<std::map<std::string, Said>> said_;
};

// As the cluster has them now.
Result<std::shared_ptr<const Customizations>> read_customizations(const Ctx& ctx, kube::Client& home);

// Gives an Application what is said of all.
void customize(Application& app, std::shared_ptr<const Customizations> customizations);

// By what the Application says, else by the customizations, else as built in.
std::optional<HealthStatus> health_of(const Ctx& ctx, const Customizations& customizations, const kube::Object& object);
std::optional<HealthStatus> health_of(const Ctx& ctx, const Application& app, const kube::Object& object);

}  // namespace slipway::gitops
