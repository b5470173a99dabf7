#include "intake/intake.h"

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::intake {
namespace {

struct IntakeTest : testing::Test {
  TempDir dir = must(TempDir::make("intake"));
  git::Repository repo = must(git::Repository::init(dir.path() / "shop.git"));
  git::Signature ada{"Ada", "ada@example.org", WallTime(std::chrono::seconds(1'790'000'000))};

  git::Oid commit(const std::vector<git::Oid>& parents, const std::vector<git::FileEdit>& edits,
                  const std::string& message = "Change things\n\nwhy") {
    return must(
        repo.write_commit(must(repo.write_tree(parents.empty() ? "" : parents[0], edits)), parents, ada, message));
  }
  void set(const std::string& ref, const git::Oid& id) { must(repo.update_ref(ref, id, std::nullopt, "test")); }
  git::Oid first = commit({}, {{"a", "1\n"}, {"web/b", "1\n"}}),
           second = commit({first}, {{"web/b", "2\n"}, {"c", "x"}});
};
const git::Oid none(git::zero_oid);

TEST_F(IntakeTest, ReadsPushes) {
  set("refs/heads/main", second);
  auto change = must(change_of_push(repo, "shop", {"refs/heads/main", first, second}, "bob"));
  EXPECT_EQ(change.paths, (std::vector<std::string>{"c", "web/b"}));
  EXPECT_EQ(change.subject, "Change things");
  EXPECT_EQ(change.author, "bob");
  EXPECT_EQ(change.before, first);
  EXPECT_EQ(change.tree, must(repo.tree_of(second)));
  EXPECT_EQ(must(change_of_push(repo, "shop", {"refs/heads/main", first, second}, "anonymous")).author, "Ada");
  // The first push: everything. A branch: what it adds to main.
  EXPECT_EQ(must(change_of_push(repo, "shop", {"refs/heads/main", none, second}, "")).paths.size(), 3u);
  auto topic = commit({second}, {{"new", "y"}});
  auto branch = must(change_of_push(repo, "shop", {"refs/heads/topic", none, topic}, ""));
  EXPECT_EQ(branch.paths, std::vector<std::string>{"new"});
  EXPECT_EQ(branch.before, "");
  EXPECT_EQ(must(change_of_push(repo, "shop", {"refs/tags/v1", none, second}, "")).event, path::Change::Event::tag);
  EXPECT_EQ(change_of_push(repo, "shop", {"refs/heads/topic", first, none}, "").error().what(),
            "shop: refs/heads/topic was deleted: nothing to run");
  EXPECT_EQ(change_of_push(repo, "shop", {"refs/heads/x", none, std::string(40, '9')}, "").error().kind(),
            Kind::not_found);
}

TEST_F(IntakeTest, ReadsPullRequestsAsTheyMerge) {
  set("refs/heads/main", second);
  auto head = commit({first}, {{"a", "mine\n"}}, "My change");
  auto change =
      must(change_of_pull_request(repo, "shop", {.number = 7, .head = head, .author = "eve", .trusted = false}));
  EXPECT_EQ(change.paths, std::vector<std::string>{"a"});
  EXPECT_EQ(change.base, second);
  EXPECT_EQ(change.base_ref, "refs/heads/main");
  EXPECT_EQ(change.subject, "My change");
  EXPECT_FALSE(change.trusted);
  EXPECT_EQ(must(repo.read(change.tree, "web/b")), "2\n");
  EXPECT_EQ(must(repo.read(change.tree, "a")), "mine\n");
  auto clash = commit({first}, {{"web/b", "other\n"}});
  auto refused = change_of_pull_request(repo, "shop", {.number = 8, .head = clash});
  EXPECT_EQ(refused.error().print(),
            "shop#8: does not merge into main: conflicts in web/b\nhint: git rebase origin/main and push again");
  EXPECT_EQ(refused.error().kind(), Kind::conflict);
  EXPECT_EQ(change_of_pull_request(repo, "shop", {.number = 9, .base = "none", .head = head}).error().what(),
            "shop#9: no branch none");
}

TEST_F(IntakeTest, ReadsHooks) {
  set("refs/heads/main", second);
  forge::Hook hook{.type = forge::Hook::Type::push,
                   .repository = "o/shop",
                   .ref = "refs/heads/main",
                   .before = first,
                   .after = second,
                   .author = "bob",
                   .subject = "s",
                   .paths = {"c"},
                   .paths_complete = false};
  EXPECT_EQ(must(change_of_hook(hook))->paths.size(), 0u);
  EXPECT_EQ(must(change_of_hook(hook, repo))->paths.size(), 2u);
  hook.after = "";
  EXPECT_EQ(must(change_of_hook(hook)), std::nullopt);
  auto head = commit({first}, {{"a", "mine\n"}});
  forge::Hook request{.type = forge::Hook::Type::pull_request,
                      .repository = "o/shop",
                      .ref = "refs/pull/3/head",
                      .after = head.substr(0, 12),
                      .pull_request = 3,
                      .base_ref = "refs/heads/main",
                      .from_fork = true,
                      .author = "eve"};
  auto change = must(change_of_hook(request, repo)).value();
  EXPECT_EQ(change.after, head);
  EXPECT_FALSE(change.trusted);
  request.after = std::string(40, '9');
  EXPECT_EQ(change_of_hook(request, repo).error().kind(), Kind::not_found);
}

TEST_F(IntakeTest, FindsWhatAKillSwallowed) {
  set("refs/heads/main", second);
  set("refs/heads/new", first);
  set("refs/heads/known", first);
  set("refs/pull/1/head", first);
  std::string text;
  for (const auto& change : must(missing_changes(
           repo, "shop", {{"refs/heads/main", first}, {"refs/heads/known", first}, {"refs/heads/gone", first}})))
    text += fmt::format("{} {}..{}\n", change.ref, change.before == first ? "first" : change.before,
                        change.after == second ? "second" : "first");
  EXPECT_EQ(text, "refs/heads/main first..second\nrefs/heads/new ..first\n");
}

}  // namespace
}  // namespace slipway::intake
