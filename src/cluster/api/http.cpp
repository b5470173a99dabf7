#include "cluster/api/http.h"

#include "base/log.h"
#include "base/text.h"
#include "cluster/api/call.h"
#include "cluster/api/http_watch.h"
#include "cluster/api/rbac.h"
#include "cluster/api/service_tokens.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

constexpr std::string_view git_version = "v1.32.4+slipway";

doc::Value version() {
  return doc::Map{{"major", "1"},           {"minor", "32"},           {"gitVersion", git_version},
                  {"gitCommit", "slipway"}, {"gitTreeState", "clean"}, {"buildDate", "2025-01-01T00:00:00Z"},
                  {"goVersion", "none"},    {"compiler", "g++"},       {"platform", "linux/amd64"}};
}

ApiFail nothing_there() {
  return ApiFail(ApiError(404, "NotFound", "the server could not find the requested resource"));
}

// The parts of a resource's path. Errors: 404.
ApiResult<> locate(Call& call) {
  auto path = std::string_view(call.request.path);
  auto parts = split(path.substr(1), '/');
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  std::size_t at = 0;
  std::string_view group, version;
  if (parts.size() >= 3 && parts[0] == "api")
    version = parts[1], at = 2;
  else if (parts.size() >= 4 && parts[0] == "apis")
    group = parts[1], version = parts[2], at = 3;
  else
    return nothing_there();
  auto rest = std::span(parts).subspan(at);
  // namespaces/NS/... is a namespace's content, but for the namespace's own subresources.
  bool own = rest.size() == 3 && group.empty() && (rest[2] == "status" || rest[2] == "finalize");
  if (rest[0] == "namespaces" && rest.size() >= 3 && !own) {
    call.key.ns = rest[1];
    rest = rest.subspan(2);
  }
  call.kind = call.machinery.kinds().by_path(group, version, rest[0]);
  if (!call.kind) return nothing_there();
  if (rest.size() > 1) call.key.name = rest[1];
  if (rest.size() > 2) call.sub = rest[2];
  if (rest.size() > 3) return nothing_there();
  if (!call.kind->namespaced && !call.key.ns.empty()) return nothing_there();
  if (call.kind->namespaced && call.key.ns.empty() && !call.key.name.empty()) return nothing_there();
  if (!call.sub.empty() && std::find(call.kind->subresources.begin(), call.kind->subresources.end(), call.sub) ==
                               call.kind->subresources.end())
    return nothing_there();
  return {};
}

std::string verb_of(const Call& call) {
  const auto& method = call.request.method;
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return call.key.name.empty() ? "deletecollection" : "delete";
  if (call.flag("watch")) return "watch";
  return call.key.name.empty() ? "list" : "get";
}

}  // namespace

struct HttpFace::Rep {
  std::shared_ptr<Machinery> machinery;
  Authenticate authenticate;
  std::shared_ptr<Watches> watches;  // the store may still be calling it when this goes
  std::atomic<NodeAccess*> node{nullptr};
  std::atomic<bool> stopped{false};

  Rep(std::shared_ptr<Machinery> m, Authenticate a)
      : machinery(m), authenticate(std::move(a)), watches(std::make_shared<Watches>(std::move(m))) {}
  ApiResult<Caller> caller_of(const net::Request& request) const;
  ApiResult<Caller> impersonated(const net::Request& request, Caller caller) const;
  bool granted_otherwise(Call& call, const Attributes& attributes) const;
  net::Response serve(Call& call);
};

HttpFace::HttpFace(std::shared_ptr<Machinery> machinery, Authenticate authenticate)
    : rep_(std::make_unique<Rep>(std::move(machinery), std::move(authenticate))) {
  rep_->machinery->store().on_publish([watches = rep_->watches] { watches->wake(); });
}
HttpFace::~HttpFace() { stop(); }
void HttpFace::set_node(NodeAccess* node) { rep_->node = node; }
void HttpFace::stop() {
  if (rep_->stopped.exchange(true)) return;
  rep_->machinery->store().on_publish({});
  rep_->watches->stop();
}

ApiResult<Caller> HttpFace::Rep::caller_of(const net::Request& request) const {
  Caller caller{"system:admin",
                std::string(request.headers.get_or("user-agent", "")),
                {"system:masters", "system:authenticated"}};
  if (!authenticate) return caller;
  auto shown = request.headers.get_or("authorization", "");
  if (auto* tokens = machinery->tokens();
      tokens != nullptr && shown.starts_with("Bearer ") && ServiceTokens::looks_like_one(shown.substr(7))) {
    auto account = tokens->caller(trim(shown.substr(7)), {std::string(ServiceTokens::issuer)}, real_clock().wall());
    if (!account) return ApiFail(ApiError(401, "Unauthorized", "Unauthorized"));
    account->user_agent = std::move(caller.user_agent);
    account->groups.emplace_back("system:authenticated");
    return *std::move(account);
  }
  auto user = authenticate(request);
  if (!user) return ApiFail(ApiError(401, "Unauthorized", "Unauthorized"));
  caller.user = std::move(user->name), caller.groups = std::move(user->groups);
  caller.groups.emplace_back("system:authenticated");
  return caller;
}

// As whom somebody who may wants to be taken (kubectl --as, --as-group): user impersonation of Kubernetes.
ApiResult<Caller> HttpFace::Rep::impersonated(const net::Request& request, Caller caller) const {
  auto user = request.headers.get_or("impersonate-user", "");
  auto groups = request.headers.all("impersonate-group");
  for (const auto& [name, value] : request.headers.list())
    if (iequals(name, "impersonate-uid") || lower(name).starts_with("impersonate-extra-"))
      return ApiFail(bad_request(fmt::format("{}: only users and groups can be impersonated here", name)));
  if (user.empty()) {
    if (!groups.empty()) return ApiFail(bad_request("Impersonate-Group without Impersonate-User"));
    return caller;
  }
  auto may = [&](Attributes what) -> ApiResult<> {
    what.verb = "impersonate";
    if (allowed(machinery->store(), caller, what)) return {};
    return ApiFail(ApiError(403, "Forbidden",
                            fmt::format("User \"{}\" cannot impersonate resource \"{}\" in API group \"\": \"{}\"",
                                        caller.user, what.resource, what.name)));
  };
  Caller as{std::string(user), caller.user_agent, {}};
  constexpr std::string_view account = "system:serviceaccount:";
  auto parts = split(user, ':');
  if (user.starts_with(account) && parts.size() == 4) {
    API_TRY_OK(may({.resource = "serviceaccounts", .ns = std::string(parts[2]), .name = std::string(parts[3])}));
    if (groups.empty()) as.groups = {"system:serviceaccounts", fmt::format("system:serviceaccounts:{}", parts[2])};
  } else {
    API_TRY_OK(may({.resource = "users", .name = std::string(user)}));
  }
  for (auto group : groups) {
    API_TRY_OK(may({.resource = "groups", .name = std::string(group)}));
    as.groups.emplace_back(group);
  }
  as.groups.emplace_back("system:authenticated");
  return as;
}

// By rules beside RBAC (ApiOptions::also_grants).
bool HttpFace::Rep::granted_otherwise(Call& call, const Attributes& a) const {
  if (!machinery->also_grants()) return false;
  auto grant = machinery->also_grants()({call.caller.user, call.caller.groups},
                                        {a.verb, a.group, a.resource, a.subresource, a.ns, a.name});
  if (!grant) return false;
  call.caller.groups.push_back(std::move(grant->group));
  call.visible = std::move(grant->visible);
  return true;
}

net::Response HttpFace::Rep::serve(Call& call) {
  Attributes attributes{verb_of(call), call.kind->group, call.kind->plural, call.sub, call.key.ns, call.key.name, {}};
  if (call.kind->table == "namespaces" && attributes.ns.empty()) attributes.ns = call.key.name;
  if (!allowed(machinery->store(), call.caller, attributes) && !granted_otherwise(call, attributes)) {
    auto what =
        attributes.subresource.empty() ? attributes.resource : attributes.resource + "/" + attributes.subresource;
    auto where = call.kind->namespaced && !call.key.ns.empty() ? fmt::format("in the namespace \"{}\"", call.key.ns)
                                                               : std::string("at the cluster scope");
    return answer(forbidden(*call.kind, call.key.name,
                            fmt::format("User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {}",
                                        call.caller.user, attributes.verb, what, call.kind->group, where)));
  }
  if (call.kind->verbs.size() == 1 && call.kind->type.kind != "Binding")
    return call.request.method == "POST" ? serve_review(call) : answer(method_not_allowed());
  if (call.kind->group == metrics_group) return serve_usage(call, node);
  if (call.kind->table == "pods" &&
      (call.sub == "log" || call.sub == "exec" || call.sub == "attach" || call.sub == "portforward"))
    return serve_pod(call, node);
  bool read = call.request.method == "GET" || call.request.method == "HEAD";
  if (!read) return serve_write(call);
  return call.flag("watch") ? watches->serve(call) : serve_read(call);
}

net::Response HttpFace::handle(const Ctx& ctx, net::Request& request) {
  if (rep_->stopped) return answer(ApiError(503, "ServiceUnavailable", "the API server is stopping"));
  const auto& path = request.path;
  if (path == "/version" || path == "/version/") return answer(200, version());
  for (std::string_view probe : {"/healthz", "/readyz", "/livez"})
    if (path == probe || path.starts_with(fmt::format("{}/", probe))) return net::Response::text(200, "ok");
  auto caller = rep_->caller_of(request);
  if (!caller) return answer(caller.error());
  caller = rep_->impersonated(request, *std::move(caller));
  if (!caller) return answer(caller.error());
  if (path.starts_with("/openapi/")) {
    if (auto response = serve_open_api(request, rep_->machinery->kinds())) return *std::move(response);
    return answer(ApiError(404, "NotFound", "the server could not find the requested resource"));
  }
  Call call{ctx, request, *rep_->machinery, *std::move(caller), {}, {}, {}, {}};
  auto parts = split(std::string_view(path).substr(1), '/');
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  bool discovery = request.method == "GET" && !parts.empty() &&
                   ((parts[0] == "api" && parts.size() <= 2) || (parts[0] == "apis" && parts.size() <= 3));
  if (discovery) {
    if (auto response = serve_discovery(request, rep_->machinery->kinds())) return *std::move(response);
  }
  if (auto found = locate(call); !found) return answer(found.error());
  auto wanted = wanted_of(request.headers.get_or("accept", ""));
  if (!wanted) return answer(wanted.error());
  call.wanted = *std::move(wanted);
  return rep_->serve(call);
}

}  // namespace slipway::cluster
