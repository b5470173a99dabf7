#include "image/detail/attestations.h"

#include "base/encode.h"
#include "doc/json.h"

namespace slipway::image::detail {

namespace {

constexpr std::string_view in_toto = "application/vnd.in-toto+json";
constexpr std::string_view artifact = "application/vnd.docker.attestation.manifest.v1+json";
constexpr std::string_view build_type = "https://slipway.dev/build-types/dockerfile/v1";

doc::Map digest_map(std::string_view algorithm, std::string_view hex) {
  doc::Map out;
  out.set(std::string(algorithm), hex);
  return out;
}

doc::List names_of(const auto& values) {
  doc::List out;
  for (const auto& [name, value] : values) out.emplace_back(doc::Map{{"id", name}});
  return out;
}

Result<oci::Descriptor> put_blob(oci::Registry& registry, std::string_view media_type, std::string_view bytes) {
  oci::Descriptor d;
  d.media_type = media_type;
  d.size = bytes.size();
  TRY(d.digest, registry.blobs().put(bytes));
  return d;
}

}  // namespace

Statement provenance(const path::BuildRequest& request, const ProvenanceFacts& facts) {
  bool whole = request.provenance == "max";
  doc::Map asked{{"frontend", "dockerfile.v0"}};
  if (!facts.target.empty()) asked.set("target", facts.target);
  asked.set("platform", facts.platform.print());
  if (whole) {
    doc::Map args;
    for (const auto& [name, value] : request.args) args.set(name, value);
    asked.set("args", std::move(args));
    asked.set("secrets", names_of(request.secrets));
    asked.set("ssh", names_of(request.ssh));
  }
  doc::Map outside{{"configSource",
                    doc::Map{{"path", facts.dockerfile}, {"digest", digest_map("sha256", sha256_hex(facts.source))}}},
                   {"request", std::move(asked)}};
  doc::Map inside{{"builderPlatform", facts.builder.print()}};
  if (whole) {
    doc::List steps;
    for (const auto& command : facts.commands) steps.emplace_back(command);
    inside.set("steps", std::move(steps));
    inside.set("dockerfile", facts.source);
  }
  doc::List materials;
  for (const auto& m : facts.materials)
    materials.emplace_back(doc::Map{{"uri", m.uri}, {"digest", digest_map(m.algorithm, m.hex)}});
  doc::Map predicate{
      {"buildDefinition", doc::Map{{"buildType", build_type},
                                   {"externalParameters", std::move(outside)},
                                   {"internalParameters", std::move(inside)},
                                   {"resolvedDependencies", std::move(materials)}}},
      {"runDetails", doc::Map{{"builder", doc::Map{{"id", "https://slipway.dev/builder"}}}, {"metadata", doc::Map{}}}}};
  return {"https://slsa.dev/provenance/v1", doc::print_json(predicate)};
}

Statement spdx_statement(std::string document) { return {"https://spdx.dev/Document", std::move(document)}; }

Result<oci::Descriptor> attach_statements(oci::Registry& registry, const std::string& repository,
                                          const std::vector<std::string>& tags, const oci::Descriptor& image,
                                          const std::vector<Statement>& statements) {
  doc::List subjects;
  auto platform = image.platform ? percent_encode(image.platform->print()) : std::string();
  for (const auto& tag : tags.empty() ? std::vector<std::string>{""} : tags)
    subjects.emplace_back(doc::Map{
        {"name", fmt::format("pkg:docker/{}{}{}?platform={}", repository, tag.empty() ? "" : "@", tag, platform)},
        {"digest", digest_map(image.digest.algorithm(), image.digest.hex())}});
  oci::Manifest manifest;
  manifest.artifact_type = artifact;
  TRY(manifest.config, put_blob(registry, oci::media::empty, "{}"));
  manifest.subject = image;
  manifest.subject->platform.reset();
  manifest.subject->annotations.clear();
  for (const auto& statement : statements) {
    auto parsed = doc::parse_json(statement.predicate, statement.predicate_type);
    if (!parsed) return Fail(std::move(parsed).error());
    auto text = doc::print_json(doc::Map{{"_type", "https://in-toto.io/Statement/v1"},
                                         {"subject", subjects},
                                         {"predicateType", statement.predicate_type},
                                         {"predicate", *std::move(parsed)}});
    TRY(auto layer, put_blob(registry, in_toto, text));
    layer.annotations["in-toto.io/predicate-type"] = statement.predicate_type;
    manifest.layers.push_back(std::move(layer));
  }
  TRY(auto d, registry.put_manifest(repository, "", oci::media::manifest, oci::print(manifest)));
  d.artifact_type.clear();
  d.platform = oci::Platform{.os = "unknown", .architecture = "unknown", .variant = {}};
  d.annotations = {{"vnd.docker.reference.type", "attestation-manifest"},
                   {"vnd.docker.reference.digest", image.digest.str()}};
  return d;
}

}  // namespace slipway::image::detail
