#include "box/detail/limits.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "base/text.h"

namespace slipway::box {
namespace {

// A control file takes its value in one write.
Result<> put(const fs::path& file, const std::string& value) {
  Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
    return fail_errno(errno, fmt::format("{} into {}", value, file.string()));
  return {};
}
// Not every kernel has every file.
Result<> put_if_there(const fs::path& file, const std::string& value) {
  return path_exists(file) ? put(file, value) : Result<>();
}

// A group of the cpuset controller takes no process before it has processors and memory nodes.
Result<> inherit_cpuset(const fs::path& folder) {
  for (const char* name : {"cpuset.cpus", "cpuset.mems"}) {
    auto own = read_file(folder / name);
    if (!own || !trim(*own).empty()) continue;
    TRY(auto above, read_file(folder.parent_path() / name));
    if (trim(above).empty()) {  // another thread has made it a moment ago
      TRY_OK(inherit_cpuset(folder.parent_path()));
      TRY(above, read_file(folder.parent_path() / name));
    }
    TRY_OK(put(folder / name, std::string(trim(above))));
  }
  return {};
}

void delegate(const fs::path& folder) {
  for (const char* controller : {"+memory", "+cpu", "+pids"}) (void)put(folder / "cgroup.subtree_control", controller);
}

Result<fs::path> make_folder(const Cgroups& cgroups, const fs::path& hierarchy, const std::string& group) {
  bool unified = hierarchy == cgroups.unified, cpuset = hierarchy == cgroups.cpuset;
  // Those above are there, but for the first time.
  if (fs::path whole = hierarchy.string() + group; ::mkdir(whole.c_str(), 0755) == 0) {
    if (cpuset) TRY_OK(inherit_cpuset(whole));
    return whole;
  }
  fs::path at = hierarchy;
  for (auto part : split(group, '/')) {
    if (part.empty()) continue;
    if (unified) delegate(at);
    at /= part;
    if (::mkdir(at.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(errno, at.string());
    if (cpuset) TRY_OK(inherit_cpuset(at));
  }
  return at;
}

std::string number(int n) { return n < 0 ? "*" : std::to_string(n); }

// A list that takes a rule by each write.
Result<> allow_devices(const fs::path& folder) {
  auto file = folder / "devices.allow";
  Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  for (const auto& rule : device_rules()) {
    auto text = fmt::format("{} {}:{} {}", rule.type, number(rule.major), number(rule.minor), rule.access);
    if (!fd || ::write(fd.get(), text.data(), text.size()) < 0)
      return fail_errno(errno, fmt::format("{} into {}", text, file.string()));
  }
  return {};
}

Result<> limit_v1(const fs::path& folder, const Settled& container, bool devices) {
  const auto& r = container.resources;
  if (r.memory_bytes > 0) {
    TRY_OK(put_if_there(folder / "memory.limit_in_bytes", std::to_string(r.memory_bytes)));
    // Swap counts towards the limit, else the limit is none.
    TRY_OK(put_if_there(folder / "memory.memsw.limit_in_bytes", std::to_string(r.memory_bytes)));
  }
  if (r.cpu_shares > 0) TRY_OK(put_if_there(folder / "cpu.shares", std::to_string(r.cpu_shares)));
  if (r.cpu_quota > 0) {
    TRY_OK(put_if_there(folder / "cpu.cfs_period_us", std::to_string(kCpuPeriod)));
    TRY_OK(put_if_there(folder / "cpu.cfs_quota_us", std::to_string(r.cpu_quota)));
  }
  if (r.pids > 0) TRY_OK(put_if_there(folder / "pids.max", std::to_string(r.pids)));
  if (container.rootless || container.privileged || !devices) return {};
  TRY_OK(put(folder / "devices.deny", "a"));
  return allow_devices(folder);
}

Result<> limit_v2(const fs::path& folder, const Settled& container) {
  const auto& r = container.resources;
  if (r.memory_bytes > 0) {
    TRY_OK(put_if_there(folder / "memory.max", std::to_string(r.memory_bytes)));
    TRY_OK(put_if_there(folder / "memory.swap.max", "0"));
  }
  // Kubernetes' conversion of shares (2 to 262144) to weights (1 to 10000).
  if (r.cpu_shares > 0)
    TRY_OK(put_if_there(folder / "cpu.weight", std::to_string(1 + (r.cpu_shares - 2) * 9999 / 262142)));
  if (r.cpu_quota > 0) TRY_OK(put_if_there(folder / "cpu.max", fmt::format("{} {}", r.cpu_quota, kCpuPeriod)));
  if (r.pids > 0) TRY_OK(put_if_there(folder / "pids.max", std::to_string(r.pids)));
  if (container.rootless || container.privileged) return {};
  Fd group(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!group) return fail_errno(errno, folder.string());
  return refuse_devices(group.get());
}

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

// The instructions as <linux/bpf.h> names them. Registers: 0 the answer, 1 the question, 2 type, 3 access, 4 major, 5
// minor.
bpf_insn load(std::uint8_t to, std::int16_t offset) { return {BPF_LDX | BPF_MEM | BPF_W, to, 1, offset, 0}; }
bpf_insn compute(std::uint8_t operation, std::uint8_t to, std::int32_t value) {
  return {static_cast<std::uint8_t>(BPF_ALU | operation | BPF_K), to, 0, 0, value};
}
bpf_insn copy(std::uint8_t to, std::uint8_t from) { return {BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0}; }
bpf_insn skip_unless_equal(std::uint8_t which, std::int32_t value, std::int16_t over) {
  return {BPF_JMP | BPF_JNE | BPF_K, which, 0, over, value};
}
void answer(std::vector<bpf_insn>& program, bool allowed) {
  program.push_back({BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allowed ? 1 : 0});
  program.push_back({BPF_JMP | BPF_EXIT, 0, 0, 0, 0});
}

std::vector<bpf_insn> device_program() {
  std::vector<bpf_insn> program = {load(2, offsetof(bpf_cgroup_dev_ctx, access_type)),
                                   copy(3, 2),
                                   compute(BPF_AND, 2, 0xffff),
                                   compute(BPF_RSH, 3, 16),
                                   load(4, offsetof(bpf_cgroup_dev_ctx, major)),
                                   load(5, offsetof(bpf_cgroup_dev_ctx, minor))};
  program.push_back(skip_unless_equal(3, BPF_DEVCG_ACC_MKNOD, 2));
  answer(program, true);
  for (const auto& rule : device_rules()) {
    if (rule.major < 0) continue;  // the rule for making nodes
    program.push_back(skip_unless_equal(2, BPF_DEVCG_DEV_CHAR, rule.minor < 0 ? 3 : 4));
    program.push_back(skip_unless_equal(4, rule.major, rule.minor < 0 ? 2 : 3));
    if (rule.minor >= 0) program.push_back(skip_unless_equal(5, rule.minor, 2));
    answer(program, true);
  }
  answer(program, false);
  return program;
}

}  // namespace

Result<> refuse_devices(int group) {
  auto program = device_program();
  bpf_attr load_attributes{};
  load_attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load_attributes.insns = reinterpret_cast<std::uint64_t>(program.data());
  load_attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  load_attributes.license = reinterpret_cast<std::uint64_t>("Apache-2.0");
  Fd loaded(bpf(BPF_PROG_LOAD, load_attributes));
  if (!loaded) return fail_errno(errno, "load the device filter");
  bpf_attr attach{};
  attach.target_fd = static_cast<std::uint32_t>(group);
  attach.attach_bpf_fd = static_cast<std::uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (bpf(BPF_PROG_ATTACH, attach) < 0) return fail_errno(errno, "attach the device filter");
  return {};
}

Result<> make_group(const Cgroups& cgroups, const Settled& container) {
  for (const auto& hierarchy : cgroups.limiting) {
    TRY(auto folder, make_folder(cgroups, hierarchy, container.cgroup));
    TRY_OK(hierarchy == cgroups.unified ? limit_v2(folder, container)
                                        : limit_v1(folder, container, hierarchy == cgroups.devices));
  }
  return {};
}

}  // namespace slipway::box
