#include "cluster/api/call.h"
#include "cluster/api/table.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

doc::Map list_metadata(const Listed& listed) {
  doc::Map metadata{{"resourceVersion", std::to_string(listed.revision)}};
  if (!listed.continued.empty()) metadata.set("continue", listed.continued);
  if (listed.remaining) metadata.set("remainingItemCount", static_cast<std::int64_t>(*listed.remaining));
  return metadata;
}

// Whole objects are printed one after the other onto the response, without a list of copies between.
net::Response object_list(const Machinery& machinery, const KindInfo& kind, const Listed& listed) {
  std::string out = fmt::format("{{\"kind\":{},\"apiVersion\":{},\"metadata\":", doc::json_quote(kind.list_kind),
                                doc::json_quote(kind.type.api_version));
  doc::append_json(out, list_metadata(listed));
  out += ",\"items\":[";
  bool first = true;
  for (const auto& stored : listed.items) {
    if (!first) out += ',';
    first = false;
    if (kind.type == kind.stored)
      out += stored->text();
    else
      doc::append_json(out, machinery.shown(kind, stored).value());
  }
  out += "]}\n";
  return net::Response::json(200, std::move(out));
}

doc::Value table(const Call& call, const Listed& listed) {
  const auto& kind = *call.kind;
  Wanted metadata{Form::metadata, call.wanted.version, false};
  auto include = call.query("includeObject");
  doc::List rows;
  for (const auto& stored : listed.items) {
    auto object = call.machinery.shown(kind, stored);
    doc::Map row{{"cells", cells_of(kind, object)}};
    if (include != "None") row.set("object", include == "Object" ? object.value() : formed(kind, object, metadata));
    rows.emplace_back(std::move(row));
  }
  return doc::Map{{"kind", "Table"},
                  {"apiVersion", "meta.k8s.io/" + call.wanted.version},
                  {"metadata", list_metadata(listed)},
                  {"columnDefinitions", columns_of(kind)},
                  {"rows", std::move(rows)}};
}

net::Response list(Call& call) {
  auto listed = call.machinery.list(*call.kind, call.list_args());
  if (!listed) return answer(listed.error());
  if (call.wanted.form == Form::table) return answer(200, table(call, *listed), call.wanted);
  if (call.wanted.form == Form::object && !call.wanted.yaml) return object_list(call.machinery, *call.kind, *listed);
  doc::List items;
  for (const auto& stored : listed->items)
    items.push_back(formed(*call.kind, call.machinery.shown(*call.kind, stored), call.wanted));
  bool metadata = call.wanted.form == Form::metadata;
  doc::Value out =
      doc::Map{{"kind", metadata ? "PartialObjectMetadataList" : call.kind->list_kind},
               {"apiVersion", metadata ? "meta.k8s.io/" + call.wanted.version : call.kind->type.api_version},
               {"metadata", list_metadata(*listed)},
               {"items", std::move(items)}};
  return answer(200, out, call.wanted);
}

}  // namespace

net::Response serve_read(Call& call) {
  if (call.key.name.empty()) return list(call);
  auto object = call.machinery.get(*call.kind, call.key);
  if (!object) return answer(object.error());
  if (call.sub == "scale") {
    if (!call.kind->scale) return answer(ApiError(404, "NotFound", "the server could not find the requested resource"));
    auto scale = scale_of(*call.kind, *object);
    return scale ? answer(200, *scale, {}) : answer(scale.error());
  }
  if (!call.sub.empty() && call.sub != "status" && call.sub != "ephemeralcontainers" && call.sub != "resize")
    return answer(method_not_allowed());
  auto value = formed(*call.kind, *object, call.wanted);
  if (call.wanted.form == Form::table && include_object(call)) value["rows"].list()[0]["object"] = object->value();
  return answer(200, value, call.wanted);
}

}  // namespace slipway::cluster
