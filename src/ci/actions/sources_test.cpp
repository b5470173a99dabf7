// Actions about the repository: checkout, what changed, pull requests.
#include "base/process.h"
#include "ci/actions/testing.h"

namespace slipway::ci {
namespace {

class SourcesTest : public ActionsTest {
 protected:
  void SetUp() override {
    if (!find_program("git")) GTEST_SKIP() << "no git here";
    bare = dir.path() / "git/local.git";
    must(make_dirs(bare.parent_path()));
    repository.emplace(must(git::Repository::init(bare)));
    first = commit("",
                   {{"README.md", "one\n"},
                    {"web/a.ts", "a\n"},
                    {"web/gone.ts", "g\n"},
                    {"api/x.go", "x\n"},
                    {"docs/d.md", "d\n"}},
                   {}, "first");
    must(repository->update_ref("refs/tags/v1.0.0", first, std::nullopt, "test"));
    second =
        commit(must(repository->commit(first)).tree,
               {{"web/a.ts", "aa\n"}, {"web/new file.ts", "n\n"}, {"web/gone.ts", std::nullopt}, {"docs/d.md", "dd\n"}},
               {first}, "second");
    must(repository->update_ref("refs/heads/main", second, std::nullopt, "test"));
    options.repository = &*repository;
    options.commit = second;
    options.folder.clear();
    event.sha = second, event.before = first;
  }
  std::string commit(const std::string& tree, const std::vector<git::FileEdit>& edits,
                     const std::vector<std::string>& parents, const char* message) {
    auto written = must(repository->write_tree(tree, edits));
    return must(
        repository->write_commit(written, parents, {"a", "a@example.com", std::chrono::system_clock::now()}, message));
  }
  fs::path bare;
  std::optional<git::Repository> repository;
  std::string first, second;
};

struct Case {
  const char* name;
  const char* text;  // FIRST and SECOND stand for the commits
  const char* want;
};
class SourcesTable : public SourcesTest, public testing::WithParamInterface<Case> {};
TEST_P(SourcesTable, Gives) {
  options.actions = [&](const Ctx&, const std::string& name,
                        const std::string& ref) -> Result<std::optional<fs::path>> {
    if (name != "team/lib") return std::optional<fs::path>();
    must(make_dirs(dir.path() / "lib"));
    must(write_file(dir.path() / "lib/lib.txt", "lib at " + ref + "\n"));
    return std::optional(dir.path() / "lib");
  };
  auto text = replace_all(replace_all(GetParam().text, "FIRST", first), "SECOND", second);
  auto r = steps(text);
  auto want = replace_all(replace_all(GetParam().want, "FIRST", first), "SECOND", second);
  EXPECT_TRUE((r.output + r.words).contains(want)) << "want " << want << "\n" << r.output << r.words;
}
INSTANTIATE_TEST_SUITE_P(
    Checkout, SourcesTable,
    testing::ValuesIn(std::to_array<Case>({
        {"Outputs",
         "- {id: c, uses: actions/checkout@v4}\n- run: echo ${{ steps.c.outputs.ref }} ${{ steps.c.outputs.commit }}\n",
         "refs/heads/main SECOND"},
        {"Tag",
         "- {id: c, uses: actions/checkout@v4, with: {ref: v1.0.0}}\n- run: echo ${{ steps.c.outputs.commit }} $(cat "
         "web/a.ts)\n",
         "FIRST a\n"},
        {"RefNear", "- {uses: actions/checkout@v4, with: {ref: maim}}\n", "hint: did you mean 'main'?"},
        {"Depth",
         "- {uses: actions/checkout@v4, with: {fetch-depth: 0}}\n- run: git rev-list --count HEAD; git describe "
         "--tags\n",
         "2\nv1.0.0-1-g"},
        {"DepthTwo",
         "- {uses: actions/checkout@v4, with: {fetch-depth: 2}}\n- run: git rev-list --count HEAD; git tag | wc -l\n",
         "2\n0\n"},
        {"DepthOne", "- {uses: actions/checkout@v4}\n- run: git rev-list --count HEAD\n", "1\n"},
        {"DepthWrong", "- {uses: actions/checkout@v4, with: {fetch-depth: all}}\n",
         "fetch-depth: got \"all\", want a number of commits"},
        {"Tags", "- {uses: actions/checkout@v4, with: {fetch-tags: true}}\n- run: git tag\n", "v1.0.0\n"},
        {"Sparse",
         "- {uses: actions/checkout@v4, with: {sparse-checkout: web}}\n- run: echo $(ls); git status --porcelain | wc "
         "-l\n",
         "README.md web\n0\n"},
        {"SparsePatterns",
         "- {uses: actions/checkout@v4, with: {sparse-checkout: '/docs/*.md', sparse-checkout-cone-mode: false}}\n- "
         "run: echo $(find . -name '*.*' -type f -not -path './.git/*')\n",
         "./docs/d.md\n"},
        {"Path", "- {uses: actions/checkout@v4, with: {path: sub/x}}\n- run: cat sub/x/README.md\n", "one\n"},
        {"PathOutside", "- {uses: actions/checkout@v4, with: {path: ../x}}\n", "Repository path '../x' is not under '"},
        {"Unclean",
         "- run: echo kept > own.txt\n- {uses: actions/checkout@v4, with: {clean: false}}\n- run: cat own.txt\n",
         "kept\n"},
        {"Clean", "- run: echo kept > own.txt\n- {uses: actions/checkout@v4}\n- run: ls own.txt || echo none\n",
         "none\n"},
        {"Other",
         "- {uses: actions/checkout@v4, with: {repository: team/lib, ref: v2, path: lib}}\n- run: cat lib/lib.txt\n",
         "lib at v2\n"},
        {"OtherUnknown", "- {uses: actions/checkout@v4, with: {repository: team/none}}\n",
         "repository team/none at HEAD is not kept here"},
        {"OtherWrong", "- {uses: actions/checkout@v4, with: {repository: lib}}\n", "Expected format {owner}/{repo}."},
        {"Safe", "- {uses: actions/checkout@v4}\n- run: git config --global --get-all safe.directory\n",
         "local/local\n"},
        {"NotSafe",
         "- {uses: actions/checkout@v4, with: {set-safe-directory: false}}\n- run: git config --global --get-all "
         "safe.directory || echo nothing\n",
         "nothing\n"},
        {"Credentials",
         "- {uses: actions/checkout@v4, with: {token: abcdefgh}}\n- run: git config --get-all "
         "http.http://localhost/.extraheader | tr a-z A-Z\n",
         "AUTHORIZATION: BASIC "},
        {"NoCredentials",
         "- {uses: actions/checkout@v4, with: {token: abcdefgh, persist-credentials: false}}\n- run: git config "
         "--get-regexp '^http.http://localhost' || echo none; git remote -v\n",
         "none\norigin\thttp://localhost/git/local.git (fetch)"},
        {"NoLfs", "- {uses: actions/checkout@v4, with: {lfs: true}}\n- run: echo fine\n", "fine\n"},
    })),
    [](const auto& i) { return i.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Changes, SourcesTable,
    testing::ValuesIn(std::to_array<Case>({
        {"Filter",
         "- {id: f, uses: dorny/paths-filter@v3, with: {filters: \"web: web/**\\napi: [api/**]\\n\", list-files: "
         "shell}}\n- run: echo \"${{ steps.f.outputs.web }} ${{ steps.f.outputs.api }} ${{ steps.f.outputs.web_count "
         "}} ${{ steps.f.outputs.web_files }}\"\n",
         "true false 3 'web/a.ts' 'web/gone.ts' 'web/new file.ts'"},
        {"FilterKinds",
         "- {id: f, uses: dorny/paths-filter@v3, with: {filters: \"new:\\n  - added: '**'\\ngone:\\n  - "
         "deleted|renamed: '**'\\n\", list-files: json}}\n- run: echo '${{ steps.f.outputs.new_files }} ${{ "
         "steps.f.outputs.gone_files }}'\n",
         "[\"web/new file.ts\"] [\"web/gone.ts\"]"},
        {"FilterEvery",
         "- {id: f, uses: dorny/paths-filter@v3, with: {filters: \"x: ['**', '!**/*.{md,ts}']\\n\", "
         "predicate-quantifier: every}}\n- run: echo x=${{ steps.f.outputs.x }}\n",
         "x=false"},
        {"FilterSome",
         "- {id: f, uses: dorny/paths-filter@v3, with: {filters: \"x: ['!**/*.ts']\\n\", list-files: csv}}\n- run: "
         "echo x=${{ steps.f.outputs.x_files }}\n",
         "x=docs/d.md"},
        {"FilterKindWrong", "- {uses: dorny/paths-filter@v3, with: {filters: \"x:\\n  - touched: '**'\\n\"}}\n",
         "unknown kind of change \"touched\""},
        {"FilterBaseWrong", "- {uses: dorny/paths-filter@v3, with: {filters: \"x: '**'\\n\", base: nope}}\n",
         "base 'nope' is not in the repository"},
        {"FilterForm", "- {uses: dorny/paths-filter@v3, with: {filters: \"x: '**'\\n\", list-files: xml}}\n",
         "'list-files' is set to invalid value 'xml'"},
        {"Changed",
         "- {id: f, uses: tj-actions/changed-files@v45}\n- run: echo \"${{ steps.f.outputs.all_changed_files }}|${{ "
         "steps.f.outputs.deleted_files }}|${{ steps.f.outputs.added_files }}|${{ steps.f.outputs.modified_files "
         "}}|${{ steps.f.outputs.any_deleted }}\"\n",
         "docs/d.md web/a.ts web/new file.ts|web/gone.ts|web/new file.ts|docs/d.md web/a.ts|true"},
        {"ChangedFiles",
         "- {id: f, uses: tj-actions/changed-files@v45, with: {files: \"web/**\\n\", files_ignore: '**/new*', "
         "separator: ','}}\n- run: echo \"${{ steps.f.outputs.all_changed_files }}|${{ "
         "steps.f.outputs.other_changed_files }}|${{ steps.f.outputs.only_changed }}\"\n",
         "web/a.ts|docs/d.md,web/new file.ts|false"},
        {"ChangedYaml",
         "- {id: f, uses: tj-actions/changed-files@v45, with: {files_yaml: \"web: ['web/**']\\napi: api/**\\n\"}}\n- "
         "run: echo \"${{ steps.f.outputs.web_any_changed }} ${{ steps.f.outputs.api_any_changed }} ${{ "
         "steps.f.outputs.changed_keys }}\"\n",
         "true false web\n"},
        {"ChangedMatrix",
         "- {id: f, uses: tj-actions/changed-files@v45, with: {matrix: true, dir_names: true}}\n- run: echo '${{ "
         "steps.f.outputs.all_changed_files }}'\n",
         "[\"docs\",\"web\"]"},
        {"ChangedJson",
         "- {id: f, uses: tj-actions/changed-files@v45, with: {json: true, files: docs/**}}\n- run: echo '${{ "
         "steps.f.outputs.all_changed_files }}'\n",
         "[\\\"docs/d.md\\\"]"},
        {"ChangedSafe",
         "- {id: f, uses: tj-actions/changed-files@v45, with: {base_sha: FIRST, sha: SECOND, files: docs/**}}\n- run: "
         "echo n=${{ steps.f.outputs.all_changed_files_count }}\n",
         "n=1"},
        {"ChangedWritten",
         "- {id: f, uses: tj-actions/changed-files@v45, with: {write_output_files: true}}\n- run: cat "
         ".github/outputs/deleted_files.txt\n",
         "web/gone.ts\n"},
    })),
    [](const auto& i) { return i.param.name; });

TEST_F(SourcesTest, SubmodulesAreKeptHereOrNamed) {
  auto edits = std::vector<git::FileEdit>{
      {".gitmodules", "[submodule \"lib\"]\n\tpath = ext/lib\n\turl = https://git.example.com/team/lib.git\n"}};
  auto with = commit(must(repository->commit(second)).tree, edits, {second}, "modules");
  // The link itself cannot be written as a file: by git, as people do it.
  must(run_ok(Ctx{}, {.argv = {"sh", "-c",
                               "export GIT_INDEX_FILE=$PWD/ix; git read-tree " + with +
                                   " && git update-index --add --cacheinfo 160000," + first +
                                   ",ext/lib && git update-ref refs/heads/main $(git -c user.name=a "
                                   "-c user.email=a@b commit-tree $(git write-tree) -p " +
                                   with + " -m links)"},
                      .cwd = bare.string()}));
  options.commit = event.sha = *must(repository->resolve("refs/heads/main"));
  auto refused = steps("- {uses: actions/checkout@v4, with: {submodules: true}}\n");
  EXPECT_TRUE(refused.words.contains("submodule ext/lib (https://git.example.com/team/lib.git): team/lib at " +
                                     first.substr(0, 12) + " is not kept here"))
      << refused.words;
  options.actions = [&](const Ctx&, const std::string& name,
                        const std::string& ref) -> Result<std::optional<fs::path>> {
    EXPECT_EQ(name + "@" + ref, "team/lib@" + first);
    must(make_dirs(dir.path() / "lib"));
    must(write_file(dir.path() / "lib/lib.txt", "in\n"));
    return std::optional(dir.path() / "lib");
  };
  EXPECT_EQ(steps("- {uses: actions/checkout@v4, with: {submodules: recursive}}\n- run: cat ext/lib/lib.txt\n").output,
            "in\n");
}

TEST_F(SourcesTest, PullRequestsAreOpenedByAPush) {
  options.server_url = "file://" + dir.path().string();
  // What the host says to who pushes.
  must(write_file(bare / "hooks/post-receive",
                  "#!/bin/sh\nread old new ref\necho \"pull request 7 opened: http://house/#/pr/local/7\"\ngit "
                  "update-ref refs/pull/7/head $new\ngit update-ref -d $ref\n",
                  0755));
  const std::string text = R"W(
- uses: actions/checkout@v4
- run: echo changed > README.md; echo left > out.txt
- id: p
  uses: peter-evans/create-pull-request@v7
  with: {token: abcdefgh, title: A title, body: Why it is so, branch: bump, add-paths: README.md, author: "Ann <ann@example.org>", signoff: true}
- run: echo "${{ steps.p.outputs.pull-request-number }} ${{ steps.p.outputs.pull-request-operation }} ${{ steps.p.outputs.pull-request-url }} ${{ steps.p.outputs.pull-request-branch }}"; git status --porcelain | sort | tr '\n' ' '; git rev-parse HEAD
)W";
  auto r = steps(text);
  ASSERT_EQ(r.conclusions(), "j=success") << r.output << r.words;
  EXPECT_EQ(r.output, "7 created http://house/#/pr/local/7 bump\n M README.md ?? out.txt " + second + "\n") << r.words;
  auto head = must(repository->resolve("refs/pull/7/head"));
  ASSERT_TRUE(head);
  auto made = must(repository->commit(*head));
  EXPECT_EQ(made.message,
            "A title\n\nWhy it is so\n\nPull-Request-Branch: bump\nSigned-off-by: slipway <slipway@localhost>\n");
  EXPECT_EQ(made.author.email, "ann@example.org");
  EXPECT_EQ(must(repository->read(*head, "README.md")), "changed\n");
  EXPECT_FALSE(must(repository->read(*head, "out.txt")));
  EXPECT_FALSE(r.words.contains("abcdefgh"));
}

TEST_F(SourcesTest, PullRequestsOfNothingAreNone) {
  options.server_url = "file://" + dir.path().string();
  auto none = steps(
      "- uses: actions/checkout@v4\n- {id: p, uses: peter-evans/create-pull-request@v7, with: {token: t-t-t-t}}\n"
      "- run: echo op=${{ steps.p.outputs.pull-request-operation }}\n");
  EXPECT_EQ(none.output, "op=none\n") << none.words;
  EXPECT_TRUE(steps("- uses: actions/checkout@v4\n- uses: peter-evans/create-pull-request@v7\n")
                  .words.contains("Input 'token' not supplied"));
  EXPECT_TRUE(steps("- uses: peter-evans/create-pull-request@v7\n  with: {token: t-t-t-t}\n")
                  .words.contains("is the workspace a git repository?"));
  EXPECT_TRUE(steps("- uses: peter-evans/create-pull-request@v7\n  with: {token: t-t-t-t, branch: main}\n")
                  .words.contains("must be different branches"));
}

}  // namespace
}  // namespace slipway::ci
