#include "box/detail/launch.h"

#include <linux/mount.h>
#include <sched.h>
#include <unistd.h>

#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "box/detail/seccomp.h"

// Of <sys/mount.h>, which cannot be included beside <linux/mount.h>.
#define SLIPWAY_MS_PRIVATE (1U << 18)
#define SLIPWAY_MS_SLAVE (1U << 19)
#define SLIPWAY_MS_SHARED (1U << 20)

namespace slipway::box {
namespace {

// NAME 0 COUNT 0 ARGUMENT 0 ...
class PlanWriter {
 public:
  template <class... Arguments>
  void add(std::string_view name, const Arguments&... arguments) {
    word(name);
    word(std::to_string(sizeof...(arguments)));
    (word(text(arguments)), ...);
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string text(const std::string& s) { return s; }
  static std::string text(const char* s) { return s; }
  template <class T>
    requires std::is_integral_v<T>
  static std::string text(T n) {
    return std::to_string(n);
  }
  void word(std::string_view s) {
    text_ += s.substr(0, s.find('\0'));
    text_ += '\0';
  }
  std::string text_;
};

// A mount's options, as the kernel's two interfaces want them.
struct Options {
  std::uint64_t attributes = 0, propagation = 0;
  bool recursive = false;
  std::string rest;  // "mode=755,size=64k"
};

Options parse_options(const std::vector<std::string>& options) {
  static const std::map<std::string_view, std::uint64_t> attributes = {{"ro", MOUNT_ATTR_RDONLY},
                                                                       {"nosuid", MOUNT_ATTR_NOSUID},
                                                                       {"nodev", MOUNT_ATTR_NODEV},
                                                                       {"noexec", MOUNT_ATTR_NOEXEC},
                                                                       {"noatime", MOUNT_ATTR_NOATIME},
                                                                       {"strictatime", MOUNT_ATTR_STRICTATIME},
                                                                       {"relatime", 0},
                                                                       {"rw", 0},
                                                                       {"bind", 0},
                                                                       {"rbind", 0},
                                                                       {"suid", 0},
                                                                       {"dev", 0},
                                                                       {"exec", 0},
                                                                       {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW}};
  static const std::map<std::string_view, std::uint64_t> propagation = {
      {"private", SLIPWAY_MS_PRIVATE}, {"slave", SLIPWAY_MS_SLAVE}, {"shared", SLIPWAY_MS_SHARED}};
  Options out;
  for (std::string_view option : options) {
    if (auto known = attributes.find(option); known != attributes.end()) {
      out.attributes |= known->second;
      continue;
    }
    bool recursive = option.starts_with('r');
    if (auto known = propagation.find(recursive ? option.substr(1) : option); known != propagation.end()) {
      out.propagation = known->second, out.recursive = recursive;
      continue;
    }
    if (!out.rest.empty()) out.rest += ',';
    out.rest += option;
  }
  return out;
}

void add_bind(PlanWriter& plan, const std::string& source, const std::string& target, bool folder,
              const Options& options, bool system) {
  plan.add("bind", source, target, folder ? 1 : 0, options.attributes, options.propagation, options.recursive ? 1 : 0,
           system ? 1 : 0);
}

// Of cgroup v1 a folder a controller, as programs look for it; of v2 the group itself.
void add_cgroup_mount(PlanWriter& plan, const MountAt& mount, const Settled& container, const Cgroups& cgroups) {
  auto options = parse_options(mount.options);
  if (cgroups.mode == CgroupMode::unified)
    return add_bind(plan, cgroups.unified.string() + container.cgroup, mount.target, true, options, true);
  plan.add("mount", "tmpfs", mount.target, "mode=755,size=64k", options.attributes & ~std::uint64_t{MOUNT_ATTR_RDONLY},
           1);
  for (const auto& hierarchy : cgroups.limiting) {
    auto name = hierarchy.filename().string();
    add_bind(plan, hierarchy.string() + container.cgroup, mount.target + "/" + name, true, options, true);
    if (auto parts = split(name, ','); parts.size() > 1)
      for (auto part : parts) plan.add("link", name, mount.target + "/" + std::string(part));
  }
  plan.add("attributes", mount.target, options.attributes);
}

void add_devices(PlanWriter& plan, const Settled& container) {
  struct Node {
    const char* path;
    int major, minor;
  };
  static constexpr Node nodes[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                                   {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
  for (const auto& [path, major, minor] : nodes) {
    if (container.rootless)
      plan.add("device", path);  // a user namespace makes no nodes
    else
      plan.add("node", path, "c", major, minor, 0666, 0, 0);
  }
  for (const auto& d : container.devices)
    plan.add("node", d.path, std::string(1, d.type), d.major, d.minor, d.mode, d.uid, d.gid);
  for (auto [to, path] : {std::pair{"/proc/self/fd", "/dev/fd"},
                          {"/proc/self/fd/0", "/dev/stdin"},
                          {"/proc/self/fd/1", "/dev/stdout"},
                          {"/proc/self/fd/2", "/dev/stderr"},
                          {"/proc/kcore", "/dev/core"},
                          {"pts/ptmx", "/dev/ptmx"}})
    plan.add("link", to, path);
}

void add_tree(PlanWriter& plan, const Settled& container, const Cgroups& cgroups) {
  plan.add("root", container.root);
  for (const auto& mount : container.mounts) {
    auto options = parse_options(mount.options);
    if (mount.type == "bind")
      add_bind(plan, mount.source, mount.target, mount.folder, options, mount.system);
    else if (mount.type == "cgroup")
      add_cgroup_mount(plan, mount, container, cgroups);
    else
      plan.add("mount", mount.type, mount.target, options.rest, options.attributes, mount.system ? 1 : 0);
    if (mount.target == "/dev/pts" && container.own_dev) add_devices(plan, container);
  }
  for (const auto& path : container.read_only) plan.add("read-only", path);
  for (const auto& path : container.masked) plan.add("mask", path);
  if (!container.hostname.empty()) plan.add("hostname", container.hostname);
  for (const auto& [name, value] : container.sysctls) plan.add("sysctl", name, value);
  if (container.read_only_root) plan.add("read-only-root");
}

void add_namespaces(PlanWriter& plan, const Settled& container) {
  static const std::map<std::string_view, std::uint64_t> flags = {{"mount", CLONE_NEWNS},
                                                                  {"pid", CLONE_NEWPID},
                                                                  {"ipc", CLONE_NEWIPC},
                                                                  {"uts", CLONE_NEWUTS},
                                                                  {"network", CLONE_NEWNET}};
  std::uint64_t made = 0;
  for (const auto& [type, path] : container.namespaces) {
    if (path.empty())
      made |= flags.at(type);
    else
      plan.add("join", path, flags.at(type));
  }
  plan.add("new", made);
}

std::uint64_t capability_bits(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const auto& name : names) bits |= std::uint64_t{1} << capability_number(name);
  return bits;
}

// Once for each list of rules; a start only opens the file, and one that an older slipway made is not taken for ours.
Result<fs::path> filter_file(const std::vector<std::string>& capabilities, const fs::path& filters) {
  std::set<std::string> held(capabilities.begin(), capabilities.end());
  auto file = filters / (sha256_hex(seccomp_identity(held)).substr(0, 16) + ".bpf");
  if (path_exists(file)) return file;
  TRY(auto program, seccomp_program(held));
  TRY_OK(write_file(file, program, 0600));
  return file;
}

}  // namespace

Result<std::string> launch_plan(const Settled& container, const Cgroups& cgroups, const fs::path& filters) {
  PlanWriter plan;
  add_namespaces(plan, container);
  if (!container.cgroup.empty())
    for (const auto& hierarchy : cgroups.limiting) {
      auto folder = hierarchy.string() + container.cgroup;
      if (hierarchy == cgroups.unified)
        plan.add("group", folder);
      else
        plan.add("group-file", folder + "/tasks");
    }
  add_tree(plan, container, cgroups);
  if (container.open_files > 0) plan.add("open-files", container.open_files);
  if (container.oom_score_adj) plan.add("oom-score", *container.oom_score_adj);
  if (container.seccomp) {
    TRY(auto filter, filter_file(container.capabilities, filters));
    plan.add("seccomp", filter.string());
  }
  if (container.no_new_privileges) plan.add("no-new-privileges");
  plan.add("capabilities", capability_bits(container.capabilities));
  if (container.rootless) plan.add("keep-groups");
  plan.add("user", container.uid, container.gid);
  for (auto gid : container.groups) plan.add("member-of", gid);
  if (container.tty) plan.add("tty");
  plan.add("cwd", container.cwd);
  for (const auto& entry : container.env) plan.add("env", entry);
  for (const auto& argument : container.argv) plan.add("arg", argument);
  return plan.take();
}

std::string plan_inside(std::string_view container, const Inside& process) {
  PlanWriter plan;
  auto words = split(container, '\0');
  std::uint64_t joined = 0;
  std::map<std::string, std::string> env;
  for (std::size_t i = 0; i + 1 < words.size();) {
    auto name = words[i];
    auto count = static_cast<std::size_t>(to_int(words[i + 1]).value_or(0));
    auto argument = [&](std::size_t n) {
      return i + 2 + n < words.size() ? std::string(words[i + 2 + n]) : std::string();
    };
    if (name == "new") joined |= static_cast<std::uint64_t>(to_int(argument(0)).value_or(0));
    if (name == "join") joined |= static_cast<std::uint64_t>(to_int(argument(1)).value_or(0));
    static const std::set<std::string_view> kept = {"group",      "group-file", "oom-score",
                                                    "open-files", "seccomp",    "capabilities"};
    if (kept.contains(name)) plan.add(name, argument(0));
    if (name == "no-new-privileges" || name == "keep-groups") plan.add(name);
    if (name == "cwd") plan.add(name, process.cwd.empty() ? argument(0) : process.cwd);
    if (name == "user" && !process.user) plan.add(name, argument(0), argument(1));
    if (name == "member-of" && !process.user) plan.add(name, argument(0));
    if (name == "env")
      if (auto pair = cut(words[i + 2], "=")) env[std::string(pair->first)] = pair->second;
    i += 2 + count;
  }
  plan.add("inside", process.pid, joined, process.started);
  if (process.user) {
    plan.add("user", process.user->uid, process.user->gid);
    for (auto gid : process.user->groups) plan.add("member-of", gid);
  }
  for (const auto& [key, value] : process.env) env[key] = value;
  for (const auto& [key, value] : env) plan.add("env", key + "=" + value);
  if (process.tty) plan.add("tty");
  for (const auto& word : process.argv) plan.add("arg", word);
  return plan.take();
}

}  // namespace slipway::box
