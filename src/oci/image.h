#pragma once
// Manifests, indexes and image configurations as values.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "doc/value.h"

namespace slipway::oci {

namespace media {
inline constexpr std::string_view manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view layer_tar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view empty = "application/vnd.oci.empty.v1+json";
}  // namespace media

struct Platform {
  std::string os = "linux", architecture = "amd64", variant;
  std::string print() const;  // linux/arm64/v8
};
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::map<std::string, std::string> annotations;
  std::optional<Platform> platform;
  std::string artifact_type;
};
struct Manifest {
  std::string media_type{media::manifest}, artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};
struct Index {
  std::string media_type{media::index};
  std::vector<Descriptor> manifests;
  std::string artifact_type;
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};
struct Healthcheck {
  std::vector<std::string> test;
  std::int64_t interval_ns = 0, timeout_ns = 0, start_period_ns = 0, start_interval_ns = 0, retries = 0;
};
struct HistoryEntry {
  std::string created, created_by, comment, author;
  bool empty_layer = false;
};
struct Config {
  Platform platform;
  std::string created, author, user, working_dir, stop_signal;
  std::vector<std::string> env, entrypoint, cmd, shell, on_build;
  std::vector<std::string> exposed_ports, volumes;
  std::map<std::string, std::string> labels;
  std::optional<Healthcheck> healthcheck;
  std::vector<Digest> diff_ids;  // of the uncompressed layers
  std::vector<HistoryEntry> history;
};

// Docker's media types are read as well. Errors: invalid with the field.
Result<Manifest> parse_manifest(std::string_view json);
Result<Index> parse_index(std::string_view json);
Result<Config> parse_config(std::string_view json);
bool is_index(std::string_view media_type);
bool is_foreign(std::string_view media_type);  // layers that may be named without being here
Result<Platform> parse_platform(std::string_view text);
doc::Value to_doc(const Descriptor& descriptor);
std::string print(const Manifest& manifest);  // the bytes that are hashed and stored
std::string print(const Index& index);
std::string print(const Config& config);

}  // namespace slipway::oci
