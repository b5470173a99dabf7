// Rules over one pod template.
#include "base/text.h"
#include "lint/detail/rules.h"

namespace slipway::lint::detail {
namespace {

bool in(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Zero in any unit, or absent.
bool is_zero(doc::View quantity) {
  auto text = quantity.text();
  return text.empty() || text.find_first_of("123456789") == text.npos;
}

bool looks_secret(std::string_view name) {
  auto word = lower(name);
  for (auto part :
       {"password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential", "access_key"})
    if (word.find(part) != word.npos)
      return !word.ends_with("_file") && !word.ends_with("_name") && !word.ends_with("_path") &&
             !word.ends_with("_ref");
  return false;
}

struct Container {
  const Object& object;
  doc::View pod, c;
  bool init;
  Report& report;
  std::string name() const { return c["name"].str_or("?"); }
  void add(std::string_view rule, doc::View at, std::string_view what) const {
    report.add(rule, object, at, fmt::format("container {}: {}", name(), what));
  }
  // The container's own setting, else the pod's.
  doc::View security(std::string_view key) const {
    auto own = c["securityContext"][key];
    return own ? own : pod["securityContext"][key];
  }
};

void image_rules(const Container& k) {
  auto image = k.c["image"].str_or("");
  if (image.empty() || image.find('@') != image.npos) return;
  auto name = image.substr(image.rfind('/') + 1);
  auto colon = name.find(':');
  if (colon == name.npos)
    k.add("latest-tag", k.c["image"], fmt::format("image {} has no tag", image));
  else if (name.substr(colon + 1) == "latest")
    k.add("latest-tag", k.c["image"], fmt::format("image {} is whatever is latest", image));
}

void resource_rules(const Container& k) {
  auto resources = k.c["resources"];
  // A limit is also the request where none is given.
  auto missing = [&](std::string_view what) {
    return is_zero(resources["requests"][what]) && is_zero(resources["limits"][what]);
  };
  if (missing("cpu")) k.add("cpu-requests", resources, "no CPU request");
  if (missing("memory")) k.add("memory-requests", resources, "no memory request");
  if (is_zero(resources["limits"]["memory"])) k.add("memory-limits", resources, "no memory limit");
  if (is_zero(resources["limits"]["cpu"])) k.add("cpu-limits", resources, "no CPU limit");
}

void probe_rules(const Container& k) {
  if (!k.init && is_workload(k.object)) {
    if (!k.c["readinessProbe"]) k.add("no-readiness-probe", k.c, "no readiness probe");
    if (!k.c["livenessProbe"]) k.add("no-liveness-probe", k.c, "no liveness probe");
  }
  for (auto probe : {"livenessProbe", "readinessProbe", "startupProbe"})
    for (auto how : {"httpGet", "tcpSocket", "grpc"}) {
      auto port = k.c[probe][how]["port"];
      if (!port) continue;
      auto ports = k.c["ports"].items();
      bool named = port.value().is_string() && !to_int(port.text());
      bool found = std::any_of(ports.begin(), ports.end(), [&](doc::View p) {
        return p["name"].str_or("") == port.text() || p["containerPort"].text() == port.text();
      });
      // A number works also undeclared; a name does not.
      if (!found && named)
        k.add("probe-port", port,
              fmt::format("{} asks port {}, which the container does not have", probe, port.text()));
    }
}

void security_rules(const Container& k) {
  auto security = k.c["securityContext"];
  if (security["privileged"].bool_or(false)) k.add("privileged", security["privileged"], "is privileged");
  if (security["allowPrivilegeEscalation"].bool_or(true))
    k.add("privilege-escalation", security["allowPrivilegeEscalation"], "allowPrivilegeEscalation is not false");
  auto user = k.security("runAsUser"), non_root = k.security("runAsNonRoot");
  bool safe_user = user && user.num_or(0) > 0;
  if (!non_root.bool_or(false) && !safe_user)
    k.add("run-as-root", non_root ? non_root : security, "may run as root: runAsNonRoot is not true");
  else if (user && user.num_or(1) == 0)
    k.add("run-as-root", user, "runs as user 0");
  if (!security["readOnlyRootFilesystem"].bool_or(false))
    k.add("writable-root", security, "readOnlyRootFilesystem is not true");
  if (auto proc = security["procMount"].str_or("Default"); proc != "Default")
    k.add("proc-mount", security["procMount"], "procMount is " + proc);
  if (k.security("windowsOptions")["hostProcess"].bool_or(false))
    k.add("host-process", k.security("windowsOptions"), "is a host process");
}

void capability_rules(const Container& k) {
  auto capabilities = k.c["securityContext"]["capabilities"];
  bool all_dropped = false;
  for (const auto& drop : capabilities["drop"].items()) all_dropped = all_dropped || iequals(drop.str_or(""), "ALL");
  for (const auto& add : capabilities["add"].items()) {
    auto name = lower(add.str_or(""));
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (name.starts_with("CAP_")) name.erase(0, 4);
    if (in(name, {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF",
                  "SYS_BOOT"}))
      k.add("dangerous-capability", add, "adds capability " + name);
    else if (!in(name, {"NET_BIND_SERVICE", "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "SETGID", "SETUID",
                        "SETFCAP", "SETPCAP", "SYS_CHROOT", "KILL", "AUDIT_WRITE"}))
      k.add("added-capability", add, "adds capability " + name);
  }
  if (!all_dropped) k.add("capabilities-kept", capabilities, "capabilities are not dropped: drop: [ALL]");
}

void environment_rules(const Container& k) {
  std::set<std::string> seen, ports;
  for (const auto& env : k.c["env"].items()) {
    auto name = env["name"].str_or("");
    if (!seen.insert(name).second)
      k.add("duplicate-env", env, fmt::format("environment variable {} is set twice", name));
    if (looks_secret(name) && !env["value"].str_or("").empty() &&
        env["value"].str_or("").find("$(") == std::string::npos)
      k.add("secret-in-env", env["value"], fmt::format("{} holds its value in clear: take it from a Secret", name));
  }
  for (const auto& port : k.c["ports"].items()) {
    auto id = fmt::format("{}/{}", port["containerPort"].text(), port["protocol"].str_or("TCP"));
    if (!ports.insert(id).second) k.add("duplicate-port", port, fmt::format("port {} is given twice", id));
    if (auto name = port["name"].str_or(""); !name.empty() && !ports.insert("name " + name).second)
      k.add("duplicate-port", port, fmt::format("port name {} is given twice", name));
    if (port["hostPort"].num_or(0) > 0)
      k.add("host-port", port["hostPort"], fmt::format("takes port {} of the node", port["hostPort"].num_or(0)));
  }
}

void host_rules(const Object& object, doc::View pod, Report& report) {
  for (auto [key, rule] : {std::pair{"hostNetwork", "host-network"}, {"hostPID", "host-pid"}, {"hostIPC", "host-ipc"}})
    if (pod[key].bool_or(false)) report.add(rule, object, pod[key], fmt::format("{} is true", key));
  for (const auto& volume : pod["volumes"].items()) {
    auto path = volume["hostPath"]["path"];
    if (!path) continue;
    auto text = path.str_or("");
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    bool sensitive = in(text, {"/", "/etc", "/proc", "/sys", "/dev", "/boot", "/root", "/var/run", "/run", "/usr",
                               "/lib", "/var/lib/kubelet", "/var/lib/docker"}) ||
                     text.ends_with("docker.sock") || text.ends_with("containerd.sock") ||
                     text.ends_with("crio.sock") || text.starts_with("/etc/kubernetes");
    report.add(sensitive ? "sensitive-host-path" : "host-path", object, path,
               fmt::format("volume {} is {} of the node", volume["name"].str_or("?"), text));
  }
  for (const auto& sysctl : pod["securityContext"]["sysctls"].items()) {
    auto name = sysctl["name"].str_or("");
    if (!in(name, {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
                   "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
                   "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
                   "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"}))
      report.add("unsafe-sysctl", object, sysctl, fmt::format("sysctl {} is not safe", name));
  }
}

void restart_rules(const Object& object, doc::View pod, Report& report) {
  auto policy = pod["restartPolicy"].str_or("");
  bool job = object.kind() == "Job" || object.kind() == "CronJob";
  if (is_workload(object) && !policy.empty() && policy != "Always")
    report.add("restart-policy", object, pod["restartPolicy"], fmt::format("restartPolicy is {}, want Always", policy));
  if (job && (policy.empty() || policy == "Always"))
    report.add("restart-policy", object, pod["restartPolicy"], "a Job's restartPolicy must be OnFailure or Never");
}

}  // namespace

doc::View pod_spec(const Object& object) {
  auto view = object.view();
  if (object.kind() == "Pod") return view["spec"];
  if (object.kind() == "CronJob") return view["spec"]["jobTemplate"]["spec"]["template"]["spec"];
  if (is_workload(object) || object.kind() == "Job") return view["spec"]["template"]["spec"];
  return view["?"];
}

doc::View pod_labels(const Object& object) {
  auto view = object.view();
  if (object.kind() == "Pod") return view["metadata"]["labels"];
  if (object.kind() == "CronJob") return view["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"];
  return view["spec"]["template"]["metadata"]["labels"];
}

bool is_workload(const Object& object) {
  auto kind = object.kind();
  return in(kind, {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Rollout",
                   "DeploymentConfig"});
}

std::vector<std::pair<doc::View, bool>> containers(doc::View pod) {
  std::vector<std::pair<doc::View, bool>> out;
  for (const auto& c : pod["containers"].items()) out.emplace_back(c, false);
  for (const auto& c : pod["initContainers"].items()) out.emplace_back(c, true);
  return out;
}

void pod_rules(const Object& object, Report& report) {
  auto pod = pod_spec(object);
  if (!pod) return;
  host_rules(object, pod, report);
  restart_rules(object, pod, report);
  if (pod["serviceAccount"] && !pod["serviceAccountName"])
    report.add("service-account-field", object, pod["serviceAccount"],
               "serviceAccount is deprecated: use serviceAccountName");
  for (const auto& [c, init] : containers(pod)) {
    Container k{object, pod, c, init, report};
    image_rules(k), resource_rules(k), probe_rules(k), security_rules(k), capability_rules(k), environment_rules(k);
  }
}

}  // namespace slipway::lint::detail
