#include "cluster/api/machinery.h"

#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "cluster/api/convert.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

Revision number(const std::string& text) { return static_cast<Revision>(to_int(text).value_or(0)); }

// The fields each kind can be selected by, besides metadata.name and metadata.namespace.
bool selectable(const KindInfo& kind, std::string_view path) {
  static const std::map<std::string_view, std::vector<std::string_view>> known{
      {"pods",
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName"}},
      {"events",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type", "regarding.kind", "regarding.namespace", "regarding.name",
        "regarding.uid"}},
      {"secrets", {"type"}},
      {"namespaces", {"status.phase"}},
      {"nodes", {"spec.unschedulable"}},
      {"jobs.batch", {"status.successful"}},
      {"replicasets.apps", {"status.replicas"}},
      {"replicationcontrollers", {"status.replicas"}},
      {"certificatesigningrequests.certificates.k8s.io", {"spec.signerName"}}};
  if (path == "metadata.name" || path == "metadata.namespace") return true;
  if (std::find(kind.selectable.begin(), kind.selectable.end(), path) != kind.selectable.end()) return true;
  auto it = known.find(kind.table);
  return it != known.end() && std::find(it->second.begin(), it->second.end(), path) != it->second.end();
}

struct Token {
  Revision revision = 0;
  kube::Key after;
};
std::string print_token(const Token& t) {
  return to_base64url(doc::print_json(doc::Map{{"v", "meta.k8s.io/v1"},
                                               {"rv", static_cast<std::int64_t>(t.revision)},
                                               {"ns", t.after.ns},
                                               {"start", t.after.name}}));
}
ApiResult<Token> parse_token(const std::string& text) {
  auto raw = from_base64(text);
  auto value = raw ? doc::parse_json(*raw) : Result<doc::Value>(Fail(raw.error()));
  if (!value || !value->is_map()) return ApiFail(bad_request("continue key is not valid"));
  doc::View v(*value);
  return Token{static_cast<Revision>(v["rv"].num_or(0)), {v["ns"].text(), v["start"].text()}};
}

}  // namespace

ApiResult<Filter> Filter::make(const KindInfo& kind, const std::string& ns, const std::string& labels,
                               const std::string& fields) {
  Filter filter;
  filter.ns = ns;
  auto wrong = [](const Error& error) { return ApiFail(bad_request(error.what())); };
  auto by_label = kube::LabelSelector::parse(labels);
  if (!by_label) return wrong(by_label.error());
  auto by_field = kube::FieldSelector::parse(fields);
  if (!by_field) return wrong(by_field.error());
  for (const auto& term : by_field->terms())
    if (!selectable(kind, term.path))
      return ApiFail(bad_request(fmt::format("field label not supported: {}", term.path)));
  filter.labels = *std::move(by_label), filter.fields = *std::move(by_field);
  filter.all = filter.labels.everything() && filter.fields.terms().empty();
  return filter;
}

bool Filter::matches(const kube::Object& object) const {
  if (!ns.empty() && object.ns() != ns) return false;
  if (all) return true;
  if (!labels.everything() && !labels.matches(object.labels())) return false;
  return fields.matches(object) && (!visible || visible(object));
}

Machinery::Machinery(ObjectStore& store, Kinds& kinds, std::string service_cidr)
    : store_(store), kinds_(kinds), addresses_(std::move(service_cidr)) {
  for (const auto& service : store_.list("services", "").items) addresses_.take(service->object());
}

kube::Object Machinery::shown(const KindInfo& kind, const kube::Object& stored) const {
  if (!stored || stored.api_version() == kind.type.api_version) return stored;
  return kube::Object(convert(stored.copy(), kind.type));
}

ApiResult<kube::Object> Machinery::get(const KindInfo& kind, const kube::Key& key) const {
  auto object = store_.get(kind.table, key);
  if (!object) return ApiFail(not_found(kind, key.name));
  return shown(kind, object);
}

ApiResult<Listed> Machinery::list(const KindInfo& kind, const ListArgs& args) const {
  API_TRY(auto filter, Filter::make(kind, args.ns, args.labels, args.fields));
  filter.only(args.visible);
  ObjectStore::Snapshot snapshot;
  if (!args.continued.empty()) {
    API_TRY(auto token, parse_token(args.continued));
    auto then = store_.list_at(kind.table, args.ns, token.revision, token.after);
    if (!then) {
      auto error = expired(
          "The provided continue parameter is too old to display a consistent list result. You can start a new list "
          "without the continue parameter.");
      return ApiFail(std::move(error));
    }
    snapshot = *std::move(then);
  } else if (args.match == "Exact" && !args.resource_version.empty()) {
    API_TRY(snapshot, store_.list_at(kind.table, args.ns, number(args.resource_version)));
  } else {
    snapshot = store_.list(kind.table, args.ns);
    if (number(args.resource_version) > snapshot.revision) {
      auto error = ApiError(
          504, "Timeout",
          fmt::format("Too large resource version: {}, current: {}", args.resource_version, snapshot.revision));
      error.causes = {{"ResourceVersionTooLarge", "Too large resource version", ""}};
      error.retry_after = 1;
      return ApiFail(std::move(error));
    }
  }
  auto& mentions = args.mentions;
  if (!mentions.empty())
    std::erase_if(snapshot.items, [&](const StoredPtr& object) {
      const auto& text = object->text();
      return std::none_of(mentions.begin(), mentions.end(), [&](const auto& one) {
        return ::memmem(text.data(), text.size(), one.data(), one.size()) != nullptr;  // twice as fast as find()
      });
    });
  Listed out;
  out.revision = snapshot.revision;
  std::size_t seen = 0;
  for (auto& object : snapshot.items) {
    ++seen;
    if (!filter.all && !filter.matches(object->object())) continue;  // the snapshot is of the namespace
    if (args.limit > 0 && out.items.size() == args.limit) {
      out.continued = print_token({snapshot.revision, out.items.back()->object().key()});
      if (filter.all) out.remaining = snapshot.items.size() - seen + 1;
      break;
    }
    out.items.push_back(std::move(object));
  }
  return out;
}

void Machinery::on_write(std::function<void(const Audit&)> listener) {
  std::lock_guard hold(listener_mutex_);
  listener_ = std::make_shared<const std::function<void(const Audit&)>>(std::move(listener));
}

void Machinery::audit(const KindInfo& kind, std::string_view verb, const std::string& sub, const kube::Object& object,
                      const Caller* caller, const std::string& manager) const {
  std::shared_ptr<const std::function<void(const Audit&)>> listener;
  {
    std::lock_guard hold(listener_mutex_);
    listener = listener_;
  }
  if (!listener || !*listener) return;
  Audit a;
  if (caller != nullptr) a.user = caller->user, a.user_agent = caller->user_agent;
  a.verb = verb, a.field_manager = manager, a.subresource = sub;
  a.type = kind.type, a.key = object.key(), a.resource_version = object.resource_version();
  a.when = real_clock().wall();
  (*listener)(a);
}

}  // namespace slipway::cluster
