// Jobs, services and steps in images: with real containers.
#include "base/process.h"
#include "ci/testing.h"

namespace slipway::ci {
namespace {

class ContainersTest : public RunnerTest {
 protected:
  // A store that holds base/busybox:1.
  void images() {
    isolate();
    if (IsSkipped()) return;
    if (!path_exists("/bin/busybox")) GTEST_SKIP() << "no busybox here";
    blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    registry = must(oci::Registry::open(*blobs, dir.path() / "registry.db"));
    layers = must(oci::LayerCache::open(*blobs, dir.path() / "layers"));
    options.blobs = blobs.get(), options.registry = registry.get(), options.layers = layers.get();
    options.registry_host = "localhost:5000";
    auto root = dir.path() / "busybox";
    must(make_dirs(root / "bin"));
    must(make_dirs(root / "tmp"));
    fs::copy_file("/bin/busybox", root / "bin/busybox");
    for (auto* name : {"sh", "cat", "echo", "ls", "sleep", "touch", "test", "env", "grep", "id", "true", "nc"})
      fs::create_symlink("busybox", root / "bin" / name);
    // A busybox that is linked dynamically brings its libraries.
    auto linked = run_program({"ldd", "/bin/busybox"});
    for (auto line : lines(linked))
      for (auto word : split(line, ' ')) {
        auto path = fs::path(trim(word));
        if (!path.is_absolute() || path_exists(root / path.relative_path())) continue;
        must(make_dirs((root / path.relative_path()).parent_path()));
        fs::copy_file(fs::canonical(path), root / path.relative_path());
      }
    auto layer = must(oci::pack_layer({}, *blobs, root));
    oci::Config config;
    config.env = {"PATH=/bin", "FROM_IMAGE=yes"};
    config.cmd = {"sh", "-c", "echo default command"};
    config.diff_ids = {layer.diff_id};
    auto text = oci::print(config);
    oci::Manifest manifest;
    manifest.config = {std::string(oci::media::config), must(blobs->put(text)), text.size()};
    manifest.layers = {layer.descriptor};
    must(registry->put_manifest("base/busybox", "1", oci::media::manifest, oci::print(manifest)));
  }
  static std::string run_program(std::vector<std::string> argv) {
    auto out = slipway::run({}, Command{.argv = std::move(argv)});
    return out ? out->out : std::string();
  }
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<oci::Registry> registry;
  std::unique_ptr<oci::LayerCache> layers;
};

TEST_F(ContainersTest, SLOW_JobRunsInItsImage) {
  images();
  if (IsSkipped()) return;
  file("a.txt", "source\n");
  auto r = run(R"W(
on: push
jobs:
  j:
    runs-on: x
    container: {image: "localhost:5000/base/busybox:1", env: {E: from-job}}
    steps:
      - uses: actions/checkout@v4
      - run: cat a.txt; ls / ; echo "$FROM_IMAGE $E"; test ! -e /etc/shadow && echo small
      - id: o
        run: echo "k=v" >> $GITHUB_OUTPUT
      - run: echo "k=${{ steps.o.outputs.k }} in $PWD"
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  for (auto want : {"source", "yes from-job", "small", "k=v in /home/runner/work/local/local"})
    EXPECT_TRUE(r.output.contains(want)) << want << r.output;
}

TEST_F(ContainersTest, SLOW_ServicesAreUpBeforeTheSteps) {
  images();
  if (IsSkipped()) return;
  auto r = run(R"W(
on: push
jobs:
  j:
    runs-on: x
    services:
      db:
        image: base/busybox:1
        command: sh -c 'true'
        env: {A: b}
        entrypoint: ""
        options: --health-cmd "test -e /tmp/up" --health-interval 50ms --health-retries 100
        ports: [5432]
    steps:
      - run: grep db /etc/hosts; echo "port ${{ job.services.db.ports['5432'] }}"
)W");
  // The command ends at once, so the service is never healthy: it says so instead of running the steps.
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_TRUE(r.words.contains("service db ended before it was healthy")) << r.words;
  auto good = run(R"W(
on: push
jobs:
  j:
    runs-on: x
    services:
      db:
        image: base/busybox:1
        command: sleep 60
        options: --health-cmd "id" --health-interval 50ms
        ports: ["5432:5432"]
    steps:
      - run: grep db /etc/hosts; echo "port ${{ job.services.db.ports['5432'] }}"
)W");
  ASSERT_EQ(good.conclusions(), "j=success") << good.output << good.words;
  EXPECT_TRUE(good.output.contains("127.0.0.1 runner db") && good.output.contains("port 5432")) << good.output;
  EXPECT_TRUE(must(runtime->survivors()).empty());
}

TEST_F(ContainersTest, SLOW_StepsAndActionsThatAreContainers) {
  images();
  if (IsSkipped()) return;
  file("act/action.yml",
       "name: a\ninputs: {who: {default: you}}\nruns: {using: docker, image: 'docker://base/busybox:1', entrypoint: "
       "/bin/sh, args: ['-c', "
       "'echo hello ${{ inputs.who }} $INPUT_WHO; echo said=1 >> $GITHUB_OUTPUT']}\n");
  auto r = steps(R"W(
- uses: actions/checkout@v4
- uses: docker://base/busybox:1
- uses: docker://base/busybox:1
  with: {entrypoint: /bin/ls, args: act}
- id: a
  uses: ./act
- run: echo "said ${{ steps.a.outputs.said }}"
- uses: docker://base/missing:1
)W");
  EXPECT_EQ(r.conclusions(), "j=failure");
  for (auto want : {"default command", "action.yml", "hello you you", "said 1"})
    EXPECT_TRUE(r.output.contains(want)) << want << r.output << r.words;
  EXPECT_TRUE(r.words.contains("hint: slipway image pull base/missing:1")) << r.words;
}

TEST_F(ContainersTest, SLOW_CancelledAndHangingStepsEndInTheContainer) {
  isolate();
  if (IsSkipped()) return;
  auto r = run(R"W(
on: push
jobs:
  j:
    timeout-minutes: 0.02
    runs-on: x
    steps:
      - run: (setsid sleep 300 &) ; echo started; exec sleep 300
      - if: cancelled()
        run: echo cleanup
)W");
  EXPECT_EQ(r.conclusions(), "j=failure") << r.words;
  EXPECT_TRUE(r.output.contains("cleanup")) << r.output;
  EXPECT_TRUE(must(runtime->survivors()).empty());
}

TEST_F(ContainersTest, SLOW_MemoryIsLimited) {
  isolate();
  if (IsSkipped()) return;
  options.limits.memory_bytes = 64 << 20;
  auto r = steps(
      "- run: python3 -c 'x = bytearray(300_000_000); print(len(x))'\n- if: always()\n  run: echo \"goes on ${{ "
      "steps.__run.outcome }}\"\n");
  EXPECT_EQ(r.conclusions(), "j=failure") << r.output;
  EXPECT_FALSE(r.output.contains("300000000"));
  EXPECT_TRUE(r.output.contains("goes on failure")) << r.output << r.words;
}

TEST_F(ContainersTest, SLOW_GitlabJobsHaveImagesAndServices) {
  images();
  if (IsSkipped()) return;
  auto r = run_gitlab(R"Y(
variables: {IMAGE: "localhost:5000/base/busybox:$TAG", TAG: "1"}
j:
  image: {name: $IMAGE, entrypoint: [""]}
  services:
    - name: localhost:5000/base/busybox:1
      alias: echo-one,other
      command: [sh, -c, 'echo "$WORD two" > /tmp/said; while true; do nc -l -p 7070 < /tmp/said; done']
      variables: {WORD: "said $TAG"}
  script:
    - echo "$FROM_IMAGE in $CI_JOB_IMAGE"
    - until nc echo-one 7070 < /dev/null > got && test -s got; do :; done
    - echo "got $(cat got)"; grep -c other /etc/hosts
)Y");
  ASSERT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  for (auto want : {"yes in localhost:5000/base/busybox:1", "got said 1 two"})
    EXPECT_TRUE(r.output.contains(want)) << want << r.output << r.words;
}

}  // namespace
}  // namespace slipway::ci
