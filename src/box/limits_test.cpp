// The device filter of cgroup v2, on the real kernel: also where this host's own containers are limited by v1.
#include "box/detail/limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/testing/golden.h"

namespace slipway::box {
namespace {

// Opens a device within a group; gives errno, 0 when it opens.
int open_in(const fs::path& group, const fs::path& device) {
  pid_t pid = ::fork();
  if (pid == 0) {
    Fd procs(::open((group / "cgroup.procs").c_str(), O_WRONLY));
    if (::write(procs.get(), "0", 1) < 0) ::_exit(255);
    ::_exit(Fd(::open(device.c_str(), O_RDONLY)) ? 0 : errno);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST(Limits, HierarchiesOfAHost) {
  auto dir = must(TempDir::make("mounts"));
  auto of = [&](std::string_view text) {
    must(write_file(dir.path() / "mounts", text));
    auto found = Cgroups::detect(dir.path() / "mounts");
    std::string out = fmt::format("{}:", to_string(found.mode));
    for (const auto& at : found.limiting) out += " " + at.filename().string();
    return out + fmt::format("; {}, {}, {}", found.memory.filename().string(), found.cpuset.filename().string(),
                             found.devices.filename().string());
  };
  EXPECT_EQ(of("tmpfs /tmp tmpfs rw 0 0\n"), "no cgroups:; , , ");
  EXPECT_EQ(of("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"), "cgroup v2: cgroup; cgroup, , ");
  EXPECT_EQ(of("cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /c/freezer cgroup rw,freezer 0 0\n"
               "cgroup /c/memory cgroup rw,memory 0 0\ncgroup /c/systemd cgroup rw,xattr,name=systemd 0 0\n"
               "cgroup /c/cpuset cgroup rw,cpuset 0 0\ncgroup /c/devices cgroup rw,devices 0 0\n"
               "cgroup2 /c/unified cgroup2 rw 0 0\n"),
            "cgroup v1 hybrid: cpu,cpuacct memory cpuset devices; memory, cpuset, devices");
}

TEST(Limits, DevicesAreRefusedByV2) {
  auto cgroups = Cgroups::detect();
  if (::geteuid() != 0 || cgroups.unified.empty()) GTEST_SKIP() << "needs root and a mounted cgroup v2";
  auto group = cgroups.unified / ("slipway-test-" + random_hex(6));
  ASSERT_EQ(::mkdir(group.c_str(), 0755), 0);
  Finally remove([&] { ::rmdir(group.c_str()); });
  auto dir = must(TempDir::make("devices"));
  auto disk = dir.path() / "disk";
  ASSERT_EQ(::mknod(disk.c_str(), S_IFBLK | 0600, makedev(7, 77)), 0);
  EXPECT_NE(open_in(group, disk), EPERM) << "nothing refuses it so far";
  Fd folder(::open(group.c_str(), O_RDONLY | O_DIRECTORY));
  auto refused = refuse_devices(folder.get());
  if (!refused) GTEST_SKIP() << refused.error().print();
  EXPECT_EQ(open_in(group, disk), EPERM);
  EXPECT_EQ(open_in(group, "/dev/null"), 0);
  EXPECT_EQ(open_in(group, "/dev/urandom"), 0);
  auto memory = dir.path() / "mem";
  ASSERT_EQ(::mknod(memory.c_str(), S_IFCHR | 0600, makedev(1, 1)), 0);
  EXPECT_EQ(open_in(group, memory), EPERM);
}

}  // namespace
}  // namespace slipway::box
