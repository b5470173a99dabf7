// The container's guardian: a small static program, embedded in slipway and started once a container. It outlives
// slipway (also a kill -9), so that a pod goes on running, its log goes on being written and its exit status is
// known to the next slipway. Plain system calls only: its resident size is what a container costs us.
//
//   shim DIR LOG|- MAX_BYTES FILES FLAGS [RUNTIME ARG...]
//
// Without a runtime it makes the container itself, as DIR/plan says (launch.cpp); with one, DIR holds the OCI bundle
// and the runtime writes DIR/pid. Descriptors: 0-2 the container's streams, 3 where the start is reported ("ok PID" or
// "fail STATUS"), 4 with flag l: a pipe whose end of file means that the one who wanted the container is gone. Flag t:
// the container has a terminal. Left behind: DIR/state (who runs: a line each of guardian and container), DIR/exit
// ("STATUS NANOSECONDS"). With "probe" as its only argument it exits 0: the runtime's trial container.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

#include "launch.h"

namespace {

constexpr int kReport = 3, kLifeline = 4;
constexpr int kDrainAfterExitMs = 1000;  // a process that left the pid namespace may hold the pipe for ever
constexpr size_t kLine = 16384;          // longer lines are split into P pieces, as CRI logs have it

bool write_full(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n, size -= static_cast<size_t>(n);
  }
  return true;
}

void put_file(const char* name, const char* text) {
  char temp[64];
  snprintf(temp, sizeof temp, "%s.tmp", name);
  int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  bool whole = write_full(fd, text, strlen(text));
  close(fd);
  if (whole) rename(temp, name);
}

// The log file in CRI form: "TIME stdout F text"; rotated to .1, .2 ... by size.
struct Log {
  const char* path = nullptr;
  long long max = 0, size = 0;
  int files = 1, fd = -1;

  void open_file() {
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    struct stat st;
    size = fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
  }
  void rotate() {
    close(fd);
    char from[4200], to[4200];
    for (int i = files - 1; i >= 1; --i) {
      snprintf(to, sizeof to, "%s.%d", path, i);
      if (i == 1)
        snprintf(from, sizeof from, "%s", path);
      else
        snprintf(from, sizeof from, "%s.%d", path, i - 1);
      rename(from, to);
    }
    if (files <= 1) unlink(path);
    open_file();
  }
  void line(const char* stream, char tag, const char* text, size_t length) {
    static char out[kLine + 128];
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    tm utc;
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(out, 64, "%Y-%m-%dT%H:%M:%S", &utc);
    n += static_cast<size_t>(snprintf(out + n, 64, ".%09ldZ %s %c ", now.tv_nsec, stream, tag));
    memcpy(out + n, text, length);
    out[n + length] = '\n';
    if (max > 0 && size + static_cast<long long>(n + length) > max && size > 0) rotate();
    if (fd >= 0 && write_full(fd, out, n + length + 1)) size += static_cast<long long>(n + length + 1);
  }
};

// One stream of the container on its way to the log.
struct Source {
  const char* name = nullptr;
  int fd = -1;
  char text[kLine];
  size_t used = 0;

  void feed(Log& log) {
    ssize_t n = read(fd, text + used, sizeof text - used);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      if (used > 0) log.line(name, 'F', text, used);
      used = 0;
      close(fd);
      fd = -1;
      return;
    }
    used += static_cast<size_t>(n);
    size_t from = 0;
    while (from < used) {
      auto* end = static_cast<char*>(memchr(text + from, '\n', used - from));
      if (end == nullptr) break;
      log.line(name, 'F', text + from, static_cast<size_t>(end - text) - from);
      from = static_cast<size_t>(end - text) + 1;
    }
    if (from == 0 && used == sizeof text) {
      log.line(name, 'P', text, used);
      from = used;
    }
    memmove(text, text + from, used - from);
    used -= from;
  }
};

struct Options {
  bool lifeline = false, tty = false, log = false;
};

Log g_log;
Source g_out{.name = "stdout"}, g_err{.name = "stderr"};

void copy_once(int& from, int to) {
  char buffer[8192];
  ssize_t n = read(from, buffer, sizeof buffer);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0 || (to >= 0 && !write_full(to, buffer, static_cast<size_t>(n)))) {
    close(from);
    from = -1;
  }
}

int console_socket() {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, "console.sock");  // relative to DIR: sun_path holds 108 bytes only
  unlink(address.sun_path);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || listen(fd, 1) < 0) return -1;
  return fd;
}

// The runtime has connected and sent the terminal's master.
int receive_master(int listener) {
  int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  close(listener);
  unlink("console.sock");
  if (fd < 0) return -1;
  char name[4096];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{name, sizeof name};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  int master = -1;
  if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) > 0)
    if (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr && c->cmsg_type == SCM_RIGHTS)
      memcpy(&master, CMSG_DATA(c), sizeof master);
  close(fd);
  return master;
}

int run_runtime(char** argv, int out, int err) {
  pid_t pid = fork();
  if (pid == 0) {
    if (out >= 0) dup2(out, 1);
    if (err >= 0) dup2(err, 2);
    close(kReport);
    close(kLifeline);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int s : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) signal(s, SIG_DFL);
    execv(argv[0], argv);
    _exit(127);
  }
  int status = 0;
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (pid < 0) return 126;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Makes the container of DIR/plan. The reason why not goes where a runtime writes it.
int launch_plan(int out, int err, int& master) {
  Plan plan;
  Launched launched;
  if (read_plan("plan", plan))
    launched = launch(plan, out, err);
  else
    snprintf(launched.why, sizeof launched.why, "its plan cannot be read");
  if (plan.text != nullptr) munmap(plan.text, plan.size + 1);
  if (launched.pid < 0) put_file("runtime.log", launched.why);
  master = launched.master;
  return launched.pid;
}

int read_pid() {
  char text[32] = {};
  int fd = open("pid", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  return n > 0 ? atoi(text) : -1;
}

void write_exit(int status) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char text[64];
  int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  snprintf(text, sizeof text, "%d %lld\n", code, static_cast<long long>(now.tv_sec) * 1000000000LL + now.tv_nsec);
  put_file("exit", text);
}

// Gives the wait status of the container. Orphans of its execs come to us too and are reaped.
bool reap(int container, int& status) {
  bool ended = false;
  int s = 0;
  for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;)
    if (pid == container) status = s, ended = true;
  return ended;
}

long long now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int guard(int container, const Options& options, int signals, int master) {
  int in = master >= 0 ? 0 : -1, lifeline = options.lifeline ? kLifeline : -1;
  int status = 0;
  bool ended = reap(container, status);
  long long until = now_ms() + kDrainAfterExitMs;
  for (;;) {
    bool streams = g_out.fd >= 0 || g_err.fd >= 0 || master >= 0;
    if (ended && (!streams || now_ms() >= until)) return status;
    pollfd fds[6] = {{signals, POLLIN, 0},  {lifeline, POLLIN, 0}, {g_out.fd, POLLIN, 0},
                     {g_err.fd, POLLIN, 0}, {in, POLLIN, 0},       {options.log ? -1 : master, POLLIN, 0}};
    if (poll(fds, 6, ended ? kDrainAfterExitMs / 10 : -1) < 0) continue;
    if (fds[0].revents != 0) {
      signalfd_siginfo info;
      while (read(signals, &info, sizeof info) > 0) {
      }
      if (!ended && reap(container, status)) ended = true, until = now_ms() + kDrainAfterExitMs;
    }
    if (fds[1].revents != 0) {
      char byte;  // a byte: let it live; the end: nobody is left who wants it
      if (read(lifeline, &byte, 1) <= 0) kill(container, SIGKILL);
      lifeline = -1;
    }
    if (fds[2].revents != 0) g_out.feed(g_log);
    if (fds[3].revents != 0) g_err.feed(g_log);
    if (fds[4].revents != 0) copy_once(in, master);
    if (fds[5].revents != 0) copy_once(master, 1);
    if (options.log && master >= 0 && g_out.fd < 0) master = -1;
  }
}

void close_streams(const Options& options) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (!options.tty) dup2(null, 0);
  if (!options.tty || options.log) dup2(null, 1);
  dup2(null, 2);
  close(null);
}

void protect() {
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (int s : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) signal(s, SIG_IGN);
  // Not the guardian but the container is to die when memory runs out. Refused in a user namespace: fine.
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    write_full(fd, "-999", 4);
    close(fd);
  }
}

}  // namespace

unsigned long long start_time(int pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char* p = strrchr(text, ')');
  for (int field = 2; p != nullptr && field < 22; ++field) p = strchr(p + 1, ' ');
  return p == nullptr ? 0 : strtoull(p + 1, nullptr, 10);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "probe") == 0) return 0;
  if (argc == 5 && strcmp(argv[1], "exec") == 0) return run_inside(argv[2], argv[3], argv[4]);
  if (argc < 6 || chdir(argv[1]) < 0) return 125;
  bool by_runtime = argc > 6;
  Options options{strchr(argv[5], 'l') != nullptr, strchr(argv[5], 't') != nullptr, strcmp(argv[2], "-") != 0};
  fcntl(kReport, F_SETFD, FD_CLOEXEC);
  protect();
  int out[2] = {-1, -1}, err[2] = {-1, -1};
  if (options.log) {
    g_log.path = argv[2], g_log.max = atoll(argv[3]), g_log.files = atoi(argv[4]);
    g_log.open_file();
    if (!options.tty && (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)) return 125;
  }
  char text[128];
  snprintf(text, sizeof text, "%d %llu\n", getpid(), start_time(getpid()));
  int state = open("state", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  write_full(state, text, strlen(text));
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  int listener = options.tty && by_runtime ? console_socket() : -1;
  int code = 255, master = -1, container = -1;
  if (by_runtime) {
    code = run_runtime(argv + 6, out[1], err[1]);
    container = code == 0 ? read_pid() : -1;
  } else {
    container = launch_plan(out[1], err[1], master);
  }
  close(out[1]);
  close(err[1]);
  if (container <= 0) {
    snprintf(text, sizeof text, "fail %d\n", code);
    write_full(kReport, text, strlen(text));
    return 0;
  }
  if (listener >= 0) master = receive_master(listener);
  g_out.fd = options.log ? (options.tty ? master : out[0]) : -1;
  g_err.fd = err[0];
  snprintf(text, sizeof text, "%d %llu\n", container, start_time(container));
  write_full(state, text, strlen(text));
  close(state);
  snprintf(text, sizeof text, "ok %d\n", container);
  write_full(kReport, text, strlen(text));
  close(kReport);
  close_streams(options);
  write_exit(guard(container, options, signals, master));
  return 0;
}
