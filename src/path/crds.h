#pragma once
// The CustomResourceDefinitions of deploy/crds/, as built into the program.
#include <string>
#include <vector>

namespace slipway::path {

// YAML texts, one a file of deploy/crds/.
std::vector<std::string> builtin_crds();

}  // namespace slipway::path
