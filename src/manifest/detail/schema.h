#pragma once
// Which lists of Kubernetes' built-in kinds merge in a strategic merge patch, as kustomize knows them.
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::manifest {

class SchemaTable;

struct Schema {
  int type = -1;                       // -1: nothing merges here or below
  const char* keys = nullptr;          // of a list: null, replaced; "", a set of scalars; else keys joined by ","
  const SchemaTable* table = nullptr;  // null: Kubernetes' own kinds
  Schema member(std::string_view field) const;
  Schema element() const { return {type, nullptr, table}; }
  std::vector<std::string> key_list() const;
};
// Of a kind: in the table, else (null) among Kubernetes' own.
Schema schema_of(const SchemaTable* table, std::string_view api_version, std::string_view kind);

// The OpenAPI definitions a kustomization brings (`openapi: {path}`); they take the place of Kubernetes' own.
class SchemaTable {
 public:
  static Result<SchemaTable> read(std::string_view text, std::string_view source);
  Schema kind(std::string_view api_version, std::string_view kind) const;
  Schema member(int type, std::string_view field) const;

 private:
  struct Field {
    int below = -1;
    std::optional<std::string> keys;
  };
  using Fields = std::map<std::string, Field, std::less<>>;
  int add(const doc::Value& definition);
  void fill(int type, const doc::Value& definition);
  std::deque<Fields> types_;
  std::map<std::string, int, std::less<>> by_name_;
  std::map<std::pair<std::string, std::string>, int> kinds_;
};

// True for kinds that certainly live outside namespaces.
bool cluster_scoped(std::string_view group, std::string_view version, std::string_view kind);

}  // namespace slipway::manifest
