#include "ci/pod/pod_spec.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "doc/patch.h"

namespace slipway::ci {
namespace {

// What package managers and servers in images need as root of their container, and no more: none of them reaches the
// node.
constexpr const char* kept_capabilities[] = {"CHOWN",  "DAC_OVERRIDE", "FOWNER",  "FSETID",           "KILL",
                                             "SETGID", "SETUID",       "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT"};
constexpr Millis slack{10 * 60 * 1000};  // over the job's own time: images are pulled, the end is told

doc::Value security() {
  doc::List add;
  for (const auto* name : kept_capabilities) add.emplace_back(name);
  return doc::Map{{"allowPrivilegeEscalation", false},
                  {"capabilities", doc::Map{{"drop", doc::List{"ALL"}}, {"add", std::move(add)}}}};
}

doc::List env_list(const std::map<std::string, std::string>& env) {
  doc::List out;
  for (auto& [name, value] : env)
    out.emplace_back(doc::Map{{"name", name}, {"value", replace_all(value, "$(", "$$(")}});
  return out;
}

doc::List texts(const std::vector<std::string>& values) { return {values.begin(), values.end()}; }

doc::Value mount(std::string_view volume, std::string_view path, bool read_only) {
  return doc::Map{{"name", volume}, {"mountPath", path}, {"readOnly", read_only}};
}

// Whatever the image's C library is: the agent brings its own, and the loader for it.
doc::List agent_command(std::string_view folder) {
  return {fmt::format("{}/ld.so", folder), "--library-path", fmt::format("{}/lib", folder),
          fmt::format("{}/slipway", folder), "job-agent"};
}

doc::Value install_container(const PodWish& wish) {
  auto command = agent_command(agent_mount);
  command.emplace_back("--install"), command.emplace_back("/agent");
  return doc::Map{{"name", "agent"},
                  {"image", wish.agent_image},
                  {"imagePullPolicy", "IfNotPresent"},
                  {"command", std::move(command)},
                  {"securityContext", security()},
                  {"volumeMounts", doc::List{mount("agent", "/agent", false)}}};
}

doc::Value job_of(const PodWish& wish) {
  auto command = agent_command(agent_mount);
  command.emplace_back("--url"), command.emplace_back(wish.url);
  doc::Map word{{"name", "SLIPWAY_AGENT_WORD"},
                {"valueFrom", doc::Map{{"secretKeyRef", doc::Map{{"name", wish.name}, {"key", "word"}}}}}};
  doc::Map pod{{"name", "SLIPWAY_AGENT_POD"}, {"value", wish.name}};
  doc::Map out{{"name", job_container},
               {"image", wish.image},
               {"command", std::move(command)},
               {"env", doc::List{std::move(word), std::move(pod)}},
               {"workingDir", "/"},
               {"securityContext", security()},
               {"volumeMounts", doc::List{mount("agent", agent_mount, true), mount("home", "/home/runner", false)}}};
  if (auto user = to_int(wish.user)) out["securityContext"]["runAsUser"] = *user;
  if (!wish.profile.resources.empty()) out.set("resources", wish.profile.resources);
  return out;
}

doc::Value service_of(const PodWish& wish, const PodService& service) {
  doc::Map out{{"name", safe_name("svc-" + service.name)}, {"image", service.image}, {"securityContext", security()}};
  if (!service.command.empty()) out.set("command", texts(service.command));
  if (!service.args.empty()) out.set("args", texts(service.args));
  if (!service.env.empty()) out.set("env", env_list(service.env));
  if (!wish.profile.service_resources.empty()) out.set("resources", wish.profile.service_resources);
  if (!service.health_command.empty())
    out.set("readinessProbe",
            doc::Map{{"exec", doc::Map{{"command", doc::List{"/bin/sh", "-c", service.health_command}}}},
                     {"periodSeconds", std::max<std::int64_t>(1, service.interval.count() / 1000)},
                     {"timeoutSeconds", 10},
                     {"failureThreshold", std::max(1, service.retries)}});
  return out;
}

doc::Map labels_of(const PodWish& wish) {
  doc::Map labels;
  for (auto& [key, value] : wish.profile.labels) labels.set(key, value);
  labels.set("app.kubernetes.io/managed-by", "slipway");
  labels.set("app.kubernetes.io/component", "job");
  labels.set(label_house, wish.house);
  labels.set(label_run, safe_name(wish.run));
  return labels;
}

doc::Map annotations_of(const PodWish& wish) {
  doc::Map out;
  for (auto& [key, value] : wish.profile.annotations) out.set(key, value);
  out.set(annotation_run, wish.run), out.set(annotation_job, wish.key);
  out.set(annotation_repository, wish.repository);
  return out;
}

doc::Map spec_of(const PodWish& wish) {
  doc::List containers{job_of(wish)};
  for (auto& service : wish.services) containers.push_back(service_of(wish, service));
  doc::Map spec;
  for (auto& [key, value] : wish.profile.spec) spec.set(key, value);
  spec.set("restartPolicy", "Never");
  spec.set("automountServiceAccountToken", false);
  spec.set("enableServiceLinks", false);
  spec.set("terminationGracePeriodSeconds", wish.grace.count() / 1000 + 30);
  spec.set("activeDeadlineSeconds", (wish.timeout + wish.grace + slack).count() / 1000);
  spec.set("securityContext", doc::Map{{"seccompProfile", doc::Map{{"type", "RuntimeDefault"}}}});
  doc::List names;
  for (auto& name : wish.host_names) names.emplace_back(name);
  if (!names.empty())
    spec.set("hostAliases", doc::List{doc::Map{{"ip", "127.0.0.1"}, {"hostnames", std::move(names)}}});
  spec.set("initContainers", doc::List{install_container(wish)});
  spec.set("containers", std::move(containers));
  spec.set("volumes", doc::List{doc::Map{{"name", "agent"}, {"emptyDir", doc::Map{}}},
                                doc::Map{{"name", "home"}, {"emptyDir", doc::Map{}}}});
  return spec;
}

}  // namespace

doc::Value pod_of(const PodWish& wish) {
  doc::Value pod = doc::Map{{"apiVersion", "v1"},
                            {"kind", "Pod"},
                            {"metadata", doc::Map{{"name", wish.name},
                                                  {"namespace", wish.ns},
                                                  {"labels", labels_of(wish)},
                                                  {"annotations", annotations_of(wish)}}},
                            {"spec", spec_of(wish)}};
  return wish.profile.patch.is_map() ? doc::merge_patch(pod, wish.profile.patch) : pod;
}

doc::Value secret_of(const PodWish& wish, const std::string& word) {
  return doc::Map{{"apiVersion", "v1"},
                  {"kind", "Secret"},
                  {"type", "Opaque"},
                  {"metadata", doc::Map{{"name", wish.name}, {"namespace", wish.ns}, {"labels", labels_of(wish)}}},
                  {"data", doc::Map{{"word", to_base64(word)}}}};
}

std::string safe_name(std::string_view text, std::size_t size) {
  std::string out;
  for (char c : text) {
    auto small = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    bool good = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9');
    if (good || (!out.empty() && out.back() != '-')) out += good ? small : '-';
  }
  while (out.ends_with('-')) out.pop_back();
  if (!out.empty() && out.size() <= size && out == text) return out;
  auto tail = sha256_hex(text).substr(0, 8);
  out.resize(std::min(out.size(), size - tail.size() - 1));
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? tail : out + "-" + tail;
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '-' || text.back() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

}  // namespace slipway::ci
