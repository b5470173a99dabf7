#include "box/detail/config.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "box/detail/json.h"
#include "box/detail/seccomp.h"

namespace slipway::box {
namespace {

constexpr std::string_view kAllCapabilities =
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";
// Docker's default list.
constexpr std::string_view kDefaultCapabilities =
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE";
constexpr std::string_view kMasked =
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi "
    "/proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware";
constexpr std::string_view kReadOnly = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger";
constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Result<std::string> capability(std::string_view name) {
  std::string upper;
  for (char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (upper.starts_with("CAP_")) upper.erase(0, 4);
  for (auto known : split(kAllCapabilities, ' '))
    if (known == upper) return "CAP_" + upper;
  return fail(Kind::invalid, "capability \"{}\": unknown", name);
}

Result<> change(std::set<std::string>& set, const std::vector<std::string>& names, bool add) {
  for (const auto& name : names) {
    if (iequals(name, "all")) {
      set.clear();
      if (add)
        for (auto known : split(kAllCapabilities, ' ')) set.insert("CAP_" + std::string(known));
      continue;
    }
    TRY(auto full, capability(name));
    if (add)
      set.insert(full);
    else
      set.erase(full);
  }
  return {};
}

void write_env(JsonWriter& json, const Spec& spec, const User& user) {
  auto env = spec.env;
  env.try_emplace("PATH", kPath);
  env.try_emplace("HOME", user.home);
  if (!spec.hostname.empty()) env.try_emplace("HOSTNAME", spec.hostname);
  if (spec.tty) env.try_emplace("TERM", "xterm");
  json.key("env").array();
  for (const auto& [key, value] : env) json.value(key + "=" + value);
  json.end_array();
}

Result<> write_process(JsonWriter& json, const Spec& spec, const ConfigInput& input) {
  if (spec.argv.empty()) return fail(Kind::invalid, "container {}: no command to run", spec.id);
  TRY(auto capabilities, effective_capabilities(spec));
  json.object().field("terminal", spec.tty);
  json.key("user").object().field("uid", input.user.uid).field("gid", input.user.gid);
  auto groups = input.user.groups;
  groups.insert(groups.end(), spec.extra_groups.begin(), spec.extra_groups.end());
  json.key("additionalGids").array();
  // setgroups is refused in a user namespace that maps one id.
  if (!input.rootless)
    for (auto gid : groups) json.value(gid);
  json.end_array().end_object();
  json.key("args").strings(spec.argv);
  write_env(json, spec, input.user);
  json.field("cwd", spec.cwd.empty() ? "/" : spec.cwd);
  json.key("capabilities").object();
  // No inheritable and no ambient ones: a process that is not root holds none after execve.
  for (const char* set : {"bounding", "effective", "permitted"}) json.key(set).strings(capabilities);
  json.end_object();
  json.key("rlimits").array();
  if (spec.limits.open_files > 0) {
    auto n = input.open_files_max > 0 ? std::min(spec.limits.open_files, input.open_files_max) : spec.limits.open_files;
    json.object().field("type", "RLIMIT_NOFILE").field("soft", n).field("hard", n).end_object();
  }
  json.end_array();
  json.field("noNewPrivileges", spec.no_new_privileges && !spec.privileged);
  // Below what we have ourselves only root may go.
  if (!input.rootless) json.field("oomScoreAdj", std::max(spec.oom_score_adj, input.oom_score_floor));
  json.end_object();
  return {};
}

void mount(JsonWriter& json, std::string_view target, std::string_view type, std::string_view source,
           const std::vector<std::string>& options) {
  json.object().field("destination", target).field("type", type).field("source", source);
  json.key("options").strings(options).end_object();
}

void system_mounts(JsonWriter& json, const Spec& spec, const ConfigInput& input) {
  std::set<std::string> own;
  for (const auto& m : spec.mounts) own.insert(m.target.lexically_normal().string());
  auto add = [&](const char* target, const char* type, const std::vector<std::string>& options,
                 const char* source = nullptr) {
    if (!own.contains(target)) mount(json, target, type, source != nullptr ? source : type, options);
  };
  const char* sys_mode = spec.privileged ? "rw" : "ro";
  add("/proc", "proc", {"nosuid", "noexec", "nodev"});
  add("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"});
  std::vector<std::string> pts{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (!input.rootless) pts.emplace_back("gid=5");
  add("/dev/pts", "devpts", pts);
  add("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}, "shm");
  add("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"});
  bool foreign_net = input.rootless && spec.network == Network::host;
  // A user namespace may mount sysfs only for a network namespace of its own.
  if (foreign_net)
    add("/sys", "bind", {"rbind", "nosuid", "noexec", "nodev", "ro"}, "/sys");
  else
    add("/sys", "sysfs", {"nosuid", "noexec", "nodev", sys_mode});
  if (!input.cgroup.empty() && !foreign_net)
    add("/sys/fs/cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", sys_mode});
}

Result<> write_mounts(JsonWriter& json, const Spec& spec, const ConfigInput& input) {
  json.key("mounts").array();
  system_mounts(json, spec, input);
  for (const auto& m : spec.mounts) {
    if (!m.target.is_absolute()) return fail(Kind::invalid, "mount at {}: want an absolute path", m.target.string());
    std::vector<std::string> options = m.options;
    if (m.read_only) options.emplace_back("ro");
    if (m.type == "bind") {
      struct stat st{};
      if (::stat(m.source.c_str(), &st) < 0)
        return fail_errno(errno, fmt::format("mount {} at {}", m.source.string(), m.target.string()));
      options.emplace_back("rbind");
      bool propagates = std::any_of(options.begin(), options.end(),
                                    [](const auto& o) { return o.ends_with("shared") || o.ends_with("slave"); });
      if (!propagates) options.emplace_back("rprivate");
      mount(json, m.target.string(), "bind", m.source.string(), options);
    } else {
      if (m.type == "tmpfs") options.insert(options.end(), {"nosuid", "nodev"});
      mount(json, m.target.string(), m.type, m.source.empty() ? m.type : m.source.string(), options);
    }
  }
  json.end_array();
  return {};
}

void device_rule(JsonWriter& json, const char* type, std::int64_t major, std::int64_t minor, const char* access) {
  json.object().field("allow", true).field("type", type);
  if (major >= 0) json.field("major", major);
  if (minor >= 0) json.field("minor", minor);
  json.field("access", access).end_object();
}

void device_rules(JsonWriter& json, bool all) {
  json.key("devices").array();
  json.object().field("allow", false).field("access", "rwm").end_object();
  if (all) {
    json.object().field("allow", true).field("access", "rwm").end_object();
  } else {
    device_rule(json, "c", -1, -1, "m");  // making nodes is harmless: opening them is what counts
    device_rule(json, "b", -1, -1, "m");
    for (auto [major, minor] : {std::pair{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}})
      device_rule(json, "c", major, minor, "rwm");
  }
  json.end_array();
}

void write_resources(JsonWriter& json, const Spec& spec, const ConfigInput& input) {
  const auto& limits = spec.limits;
  json.key("resources").object();
  if (!input.rootless) device_rules(json, spec.privileged);
  if (!input.cgroup.empty()) {
    if (limits.memory_bytes > 0) {
      json.key("memory").object().field("limit", limits.memory_bytes);
      // Swap counts towards the limit, else the limit is none.
      json.field("swap", limits.memory_bytes).end_object();
    }
    json.key("cpu").object();
    // Kubernetes' conversion: shares = m * 1024 / 1000, at least 2; quota = m * 100 per period of 100 ms.
    if (limits.cpu_shares_millis > 0)
      json.field("shares", std::max<std::int64_t>(2, limits.cpu_shares_millis * 1024 / 1000));
    if (limits.cpu_millis > 0) {
      json.field("quota", std::max<std::int64_t>(1000, limits.cpu_millis * 100));
      json.field("period", 100000);
    }
    json.end_object();
    if (limits.pids > 0) json.key("pids").object().field("limit", limits.pids).end_object();
  }
  json.end_object();
}

void write_namespaces(JsonWriter& json, const Spec& spec) {
  json.key("namespaces").array();
  auto add = [&](const char* type, const fs::path& path = {}) {
    json.object().field("type", type);
    if (!path.empty()) json.field("path", path.string());
    json.end_object();
  };
  add("mount");
  if (!spec.host_pid) add("pid");
  if (!spec.host_ipc) add("ipc");
  if (!(spec.network == Network::host && spec.hostname.empty())) add("uts");
  if (spec.network == Network::none) add("network");
  if (spec.network == Network::own) add("network", spec.netns);
  json.end_array();
}

// A privileged container sees the host's device nodes.
void write_devices(JsonWriter& json) {
  static const std::set<std::string> made{"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"};
  json.key("devices").array();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/dev", ignored)) {
    struct stat st{};
    if (::lstat(entry.path().c_str(), &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) continue;
    if (made.contains(entry.path().filename().string())) continue;
    json.object().field("path", entry.path().string()).field("type", S_ISCHR(st.st_mode) ? "c" : "b");
    json.field("major", major(st.st_rdev)).field("minor", minor(st.st_rdev)).field("fileMode", st.st_mode & 07777);
    json.field("uid", st.st_uid).field("gid", st.st_gid).end_object();
  }
  json.end_array();
}

void write_paths(JsonWriter& json, const char* key, std::string_view list, const std::vector<std::string>& more) {
  json.key(key).array();
  for (auto path : split(list, ' ')) json.value(path);
  for (const auto& path : more) json.value(path);
  json.end_array();
}

Result<> write_linux(JsonWriter& json, const Spec& spec, const ConfigInput& input) {
  json.key("linux").object();
  if (!input.cgroup.empty()) json.field("cgroupsPath", input.cgroup);
  write_resources(json, spec, input);
  write_namespaces(json, spec);
  if (!spec.sysctls.empty()) {
    json.key("sysctl").object();
    for (const auto& [name, value] : spec.sysctls) json.field(name, value);
    json.end_object();
  }
  if (spec.privileged) {
    if (!input.rootless) write_devices(json);
  } else {
    write_paths(json, "maskedPaths", kMasked, spec.masked_paths);
    write_paths(json, "readonlyPaths", kReadOnly, {});
  }
  if (spec.seccomp && !spec.privileged) {
    TRY(auto list, effective_capabilities(spec));
    json.key("seccomp");
    write_seccomp(json, {list.begin(), list.end()});
  }
  json.end_object();
  return {};
}

}  // namespace

Result<std::vector<std::string>> effective_capabilities(const Spec& spec) {
  std::set<std::string> set;
  if (spec.privileged) {
    TRY_OK(change(set, {"ALL"}, true));
  } else if (spec.capabilities.empty()) {
    for (auto name : split(kDefaultCapabilities, ' ')) set.insert("CAP_" + std::string(name));
  } else {
    TRY_OK(change(set, spec.capabilities, true));
  }
  // Kubernetes' order: drop ALL, then what is added by name.
  bool drops_all = std::any_of(spec.drop_capabilities.begin(), spec.drop_capabilities.end(),
                               [](const auto& n) { return iequals(n, "all"); });
  if (drops_all) set.clear();
  TRY_OK(change(set, spec.add_capabilities, true));
  if (!drops_all) {
    TRY_OK(change(set, spec.drop_capabilities, false));
  }
  return std::vector<std::string>(set.begin(), set.end());
}

Result<std::string> oci_config(const Spec& spec, const ConfigInput& input) {
  JsonWriter json;
  json.object().field("ociVersion", "1.0.2");
  json.key("process");
  TRY_OK(write_process(json, spec, input));
  json.key("root").object().field("path", input.root).field("readonly", spec.read_only_root).end_object();
  if (!spec.hostname.empty()) json.field("hostname", spec.hostname);
  TRY_OK(write_mounts(json, spec, input));
  TRY_OK(write_linux(json, spec, input));
  json.end_object();
  return json.take();
}

Result<std::string> oci_process(const Spec& spec, const ConfigInput& input) {
  JsonWriter json;
  TRY_OK(write_process(json, spec, input));
  return json.take();
}

}  // namespace slipway::box
