#include "launch.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"

extern "C" int setns(int, int) noexcept;  // <sched.h> cannot be included beside <linux/sched.h>

int g_channel = -1;
int g_log = -1;

void give_up(const char* format, ...) {
  char text[480];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  ssize_t n = g_channel >= 0 ? send(g_channel, text, strlen(text), MSG_NOSIGNAL) : write(g_log, text, strlen(text));
  (void)n;
  _exit(255);
}

void fail_at(const char* what, const char* where) {
  give_up("%s%s%s: %s", what, *where != 0 ? " " : "", where, strerror(errno));
}

namespace {

void raise_loopback() {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail_at("bring up", "lo");
  close(fd);
}

// A terminal of the container's own; its master goes to the guardian.
void open_terminal(uid_t uid) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  MUST(master, "open", "/dev/ptmx");
  int unlock = 0;
  MUST(ioctl(master, TIOCSPTLCK, &unlock), "unlock the terminal");
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  MUST(slave, "open the terminal");
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  ioctl(master, TIOCSWINSZ, &size);
  (void)!fchown(slave, uid, static_cast<gid_t>(-1));
  unsigned number = 0;
  char name[64];
  ioctl(master, TIOCGPTN, &number);
  snprintf(name, sizeof name, "/dev/pts/%u", number);
  int console = clone_mount(name);
  if (console >= 0) place(console, "/dev/console", false, true);
  for (int fd = 0; fd < 3; ++fd) dup2(slave, fd);
  if (slave > 2) close(slave);
  char byte = 'm';
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &master, sizeof master);
  MUST(static_cast<int>(sendmsg(g_channel, &message, MSG_NOSIGNAL)), "pass the terminal on");
  close(master);
}

// Of cgroup v1. A thread that moves itself is the one case that waits for nobody.
void join_group(int fd, const char* file) {
  MUST(fd, "open", file);
  if (write(fd, "0", 1) < 0) fail_at("join", file);
  close(fd);
}

[[noreturn]] void first_process(const Plan& plan, int out, int err) {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // nobody inside may look at this program through /proc
  prctl(PR_SET_PDEATHSIG, SIGKILL);    // until it is started: half a container is nobody's
  setsid();
  if (out >= 0) dup2(out, 1);
  if (err >= 0) dup2(err, 2);
  Sources sources;
  open_sources(plan, sources);
  set_limits(plan);
  const char* root = nullptr;
  Record r;
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("group-file")) join_group(open(r.argument[0], O_WRONLY | O_CLOEXEC), r.argument[0]);
    if (r.is("root")) root = r.argument[0];
    if (r.is("new") && (r.unsigned_number(0) & CLONE_NEWNET) != 0) raise_loopback();
    if (r.is("join")) {  // PATH FLAG
      int fd = open(r.argument[0], O_RDONLY | O_CLOEXEC);
      MUST(fd, "open", r.argument[0]);
      MUST(setns(fd, static_cast<int>(r.number(1))), "join", r.argument[0]);
      close(fd);
    }
  }
  if (root == nullptr) give_up("the plan has no root");
  open_root(root);
  build_tree(plan, sources);
  enter_root();
  for (Reader reader(plan); reader.next(r);)
    if (r.is("read-only-root")) make_root_read_only();
  Process process = read_process(plan);
  if (process.tty) {
    open_terminal(process.uid);
    ioctl(0, TIOCSCTTY, 1);
  }
  reset_signals();
  become(process, sources.seccomp);
}

// The group of cgroup v2: -1 when the plan has none. False: it has one that cannot be opened, and no container goes
// without its limits.
bool open_group(const Plan& plan, int& group) {
  Record r;
  group = -1;
  for (Reader reader(plan); reader.next(r);)
    if (r.is("group")) return (group = open(r.argument[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0;
  return true;
}

// In its group from the first moment: moving a process takes the kernel ten milliseconds.
pid_t start_in_group(int group, unsigned long flags) {
  clone_args arguments{};
  arguments.flags = flags | (group >= 0 ? CLONE_INTO_CGROUP : 0);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<unsigned long long>(group >= 0 ? group : 0);
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

void kill_and_reap(pid_t pid) {
  kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

bool read_plan(const char* file, Plan& plan) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) return false;
  plan.size = static_cast<size_t>(st.st_size);
  plan.text =
      static_cast<char*>(mmap(nullptr, plan.size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  bool whole = plan.text != MAP_FAILED && read(fd, plan.text, plan.size) == st.st_size && plan.text[plan.size - 1] == 0;
  close(fd);
  return whole;
}

Launched launch(const Plan& plan, int out, int err) {
  Launched result;
  int channel[2], group = -1;
  if (!open_group(plan, group) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
    snprintf(result.why, sizeof result.why, "open its control group: %s", strerror(errno));
    return result;
  }
  unsigned long flags = 0;
  Record r;
  for (Reader reader(plan); reader.next(r);)
    if (r.is("new")) flags |= r.unsigned_number(0);
  pid_t pid = start_in_group(group, flags);
  if (pid == 0) {
    close(channel[0]);
    g_channel = channel[1];
    first_process(plan, out, err);
  }
  close(channel[1]);
  if (group >= 0) close(group);
  if (pid < 0) {
    snprintf(result.why, sizeof result.why, "make namespaces: %s", strerror(errno));
    close(channel[0]);
    return result;
  }
  for (;;) {
    char text[480];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec part{text, sizeof text - 1};
    msghdr message{};
    message.msg_iov = &part, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    ssize_t n = recvmsg(channel[0], &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // it runs: its end of the channel went with exec
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    if (c != nullptr && c->cmsg_type == SCM_RIGHTS) {
      memcpy(&result.master, CMSG_DATA(c), sizeof(int));
      continue;
    }
    text[n] = 0;
    snprintf(result.why, sizeof result.why, "%s", text);
  }
  close(channel[0]);
  if (result.why[0] != 0) {
    kill_and_reap(pid);
    return result;
  }
  result.pid = pid;
  return result;
}

int run_inside(const char* file, const char* log, const char* pid_file) {
  g_log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int pids = open(pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  Plan plan;
  if (g_log < 0 || pids < 0 || !read_plan(file, plan)) return 255;
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  int groups[32], group_count = 0, filter = -1, flags = 0, group = -1;
  if (!open_group(plan, group)) fail_at("open the container's control group");
  pid_t inside = -1;
  unsigned long long started = 0;
  Record r;
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("inside")) {  // PID FLAGS START
      inside = static_cast<pid_t>(r.number(0)), flags = static_cast<int>(r.unsigned_number(1));
      started = r.unsigned_number(2);
    }
    if (r.is("group-file") && group_count == 32) give_up("more than 32 control groups");
    if (r.is("group-file")) groups[group_count++] = open(r.argument[0], O_WRONLY | O_CLOEXEC);
    if (r.is("seccomp")) MUST(filter = open(r.argument[0], O_RDONLY | O_CLOEXEC), "open", r.argument[0]);
  }
  set_limits(plan);
  int target_process = static_cast<int>(syscall(SYS_pidfd_open, inside, 0));
  MUST(target_process, "find the container's process");
  // Its number may be another's by now, one of the host's even.
  if (start_time(inside) != started) give_up("the container has ended");
  MUST(setns(target_process, flags), "enter the container");
  pid_t pid = start_in_group(group, 0);
  MUST(pid, "start a process");
  if (pid == 0) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (int i = 0; i < group_count; ++i) join_group(groups[i], "the container's control groups");
    Process process = read_process(plan);
    setsid();
    if (process.tty) {
      (void)!fchown(0, process.uid, static_cast<gid_t>(-1));
      ioctl(0, TIOCSCTTY, 1);
    }
    reset_signals();
    become(process, filter);
  }
  dprintf(pids, "%d", pid);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
