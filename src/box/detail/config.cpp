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

std::vector<std::string> environment(const Spec& spec, const User& user) {
  auto env = spec.env;
  env.try_emplace("PATH", kPath);
  env.try_emplace("HOME", user.home);
  if (!spec.hostname.empty()) env.try_emplace("HOSTNAME", spec.hostname);
  if (spec.tty) env.try_emplace("TERM", "xterm");
  std::vector<std::string> out;
  for (const auto& [key, value] : env) out.push_back(key + "=" + value);
  return out;
}

Result<> settle_process(const Spec& spec, const ConfigInput& input, Settled& out) {
  if (spec.argv.empty()) return fail(Kind::invalid, "container {}: no command to run", spec.id);
  TRY(out.capabilities, effective_capabilities(spec));
  out.argv = spec.argv;
  out.env = environment(spec, input.user);
  out.cwd = spec.cwd.empty() ? "/" : spec.cwd;
  out.uid = input.user.uid, out.gid = input.user.gid;
  // setgroups is refused in a user namespace that maps one id.
  if (!input.rootless) {
    out.groups = input.user.groups;
    out.groups.insert(out.groups.end(), spec.extra_groups.begin(), spec.extra_groups.end());
  }
  if (spec.limits.open_files > 0)
    out.open_files =
        input.open_files_max > 0 ? std::min(spec.limits.open_files, input.open_files_max) : spec.limits.open_files;
  out.no_new_privileges = spec.no_new_privileges && !spec.privileged;
  // Below what we have ourselves only root may go.
  if (!input.rootless) out.oom_score_adj = std::max(spec.oom_score_adj, input.oom_score_floor);
  out.tty = spec.tty;
  out.seccomp = spec.seccomp && !spec.privileged;
  return {};
}

void settle_system_mounts(const Spec& spec, const ConfigInput& input, Settled& out) {
  std::set<std::string> own;
  for (const auto& m : spec.mounts) own.insert(m.target.lexically_normal().string());
  auto add = [&](std::string target, std::string type, std::vector<std::string> options, std::string source = {}) {
    if (own.contains(target)) return;
    if (target == "/dev") out.own_dev = true;
    out.mounts.push_back({std::move(target), type, source.empty() ? type : source, std::move(options), true, true});
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
  if (!input.cgroup.empty() && !foreign_net && spec.sees_cgroups)
    add("/sys/fs/cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", sys_mode});
}

Result<> settle_mounts(const Spec& spec, const ConfigInput& input, Settled& out) {
  settle_system_mounts(spec, input, out);
  for (const auto& m : spec.mounts) {
    if (!m.target.is_absolute()) return fail(Kind::invalid, "mount at {}: want an absolute path", m.target.string());
    MountAt mount{m.target.string(), m.type, m.source.empty() ? m.type : m.source.string(), m.options, true, false};
    if (m.read_only) mount.options.emplace_back("ro");
    if (m.type == "bind") {
      struct stat st{};
      if (::stat(m.source.c_str(), &st) < 0)
        return fail_errno(errno, fmt::format("mount {} at {}", m.source.string(), m.target.string()));
      mount.folder = S_ISDIR(st.st_mode);
      mount.options.emplace_back("rbind");
      bool propagates = std::any_of(mount.options.begin(), mount.options.end(),
                                    [](const auto& o) { return o.ends_with("shared") || o.ends_with("slave"); });
      if (!propagates) mount.options.emplace_back("rprivate");
    } else if (m.type == "tmpfs") {
      mount.options.insert(mount.options.end(), {"nosuid", "nodev"});
    }
    out.mounts.push_back(std::move(mount));
  }
  return {};
}

void settle_namespaces(const Spec& spec, Settled& out) {
  out.namespaces.push_back({"mount", {}});
  if (!spec.host_pid) out.namespaces.push_back({"pid", {}});
  if (!spec.host_ipc) out.namespaces.push_back({"ipc", {}});
  if (!(spec.network == Network::host && spec.hostname.empty())) out.namespaces.push_back({"uts", {}});
  if (spec.network == Network::none) out.namespaces.push_back({"network", {}});
  if (spec.network == Network::own) out.namespaces.push_back({"network", spec.netns.string()});
}

// A privileged container sees the host's device nodes.
std::vector<Device> host_devices() {
  static const std::set<std::string> made{"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"};
  std::vector<Device> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/dev", ignored)) {
    struct stat st{};
    if (::lstat(entry.path().c_str(), &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) continue;
    if (made.contains(entry.path().filename().string())) continue;
    out.push_back({entry.path().string(), S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev), minor(st.st_rdev),
                   st.st_mode & 07777, st.st_uid, st.st_gid});
  }
  return out;
}

void write_process(JsonWriter& json, const Settled& c) {
  json.object().field("terminal", c.tty);
  json.key("user").object().field("uid", c.uid).field("gid", c.gid);
  json.key("additionalGids").array();
  for (auto gid : c.groups) json.value(gid);
  json.end_array().end_object();
  json.key("args").strings(c.argv);
  json.key("env").strings(c.env);
  json.field("cwd", c.cwd);
  json.key("capabilities").object();
  // No inheritable and no ambient ones: a process that is not root holds none after execve.
  for (const char* set : {"bounding", "effective", "permitted"}) json.key(set).strings(c.capabilities);
  json.end_object();
  json.key("rlimits").array();
  if (c.open_files > 0)
    json.object().field("type", "RLIMIT_NOFILE").field("soft", c.open_files).field("hard", c.open_files).end_object();
  json.end_array();
  json.field("noNewPrivileges", c.no_new_privileges);
  if (c.oom_score_adj) json.field("oomScoreAdj", *c.oom_score_adj);
  json.end_object();
}

void write_mounts(JsonWriter& json, const Settled& c) {
  json.key("mounts").array();
  for (const auto& m : c.mounts) {
    json.object().field("destination", m.target).field("type", m.type).field("source", m.source);
    json.key("options").strings(m.options).end_object();
  }
  json.end_array();
}

void write_device_rules(JsonWriter& json, bool all) {
  json.key("devices").array();
  json.object().field("allow", false).field("access", "rwm").end_object();
  if (all) json.object().field("allow", true).field("access", "rwm").end_object();
  for (const auto& rule : all ? std::span<const DeviceRule>() : device_rules()) {
    json.object().field("allow", true).field("type", std::string(1, rule.type));
    if (rule.major >= 0) json.field("major", rule.major);
    if (rule.minor >= 0) json.field("minor", rule.minor);
    json.field("access", rule.access).end_object();
  }
  json.end_array();
}

void write_resources(JsonWriter& json, const Settled& c) {
  json.key("resources").object();
  if (!c.rootless) write_device_rules(json, c.privileged);
  if (!c.cgroup.empty()) {
    const auto& r = c.resources;
    // Swap counts towards the limit, else the limit is none.
    if (r.memory_bytes > 0)
      json.key("memory").object().field("limit", r.memory_bytes).field("swap", r.memory_bytes).end_object();
    json.key("cpu").object();
    if (r.cpu_shares > 0) json.field("shares", r.cpu_shares);
    if (r.cpu_quota > 0) json.field("quota", r.cpu_quota).field("period", kCpuPeriod);
    json.end_object();
    if (r.pids > 0) json.key("pids").object().field("limit", r.pids).end_object();
  }
  json.end_object();
}

void write_linux(JsonWriter& json, const Settled& c) {
  json.key("linux").object();
  if (!c.cgroup.empty()) json.field("cgroupsPath", c.cgroup);
  write_resources(json, c);
  json.key("namespaces").array();
  for (const auto& [type, path] : c.namespaces) {
    json.object().field("type", type);
    if (!path.empty()) json.field("path", path);
    json.end_object();
  }
  json.end_array();
  if (!c.sysctls.empty()) {
    json.key("sysctl").object();
    for (const auto& [name, value] : c.sysctls) json.field(name, value);
    json.end_object();
  }
  if (c.privileged && !c.rootless) {
    json.key("devices").array();
    for (const auto& d : c.devices)
      json.object()
          .field("path", d.path)
          .field("type", std::string(1, d.type))
          .field("major", d.major)
          .field("minor", d.minor)
          .field("fileMode", d.mode)
          .field("uid", d.uid)
          .field("gid", d.gid)
          .end_object();
    json.end_array();
  }
  if (!c.privileged) {
    json.key("maskedPaths").strings(c.masked);
    json.key("readonlyPaths").strings(c.read_only);
  }
  if (c.seccomp) {
    json.key("seccomp");
    write_seccomp(json, {c.capabilities.begin(), c.capabilities.end()});
  }
  json.end_object();
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

std::span<const DeviceRule> device_rules() {
  // Making nodes is harmless: opening them is what counts.
  static constexpr DeviceRule rules[] = {{'c', -1, -1, "m"}, {'b', -1, -1, "m"},   {'c', 1, 3, "rwm"},
                                         {'c', 1, 5, "rwm"}, {'c', 1, 7, "rwm"},   {'c', 1, 8, "rwm"},
                                         {'c', 1, 9, "rwm"}, {'c', 5, 0, "rwm"},   {'c', 5, 1, "rwm"},
                                         {'c', 5, 2, "rwm"}, {'c', 136, -1, "rwm"}};
  return rules;
}

int capability_number(std::string_view name) {
  int number = 0;  // kAllCapabilities has the kernel's order
  for (auto known : split(kAllCapabilities, ' ')) {
    if (name.substr(4) == known) break;
    ++number;
  }
  return number;
}

Result<Settled> settle(const Spec& spec, const ConfigInput& input) {
  Settled out;
  TRY_OK(settle_process(spec, input, out));
  out.root = input.root, out.read_only_root = spec.read_only_root, out.hostname = spec.hostname;
  TRY_OK(settle_mounts(spec, input, out));
  settle_namespaces(spec, out);
  out.cgroup = input.cgroup, out.rootless = input.rootless, out.privileged = spec.privileged;
  out.sysctls = spec.sysctls;
  const auto& limits = spec.limits;
  out.resources.memory_bytes = limits.memory_bytes, out.resources.pids = limits.pids;
  // Kubernetes' conversion: shares = m * 1024 / 1000, at least 2; quota = m * 100 per period of 100 ms.
  if (limits.cpu_shares_millis > 0)
    out.resources.cpu_shares = std::max<std::int64_t>(2, limits.cpu_shares_millis * 1024 / 1000);
  if (limits.cpu_millis > 0) out.resources.cpu_quota = std::max<std::int64_t>(1000, limits.cpu_millis * 100);
  if (spec.privileged) {
    if (!input.rootless) out.devices = host_devices();
    return out;
  }
  for (auto path : split(kMasked, ' ')) out.masked.emplace_back(path);
  out.masked.insert(out.masked.end(), spec.masked_paths.begin(), spec.masked_paths.end());
  for (auto path : split(kReadOnly, ' ')) out.read_only.emplace_back(path);
  return out;
}

std::string oci_config(const Settled& container) {
  JsonWriter json;
  json.object().field("ociVersion", "1.0.2");
  json.key("process");
  write_process(json, container);
  json.key("root").object().field("path", container.root).field("readonly", container.read_only_root).end_object();
  if (!container.hostname.empty()) json.field("hostname", container.hostname);
  write_mounts(json, container);
  write_linux(json, container);
  json.end_object();
  return json.take();
}

}  // namespace slipway::box
