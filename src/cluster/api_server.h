#pragma once
// The embedded Kubernetes API: objects in memory (the truth for reads and watches), durable in SQLite by grouped
// commits, served in process (kube::Client) and over HTTP to stock kubectl.
#include <memory>
#include <string>

#include "cluster/node_access.h"
#include "kube/client.h"
#include "net/server.h"
#include "store/database.h"

namespace slipway::cluster {

struct ApiOptions {
  fs::path database;    // the SQLite file
  bool durable = true;  // false: objects live in memory alone, for simulations
  // The user behind a request: name and groups; nothing: 401. Sees bearer token and client certificate.
  struct User {
    std::string name;
    std::vector<std::string> groups;
  };
  std::function<std::optional<User>(const net::Request&)> authenticate;
  std::vector<std::string> crds;        // YAML texts of CustomResourceDefinitions present from the start
  std::vector<std::string> namespaces;  // present from the start, beside default and the kube-* ones
  std::string service_cidr = "10.96.0.0/16";
  std::string token_key_pem;  // signs tokens of service accounts (net/jwt.h); "": there are none
  // What RBAC does not grant other rules may, such as those of projects. Nothing: they do not either.
  struct Question {
    std::string verb, group, resource, subresource, ns, name;
  };
  struct Grant {
    std::string group;                                 // that the caller is in for this request, for `admit` to see
    std::function<bool(const kube::Object&)> visible;  // of a list or watch; empty: all
  };
  std::function<std::optional<Grant>(const User&, const Question&)> also_grants;
  // Looks at each write of a custom object, a pod or a ConfigMap before it is made: may complete `next`, or refuse.
  // `before` is empty for a new one. The in-process clients are not in the group system:authenticated.
  std::function<Result<>(const Ctx&, const User&, const std::string& subresource, const kube::Object& before,
                         doc::Value& next)>
      admit;
};
// Who did what, to whom: called after each accepted write (drift reports name the person by it).
struct Audit {
  std::string user, user_agent, verb, field_manager, subresource;
  kube::Type type;
  kube::Key key;
  std::string resource_version;
  WallTime when;
};

// Threads: any.
class ApiServer {
 public:
  static Result<std::unique_ptr<ApiServer>> open(ApiOptions options);
  ~ApiServer();
  // The in-process client; writes are audited under this name.
  std::shared_ptr<kube::Client> client(std::string user = "slipway");
  // /api, /apis, /openapi, /version, /healthz, /readyz, /livez: mounted at each.
  net::Handler routes();
  void set_node(NodeAccess* node);  // null until the node agent is up; then logs answer 503
  void on_write(std::function<void(const Audit&)> listener);
  // Waits until everything accepted so far is on disk.
  Result<> flush();

 private:
  struct Rep;
  explicit ApiServer(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// An object as it lies in an ApiServer's database, for programs beside one that runs or has stopped. `table`: the
// plural of its kind, with its group ("configmaps", "deployments.apps"). Nothing: no such object, or no database.
// Errors: denied, corrupt, conflict (the database is of a newer program).
Result<std::optional<doc::Value>> stored_object(const fs::path& database, std::string_view table, const kube::Key& key);

}  // namespace slipway::cluster
