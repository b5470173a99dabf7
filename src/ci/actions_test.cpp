#include "base/process.h"
#include "ci/actions/testing.h"
#include "ci/actions/version_range.h"

namespace slipway::ci {
namespace {

TEST_F(ActionsTest, ArtifactsGoFromJobToJob) {
  auto r = run(R"W(
on: push
jobs:
  make:
    runs-on: x
    steps:
      - run: mkdir -p out/sub; echo one > out/a.txt; echo two > out/sub/b.txt; printf '#!/bin/sh\necho ran\n' > out/run.sh; chmod +x out/run.sh; ln -s a.txt out/l; echo h > out/.hidden
      - uses: actions/upload-artifact@v4
        with: {name: stuff, path: "out\n!out/sub"}
      - uses: actions/upload-artifact@v4
        with: {name: sub, path: out/sub/*.txt}
      - {id: none, uses: actions/upload-artifact@v4, with: {name: none, path: nowhere/}}
  take:
    needs: make
    runs-on: x
    steps:
      - uses: actions/download-artifact@v4
        with: {name: stuff, path: got}
      - run: cat got/a.txt got/l; ./got/run.sh; ls -A got | tr '\n' ' '
      - uses: actions/download-artifact@v4
        with: {path: all}
      - run: find all -type f | sort | tr '\n' ' '
)W");
  ASSERT_EQ(r.conclusions(), "make=success take=success") << r.output << r.words;
  EXPECT_TRUE(r.output.contains("one\none\nran\na.txt l run.sh")) << r.output;
  EXPECT_TRUE(r.output.contains("all/stuff/a.txt all/stuff/run.sh all/sub/b.txt")) << r.output;
  EXPECT_EQ(r.job("make").artifacts.size(), 2U);
  EXPECT_TRUE(r.words.contains("No files were found with the provided path: nowhere/")) << r.words;
}

TEST_F(ActionsTest, ArtifactsAreMergedPickedByIdAndGivenAlone) {
  auto r = run(R"W(
on: push
jobs:
  make:
    runs-on: x
    steps:
      - run: mkdir -p a/sub b; echo one > a/sub/1.txt; echo two > b/2.txt; echo three > lone.txt
      - {id: a, uses: actions/upload-artifact@v4, with: {name: part-a, path: a, compression-level: 9}}
      - {uses: actions/upload-artifact@v4, with: {name: part-b, path: b}}
      - {uses: actions/upload-artifact@v7, with: {path: lone.txt, archive: false}}
      - {id: m, uses: actions/upload-artifact/merge@v4, with: {name: whole, pattern: part-*, separate-directories: true, delete-merged: true}}
      - run: ls -A $RUNNER_TEMP/merge-* && echo "id=${{ steps.a.outputs.artifact-id }}"
      - {uses: actions/upload-artifact@v4, with: {name: part-a, path: a, compression-level: 9}}
      - {uses: actions/download-artifact@v5, with: {artifact-ids: "${{ steps.a.outputs.artifact-id }}", path: by-id}}
      - {uses: actions/download-artifact@v4, with: {pattern: '*', merge-multiple: true, path: all}}
      - run: echo $(find by-id all -type f | LC_ALL=C sort)
      - {uses: actions/download-artifact@v4, with: {name: hole}}
)W");
  EXPECT_TRUE(r.output.contains("all/lone.txt all/part-a/sub/1.txt all/part-b/2.txt all/sub/1.txt by-id/sub/1.txt"))
      << r.output << r.words;
  EXPECT_TRUE(r.words.contains("Unable to find an artifact with the name 'hole' in this run\nhint: ")) << r.words;
  EXPECT_TRUE(r.words.contains("Total of 3 artifact(s) downloaded")) << r.words;
}

TEST_F(ActionsTest, ALookUpThatFindsNothingIsSavedStill) {
  const std::string text =
      "- run: mkdir -p d; echo x > d/x\n- {id: c, uses: actions/cache@v4, with: {path: d, key: k, lookup-only: true}}\n"
      "- run: echo \"hit=${{ steps.c.outputs.cache-hit }} ${{ steps.c.outputs.cache-matched-key }}\"\n";
  EXPECT_EQ(steps(text).output, "hit= \n");
  auto second = steps(text);
  EXPECT_EQ(second.output, "hit=true k\n") << second.words;
  EXPECT_TRUE(second.words.contains("Cache found and can be restored from key: k")) << second.words;
}

TEST_F(ActionsTest, CacheIsSavedAtTheEndAndRestored) {
  const std::string text = R"W(
- run: echo k > lock
- id: c
  uses: actions/cache@v4
  with: {path: "~/.deps\nbuild", key: "deps-${{ hashFiles('lock') }}-SUFFIX", restore-keys: "deps-${{ hashFiles('lock') }}-"}
- run: echo "hit=[${{ steps.c.outputs.cache-hit }}] $(cat ~/.deps/x build/y 2>/dev/null | tr '\n' ' ')"; mkdir -p ~/.deps build; echo dx > ~/.deps/x; echo by > build/y
)W";
  options.allow_unisolated = true;
  auto first = steps(replace_all(text, "SUFFIX", "1"));
  EXPECT_TRUE(first.output.contains("hit=[] \n")) << first.output << first.words;
  EXPECT_TRUE(first.words.contains("Cache saved with key: deps-")) << first.words;
  auto second = steps(replace_all(text, "SUFFIX", "1"));
  EXPECT_TRUE(second.output.contains("hit=[true] dx by")) << second.output << second.words;
  auto third = steps(replace_all(text, "SUFFIX", "2"));
  EXPECT_TRUE(third.output.contains("hit=[false] dx by")) << third.output << third.words;
  auto failed = steps(replace_all(text, "SUFFIX", "3") + "- run: exit 1\n");
  EXPECT_FALSE(failed.words.contains("Cache saved")) << failed.words;
}

TEST_F(ActionsTest, HostileLinksDoNotLeadOut) {
  must(write_file(dir.path() / "outside", "secret of the host\n"));
  auto target = dir.path() / "stolen";
  must(make_dirs(target));
  auto r = run(fmt::format(R"W(
on: push
jobs:
  a:
    runs-on: x
    steps:
      - run: mkdir out; ln -s {0} out/up; ln -s {0}/outside out/file
      - uses: actions/upload-artifact@v4
        with: {{name: a, path: out}}
      - run: rm -rf got; ln -s {0}/stolen got; rm -rf $RUNNER_TEMP; ln -s {0}/stolen $RUNNER_TEMP
      - uses: actions/download-artifact@v4
        with: {{name: a, path: got}}
      - run: echo still here
)W",
                           dir.path().string()));
  EXPECT_TRUE(must(list_dir(target)).empty()) << r.words;
  for (auto& artifact : r.job("a").artifacts) EXPECT_LT(artifact.bytes, 400U);
}

TEST_F(ActionsTest, SetupUsesTheHostsToolchainOrSaysWhy) {
  if (!find_program("node")) GTEST_SKIP() << "no node here";
  auto r = steps(
      "- {id: n, uses: actions/setup-node@v4, with: {node-version: '>=10'}}\n- run: echo v=${{ "
      "steps.n.outputs.node-version }}\n"
      "- {uses: actions/setup-node@v4, with: {node-version: '1.2'}}\n");
  EXPECT_TRUE(r.words.contains("Node.js 1.2 is wanted, ") && r.words.contains("hint: ask for")) << r.words;
  EXPECT_FALSE(r.output.contains("v=\n"));
}

TEST(VersionRange, AsSetupActionsReadThem) {
  struct Case {
    Version version;
    const char* range;
    bool want;
  };
  for (auto& [version, range, want] : std::to_array<Case>({{{20, 11, 0}, "20", true},
                                                           {{20, 11, 0}, "20.x", true},
                                                           {{20, 11, 0}, "v20.11", true},
                                                           {{20, 11, 0}, "18", false},
                                                           {{20, 11, 0}, "lts/*", true},
                                                           {{20, 11, 0}, ">=18 <21", true},
                                                           {{20, 11, 0}, ">= 21", false},
                                                           {{1, 22, 3}, "^1.21.0", true},
                                                           {{1, 22, 3}, "~1.21", false},
                                                           {{1, 22, 3}, "1.21 || 1.22", true},
                                                           {{0, 3, 1}, "^0.2", false},
                                                           {{3, 11, 7}, "3.11", true},
                                                           {{3, 1, 7}, "3.11", false},
                                                           {{20, 11, 0}, "nonsense", false},
                                                           {{20, 11, 0}, "", true},
                                                           {{20, 11, 0}, ">20", false}}))
    EXPECT_EQ(satisfies(version, range), want) << range;
  EXPECT_EQ(*find_version("go version go1.22.1 linux/amd64"), (Version{1, 22, 1}));
  EXPECT_EQ(*find_version("openjdk version \"17.0.9\" 2023"), (Version{17, 0, 9}));
}

struct Builder final : path::ImageBuilder {
  Result<path::BuildResult> build(const Ctx&, const path::BuildRequest& request, const path::LogSink& log) override {
    requests.push_back(request);
    dockerfile = read_file(request.context / request.dockerfile).value_or("");
    log(1, "STEP 1\n");
    path::BuildResult out;
    out.digest = Digest::of("image");
    return out;
  }
  std::vector<path::BuildRequest> requests;
  std::string dockerfile;
};

TEST_F(ActionsTest, ImagesAreBuiltByTheInjectedBuilder) {
  Builder builder;
  options.builder = &builder;
  options.registry_host = "localhost:5000";
  event.ref = "refs/tags/v1.2.3", event.sha = "0123456789abcdef0123456789abcdef01234567";
  file("web/Dockerfile", "FROM scratch\n");
  auto r = steps(R"W(
- uses: actions/checkout@v4
- id: meta
  uses: docker/metadata-action@v5
  with:
    images: localhost:5000/shop/web
    tags: |
      type=semver,pattern={{version}}
      type=semver,pattern={{major}}.{{minor}}
      type=sha
- uses: docker/setup-buildx-action@v3
- id: build
  uses: docker/build-push-action@v6
  with:
    context: web
    push: true
    tags: ${{ steps.meta.outputs.tags }}
    labels: ${{ steps.meta.outputs.labels }}
    build-args: |
      A=1
      B=x=y
- run: echo "digest ${{ steps.build.outputs.digest }} ${{ steps.meta.outputs.version }}"
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  ASSERT_EQ(builder.requests.size(), 1U);
  auto& request = builder.requests[0];
  EXPECT_EQ(request.image, "shop/web");
  EXPECT_EQ(request.tags, (std::vector<std::string>{"1.2.3", "1.2", "sha-0123456", "latest"}));
  EXPECT_EQ(request.args, (std::map<std::string, std::string>{{"A", "1"}, {"B", "x=y"}}));
  EXPECT_EQ(request.labels.at("org.opencontainers.image.revision"), event.sha);
  EXPECT_EQ(builder.dockerfile, "FROM scratch\n");
  EXPECT_TRUE(r.output.contains("digest " + Digest::of("image").str() + " 1.2.3"));
  EXPECT_EQ(r.job("j").images.at(0).digest, Digest::of("image"));
}

// What the job's folder holds when the builder looks at it.
struct LookingBuilder final : path::ImageBuilder {
  Result<path::BuildResult> build(const Ctx&, const path::BuildRequest& request, const path::LogSink&) override {
    for (const auto& cache : request.cache_from)
      said +=
          fmt::format("from {} {} {}\n", cache.type, cache.type == "local" ? "" : cache.where,
                      cache.type == "local" ? read_file(fs::path(cache.where) / "index.json").value_or("none") : "");
    for (const auto& cache : request.cache_to) {
      said += fmt::format("to {} {} {}\n", cache.type, cache.type == "local" ? "" : cache.where,
                          cache.all_stages ? "max" : "min");
      if (cache.type == "local") must(make_dirs(cache.where)), must(write_file(fs::path(cache.where) / "new", "cache"));
    }
    said += fmt::format("provenance [{}] sbom {}\n", request.provenance, request.sbom);
    for (const auto& [id, keys] : request.ssh_keys) said += fmt::format("key {} {}\n", id, fmt::join(keys, "|"));
    for (const auto& [id, socket] : request.ssh) said += fmt::format("agent {} {}\n", id, fs::is_socket(socket));
    said += "context " + read_file(request.context / "who").value_or("none");
    path::BuildResult out;
    out.digest = Digest::of("image");
    return out;
  }
  std::string said;
};

TEST_F(ActionsTest, WhatBuildPushActionAsksForReachesTheBuilder) {
  LookingBuilder builder;
  options.builder = &builder;
  options.registry_host = "localhost:5000";
  file("Dockerfile", "FROM scratch\n"), file("who", "job"), file("old/index.json", "{}"), file("key", "KEY");
  auto r = steps(R"W(
- uses: actions/checkout@v4
- uses: docker/build-push-action@v6
  with:
    context: .
    cache-from: |
      type=gha,scope=x
      type=registry,ref=localhost:5000/shop/cache
      type=local,src=old
      type=local,src=absent
      other.example/shop/web:1
    cache-to: |
      type=gha,mode=max
      type=inline
      type=local,dest=new/cache,mode=max
    provenance: mode=max
    sbom: true
    ssh: |
      deploy=key
- run: cat new/cache/new
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_EQ(builder.said,
            "from registry localhost:5000/shop/cache \nfrom local  {}\nfrom registry other.example/shop/web:1 \n"
            "to inline  min\nto local  max\nprovenance [max] sbom true\nkey deploy KEY\ncontext job");
  EXPECT_TRUE(r.output.contains("cache")) << r.output;
  EXPECT_TRUE(r.words.contains("type=gha: the builder keeps its steps on this machine")) << r.words;
}

TEST_F(ActionsTest, AnAgentOfTheJobReachesTheBuilder) {
  if (!find_program("ssh-agent")) GTEST_SKIP() << "no ssh-agent";
  LookingBuilder builder;
  options.builder = &builder;
  file("Dockerfile", "FROM scratch\n");
  auto r = steps(R"W(
- uses: actions/checkout@v4
- run: |
    mkdir -p ~/sockets
    ssh-agent -a ~/sockets/agent >/dev/null
    echo "SSH_AUTH_SOCK=$HOME/sockets/agent" >> "$GITHUB_ENV"
- uses: docker/build-push-action@v6
  with: {ssh: default}
)W");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(builder.said.contains("agent default true")) << builder.said;
}

TEST_F(ActionsTest, BuildPushActionRefusesWhatItCannotDo) {
  LookingBuilder builder;
  options.builder = &builder;
  file("Dockerfile", "FROM scratch\n");
  struct {
    const char *with, *want;
  } table[] = {
      {"{ssh: default}", "no agent runs here (SSH_AUTH_SOCK is not set)"},
      {"{ssh: default=/nothing/there}", "/nothing/there: no agent's socket"},
      {"{cache-to: 'type=registry,ref=other.example/a:b'}", "pushing to other.example is not connected here"},
      {"{cache-from: 'type=nowhere'}", "type=nowhere: not there"},
      {"{provenance: mode=most}", "mode=most: want min or max"},
      {"{attests: 'type=else'}", "want type=sbom or type=provenance"},
  };
  for (const auto& [with, want] : table) {
    auto r = steps(fmt::format("- uses: actions/checkout@v4\n- uses: docker/build-push-action@v6\n  with: {}\n", with));
    EXPECT_TRUE(r.words.contains(want)) << with << "\n" << r.words;
  }
  EXPECT_EQ(builder.said, "");
}

// A link of the job's that leads to one folder within its own root and to another on the host.
TEST_F(ActionsTest, AContextThatIsALinkIsNoFolderOfTheHost) {
  LookingBuilder builder;
  options.builder = &builder;
  auto host = dir.path() / "of-the-host";
  must(make_dirs(host)), must(write_file(host / "who", "host")),
      must(write_file(host / "Dockerfile", "FROM scratch\n"));
  auto r = steps(fmt::format(R"W(
- run: ln -s {0} context && mkdir -p ~{0} && echo -n job > ~{0}/who && touch ~{0}/Dockerfile
- uses: docker/build-push-action@v6
  with: {{context: context}}
)W",
                             host.native()));
  EXPECT_FALSE(builder.said.contains("host")) << builder.said;
}

TEST_F(ActionsTest, PushingToUnconnectedRegistriesIsRefused) {
  Builder builder;
  options.builder = &builder;
  file("Dockerfile", "FROM scratch\n");
  auto r = steps(
      "- uses: actions/checkout@v4\n- uses: docker/build-push-action@v6\n  with: {push: true, tags: "
      "'registry.example.com/a/b:1'}\n");
  EXPECT_TRUE(r.words.contains("pushing to registry.example.com is not connected here")) << r.words;
  EXPECT_TRUE(builder.requests.empty());
}

struct Previews final : path::Previewer {
  Result<path::PreviewHandle> create(const Ctx& ctx, const path::PreviewRequest& request,
                                     const path::LogSink&) override {
    asked = request;
    TRY_OK(ctx.alive());
    return path::PreviewHandle{"preview-" + request.name, {{"web", "http://10.0.0.1:80"}}};
  }
  Result<> tear_down(const Ctx& ctx, const std::string& ns, const path::LogSink&) override {
    TRY_OK(ctx.alive());
    gone.push_back(ns);
    return {};
  }
  path::PreviewRequest asked;
  std::vector<std::string> gone;
};

TEST_F(ActionsTest, PreviewsAreTornDownAlsoOnFailureAndCancel) {
  Previews previews;
  options.previewer = &previews;
  const std::string text =
      "- id: p\n  uses: slipway/preview@v1\n  with: {name: t, overlay: k8s/dev, images: 'web=shop/web@sha256:1', "
      "ready-timeout: 30s}\n"
      "- run: echo \"at ${{ steps.p.outputs.url-web }} ${{ steps.p.outputs.namespace }}\"; ";
  auto failed = steps(text + "exit 1\n");
  EXPECT_EQ(failed.conclusions(), "j=failure");
  EXPECT_TRUE(failed.output.contains("at http://10.0.0.1:80 preview-t")) << failed.words;
  EXPECT_EQ(previews.gone, (std::vector<std::string>{"preview-t"}));
  EXPECT_EQ(previews.asked.images.at("web"), "shop/web@sha256:1");
  EXPECT_EQ(previews.asked.ready_within, Millis(30000));
  auto cancelled =
      run("on: push\njobs:\n  j:\n    timeout-minutes: 0.003\n    runs-on: x\n    steps:\n      - {uses: "
          "slipway/preview@v1, with: {name: u, overlay: k}}\n"
          "      - run: exec sleep 60\n");
  EXPECT_EQ(previews.gone.back(), "preview-u");
  EXPECT_TRUE(steps("- {uses: slipway/preview@v1, with: {name: u}}\n").words.contains("not supplied: overlay"));
}

struct Scans final : path::Scanner {
  Result<path::ScanReport> scan_image(const Ctx&, const std::string& repository,
                                      const std::string& reference) override {
    asked = repository + "|" + reference;
    path::ScanReport out;
    path::Finding low{.check = "vulnerability", .rule = "CVE-1", .severity = path::Severity::low, .package = "a"};
    path::Finding high{
        .check = "vulnerability", .rule = "CVE-2", .severity = path::Severity::high, .package = "b", .fixed_in = "2"};
    out.findings = {low, high};
    return out;
  }
  Result<path::ScanReport> scan_folder(const Ctx&, const fs::path&) override { return path::ScanReport{}; }
  std::vector<path::Finding> scan_secrets(const std::vector<std::pair<std::string, std::string>>&) override {
    return {};
  }
  std::string asked;
};

TEST_F(ActionsTest, ScansFailBySeverity) {
  Scans scans;
  options.scanner = &scans;
  auto r = steps(
      "- uses: aquasecurity/trivy-action@0.28.0\n  with: {image-ref: 'shop/web@sha256:12', severity: 'HIGH,CRITICAL', "
      "exit-code: '1', ignore-unfixed: true}\n");
  EXPECT_EQ(scans.asked, "shop/web|sha256:12");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_TRUE(r.output.contains("CVE-2") && !r.output.contains("CVE-1")) << r.output;
  EXPECT_EQ(r.job("j").findings.size(), 1U);
  auto sarif = steps(
      "- uses: aquasecurity/trivy-action@0.28.0\n  with: {image-ref: a, format: sarif, output: out.sarif}\n- run: grep "
      "-c ruleId out.sarif\n");
  EXPECT_EQ(sarif.conclusions(), "j=success") << sarif.words;
  EXPECT_TRUE(sarif.output.contains("2"));
}

TEST_F(ActionsTest, PathFilters) {
  event.paths = {"services/web/a.ts", "docs/x.md"};
  auto r = steps(R"W(
- id: f
  uses: dorny/paths-filter@v3
  with:
    list-files: json
    filters: |
      web: [services/web/**]
      api:
        - services/api/**
      docs: ['**/*.md']
- run: echo "${{ steps.f.outputs.web }} ${{ steps.f.outputs.api }} ${{ join(fromJSON(steps.f.outputs.changes), '+') }}"
)W");
  EXPECT_TRUE(r.output.contains("true false web+docs")) << r.output << r.words;
}

TEST_F(ActionsTest, CheckoutOfACommitHasAGitFolder) {
  auto repository = must(git::Repository::init(dir.path() / "mirror.git"));
  auto tree = must(repository.write_tree("", {{"a.txt", "v1\n"}, {"bin/x", "#!/bin/sh\necho x\n", 0100755}}));
  git::Signature me{"a", "a@example.com", std::chrono::system_clock::now()};
  auto commit = must(repository.write_commit(tree, {}, me, "first"));
  must(repository.update_ref("refs/heads/main", commit, std::nullopt, "test"));
  options.repository = &repository;
  options.commit = commit;
  options.folder.clear();
  event.sha = commit;
  auto r = steps(
      "- uses: actions/checkout@v4\n- run: cat a.txt; ./bin/x; git config --global --add safe.directory '*'; git "
      "rev-parse HEAD; git status --porcelain\n"
      "- {uses: actions/checkout@v4, with: {path: again, ref: main}}\n- run: cat again/a.txt\n");
  ASSERT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  EXPECT_EQ(r.output, "v1\nx\n" + commit + "\nv1\n");
}

}  // namespace
}  // namespace slipway::ci
