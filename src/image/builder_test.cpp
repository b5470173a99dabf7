#include "image/builder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "image/scratch.h"
#include "image/testing/house.h"
#include "net/server.h"

namespace slipway::image {
namespace {

struct CopyCase {
  const char* name;
  const char* dockerfile;
  const char* want;  // the tree, or "error: part of the message"
};
class Copy : public testing::TestWithParam<CopyCase> {};
TEST_P(Copy, Gives) {
  House house;
  house.file("a.txt", "A");
  house.file("b.txt", "B", 0600);
  house.file("dir/c.txt", "C");
  house.file("dir/sub/d.md", "D");
  house.file("run.sh", "#!/bin/sh\n", 0755);
  house.file("node_modules/x", "X");
  house.file(".dockerignore", "# not sent\nnode_modules\n*.secret\n!keep.secret\n");
  house.file("no.secret", "n");
  house.file("keep.secret", "k");
  house.file("two/names", "T");
  fs::create_hard_link(house.context / "two/names", house.context / "two/other");
  fs::create_hard_link(house.context / "two/names", house.context / "elsewhere");
  fs::create_symlink("dir", house.context / "to-dir");
  fs::create_symlink("a.txt", house.context / "dir/link");
  must(run_ok(house.ctx, {.argv = {"tar", "-C", (house.context / "dir").native(), "-czf",
                                   (house.context / "x.tgz").native(), "c.txt"}}));
  auto done = house.build(std::string("FROM scratch\n") + GetParam().dockerfile);
  std::string want = GetParam().want;
  if (want.starts_with("error: ")) {
    ASSERT_FALSE(done) << house.tree();
    EXPECT_NE(done.error().print().find(want.substr(7)), std::string::npos) << done.error().print();
    return;
  }
  ASSERT_TRUE(done) << done.error().print();
  EXPECT_EQ(house.tree(), want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Copy,
    testing::ValuesIn(std::to_array<CopyCase>({
        {"File", "COPY a.txt /x", "/x 644 A"},
        {"FileToFolder", "COPY a.txt /x/", "/x/\n/x/a.txt 644 A"},
        {"FileToWorkdir", "WORKDIR /w\nCOPY a.txt .", "/w/\n/w/a.txt 644 A"},
        {"SeveralNeedAFolder", "COPY a.txt b.txt /x", "/x/\n/x/a.txt 644 A\n/x/b.txt 600 B"},
        {"FolderContents", "COPY dir /x", "/x/\n/x/c.txt 644 C\n/x/link -> a.txt\n/x/sub/\n/x/sub/d.md 644 D"},
        {"LinkedSourceIsFollowed", "COPY to-dir/c.txt /x", "/x 644 C"},
        {"Glob", "COPY *.txt /x/", "/x/\n/x/a.txt 644 A\n/x/b.txt 600 B"},
        {"GlobOfNothing", "COPY a.txt nothin[g] /x/", "/x/\n/x/a.txt 644 A"},
        {"Missing", "COPY nope /x", "error: Dockerfile:2:1: /nope: not found\n  2 | COPY nope /x"},
        {"Ignored", "COPY node_modules /x", "error: excluded by .dockerignore"},
        {"IgnoreTakenBack", "COPY *.secret /x/", "/x/\n/x/keep.secret 644 k"},
        {"EscapeIsClamped", "COPY ../../a.txt /x", "/x 644 A"},
        {"ChownNumbers", "COPY --chown=7:8 a.txt /x", "/x 644 7:8 A"},
        {"ChownNumberAlone", "COPY --chown=7 a.txt /x", "/x 644 7:7 A"},
        {"ChownUnknownName", "COPY --chown=app a.txt /x", "error: user \"app\": not in the image's /etc/passwd"},
        {"ChmodOctal", "COPY --chmod=0750 a.txt /x", "/x 750 A"},
        {"ChmodSymbolic", "COPY --chmod=u=rwX,go= dir/sub /x", "/x/\n/x/d.md 600 D"},
        {"ChmodBad", "COPY --chmod=9 a.txt /x", "error: --chmod=9: want octal"},
        {"Exclude", "COPY --exclude=**/*.md --exclude=link dir /x", "/x/\n/x/c.txt 644 C\n/x/sub/"},
        {"Parents", "COPY --parents dir/sub/d.md a.txt /x/",
         "/x/\n/x/a.txt 644 A\n/x/dir/\n/x/dir/sub/\n/x/dir/sub/d.md 644 D"},
        {"ParentsPivot", "COPY --parents dir/./sub/d.md /x/", "/x/\n/x/sub/\n/x/sub/d.md 644 D"},
        {"Link", "COPY a.txt /x/\nCOPY --link b.txt /x/", "/x/\n/x/a.txt 644 A\n/x/b.txt 600 B"},
        {"HardLinks", "COPY --chown=7 two /x", "/x/ 7:7\n/x/names 644 7:7 (2 names) T\n/x/other 644 7:7 (2 names) T"},
        {"HardLinkAlone", "COPY elsewhere /x", "/x 644 T"},
        {"HardLinksOfSeveral", "COPY two/names two/other elsewhere /x/",
         "/x/\n/x/elsewhere 644 (3 names) T\n/x/names 644 (3 names) T\n/x/other 644 (3 names) T"},
        {"HardLinksOfAStage", "COPY two /s\nFROM scratch\nCOPY --from=0 /s /x",
         "/x/\n/x/names 644 (2 names) T\n/x/other 644 (2 names) T"},
        {"Json", "COPY [\"a.txt\", \"/with space\"]", "/with space 644 A"},
        {"Heredoc", "ARG WHO=me\nCOPY <<EOF <<'RAW' /d/\nhello $WHO\nEOF\n$raw\nRAW",
         "/d/\n/d/EOF 644 hello me\n/d/RAW 644 $raw"},
        {"HeredocToFile", "COPY <<EOF /d/f\nx\nEOF", "/d/\n/d/f 644 x"},
        {"AddUnpacks", "ADD x.tgz /d/", "/d/\n/d/c.txt 644 C"},
        {"CopyDoesNotUnpack", "COPY --chmod=600 x.tgz /d/\nCOPY a.txt /d/x.tgz", "/d/ 600\n/d/x.tgz 644 A"},
        {"FromStage", "COPY a.txt /s/\nFROM scratch\nCOPY --from=0 /s /t", "/t/\n/t/a.txt 644 A"},
        {"FromLater", "COPY a.txt /\nFROM scratch AS mid\nCOPY --from=late / /\nFROM scratch AS late\nFROM mid",
         "error: that stage comes later"},
        {"FileOverFolder", "COPY dir /x\nCOPY a.txt /y/sub\nCOPY dir /y", "error: /y/sub: is no folder in the image"},
        {"Expand", "ARG D=/x\nCOPY a.txt ${D}/\nENV E=b\nCOPY $E.txt /x/", "/x/\n/x/a.txt 644 A\n/x/b.txt 600 B"},
        {"UnknownFlag", "COPY --form=x a /b",
         "error: Dockerfile:2:1: unknown flag --form for COPY, did you mean --from?"},
        {"UnknownInstruction", "CPOY a /b", "error: unknown instruction CPOY, did you mean COPY?"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Builder, WritesTheConfiguration) {
  House house;
  auto r = house.request(
      "ARG V=1\nFROM scratch\nARG V\nARG W=${V}2\nENV A=1 B=\"two words\" \nENV A=${A}${V}\nENV C $W\nLABEL x=\"y z\" "
      "v=$V\nEXPOSE 80 53/udp 8000-8001\n"
      "VOLUME [\"/data\"]\nUSER 5\nWORKDIR /a\nWORKDIR b\nSTOPSIGNAL SIGINT\nSHELL [\"/bin/bash\", \"-c\"]\nENTRYPOINT "
      "[\"/e\"]\nCMD run it\n"
      "HEALTHCHECK --interval=5s --retries=3 CMD true\nONBUILD RUN x\n");
  r.args["V"] = "7";
  r.labels["built"] = "yes";
  must(house.build(r));
  auto config = oci::print(house.image().config);
  auto body = config.substr(config.find("\"config\":"), config.find(",\"rootfs\"") - config.find("\"config\":"));
  EXPECT_EQ(
      body,
      R"("config":{"User":"5","ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}},)"
      R"("Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=17","B=two words","C=72"],"Entrypoint":["/e"],)"
      R"("Cmd":["/bin/bash","-c","run it"],"Volumes":{"/data":{}},"WorkingDir":"/a/b","Labels":{"built":"yes","v":"7","x":"y z"},)"
      R"("StopSignal":"SIGINT","OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000,"Retries":3}})");
  EXPECT_EQ(house.tree(), "/a/ 5:5\n/a/b/ 5:5");
}

TEST(Builder, HardLinksAmongManyFiles) {
  House house;
  for (int n = 0; n < 600; ++n) house.file(fmt::format("many/{}", n), "same for all");
  fs::create_hard_link(house.context / "many/7", house.context / "many/a");
  fs::create_hard_link(house.context / "many/599", house.context / "many/b");
  must(house.build("FROM scratch\nCOPY many /x\n"));
  auto tree = house.tree();
  std::set<std::string> linked;
  for (auto row : lines(tree))
    if (row.find("(2 names)") != std::string_view::npos) linked.emplace(cut(row, " ")->first);
  EXPECT_EQ(linked, (std::set<std::string>{"/x/599", "/x/7", "/x/a", "/x/b"}));
}

TEST(Builder, SameInputsGiveTheSameDigest) {
  std::set<std::string> digests;
  for (int i = 0; i < 2; ++i) {
    House house;
    house.file("src/a", "1");
    house.file("src/b", "2");
    digests.insert(must(house.build("FROM scratch\nCOPY src /src\nCOPY --chown=3 src/a /z\n")).digest.str());
    auto again = must(house.build("FROM scratch\nCOPY src /src\nCOPY --chown=3 src/a /z\n"));
    EXPECT_EQ(again.cached, 2);
    EXPECT_EQ(again.steps, 2);
    digests.insert(again.digest.str());
    for (const char* file : {"src/a", "src/b"}) {  // new times, same content
      timespec times[2] = {{12345, 0}, {12345, 0}};
      ::utimensat(AT_FDCWD, (house.context / file).c_str(), times, 0);
    }
    EXPECT_EQ(must(house.build("FROM scratch\nCOPY src /src\nCOPY --chown=3 src/a /z\n")).cached, 2);
    house.file("src/b", "3");
    auto changed = must(house.build("FROM scratch\nCOPY src /src\nCOPY --chown=3 src/a /z\n"));
    EXPECT_EQ(changed.cached, 0);
    EXPECT_FALSE(digests.contains(changed.digest.str()));
  }
  EXPECT_EQ(digests.size(), 1u);
}

TEST(Builder, RunsCommandsOnTheBase) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  house.file("in", "from context");
  auto done = house.build(
      "FROM base/busybox:1\nWORKDIR /w\nARG WHO=world\nENV GREETING=hello\nRUN echo \"$GREETING $WHO\" > out && mkdir "
      "-p deep/er\n"
      "RUN [\"rm\", \"-r\", \"/tmp\"]\nRUN <<EOF\necho one > a\necho two > b\nEOF\nRUN <<EOF cat > "
      "both\n$GREETING\nEOF\nUSER app\nRUN id -u > /w/uid || id -u > /dev/null\nCOPY --chown=app:staff in /w/in\n");
  ASSERT_TRUE(done) << done.error().print() << house.log;
  EXPECT_EQ(house.tree(),
            "/w/\n/w/a 644 one\n/w/b 644 two\n/w/both 644 hello\n/w/deep/\n/w/deep/er/\n/w/in 644 1000:50 from "
            "context\n/w/out 644 hello world")
      << house.log;
  auto layers = house.image().manifest.layers.size();
  EXPECT_EQ(layers, 7u);  // base, w, out, rm, heredoc, heredoc, in: the step as app changed nothing
}

TEST(Builder, CachesRunSteps) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  house.file("src", "1");
  auto text =
      "FROM base/busybox:1 AS build\nRUN echo expensive > /e\nCOPY src /src\nRUN cat /src > /built; echo constant > "
      "/artifact\nFROM base/busybox:1\nCOPY --from=build /artifact /app\nRUN cat /app > /ran\n";
  auto first = must(house.build(text));
  EXPECT_EQ(first.cached, 0);
  EXPECT_EQ(first.steps, 5);
  auto start = std::chrono::steady_clock::now();
  auto second = must(house.build(text));
  auto spent = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
  EXPECT_EQ(second.cached, 5) << house.log;
  EXPECT_EQ(second.digest, first.digest);
  EXPECT_LT(spent.count(), 60);
  EXPECT_EQ(second.inputs, first.inputs);
  EXPECT_NE(house.log.find(" => [build 2/4] RUN echo expensive > /e  CACHED"), std::string::npos) << house.log;
  // The source changes, the artifact does not: what follows it stays cached.
  house.file("src", "2");
  auto third = must(house.build(text));
  EXPECT_EQ(third.cached, 3) << house.log;
  EXPECT_EQ(third.digest, first.digest);
  EXPECT_NE(third.inputs, first.inputs);
}

TEST(Builder, SaysWhichCommandFailed) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto done = house.build("FROM base/busybox:1\nRUN echo before; echo why >&2; exit 3\n");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind(), Kind::invalid);
  EXPECT_EQ(done.error().what(),
            "Dockerfile:2:1: RUN echo before; echo why >&2; exit 3: exit status 3\n    before\n    why\n  2 | RUN echo "
            "before; echo why >&2; exit 3");
  EXPECT_EQ(must(list_dir(house.dir.path() / "build/steps")).size(), 0u);
}

TEST(Builder, MountsForRun) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  house.file("data/f", "bound");
  house.file("data/hidden", "no");
  house.file(".dockerignore", "data/hidden\n");
  auto r = house.request(
      "FROM base/busybox:1 AS tools\nRUN echo tool > /t\nFROM base/busybox:1\n"
      "RUN --mount=type=secret,id=key --mount=type=secret,id=tok,env=TOKEN cat /run/secrets/key > /key; echo $TOKEN >> "
      "/key\n"
      "RUN --mount=type=bind,source=data,target=/b ls /b > /ls; cat /b/f >> /ls; echo x > /b/y || echo read-only >> "
      "/ls\n"
      "RUN --mount=type=bind,from=tools,source=/t,target=/tool cat /tool > /from-tools\n"
      "RUN --mount=type=bind,source=data,target=/b,rw echo new > /b/y && cat /b/y > /rw\n"
      "RUN --mount=type=tmpfs,target=/big,size=1m echo 1 > /big/x\n"
      "RUN --mount=type=cache,target=/c echo first >> /c/log; cat /c/log > /log1\n"
      "RUN --mount=type=cache,target=/c,sharing=locked echo second >> /c/log; cat /c/log | tr '\\n' ' ' > /log2\n");
  r.secrets = {{"key", "s3cret"}, {"tok", "t0ken"}};
  auto done = house.build(r);
  ASSERT_TRUE(done) << done.error().print() << house.log;
  EXPECT_EQ(house.tree(),
            "/from-tools 644 tool\n/key 644 s3crett0ken\n/log1 644 first\n/log2 644 first second\n/ls 644 "
            "f\nboundread-only\n/rw 644 new");
  EXPECT_FALSE(path_exists(house.context / "data/y"));
  for (const auto& h : house.image().config.history) EXPECT_EQ(h.created_by.find("s3cret"), std::string::npos);
}

TEST(Builder, UnusedStagesDoNotRun) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto r = house.request(
      "FROM base/busybox:1 AS broken\nRUN exit 1\nFROM scratch AS good\nCOPY Dockerfile /d\nFROM broken\n");
  r.target = "GOOD";
  EXPECT_TRUE(house.build(r));
  r.target = "goood";
  auto wrong = house.build(r);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what(), "Dockerfile: no stage \"goood\", did you mean good?");
}

// Each waits for the other: one after the other, neither would end.
TEST(Builder, StagesRunSideBySide) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  std::string meet =
      "RUN --mount=type=cache,id=meeting,target=/m touch /m/{0}; n=0; while ! test -e /m/{1}; do "
      "n=$((n+1)); test $n -lt 3000 || exit 1; sleep 0.01; done; echo {0} > /{0}\n";
  house.ctx = house.ctx.within(Millis(60'000));
  auto done = house.build("FROM base/busybox:1 AS a\n" + fmt::format(fmt::runtime(meet), "a", "b") +
                          "FROM base/busybox:1 AS b\n" + fmt::format(fmt::runtime(meet), "b", "a") +
                          "FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n");
  ASSERT_TRUE(done) << done.error().print();
  EXPECT_EQ(house.tree(), "/a 644 a\n/b 644 b");
}

TEST(Builder, OnBuildOfTheBaseRuns) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto r = house.request("FROM base/busybox:1\nONBUILD COPY Dockerfile /onbuild\nONBUILD RUN echo ran > /ran\n");
  r.image = "base/on";
  r.tags = {"1"};
  must(house.build(r));
  must(house.build("FROM localhost:5000/base/on:1\n"));
  EXPECT_EQ(house.tree(), "/onbuild 644 FROM localhost:5000/base/on:1\n/ran 644 ran");
  EXPECT_TRUE(house.image().config.on_build.empty());
}

TEST(Builder, CancelLeavesNothing) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  std::stop_source stop;
  auto r = house.request("FROM base/busybox:1\nRUN echo started; sleep 100\n");
  auto done = house.builder->build(house.ctx.with_stop(stop.get_token()), r, [&](int, std::string_view piece) {
    if (piece.find("] started") != std::string_view::npos) stop.request_stop();
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind(), Kind::cancelled);
  EXPECT_EQ(must(list_dir(house.dir.path() / "build/steps")).size(), 0u);
}

TEST(Builder, EqualBuildsAtTheSameTimeRunOnce) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  auto r = house.request("FROM base/busybox:1\nRUN echo once > /o\nRUN echo twice > /t\n");
  std::atomic<int> cached = 0;
  std::set<std::string> digests;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      auto done = must(house.build(r));
      cached += done.cached;
      std::lock_guard lock(mutex);
      digests.insert(done.digest.str());
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(cached, 6);
  EXPECT_EQ(digests.size(), 1u);
}

TEST(Builder, PullsTheBaseFromAnotherRegistry) {
  House other, house;
  other.base();
  auto server = must(net::Server::start({}, other.registry->routes()));
  oci::Remote remote({.credentials = [](const std::string&) { return std::nullopt; }});
  house.builder.reset();
  house.builder = make_builder({.registry = house.registry.get(),
                                .layers = house.layers.get(),
                                .remote = &remote,
                                .root = house.dir.path() / "build"});
  auto text =
      fmt::format("ARG TAG=0\nFROM {}/base/busybox:${{TAG}} AS base\nFROM base\nCOPY --from=base /bin/busybox /copy\n",
                  server->address());
  auto r = house.request(text);
  r.args["TAG"] = "1";
  auto first = must(house.build(r));
  EXPECT_EQ(house.image().config.cmd, std::vector<std::string>{"sh"});
  auto without = r;
  without.args.clear();
  auto missing = house.build(without);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().what().find("Dockerfile:2:1: "), 0u) << missing.error().what();
  server.reset();
  EXPECT_EQ(must(house.build(r)).digest, first.digest);  // what was pulled is here
}

// Killed in the middle of RUN: neither the command, nor its container, nor a mount stays.
TEST(Builder, WhatAKilledBuildLeftIsCleanedUp) {
  if (!House(House::With::runtime).runtime) GTEST_SKIP() << "no container runtime";
  auto pipe = must(make_pipe());
  auto child = ::fork();
  if (child == 0) {
    House house(House::With::runtime);
    house.base();
    auto root = house.dir.path().native() + "\n";
    (void)!::write(pipe.write.get(), root.data(), root.size());
    (void)house.build("FROM base/busybox:1\nRUN sleep 987\n");
    ::_exit(0);
  }
  std::string root(4096, '\0');
  root.resize(static_cast<std::size_t>(std::max<ssize_t>(1, ::read(pipe.read.get(), root.data(), root.size()))) - 1);
  auto mounted = [&] { return must(read_file("/proc/self/mountinfo")).contains(root + "/box/containers/build-"); };
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!mounted() && std::chrono::steady_clock::now() < until) ::usleep(2000);
  EXPECT_TRUE(mounted()) << "the command did not start";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  auto runtime = must(box::Runtime::open(fs::path(root) / "box"));
  must(clean_up_after_crash(*runtime));
  EXPECT_TRUE(must(runtime->survivors()).empty());
  EXPECT_FALSE(mounted());
  must(remove_tree(root));
}

// The result as a pod would run it: its layers, its entry point, its user.
TEST(Builder, WhatIsBuiltRuns) {
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.base();
  must(
      house.build("FROM base/busybox:1\nRUN echo greeting > /g\nENV NAME=slipway\nWORKDIR /tmp\nUSER app\nENTRYPOINT "
                  "[\"/bin/sh\", \"-c\"]\nCMD [\"cat /g; echo $NAME; id -u; pwd\"]\n"));
  auto image = house.image();
  box::Spec spec;
  spec.id = "run-" + random_hex(6);
  for (std::size_t n = 0; n < image.manifest.layers.size(); ++n)
    spec.layers.push_back(must(house.layers->folder(house.ctx, image.manifest.layers[n], image.config.diff_ids[n])));
  spec.argv = image.config.entrypoint;
  spec.argv.insert(spec.argv.end(), image.config.cmd.begin(), image.config.cmd.end());
  for (const auto& item : image.config.env) spec.env.emplace(*cut(item, "="));
  spec.cwd = image.config.working_dir;
  spec.user = image.config.user;
  auto pipe = must(make_pipe());
  EXPECT_EQ(must(house.runtime->run(house.ctx, spec, {.in = -1, .out = pipe.write.get(), .err = pipe.write.get()})), 0);
  pipe.write.reset();
  auto lines = must(read_all(pipe.read.get()));
  EXPECT_NE(lines.find("greeting\nslipway\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("/tmp\n"), std::string::npos) << lines;
}

// The same Dockerfile by buildah: the same files, modes and owners.
TEST(Builder, SLOW_AgreesWithBuildah) {
  if (!find_program("buildah")) GTEST_SKIP() << "no buildah";
  House house(House::With::runtime);
  NEEDS_RUNTIME(house);
  house.file("a.txt", "A", 0640);
  house.file("dir/b", "B");
  house.file("dir/c.sh", "C", 0755);
  house.file("skip/x", "X");
  house.file(".dockerignore", "skip\n**/*.tmp\n!dir/keep.tmp\n");
  house.file("dir/drop.tmp", "d");
  house.file("dir/keep.tmp", "k");
  fs::create_symlink("b", house.context / "dir/link");
  must(run_ok(house.ctx, {.argv = {"tar", "-C", (house.context / "dir").native(), "-cf",
                                   (house.context / "t.tar").native(), "b", "c.sh"}}));
  auto text =
      "FROM scratch AS one\nCOPY . /all\nCOPY a.txt dir/b /several/\nFROM scratch\nCOPY --from=one /all/dir "
      "/from\nCOPY --chown=12:34 dir /owned/\n"
      "ADD t.tar /unpacked/\nCOPY --chmod=711 a.txt /mode\nWORKDIR /w/d\nCOPY a.txt rel\nCOPY [\"a.txt\", \"b c\"]\n";
  must(house.build(text));
  auto ours = house.tree();
  auto image = (house.dir.path() / "theirs").native();
  must(
      run_ok(house.ctx, {.argv = {"buildah", "--storage-driver", "vfs", "--root", (house.dir.path() / "store").native(),
                                  "--runroot", (house.dir.path() / "run").native(), "bud", "--isolation", "chroot",
                                  "-t", "oci:" + image + ":t", house.context.native()}}));
  // Their image into our registry: its tree is read with the same eyes.
  auto server = must(net::Server::start({}, house.registry->routes()));
  must(run_ok(house.ctx, {.argv = {"skopeo", "copy", "--dest-tls-verify=false", "oci:" + image + ":t",
                                   "docker://" + server->address() + "/shop/web:t"}}));
  EXPECT_EQ(ours, house.tree());
}

TEST(Builder, MissingImageSaysSo) {
  House house;
  auto done = house.build("FROM nowhere/image:1\n");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().print(),
            "Dockerfile:1:1: nowhere/image:1: not in the registry\n  1 | FROM nowhere/image:1\nhint: push or import it "
            "first");
}

}  // namespace
}  // namespace slipway::image
