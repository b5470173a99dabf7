#include "cluster/api/call.h"

#include "base/text.h"
#include "cluster/api/protobuf.h"
#include "cluster/api/table.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

std::string_view parameter(const std::vector<std::string_view>& parts, std::string_view name) {
  for (auto part : parts) {
    part = trim(part);
    if (part.starts_with(name) && part.size() > name.size() && part[name.size()] == '=')
      return part.substr(name.size() + 1);
  }
  return {};
}

}  // namespace

ApiResult<Wanted> wanted_of(std::string_view accept) {
  if (trim(accept).empty()) return Wanted{};
  for (auto range : split(accept, ',')) {
    auto parts = split(trim(range), ';');
    auto type = trim(parts[0]);
    auto as = parameter(parts, "as");
    Wanted wanted;
    if (auto v = parameter(parts, "v"); !v.empty()) wanted.version = v;
    if (wanted.version != "v1" && wanted.version != "v1beta1") continue;
    if (type == "application/yaml")
      wanted.yaml = true;
    else if (type != "application/json" && type != "*/*" && type != "application/*")
      continue;
    if (as.empty()) return wanted;
    if (as == "Table")
      wanted.form = Form::table;
    else if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList")
      wanted.form = Form::metadata;
    else
      continue;
    return wanted;
  }
  return ApiFail(ApiError(406, "NotAcceptable",
                          "only the following media types are accepted: application/json, application/yaml"));
}

bool Call::flag(std::string_view name) const {
  for (const auto& [parameter_name, value] : request.query)
    if (parameter_name == name) return value.empty() || value == "true" || value == "1";
  return false;
}

WriteArgs Call::write_args() const {
  WriteArgs args;
  args.caller = &caller;
  args.manager = query("fieldManager");
  args.dry_run = query("dryRun") == "All";
  args.force = flag("force");
  auto validation = query("fieldValidation");
  args.validation = validation == "Strict"   ? FieldValidation::strict
                    : validation == "Ignore" ? FieldValidation::ignore
                                             : FieldValidation::warn;
  return args;
}

ApiResult<doc::Value> Call::body(std::size_t limit) {
  auto text = request.read_body(ctx, limit);
  if (!text) {
    if (text.error().is(Kind::invalid))
      return ApiFail(
          ApiError(413, "RequestEntityTooLarge", fmt::format("Request entity too large: limit is {}", limit)));
    return ApiFail(ApiError(text.error()));
  }
  auto type = request.headers.get_or("content-type", "application/json");
  type = trim(type.substr(0, type.find(';')));
  if (type == "application/vnd.kubernetes.protobuf" || text->starts_with(std::string_view("k8s\0", 4))) {
    auto decoded = decode_protobuf(*text);
    if (!decoded) return ApiFail(bad_request(decoded.error().what()));
    return *std::move(decoded);
  }
  if (type == "application/cbor" || type == "application/apply-patch+cbor")
    return ApiFail(ApiError(415, "UnsupportedMediaType",
                            "the body of the request was in an unknown format - accepted media types include: "
                            "application/json, application/yaml, application/vnd.kubernetes.protobuf"));
  if (trim(*text).empty()) return doc::Value();
  bool yaml = type.ends_with("yaml");
  auto value =
      yaml && trim(*text)[0] != '{' ? doc::parse_yaml(*text, {.source = "body"}) : doc::parse_json(*text, "body");
  if (!value) return ApiFail(bad_request(value.error().what()));
  return *std::move(value);
}

ApiResult<DeleteArgs> Call::delete_args() {
  DeleteArgs args;
  args.caller = &caller;
  API_TRY(auto options, body());
  doc::View v(options);
  if (v["gracePeriodSeconds"].present()) args.grace = v["gracePeriodSeconds"].num_or(0);
  args.propagation = v["propagationPolicy"].text();
  if (v["orphanDependents"].present())
    args.propagation = v["orphanDependents"].bool_or(false) ? "Orphan" : "Background";
  args.uid = v["preconditions"]["uid"].text();
  args.resource_version = v["preconditions"]["resourceVersion"].text();
  for (const auto& item : v["dryRun"].items()) args.dry_run |= item.text() == "All";
  if (auto grace = to_int(query("gracePeriodSeconds"))) args.grace = *grace;
  if (auto policy = query("propagationPolicy"); !policy.empty()) args.propagation = policy;
  args.dry_run |= query("dryRun") == "All";
  return args;
}

ListArgs Call::list_args() const {
  ListArgs args;
  args.ns = key.ns;
  args.labels = query("labelSelector"), args.fields = query("fieldSelector");
  args.limit = static_cast<std::size_t>(std::max<std::int64_t>(0, to_int(query("limit")).value_or(0)));
  args.continued = query("continue");
  args.resource_version = query("resourceVersion"), args.match = query("resourceVersionMatch");
  args.visible = visible;
  return args;
}

net::Response answer(int status, const doc::Value& value, const Wanted& wanted) {
  if (wanted.yaml) return net::Response::text(status, doc::print_yaml(value), "application/yaml");
  return net::Response::json(status, doc::print_json(value));
}

net::Response answer(const ApiError& error) {
  auto response = answer(error.code, error.to_doc());
  if (error.retry_after > 0) response.headers.set("Retry-After", std::to_string(error.retry_after));
  if (error.code == 401) response.headers.set("WWW-Authenticate", "Bearer");
  return response;
}

void warn(net::Response& response, const std::vector<std::string>& warnings) {
  for (const auto& text : warnings) response.headers.add("Warning", fmt::format("299 - {}", doc::json_quote(text)));
}

bool include_object(const Call& call) { return call.query("includeObject") == "Object"; }

namespace {

doc::Value metadata_only(const kube::Object& object, const std::string& version) {
  doc::Map out{{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/" + version}};
  if (const auto* metadata = object.value().find("metadata")) out.set("metadata", *metadata);
  return out;
}

}  // namespace

doc::Value formed(const KindInfo& kind, const kube::Object& object, const Wanted& wanted) {
  if (wanted.form == Form::object) return object.value();
  if (wanted.form == Form::metadata) return metadata_only(object, wanted.version);
  doc::Map row{{"cells", cells_of(kind, object)}, {"object", metadata_only(object, wanted.version)}};
  return doc::Map{{"kind", "Table"},
                  {"apiVersion", "meta.k8s.io/" + wanted.version},
                  {"metadata", doc::Map{{"resourceVersion", object.resource_version()}}},
                  {"columnDefinitions", columns_of(kind)},
                  {"rows", doc::List{std::move(row)}}};
}

}  // namespace slipway::cluster
