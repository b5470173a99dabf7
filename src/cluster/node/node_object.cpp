#include "cluster/node/node_object.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "base/time.h"

namespace slipway::cluster {
namespace {

const kube::Type node_kind{"v1", "Node"};
constexpr std::int64_t kReservedBytes = std::int64_t{256} << 20;

// The address the default route leaves by; nothing is sent.
std::optional<std::string> outward_ip() {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(53);
  ::inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);  // TEST-NET-1: nobody's
  socklen_t size = sizeof to;
  char text[INET_ADDRSTRLEN];
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&to), &size) < 0 ||
      ::inet_ntop(AF_INET, &to.sin_addr, text, sizeof text) == nullptr)
    return std::nullopt;
  return std::string(text);
}

std::string architecture(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return std::string(machine);
}

std::string os_image() {
  auto text = read_file("/etc/os-release").value_or("");
  for (auto line : lines(text))
    if (line.starts_with("PRETTY_NAME=")) return replace_all(std::string(line.substr(12)), "\"", "");
  return "Linux";
}

doc::Value condition(const char* type, bool status, const char* reason, const char* message, const std::string& now) {
  return doc::Map{{"type", type},
                  {"status", status ? "True" : "False"},
                  {"lastHeartbeatTime", now},
                  {"lastTransitionTime", now},
                  {"reason", reason},
                  {"message", message}};
}

doc::Value capacity(const PodFacts& facts, std::int64_t reserved) {
  struct statvfs disk{};
  std::int64_t bytes = ::statvfs("/", &disk) == 0 ? static_cast<std::int64_t>(disk.f_blocks * disk.f_frsize) : 0;
  return doc::Map{{"cpu", facts.node_cpu_millis % 1000 == 0 ? std::to_string(facts.node_cpu_millis / 1000)
                                                            : fmt::format("{}m", facts.node_cpu_millis)},
                  {"memory", fmt::format("{}Ki", std::max<std::int64_t>(0, facts.node_memory_bytes - reserved) / 1024)},
                  {"ephemeral-storage", fmt::format("{}Ki", bytes / 1024)},
                  {"pods", "250"}};
}

doc::Value status_of(const NodeDescription& node, doc::View before, const std::string& now) {
  struct utsname system{};
  ::uname(&system);
  doc::Map status;
  status.set("addresses", doc::List{doc::Map{{"type", "InternalIP"}, {"address", node.host_ip}},
                                    doc::Map{{"type", "Hostname"}, {"address", node.name}}});
  status.set("capacity", capacity(node.facts, 0));
  status.set("allocatable", capacity(node.facts, kReservedBytes));
  doc::List conditions{
      condition("MemoryPressure", false, "KubeletHasSufficientMemory", "the node has sufficient memory available", now),
      condition("DiskPressure", false, "KubeletHasNoDiskPressure", "the node has no disk pressure", now),
      condition("PIDPressure", false, "KubeletHasSufficientPID", "the node has sufficient PID available", now),
      condition("Ready", true, "KubeletReady", "the node agent is ready", now)};
  for (auto& c : conditions)
    for (auto old : before["conditions"].items())
      if (old["type"].str_or("") == c.str_at({"type"}) && old["status"].str_or("") == c.str_at({"status"}))
        c["lastTransitionTime"] = old["lastTransitionTime"].str_or(now);
  status.set("conditions", std::move(conditions));
  auto boot = std::string(trim(read_file("/proc/sys/kernel/random/boot_id").value_or("")));
  auto machine = std::string(trim(read_file("/etc/machine-id").value_or("")));
  status.set("nodeInfo", doc::Map{{"machineID", machine},
                                  {"systemUUID", machine},
                                  {"bootID", boot},
                                  {"kernelVersion", system.release},
                                  {"osImage", os_image()},
                                  {"containerRuntimeVersion", "slipway://" + node.runtime},
                                  {"kubeletVersion", "v1.32.0+slipway"},
                                  {"kubeProxyVersion", "v1.32.0+slipway"},
                                  {"operatingSystem", "linux"},
                                  {"architecture", architecture(system.machine)}});
  return status;
}

}  // namespace

PodFacts machine_facts(const std::string& node_name, const std::string& fallback_ip) {
  struct sysinfo info{};
  ::sysinfo(&info);
  return {.pod_ip = {},
          .host_ip = outward_ip().value_or(fallback_ip),
          .node_name = node_name,
          .node_cpu_millis = std::int64_t{::get_nprocs()} * 1000,
          .node_memory_bytes = static_cast<std::int64_t>(info.totalram) * static_cast<std::int64_t>(info.mem_unit)};
}

Result<box::Usage> machine_usage() {
  TRY(auto stat, read_file("/proc/stat"));
  TRY(auto memory, read_file("/proc/meminfo"));
  // "cpu user nice system idle iowait irq softirq steal ...", in ticks: all but idle and iowait is work.
  std::int64_t ticks = 0;
  std::size_t at = 0;
  for (auto word : split(std::string_view(stat).substr(0, stat.find('\n')), ' ')) {
    if (word.empty() || word == "cpu") continue;
    if (++at > 8) break;  // guests are counted in user already
    if (at != 4 && at != 5) ticks += to_int(word).value_or(0);
  }
  std::int64_t total = 0, available = 0;
  for (auto line : lines(memory)) {
    auto number = [&](std::string_view key) {
      auto text = line.substr(key.size());
      return to_int(trim(text.substr(0, text.rfind("kB")))).value_or(0) * 1024;
    };
    if (line.starts_with("MemTotal:")) total = number("MemTotal:");
    if (line.starts_with("MemAvailable:")) available = number("MemAvailable:");
  }
  auto hertz = std::max(1L, ::sysconf(_SC_CLK_TCK));
  if (ticks == 0 || total == 0) return fail(Kind::unavailable, "/proc tells nothing of processors and memory");
  return box::Usage{std::chrono::nanoseconds(ticks * (1'000'000'000 / hertz)), total - available};
}

Result<> register_node(const Ctx& ctx, kube::Client& client, const NodeDescription& node) {
  struct utsname system{};
  ::uname(&system);
  auto arch = architecture(system.machine);
  kube::WriteOptions options{.field_manager = "slipway-node"};
  auto object = kube::make_object(node_kind, {"", node.name},
                                  {{"kubernetes.io/hostname", node.name},
                                   {"kubernetes.io/os", "linux"},
                                   {"kubernetes.io/arch", arch},
                                   {"beta.kubernetes.io/os", "linux"},
                                   {"beta.kubernetes.io/arch", arch}});
  if (!node.pod_cidr.empty())
    object["spec"]["podCIDR"] = node.pod_cidr, object["spec"]["podCIDRs"] = doc::List{node.pod_cidr};
  for (int attempt = 0; attempt < 5; ++attempt) {
    TRY(auto present, client.get(ctx, node_kind, {"", node.name}));
    if (!present) {
      auto made = client.create(ctx, object, options);
      if (!made && made.error().is(Kind::conflict)) continue;
      TRY(present, std::move(made));
    }
    auto status = status_of(node, (*present)["status"], rfc3339(ctx.clock->wall()));
    auto written = kube::write_status(ctx, client, *present, std::move(status), "slipway-node");
    if (written) return {};
    if (!written.error().is(Kind::conflict)) return Fail(std::move(written).error());
  }
  return fail(Kind::conflict, "node {}: written by others all the time", node.name);
}

}  // namespace slipway::cluster
