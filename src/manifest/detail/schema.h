#pragma once
// Which lists of Kubernetes' built-in kinds merge in a strategic merge patch, as kustomize knows them.
#include <string>
#include <string_view>
#include <vector>

namespace slipway::manifest {

struct Schema {
  int type = -1;               // -1: nothing merges here or below
  const char* keys = nullptr;  // of a list: null, replaced; "", a set of scalars; else keys joined by ","
  Schema member(std::string_view field) const;
  Schema element() const { return {type, nullptr}; }
  std::vector<std::string> key_list() const;
};
Schema schema_of(std::string_view api_version, std::string_view kind);

// True for kinds that certainly live outside namespaces.
bool cluster_scoped(std::string_view group, std::string_view version, std::string_view kind);

}  // namespace slipway::manifest
