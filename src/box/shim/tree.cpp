// Mounts, devices and masks of a container, built below its root before that is entered.
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "plan.h"

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

}  // namespace

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

void make_root_read_only() {
  int fd = open("/", O_PATH | O_CLOEXEC);
  MUST(set_attributes(fd, false, MOUNT_ATTR_RDONLY), "read-only root");
  close(fd);
}

int clone_mount(const char* path) { return open_tree_(AT_FDCWD, path, OPEN_TREE_CLONE); }

namespace {

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

}  // namespace

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
