#pragma once
// The file of a configuration repository that holds the image of a service in an environment.
#include "git/repository.h"
#include "manifest/edit.h"
#include "path/types.h"

namespace slipway::promote {

struct ConfigFile {
  std::string path;   // in the repository
  std::string field;  // "": a kustomization's images
};
// Errors: not_found, with a hint.
Result<ConfigFile> locate(const git::Repository& repository, const git::Oid& commit, const std::string& config_path);
Result<std::string> read_text(const git::Repository& repository, const git::Oid& commit, const ConfigFile& file);

Result<std::optional<manifest::ImageSetting>> get_image(const ConfigFile& file, std::string_view text,
                                                        const std::string& image);
// Nothing: the image goes away.
Result<std::string> set_image(const ConfigFile& file, std::string_view text, const std::string& image,
                              const std::optional<manifest::ImageSetting>& setting);
manifest::ImageSetting setting_of(const path::Artifact& artifact);

}  // namespace slipway::promote
