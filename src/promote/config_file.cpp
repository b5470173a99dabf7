#include "promote/detail/config_file.h"
#include "base/text.h"

namespace slipway::promote {

Result<ConfigFile> locate(const git::Repository& repository, const git::Oid& commit, const std::string& config_path) {
  if (auto parts = cut(config_path, "#")) return ConfigFile{std::string(parts->first), std::string(parts->second)};
  for (std::string_view name : {"kustomization.yaml", "kustomization.yml", "Kustomization"}) {
    auto path = config_path.empty() ? std::string(name) : fmt::format("{}/{}", config_path, name);
    TRY(auto text, repository.read(commit, path));
    if (text) return ConfigFile{path, {}};
  }
  return Fail(Error(Kind::not_found, fmt::format("{}: no kustomization.yaml here at {}",
                                                 config_path.empty() ? "." : config_path, commit.substr(0, 12)))
                  .with_hint("add the overlay (slipway init writes one), or set the environment's path to FILE#FIELD"));
}

Result<std::string> read_text(const git::Repository& repository, const git::Oid& commit, const ConfigFile& file) {
  TRY(auto text, repository.read(commit, file.path));
  if (!text) return fail(Kind::not_found, "{}: no such file at {}", file.path, commit.substr(0, 12));
  return *std::move(text);
}

Result<std::optional<manifest::ImageSetting>> get_image(const ConfigFile& file, std::string_view text,
                                                        const std::string& image) {
  if (file.field.empty()) return manifest::kustomize_image(text, image, file.path);
  return manifest::image_at(text, file.field, file.path);
}

Result<std::string> set_image(const ConfigFile& file, std::string_view text, const std::string& image,
                              const std::optional<manifest::ImageSetting>& setting) {
  if (!setting) return manifest::remove_kustomize_image(text, image, file.path);
  if (file.field.empty()) return manifest::set_kustomize_image(text, *setting, file.path);
  return manifest::set_image_at(text, file.field, *setting, file.path);
}

manifest::ImageSetting setting_of(const path::Artifact& artifact) {
  manifest::ImageSetting setting{artifact.image, {}, {}, artifact.digest.str()};
  // The tag is a label for people, the commit's the most telling; the digest decides.
  for (const auto& tag : artifact.tags)
    if (setting.tag.empty() || tag.starts_with("sha-")) setting.tag = tag;
  return setting;
}

}  // namespace slipway::promote
