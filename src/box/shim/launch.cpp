#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
extern "C" int setns(int, int) noexcept;
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

// <linux/mount.h> and <sys/mount.h> cannot both be included; these are all we need of the latter.
#ifndef MS_BIND
#define MS_BIND 4096
#define MS_REC 16384
#define MS_PRIVATE (1 << 18)
#define MS_SLAVE (1 << 19)
#define MS_SHARED (1 << 20)
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*) noexcept;
extern "C" int umount2(const char*, int) noexcept;

namespace {

constexpr long kProc = 0x9fa0, kSysfs = 0x62656572;  // statfs types
constexpr int kMostBinds = 512;

// One record of a plan while it is read.
struct Record {
  const char* name = nullptr;
  int count = 0;
  const char* argument[8] = {};  // of longer ones the first

  bool is(const char* other) const { return strcmp(name, other) == 0; }
  long number(int i) const { return strtol(argument[i], nullptr, 10); }
  unsigned long long unsigned_number(int i) const { return strtoull(argument[i], nullptr, 10); }
};

class Reader {
 public:
  explicit Reader(const Plan& plan) : at_(plan.text), end_(plan.text + plan.size) {}
  bool next(Record& record) {
    if (at_ >= end_) return false;
    record = {};
    record.name = take();
    record.count = at_ < end_ ? atoi(take()) : 0;
    for (int i = 0; i < record.count && at_ < end_; ++i) {
      const char* text = take();
      if (i < 8) record.argument[i] = text;
    }
    return true;
  }

 private:
  const char* take() {
    const char* text = at_;
    at_ += strlen(at_) + 1;
    return text;
  }
  const char* at_;
  const char* end_;
};

int g_channel = -1;  // to the guardian
int g_log = -1;      // where an exec says why not

// Says why and ends: the first process of a container that cannot be.
[[noreturn]] __attribute__((format(printf, 1, 2))) void give_up(const char* format, ...) {
  char text[480];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  ssize_t n = g_channel >= 0 ? send(g_channel, text, strlen(text), MSG_NOSIGNAL) : write(g_log, text, strlen(text));
  (void)n;
  _exit(255);
}
#define MUST(call, ...)     \
  do {                      \
    if ((call) < 0) {       \
      int why_ = errno;     \
      errno = why_;         \
      fail_at(__VA_ARGS__); \
    }                       \
  } while (0)
[[noreturn]] void fail_at(const char* what, const char* where = "") {
  give_up("%s%s%s: %s", what, *where != 0 ? " " : "", where, strerror(errno));
}

int open_tree_(int at, const char* path, unsigned flags) {
  return static_cast<int>(syscall(SYS_open_tree, at, path, flags | OPEN_TREE_CLOEXEC));
}
int move_mount_(int from, int to) {
  return static_cast<int>(syscall(SYS_move_mount, from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}
int set_attributes(int fd, bool all, unsigned long long set, unsigned long long propagation = 0) {
  mount_attr attributes{};
  attributes.attr_set = set, attributes.propagation = propagation;
  if ((set & MOUNT_ATTR__ATIME) != 0) attributes.attr_clr = MOUNT_ATTR__ATIME;
  return static_cast<int>(
      syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (all ? AT_RECURSIVE : 0), &attributes, sizeof attributes));
}
// The new root. Everything in it is looked up from here while the host's files are still around it, so that no link and
// no ".." of an image leads out.
int g_root = -1;

int open_within(const char* path, unsigned flags, unsigned long long resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC, how.resolve = resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, g_root, path, &how, sizeof how));
}

// The folder that holds the last name of a path. `straight`: not by links, as the system's own places must be.
int open_parent(const char* path, const char*& name, bool straight) {
  char parent[4096];
  name = strrchr(path, '/');
  name = name == nullptr ? path : name + 1;
  size_t length = static_cast<size_t>(name - path);
  if (length >= sizeof parent) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(parent, path, length);
  parent[length] = 0;
  return open_within(length == 0 ? "." : parent, O_PATH | O_DIRECTORY, straight ? RESOLVE_NO_SYMLINKS : 0);
}

int target(const char* path, bool folder, bool straight, int links = 0);

// A link that leads to nothing so far ("/var/run" to "/run" of an image without it): the place is made where it leads.
int through_link(int folder_fd, const char* link, const char* rest, bool folder, int links) {
  char to[4096], next[3 * 4096];
  const char* name = strrchr(link, '/');
  name = name == nullptr ? link : name + 1;
  ssize_t n = readlinkat(folder_fd, name, to, sizeof to - 1);
  if (n <= 0) return -1;
  to[n] = 0;
  int parent = *to == '/' ? 0 : static_cast<int>(name - link);
  snprintf(next, sizeof next, "%.*s%s%s", parent, link, to, rest);
  return target(next, folder, false, links + 1);
}

// The place of a mount within the new root, made where it is missing.
int target(const char* path, bool folder, bool straight, int links) {
  unsigned long long resolve = straight ? RESOLVE_NO_SYMLINKS : 0;
  int fd = open_within(path, O_PATH, resolve);
  if (fd >= 0 || errno != ENOENT) return fd;
  char part[4096];
  size_t length = strlen(path);
  if (length >= sizeof part) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (size_t i = 1; i <= length; ++i) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    int there = open_within(part, O_PATH, resolve);
    if (there >= 0) {
      close(there);
      continue;
    }
    if (errno != ENOENT) return -1;
    const char* name = nullptr;
    int parent = open_parent(part, name, straight);
    if (parent < 0) return -1;
    int made = i == length && !folder ? openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)
                                      : mkdirat(parent, name, 0755);
    if (made < 0 && errno == EEXIST && !straight && links < 40)
      return through_link(parent, part, path + i, folder, links);
    close(parent);
    if (made < 0) return -1;
    if (made > 0) close(made);
  }
  return open_within(path, O_PATH, resolve);
}

// Only what this program mounts itself belongs over the kernel's own files.
void refuse_kernel_files(int fd, const char* path) {
  struct statfs st;
  if (fstatfs(fd, &st) == 0 && (st.f_type == kProc || st.f_type == kSysfs))
    give_up("mount at %s: inside the kernel's own files, which no container may cover", path);
}

// A new file system: "mode=755,size=64k" are its options. Gives the detached mount.
int new_mount(const char* type, const char* options, unsigned long long attributes) {
  int fs = static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
  if (fs < 0) return -1;
  char copy[4096];
  if (strlen(options) >= sizeof copy) {
    errno = E2BIG;
    return -1;
  }
  strcpy(copy, options);
  char* save = nullptr;
  for (char* word = strtok_r(copy, ",", &save); word != nullptr; word = strtok_r(nullptr, ",", &save)) {
    char* value = strchr(word, '=');
    if (value != nullptr) *value++ = 0;
    auto how = value != nullptr ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    if (syscall(SYS_fsconfig, fs, how, word, value, 0) < 0) return -1;
  }
  int made = -1;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0)
    made = static_cast<int>(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes));
  int why = errno;
  close(fs);
  errno = why;
  return made;
}

// What has to be opened while the host's files are still in sight.
struct Sources {
  int bind[kMostBinds];
  int binds = 0, null = -1, seccomp = -1;
};

void open_sources(const Plan& plan, Sources& sources) {
  Record r;
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("bind") || r.is("device")) {
      if (sources.binds == kMostBinds) give_up("more than %d mounts", kMostBinds);
      int fd = open_tree_(AT_FDCWD, r.argument[0], OPEN_TREE_CLONE | AT_RECURSIVE);
      MUST(fd, "mount", r.argument[0]);
      sources.bind[sources.binds++] = fd;
    } else if (r.is("seccomp")) {
      MUST(sources.seccomp = open(r.argument[0], O_RDONLY | O_CLOEXEC), "open", r.argument[0]);
    }
  }
  struct stat st;
  sources.null = open("/dev/null", O_PATH | O_CLOEXEC);
  if (sources.null < 0 || fstat(sources.null, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
    give_up("/dev/null of the host is not the null device");
}

void write_to(const char* file, const char* text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  MUST(fd, "open", file);
  if (write(fd, text, strlen(text)) < 0) fail_at("write", file);
  close(fd);
}

void raise_loopback() {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail_at("bring up", "lo");
  close(fd);
}

// The new root is a mount of its own from here on, and nothing that is mounted is seen outside.
void open_root(const char* root) {
  MUST(mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr), "make mounts private");
  MUST(mount(root, root, nullptr, MS_BIND | MS_REC, nullptr), "bind", root);
  MUST(g_root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), "open", root);
}

// Only now is the old root left: a user namespace may mount proc only while it sees another.
void enter_root() {
  int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  MUST(old_root, "open", "/");
  MUST(fchdir(g_root), "enter the new root");
  MUST(static_cast<int>(syscall(SYS_pivot_root, ".", ".")), "pivot to the new root");
  MUST(fchdir(old_root), "enter the old root");
  MUST(mount(nullptr, ".", nullptr, MS_SLAVE | MS_REC, nullptr), "cut off the old root");
  MUST(umount2(".", MNT_DETACH), "leave the old root");
  MUST(chdir("/"), "enter the new root");
  close(old_root);
}

void place(int mounted, const char* path, bool folder, bool system) {
  int at = target(path, folder, system);
  MUST(at, "mount point", path);
  if (!system) refuse_kernel_files(at, path);
  MUST(move_mount_(mounted, at), "mount at", path);
  close(at);
  close(mounted);
}

void mask(const char* path, int null) {
  int at = open_within(path, O_PATH, RESOLVE_NO_SYMLINKS);
  if (at < 0) return;  // not there: nothing to hide
  struct stat st;
  MUST(fstat(at, &st), "stat", path);
  int cover = S_ISDIR(st.st_mode)
                  ? new_mount("tmpfs", "size=0,mode=555",
                              MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
                  : open_tree_(null, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  MUST(cover, "mask", path);
  MUST(move_mount_(cover, at), "mask", path);
  close(cover);
  close(at);
}

void make_read_only(const char* path) {
  int at = open_within(path, O_PATH, RESOLVE_NO_SYMLINKS);
  if (at < 0) return;
  int copy = open_tree_(at, "", OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH);
  MUST(copy, "read-only", path);
  MUST(set_attributes(copy, true, MOUNT_ATTR_RDONLY), "read-only", path);
  MUST(move_mount_(copy, at), "read-only", path);
  close(copy);
  close(at);
}

// /dev is a fresh folder of ours here.
void make_node(const Record& r) {
  const char* path = r.argument[0];
  mode_t mode = (*r.argument[1] == 'b' ? S_IFBLK : S_IFCHR) | static_cast<mode_t>(r.number(4));
  const char* name = nullptr;
  int parent = open_parent(path, name, true);
  MUST(parent, "make device", path);
  if (mknodat(parent, name, mode, makedev(static_cast<unsigned>(r.number(2)), static_cast<unsigned>(r.number(3)))) == 0)
    MUST(fchownat(parent, name, static_cast<uid_t>(r.number(5)), static_cast<gid_t>(r.number(6)), AT_SYMLINK_NOFOLLOW),
         "give away", path);
  else if (errno != EEXIST)
    fail_at("make device", path);
  close(parent);
}

void set_sysctl(const char* name, const char* value) {
  char path[512];
  snprintf(path, sizeof path, "/proc/sys/%s", name);
  for (char* c = path + 10; *c != 0; ++c)
    if (*c == '.') *c = '/';
  int fd = open_within(path, O_WRONLY, RESOLVE_NO_SYMLINKS);
  MUST(fd, "sysctl", name);
  struct statfs st;
  if (fstatfs(fd, &st) < 0 || st.f_type != kProc) give_up("sysctl %s: /proc is not the kernel's", name);
  if (write(fd, value, strlen(value)) < 0) fail_at("sysctl", name);
  close(fd);
}

void build_tree(const Plan& plan, Sources& sources) {
  Record r;
  int bind = 0;
  umask(0);
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("mount")) {  // TYPE TARGET OPTIONS ATTRIBUTES SYSTEM
      int made = new_mount(r.argument[0], r.argument[2], r.unsigned_number(3));
      MUST(made, "mount", r.argument[1]);
      place(made, r.argument[1], true, r.number(4) != 0);
    } else if (r.is("bind")) {  // SOURCE TARGET FOLDER ATTRIBUTES PROPAGATION RECURSIVE SYSTEM
      int fd = sources.bind[bind++];
      if (auto kind = r.unsigned_number(4); kind != 0)
        MUST(set_attributes(fd, r.number(5) != 0, 0, kind), "propagation of", r.argument[0]);
      if (auto set = r.unsigned_number(3); set != 0) MUST(set_attributes(fd, false, set), "mount", r.argument[1]);
      place(fd, r.argument[1], r.number(2) != 0, r.number(6) != 0);
    } else if (r.is("device")) {  // PATH
      place(sources.bind[bind++], r.argument[0], false, true);
    } else if (r.is("node")) {  // PATH c|b MAJOR MINOR MODE UID GID
      make_node(r);
    } else if (r.is("link")) {  // TO PATH
      const char* name = nullptr;
      int parent = open_parent(r.argument[1], name, true);
      MUST(parent, "link", r.argument[1]);
      if (symlinkat(r.argument[0], parent, name) < 0 && errno != EEXIST) fail_at("link", r.argument[1]);
      close(parent);
    } else if (r.is("attributes")) {  // PATH ATTRIBUTES
      int fd = open_within(r.argument[0], O_PATH, RESOLVE_NO_SYMLINKS);
      MUST(fd, "open", r.argument[0]);
      MUST(set_attributes(fd, false, r.unsigned_number(1)), "remount", r.argument[0]);
      close(fd);
    } else if (r.is("read-only")) {  // PATH
      make_read_only(r.argument[0]);
    } else if (r.is("mask")) {  // PATH
      mask(r.argument[0], sources.null);
    } else if (r.is("hostname")) {
      MUST(sethostname(r.argument[0], strlen(r.argument[0])), "set the host name to", r.argument[0]);
    } else if (r.is("sysctl")) {  // NAME VALUE
      set_sysctl(r.argument[0], r.argument[1]);
    }
  }
  umask(022);
}

// The process the container is for, as the plan's records name it.
struct Process {
  uid_t uid = 0;
  gid_t gid = 0;
  gid_t groups[64];
  size_t group_count = 0;
  bool set_groups = true;
  unsigned long long capabilities = 0;
  bool no_new_privileges = false, tty = false;
  const char* cwd = "/";
  char** argv = nullptr;
  char** env = nullptr;
};

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

// From root with everything to the process as it was asked for; the order is the one in which each step is still
// allowed.
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
  int console = open_tree_(AT_FDCWD, name, OPEN_TREE_CLONE);
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

[[noreturn]] void first_process(const Plan& plan, int out, int err) {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // nobody inside may look at this program through /proc
  prctl(PR_SET_PDEATHSIG, SIGKILL);    // until it is started: half a container is nobody's
  char go;
  if (recv(g_channel, &go, 1, 0) != 1) _exit(255);  // in its control groups by now
  setsid();
  if (out >= 0) dup2(out, 1);
  if (err >= 0) dup2(err, 2);
  Sources sources;
  open_sources(plan, sources);
  set_limits(plan);
  const char* root = nullptr;
  Record r;
  for (Reader reader(plan); reader.next(r);) {
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
    if (r.is("read-only-root")) {
      int fd = open("/", O_PATH | O_CLOEXEC);
      MUST(set_attributes(fd, false, MOUNT_ATTR_RDONLY), "read-only root");
      close(fd);
    }
  Process process = read_process(plan);
  if (process.tty) {
    open_terminal(process.uid);
    ioctl(0, TIOCSCTTY, 1);
  }
  reset_signals();
  become(process, sources.seccomp);
}

// In its group of cgroup v2 from the first moment: moving a process takes the kernel ten milliseconds.
pid_t start_in_group(const Plan& plan, unsigned long flags) {
  int group = -1;
  Record r;
  for (Reader reader(plan); reader.next(r);)
    if (r.is("group")) group = open(r.argument[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  clone_args arguments{};
  arguments.flags = flags | (group >= 0 ? CLONE_INTO_CGROUP : 0);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<unsigned long long>(group >= 0 ? group : 0);
  auto pid = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
  if (group >= 0 && pid != 0) close(group);
  return pid;
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
  int channel[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return result;
  unsigned long flags = 0;
  Record r;
  for (Reader reader(plan); reader.next(r);)
    if (r.is("new")) flags |= r.unsigned_number(0);
  pid_t pid = start_in_group(plan, flags);
  if (pid == 0) {
    close(channel[0]);
    g_channel = channel[1];
    first_process(plan, out, err);
  }
  close(channel[1]);
  if (pid < 0) {
    snprintf(result.why, sizeof result.why, "make namespaces: %s", strerror(errno));
    close(channel[0]);
    return result;
  }
  char number[16];
  snprintf(number, sizeof number, "%d", pid);
  for (Reader reader(plan); reader.next(r);) {
    if (!r.is("group-file")) continue;  // cgroup.procs
    int fd = open(r.argument[0], O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, number, strlen(number)) < 0) {
      snprintf(result.why, sizeof result.why, "join %s: %s", r.argument[0], strerror(errno));
      kill_and_reap(pid);
      close(channel[0]);
      return result;
    }
    close(fd);
  }
  send(channel[0], "g", 1, MSG_NOSIGNAL);
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
  int groups[32], group_count = 0, filter = -1, flags = 0;
  pid_t inside = -1;
  Record r;
  for (Reader reader(plan); reader.next(r);) {
    if (r.is("inside")) inside = static_cast<pid_t>(r.number(0)), flags = static_cast<int>(r.unsigned_number(1));
    if (r.is("group-file") && group_count < 32) groups[group_count++] = open(r.argument[0], O_WRONLY | O_CLOEXEC);
    if (r.is("seccomp")) MUST(filter = open(r.argument[0], O_RDONLY | O_CLOEXEC), "open", r.argument[0]);
  }
  set_limits(plan);
  int target_process = static_cast<int>(syscall(SYS_pidfd_open, inside, 0));
  MUST(target_process, "find the container's process");
  MUST(setns(target_process, flags), "enter the container");
  int channel[2];
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), "make a channel");
  pid_t pid = fork();
  MUST(pid, "start a process");
  if (pid == 0) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    char go;
    if (recv(channel[1], &go, 1, 0) != 1) _exit(255);
    Process process = read_process(plan);
    setsid();
    if (process.tty) {
      (void)!fchown(0, process.uid, static_cast<gid_t>(-1));
      ioctl(0, TIOCSCTTY, 1);
    }
    reset_signals();
    become(process, filter);
  }
  char number[16];
  int length = snprintf(number, sizeof number, "%d", pid);
  for (int i = 0; i < group_count; ++i)
    if (groups[i] < 0 || write(groups[i], number, static_cast<size_t>(length)) < 0) {
      kill_and_reap(pid);
      fail_at("join the container's control groups");
    }
  (void)!write(pids, number, static_cast<size_t>(length));
  send(channel[0], "g", 1, MSG_NOSIGNAL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
