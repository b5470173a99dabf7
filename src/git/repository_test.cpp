#include "git/repository.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <random>

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::git {
namespace {

Signature someone() { return {"Ada", "ada@example.org", WallTime(std::chrono::seconds(1'790'000'000))}; }

struct RepositoryTest : testing::Test {
  TempDir dir = must(TempDir::make("git"));
  Repository repo = must(Repository::init(dir.path() / "r.git"));

  Oid write(const Oid& parent, const std::vector<FileEdit>& edits, std::string_view message = "change") {
    auto tree = must(repo.write_tree(parent, edits));
    return must(
        repo.write_commit(tree, parent.empty() ? std::vector<Oid>{} : std::vector<Oid>{parent}, someone(), message));
  }
  std::string listing(const Oid& id) {
    std::string text;
    for (const auto& entry : must(repo.list(id)))
      if (!entry.is_tree()) text += fmt::format("{:o} {} {}\n", entry.mode, entry.size, entry.path);
    return text;
  }
  std::string git(std::vector<std::string> argv) {
    Command command{.argv = {"git", "-C", repo.path().string()}};
    command.argv.insert(command.argv.end(), argv.begin(), argv.end());
    return must(run_ok(Ctx{}, command));
  }
};

TEST_F(RepositoryTest, WritesTreesByEdits) {
  auto first = write("", {{"a/b/c.txt", "one"}, {"run.sh", "#!", 0100755}, {"a/d", "two"}, {"ln", "a/d", 0120000}});
  EXPECT_EQ(listing(first), "100644 3 a/b/c.txt\n100644 3 a/d\n120000 3 ln\n100755 2 run.sh\n");
  // A deletion that empties a folder takes the folder with it; the mode of what is kept stays.
  auto second = write(first, {{"a/b/c.txt", std::nullopt}, {"run.sh", "#!/bin/sh"}, {"none", std::nullopt}});
  EXPECT_EQ(listing(second), "100644 3 a/d\n120000 3 ln\n100755 9 run.sh\n");
  EXPECT_EQ(must(repo.read(second, "run.sh")), "#!/bin/sh");
  EXPECT_EQ(must(repo.read(second, "a/b/c.txt")), std::nullopt);
  EXPECT_EQ(must(repo.tree_of(first, "a/b")), must(repo.tree_of(must(repo.tree_of(first)), "/a/b/")));
  EXPECT_EQ(repo.tree_of(second, "a/b").error().kind(), Kind::not_found);
  EXPECT_EQ(git({"fsck", "--strict", "--no-dangling"}), "");
}

TEST_F(RepositoryTest, RefusesHostileNames) {
  for (std::string path : {"../x", "a/../../x", ".git/config", "a/.GIT/hooks/x", "/etc/passwd", "a/.git./x", "git~1/x",
                           "", ".g\xe2\x80\x8cit/config"})
    EXPECT_FALSE(repo.write_tree("", {{path, "x"}})) << path;
}

TEST_F(RepositoryTest, MovesRefsByCompareAndSwap) {
  auto first = write("", {{"f", "1"}}), second = write(first, {{"f", "2"}});
  EXPECT_TRUE(repo.update_ref("refs/heads/main", first, Oid(zero_oid), "make"));
  EXPECT_EQ(repo.update_ref("refs/heads/main", second, Oid(zero_oid), "make").error().kind(), Kind::conflict);
  EXPECT_EQ(repo.update_ref("refs/heads/main", second, second, "move").error().kind(), Kind::conflict);
  EXPECT_EQ(repo.update_ref("refs/heads/other", second, second, "move").error().kind(), Kind::conflict);
  EXPECT_TRUE(repo.update_ref("refs/heads/main", second, first, "move"));
  EXPECT_TRUE(repo.update_ref("refs/heads/main", first, std::nullopt, "force"));
  EXPECT_EQ(repo.update_ref("refs/heads/main", Oid(zero_oid), second, "delete").error().kind(), Kind::conflict);
  EXPECT_TRUE(repo.update_ref("refs/heads/main", Oid(zero_oid), first, "delete"));
  EXPECT_EQ(must(repo.refs()).size(), 0u);
  EXPECT_EQ(repo.update_ref("refs/heads/a..b", first, std::nullopt, "bad").error().kind(), Kind::invalid);
  EXPECT_EQ(repo.update_ref("refs/heads/x", Oid(40, '1'), std::nullopt, "missing").has_value(), false);
}

TEST_F(RepositoryTest, OneOfManyWritersWinsEachTime) {
  auto first = write("", {{"n", "0"}});
  ASSERT_TRUE(repo.update_ref("refs/heads/main", first, Oid(zero_oid), "make"));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int done = 0; done < 5;) {
        auto tip = must(repo.resolve("refs/heads/main")).value();
        auto next = std::to_string(std::stoi(must(repo.read(tip, "n")).value()) + 1);
        auto commit = write(tip, {{"n", next}});
        if (repo.update_ref("refs/heads/main", commit, tip, "count")) ++done;
      }
    });
  threads.clear();
  EXPECT_EQ(must(repo.read(must(repo.resolve("main")).value(), "n")), "20");
}

TEST_F(RepositoryTest, TakesAwayTheLockOfAKilledWriter) {
  auto first = write("", {{"f", "1"}});
  auto lock = repo.path() / "refs/heads/main.lock";
  ASSERT_TRUE(write_file(lock, ""));
  timespec old[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, lock.c_str(), old, 0), 0);
  EXPECT_TRUE(repo.update_ref("refs/heads/main", first, Oid(zero_oid), "make"));
}

TEST_F(RepositoryTest, ResolvesNames) {
  auto first = write("", {{"f", "1"}});
  ASSERT_TRUE(repo.update_ref("refs/heads/main", first, Oid(zero_oid), "make"));
  git({"-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "v1", "-m", "one", first});
  for (auto name : {"main", "refs/heads/main", "HEAD", "v1", "refs/tags/v1"})
    EXPECT_EQ(must(repo.resolve(name)), first) << name;
  EXPECT_EQ(must(repo.resolve(first.substr(0, 10))), first);
  for (auto name : {"", "nope", "main:", "main^{/x}", ":/x", "a..b", "-x"})
    EXPECT_NE(must(repo.resolve(name)), first) << name;
  EXPECT_EQ(must(repo.head()), "refs/heads/main");
  EXPECT_EQ(must(repo.commit(first)).subject(), "change");
  EXPECT_EQ(repo.commit(Oid(40, 'a')).error().kind(), Kind::not_found);
}

// Stock git is the judge, over trees in which names change between file, link and folder.
TEST_F(RepositoryTest, ChangedPathsAreGits) {
  std::mt19937 dice(7);
  const std::vector<std::string> names = {"a", "a.b", "a-b", "a/x", "a/x/y", "a/z", "b", "b/c/d/e", "b/c/f", "b0", "c"};
  std::map<std::string, FileEdit> files;
  Oid before;
  for (int round = 0; round < 40; ++round) {
    std::vector<FileEdit> edits;
    for (int n = 0; n < 3; ++n) {
      const auto& name = names[dice() % names.size()];
      bool in_the_way = false;  // a folder where a file is to be, or a file where a folder
      for (const auto& [there, edit] : files)
        in_the_way = in_the_way || there.starts_with(name + "/") || name.starts_with(there + "/");
      if (files.contains(name) && dice() % 2 == 0) {
        files.erase(name);
        edits.push_back({name, std::nullopt});
      } else if (!in_the_way) {
        static constexpr unsigned modes[] = {0100644, 0100755, 0120000};
        FileEdit edit{name, std::to_string(dice() % 3), modes[dice() % 3]};
        files[name] = edit;
        edits.push_back(std::move(edit));
      }
    }
    auto after = write(before, edits);
    if (!before.empty()) {
      auto told = git({"diff-tree", "-r", "--no-renames", "--name-only", "-z", before, after});
      auto wanted = split(told, '\0');
      std::vector<std::string> want(wanted.begin(), wanted.end() - 1);
      std::sort(want.begin(), want.end());
      EXPECT_EQ(must(repo.changed_paths(before, after)), want) << round;
      std::vector<std::string> all;
      for (const auto& [name, edit] : files) all.push_back(name);
      EXPECT_EQ(must(repo.changed_paths("", after)), all);
      EXPECT_EQ(must(repo.changed_paths(after, Oid(zero_oid))), all);
    }
    before = after;
  }
}

TEST_F(RepositoryTest, DiffsAndMerges) {
  auto base = write("", {{"a", "1\n2\n3\n"}, {"b", "same content here, long enough to be found again\n"}});
  auto left = write(
      base, {{"a", "1\n2\nleft\n"}, {"b", std::nullopt}, {"c", "same content here, long enough to be found again\n"}});
  auto right = write(base, {{"a", "right\n2\n3\n"}, {"new", "x"}});
  std::string text;
  for (const auto& change : must(repo.diff(base, left)))
    text += fmt::format("{} {} {}\n", static_cast<int>(change.type), change.path, change.old_path);
  EXPECT_EQ(text, "1 a \n3 c b\n");
  EXPECT_EQ(must(repo.diff("", base)).size(), 2u);
  EXPECT_TRUE(must(repo.diff_text(base, right)).contains("+right"));
  auto merged = must(repo.merge(left, right));
  EXPECT_TRUE(merged.conflicts.empty());
  EXPECT_EQ(must(repo.read(merged.tree, "new")), "x");
  auto clash = write(base, {{"a", "1\n2\nclash\n"}});
  EXPECT_EQ(must(repo.merge(left, clash)).conflicts, std::vector<std::string>{"a"});
  EXPECT_EQ(must(repo.merge_base(left, right)), base);
  EXPECT_TRUE(must(repo.is_ancestor(base, left)));
  EXPECT_FALSE(must(repo.is_ancestor(left, right)));
  EXPECT_EQ(must(repo.log(left, 10)).size(), 2u);
  EXPECT_EQ(must(repo.log(left, 10, base)).size(), 1u);
  EXPECT_EQ(must(repo.merge_base(left, write("", {{"z", "z"}}))), std::nullopt);
}

// Both ways: by our own walk alone, and by libgit2's where something may have moved.
TEST_F(RepositoryTest, DiffsTellEachKindOfChange) {
  auto told = [&](const Oid& from, const Oid& to) {
    std::string text;
    for (const auto& change : must(repo.diff(from, to))) {
      constexpr std::string_view letters = "AMDRT";
      text += fmt::format("{} {}{} ", letters[static_cast<std::size_t>(change.type)], change.path,
                          change.old_path.empty() ? "" : "<" + change.old_path);
      EXPECT_EQ(change.old_id == zero_oid, change.type == FileChange::Type::added);
      EXPECT_EQ(change.new_id == zero_oid, change.type == FileChange::Type::deleted);
    }
    return text;
  };
  auto base = write("", {{"a", "1"}, {"d/deep/x", "2"}, {"d/y", "3"}, {"link", "4"}, {"run", "#!"}, {"same", "5"}});
  auto changed =
      write(base, {{"a", "one"}, {"link", "a", 0120000}, {"run", "#!", 0100755}, {"z", "new"}, {"d/deep/w", "new"}});
  EXPECT_EQ(told(base, changed), "M a A d/deep/w T link M run A z ");
  EXPECT_EQ(told(changed, base), "M a D d/deep/w T link M run D z ");
  auto moved = write(base, {{"d/y", std::nullopt}, {"e", "a whole new file, of which nothing was"}, {"a", "one"}});
  EXPECT_EQ(told(base, moved), "M a D d/y A e ");
  auto folder = write(write(base, {{"d/deep/x", std::nullopt}, {"d/y", std::nullopt}}), {{"d", "a file"}});
  EXPECT_EQ(told(base, folder), "A d D d/deep/x D d/y ");
}

TEST_F(RepositoryTest, ChecksOutWithoutFollowingLinks) {
  auto commit = write("", {{"d/run", "#!", 0100755}, {"d/link", "/etc", 0120000}, {"f", "text"}});
  auto to = dir.path() / "out";
  ASSERT_TRUE(repo.checkout(Ctx{}, commit, to));
  EXPECT_EQ(must(read_file(to / "f")), "text");
  EXPECT_EQ(fs::read_symlink(to / "d/link"), "/etc");
  struct stat info{};
  ASSERT_EQ(::stat((to / "d/run").c_str(), &info), 0);
  EXPECT_TRUE(info.st_mode & 0100);
  // A link that waits where a folder goes leads nowhere.
  auto trap = dir.path() / "trap", outside = dir.path() / "outside";
  ASSERT_TRUE(make_dirs(trap));
  ASSERT_TRUE(make_dirs(outside));
  fs::create_directory_symlink(outside, trap / "d");
  auto refused = repo.checkout(Ctx{}, commit, trap);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what(), "d: refused: a link or file stands where a folder is wanted");
  EXPECT_TRUE(must(list_dir(outside)).empty());
  fs::create_symlink(outside / "f", trap / "f");
  fs::remove(trap / "d");
  ASSERT_TRUE(repo.checkout(Ctx{}, commit, trap));
  EXPECT_FALSE(path_exists(outside / "f"));
}

TEST_F(RepositoryTest, ChecksOutWithAHistoryOfOneCommit) {
  auto first = write("", {{"d/run", "#!", 0100755}, {"d/link", "run", 0120000}, {"f", "one"}});
  auto second = write(first, {{"f", "two"}});
  auto to = dir.path() / "out";
  ASSERT_TRUE(must(repo.checkout_shallow(Ctx{}, second, to)));
  auto in = [&](std::vector<std::string> argv) {
    Command command{.argv = {"git", "-c", "safe.directory=*", "-C", to.string()}};
    command.argv.insert(command.argv.end(), argv.begin(), argv.end());
    return std::string(trim(must(run_ok(Ctx{}, command))));
  };
  EXPECT_EQ(in({"rev-parse", "HEAD"}), second);
  EXPECT_EQ(in({"rev-list", "--count", "HEAD"}), "1");
  EXPECT_EQ(in({"rev-parse", "--is-shallow-repository"}), "true");
  // Plumbing that does not look into files again: the index knows their times.
  EXPECT_EQ(in({"diff-files", "--name-only"}), "");
  EXPECT_EQ(in({"status", "--porcelain"}), "");
  EXPECT_EQ(in({"fsck", "--strict"}), "");
  must(write_file(to / "f", "three"));
  EXPECT_EQ(in({"status", "--porcelain"}), "M f");
  auto root = dir.path() / "root";
  ASSERT_TRUE(must(repo.checkout_shallow(Ctx{}, first, root)));
  EXPECT_FALSE(path_exists(root / ".git/shallow"));
}

TEST_F(RepositoryTest, RefusesToCheckOutHostileTrees) {
  auto blob = git({"hash-object", "-w", "/dev/null"});
  auto make = [&](const std::string& entry) {
    Command command{.argv = {"git", "-C", repo.path().string(), "mktree", "-z"}};
    command.input = entry + '\0';
    return std::string(trim(must(run_ok(Ctx{}, command))));
  };
  auto plain = make(fmt::format("100644 blob {}\tx", trim(blob)));
  for (std::string name : {".git", "..", ".GiT"}) {
    auto tree = make(fmt::format("040000 tree {}\t{}", plain, name));
    auto refused = repo.checkout(Ctx{}, tree, dir.path() / "out");
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().what(), name + ": refused to check out a file of this name");
  }
}

TEST_F(RepositoryTest, MirrorsAndPushesToFolders) {
  auto first = write("", {{"f", "1"}});
  ASSERT_TRUE(repo.update_ref("refs/heads/trunk", first, Oid(zero_oid), "make"));
  git({"symbolic-ref", "HEAD", "refs/heads/trunk"});
  Ctx ctx;
  auto copy = must(Repository::mirror(ctx, repo.path().string(), dir.path() / "copy.git"));
  EXPECT_EQ(must(copy.head()), "refs/heads/trunk");
  EXPECT_EQ(must(copy.resolve("trunk")), first);
  auto tree = must(copy.write_tree(first, {{"f", "2"}}));
  auto second = must(copy.write_commit(tree, {first}, someone(), "two"));
  ASSERT_TRUE(copy.update_ref("refs/heads/trunk", second, first, "two"));
  ASSERT_TRUE(copy.push(ctx, "file://" + repo.path().string(), {"refs/heads/trunk:refs/heads/trunk"}));
  EXPECT_EQ(must(repo.resolve("trunk")), second);
  // Somebody else moves it: the push does not win, and the mirror sees it.
  auto third = write(second, {{"g", "3"}});
  ASSERT_TRUE(repo.update_ref("refs/heads/trunk", third, second, "three"));
  auto mine = must(copy.write_commit(tree, {second}, someone(), "mine"));
  ASSERT_TRUE(copy.update_ref("refs/heads/trunk", mine, second, "mine"));
  EXPECT_EQ(copy.push(ctx, repo.path().string(), {"refs/heads/trunk:refs/heads/trunk"}).error().kind(), Kind::conflict);
  copy = must(Repository::mirror(ctx, repo.path().string(), dir.path() / "copy.git"));
  EXPECT_EQ(must(copy.resolve("trunk")), third);
  ASSERT_TRUE(copy.push(ctx, repo.path().string(), {":refs/heads/trunk"}));
  EXPECT_EQ(must(repo.refs()).size(), 0u);
  copy = must(Repository::mirror(ctx, repo.path().string(), dir.path() / "copy.git"));
  EXPECT_EQ(must(copy.refs()).size(), 0u);
}

TEST_F(RepositoryTest, PushesLongHistories) {
  Oid tip;
  for (int i = 0; i < 80; ++i) tip = write(tip, {{"f" + std::to_string(i), std::to_string(i)}});
  ASSERT_TRUE(repo.update_ref("refs/heads/main", tip, Oid(zero_oid), "make"));
  auto other = must(Repository::init(dir.path() / "other.git"));
  ASSERT_TRUE(repo.push(Ctx{}, other.path().string(), {"main:refs/heads/main"}));
  EXPECT_EQ(must(other.log(must(other.resolve("main")).value(), 100)).size(), 80u);
  EXPECT_EQ(must(run_ok(Ctx{}, {.argv = {"git", "-C", other.path().string(), "fsck", "--strict"}})), "");
}

TEST(RemoteUrl, RefusesWhatRunsCommands) {
  auto dir = must(TempDir::make("git"));
  for (std::string url : {"ext::sh -c id", "--upload-pack=id", "", "fd::7", "ftp://host/x", "a\nb"}) {
    auto mirror = Repository::mirror(Ctx{}, url, dir.path() / "m.git");
    ASSERT_FALSE(mirror) << url;
    EXPECT_EQ(mirror.error().kind(), Kind::invalid) << url;
  }
  EXPECT_EQ(Repository::mirror(Ctx{}, "/nowhere/at/all", dir.path() / "m.git").error().kind(), Kind::not_found);
}

}  // namespace
}  // namespace slipway::git
