#include "cluster/api/call.h"
#include "cluster/api/service_tokens.h"

#include "base/text.h"
#include "base/time.h"

namespace slipway::cluster {
namespace {

net::Response written(const Call& call, ApiResult<Written> result) {
  if (!result) return answer(result.error());
  bool scale = call.sub == "scale";
  auto value = scale ? result->object.value() : formed(*call.kind, result->object, call.wanted);
  auto response = answer(result->created ? 201 : 200, value, call.wanted);
  warn(response, result->warnings);
  return response;
}

net::Response create_sub(Call& call, const doc::Value& body) {
  doc::Value success = doc::Map{
      {"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", doc::Map{}}, {"status", "Success"}, {"code", 201}};
  if (call.kind->table == "pods" && call.sub == "binding") {
    auto bound = call.machinery.bind(call.ctx, call.key, body, call.write_args());
    return bound ? answer(201, success) : answer(bound.error());
  }
  if (call.kind->table == "pods" && call.sub == "eviction") {
    doc::View options = doc::View(body)["deleteOptions"];
    DeleteArgs args;
    args.caller = &call.caller;
    if (options["gracePeriodSeconds"].present()) args.grace = options["gracePeriodSeconds"].num_or(0);
    args.propagation = options["propagationPolicy"].text();
    for (const auto& item : options["dryRun"].items()) args.dry_run |= item.text() == "All";
    auto gone = call.machinery.evict(call.ctx, call.key, args);
    return gone ? answer(201, success) : answer(gone.error());
  }
  if (call.kind->table == "serviceaccounts" && call.sub == "token") {
    auto* tokens = call.machinery.tokens();
    if (tokens == nullptr)
      return answer(ApiError(501, "NotImplemented", "this server has no key to sign service account tokens with"));
    auto made = tokens->issue(call.key, body, call.ctx.clock->wall());
    return made ? answer(201, *made, call.wanted) : answer(made.error());
  }
  return answer(method_not_allowed());
}

net::Response create(Call& call) {
  auto body = call.body();
  if (!body) return answer(body.error());
  if (!call.key.name.empty()) return call.sub.empty() ? answer(method_not_allowed()) : create_sub(call, *body);
  // The old path of bindings: the body names the pod.
  if (call.kind->type.kind == "Binding") {
    call.key.name = body->str_at({"metadata", "name"});
    call.kind = call.machinery.kinds().by_type({"v1", "Pod"});
    call.sub = "binding";
    return create_sub(call, *body);
  }
  return written(call, call.machinery.create(call.ctx, *call.kind, call.key.ns, *std::move(body), call.write_args()));
}

net::Response patch(Call& call) {
  auto type = call.request.headers.get_or("content-type", "");
  type = trim(type.substr(0, type.find(';')));
  PatchKind how;
  if (type == "application/json-patch+json")
    how = PatchKind::json;
  else if (type == "application/merge-patch+json")
    how = PatchKind::merge;
  else if (type == "application/strategic-merge-patch+json")
    how = PatchKind::strategic;
  else if (type == "application/apply-patch+yaml")
    how = PatchKind::apply;
  else
    return answer(ApiError(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
        "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"));
  auto body = call.body();
  if (!body) return answer(body.error());
  return written(call, call.machinery.patch(call.ctx, *call.kind, call.key, call.sub, how, *body, call.write_args()));
}

net::Response remove(Call& call) {
  auto args = call.delete_args();
  if (!args) return answer(args.error());
  if (call.key.name.empty()) {
    auto removed = call.machinery.remove_collection(call.ctx, *call.kind, call.list_args(), *args);
    if (!removed) return answer(removed.error());
    doc::List items;
    for (const auto& stored : removed->items) items.push_back(call.machinery.shown(*call.kind, stored).value());
    return answer(200, doc::Map{{"kind", call.kind->list_kind},
                                {"apiVersion", call.kind->type.api_version},
                                {"metadata", doc::Map{{"resourceVersion", std::to_string(removed->revision)}}},
                                {"items", std::move(items)}});
  }
  auto removed = call.machinery.remove(call.ctx, *call.kind, call.key, *args);
  if (!removed) return answer(removed.error());
  // Pods and what waits come back as they are; what is gone is reported.
  bool whole = !removed->gone || call.kind->table == "pods" || call.kind->table == "services";
  if (whole) return answer(200, formed(*call.kind, removed->object, call.wanted), call.wanted);
  return answer(200, success(*call.kind, call.key.name, removed->object.uid()));
}

}  // namespace

net::Response serve_write(Call& call) {
  const auto& method = call.request.method;
  if (method == "POST") return create(call);
  if (method == "DELETE") return call.sub.empty() ? remove(call) : answer(method_not_allowed());
  if (call.key.name.empty()) return answer(method_not_allowed());
  if (method == "PATCH") return patch(call);
  if (method != "PUT") return answer(method_not_allowed());
  auto body = call.body();
  if (!body) return answer(body.error());
  // PUT creates nothing; the name may be left to the URL.
  if (body->is_map() && body->str_at({"metadata", "name"}).empty()) (*body)["metadata"]["name"] = call.key.name;
  return written(call,
                 call.machinery.update(call.ctx, *call.kind, call.key, call.sub, *std::move(body), call.write_args()));
}

}  // namespace slipway::cluster
