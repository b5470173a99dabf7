// What caches keep, for whom, how long, and what a kill leaves.
#include "ci/cachestore.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

const std::string version(64, 'a');
constexpr const char* main_branch = "refs/heads/main";

class CacheStoreTest : public testing::Test {
 protected:
  CacheStoreTest() : dir(must(TempDir::make("caches"))) { open(100); }
  void open(std::uint64_t bytes) {
    store.reset();
    store = must(CacheStore::open(dir.path(), {.bytes = bytes, .unused = Millis(1000)}));
  }
  std::int64_t put(const std::string& key, const std::string& bytes, const std::string& scope = main_branch,
                   const std::string& repository = "o/r", bool replace = false) {
    return must(store->put(ctx, {repository, scope, version, key}, must(store->blobs().put(bytes)), replace));
  }
  std::string find(std::vector<std::string> keys, std::vector<std::string> scopes = {main_branch},
                   const std::string& repository = "o/r") {
    auto hit = must(store->find(ctx, repository, scopes, version, keys));
    return hit ? hit->name.key + "=" + must(store->blobs().read(hit->digest)) : "none";
  }
  std::string keys() {
    std::string out;
    for (auto& entry : must(store->list())) out = entry.name.key + (out.empty() ? "" : " ") + out;
    return out;
  }
  void pass(int ms) { clock.advance(Millis(ms)); }

  TempDir dir;
  FakeClock clock;
  Ctx ctx{.clock = &clock};
  std::unique_ptr<CacheStore> store;
};

TEST_F(CacheStoreTest, FindsByKeyThenByBeginning) {
  put("linux-1", "a"), put("linux-2", "b"), put("mac-1", "c");
  EXPECT_EQ(find({"linux-1"}), "linux-1=a");
  EXPECT_EQ(find({"linux-9", "linux-"}), "linux-2=b");
  EXPECT_EQ(find({"mac"}), "mac-1=c");
  EXPECT_EQ(find({"win"}), "none");
  EXPECT_EQ(find({"linux-1"}, {"refs/heads/other"}), "none");
  EXPECT_EQ(find({"linux-1"}, {"refs/heads/other", main_branch}), "linux-1=a");
  EXPECT_EQ(find({"linux-1"}, {main_branch}, "o/other"), "none");
  EXPECT_FALSE(must(store->find(ctx, "o/r", {main_branch}, std::string(64, 'b'), {"linux-1"})));
  EXPECT_EQ(find({"%"}), "none");
  EXPECT_EQ(find({"linux_1"}), "none");
}

TEST_F(CacheStoreTest, AKeyIsWrittenOnceUnlessReplaced) {
  auto first = put("k", "one");
  auto again = store->put(ctx, {"o/r", main_branch, version, "k"}, must(store->blobs().put("two")));
  EXPECT_EQ(again.error().kind(), Kind::conflict);
  EXPECT_EQ(find({"k"}), "k=one");
  EXPECT_GT(put("k", "two", main_branch, "o/r", true), first);
  EXPECT_EQ(find({"k"}), "k=two");
  EXPECT_FALSE(store->blobs().contains(Digest::of("one")));
}

TEST_F(CacheStoreTest, WhatWasUsedLeastRecentlyGoesFirst) {
  put("a", std::string(40, 'a')), pass(1), put("b", std::string(40, 'b')), pass(1);
  EXPECT_TRUE(find({"a"}).starts_with("a=")), pass(1);
  put("c", std::string(40, 'c'));
  EXPECT_EQ(keys(), "a c");
  EXPECT_FALSE(store->blobs().contains(Digest::of(std::string(40, 'b'))));
  put("x", std::string(90, 'x'), main_branch, "o/other");  // each repository has its own
  EXPECT_EQ(keys(), "a c x");
  auto big = store->put(ctx, {"o/r", main_branch, version, "big"}, must(store->blobs().put(std::string(101, 'z'))));
  EXPECT_EQ(big.error().what(), "cache big: 101 B are more than all caches of a repository may have, 100 B");
  EXPECT_EQ(keys(), "a c x");
}

TEST_F(CacheStoreTest, WhatNobodyAsksForGoes) {
  put("old", "1"), pass(600), put("new", "2"), pass(600);
  EXPECT_EQ(find({"old"}), "none");
  EXPECT_EQ(find({"new"}), "new=2");
  EXPECT_EQ(must(store->evict(ctx)).entries, 1u);
  EXPECT_EQ(keys(), "new");
}

TEST_F(CacheStoreTest, BytesOfTwoEntriesStayForTheOther) {
  auto one = put("a", "same");
  put("b", "same");
  must(store->remove(ctx, one));
  EXPECT_EQ(find({"b"}), "b=same");
  EXPECT_EQ(store->remove(ctx, 99).error().what(), "there is no cache entry 99");
}

TEST_F(CacheStoreTest, ARestoreKeepsItsBytes) {
  put("a", std::string(60, 'a'));
  auto hit = must(store->find(ctx, "o/r", {main_branch}, version, {"a"}));
  pass(1), put("b", std::string(60, 'b'));
  EXPECT_EQ(keys(), "b");
  EXPECT_EQ(must(store->blobs().read(hit->digest)), std::string(60, 'a'));
  auto digest = hit->digest;
  hit.reset();
  EXPECT_FALSE(store->blobs().contains(digest));
}

TEST_F(CacheStoreTest, ManyAtOnce) {
  open(2000);
  std::vector<std::jthread> threads;
  std::atomic<int> broken = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        auto bytes = fmt::format("{:0>100}", i % 30);  // also the same bytes under several names
        (void)store->put(ctx, {"o/r", main_branch, version, fmt::format("k{}-{}", t, i)}, *store->blobs().put(bytes));
        auto hit = store->find(ctx, "o/r", {main_branch}, version, {fmt::format("k{}-", (t + 1) % 4)});
        if (!hit || (*hit && !store->blobs().read((*hit)->digest))) ++broken;
      }
    });
  threads.clear();
  EXPECT_EQ(broken, 0);
  auto left = must(store->list());
  EXPECT_LE(left.size(), 20u);
  EXPECT_GT(left.size(), 0u);
  for (auto& entry : left) EXPECT_TRUE(store->blobs().contains(entry.digest));
}

// Whatever was going on: what is named has its bytes, and what has no name goes.
TEST_F(CacheStoreTest, SurvivesKills) {
  open(2000);
  store.reset();
  for (int round = 0; round < 4; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    auto child = ::fork();
    if (child == 0) {
      auto own = CacheStore::open(dir.path(), {.bytes = 2000, .unused = Millis(100000)});
      for (int i = 0; own; ++i) {
        auto bytes = fmt::format("{:0>100}-{}-{}", i, round, i);
        (void)(*own)->put(ctx, {"o/r", main_branch, version, fmt::format("r{}-{}", round, i)},
                          *(*own)->blobs().put(bytes));
        if (i == 20 + 7 * round && ::write(pipe[1], "x", 1) != 1) ::_exit(1);
      }
      ::_exit(0);
    }
    char byte;
    ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(pipe[0]), ::close(pipe[1]);
    open(2000);
    auto left = must(store->list());
    EXPECT_GT(left.size(), 10u);
    for (auto& entry : left) EXPECT_EQ(must(store->blobs().size(entry.digest)), entry.bytes);
    put(fmt::format("after-{}", round), "x");
    store.reset();
  }
}

TEST_F(CacheStoreTest, AnEntryWithoutItsBytesIsNone) {
  put("a", "1");
  must(store->blobs().remove(Digest::of("1")));
  EXPECT_EQ(find({"a"}), "none");
  EXPECT_EQ(keys(), "");
  put("a", "1");
  EXPECT_EQ(find({"a"}), "a=1");
}

}  // namespace
}  // namespace slipway::ci
