// Secret objects to SealedSecret objects and back.
#include "base/encode.h"
#include "base/text.h"
#include "doc/view.h"
#include "secret/sealed.h"

namespace slipway::secret {
namespace {

constexpr std::string_view cluster_wide = "sealedsecrets.bitnami.com/cluster-wide",
                           namespace_wide = "sealedsecrets.bitnami.com/namespace-wide",
                           last_applied = "kubectl.kubernetes.io/last-applied-configuration";

// What a Secret keeps of its metadata on the way: no more than a person wrote.
doc::Map kept_metadata(doc::View metadata) {
  doc::Map kept;
  for (auto key : {"name", "namespace", "labels"})
    if (metadata[key].present()) kept.set(key, metadata[key].value());
  doc::Map annotations;
  for (const auto& [key, value] : metadata["annotations"].members())
    if (key != last_applied) annotations.set(key, value.value());
  if (!annotations.empty()) kept.set("annotations", std::move(annotations));
  return kept;
}

void put_scope(doc::Map& metadata, SealScope scope) {
  if (scope == SealScope::strict) return;
  metadata["annotations"].map().set(scope == SealScope::cluster_wide ? cluster_wide : namespace_wide, "true");
}

Result<std::vector<std::pair<std::string, std::string>>> values_of(doc::View secret) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [key, value] : secret["data"].members()) {
    auto plain = from_base64(value.text());
    if (!plain) return value.wrong("want base64");
    values.emplace_back(key, *std::move(plain));
  }
  for (const auto& [key, value] : secret["stringData"].members()) {
    std::erase_if(values, [&name = key](const auto& pair) { return pair.first == name; });
    values.emplace_back(key, value.text());
  }
  return values;
}

}  // namespace

std::string sealing_label(SealScope scope, std::string_view ns, std::string_view name) {
  if (scope == SealScope::cluster_wide) return "";
  return scope == SealScope::namespace_wide ? std::string(ns) : fmt::format("{}/{}", ns, name);
}

SealScope scope_of(const doc::Value& object) {
  if (object.str_at({"metadata", "annotations", cluster_wide}) == "true") return SealScope::cluster_wide;
  if (object.str_at({"metadata", "annotations", namespace_wide}) == "true") return SealScope::namespace_wide;
  return SealScope::strict;
}

Result<doc::Value> seal_secret(const doc::Value& secret, std::string_view certificate_pem, SealScope scope) {
  doc::View view(secret);
  if (view["kind"].text() != "Secret" || view["apiVersion"].text() != "v1")
    return view["kind"].wrong("want a Secret of v1");
  auto metadata = kept_metadata(view["metadata"]);
  auto ns = view["metadata"]["namespace"].text(), name = view["metadata"]["name"].text();
  if (name.empty()) return view["metadata"]["name"].wrong("want a name: values are sealed for it");
  if (ns.empty() && scope != SealScope::cluster_wide)
    return view["metadata"]["namespace"].wrong("want a namespace: values are sealed for it");
  TRY(auto values, values_of(view));
  doc::Map encrypted;
  for (const auto& [key, plain] : values) {
    TRY(auto sealed, seal_value(certificate_pem, plain, sealing_label(scope, ns, name)));
    encrypted.set(key, std::move(sealed));
  }
  put_scope(metadata, scope);
  doc::Map own{{"name", name}};
  if (!ns.empty()) own.set("namespace", ns);
  put_scope(own, scope);
  doc::Map form{{"metadata", std::move(metadata)}};
  if (view["type"].present()) form.set("type", view["type"].value());
  if (view["immutable"].present()) form.set("immutable", view["immutable"].value());
  return doc::Value(
      doc::Map{{"apiVersion", "bitnami.com/v1alpha1"},
               {"kind", "SealedSecret"},
               {"metadata", std::move(own)},
               {"spec", doc::Map{{"encryptedData", std::move(encrypted)}, {"template", std::move(form)}}}});
}

Result<doc::Value> unseal_secret(const doc::Value& sealed, std::span<const SealingKey> keys) {
  doc::View view(sealed);
  auto spec = view["spec"], form = spec["template"];
  if (spec["data"].present() && !spec["data"].text().empty())
    return spec["data"].wrong("the old form is not supported, want encryptedData (kubeseal writes it)");
  if (!form["data"].members().empty())
    return form["data"].wrong("templates are not supported, want the values in encryptedData");
  auto ns = view["metadata"]["namespace"].text(), name = view["metadata"]["name"].text();
  auto label = sealing_label(scope_of(sealed), ns, name);
  doc::Map data;
  for (const auto& [key, value] : spec["encryptedData"].members()) {
    auto plain = unseal_value(keys, value.text(), label);
    if (!plain) return Fail(std::move(plain).error().in(fmt::format(".spec.encryptedData.{}", key)));
    data.set(key, to_base64(plain->bytes()));
  }
  auto metadata = kept_metadata(form["metadata"]);
  metadata.set("name", name), metadata.set("namespace", ns);
  doc::Map secret{{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", std::move(metadata)}};
  secret.set("type", form["type"].str_or("Opaque"));
  if (form["immutable"].present()) secret.set("immutable", form["immutable"].value());
  secret.set("data", std::move(data));
  return doc::Value(std::move(secret));
}

}  // namespace slipway::secret
