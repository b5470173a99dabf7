#include "box/detail/seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/files.h"
#include "base/text.h"

namespace slipway::box {
namespace {

// What programs use that neither administer the kernel nor reach outside their namespaces.
constexpr std::string_view kAllowed =
    "accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown chown32 "
    "clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
    "clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 "
    "epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 "
    "fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat "
    "fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait "
    "futex_waitv futex_wake futimesat get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64 "
    "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp "
    "getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid "
    "getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl "
    "ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
    "lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise "
    "map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall "
    "mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 "
    "pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
    "process_mrelease "
    "process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead "
    "readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename "
    "renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
    "seccomp "
    "select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto "
    "set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
    "setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 "
    "setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown "
    "sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
    "statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete "
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink "
    "unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

struct Grant {
  std::string_view capability, calls;
};
constexpr std::array<Grant, 11> kGranted = {{
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount "
     "open_tree perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns swapon swapoff syslog "
     "umount umount2 unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE", "mbind set_mempolicy set_mempolicy_home_node"},
}};

constexpr int kNoSuchCall = 38;  // ENOSYS

struct Argument {
  int index = -1;  // -1: whatever the arguments are
  std::uint64_t value = 0, value_two = 0;
  std::string_view op;
};
struct Rule {
  std::string_view calls;
  int error = 0;  // 0: allowed
  Argument when;
};

std::vector<Rule> rules(const std::set<std::string>& capabilities) {
  std::vector<Rule> out{{kAllowed, 0, {}}};
  // Address families that reach past the namespace: 40 is AF_VSOCK (the hypervisor), 38 AF_ALG (kernel crypto).
  out.push_back({"socket", 0, {0, 38, 0, "SCMP_CMP_LT"}});
  out.push_back({"socket", 0, {0, 39, 0, "SCMP_CMP_EQ"}});
  out.push_back({"socket", 0, {0, 40, 0, "SCMP_CMP_GT"}});
  // The personalities that do not weaken address randomisation, and the question which one it is.
  for (std::uint64_t p : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL})
    out.push_back({"personality", 0, {0, p, 0, "SCMP_CMP_EQ"}});
  for (const auto& grant : kGranted)
    if (capabilities.contains(std::string(grant.capability))) out.push_back({grant.calls, 0, {}});
  if (capabilities.contains("CAP_SYS_ADMIN")) return out;
  // No new namespaces without it. clone3 hides its flags in memory a filter cannot read, so it answers ENOSYS: C
  // libraries then fall back to clone.
  constexpr std::uint64_t kNamespaces = 0x7E020000;  // CLONE_NEW*
  out.push_back({"clone", 0, {0, kNamespaces, 0, "SCMP_CMP_MASKED_EQ"}});
  out.push_back({"clone3", kNoSuchCall, {}});
  return out;
}

constexpr std::array kArchitectures = {
#if defined(__x86_64__)
    // Not x32: nobody has such programs, and a third filter costs 8 ms of every start.
    std::pair<std::string_view, std::uint32_t>{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    std::pair<std::string_view, std::uint32_t>{"SCMP_ARCH_X86", SCMP_ARCH_X86},
#elif defined(__aarch64__)
    std::pair<std::string_view, std::uint32_t>{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    std::pair<std::string_view, std::uint32_t>{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
#endif
};

scmp_compare operation(std::string_view name) {
  if (name == "SCMP_CMP_LT") return SCMP_CMP_LT;
  if (name == "SCMP_CMP_GT") return SCMP_CMP_GT;
  if (name == "SCMP_CMP_MASKED_EQ") return SCMP_CMP_MASKED_EQ;
  return SCMP_CMP_EQ;
}

Result<> add_rule(scmp_filter_ctx filter, const Rule& rule, int& highest) {
  auto action = rule.error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(rule.error);
  for (auto name : split(rule.calls, ' ')) {
    int call = seccomp_syscall_resolve_name(std::string(name).c_str());
    if (call == __NR_SCMP_ERROR) continue;  // newer than the library: answered as a kernel without it would
    highest = std::max(highest, call);
    scmp_arg_cmp compare{static_cast<unsigned>(std::max(0, rule.when.index)), operation(rule.when.op), rule.when.value,
                         rule.when.value_two};
    int error = rule.when.index < 0 ? seccomp_rule_add_array(filter, action, call, 0, nullptr)
                                    : seccomp_rule_add_array(filter, action, call, 1, &compare);
    if (error < 0 && error != -EFAULT) return fail_errno(-error, fmt::format("system call filter: {}", name));
  }
  return {};
}

// Calls that nobody had heard of when the list was made do not exist, so that programs try what came before them.
std::string newer_calls_are_unknown(int highest) {
  constexpr std::uint32_t arch_at = offsetof(seccomp_data, arch), call_at = offsetof(seccomp_data, nr);
  const std::array program = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch_at),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitectures[0].second, 0, 3),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, call_at),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, static_cast<std::uint32_t>(highest), 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | kNoSuchCall),
  };
  return {reinterpret_cast<const char*>(program.data()), sizeof program};
}

}  // namespace

std::string seccomp_identity(const std::set<std::string>& capabilities) {
  const auto* library = seccomp_version();
  std::string text = fmt::format("{}.{}.{}", library->major, library->minor, library->micro);
  for (const auto& [calls, error, when] : rules(capabilities))
    text += fmt::format("\n{} {} {} {} {} {}", calls, error, when.index, when.value, when.value_two, when.op);
  return text;
}

Result<std::string> seccomp_program(const std::set<std::string>& capabilities) {
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  if (!filter) return fail(Kind::internal, "system call filter: out of memory");
  for (const auto& [name, arch] : kArchitectures)
    if (int error = seccomp_arch_add(filter.get(), arch); error < 0 && error != -EEXIST)
      return fail_errno(-error, fmt::format("system call filter for {}", name));
  (void)seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: few comparisons a call
  int highest = 0;
  for (const auto& rule : rules(capabilities)) TRY_OK(add_rule(filter.get(), rule, highest));
  Fd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "system call filter");
  if (int error = seccomp_export_bpf(filter.get(), file.get()); error < 0)
    return fail_errno(-error, "system call filter");
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno(errno, "system call filter");
  TRY(auto program, read_all(file.get()));
  return newer_calls_are_unknown(highest) + program;
}

void write_seccomp(JsonWriter& json, const std::set<std::string>& capabilities) {
  json.object().field("defaultAction", "SCMP_ACT_ERRNO").field("defaultErrnoRet", EPERM);
  json.key("architectures").array();
  for (const auto& [name, arch] : kArchitectures) json.value(name);
  json.end_array();
  json.key("syscalls").array();
  for (const auto& rule : rules(capabilities)) {
    json.object().key("names").array();
    for (auto name : split(rule.calls, ' '))
      if (!name.empty()) json.value(name);
    json.end_array().field("action", rule.error == 0 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO");
    if (rule.error != 0) json.field("errnoRet", rule.error);
    if (const auto& a = rule.when; a.index >= 0) {
      json.key("args").array().object().field("index", a.index).field("value", a.value);
      json.field("valueTwo", a.value_two).field("op", a.op).end_object().end_array();
    }
    json.end_object();
  }
  json.end_array().end_object();
}

}  // namespace slipway::box
