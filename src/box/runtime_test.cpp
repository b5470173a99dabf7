// Real containers: busybox in a temporary runtime. Skipped, saying why, where they cannot run.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/hash.h"
#include "base/process.h"
#include "base/text.h"
#include "box/box.h"
#include "box/testing/busybox.h"

namespace slipway::box {
namespace {

struct Ran {
  int code = -1;
  std::string out, err;
};

class RuntimeTest : public testing::Test {
 protected:
  // One runtime for all tests: opening runs a trial container.
  static void SetUpTestSuite() {
    folder_ = new TempDir(must(TempDir::make("box-test")));
    auto image = make_busybox(folder_->path() / "image", why_);
    if (!image) return;
    auto opened = Runtime::open(folder_->path() / "state");
    if (!opened)
      why_ = opened.error().print();
    else
      runtime_ = opened->release();
  }
  static void TearDownTestSuite() {
    delete std::exchange(runtime_, nullptr);
    delete std::exchange(folder_, nullptr);
  }
  void SetUp() override {
    if (runtime_ == nullptr) GTEST_SKIP() << why_;
  }
  Spec shell(const std::string& script) {
    Spec spec;
    spec.id = "t-" + random_hex(6);
    spec.layers = {folder_->path() / "image"};
    spec.argv = {"sh", "-c", script};
    return spec;
  }
  Ran run(const Spec& spec) {
    auto out = must(make_pipe()), err = must(make_pipe());
    Ran ran;
    auto code = [&] {
      std::thread reader([&] { ran.out = read_all(out.read.get()).value_or(""); });
      std::thread errors([&] { ran.err = read_all(err.read.get()).value_or(""); });
      auto result = runtime_->run(ctx_, spec, {-1, out.write.get(), err.write.get()});
      out.write.reset(), err.write.reset();
      reader.join(), errors.join();
      return result;
    }();
    if (!code) ran.err = code.error().what();
    ran.code = code ? *code : -1;
    return ran;
  }
  fs::path state() const { return folder_->path() / "state"; }

  static inline TempDir* folder_ = nullptr;
  static inline Runtime* runtime_ = nullptr;
  static inline std::string why_;
  Ctx ctx_ = Ctx().within(Millis(60000));
};

TEST_F(RuntimeTest, RunsAndGivesOutputAndStatus) {
  auto ran = run(shell("echo out; echo err >&2; exit 7"));
  EXPECT_EQ(ran.code, 7);
  EXPECT_EQ(ran.out, "out\n");
  EXPECT_EQ(ran.err, "err\n");
  EXPECT_EQ(must(runtime_->survivors()), std::vector<std::string>{});
}

TEST_F(RuntimeTest, LeavesNothingBehind) {
  auto spec = shell("true");
  spec.cgroup = "ci/" + spec.id;
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_FALSE(must(read_file("/proc/self/mounts")).contains(spec.id));
  EXPECT_TRUE(must(runtime_->survivors()).empty());  // waits for what goes a moment later
  EXPECT_TRUE(must(list_dir(state() / "containers")).empty());
  EXPECT_TRUE(must(list_dir(state() / "runtime")).empty());
  auto found = must(slipway::run(ctx_, {.argv = {"find", "/sys/fs/cgroup", "-name", "*" + spec.id + "*"}}));
  EXPECT_EQ(found.out, "");
}

// A layer of an image that means ill: a link where a folder is expected.
fs::path evil_layer(const std::string& name, const std::string& to) {
  static const auto* dir = new TempDir(must(TempDir::make("box-evil")));
  auto layer = dir->path() / name;
  EXPECT_TRUE(make_dirs(layer));
  std::error_code ignored;
  fs::create_symlink(to, layer / name, ignored);
  return layer;
}

struct Row {
  const char* name;
  const char* script;
  void (*change)(Spec&);
  const char* want;
  bool own_words = false;
};
class RuntimeTable : public RuntimeTest, public testing::WithParamInterface<Row> {};
TEST_P(RuntimeTable, Prints) {
  if (GetParam().own_words && !runtime_->describe().contains("own launcher"))
    GTEST_SKIP() << "an OCI runtime says it in other words";
  auto spec = shell(GetParam().script);
  GetParam().change(spec);
  auto ran = run(spec);
  EXPECT_EQ(ran.out + ran.err, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, RuntimeTable,
    testing::ValuesIn(std::to_array<Row>({
        {"UserByNameWithItsGroups", "id", [](Spec& s) { s.user = "app"; },
         "uid=1000(app) gid=1001(app) groups=2000(extra)\n"},
        {"UserByNumbers", "id -u; id -g; echo $HOME", [](Spec& s) { s.user = "77:88"; }, "77\n88\n/\n"},
        {"HomeOfTheUser", "echo $HOME", [](Spec& s) { s.user = "app"; }, "/home/app\n"},
        {"UnknownUser", "id", [](Spec& s) { s.id = "unknown-user", s.user = "ghost"; },
         "user \"ghost\": not in the image's /etc/passwd"},
        {"Environment", "echo \"$A|$PATH|$HOSTNAME\"", [](Spec& s) { s.env["A"] = "b c\"\n'", s.hostname = "pod-1"; },
         "b c\"\n'|/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|pod-1\n"},
        {"WorkingFolderIsMade", "pwd", [](Spec& s) { s.cwd = "/srv/app"; }, "/srv/app\n"},
        {"ReadOnlyRoot", "touch /x 2>/dev/null || echo refused", [](Spec& s) { s.read_only_root = true; }, "refused\n"},
        {"WritableRoot", "touch /x && echo fine", [](Spec&) {}, "fine\n"},
        {"OnlyLoopbackWithoutNetwork", "ls /sys/class/net; cat /sys/class/net/lo/flags", [](Spec&) {}, "lo\n0x9\n"},
        {"TmpfsMount", "stat -f -c %T /scratch; echo x > /scratch/y && cat /scratch/y",
         [](Spec& s) { s.mounts = {{.target = "/scratch", .type = "tmpfs", .options = {"size=1m"}}}; }, "tmpfs\nx\n"},
        {"CapabilitiesDropped", "grep -E 'Cap(Bnd|Eff)' /proc/self/status",
         [](Spec& s) { s.drop_capabilities = {"ALL"}, s.add_capabilities = {"NET_BIND_SERVICE"}; },
         "CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\n"},
        {"NoCapabilitiesButDefaultBoundsForUsers", "grep -E 'Cap(Bnd|Eff)|NoNewPrivs|Seccomp:' /proc/self/status",
         [](Spec& s) { s.user = "app"; },
         "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n"},
        {"MountRefused", "mount -t tmpfs none /tmp 2>/dev/null || echo refused", [](Spec&) {}, "refused\n"},
        {"KernelSecretsMasked", "head -c 1 /proc/timer_list | wc -c; touch /proc/sysrq-trigger 2>/dev/null || echo ro",
         [](Spec&) {}, "0\nro\n"},
        {"DevicesAreRefused", "mknod /d b 7 0 && head -c 1 /d 2>/dev/null || echo refused; head -c 1 /dev/zero | wc -c",
         [](Spec&) {}, "refused\n1\n"},
        {"KernelSettingsAreReadOnly", "echo 1 2>/dev/null > /proc/sys/kernel/sysrq || echo refused", [](Spec&) {},
         "refused\n"},
        {"NamespacesAreRefused", "unshare -m true 2>/dev/null || echo refused", [](Spec&) {}, "refused\n"},
        {"OnlyItsOwnProcesses", "echo $$; set -- /proc/[0-9]*; echo $#", [](Spec&) {}, "1\n1\n"},
        {"NoMountsOfTheHost", "grep -c ' / / ' /proc/self/mountinfo; grep -c ext4 /proc/mounts", [](Spec&) {},
         "1\n0\n"},
        {"AProcThatIsALink", "echo ran", [](Spec& s) { s.layers.push_back(evil_layer("proc", "etc")), s.id = "evil"; },
         "container evil: mount point /proc: Too many levels of symbolic links", true},
        {"AMountThroughALinkStaysInside", "echo x > /out/y; cat /etc/mounted/y; ls /etc/passwd",
         [](Spec& s) {
           s.layers.push_back(evil_layer("out", "../../../../etc/mounted"));
           s.mounts = {{.target = "/out", .type = "tmpfs"}};
         },
         "x\n/etc/passwd\n"},
        {"AMountOverTheKernelsFiles", "echo ran",
         [](Spec& s) { s.id = "over", s.mounts = {{.target = "/proc/sys", .type = "tmpfs"}}; },
         "container over: mount at /proc/sys: inside the kernel's own files, which no container may cover", true},
        {"RelativeCommand", "", [](Spec& s) { s.id = "relative", s.argv = {"./nosuch"}; },
         "container relative: exec: \"./nosuch\": No such file or directory", true},
        {"OpenFiles", "ulimit -n", [](Spec& s) { s.limits.open_files = 512; }, "512\n"},
        {"OpenFilesAboveTheHostsAreCut", "echo fine", [](Spec& s) { s.limits.open_files = 100'000'000; }, "fine\n"},
    })),
    [](const auto& i) { return i.param.name; });

TEST_F(RuntimeTest, BindsFilesAndKeepsUpper) {
  auto spec = shell("cat /data/in; echo new > /made; echo no > /data/in || echo refused");
  ASSERT_TRUE(make_dirs(folder_->path() / "bind"));
  ASSERT_TRUE(write_file(folder_->path() / "bind/in", "hello\n"));
  spec.mounts = {{.source = folder_->path() / "bind", .target = "/data", .read_only = true}};
  spec.upper = folder_->path() / "kept";
  auto ran = run(spec);
  EXPECT_EQ(ran.out, "hello\nrefused\n");
  EXPECT_EQ(must(read_file(spec.upper / "made")), "new\n");
  EXPECT_EQ(must(list_dir(folder_->path() / "kept")), (std::vector<std::string>{"made"}));
}

TEST_F(RuntimeTest, SaysWhichCommandIsMissing) {
  auto spec = shell("");
  spec.argv = {"nosuch"};
  auto started = runtime_->start(ctx_, spec, {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind(), Kind::invalid);
  EXPECT_TRUE(started.error().what().contains("nosuch")) << started.error().what();
  EXPECT_FALSE(path_exists(state() / "containers" / spec.id));
}

TEST_F(RuntimeTest, SeesMemoryKill) {
  auto spec = shell("head -c 200m /dev/zero | tail");
  spec.limits.memory_bytes = 16 << 20;
  auto container = must(runtime_->start(ctx_, spec, {}));
  EXPECT_NE(must(container->wait(ctx_)), 0);
  EXPECT_TRUE(container->oom_killed());
  EXPECT_TRUE(container->finished());
}

TEST_F(RuntimeTest, LimitsReachTheKernel) {
  auto spec = shell(
      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us "
      "/sys/fs/cgroup/cpu/cpu.shares "
      "/sys/fs/cgroup/pids/pids.max");
  if (!runtime_->describe().contains("v1")) GTEST_SKIP() << "reads cgroup v1 files";
  spec.limits = {.memory_bytes = 32 << 20, .cpu_millis = 500, .cpu_shares_millis = 250, .pids = 77};
  EXPECT_EQ(run(spec).out, "33554432\n50000\n256\n77\n");
}

TEST_F(RuntimeTest, TellsWhatIsUsed) {
  auto spec = shell(
      "x=$(head -c 8000000 /dev/zero | tr '\\0' a); i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; read y");
  Pipe in = must(make_pipe()), out = must(make_pipe());
  auto container = must(runtime_->start(ctx_, spec, {.in = in.read.get(), .out = out.write.get()}));
  char byte = 0;
  ASSERT_EQ(::read(out.read.get(), &byte, 1), 1);
  auto used = container->usage();
  if (runtime_->describe().contains("no limits")) GTEST_SKIP() << "no control groups here";
  ASSERT_TRUE(used);
  EXPECT_GT(used->cpu, std::chrono::milliseconds(1));
  EXPECT_GT(used->memory_bytes, 4 << 20);
  EXPECT_GE(container->usage()->cpu, used->cpu);
  ASSERT_TRUE(container->destroy());
  EXPECT_FALSE(container->usage());
}

TEST_F(RuntimeTest, SignalsAndTimeouts) {
  auto container = must(runtime_->start(ctx_, shell("trap 'exit 9' TERM; echo; while :; do sleep 0.01; done"), {}));
  EXPECT_EQ(container->wait(ctx_.within(Millis(30))).error().kind(), Kind::timeout);
  ASSERT_TRUE(container->signal(SIGTERM));
  auto code = must(container->wait(ctx_));
  EXPECT_TRUE(code == 9 || code == 143) << code;
  auto killed = must(runtime_->start(ctx_, shell("sleep 100"), {}));
  ASSERT_TRUE(killed->signal(SIGKILL));
  EXPECT_EQ(must(killed->wait(ctx_)), 137);
  EXPECT_TRUE(killed->signal(SIGKILL));
  ASSERT_TRUE(killed->destroy());
  EXPECT_TRUE(killed->destroy());
}

TEST_F(RuntimeTest, CancelEndsARun) {
  std::stop_source stop;
  std::thread canceller([&] {
    (void)sleep(ctx_, Millis(50));
    stop.request_stop();
  });
  auto result =
      runtime_->run(ctx_.with_stop(stop.get_token()), shell("trap 'exit 3' TERM; while :; do sleep 0.01; done"), {});
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), Kind::cancelled);
  EXPECT_EQ(must(runtime_->survivors()), std::vector<std::string>{});
}

TEST_F(RuntimeTest, ExecRunsInside) {
  auto spec = shell("echo there > /f; sleep 100");
  spec.env["A"] = "1";
  auto container = must(runtime_->start(ctx_, spec, {}));
  auto out = must(make_pipe());
  Container::Exec exec{
      .argv = {"sh", "-c", "cat /f; echo $A$B; id -u; pwd; exit 5"}, .env = {{"B", "2"}}, .cwd = "/tmp", .user = "app"};
  EXPECT_EQ(must(container->exec(ctx_, exec, {-1, out.write.get(), -1})), 5);
  out.write.reset();
  EXPECT_EQ(must(read_all(out.read.get())), "there\n12\n1000\n/tmp\n");
  auto missing = container->exec(ctx_, {.argv = {"nosuch"}}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), Kind::invalid);
  auto late = container->exec(ctx_.within(Millis(150)), {.argv = {"sleep", "77"}}, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind(), Kind::timeout);
}

TEST_F(RuntimeTest, ExecAfterTheEndIsRefused) {
  auto container = must(runtime_->start(ctx_, shell("true"), {}));
  ASSERT_EQ(must(container->wait(ctx_)), 0);
  EXPECT_FALSE(container->exec(ctx_, {.argv = {"true"}}, {}));
}

// The number of an ended process may be another's: what is asked for is the process that started then.
TEST_F(RuntimeTest, ExecGoesIntoNoOtherProcess) {
  if (!runtime_->describe().contains("own launcher")) GTEST_SKIP() << "an OCI runtime keeps the start time itself";
  auto spec = shell("sleep 100");
  auto container = must(runtime_->start(ctx_, spec, {}));
  auto state = folder_->path() / "state/containers" / spec.id / "state";
  auto text = must(read_file(state));
  auto cut_at = text.rfind(' ');
  ASSERT_TRUE(write_file(state, text.substr(0, cut_at) + " 1\n"));
  auto other = must(runtime_->attach(spec.id));
  auto ran = other->exec(ctx_, {.argv = {"true"}}, {});
  other->detach();
  ASSERT_FALSE(ran);
  EXPECT_TRUE(ran.error().what().contains("has ended")) << ran.error().what();
}

TEST_F(RuntimeTest, ExecOnATerminal) {
  auto container = must(runtime_->start(ctx_, shell("sleep 100"), {}));
  auto in = must(make_pipe()), out = must(make_pipe());
  ASSERT_TRUE(write_all(in.write.get(), "test -t 0 && echo te''rm; exit 4\n"));
  auto code = must(container->exec(ctx_, {.argv = {"sh"}, .tty = true}, {in.read.get(), out.write.get(), -1}));
  EXPECT_EQ(code, 4);
  out.write.reset();
  auto text = must(read_all(out.read.get()));
  EXPECT_TRUE(text.contains("term\r\n")) << text;
}

TEST_F(RuntimeTest, WritesLogsWithTimesAndRotates) {
  auto spec = shell("echo one; echo two >&2; printf partial; seq 1 200");
  spec.log = folder_->path() / "log/0.log";
  ASSERT_TRUE(make_dirs(spec.log.parent_path()));
  EXPECT_EQ(run(spec).code, 0);
  auto text = must(read_file(spec.log));
  auto all = lines(text);
  ASSERT_EQ(all.size(), 202U);
  EXPECT_TRUE(text.contains(" stdout F one\n"));
  EXPECT_TRUE(text.contains(" stderr F two\n"));
  EXPECT_TRUE(text.contains(" stdout F partial1\n"));
  EXPECT_EQ(all[0][10], 'T');
  spec.id += "r";
  spec.log_max_bytes = 2000;
  spec.log_files = 2;
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_LE(fs::file_size(spec.log), 2000U);
  EXPECT_TRUE(path_exists(spec.log.string() + ".1"));
  EXPECT_FALSE(path_exists(spec.log.string() + ".2"));
}

TEST_F(RuntimeTest, ContainerWithATerminal) {
  auto spec = shell("test -t 1 && echo yes");
  spec.tty = true;
  EXPECT_EQ(run(spec).out, "yes\r\n");
}

// A process of its own starts a container and is killed; gives the container's id.
template <class Change>
std::string start_and_die(const fs::path& state, Spec spec, Change change) {
  change(spec);
  auto pipe = must(make_pipe());
  pid_t pid = ::fork();
  if (pid == 0) {
    auto runtime = Runtime::open(state);
    auto container = (*runtime)->start(Ctx(), spec, {});
    (void)write_all(pipe.write.get(), container ? "ok" : container.error().what());
    ::kill(::getpid(), SIGKILL);
  }
  pipe.write.reset();
  EXPECT_EQ(must(read_all(pipe.read.get())), "ok");
  int status = 0;
  ::waitpid(pid, &status, 0);
  return spec.id;
}

TEST_F(RuntimeTest, SurvivesOurDeathAndTellsItsStatusLater) {
  auto spec = shell("echo before; while ! test -e /go; do sleep 0.01; done; echo after; exit 42");
  auto log = folder_->path() / "survivor.log";
  auto id = start_and_die(state(), spec, [&](Spec& s) { s.outlives_us = true, s.log = log; });
  EXPECT_EQ(must(runtime_->survivors()), std::vector<std::string>{id});
  auto container = must(runtime_->attach(id));
  EXPECT_GT(container->pid(), 1);
  EXPECT_FALSE(container->finished());
  EXPECT_EQ(must(container->exec(ctx_, {.argv = {"touch", "/go"}}, {})), 0);
  EXPECT_EQ(must(container->wait(ctx_)), 42);
  EXPECT_TRUE(must(read_file(log)).contains("stdout F after\n"));
  ASSERT_TRUE(container->destroy());
  EXPECT_EQ(must(runtime_->survivors()), std::vector<std::string>{});
}

TEST_F(RuntimeTest, StatusIsKeptForTheOneWhoAsksLate) {
  auto id = start_and_die(state(), shell("exit 6"), [](Spec& s) { s.outlives_us = true; });
  auto container = must(runtime_->attach(id));
  EXPECT_EQ(must(container->wait(ctx_)), 6);
  EXPECT_TRUE(container->finished());
}

TEST_F(RuntimeTest, DiesWithUsUnlessToldOtherwise) {
  auto id = start_and_die(state(), shell("sleep 100"), [](Spec&) {});
  auto container = must(runtime_->attach(id));
  EXPECT_EQ(must(container->wait(ctx_)), 137);
  ASSERT_TRUE(container->destroy());
}

// Killed while it tried out what runs here: whoever tries it again ends what is left, and nobody else's trial.
TEST_F(RuntimeTest, EndsATrialThatWasKilled) {
  pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  auto left = fmt::format("probe-{}-abc123", dead), theirs = fmt::format("probe-{}-abc123", ::getppid());
  for (const auto& id : {left, theirs}) must(make_dirs(state() / "trials" / id / "image"));
  start_and_die(state(), shell("sleep 100"), [&](Spec& s) { s.id = left; });
  for (const auto& file : must(list_dir(state())))
    if (file.starts_with("probe-")) must(remove_tree(state() / file));
  auto again = must(Runtime::open(state()));
  EXPECT_EQ(must(again->survivors()), std::vector<std::string>{});
  EXPECT_EQ(must(list_dir(state() / "trials")), std::vector<std::string>{theirs});
  EXPECT_FALSE(must(read_file("/proc/self/mountinfo")).contains(left));
}

TEST_F(RuntimeTest, StartsConcurrently) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      auto spec = shell(fmt::format("exit {}", i));
      spec.cgroup = "ci/x";
      auto code = runtime_->run(ctx_, spec, {});
      if (code && *code == i)
        ++good;
      else if (!code)
        ADD_FAILURE() << code.error().what();
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 8);
}

TEST_F(RuntimeTest, RefusesBadIds) {
  for (const char* id : {"", "..", "a/b", "a b"}) {
    auto spec = shell("true");
    spec.id = id;
    EXPECT_EQ(runtime_->start(ctx_, spec, {}).error().kind(), Kind::invalid);
  }
  auto spec = shell("sleep 100");
  auto first = must(runtime_->start(ctx_, spec, {}));
  EXPECT_EQ(runtime_->start(ctx_, spec, {}).error().kind(), Kind::conflict);
  EXPECT_EQ(runtime_->attach("absent").error().kind(), Kind::not_found);
}

TEST_F(RuntimeTest, PlainFolderAsRoot) {
  auto spec = shell("echo > /touched; true");
  auto root = folder_->path() / "plain";
  ASSERT_TRUE(copy_tree(folder_->path() / "image", root));
  spec.layers.clear();
  spec.rootfs = root;
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_TRUE(path_exists(root / "touched"));
}

TEST_F(RuntimeTest, OverlayOfManyAndOddlyNamedLayers) {
  std::vector<fs::path> layers;
  for (int i = 0; i < 100; ++i) {
    auto dir = folder_->path() / fmt::format("layers/a:b,c\\{:060}", i);
    ASSERT_TRUE(make_dirs(dir));
    ASSERT_TRUE(write_file(dir / "which", std::to_string(i)));
    layers.push_back(dir);
  }
  auto at = folder_->path() / "many";
  {
    auto overlay = must(Overlay::mount(layers, at / "up,per", at / "work", at / "merged"));
    EXPECT_EQ(must(read_file(overlay.merged() / "which")), "99");
    ASSERT_TRUE(write_file(overlay.merged() / "new", "x"));
  }
  EXPECT_EQ(must(list_dir(at / "up,per")), std::vector<std::string>{"new"});
  auto one = must(Overlay::mount({layers[3]}, {}, {}, at / "single"));
  EXPECT_EQ(must(read_file(at / "single/which")), "3");
  EXPECT_FALSE(write_file(at / "single/which", "4"));
}

}  // namespace
}  // namespace slipway::box
