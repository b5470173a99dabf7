// The agent's socket as a RUN sees it, with OpenSSH's own programs.
#include "base/process.h"
#include "image/testing/house.h"

namespace slipway::image {
namespace {

TEST(AgentSocket, AnswersWithTheAgentsKeys) {
  if (!find_program("ssh-agent") || !find_program("ssh-add") || !find_program("ssh-keygen"))
    GTEST_SKIP() << "no OpenSSH";
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  auto root = house.dir.path() / "ssh";
  must(select_host_files(house.ctx,
                         {.paths = {"/bin/busybox", *find_program("ssh-add")},
                          .links = {{"/bin/sh", "busybox"}},
                          .files = {{"/etc/passwd", "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"}}},
                         "/", root));
  must(import_folder(house.ctx, *house.registry, "base/ssh", "1", root, {}));
  auto key = (house.dir.path() / "key").native(), socket = (house.dir.path() / "agent").native();
  must(run_ok(house.ctx, {.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "the key", "-f", key}}));
  auto agent = must(Child::start({.argv = {"ssh-agent", "-D", "-a", socket}}, {}));
  while (!path_exists(socket)) ::usleep(1000);
  must(run_ok(house.ctx, {.argv = {"ssh-add", "-q", key}, .extra_env = {{"SSH_AUTH_SOCK", socket}}}));
  auto r =
      house.request(fmt::format("FROM base/ssh:1\nUSER app\n"
                                "RUN --mount=type=ssh,uid=1000 {0} -l && {0} -l && echo twice\n",
                                *find_program("ssh-add")));
  r.ssh["default"] = socket;
  auto done = house.build(r);
  ASSERT_TRUE(done) << done.error().print() << house.log;
  EXPECT_NE(house.log.find("the key (ED25519)"), std::string::npos) << house.log;
  EXPECT_NE(house.log.find("twice"), std::string::npos) << house.log;
  // Nobody listens any more.
  agent.signal(SIGTERM);
  (void)agent.wait(house.ctx);
  r.no_cache = true;
  auto gone = house.build(r);
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().print().find("no SSH agent listens there"), std::string::npos) << gone.error().print();
}

}  // namespace
}  // namespace slipway::image
