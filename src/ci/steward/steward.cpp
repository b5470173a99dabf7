// The first process of a job's container: a small static program, embedded in slipway. It starts the steps of the
// job when told to, so that a step costs a fork and an exec instead of a container, and inherits the container's
// limits, capabilities and seccomp filter by construction.
//
// Descriptor 0 is a stream socket to slipway. From it: {kind, id, size} and size bytes.
//   1 start   with two descriptors (standard output and error); bytes: cwd, argc, argv..., env..., each ended by NUL
//             with a third, a socket: the step is traced. Its calls that look at files (traced_calls.h) wait for an
//             answer from the listener that goes out on that socket before the step's program starts.
//   2 signal  bytes: the signal as int32; to the process group of `id`
// To it: {kind, id, value}: 3 exited (value: status, 128 + signal when killed), 4 could not start (value: errno).
// End of file: slipway is gone or done; everything ends with the container.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ci/steward/traced_calls.h"

namespace {

constexpr int kSocket = 0;
constexpr uint32_t kStart = 1, kSignal = 2, kExited = 3, kFailed = 4;
constexpr uint32_t kMaxBytes = 64U << 20;
constexpr int kMaxSteps = 256;
constexpr int kDescriptors = 3;  // that may come with a start

struct Header {
  uint32_t kind, id, size;
};
struct Running {
  uint32_t id;
  pid_t pid;
};
Running steps[kMaxSteps];
int step_count = 0;

void answer(uint32_t kind, uint32_t id, uint32_t value) {
  Header h{kind, id, value};
  auto* at = reinterpret_cast<const char*>(&h);
  for (size_t left = sizeof h; left > 0;) {
    ssize_t n = send(kSocket, at, left, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    at += n, left -= static_cast<size_t>(n);
  }
}

bool read_full(char* to, size_t size) {
  while (size > 0) {
    ssize_t n = read(kSocket, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n, size -= static_cast<size_t>(n);
  }
  return true;
}

// The header comes with the descriptors, in one piece.
bool read_header(Header& h, int (&fds)[kDescriptors]) {
  for (int& fd : fds) fd = -1;
  iovec part{&h, sizeof h};
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  ssize_t n;
  while ((n = recvmsg(kSocket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL)) < 0 && errno == EINTR) {
  }
  if (n != static_cast<ssize_t>(sizeof h)) return false;
  for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len <= CMSG_LEN(sizeof fds))
      memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
  return true;
}

#if defined __x86_64__
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined __aarch64__
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

constexpr sock_filter load(uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter when(uint32_t value, uint8_t yes, uint8_t no) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}
constexpr sock_filter give(uint32_t verdict) { return BPF_STMT(BPF_RET | BPF_K, verdict); }

// Every traced call waits, and every one of another architecture (who answers says that it cannot be followed).
// Nothing else costs anything. The descriptor of the listener, or -1.
int make_listener() {
  constexpr size_t count = sizeof slipway::ci::traced_calls / sizeof slipway::ci::traced_calls[0];
  sock_filter code[count + 24];
  size_t n = 0;
  code[n++] = load(offsetof(seccomp_data, arch));
  code[n++] = when(kArchitecture, 1, 0);
  code[n++] = give(SECCOMP_RET_USER_NOTIF);
  code[n++] = load(offsetof(seccomp_data, nr));
  code[n++] = when(SYS_sendmsg, 0, 4);
  code[n++] = load(offsetof(seccomp_data, args[2]));
  code[n++] = when(slipway::ci::handover_flags, 0, 1);
  code[n++] = give(SECCOMP_RET_ALLOW);
  code[n++] = give(SECCOMP_RET_USER_NOTIF);
  // No address: on a connected socket, which was asked about when it connected.
  code[n++] = when(SYS_sendto, 0, 4);
  code[n++] = load(offsetof(seccomp_data, args[5]));
  code[n++] = when(0, 0, 1);
  code[n++] = give(SECCOMP_RET_ALLOW);
  code[n++] = give(SECCOMP_RET_USER_NOTIF);
  // fstat() of the C library, on a descriptor: it was asked about when it was opened.
  code[n++] = when(SYS_newfstatat, 0, 4);
  code[n++] = load(offsetof(seccomp_data, args[3]));
  code[n++] = when(AT_EMPTY_PATH, 0, 1);
  code[n++] = give(SECCOMP_RET_ALLOW);
  code[n++] = give(SECCOMP_RET_USER_NOTIF);
  for (size_t i = 0; i < count; ++i)
    code[n++] = when(static_cast<uint32_t>(slipway::ci::traced_calls[i]), static_cast<uint8_t>(count - i), 0);
  code[n++] = give(SECCOMP_RET_ALLOW);
  code[n++] = give(SECCOMP_RET_USER_NOTIF);
  sock_fprog program{static_cast<unsigned short>(n), code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

// Before it, a step's calls are nobody's business; after it, each traced one waits for whoever has the listener.
bool hand_over_listener(int socket) {
  int listener = make_listener();
  if (listener < 0) return false;
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  auto* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &listener, sizeof listener);
  bool sent = sendmsg(socket, &message, slipway::ci::handover_flags) == 1;
  close(listener);
  return sent;
}

[[noreturn]] void become(char* bytes, uint32_t size, const int (&fds)[kDescriptors], int report) {
  setsid();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, 0);
  dup2(fds[0], 1);
  dup2(fds[1], 2);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  auto give_up = [&](int error) {
    (void)!write(report, &error, sizeof error);
    _exit(127);
  };
  char *at = bytes, *end = bytes + size;
  const char* cwd = at;
  at += strlen(at) + 1;
  auto argc = strtoul(at, nullptr, 10);
  at += strlen(at) + 1;
  auto** argv = static_cast<char**>(calloc(argc + 1, sizeof(char*)));
  for (size_t i = 0; i < argc && at < end; ++i, at += strlen(at) + 1) argv[i] = at;
  size_t envc = 0;
  for (char* p = at; p < end; p += strlen(p) + 1) ++envc;
  auto** envp = static_cast<char**>(calloc(envc + 1, sizeof(char*)));
  for (size_t i = 0; i < envc; ++i, at += strlen(at) + 1) envp[i] = at;
  if (chdir(cwd) < 0) give_up(errno);
  environ = envp;
  // Where it cannot be traced it runs all the same; the socket then closes without a listener, which says so.
  if (fds[2] >= 0) (void)hand_over_listener(fds[2]);
  execvp(argv[0], argv);  // PATH of the step's own environment
  give_up(errno);
  _exit(127);
}

void start(uint32_t id, char* bytes, uint32_t size, int (&fds)[kDescriptors]) {
  int report[2];
  if (fds[0] < 0 || step_count == kMaxSteps || pipe2(report, O_CLOEXEC) < 0) return answer(kFailed, id, EAGAIN);
  pid_t pid = fork();
  if (pid == 0) become(bytes, size, fds, report[1]);
  int error = pid < 0 ? errno : 0;
  close(report[1]);
  if (pid > 0 && read(report[0], &error, sizeof error) != static_cast<ssize_t>(sizeof error)) error = 0;
  close(report[0]);
  if (error != 0) {
    if (pid > 0) waitpid(pid, nullptr, 0);
    return answer(kFailed, id, static_cast<uint32_t>(error));
  }
  steps[step_count++] = {id, pid};
}

void send_signal(uint32_t id, int number) {
  for (int i = 0; i < step_count; ++i)
    if (steps[i].id == id) kill(-steps[i].pid, number);
}

bool serve() {
  Header h;
  int fds[kDescriptors];
  if (!read_header(h, fds) || h.size > kMaxBytes) return false;
  auto* bytes = static_cast<char*>(malloc(h.size + 1));
  if (!bytes || !read_full(bytes, h.size)) return false;
  bytes[h.size] = 0;
  if (h.kind == kStart) {
    start(h.id, bytes, h.size, fds);
  } else if (h.kind == kSignal && h.size == sizeof(int32_t)) {
    int32_t number;
    memcpy(&number, bytes, sizeof number);
    send_signal(h.id, number);
  }
  for (int fd : fds)
    if (fd >= 0) close(fd);
  free(bytes);
  return true;
}

// Orphans become our children; they are reaped and not reported.
void reap() {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (int i = 0; i < step_count; ++i) {
      if (steps[i].pid != pid) continue;
      answer(kExited, steps[i].id,
             static_cast<uint32_t>(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)));
      steps[i] = steps[--step_count];
      break;
    }
  }
}

}  // namespace

int main() {
  fcntl(kSocket, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigaddset(&child, SIGTERM);
  sigaddset(&child, SIGINT);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  pollfd watched[2] = {{kSocket, POLLIN, 0}, {signals, POLLIN, 0}};
  for (;;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) return 1;
    signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    }
    reap();
    if (watched[0].revents & (POLLIN | POLLHUP))
      if (!serve()) return 0;
  }
}
