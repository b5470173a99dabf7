#include "engine/pods.h"

#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "kube/http_client.h"
#include "net/http.h"
#include "oci/layer.h"

// Loads what the program loads when it is called first (src/delayed.cpp); not there where everything is linked.
extern "C" __attribute__((weak)) void slipway_load_delayed();

namespace slipway::engine {
namespace {

constexpr const char* agent_repository = "slipway/agent";
constexpr const char* settings_name = "job-pods";
constexpr const char* settings_key = "settings.yaml";

// The files this program runs from: itself, its loader, its libraries.
struct Program {
  fs::path self, loader;
  std::vector<fs::path> libraries;
};

int note_object(dl_phdr_info* info, std::size_t, void* out) {
  auto& program = *static_cast<Program*>(out);
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_INTERP)
      program.loader = reinterpret_cast<const char*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  std::string_view name = info->dlpi_name;
  if (name.starts_with('/')) program.libraries.emplace_back(name);
  return 0;
}

Result<Program> this_program() {
  if (slipway_load_delayed != nullptr) slipway_load_delayed();
  Program out;
  ::dl_iterate_phdr(note_object, &out);
  std::error_code error;
  out.self = fs::read_symlink("/proc/self/exe", error);
  if (error) return fail_errno(error.value(), "/proc/self/exe");
  if (out.loader.empty()) return fail(Kind::unavailable, "the agent's image: this program has no loader");
  std::erase_if(out.libraries, [&](const fs::path& file) { return file.filename() == out.loader.filename(); });
  return out;
}

Result<std::string> build_of(const Program& program) {
  std::string text;
  auto files = program.libraries;
  files.push_back(program.loader), files.emplace_back("/proc/self/exe");
  for (const auto& file : files) {
    struct stat st{};
    if (::stat(file.c_str(), &st) < 0) return fail_errno(errno, file.native());
    text += fmt::format("{} {} {}.{}\n", file.native(), st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  }
  return sha256_hex(text).substr(0, 24);
}

Result<> copy_program(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) return fail_errno(error.value(), from.native());
  if (::chmod(to.c_str(), 0755) < 0) return fail_errno(errno, to.native());
  return {};
}

Result<> put_program(const Program& program, const fs::path& root) {
  auto folder = root / "slipway";
  TRY_OK(make_dirs(folder / "lib"));
  TRY_OK(copy_program("/proc/self/exe", folder / "slipway"));
  TRY_OK(copy_program(program.loader, folder / "ld.so"));
  for (const auto& library : program.libraries) TRY_OK(copy_program(library, folder / "lib" / library.filename()));
  return {};
}

std::string architecture() {
  utsname name{};
  ::uname(&name);
  return std::string_view(name.machine) == "aarch64" ? "arm64" : "amd64";
}

Result<Digest> make_image(const Ctx& ctx, House& house, const Program& program, const std::string& tag) {
  TRY(auto folder, TempDir::make_in(house.settings.data / "work", "agent"));
  TRY_OK(put_program(program, folder.path()));
  TRY(auto layer, oci::pack_layer(ctx, *house.blobs, folder.path(), {.mtime = 0}));
  oci::Config config;
  config.platform.architecture = architecture();
  config.entrypoint = {"/slipway/ld.so", "--library-path", "/slipway/lib", "/slipway/slipway", "job-agent"};
  config.diff_ids = {layer.diff_id};
  auto config_text = oci::print(config);
  TRY(auto config_digest, house.blobs->put(config_text));
  oci::Manifest manifest;
  manifest.config = {std::string(oci::media::config), config_digest, config_text.size()};
  manifest.layers = {layer.descriptor};
  TRY(auto descriptor, house.registry->put_manifest(agent_repository, tag, oci::media::manifest, oci::print(manifest)));
  LOG(info, "jobs.agent_image", {"digest", descriptor.digest.str()}, {"bytes", layer.descriptor.size});
  return descriptor.digest;
}

Result<ci::PodSettings> pod_settings(const Ctx& ctx, House& house) {
  TRY(auto found, house.client->get(ctx, {"v1", "ConfigMap"}, {home, settings_name}));
  auto text = found ? (*found)["data"][settings_key].text() : std::string();
  auto source = fmt::format("ConfigMap {}/{}: {}", home, settings_name, settings_key);
  TRY(auto out, ci::parse_pod_settings(text, source));
  if (out.all.image.empty()) out.all.image = house.settings.pod_image;
  return out;
}

Result<std::string> house_id(const House& house) {
  auto file = house.settings.data / "pods" / "house";
  if (auto text = read_file(file, 256)) return std::string(trim(*text));
  TRY_OK(make_dirs(file.parent_path(), 0700));
  auto id = random_name(10);
  TRY_OK(write_file(file, id + "\n", 0644, Durable::yes));
  return id;
}

std::string url_of(const House& house) {
  if (!house.settings.jobs_url.empty()) return house.settings.jobs_url;
  return house.network && house.pod_port > 0
             ? fmt::format("http://{}:{}", house.network->gateway_ip(), house.pod_port.load())
             : house.url();
}

std::string registry_of(const Settings& settings) {
  if (!settings.jobs_registry.empty()) return settings.jobs_registry;
  if (settings.jobs_kubeconfig.empty()) return settings.registry_name;
  auto url = net::parse_url(settings.jobs_url);
  return url ? url->authority() : settings.registry_name;
}

Result<std::shared_ptr<kube::Client>> client_of(House& house) {
  const auto& settings = house.settings;
  if (settings.jobs_kubeconfig.empty()) return house.api->client("slipway-jobs");
  if (settings.jobs_url.empty())
    return Fail(
        Error(Kind::invalid, "--jobs-kubeconfig wants --jobs-url: how do Pods of that cluster reach this house?")
            .with_hint("--jobs-url http://HOST:PORT, with --listen 0.0.0.0:PORT"));
  TRY_IN(auto config, "--jobs-kubeconfig", kube::load_kubeconfig(settings.jobs_kubeconfig));
  TRY_IN(std::shared_ptr<kube::Client> client, "--jobs-kubeconfig", kube::connect(config));
  return client;
}

Result<> check(const Settings& settings) {
  if (settings.jobs != "local" && settings.jobs != "pods")
    return fail(Kind::invalid, "--jobs \"{}\": want local or pods", settings.jobs);
  if (settings.jobs_url.empty()) return {};
  auto url = net::parse_url(settings.jobs_url);
  if (!url || url->scheme != "http")
    return Fail(
        Error(Kind::invalid, fmt::format("--jobs-url \"{}\": want http://HOST:PORT", settings.jobs_url))
            .with_hint("for TLS between Pods and this house let the cluster's network do it (a mesh, WireGuard)"));
  return {};
}

}  // namespace

Result<std::string> agent_image(const Ctx& ctx, House& house) {
  static std::mutex making;
  std::lock_guard turn(making);
  TRY(auto program, this_program());
  TRY(auto tag, build_of(program));
  TRY(auto known, house.registry->manifest(agent_repository, tag));
  if (known) return fmt::format("{}@{}", agent_repository, known->descriptor.digest.str());
  TRY(auto digest, make_image(ctx, house, program, tag));
  return fmt::format("{}@{}", agent_repository, digest.str());
}

Result<std::unique_ptr<ci::JobPods>> open_job_pods(const Ctx& ctx, House& house) {
  TRY_OK(check(house.settings));
  if (house.settings.jobs != "pods") return std::unique_ptr<ci::JobPods>();
  ci::JobPodsOptions options;
  TRY(options.client, client_of(house));
  TRY(options.house, house_id(house));
  options.ns = house.settings.jobs_namespace;
  options.state = house.settings.data / "pods" / "expected";
  options.settings = [&house](const Ctx& own) { return pod_settings(own, house); };
  options.url = [&house] { return url_of(house); };
  options.registry = [&house] { return registry_of(house.settings); };
  options.agent_image = [&house](const Ctx& own) -> Result<std::string> {
    TRY(auto image, agent_image(own, house));
    return fmt::format("{}/{}", registry_of(house.settings), image);
  };
  options.git = house.git->routes();
  options.wanted = [&house](const std::string& run) {
    auto found = find(Ctx{}.within(Millis(10'000)), *house.client, "WorkflowRun", run);
    return !found || (*found && !path::is_final(phase_of(**found)));
  };
  return ci::JobPods::open(ctx, std::move(options));
}

}  // namespace slipway::engine
