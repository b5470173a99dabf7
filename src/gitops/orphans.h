#pragma once
// Objects that lie in a namespace and that no Application brought: AppProject.spec.orphanedResources. The index is fed
// by watches of every kind, which run only once a project asks; a look reads it and asks nobody.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "gitops/status.h"
#include "gitops/tracking.h"
#include "kube/client.h"

namespace slipway::gitops {

// What one project says of them.
struct OrphanRules {
  struct Ignore {
    std::string group, kind, name;  // globs; kind and name may be left out
  };
  bool warn = false;
  std::vector<Ignore> ignore;
  bool ignores(const kube::Type& type, const std::string& name) const;
};

// Objects without an owner, of kinds that people deploy. Threads: any.
class Orphans {
 public:
  // Of the kinds that a server has, those to be followed, in one version each: Argo CD's own exceptions (events,
  // leases, endpoints ...) are left out.
  static std::vector<kube::Type> followed(const std::vector<kube::Client::Resource>& resources);

  // An event of a followed kind. Gives the namespace in which an untracked object came, went or was taken, or "".
  std::string note(const kube::Event& event, const Tracking& tracking);
  // The watch of a kind begins anew and tells what is there: all else is gone.
  void restart(const kube::Type& type);
  // What lies in a namespace and is of no Application that `exists`; not what every namespace has.
  std::vector<InventoryEntry> in(const std::string& ns,
                                 const std::function<bool(const std::string& owner)>& exists) const;

 private:
  struct Id {
    std::string group, kind, name;
    auto operator<=>(const Id&) const = default;
  };
  struct Node {
    std::string api_version, owner;  // the Application that brought it, "" for none
  };
  using Namespace = std::map<Id, Node>;
  Guarded<std::map<std::string, Namespace>> namespaces_;
};

}  // namespace slipway::gitops
