#pragma once
// One kustomization file, read and checked.
#include "manifest/detail/build.h"

namespace slipway::manifest {

class Target {
 public:
  // Errors: not_found, invalid (two files, unknown fields, wrong types, nothing in it).
  static Result<Target> open(FileSource& source, const std::string& folder, const KustomizeOptions& options,
                             Shared& shared, const doc::Value& overrides);

  bool component() const { return component_; }
  const std::string& file() const { return file_; }
  const Loader& loader() const { return loader_; }
  std::string place(std::string_view key) const;  // file:line:col of a field

  Result<std::vector<std::string>> strings(std::string_view key) const;
  Result<std::vector<std::string>> resources() const;  // with `bases`
  Result<std::optional<Rules>> rules() const;
  Result<std::vector<std::shared_ptr<Resource>>> generate() const;
  // All of the file's own transformations, in kustomize's order.
  Result<> transform(ResMap& map, const Rules& rules) const;
  // Where the build stands, as seen from the root kustomization ("../base").
  const std::string& relative() const { return relative_; }
  void set_relative(const std::string& above, const std::string& path);
  // {configuredIn, configuredBy} of one of this file's own steps.
  doc::Value origin_of(std::string_view kind) const;
  Result<std::vector<Var>> vars() const;
  Result<SortOptions> sort_options() const;
  Result<> add_metadata(ResMap& map) const;

 private:
  explicit Target(Loader loader) : loader_(std::move(loader)) {}
  Result<> check();
  void changed(ResMap& map, std::string_view kind) const;
  Result<> set_schema() const;
  Result<Input> root() const;
  Result<> patch(ResMap& map, const Input& in) const;
  Result<> name(ResMap& map, const Input& in, const Rules& rules) const;
  Result<> label(ResMap& map, const Input& in, const Rules& rules) const;
  Result<> adjust(ResMap& map, const Input& in, const Rules& rules) const;

  Loader loader_;
  std::string file_;
  std::shared_ptr<const doc::Value> value_;
  bool component_ = false;
  std::string relative_, name_;
};

}  // namespace slipway::manifest
