#pragma once
// Who wrote an object last, so that a drift report can name the person.
#include <map>
#include <string>

#include "base/guarded.h"
#include "cluster/api_server.h"

namespace slipway::engine {

// Keeps the last foreign write of an object for as long as it may be asked for. Threads: any.
class AuditTrail {
 public:
  void note(const cluster::Audit& audit);
  // "ada with kubectl edit" or "" when no person wrote it lately.
  std::string who(const kube::Type& type, const kube::Key& key) const;

 private:
  struct Entry {
    std::string user, agent, verb;
    WallTime when;
  };
  Guarded<std::map<std::pair<std::string, kube::Key>, Entry>> last_;
};

}  // namespace slipway::engine
