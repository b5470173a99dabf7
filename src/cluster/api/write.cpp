// Create, update, patch, apply.
#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "cluster/api/convert.h"
#include "cluster/api/defaults.h"
#include "cluster/api/definition.h"
#include "cluster/api/machinery.h"
#include "doc/json.h"
#include "kube/apply.h"
#include "kube/validate.h"

namespace slipway::cluster {
namespace {

constexpr int tries = 20;

std::string now() { return rfc3339(real_clock().wall()); }

Revision revision_of(const kube::Object& object) {
  return static_cast<Revision>(to_int(object.resource_version()).value_or(0));
}

bool is_pod(const KindInfo& kind) { return kind.table == "pods"; }
// Kinds of the core that the house has rules for: see ApiOptions::admit.
bool is_looked_at(const KindInfo& kind) { return kind.custom || is_pod(kind) || kind.table == "configmaps"; }
bool is_definition(const KindInfo& kind) { return kind.table == "customresourcedefinitions.apiextensions.k8s.io"; }

// Everything that a spec's generation counts: all but metadata and status.
bool spec_differs(const doc::Value& a, const doc::Value& b) {
  auto strip = [](const doc::Value& v) {
    doc::Value copy = v;
    for (std::string_view key : {"metadata", "status", "apiVersion"}) copy.map().erase(key);
    return copy;
  };
  return !(strip(a) == strip(b));
}

void text_to_data(doc::Value& secret) {
  auto* text = secret.map().find("stringData");
  if (text == nullptr) return;
  doc::Value copy = *text;
  secret.map().erase("stringData");
  if (!copy.is_map()) return;
  for (const auto& [key, value] : *copy.if_map())
    if (const auto* s = value.if_string()) secret["data"][key] = to_base64(*s);
}

void carry(doc::Value& next, const kube::Object& before, std::string_view key) {
  const auto* was = before.value().find(key);
  if (was != nullptr)
    next[key] = *was;
  else
    next.map().erase(key);
}

std::string precondition(std::string_view what, const std::string& want, const std::string& is) {
  return fmt::format("Precondition failed: {} in precondition: {}, {} in object meta: {}", what, want, what, is);
}

std::string manager_of(const WriteArgs& args) {
  if (!args.manager.empty()) return args.manager;
  if (args.caller == nullptr) return "unknown";
  auto agent = args.caller->user_agent.substr(0, args.caller->user_agent.find('/'));
  return agent.empty() ? "unknown" : agent;
}

// A definition may have become stricter since an object was written. What is wrong in a part that stays as it is is no
// reason to refuse a change of another, such as its status.
void forgive_untouched(const KindInfo& kind, const kube::Object& before, const doc::Value& next, kube::Checked& found) {
  if (!kind.custom || !before || (found.ok() && found.unknown.empty())) return;
  auto old = before.copy();
  auto was = kube::check(old, *kind.schema, {.prune = true, .required = false});
  kube::fill_defaults(old, *kind.schema);
  auto part = [](const doc::Value& object, std::string_view name) {
    const auto* value = object.find(name);
    return value != nullptr ? *value : doc::Value();
  };
  auto untouched = [&](std::string_view field) {
    auto name = field.substr(0, field.find_first_of(".["));
    return part(old, name) == part(next, name);
  };
  std::erase_if(found.problems, [&](const kube::Problem& p) { return untouched(p.field); });
  std::erase_if(found.unknown, [&](const std::string& field) {
    return std::find(was.unknown.begin(), was.unknown.end(), field) != was.unknown.end() && untouched(field);
  });
}

}  // namespace

ApiResult<> Machinery::decode(const KindInfo& kind, const kube::Object& before, doc::Value& object,
                              const WriteArgs& args, std::vector<std::string>& warnings) const {
  if (!object.is_map()) return ApiFail(bad_request(fmt::format("the body is no object of kind {}", kind.type.kind)));
  auto api_version = object.str_at({"apiVersion"}), name = object.str_at({"kind"});
  if (!api_version.empty() && api_version != kind.type.api_version)
    return ApiFail(
        bad_request(fmt::format("the API version in the data ({}) does not match the expected API version ({})",
                                api_version, kind.type.api_version)));
  if (!name.empty() && name != kind.type.kind)
    return ApiFail(
        bad_request(fmt::format("{} in version \"{}\" cannot be handled as a {}", name, kind.version, kind.type.kind)));
  object["apiVersion"] = kind.type.api_version, object["kind"] = kind.type.kind;
  if (const auto* metadata = object.find("metadata");
      metadata != nullptr && !metadata->is_map() && !metadata->is_null())
    return ApiFail(bad_request("metadata: want a map"));
  if (object.find("metadata") == nullptr || object["metadata"].is_null()) object["metadata"] = doc::Map{};
  auto checked = kube::check(object, *kind.schema, {.prune = true, .required = false});
  forgive_untouched(kind, before, object, checked);
  auto handled =
      fmt::format("{} in version \"{}\" cannot be handled as a {}: ", kind.type.kind, kind.version, kind.type.kind);
  std::vector<Cause> causes;
  for (const auto& p : checked.problems) {
    if (p.what == kube::Problem::What::type && !kind.custom)
      return ApiFail(bad_request(fmt::format("{}{}: {}", handled, p.field, p.message)));
    causes.push_back({p.what == kube::Problem::What::type            ? "FieldValueTypeInvalid"
                      : p.what == kube::Problem::What::not_supported ? "FieldValueNotSupported"
                                                                     : "FieldValueInvalid",
                      p.what == kube::Problem::What::type ? "Invalid value: " + p.message : p.message, p.field});
  }
  if (!causes.empty()) return ApiFail(invalid(kind, object.str_at({"metadata", "name"}), std::move(causes)));
  if (checked.unknown.empty() || args.validation == FieldValidation::ignore) return {};
  std::string text;
  for (const auto& field : checked.unknown) {
    if (args.validation == FieldValidation::warn)
      warnings.push_back(fmt::format("unknown field \"{}\"", field));
    else
      text += fmt::format("{}unknown field \"{}\"", text.empty() ? "" : ", ", field);
  }
  if (!text.empty()) return ApiFail(bad_request(fmt::format("{}strict decoding error: {}", handled, text)));
  return {};
}

ApiResult<> Machinery::admit_namespace(const KindInfo& kind, const std::string& ns, const std::string& name) const {
  if (!kind.namespaced) return {};
  auto home = store_.get("namespaces", {"", ns});
  if (!home) return ApiFail(not_found(*kinds_.by_type({"v1", "Namespace"}), ns));
  if (!home.deleting()) return {};
  auto error = forbidden(
      kind, name, fmt::format("unable to create new content in namespace {} because it is being terminated", ns));
  error.causes = {{"NamespaceTerminating", fmt::format("namespace {} is being terminated", ns), "metadata.namespace"}};
  return ApiFail(std::move(error));
}

ApiResult<> Machinery::admit(const Ctx& ctx, const KindInfo& kind, const Caller* caller, const std::string& sub,
                             const kube::Object& before, doc::Value& next) const {
  if (!admit_ || caller == nullptr || !is_looked_at(kind)) return {};
  auto admitted = admit_(ctx, {caller->user, caller->groups}, sub, before, next);
  if (admitted) return {};
  auto name = next.str_at({"metadata", "name"});
  if (admitted.error().is(Kind::denied)) return ApiFail(forbidden(kind, name, admitted.error().what()));
  if (admitted.error().is(Kind::invalid)) return ApiFail(bad_request(std::string(admitted.error().what())));
  return ApiFail(ApiError(admitted.error()));
}

// What is the same for a new object and a changed one.
ApiResult<> Machinery::prepare(const KindInfo& kind, const kube::Object& before, doc::Value& next,
                               const std::string& sub, std::vector<std::string>& warnings) {
  auto name = next.str_at({"metadata", "name"});
  if (kind.custom) {
    kube::fill_defaults(next, *kind.schema);
  } else if (sub.empty() || sub == "scale") {
    if (kind.table == "secrets") text_to_data(next);
    fill_in(kind, next);
  }
  if (is_definition(kind) && sub.empty()) API_TRY_OK(define(kind, next, before));
  if (sub == "status" && !kind.custom) return {};
  std::vector<Cause> causes;
  auto checked = kube::check(next, *kind.schema, {.prune = false, .required = true});
  forgive_untouched(kind, before, next, checked);
  for (const auto& p : checked.problems)
    if (p.what == kube::Problem::What::required) causes.push_back({"FieldValueRequired", "Required value", p.field});
  for (auto& cause : validate(kind, next, before)) {
    bool known = std::any_of(causes.begin(), causes.end(), [&](const Cause& c) { return c.field == cause.field; });
    if (!known) causes.push_back(std::move(cause));
  }
  if (!causes.empty()) return ApiFail(invalid(kind, name, std::move(causes)));
  if (!before && kind.group == "admissionregistration.k8s.io")
    warnings.push_back(fmt::format("{} is kept but not enforced by the embedded cluster", kind.type.kind));
  return {};
}

ApiResult<> Machinery::define(const KindInfo& kind, doc::Value& object, const kube::Object& before) {
  auto name = object.str_at({"metadata", "name"});
  complete_definition(object, before, now());
  auto kinds = Kinds::of_crd(kube::Object(object));
  auto wrong = [&](std::string field, std::string text) {
    return ApiFail(invalid(kind, name, {{"FieldValueInvalid", std::move(text), std::move(field)}}));
  };
  if (!kinds) return wrong("spec", kinds.error().what());
  auto want = object.str_at({"spec", "names", "plural"}) + "." + object.str_at({"spec", "group"});
  if (name != want)
    return wrong("metadata.name",
                 fmt::format("Invalid value: \"{}\": must be spec.names.plural+\".\"+spec.group", name));
  for (const auto& k : *kinds)
    if (auto there = kinds_.by_type(k.type); there && (!there->custom || there->resource() != name))
      return wrong("spec.names", fmt::format("{} {} is defined already", k.type.api_version, k.type.kind));
  return {};
}

void Machinery::stamp(const KindInfo& kind, doc::Value& o) const {
  auto& metadata = o["metadata"];
  for (std::string_view key : {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                               "generation", "resourceVersion", "selfLink"})
    metadata.map().erase(key);
  metadata["uid"] = uuid4();
  metadata["creationTimestamp"] = now();
  if (kind.generation) metadata["generation"] = 1;
  // A node agent may bring the status of its node along.
  if (kind.status && kind.table != "nodes") o.map().erase("status");
  if (is_pod(kind)) o["status"] = doc::Map{{"phase", "Pending"}, {"qosClass", qos_class(doc::View(o))}};
  if (kind.table == "persistentvolumeclaims") o["status"] = doc::Map{{"phase", "Pending"}};
}

ApiResult<Written> Machinery::create(const Ctx& ctx, const KindInfo& kind, const std::string& ns, doc::Value object,
                                     const WriteArgs& args) {
  return add(ctx, kind, ns, std::move(object), args, Fields::track);
}

ApiResult<Written> Machinery::add(const Ctx& ctx, const KindInfo& asked, const std::string& ns, doc::Value object,
                                  const WriteArgs& args, Fields fields) {
  Written out;
  out.created = true;
  API_TRY_OK(decode(asked, {}, object, args, out.warnings));
  object = convert(std::move(object), asked.stored);
  auto kept = kinds_.stored_kind(asked);
  const auto& kind = kept ? *kept : asked;
  auto& metadata = object["metadata"];
  if (!object.str_at({"metadata", "resourceVersion"}).empty())
    return ApiFail(bad_request("resourceVersion should not be set on objects to be created"));
  kube::Key key{kind.namespaced ? object.str_at({"metadata", "namespace"}) : "", object.str_at({"metadata", "name"})};
  if (kind.namespaced) {
    if (key.ns.empty()) key.ns = ns.empty() ? "default" : ns;
    if (!ns.empty() && key.ns != ns)
      return ApiFail(
          bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    metadata["namespace"] = key.ns;
  } else {
    metadata.map().erase("namespace");
  }
  API_TRY_OK(admit_namespace(kind, key.ns, key.name));
  auto stem = object.str_at({"metadata", "generateName"});
  bool generated = key.name.empty() && !stem.empty();
  API_TRY_OK(admit(ctx, kind, args.caller, "", {}, object));
  stamp(kind, object);
  for (int i = 0;; ++i) {
    if (generated) {
      key.name = stem.substr(0, 58) + random_name(5);
      object["metadata"]["name"] = key.name;  // stamp() may have moved what `metadata` named
    }
    auto next = object;
    API_TRY_OK(prepare(kind, {}, next, "", out.warnings));
    if (fields == Fields::track)
      kube::track_update(next, {.manager = manager_of(args), .now = now(), .schema = kind.schema});
    if (store_.get(kind.table, key)) {
      if (generated && i < tries) continue;
      return ApiFail(already_exists(kind, key.name));
    }
    bool service = kind.table == "services";
    if (service) API_TRY_OK(addresses_.allocate(kind, next, {}));
    kube::Object held;
    if (service) held = kube::Object(next);
    if (args.dry_run) {
      if (service) addresses_.release(held);
      out.object = shown(asked, kube::Object(std::move(next)));
      return out;
    }
    auto put = store_.put(ctx, kind.table, key, std::move(next), 0);
    if (service && (!put || !*put)) addresses_.release(held);
    API_TRY(auto stored, std::move(put));
    if (!stored) {
      if (generated && i < tries) continue;
      return ApiFail(already_exists(kind, key.name));
    }
    if (is_definition(kind)) API_TRY_OK(kinds_.define(*stored));
    audit(asked, "create", "", *stored, args.caller, manager_of(args));
    out.object = shown(asked, *stored);
    return out;
  }
}

// What may be written through each path; everything else stays as it was.
namespace {

ApiResult<> restrict(const KindInfo& kind, const kube::Object& before, doc::Value& next, const std::string& sub) {
  auto keep_all_but = [&](std::initializer_list<std::string_view> path) {
    doc::Value value = before.value();
    const auto* part = next.find_path(path);
    doc::Value* parent = &value;
    for (auto key = path.begin(); key + 1 != path.end(); ++key) parent = &(*parent)[*key];
    auto last = *(path.end() - 1);
    if (part != nullptr && !part->is_null())
      (*parent)[last] = *part;
    else
      parent->map().erase(last);
    next = std::move(value);
  };
  if (sub.empty() || sub == "scale") {
    if (kind.status) carry(next, before, "status");
    // A namespace's finalizers have a path of their own.
    if (kind.table == "namespaces") carry(next, before, "spec");
  } else if (sub == "status" && kind.status) {
    keep_all_but({"status"});
  } else if (sub == "finalize" && kind.table == "namespaces") {
    keep_all_but({"spec", "finalizers"});
  } else if (sub == "ephemeralcontainers" && is_pod(kind)) {
    keep_all_but({"spec", "ephemeralContainers"});
  } else if (sub == "resize" && is_pod(kind)) {
    keep_all_but({"spec", "containers"});
  } else if (sub == "approval" && kind.plural == "certificatesigningrequests") {
    keep_all_but({"status", "conditions"});
  } else {
    return ApiFail(
        ApiError(404, "NotFound",
                 fmt::format("the server could not find the requested resource ({}/{})", kind.resource(), sub)));
  }
  return {};
}

ApiResult<> keep_identity(const KindInfo& kind, const kube::Object& before, doc::Value& next) {
  auto name = before.name();
  auto& metadata = next["metadata"];
  auto given = [&](std::string_view key) { return next.str_at({"metadata", key}); };
  if (auto n = given("name"); !n.empty() && n != name)
    return ApiFail(
        bad_request(fmt::format("the name of the object ({}) does not match the name on the URL ({})", n, name)));
  if (auto n = given("namespace"); !n.empty() && n != before.ns())
    return ApiFail(bad_request(
        fmt::format("the namespace of the object ({}) does not match the namespace on the URL ({})", n, before.ns())));
  if (auto uid = given("uid"); !uid.empty() && uid != before.uid())
    return ApiFail(ApiError(409, "Conflict",
                            fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", kind.resource(), name,
                                        precondition("UID", uid, before.uid())))
                       .about(kind.group, kind.plural, name));
  const auto* was = before.value().find("metadata");
  for (std::string_view key : {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp",
                               "deletionGracePeriodSeconds", "generation", "resourceVersion"}) {
    if (const auto* value = was->find(key))
      metadata[key] = *value;
    else
      metadata.map().erase(key);
  }
  if (!before.deleting()) return {};
  std::set<std::string> old;
  for (const auto& f : before["metadata"]["finalizers"].items()) old.insert(f.text());
  for (const auto& f : doc::View(next)["metadata"]["finalizers"].items())
    if (!old.contains(f.text()))
      return ApiFail(invalid(kind, name,
                             {{"FieldValueForbidden",
                               fmt::format("Forbidden: no new finalizers can be added if the object is being deleted, "
                                           "found new finalizers []string{{\"{}\"}}",
                                           f.text()),
                               "metadata.finalizers"}}));
  return {};
}

bool may_go(const KindInfo& kind, const doc::Value& next) {
  doc::View v(next);
  if (!v["metadata"]["deletionTimestamp"].present() || !v["metadata"]["finalizers"].items().empty()) return false;
  if (kind.table == "namespaces" && !v["spec"]["finalizers"].items().empty()) return false;
  return v["metadata"]["deletionGracePeriodSeconds"].num_or(0) == 0;
}

}  // namespace

ApiResult<Written> Machinery::change(const Ctx& ctx, const KindInfo& asked, const kube::Key& key,
                                     const std::string& sub, const WriteArgs& args, Fields fields, const Change& make) {
  auto kept = kinds_.stored_kind(asked);
  const auto& kind = kept ? *kept : asked;
  for (int i = 0;; ++i) {
    Written out;
    auto before = store_.get(kind.table, key);
    if (!before) return ApiFail(not_found(kind, key.name));
    API_TRY(auto next, make(shown(asked, before)));
    API_TRY_OK(decode(asked, before, next, args, out.warnings));
    next = convert(std::move(next), asked.stored);
    auto wanted = next.str_at({"metadata", "resourceVersion"});
    bool pinned = !wanted.empty() && wanted != before.resource_version();
    if (pinned) return ApiFail(changed_meanwhile(kind, key.name));
    // The fields that an apply owns came with the object; those of others are kept from before.
    const auto* given = next.find_path({"metadata", "managedFields"});
    doc::Value owned = fields == Fields::given && given != nullptr ? *given : doc::Value();
    API_TRY_OK(restrict(kind, before, next, sub));
    API_TRY_OK(keep_identity(kind, before, next));
    API_TRY_OK(admit(ctx, kind, args.caller, sub, before, next));
    API_TRY_OK(prepare(kind, before, next, sub, out.warnings));
    if (kind.table == "services" && sub.empty()) API_TRY_OK(addresses_.allocate(kind, next, before));
    if (kind.generation && sub != "status" && spec_differs(next, before.value()))
      next["metadata"]["generation"] = before.generation() + 1;
    if (fields == Fields::track)
      kube::track_update(next, {.before = &before.value(),
                                .manager = manager_of(args),
                                .subresource = sub,
                                .now = now(),
                                .schema = kind.schema});
    else if (!owned.is_null())
      next["metadata"]["managedFields"] = std::move(owned);
    if (next == before.value()) {  // nothing changed: no write, no event
      out.object = shown(asked, before);
      return out;
    }
    if (args.dry_run) {
      out.object = shown(asked, kube::Object(std::move(next)));
      return out;
    }
    bool gone = may_go(kind, next);
    auto put = gone ? store_.erase(ctx, kind.table, key, std::move(next), revision_of(before))
                    : store_.put(ctx, kind.table, key, std::move(next), revision_of(before));
    API_TRY(auto stored, std::move(put));
    if (!stored) {
      // A version that the caller named cannot come back; else the change is made again on what is there now.
      if (!wanted.empty() || i >= tries) return ApiFail(changed_meanwhile(kind, key.name));
      API_TRY_OK(ctx.alive());
      continue;
    }
    if (is_definition(kind) && !gone && sub.empty()) API_TRY_OK(kinds_.define(*stored));
    if (gone) after_removal(ctx, kind, *stored);
    audit(asked, fields == Fields::given ? "apply" : "update", sub, *stored, args.caller, manager_of(args));
    out.object = shown(asked, *stored);
    return out;
  }
}

ApiResult<Written> Machinery::update(const Ctx& ctx, const KindInfo& kind, const kube::Key& key, const std::string& sub,
                                     doc::Value object, const WriteArgs& args) {
  if (sub == "scale")
    return patch_scale(ctx, kind, key, [&](const doc::Value&) -> ApiResult<doc::Value> { return object; }, args);
  if (auto name = object.str_at({"metadata", "name"}); name.empty())
    return ApiFail(bad_request(fmt::format("{}: metadata.name: Required value", kind.type.kind)));
  return change(ctx, kind, key, sub, args, Fields::track,
                [&](const kube::Object&) -> ApiResult<doc::Value> { return object; });
}

ApiResult<doc::Value> scale_of(const KindInfo& kind, const kube::Object& object) {
  auto path = [&](std::string_view text) {
    auto v = object.view();
    for (auto part : split(text.starts_with(".") ? text.substr(1) : text, '.')) v = v[part];
    return v;
  };
  auto spec_path = kind.custom ? kind.scale_spec : ".spec.replicas",
       status_path = kind.custom ? kind.scale_status : ".status.replicas";
  doc::Map metadata{{"name", object.name()},
                    {"namespace", object.ns()},
                    {"uid", object.uid()},
                    {"resourceVersion", object.resource_version()},
                    {"creationTimestamp", object.value().str_at({"metadata", "creationTimestamp"})}};
  doc::Map status{{"replicas", path(status_path).num_or(0)}};
  std::string selector;
  if (kind.custom && !kind.scale_selector.empty()) selector = path(kind.scale_selector).text();
  if (!kind.custom) {
    auto parsed = kube::LabelSelector::from(object["spec"]["selector"]);
    if (parsed) selector = parsed->print();
  }
  if (!selector.empty()) status.set("selector", selector);
  doc::Map spec;
  if (auto replicas = path(spec_path).num_or(0); replicas != 0) spec.set("replicas", replicas);
  return doc::Map{{"kind", "Scale"},
                  {"apiVersion", "autoscaling/v1"},
                  {"metadata", std::move(metadata)},
                  {"spec", std::move(spec)},
                  {"status", std::move(status)}};
}

ApiResult<Written> Machinery::patch_scale(const Ctx& ctx, const KindInfo& kind, const kube::Key& key,
                                          const std::function<ApiResult<doc::Value>(doc::Value)>& make,
                                          const WriteArgs& args) {
  if (!kind.scale) return ApiFail(ApiError(404, "NotFound", "the server could not find the requested resource"));
  auto set = [&](const kube::Object& current) -> ApiResult<doc::Value> {
    API_TRY(auto scale, scale_of(kind, current));
    API_TRY(auto wanted, make(std::move(scale)));
    auto version = wanted.str_at({"metadata", "resourceVersion"});
    if (!version.empty() && version != current.resource_version()) return ApiFail(changed_meanwhile(kind, key.name));
    auto replicas = doc::View(wanted)["spec"]["replicas"].num_or(0);
    if (replicas < 0)
      return ApiFail(
          invalid(kind, key.name,
                  {{"FieldValueInvalid", fmt::format("Invalid value: {}: must be greater than or equal to 0", replicas),
                    "spec.replicas"}}));
    auto next = current.copy();
    next["metadata"].map().erase("resourceVersion");
    std::string_view path = kind.custom ? std::string_view(kind.scale_spec) : ".spec.replicas";
    doc::Value* at = &next;
    for (auto part : split(path.substr(path.starts_with(".") ? 1 : 0), '.')) at = &(*at)[part];
    *at = replicas;
    return next;
  };
  API_TRY(auto out, change(ctx, kind, key, "scale", args, Fields::track, set));
  API_TRY(auto scale, scale_of(kind, out.object));
  out.object = kube::Object(std::move(scale));
  return out;
}

namespace {

ApiResult<doc::Value> patched(PatchKind how, const doc::Value& current, const doc::Value& patch,
                              const kube::Schema* schema) {
  auto wrong = [&](const Error& error) {
    return ApiFail(
        ApiError(422, "Invalid",
                 fmt::format("the server rejected our request due to an error in our request: {}", error.what())));
  };
  if (how == PatchKind::json) {
    auto next = doc::json_patch(current, patch);
    return next ? ApiResult<doc::Value>(*std::move(next)) : wrong(next.error());
  }
  if (!patch.is_map()) return ApiFail(bad_request("the patch is no map"));
  if (how == PatchKind::merge) return doc::merge_patch(current, patch);
  auto next = doc::strategic_merge(current, patch, schema);
  return next ? ApiResult<doc::Value>(*std::move(next)) : ApiFail(bad_request(next.error().what()));
}

// What of a configuration counts when it is applied to the status.
doc::Value status_alone(const doc::Value& applied, const kube::Key& key) {
  auto out = kube::make_object({applied.str_at({"apiVersion"}), applied.str_at({"kind"})}, key);
  if (const auto* status = applied.find("status")) out["status"] = *status;
  return out;
}

ApiFail conflicts(const std::vector<kube::Conflict>& list) {
  std::map<std::string, std::vector<std::string>> by_manager;
  ApiError error(409, "Conflict", {});
  for (const auto& c : list) {
    by_manager[c.message].push_back(c.field);
    error.causes.push_back({"FieldManagerConflict", c.message, c.field});
  }
  error.message = fmt::format("Apply failed with {} conflict{}: ", list.size(), list.size() == 1 ? "" : "s");
  bool first = true;
  for (const auto& [message, fields] : by_manager) {
    if (!first) error.message += "\n";
    first = false;
    if (fields.size() == 1) {
      error.message += fmt::format("{}: {}", message, fields[0]);
      continue;
    }
    error.message += fmt::format("conflicts{}:", std::string_view(message).substr(8));
    for (const auto& field : fields) error.message += "\n- " + field;
  }
  return ApiFail(std::move(error));
}

}  // namespace

ApiResult<Written> Machinery::patch(const Ctx& ctx, const KindInfo& kind, const kube::Key& key, const std::string& sub,
                                    PatchKind how, const doc::Value& patch, const WriteArgs& args) {
  if (how == PatchKind::strategic && kind.custom)
    return ApiFail(ApiError(415, "UnsupportedMediaType",
                            "the body of the request was in an unknown format - accepted media types include: "
                            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"));
  if (sub == "scale") {
    auto make = [&](doc::Value scale) { return patched(how, scale, patch, nullptr); };
    return patch_scale(ctx, kind, key, make, args);
  }
  if (how != PatchKind::apply) {
    auto make = [&](const kube::Object& current) -> ApiResult<doc::Value> {
      API_TRY(auto next, patched(how, current.value(), patch, kind.schema));
      // The version counts only when the patch itself names another.
      if (next.is_map() && next.str_at({"metadata", "resourceVersion"}) == current.resource_version())
        next["metadata"].map().erase("resourceVersion");
      return next;
    };
    return change(ctx, kind, key, sub, args, Fields::track, make);
  }
  if (args.manager.empty())
    return ApiFail(bad_request(
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"));
  doc::Value applied = patch;
  std::vector<std::string> warnings;
  if (applied.str_at({"apiVersion"}).empty() || applied.str_at({"kind"}).empty())
    return ApiFail(bad_request("an applied object wants apiVersion and kind"));
  API_TRY_OK(decode(kind, {}, applied, args, warnings));
  if (kind.table == "secrets") text_to_data(applied);
  applied["metadata"]["name"] = key.name;
  if (kind.namespaced) applied["metadata"]["namespace"] = key.ns;
  std::vector<std::string> ignored;
  if (sub == "status") applied = status_alone(applied, key);
  if (kind.status && sub.empty()) ignored.emplace_back("status"), applied.map().erase("status");
  auto apply_to = [&](const doc::Value* live) -> ApiResult<doc::Value> {
    auto outcome =
        kube::server_side_apply({live, &applied, args.manager, sub, now(), kind.schema, args.force, ignored});
    if (!outcome)
      return ApiFail(ApiError(422, "Invalid", outcome.error().what()).about(kind.group, kind.type.kind, key.name));
    if (!outcome->conflicts.empty()) return conflicts(outcome->conflicts);
    return std::move(outcome->object);
  };
  WriteArgs inner = args;
  inner.validation = FieldValidation::ignore;
  for (int i = 0;; ++i) {
    if (!store_.get(kind.table, key)) {
      if (!sub.empty()) return ApiFail(not_found(kind, key.name));
      if (!applied.str_at({"metadata", "uid"}).empty())
        return ApiFail(ApiError(409, "Conflict",
                                fmt::format("Operation cannot be fulfilled on {} \"{}\": uid mismatch: the provided "
                                            "object specified uid {}, and no existing object was found",
                                            kind.resource(), key.name, applied.str_at({"metadata", "uid"}))));
      API_TRY(auto fresh, apply_to(nullptr));
      auto made = add(ctx, kind, key.ns, std::move(fresh), inner, Fields::given);
      if (!made && made.error().reason == "AlreadyExists" && i < tries) continue;
      if (made) made->warnings.insert(made->warnings.begin(), warnings.begin(), warnings.end());
      return made;
    }
    auto make = [&](const kube::Object& current) -> ApiResult<doc::Value> {
      auto live = current.copy();
      live["metadata"].map().erase("resourceVersion");
      return apply_to(&live);
    };
    auto out = change(ctx, kind, key, sub, inner, Fields::given, make);
    if (!out && out.error().code == 404 && sub.empty() && i < tries) continue;
    if (out) out->warnings.insert(out->warnings.begin(), warnings.begin(), warnings.end());
    return out;
  }
}

}  // namespace slipway::cluster
