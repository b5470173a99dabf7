#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "box/box.h"
#include "box/detail/oci_runtime.h"
#include "box/detail/userns.h"

namespace slipway::box {
namespace {

constexpr Millis kGrace{2000}, kCleanup{15000};

bool valid_id(std::string_view id) {
  if (id.empty() || id.size() > 200 || id == "." || id == "..") return false;
  for (char c : id)
    if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '+')) return false;
  return true;
}

class OciRuntime final : public Runtime {
 public:
  explicit OciRuntime(OciHost host) : host_(std::move(host)) {}
  ~OciRuntime() override {
    host_.removals.reset();  // done now, unless a container outlives us
    if (host_.limits) host_.cgroups.remove_empty(host_.cgroup_root);
  }
  Result<std::unique_ptr<Container>> start(const Ctx& ctx, const Spec& spec, Streams streams) override {
    if (!valid_id(spec.id))
      return fail(Kind::invalid, "container id \"{}\": want letters, digits, '_', '-', '.', at most 200", spec.id);
    TRY_OK(ctx.alive());
    return start_container(ctx, host_, spec, streams);
  }
  Result<std::vector<std::string>> survivors() override {
    host_.removals->settle();  // those on their way out are none
    return list_dir(host_.root / "containers");
  }
  Result<std::unique_ptr<Container>> attach(const std::string& id) override {
    if (!valid_id(id) || !path_exists(host_.dir(id))) return fail(Kind::not_found, "container {}: not ours", id);
    return attach_container(host_, id);
  }
  std::string describe() const override {
    auto who = host_.native() ? std::string("own launcher") : host_.name + " " + host_.version;
    return fmt::format("{}, {}{}, {}, overlay", who, to_string(host_.cgroups.mode), host_.limits ? "" : " (no limits)",
                       host_.rootless ? "rootless" : "rootful");
  }
  bool rootless() const override { return host_.rootless; }

 private:
  OciHost host_;
};

Error cannot_run(std::string what, std::string hint) {
  return Error(Kind::unavailable, fmt::format("containers cannot run here: {}", what)).with_hint(std::move(hint));
}

// A reboot ends every container: what the last boot left is only in the way.
Result<> forget_former_boot(const fs::path& root) {
  auto boot = std::string(trim(read_file("/proc/sys/kernel/random/boot_id").value_or("unknown")));
  auto former = read_file(root / "boot");
  if (former && *former == boot) return {};
  if (former) {
    TRY_OK(remove_tree(root / "containers"));
    TRY_OK(remove_tree(root / "runtime"));
  }
  return write_file(root / "boot", boot);
}

Result<> install_shim(const fs::path& path) {
  auto bytes = shim_bytes();
  struct stat st{};
  bool there = ::stat(path.c_str(), &st) == 0 && static_cast<std::size_t>(st.st_size) == bytes.size();
  if (there) return {};
  return write_file(path, bytes, 0755);
}

// Without CAP_SYS_RESOURCE nobody may go below what they have.
int oom_score_floor() {
  constexpr int kSysResource = 24;
  auto status = read_file("/proc/self/status").value_or("");
  for (auto line : lines(status))
    if (line.starts_with("CapEff:")) {
      auto set = std::strtoull(std::string(trim(line.substr(7))).c_str(), nullptr, 16);
      if ((set >> kSysResource & 1) != 0) return -1000;
    }
  return static_cast<int>(to_int(trim(read_file("/proc/self/oom_score_adj").value_or("0"))).value_or(0));
}

// Ends what a process left behind that was killed in its trial. Others may be at theirs.
Result<> end_former_trials(const OciHost& host, const fs::path& trials) {
  TRY(auto ids, list_dir(trials));
  for (const auto& id : ids) {
    auto words = split(id, '-');
    auto pid = words.size() == 3 ? to_int(words[1]) : std::nullopt;
    if (!pid || *pid <= 0 || ::kill(static_cast<pid_t>(*pid), 0) == 0) continue;
    if (path_exists(host.dir(id))) {
      TRY(auto container, attach_container(host, id));
      TRY_OK(container->destroy());
    }
    TRY_OK(remove_tree(trials / id));
  }
  return {};
}

// Runs one real container of ours. Nothing: it works.
Result<> trial(const OciHost& host) {
  auto trials = host.root / "trials";
  TRY_OK(make_dirs(trials));
  TRY_OK_IN("former trial", end_former_trials(host, trials));
  Spec spec;
  spec.id = fmt::format("probe-{}-{}", ::getpid(), random_hex(3));
  auto folder = trials / spec.id;
  TRY_OK(make_dirs(folder / "image"));
  TRY_OK(write_file(folder / "image/probe", shim_bytes(), 0755));
  spec.layers = {folder / "image"};
  spec.argv = {"/probe", "probe"};
  if (host.limits) spec.limits.memory_bytes = 64 << 20;
  auto ran = [&]() -> Result<int> {
    Ctx ctx;
    TRY(auto container, start_container(ctx.within(kCleanup), host, spec, {}));
    TRY(int code, container->wait(ctx.within(kCleanup)));
    TRY_OK(container->destroy());
    return code;
  }();
  TRY_OK(remove_tree(folder));
  if (!ran) return Fail(std::move(ran).error());
  if (*ran != 0) return fail(Kind::unavailable, "the trial container exited {}", *ran);
  return {};
}

// The probe's answer is good until runtime, kernel, cgroup mode or we change.
std::string trial_key(const OciHost& host) {
  struct stat st{};
  struct utsname system{};
  ::stat(host.program.c_str(), &st);
  ::uname(&system);
  return fmt::format("{} {} {} {} {} {}", host.program, st.st_size, st.st_mtim.tv_sec, system.release,
                     to_string(host.cgroups.mode), host.shim.filename().string());
}

Result<OciHost> try_program(OciHost host, const std::string& name) {
  bool own = name == "native";
  auto program = own ? std::optional(host.shim.string()) : find_program(name);
  if (!program) return fail(Kind::not_found, "{}: not on PATH", name);
  if (name == "crun" && host.cgroups.mode == CgroupMode::hybrid && host.cgroups.unified_controllers)
    return fail(Kind::unavailable, "crun: refuses hosts with hybrid cgroups");
  host.name = name, host.program = *program;
  auto key = trial_key(host);
  auto cache = host.root / ("probe-" + name);
  if (auto known = read_file(cache))
    if (auto parts = cut(*known, "\n"); parts && parts->first == key) {
      host.version = trim(parts->second);
      return host;
    }
  if (!own) {
    TRY(auto text, run_ok(Ctx().within(kCleanup), Command{.argv = {*program, "--version"}}));
    auto first = lines(text).empty() ? std::string_view() : lines(text)[0];
    auto version = split(first, ' ').back();
    host.version = version.substr(0, version.find('+'));
  }
  TRY_OK_IN(name, trial(host));
  TRY_OK(write_file(cache, key + "\n" + host.version));
  return host;
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::open(fs::path root) {
  if (::geteuid() != 0)
    return Fail(cannot_run(fmt::format("user id {} may not mount or make namespaces", ::geteuid()),
                           "run as root, or as root of a user namespace: "
                           "unshare --user --map-auto --map-root-user --mount --net slipway ... "
                           "(needs newuidmap and a range for you in /etc/subuid and /etc/subgid)"));
  TRY_OK_IN("container state", make_dirs(root / "containers", 0711));
  TRY_OK(make_dirs(root / "runtime", 0700));
  OciHost host;
  host.root = fs::canonical(root);
  TRY_OK(forget_former_boot(host.root));
  TRY_OK(make_dirs(host.root / "containers", 0711));
  TRY_OK(make_dirs(host.root / "runtime", 0700));
  host.shim = host.root / ("shim-" + sha256_hex(shim_bytes()).substr(0, 12));
  TRY_OK(install_shim(host.shim));
  host.cgroups = Cgroups::detect();
  host.rootless = in_user_namespace();
  host.limits = host.cgroups.writable;
  host.oom_score_floor = oom_score_floor();
  host.cgroup_root = "/slipway-" + sha256_hex(host.root.string()).substr(0, 8);
  std::string why;
  // Ours takes a millisecond, runc twenty.
  constexpr std::array known{"native", "crun", "runc"};
  const char* only = std::getenv("SLIPWAY_RUNTIME");
  if (only != nullptr && std::find(known.begin(), known.end(), std::string_view(only)) == known.end())
    return fail(Kind::invalid, "SLIPWAY_RUNTIME={}: want native, crun or runc", only);
  for (const char* name : known) {
    if (only != nullptr && std::string_view(only) != name) continue;
    auto found = try_program(host, name);
    if (found) {
      LOG(debug, "box.runtime", {"program", found->program}, {"version", found->version});
      return std::unique_ptr<Runtime>(std::make_unique<OciRuntime>(*std::move(found)));
    }
    why += (why.empty() ? "" : "; ") + std::string(found.error().what());
  }
  return Fail(cannot_run(why, "install an OCI runtime: apt-get install runc (or crun on a host with cgroup v2)"));
}

Result<int> Runtime::run(const Ctx& ctx, const Spec& spec, Streams streams, Ran* ran) {
  TRY(auto container, start(ctx, spec, streams));
  auto began = ctx.clock->wall();
  auto code = container->wait(ctx);
  if (ran) *ran = {began, ctx.clock->wall()};
  if (!code) {
    Ctx cleanup;
    (void)container->signal(SIGTERM);
    if (!container->wait(cleanup.within(kGrace))) (void)container->signal(SIGKILL);
  }
  TRY_OK(spec.host_pid ? container->destroy() : container->finish());
  return code;
}

Result<> end_leftovers(Runtime& runtime, std::string_view prefix) {
  TRY(auto left, runtime.survivors());
  for (const auto& id : left) {
    if (!id.starts_with(prefix)) continue;
    TRY(auto container, runtime.attach(id));
    TRY_OK(container->destroy());
  }
  return {};
}

}  // namespace slipway::box
