// The first process of a job's container: a small static program, embedded in slipway. It starts the steps of the
// job when told to, so that a step costs a fork and an exec instead of a container, and inherits the container's
// limits, capabilities and seccomp filter by construction.
//
// Descriptor 0 is a stream socket to slipway. From it: {kind, id, size} and size bytes.
//   1 start   with two descriptors (standard output and error); bytes: cwd, argc, argv..., env..., each ended by NUL
//   2 signal  bytes: the signal as int32; to the process group of `id`
// To it: {kind, id, value}: 3 exited (value: status, 128 + signal when killed), 4 could not start (value: errno).
// End of file: slipway is gone or done; everything ends with the container.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kSocket = 0;
constexpr uint32_t kStart = 1, kSignal = 2, kExited = 3, kFailed = 4;
constexpr uint32_t kMaxBytes = 64U << 20;
constexpr int kMaxSteps = 256;

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
bool read_header(Header& h, int (&fds)[2]) {
  fds[0] = fds[1] = -1;
  iovec part{&h, sizeof h};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  ssize_t n;
  while ((n = recvmsg(kSocket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL)) < 0 && errno == EINTR) {
  }
  if (n != static_cast<ssize_t>(sizeof h)) return false;
  for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fds))
      memcpy(fds, CMSG_DATA(c), sizeof fds);
  return true;
}

[[noreturn]] void become(char* bytes, uint32_t size, const int (&fds)[2], int report) {
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
  execvp(argv[0], argv);  // PATH of the step's own environment
  give_up(errno);
  _exit(127);
}

void start(uint32_t id, char* bytes, uint32_t size, int (&fds)[2]) {
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
  int fds[2];
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
