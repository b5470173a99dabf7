// From root with everything to the process that a container is for.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "plan.h"

Process read_process(const Plan& plan) {
  Process p;
  size_t words = 0;
  Record r;
  for (Reader reader(plan); reader.next(r);) words += r.is("arg") || r.is("env") ? 1 : 0;
  auto* table = static_cast<char**>(calloc(words + 2, sizeof(char*)));
  if (table == nullptr) give_up("out of memory");
  size_t n = 0;
  p.argv = table;
  for (Reader reader(plan); reader.next(r);)
    if (r.is("arg")) table[n++] = const_cast<char*>(r.argument[0]);
  p.env = table + ++n;
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("env")) table[n++] = const_cast<char*>(r.argument[0]);
    if (r.is("user"))
      p.uid = static_cast<uid_t>(r.unsigned_number(0)), p.gid = static_cast<gid_t>(r.unsigned_number(1));
    if (r.is("member-of") && p.group_count < 64) p.groups[p.group_count++] = static_cast<gid_t>(r.unsigned_number(0));
    if (r.is("keep-groups")) p.set_groups = false;
    if (r.is("capabilities")) p.capabilities = r.unsigned_number(0);
    if (r.is("no-new-privileges")) p.no_new_privileges = true;
    if (r.is("tty")) p.tty = true;
    if (r.is("cwd")) p.cwd = r.argument[0];
  }
  return p;
}

namespace {

void write_to(const char* file, const char* text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  MUST(fd, "open", file);
  if (write(fd, text, strlen(text)) < 0) fail_at("write", file);
  close(fd);
}

}  // namespace

void set_limits(const Plan& plan) {
  Record r;
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("open-files")) {
      rlimit limit{r.unsigned_number(0), r.unsigned_number(0)};
      MUST(setrlimit(RLIMIT_NOFILE, &limit), "limit open files");
    } else if (r.is("oom-score")) {
      write_to("/proc/self/oom_score_adj", r.argument[0]);
    }
  }
}

namespace {

void install_filter(int fd) {
  if (fd < 0) return;
  struct stat st;
  MUST(fstat(fd, &st), "read the system call filter");
  auto* bytes = static_cast<char*>(malloc(static_cast<size_t>(st.st_size)));
  if (bytes == nullptr || read(fd, bytes, static_cast<size_t>(st.st_size)) != st.st_size)
    fail_at("read the system call filter");
  sock_fprog program{static_cast<unsigned short>(static_cast<size_t>(st.st_size) / sizeof(sock_filter)),
                     reinterpret_cast<sock_filter*>(bytes)};
  MUST(static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)), "install the system call filter");
  free(bytes);
}

// Those of the plan that we hold ourselves: in a container of somebody else's that may be fewer.
void set_capabilities(unsigned long long wanted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  MUST(static_cast<int>(syscall(SYS_capget, &header, data)), "read capabilities");
  unsigned long long have = data[0].permitted | static_cast<unsigned long long>(data[1].permitted) << 32;
  unsigned long long set = wanted & have;
  for (int i = 0; i < 2; ++i) {
    data[i].effective = data[i].permitted = static_cast<unsigned>(set >> (32 * i));
    data[i].inheritable = 0;
  }
  MUST(static_cast<int>(syscall(SYS_capset, &header, data)), "set capabilities");
}

void drop_bounds(unsigned long long wanted) {
  for (int c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; ++c)
    if ((wanted >> c & 1) == 0 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) fail_at("drop capabilities");
}

// /dev/stdout is opened again by programs that are not root.
void give_streams(uid_t uid) {
  for (int fd = 0; fd < 3; ++fd) {
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid != uid) (void)!fchown(fd, uid, static_cast<gid_t>(-1));
  }
}

void make_folders(const char* path) {
  char part[4096];
  size_t length = strlen(path);
  if (length >= sizeof part) return;
  for (size_t i = 1; i <= length; ++i) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    mkdir(part, 0755);
  }
}

[[noreturn]] void run_program(const Process& p) {
  const char* name = p.argv[0];
  if (strchr(name, '/') != nullptr) {
    execve(name, p.argv, p.env);
    if (errno == ENOENT && access(name, F_OK) == 0) give_up("exec: \"%s\": its interpreter is not there", name);
    give_up("exec: \"%s\": %s", name, strerror(errno));
  }
  const char* path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (char** e = p.env; *e != nullptr; ++e)
    if (strncmp(*e, "PATH=", 5) == 0) path = *e + 5;
  int why = 0;
  for (const char* at = path; *at != 0;) {
    size_t length = strcspn(at, ":");
    char file[4200];
    if (length > 0 && length + strlen(name) + 2 < sizeof file) {
      snprintf(file, sizeof file, "%.*s/%s", static_cast<int>(length), at, name);
      execve(file, p.argv, p.env);
      if (errno != ENOENT && errno != ENOTDIR && (why == 0 || errno != EACCES)) why = errno;
      if (errno == ENOENT && access(file, F_OK) == 0) give_up("exec: \"%s\": its interpreter is not there", file);
    }
    at += length + (at[length] == ':' ? 1 : 0);
  }
  if (why != 0) give_up("exec: \"%s\": %s", name, strerror(why));
  give_up("exec: \"%s\": executable file not found in $PATH", name);
}

}  // namespace

// The order is the one in which each step is still allowed.
[[noreturn]] void become(const Process& p, int filter) {
  if (p.argv[0] == nullptr) give_up("exec: \"\": no command");
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "slipway");  // not the host's; refused where keys are not there
  give_streams(p.uid);
  make_folders(p.cwd);
  bool there = chdir(p.cwd) == 0;
  int why = errno;
  if (!p.no_new_privileges) install_filter(filter);  // needs CAP_SYS_ADMIN
  drop_bounds(p.capabilities);
  prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (p.set_groups) MUST(setgroups(p.group_count, p.groups), "set groups");
  MUST(setresgid(p.gid, p.gid, p.gid), "set the group");
  MUST(setresuid(p.uid, p.uid, p.uid), "set the user");
  if (chdir(p.cwd) < 0 && !there) {
    errno = why;
    fail_at("working folder", p.cwd);
  }
  set_capabilities(p.capabilities);
  if (p.no_new_privileges) {
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "refuse new privileges");
    install_filter(filter);
  }
  prctl(PR_SET_PDEATHSIG, 0);
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  run_program(p);
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int s = 1; s < NSIG; ++s)
    if (s != SIGKILL && s != SIGSTOP) signal(s, SIG_DFL);
}
