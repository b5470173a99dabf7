// OpenAPI v3, one document a group and version: what kubectl needs to validate, explain and apply.
#include "base/hash.h"
#include "base/text.h"
#include "cluster/api/call.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

using Shape = kube::Schema::Shape;

constexpr std::string_view references = "#/components/schemas/";

// "apps.v1.Deployment" as Kubernetes names it: io.k8s.api.apps.v1.Deployment.
std::string full_name(std::string_view name) {
  if (name.starts_with("meta.")) return fmt::format("io.k8s.apimachinery.pkg.apis.{}", name);
  if (name.starts_with("apiextensions.")) return fmt::format("io.k8s.apiextensions-apiserver.pkg.apis.{}", name);
  return fmt::format("io.k8s.api.{}", name);
}

class Components {
 public:
  std::string add(const kube::Struct& type) {
    auto name = full_name(type.name);
    if (seen_.insert(name).second) queue_.push_back(&type);
    return name;
  }
  doc::Value reference(const kube::Struct& type) { return doc::Map{{"$ref", std::string(references) + add(type)}}; }

  doc::Value shape(const kube::Schema& s) {
    doc::Map out;
    switch (s.shape) {
      case Shape::string:
        out.set("type", "string");
        break;
      case Shape::bytes:
        out.set("type", "string"), out.set("format", "byte");
        break;
      case Shape::time:
      case Shape::micro_time:
        out.set("type", "string"), out.set("format", "date-time");
        break;
      case Shape::boolean:
        out.set("type", "boolean");
        break;
      case Shape::int32:
        out.set("type", "integer"), out.set("format", "int32");
        break;
      case Shape::int64:
        out.set("type", "integer"), out.set("format", "int64");
        break;
      case Shape::number:
        out.set("type", "number"), out.set("format", "double");
        break;
      case Shape::quantity:
        out.set("oneOf", doc::List{doc::Map{{"type", "string"}}, doc::Map{{"type", "number"}}});
        break;
      case Shape::int_or_string:
        out.set("format", "int-or-string"),
            out.set("oneOf", doc::List{doc::Map{{"type", "integer"}}, doc::Map{{"type", "string"}}});
        break;
      case Shape::any:
        out.set("x-kubernetes-preserve-unknown-fields", true), out.set("type", "object");
        break;
      case Shape::map:
        out.set("type", "object"), out.set("additionalProperties", shape(*s.items));
        break;
      case Shape::list:
        list(s, out);
        break;
      case Shape::object:
        out.set("allOf", doc::List{reference(*s.fields)});
        break;
    }
    if (s.merges) {
      out.set("x-kubernetes-patch-strategy", s.retains ? "merge,retainKeys" : "merge");
      if (!s.merge_key.empty()) out.set("x-kubernetes-patch-merge-key", s.merge_key);
    } else if (s.retains) {
      out.set("x-kubernetes-patch-strategy", "retainKeys");
    }
    if (s.atomic) out.set("x-kubernetes-map-type", "atomic");
    return out;
  }

  // Everything that was referred to, and what that refers to.
  doc::Map finish() {
    doc::Map out;
    while (!queue_.empty()) {
      const auto* type = queue_.back();
      queue_.pop_back();
      out.set(full_name(type->name), object(*type));
    }
    return out;
  }
  void kind(const KindInfo& k, const kube::Struct& type) {
    kinds_[full_name(type.name)].emplace_back(
        doc::Map{{"group", k.group}, {"kind", k.type.kind}, {"version", k.version}});
  }

 private:
  void list(const kube::Schema& s, doc::Map& out) {
    out.set("type", "array");
    out.set("items", shape(*s.items));
    using L = doc::MergeSchema::ListType;
    if (s.list == L::map) {
      doc::List keys;
      for (const auto& key : s.keys) keys.emplace_back(key);
      out.set("x-kubernetes-list-type", "map");
      out.set("x-kubernetes-list-map-keys", std::move(keys));
    } else if (s.list == L::set) {
      out.set("x-kubernetes-list-type", "set");
    }
  }
  doc::Value object(const kube::Struct& type) {
    doc::Map properties;
    doc::List required;
    for (const auto& m : type.members) {
      if (m.inlined) continue;
      properties.set(m.name, shape(*m.schema));
      if (m.required) required.emplace_back(m.name);
    }
    doc::Map out{{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) out.set("required", std::move(required));
    auto it = kinds_.find(full_name(type.name));
    if (it != kinds_.end()) out.set("x-kubernetes-group-version-kind", it->second);
    return out;
  }
  std::set<std::string> seen_;
  std::vector<const kube::Struct*> queue_;
  std::map<std::string, doc::List> kinds_;
};

std::string prefix_of(const KindInfo& kind) {
  return kind.group.empty() ? "api/" + kind.version : fmt::format("apis/{}/{}", kind.group, kind.version);
}

// kubectl leaves validation to a server whose patch takes this parameter.
doc::Value paths_of(const std::vector<KindPtr>& kinds) {
  doc::Map paths;
  doc::Value parameters =
      doc::List{doc::Map{{"name", "dryRun"}, {"in", "query"}, {"schema", doc::Map{{"type", "string"}}}},
                doc::Map{{"name", "fieldManager"}, {"in", "query"}, {"schema", doc::Map{{"type", "string"}}}},
                doc::Map{{"name", "fieldValidation"}, {"in", "query"}, {"schema", doc::Map{{"type", "string"}}}},
                doc::Map{{"name", "force"}, {"in", "query"}, {"schema", doc::Map{{"type", "boolean"}}}}};
  for (const auto& kind : kinds) {
    if (!kind->has_verb("patch")) continue;
    doc::Map operation{{"operationId", "patch" + kind->type.kind},
                       {"parameters", parameters},
                       {"responses", doc::Map{{"200", doc::Map{{"description", "OK"}}}}},
                       {"x-kubernetes-action", "patch"},
                       {"x-kubernetes-group-version-kind",
                        doc::Map{{"group", kind->group}, {"kind", kind->type.kind}, {"version", kind->version}}}};
    paths.set(fmt::format("/{}/{}{}/{{name}}", prefix_of(*kind), kind->namespaced ? "namespaces/{namespace}/" : "",
                          kind->plural),
              doc::Map{{"patch", std::move(operation)}});
  }
  return paths;
}

// "dev.slipway.v1.Pipeline"
std::string custom_name(const KindInfo& kind) {
  auto parts = split(kind.group, '.');
  std::reverse(parts.begin(), parts.end());
  return fmt::format("{}.{}.{}", join(parts, "."), kind.version, kind.type.kind);
}

std::string document(const std::vector<KindPtr>& kinds) {
  Components components;
  std::string custom;
  for (const auto& kind : kinds) {
    if (kind->group == metrics_group) continue;  // nobody writes them
    if (!kind->custom) {
      components.kind(*kind, *kind->schema->fields);
      components.add(*kind->schema->fields);
      continue;
    }
    if (kind->open_api.empty()) continue;
    components.add(*kube::schema_of_struct("meta.v1.ObjectMeta")->fields);
    custom += fmt::format("\"{}\":{},", custom_name(*kind), kind->open_api);
  }
  if (const auto* options = kube::schema_of_struct("meta.v1.DeleteOptions")) components.add(*options->fields);
  doc::Value info = doc::Map{{"title", "Kubernetes"}, {"version", kube::builtin_version()}};
  auto schemas = doc::print_json(components.finish());
  return fmt::format(R"({{"openapi":"3.0.0","info":{},"paths":{},"components":{{"schemas":{{{}{}}}}})",
                     doc::print_json(info), doc::print_json(paths_of(kinds)), custom, schemas.substr(1));
}

// Clients keep what is behind a hash for ever: a custom group's is that of its kinds, a built-in one's of the program.
std::string hash_of(std::string_view prefix, const std::vector<KindPtr>& kinds) {
  auto text = fmt::format("{} {} 1", prefix, kube::builtin_version());
  for (const auto& kind : kinds)
    if (kind->custom) text += fmt::format(" {} {} {}", kind->plural, kind->namespaced, kind->open_api_hash);
  return sha256_hex(text).substr(0, 32);
}

}  // namespace

std::optional<net::Response> serve_open_api(const net::Request& request, const Kinds& kinds) {
  auto path = std::string_view(request.path);
  // kubectl looks here only to validate a kind that version 3 does not know: there is nothing to validate with, and it
  // goes on to say that the kind is unknown.
  if (path == "/openapi/v2") {
    if (!request.headers.get_or("accept", "").contains("com.github.proto-openapi.spec.v2@v1.0+protobuf"))
      return answer(200, doc::Map{{"swagger", "2.0"}, {"paths", doc::Map{}}});
    return net::Response::text(200,
                               "\x0a\x03"
                               "2.0",
                               "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  }
  if (!path.starts_with("/openapi/v3")) return std::nullopt;
  path.remove_prefix(std::string_view("/openapi/v3").size());
  while (path.starts_with('/')) path.remove_prefix(1);
  std::map<std::string, std::vector<KindPtr>> served;
  for (const auto& kind : kinds.all()) served[prefix_of(*kind)].push_back(kind);
  if (path.empty()) {
    doc::Map paths;
    for (const auto& [prefix, list] : served)
      paths.set(prefix,
                doc::Map{{"serverRelativeURL", fmt::format("/openapi/v3/{}?hash={}", prefix, hash_of(prefix, list))}});
    return answer(200, doc::Map{{"paths", std::move(paths)}});
  }
  auto it = served.find(std::string(path));
  if (it == served.end()) return answer(ApiError(404, "NotFound", "the server could not find the requested resource"));
  auto text = document(it->second);
  auto response = net::Response::json(200, text);
  auto tag = fmt::format("\"{}\"", sha256_hex(text).substr(0, 32));
  response.headers.set("ETag", tag);
  if (!request.query_of("hash").empty()) response.headers.set("Cache-Control", "public, immutable, max-age=31536000");
  if (request.headers.get_or("if-none-match", "") == tag) response.status = 304, response.body = std::string();
  return response;
}

}  // namespace slipway::cluster
