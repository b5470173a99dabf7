#pragma once
// A root file system with busybox, and a runtime in a temporary folder: for tests that run real containers.
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/testing/golden.h"
#include "box/box.h"

namespace slipway::box {

// Nothing where this machine cannot run containers; `why` says what is missing.
inline std::optional<fs::path> make_busybox(const fs::path& folder, std::string& why) {
  if (!path_exists("/bin/busybox")) {
    why = "no /bin/busybox (package busybox-static)";
    return std::nullopt;
  }
  auto bin = folder / "bin";
  EXPECT_TRUE(make_dirs(bin));
  std::error_code error;
  fs::copy_file("/bin/busybox", bin / "busybox", error);
  for (const char* name : {"sh",    "true",  "false", "cat", "sleep",    "id",    "env",  "ls",    "echo",   "mount",
                           "touch", "httpd", "wget",  "nc",  "ping",     "kill",  "head", "dd",    "tail",   "hostname",
                           "stat",  "grep",  "wc",    "seq", "nslookup", "mkdir", "date", "mknod", "unshare"})
    fs::create_symlink("busybox", bin / name, error);
  EXPECT_TRUE(make_dirs(folder / "etc"));
  EXPECT_TRUE(make_dirs(folder / "tmp"));
  fs::permissions(folder / "tmp", static_cast<fs::perms>(01777));
  EXPECT_TRUE(
      write_file(folder / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n"));
  EXPECT_TRUE(write_file(folder / "etc/group", "root:x:0:\napp:x:1001:\nextra:x:2000:app\n"));
  return folder;
}

}  // namespace slipway::box
