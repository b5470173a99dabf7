// What a build must not do, whoever wrote the Dockerfile, the context, the archive or the base.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "image/testing/house.h"

namespace slipway::image {
namespace {

// A tar by hand: what no tar program writes.
std::string tar_entry(std::string_view name, char type, std::string_view link, std::string_view content) {
  std::string b(512, '\0');
  auto put = [&](std::size_t at, std::string_view text) { b.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", content.size()));
  put(136, "00000000000");
  b[156] = type;
  put(157, link);
  put(257, std::string_view("ustar\00000", 8));
  if (type == '3') {
    put(329, "0000010");
    put(337, "0000001");
  }
  b.replace(148, 8, "        ");
  unsigned sum = 0;
  for (unsigned char c : b) sum += c;
  put(148, fmt::format("{:06o}", sum));
  b[154] = '\0';
  b += content;
  b.resize((b.size() + 511) / 512 * 512, '\0');
  return b;
}

struct Attack {
  const char* name;
  std::string archive;
  const char* want;  // part of the error; "tree: ..." when it is built, with nothing outside
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }
class HostileArchive : public testing::TestWithParam<Attack> {};
TEST_P(HostileArchive, StaysInside) {
  House house;
  house.file("a.tar", GetParam().archive + std::string(1024, '\0'));
  auto secret = house.dir.path() / "outside";
  must(write_file(secret, "untouched"));
  auto done = house.build("FROM scratch\nADD a.tar /x/\n");
  std::string want = GetParam().want;
  if (want.starts_with("tree: ")) {
    ASSERT_TRUE(done) << done.error().print();
    EXPECT_EQ(house.tree(), want.substr(6));
  } else {
    ASSERT_FALSE(done) << house.tree();
    EXPECT_NE(done.error().print().find(want), std::string::npos) << done.error().print();
    EXPECT_NE(done.error().print().find("Dockerfile:2:1: "), std::string::npos) << done.error().print();
    EXPECT_FALSE(must(house.registry->manifest("shop/web", "t")));
  }
  EXPECT_EQ(must(read_file(secret)), "untouched");
  EXPECT_FALSE(path_exists("/slipway-escaped"));
  EXPECT_TRUE(must(list_dir(house.dir.path() / "build/steps")).empty());
}
INSTANTIATE_TEST_SUITE_P(
    Table, HostileArchive,
    testing::Values(
        Attack{"DotDot", tar_entry("../../slipway-escaped", '0', "", "x"), "has a \"..\""},
        Attack{"Absolute", tar_entry("/slipway-escaped", '0', "", "x"), "tree: /x/\n/x/slipway-escaped 644 x"},
        Attack{"ThroughALink", tar_entry("up", '2', "/", "") + tar_entry("up/slipway-escaped", '0', "", "x"),
               "tree: /x/\n/x/slipway-escaped 644 x\n/x/up -> /"},
        Attack{"ThroughARelativeLink",
               tar_entry("up", '2', "../../../..", "") + tar_entry("up/slipway-escaped", '0', "", "x"),
               "tree: /x/\n/x/slipway-escaped 644 x\n/x/up -> ../../../.."},
        Attack{"HardLinkOutside", tar_entry("h", '1', "../../etc/passwd", ""), "has a \"..\""},
        Attack{"HardLinkToNothing", tar_entry("h", '1', "etc/passwd", ""), "which is not in the archive"},
        Attack{"Device", tar_entry("null", '3', "", ""), "is a device node"},
        Attack{"CutOff", tar_entry("big", '0', "", std::string(5000, 'x')).substr(0, 3000), "broken"}),
    [](const auto& i) { return i.param.name; });

TEST(Hostile, LinksOfTheContextLeadNowhereOutside) {
  House house;
  must(write_file(house.dir.path() / "secret", "s3cret"));
  fs::create_symlink(house.dir.path() / "secret", house.context / "absolute");
  fs::create_symlink("../secret", house.context / "relative");
  fs::create_symlink("..", house.context / "up");
  for (const char* copy :
       {"COPY absolute /x", "COPY relative /x", "COPY up/secret /x", "COPY ../secret /x", "ADD absolute /x"}) {
    auto done = house.build(fmt::format("FROM scratch\n{}\n", copy));
    ASSERT_FALSE(done) << copy;
    EXPECT_NE(done.error().print().find("not found"), std::string::npos) << done.error().print();
  }
  must(house.build("FROM scratch\nCOPY . /x\n"));  // links within a copied tree stay links
  EXPECT_EQ(house.tree().find("s3cret"), std::string::npos);
}

// Not even its first line, as part of a message.
TEST(Hostile, ADockerfileThatIsALinkShowsNothingOfTheHost) {
  House house;
  must(write_file(house.dir.path() / "secret", "s3cret: line\n"));
  for (const char* target : {"../secret", "/etc/hostname"}) {
    auto r = house.request("FROM scratch\n");
    fs::remove(house.context / "Dockerfile");
    fs::create_symlink(target, house.context / "Dockerfile");
    for (const auto& name : {std::string("Dockerfile"), (house.context / "Dockerfile").native()}) {
      r.dockerfile = name;
      auto done = house.build(r);
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().print().find("s3cret"), std::string::npos) << done.error().print();
      EXPECT_NE(done.error().print().find("no such Dockerfile"), std::string::npos) << done.error().print();
    }
  }
}

TEST(Hostile, LinksOfTheImageLeadNowhereOutside) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto outside = house.dir.path() / "outside";
  must(make_dirs(outside));
  house.file("f", "x");
  auto text = fmt::format(
      "FROM base/busybox:1\nRUN ln -s {0} /abs && ln -s ../../../../../../../..{0} /rel && ln -s /nowhere /dangling\n"
      "COPY f /abs/\nCOPY f /rel/g\nCOPY f /dangling/\nWORKDIR /abs/w\n",
      outside.native());
  must(house.build(text));
  EXPECT_TRUE(must(list_dir(outside)).empty());
  EXPECT_NE(house.tree().find("/nowhere/f 644 x"), std::string::npos) << house.tree();
}

TEST(Hostile, MountsAndStagesStayInside) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  must(write_file(house.dir.path() / "secret", "s3cret"));
  fs::create_symlink("../secret", house.context / "link");
  for (const char* run : {"RUN --mount=target=/b,source=../secret cat /b", "RUN --mount=target=/b,source=link cat /b",
                          "RUN --mount=target=/b cat /b/link"}) {
    auto done = house.build(fmt::format("FROM base/busybox:1\n{}\n", run));
    EXPECT_FALSE(done) << run;
    EXPECT_EQ(house.log.find("s3cret"), std::string::npos) << run;
  }
  must(
      house.build("FROM base/busybox:1 AS one\nRUN mkdir /d && ln -s /../../../etc/shadow /d/l\nFROM scratch\nCOPY "
                  "--from=one /d /d\n"));
  EXPECT_EQ(house.tree(), "/d/\n/d/l -> /../../../etc/shadow");
  auto through = house.build(
      "FROM base/busybox:1 AS one\nRUN ln -s /../../../../../../../../etc/shadow /l\nFROM scratch\nCOPY --from=one /l "
      "/d\n");
  EXPECT_FALSE(through);
}

}  // namespace
}  // namespace slipway::image
