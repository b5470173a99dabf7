#include "scan/sbom.h"

#include "base/hash.h"
#include "doc/json.h"

namespace slipway::scan {
namespace {

// A name-based UUID (version 8 layout) of the contents: no randomness in a document that is addressed by its digest.
std::string content_uuid(const Inventory& inventory) {
  Hasher hasher;
  hasher.update(inventory.target);
  for (const auto& p : inventory.packages) hasher.update("\n").update(purl(p)).update(p.place.file);
  auto hex = hasher.finish_hex();
  hex[12] = '8', hex[16] = 'a';
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20, 12));
}

bool is_image(const Inventory& inventory) { return inventory.target.find("@sha256:") != std::string::npos; }

// What CycloneDX asks of a reference is only that it is unique in the document.
std::string reference_of(const Package& p, std::size_t index) { return fmt::format("{}#{}", purl(p), index); }

doc::Value property(std::string_view name, const std::string& value) {
  return doc::Map{{"name", name}, {"value", value}};
}

doc::Value component(const Package& p, std::size_t index) {
  doc::Map map;
  map.set("type", "library");
  map.set("bom-ref", reference_of(p, index));
  map.set("name", p.name);
  map.set("version", p.version);
  map.set("purl", purl(p));
  if (!p.license.empty()) map.set("licenses", doc::List{doc::Map{{"license", doc::Map{{"name", p.license}}}}});
  doc::List properties{property("slipway:ecosystem", p.ecosystem), property("slipway:file", p.place.file)};
  if (!p.source_name.empty()) properties.push_back(property("slipway:source", p.source_name));
  if (!p.layer.empty()) properties.push_back(property("slipway:layer", p.layer));
  map.set("properties", std::move(properties));
  return map;
}

std::string spdx_id(std::size_t index) { return fmt::format("SPDXRef-Package-{}", index); }

doc::Value spdx_package(const Package& p, std::size_t index) {
  doc::Map map;
  map.set("SPDXID", spdx_id(index));
  map.set("name", p.name);
  map.set("versionInfo", p.version);
  map.set("downloadLocation", "NOASSERTION");
  map.set("filesAnalyzed", false);
  map.set("licenseConcluded", "NOASSERTION");
  map.set("licenseDeclared", "NOASSERTION");
  map.set("copyrightText", "NOASSERTION");
  map.set("sourceInfo", "found in " + p.place.file);
  map.set("externalRefs",
          doc::List{doc::Map{
              {"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", purl(p)}}});
  return map;
}

doc::Value relationship(const std::string& from, std::string_view type, const std::string& to) {
  return doc::Map{{"spdxElementId", from}, {"relationshipType", type}, {"relatedSpdxElement", to}};
}

}  // namespace

std::string print_cyclonedx(const Inventory& inventory, WallTime created) {
  doc::Map subject{
      {"type", is_image(inventory) ? "container" : "application"}, {"bom-ref", "target"}, {"name", inventory.target}};
  doc::List components, parts;
  if (!inventory.distribution.id.empty()) {
    const auto& d = inventory.distribution;
    components.push_back(
        doc::Map{{"type", "operating-system"}, {"bom-ref", "os"}, {"name", d.id}, {"version", d.version}});
    parts.emplace_back("os");
  }
  for (std::size_t i = 0; i < inventory.packages.size(); ++i) {
    components.push_back(component(inventory.packages[i], i));
    parts.emplace_back(reference_of(inventory.packages[i], i));
  }
  doc::Map tools{{"components", doc::List{doc::Map{{"type", "application"}, {"name", "slipway"}}}}};
  doc::Map root;
  root.set("$schema", "http://cyclonedx.org/schema/bom-1.5.schema.json");
  root.set("bomFormat", "CycloneDX");
  root.set("specVersion", "1.5");
  root.set("serialNumber", "urn:uuid:" + content_uuid(inventory));
  root.set("version", 1);
  root.set("metadata",
           doc::Map{{"timestamp", rfc3339(created)}, {"tools", std::move(tools)}, {"component", std::move(subject)}});
  root.set("components", std::move(components));
  root.set("dependencies", doc::List{doc::Map{{"ref", "target"}, {"dependsOn", std::move(parts)}}});
  return doc::print_json(root);
}

std::string print_spdx(const Inventory& inventory, WallTime created) {
  const std::string document = "SPDXRef-DOCUMENT", target = "SPDXRef-Target";
  doc::List packages, relations{relationship(document, "DESCRIBES", target)};
  packages.push_back(doc::Map{{"SPDXID", target},
                              {"name", inventory.target},
                              {"downloadLocation", "NOASSERTION"},
                              {"filesAnalyzed", false},
                              {"primaryPackagePurpose", is_image(inventory) ? "CONTAINER" : "SOURCE"}});
  for (std::size_t i = 0; i < inventory.packages.size(); ++i) {
    packages.push_back(spdx_package(inventory.packages[i], i));
    relations.push_back(relationship(target, "CONTAINS", spdx_id(i)));
  }
  doc::Map root;
  root.set("spdxVersion", "SPDX-2.3");
  root.set("dataLicense", "CC0-1.0");
  root.set("SPDXID", document);
  root.set("name", inventory.target);
  root.set("documentNamespace", "https://slipway.dev/spdx/" + content_uuid(inventory));
  root.set("creationInfo", doc::Map{{"created", rfc3339(created)}, {"creators", doc::List{"Tool: slipway"}}});
  root.set("packages", std::move(packages));
  root.set("relationships", std::move(relations));
  return doc::print_json(root);
}

}  // namespace slipway::scan
