#pragma once
// What an index says about its images beside them: how they were made, and of what.
#include <set>

#include "base/ctx.h"
#include "oci/registry.h"
#include "path/services.h"

namespace slipway::image::detail {

// What a build took from elsewhere: an image, a repository, a download.
struct Material {
  std::string uri, algorithm, hex;  // "pkg:docker/...", "sha256", ...
  auto operator<=>(const Material&) const = default;
};

// The predicate of one in-toto statement about an image.
struct Statement {
  std::string predicate_type;
  std::string predicate;  // JSON
};

struct ProvenanceFacts {
  std::string dockerfile, source, target;  // its path, its text, the stage
  oci::Platform builder, platform;
  std::set<Material> materials;
  std::vector<std::string> commands;  // what each step was, in order
};
// SLSA provenance 1.0. Mode min names what was built of; max also the arguments, the secrets by their names, the
// steps and the Dockerfile. No times: the same build gives the same bytes.
Statement provenance(const path::BuildRequest& request, const ProvenanceFacts& facts);
Statement spdx_statement(std::string document);

// The manifest that carries statements about an image, as BuildKit stores it: an artifact whose subject is the image.
// Gives its entry for the index.
Result<oci::Descriptor> attach_statements(oci::Registry& registry, const std::string& repository,
                                          const std::vector<std::string>& tags, const oci::Descriptor& image,
                                          const std::vector<Statement>& statements);

}  // namespace slipway::image::detail
