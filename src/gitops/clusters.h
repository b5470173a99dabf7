#pragma once
// Where Applications may go: our own cluster, and those that Argo CD's cluster Secrets describe.
#include <set>

#include "gitops/cluster_secret.h"
#include "gitops/remote.h"

namespace slipway::gitops {

inline constexpr std::string_view own_server = "https://kubernetes.default.svc", own_name = "in-cluster";

struct Destination {
  std::string server{own_server}, name{own_name};
  std::string project;                  // that it is reserved for, "" for none
  std::vector<std::string> namespaces;  // what may be managed there; none: all
  bool cluster_resources = false;       // with namespaces: cluster-scoped objects as well
  std::shared_ptr<Remote> remote;       // null: our own cluster

  // Whether an object in this namespace ("" for cluster-scoped ones) may be managed there: "" or why not.
  std::string refusal(const std::string& kind, const std::string& ns) const;
  std::string describe() const;  // cluster west (https://10.0.0.1:6443)
};

// What an Application's destination names. Errors: invalid (both a server and a name).
struct Target {
  std::string server, name;
  static Target of(doc::View destination);
  bool own() const;  // our own cluster, whatever Secrets say
  friend bool operator==(const Target&, const Target&) = default;
};

// Threads: any.
class Clusters {
 public:
  explicit Clusters(const Clock& clock = real_clock(), Connect connect = connect_by_http(), Patience patience = {});

  // Each gives the servers and names that mean something else since.
  using Changed = std::set<std::string>;
  Changed set(const kube::Object& secret);
  Changed drop(const kube::Key& secret);
  Changed replace(const std::vector<kube::Object>& secrets);  // all there are
  bool read() const { return state_.lock()->read; }

  // Errors: not_found (no Secret describes it), invalid (two do, or one that cannot be used), unavailable (the Secrets
  // were not read yet).
  Result<std::shared_ptr<const Destination>> find(const Target& target) const;
  // Null: no usable Secret names this server, or it is our own.
  std::shared_ptr<const Destination> remote(const std::string& server) const;

 private:
  struct Entry {
    ClusterSecret secret;
    std::string describe;
    std::shared_ptr<const Destination> place;  // null: unusable
    bool is(const Target& target) const;
  };
  struct State {
    bool read = false;
    std::map<kube::Key, Entry> entries;
  };
  static void note(const Entry& entry, Changed& changed);
  void put(State& state, const kube::Object& secret, Changed& changed);
  const Clock& clock_;
  Connect connect_;
  Patience patience_;
  std::shared_ptr<const Destination> own_ = std::make_shared<Destination>();
  Guarded<State> state_;
};

// The same for somebody who asks once: reads the Secrets through `home`.
Result<std::shared_ptr<const Destination>> destination_of(const Ctx& ctx, kube::Client& home, const Target& target);

}  // namespace slipway::gitops
