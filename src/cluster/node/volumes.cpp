#include "cluster/node/volumes.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

const kube::Type claim_kind{"v1", "PersistentVolumeClaim"}, volume_kind{"v1", "PersistentVolume"};

using Files = std::map<std::string, VolumeFile>;

std::optional<std::uint32_t> fs_group(const kube::Object& pod) {
  auto group = pod["spec"]["securityContext"]["fsGroup"];
  if (!group) return std::nullopt;
  return static_cast<std::uint32_t>(group.num_or(0));
}

unsigned mode_of(doc::View item, doc::View source, std::int64_t fallback) {
  return static_cast<unsigned>(item["mode"].num_or(source["defaultMode"].num_or(fallback))) & 0777;
}

// The chosen keys of a ConfigMap or Secret.
Result<> add_keys(Files& files, const VolumeInput& in, doc::View source, const kube::Type& type,
                  std::string_view name_key, doc::View modes) {
  auto name = source[name_key].str_or("");
  bool optional = source["optional"].bool_or(false);
  TRY(auto object, in.find(type, name));
  if (!object) {
    if (optional) return {};
    return fail(Kind::not_found, "{} \"{}\" not found", lower(type.kind), name);
  }
  auto data = data_of(*object);
  auto items = source["items"].items();
  if (items.empty())
    for (auto& [key, value] : data) files[key] = {value, mode_of(source, modes, 0644)};
  for (auto item : items) {
    auto key = item["key"].str_or("");
    auto found = data.find(key);
    if (found != data.end())
      files[item["path"].str_or(key)] = {found->second, mode_of(item, modes, 0644)};
    else if (!optional)
      return fail(Kind::not_found, "{} \"{}\" has no key \"{}\"", lower(type.kind), name, key);
  }
  return {};
}

Result<> add_downward(Files& files, const VolumeInput& in, doc::View source, doc::View modes) {
  for (auto item : source["items"].items()) {
    std::string text;
    if (auto ref = item["fieldRef"]) {
      TRY(text, field_ref(in.pod, in.facts, ref["fieldPath"].str_or("")));
    } else {
      TRY(text, resource_ref(in.pod, in.facts, item["resourceFieldRef"], ""));
    }
    files[item["path"].str_or("")] = {text, mode_of(item, modes, 0644)};
  }
  return {};
}

Result<> add_token(Files& files, const VolumeInput& in, doc::View source, doc::View modes) {
  if (!in.token) return {};
  auto token = in.token(source["audience"].str_or(""), source["expirationSeconds"].num_or(3607));
  if (!token) return Fail(std::move(token).error().in("service account token"));
  files[source["path"].str_or("token")] = {*token, mode_of(source, modes, 0644)};
  return {};
}

Result<Files> projected(const VolumeInput& in, doc::View volume) {
  Files files;
  for (auto source : volume["sources"].items()) {
    if (auto map = source["configMap"]) {
      TRY_OK(add_keys(files, in, map, config_map_type, "name", volume));
    } else if (auto secret = source["secret"]) {
      TRY_OK(add_keys(files, in, secret, secret_type, "name", volume));
    } else if (auto downward = source["downwardAPI"]) {
      TRY_OK(add_downward(files, in, downward, volume));
    } else if (auto token = source["serviceAccountToken"]) {
      TRY_OK(add_token(files, in, token, volume));
    }
  }
  return files;
}

// An empty folder, on disk or in memory, writable by the pod's group.
Result<> empty_dir(const fs::path& folder, doc::View source, std::optional<std::uint32_t> group) {
  if (path_exists(folder)) return {};
  TRY_OK(make_dirs(folder));
  if (source["medium"].str_or("") == "Memory") {
    std::string options = "mode=0777";
    if (auto limit = source["sizeLimit"].text(); !limit.empty()) {
      TRY(auto quantity, kube::Quantity::parse(limit));
      options += fmt::format(",size={}", std::max<std::int64_t>(4096, quantity.value()));
    }
    if (::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) < 0)
      return fail_errno(errno, fmt::format("mount tmpfs at {}", folder.string()));
  }
  if (group) (void)::chown(folder.c_str(), static_cast<uid_t>(-1), *group);
  if (::chmod(folder.c_str(), group ? 02777 : 0777) < 0) return fail_errno(errno, folder.string());
  return {};
}

Result<fs::path> host_path(doc::View source) {
  fs::path path(source["path"].str_or(""));
  auto type = source["type"].str_or("");
  if (!path.is_absolute()) return fail(Kind::invalid, "hostPath \"{}\": want an absolute path", path.string());
  if (type == "DirectoryOrCreate") {
    TRY_OK(make_dirs(path));
  } else if (type == "FileOrCreate" && !path_exists(path)) {
    TRY_OK(write_file(path, ""));
  }
  struct stat st{};
  if (::stat(path.c_str(), &st) < 0) return fail_errno(errno, fmt::format("hostPath {}", path.string()));
  bool fits = type.empty() || (type.starts_with("Directory") && S_ISDIR(st.st_mode)) ||
              (type.starts_with("File") && S_ISREG(st.st_mode)) || (type == "Socket" && S_ISSOCK(st.st_mode)) ||
              (type == "CharDevice" && S_ISCHR(st.st_mode)) || (type == "BlockDevice" && S_ISBLK(st.st_mode));
  if (!fits) return fail(Kind::invalid, "hostPath {}: not a {}", path.string(), type);
  return path;
}

// Where a claim lives: what its volume says, or a folder of the node's own.
Result<fs::path> claim_path(const VolumeInput& in, doc::View source, const fs::path& claims) {
  auto name = source["claimName"].str_or("");
  TRY(auto claim, in.find(claim_kind, name));
  if (!claim) return fail(Kind::not_found, "persistentvolumeclaim \"{}\" not found", name);
  if (auto volume = (*claim)["spec"]["volumeName"].str_or(""); !volume.empty()) {
    TRY(auto found, in.find(volume_kind, volume));
    if (found)
      for (const char* kind : {"hostPath", "local"})
        if (auto path = (*found)["spec"][kind]["path"].str_or(""); !path.empty()) {
          TRY_OK(make_dirs(path));
          return fs::path(path);
        }
  }
  auto path = claims / in.pod.ns() / name;
  TRY_OK(empty_dir(path, claim->view()["none"], fs_group(in.pod)));
  return path;
}

}  // namespace

bool wants_token(const kube::Object& pod, doc::View container) {
  if (!pod["spec"]["automountServiceAccountToken"].bool_or(true)) return false;
  for (auto mount : container["volumeMounts"].items())
    if (mount["mountPath"].str_or("") == kTokenFolder) return false;
  return true;
}

Result<> PodVolumes::prepare_one(const VolumeInput& input, doc::View volume) {
  auto name = volume["name"].str_or("");
  auto folder = folder_ / name;
  auto group = fs_group(input.pod);
  Files files;
  if (auto source = volume["configMap"]) {
    TRY_OK(add_keys(files, input, source, config_map_type, "name", source));
  } else if (auto secret = volume["secret"]) {
    TRY_OK(add_keys(files, input, secret, secret_type, "secretName", secret));
  } else if (auto downward = volume["downwardAPI"]) {
    TRY_OK(add_downward(files, input, downward, downward));
  } else if (auto sources = volume["projected"]) {
    TRY(files, projected(input, sources));
  } else if (auto path = volume["hostPath"]) {
    TRY(sources_[name], host_path(path));
    return {};
  } else if (auto claim = volume["persistentVolumeClaim"]) {
    TRY(sources_[name], claim_path(input, claim, claims_));
    return {};
  } else if (volume["emptyDir"].exists() || volume["ephemeral"].exists()) {
    sources_[name] = folder;
    return empty_dir(folder, volume["emptyDir"], group);
  } else {
    std::string kind = "none";
    for (const auto& [key, value] : volume.members())
      if (key != "name") kind = key;
    return fail(Kind::invalid, "volume \"{}\": a {} volume is not supported", name, kind);
  }
  sources_[name] = folder;
  return write_payload(folder, files, group);
}

Result<> PodVolumes::prepare(const VolumeInput& input) {
  TRY_OK(make_dirs(folder_));
  for (auto volume : input.pod["spec"]["volumes"].items()) {
    TRY_OK_IN(fmt::format("volume \"{}\"", volume["name"].str_or("")), prepare_one(input, volume));
  }
  bool own_token = false;
  for (const auto& c : containers_of(input.pod)) own_token = own_token || wants_token(input.pod, c.spec);
  auto folder = folder_ / ".serviceaccount";
  if (!own_token) return {};
  Files files{{"namespace", {input.pod.ns(), 0644}}};
  if (!input.ca_pem.empty()) files["ca.crt"] = {input.ca_pem, 0644};
  if (input.token) {
    auto token = input.token("", own_token_seconds);
    if (token)
      files["token"] = {*token, 0644};
    else if (!token.error().is(Kind::unavailable))
      return Fail(std::move(token).error().in("service account token"));
  }
  return write_payload(folder, files, fs_group(input.pod));
}

Result<std::vector<box::Mount>> PodVolumes::mounts(const kube::Object& pod, doc::View container,
                                                   const kube::StringMap& env) const {
  std::vector<box::Mount> list;
  if (wants_token(pod, container) && path_exists(folder_ / ".serviceaccount"))
    list.push_back({.source = folder_ / ".serviceaccount", .target = kTokenFolder, .read_only = true});
  for (auto mount : container["volumeMounts"].items()) {
    auto name = mount["name"].str_or("");
    auto source = sources_.find(name);
    if (source == sources_.end()) return fail(Kind::not_found, "volumeMount \"{}\": no such volume in the pod", name);
    auto path = source->second;
    auto sub =
        mount["subPathExpr"].present() ? expand(mount["subPathExpr"].str_or(""), env) : mount["subPath"].str_or("");
    if (!sub.empty()) {
      // Resolved now, never leaving the volume: a container may have planted a link there.
      if (auto found = open_beneath(path, sub, O_PATH); !found) {
        if (fs::path(sub).is_absolute() || sub.find("..") != std::string::npos)
          return fail(Kind::invalid, "subPath \"{}\": want a relative path without ..", sub);
        TRY_OK(make_dirs(path / sub));
      }
      TRY(auto fd, open_beneath(path, sub, O_PATH));
      std::error_code error;
      path = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd.get()), error);
      if (error) return fail(Kind::internal, "subPath \"{}\": {}", sub, error.message());
    }
    box::Mount bind{
        .source = path, .target = mount["mountPath"].str_or(""), .read_only = mount["readOnly"].bool_or(false)};
    auto propagation = mount["mountPropagation"].str_or("None");
    if (propagation == "HostToContainer") bind.options.emplace_back("rslave");
    if (propagation == "Bidirectional") bind.options.emplace_back("rshared");
    list.push_back(std::move(bind));
  }
  return list;
}

Result<> PodVolumes::remove() {
  auto names = list_dir(folder_);
  if (!names) return {};
  for (const auto& name : *names) (void)::umount2((folder_ / name).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  return remove_tree(folder_);
}

}  // namespace slipway::cluster
