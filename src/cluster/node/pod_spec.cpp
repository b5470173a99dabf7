#include "cluster/node/pod_spec.h"

#include <string.h>

#include <algorithm>

#include "base/text.h"
#include "cluster/node/dns.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

Result<std::int64_t> amount(doc::View resources, std::string_view kind, std::string_view name) {
  auto text = resources[kind][name].text();
  if (text.empty()) return 0;
  TRY_IN(auto quantity, fmt::format("resources.{}.{}", kind, name), kube::Quantity::parse(text));
  return name == "cpu" ? quantity.millis() : quantity.value();
}

Result<> set_limits(box::Spec& spec, const ContainerInput& in) {
  auto resources = in.container.spec["resources"];
  TRY(spec.limits.memory_bytes, amount(resources, "limits", "memory"));
  TRY(spec.limits.cpu_millis, amount(resources, "limits", "cpu"));
  TRY(auto requested, amount(resources, "requests", "cpu"));
  spec.limits.cpu_shares_millis = requested > 0 ? requested : spec.limits.cpu_millis;
  // No request: the least share there is, as Kubernetes gives it.
  if (spec.limits.cpu_shares_millis == 0) spec.limits.cpu_shares_millis = 2;
  spec.limits.pids = 8192;
  spec.oom_score_adj = oom_score(in.pod, in.container.spec, in.facts.node_memory_bytes);
  return {};
}

std::vector<std::string> names(doc::View list) {
  std::vector<std::string> out;
  for (auto item : list.items()) out.push_back(item.text());
  return out;
}

// The container's setting, else the pod's.
doc::View setting(const ContainerInput& in, std::string_view key) {
  auto own = in.container.spec["securityContext"][key];
  return own.present() ? own : in.pod["spec"]["securityContext"][key];
}

Result<> set_user(box::Spec& spec, const ContainerInput& in) {
  auto user = setting(in, "runAsUser"), group = setting(in, "runAsGroup");
  spec.user = user ? user.text() : in.image.config.user;
  if (group)
    spec.user = (user                ? user.text()
                 : spec.user.empty() ? "0"
                                     : spec.user.substr(0, spec.user.find(':'))) +
                ":" + group.text();
  if (auto fs_group = in.pod["spec"]["securityContext"]["fsGroup"])
    spec.extra_groups.push_back(static_cast<std::uint32_t>(fs_group.num_or(0)));
  for (auto extra : in.pod["spec"]["securityContext"]["supplementalGroups"].items())
    spec.extra_groups.push_back(static_cast<std::uint32_t>(extra.num_or(0)));
  if (!setting(in, "runAsNonRoot").bool_or(false)) return {};
  auto name = spec.user.substr(0, spec.user.find(':'));
  if (name.empty() || name == "0" || name == "root")
    return fail(Kind::invalid, "container has runAsNonRoot and image will run as root (pod: \"{}\", container: {})",
                in.pod.key().str(), in.container.name);
  if (!to_int(name))
    return fail(Kind::invalid,
                "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root (pod: "
                "\"{}\", container: {})",
                name, in.pod.key().str(), in.container.name);
  return {};
}

Result<> set_security(box::Spec& spec, const ContainerInput& in) {
  auto context = in.container.spec["securityContext"];
  spec.privileged = context["privileged"].bool_or(false);
  spec.read_only_root = context["readOnlyRootFilesystem"].bool_or(false);
  spec.no_new_privileges = !context["allowPrivilegeEscalation"].bool_or(true);
  spec.add_capabilities = names(context["capabilities"]["add"]);
  spec.drop_capabilities = names(context["capabilities"]["drop"]);
  spec.seccomp = setting(in, "seccompProfile")["type"].str_or("RuntimeDefault") != "Unconfined";
  auto pod_spec = in.pod["spec"];
  spec.host_pid = pod_spec["hostPID"].bool_or(false);
  spec.host_ipc = pod_spec["hostIPC"].bool_or(false);
  for (auto sysctl : pod_spec["securityContext"]["sysctls"].items())
    spec.sysctls[sysctl["name"].str_or("")] = sysctl["value"].text();
  return set_user(spec, in);
}

Result<> set_command(box::Spec& spec, const ContainerInput& in) {
  auto command = names(in.container.spec["command"]), args = names(in.container.spec["args"]);
  const auto& config = in.image.config;
  // Rule: command replaces the entrypoint and drops the image's cmd; args alone replaces cmd.
  spec.argv = command.empty() ? config.entrypoint : command;
  const auto& rest = !args.empty() || !command.empty() ? args : config.cmd;
  spec.argv.insert(spec.argv.end(), rest.begin(), rest.end());
  if (!command.empty() || !args.empty())
    for (auto& arg : spec.argv) arg = expand(arg, spec.env);
  if (spec.argv.empty())
    return fail(Kind::invalid, "no command specified: neither the image nor the container has one");
  return {};
}

Result<> set_mounts(box::Spec& spec, const ContainerInput& in) {
  TRY(spec.mounts, in.volumes.mounts(in.pod, in.container.spec, spec.env));
  auto taken = [&](std::string_view target) {
    return std::any_of(spec.mounts.begin(), spec.mounts.end(), [&](const auto& m) { return m.target == target; });
  };
  for (const char* name : {"hosts", "resolv.conf", "hostname"}) {
    auto target = fmt::format("/etc/{}", name);
    if (path_exists(in.folder / "etc" / name) && !taken(target))
      spec.mounts.push_back({.source = in.folder / "etc" / name, .target = target});
  }
  auto message = in.container.spec["terminationMessagePath"].str_or("/dev/termination-log");
  auto file = in.folder / in.container.name / "termination";
  TRY_OK(make_dirs(file.parent_path()));
  TRY_OK(write_file(file, "", 0666));
  std::error_code ignored;
  fs::permissions(file, static_cast<fs::perms>(0666), ignored);
  if (!taken(message)) spec.mounts.push_back({.source = file, .target = message});
  return {};
}

}  // namespace

std::optional<int> signal_number(std::string_view name) {
  if (auto n = to_int(name)) return *n > 0 && *n < 65 ? std::optional(static_cast<int>(*n)) : std::nullopt;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int n = 1; n < 32; ++n)
    if (const char* known = ::sigabbrev_np(n); known != nullptr && name == known) return n;
  return std::nullopt;
}

std::string hostname_of(const kube::Object& pod) {
  auto name = pod["spec"]["hostname"].str_or(pod.name());
  return name.substr(0, 63);
}

bool host_network(const kube::Object& pod) { return pod["spec"]["hostNetwork"].bool_or(false); }

Result<box::Spec> container_spec(const ContainerInput& in) {
  box::Spec spec;
  spec.id = in.id;
  spec.layers = in.image.layers;
  spec.cgroup = "pods/" + in.pod.uid();
  spec.outlives_us = true;
  spec.log = in.log;
  spec.hostname = host_network(in.pod) ? "" : hostname_of(in.pod);
  spec.network = host_network(in.pod) ? box::Network::host : in.netns.empty() ? box::Network::none : box::Network::own;
  spec.netns = in.netns;
  spec.tty = in.container.spec["tty"].bool_or(false);
  for (const auto& entry : in.image.config.env)
    if (auto parts = cut(entry, "=")) spec.env[std::string(parts->first)] = parts->second;
  TRY(auto env, container_env(in.pod, in.container.spec, in.facts, in.services, in.find));
  for (auto& [name, value] : env) spec.env[name] = value;
  spec.env["HOSTNAME"] = hostname_of(in.pod);
  spec.cwd = in.container.spec["workingDir"].str_or(in.image.config.working_dir);
  if (spec.cwd.empty()) spec.cwd = "/";
  TRY_OK(set_command(spec, in));
  TRY_OK(set_security(spec, in));
  TRY_OK(set_limits(spec, in));
  TRY_OK(set_mounts(spec, in));
  return spec;
}

std::string resolv_conf(const kube::Object& pod, const ResolverInput& in) {
  auto policy = pod["spec"]["dnsPolicy"].str_or("ClusterFirst");
  auto host = read_resolv_conf(in.host_text);
  bool cluster = policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !host_network(pod));
  std::vector<std::string> servers, search, options;
  if (cluster && !in.server.empty()) {
    servers = {in.server};
    search = {fmt::format("{}.svc.{}", pod.ns(), kClusterDomain), fmt::format("svc.{}", kClusterDomain),
              std::string(kClusterDomain)};
    search.insert(search.end(), host.search.begin(), host.search.end());
    options = {"ndots:5"};
  } else if (policy != "None") {
    servers = host.servers, search = host.search, options = host.options;
  }
  auto config = pod["spec"]["dnsConfig"];
  for (auto s : config["nameservers"].items()) servers.push_back(s.text());
  for (auto s : config["searches"].items()) search.push_back(s.text());
  for (auto o : config["options"].items()) {
    auto name = o["name"].str_or(""), value = o["value"].text();
    std::erase_if(options, [&](const auto& old) { return old == name || old.starts_with(name + ":"); });
    options.push_back(value.empty() ? name : name + ":" + value);
  }
  std::string text;
  if (!search.empty()) text += "search " + join(search, " ") + "\n";
  for (const auto& s : servers) text += "nameserver " + s + "\n";
  if (!options.empty()) text += "options " + join(options, " ") + "\n";
  return text;
}

std::string hosts_file(const kube::Object& pod, const std::string& ip) {
  auto name = hostname_of(pod);
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (auto sub = pod["spec"]["subdomain"].str_or(""); !sub.empty())
    text += fmt::format("{}\t{}.{}.{}.svc.{}\t{}\n", ip, name, sub, pod.ns(), kClusterDomain, name);
  else
    text += fmt::format("{}\t{}\n", ip, name);
  for (auto alias : pod["spec"]["hostAliases"].items()) {
    text += alias["ip"].text();
    for (auto host : alias["hostnames"].items()) text += "\t" + host.text();
    text += '\n';
  }
  return text;
}

// Rule: Guaranteed when every container's cpu and memory limits are set and equal its requests; BestEffort with none.
std::string qos_class(const kube::Object& pod) {
  bool any = false, all = true;
  for (const auto& c : containers_of(pod))
    for (const char* name : {"cpu", "memory"}) {
      auto limit = c.spec["resources"]["limits"][name].text(), request = c.spec["resources"]["requests"][name].text();
      any = any || !limit.empty() || !request.empty();
      auto a = kube::Quantity::parse(limit), b = kube::Quantity::parse(request);
      if (limit.empty() || (!request.empty() && (!a || !b || a->nanos != b->nanos))) all = false;
    }
  return !any ? "BestEffort" : all ? "Guaranteed" : "Burstable";
}

int oom_score(const kube::Object& pod, doc::View container, std::int64_t node_memory) {
  auto qos = qos_class(pod);
  if (qos == "Guaranteed") return -997;
  if (qos == "BestEffort" || node_memory <= 0) return 1000;
  auto request = kube::Quantity::parse(container["resources"]["requests"]["memory"].text());
  auto bytes = request ? static_cast<double>(request->value()) : 0;
  return std::clamp(static_cast<int>(1000 - 1000 * bytes / static_cast<double>(node_memory)), 2, 999);
}

}  // namespace slipway::cluster
