#include <fcntl.h>
#include "base/csv.h"

#include "base/encode.h"
#include "base/files.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/keyed_queue.h"
#include "base/pool.h"
#include "base/process.h"
#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "base/time.h"

namespace slipway {
namespace {

TEST(Result, IsOnePointerAndKeepsContext) {
  static_assert(sizeof(Result<int>) == 16);
  Error error = Error(Kind::invalid, "tag: empty").in("web").with_hint("slipway promote web");
  EXPECT_EQ(error.print(), "web: tag: empty\nhint: slipway promote web");
}

struct Glob {
  const char* pattern;
  const char* path;
  bool match;
};
class GlobMatch : public testing::TestWithParam<Glob> {};
TEST_P(GlobMatch, Matches) {
  EXPECT_EQ(glob_match(GetParam().pattern, GetParam().path), GetParam().match)
      << GetParam().pattern << " on " << GetParam().path;
}
INSTANTIATE_TEST_SUITE_P(Table, GlobMatch,
                         testing::ValuesIn(std::to_array<Glob>({
                             {"*.txt", "a.txt", true},
                             {"*.txt", "a/b.txt", false},
                             {"**/*.txt", "a/b.txt", true},
                             {"**/*.txt", "b.txt", true},
                             {"services/web/**", "services/web/src/a.c", true},
                             {"services/web/**", "services/api/a.c", false},
                             {"**", "anything/at/all", true},
                             {"a?c", "abc", true},
                             {"a?c", "a/c", false},
                             {"[a-c]x", "bx", true},
                             {"[!a-c]x", "bx", false},
                             {"a/**/b", "a/b", true},
                             {"a/**/b", "a/x/y/b", true},
                             {"", "", true},
                             {"", "x", false},
                             {"a", "", false},
                             {"[", "[", true},
                             {"release/*", "release/1.0", true},
                             {"release/**", "release/a/b", true},
                         })));

TEST(Text, FindsTheNearestName) {
  std::vector<std::string> names{"branches", "paths", "tags"};
  EXPECT_EQ(nearest("branchs", names), "branches");
  EXPECT_EQ(nearest("xyz", names), std::nullopt);
}

TEST(Hash, KnownVectors) {
  EXPECT_EQ(Digest::of("").str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_FALSE(Digest::parse("sha256:abc"));
  EXPECT_EQ(to_hex(hmac_sha256("key", "The quick brown fox jumps over the lazy dog")),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

TEST(Encode, Base64RoundTrip) {
  for (std::string text : {"", "f", "fo", "foo", "foob"}) EXPECT_EQ(must(from_base64(to_base64(text))), text);
  EXPECT_FALSE(from_base64("a"));
  EXPECT_EQ(must(percent_decode("a%20b+c", true)), "a b c");
  EXPECT_EQ(must(percent_decode("%41")), "A");
  EXPECT_FALSE(percent_decode("%4"));
}

TEST(Csv, QuotesHoldSeparators) {
  EXPECT_EQ(split_quoted(R"(a,"b,c",,d"e"f)"), (std::vector<std::string>{"a", "b,c", "", "def"}));
  EXPECT_EQ(split_quoted(""), std::vector<std::string>{""});
}

TEST(Time, ParsesAndPrints) {
  EXPECT_EQ(rfc3339(must(parse_rfc3339("2026-11-25T22:47:50.5+02:00"))), "2026-11-25T20:47:50Z");
  EXPECT_EQ(rfc3339(must(parse_rfc3339("9999-12-31T23:59:59Z"))), "2262-04-11T23:47:15Z");  // never
  EXPECT_EQ(print_duration(must(parse_duration("1h30m"))), "1h30m0s");
  EXPECT_EQ(must(parse_duration("250ms")), Millis(250));
  EXPECT_FALSE(parse_duration("soon"));
  EXPECT_EQ(human_duration(Millis(3 * 3600 * 1000 + 4000)), "3h");
}

TEST(Files, WritesWholeAndRemovesUnwritableTrees) {
  auto dir = must(TempDir::make());
  must(write_file(dir.path() / "a", "text", 0600, Durable::yes));
  EXPECT_EQ(must(read_file(dir.path() / "a")), "text");
  must(make_dirs(dir.path() / "x/y"));
  must(write_file(dir.path() / "x/y/f", ""));
  fs::permissions(dir.path() / "x/y", fs::perms::none);
  must(remove_tree(dir.path() / "x"));
  EXPECT_FALSE(path_exists(dir.path() / "x"));
  EXPECT_EQ(read_file(dir.path() / "none").error().kind(), Kind::not_found);
}

TEST(Files, OpenBeneathNeverLeaves) {
  auto dir = must(TempDir::make());
  fs::create_symlink("/etc", dir.path() / "out");
  EXPECT_FALSE(open_beneath(dir.path(), "out/passwd", O_RDONLY));
  EXPECT_FALSE(open_beneath(dir.path(), "../../etc/passwd", O_RDONLY));
}

TEST(Files, LockIsExclusive) {
  auto dir = must(TempDir::make());
  auto lock = must(FileLock::take(dir.path() / "lock"));
  EXPECT_EQ(FileLock::take(dir.path() / "lock").error().kind(), Kind::conflict);
}

TEST(Process, GivesOutputAndStatus) {
  auto output = must(run({}, {.argv = {"sh", "-c", "cat; echo err >&2; exit 3"}, .input = "in"}));
  EXPECT_EQ(output.code, 3);
  EXPECT_EQ(output.out, "in");
  EXPECT_EQ(output.err, "err\n");
  EXPECT_EQ(run({}, {.argv = {"no-such-program"}}).error().kind(), Kind::not_found);
}

TEST(Process, DoesNotWaitForAGrandchildThatKeepsThePipe) {
  EXPECT_EQ(must(run({}, {.argv = {"sh", "-c", "sleep 60 & echo done"}})).out, "done\n");
}

TEST(Process, StopsWhenCancelled) {
  std::stop_source stop;
  Ctx ctx;
  ctx.stop = stop.get_token();
  auto r = run_streaming(ctx, {.argv = {"sh", "-c", "echo up; exec sleep 60"}},
                         [&](int, std::string_view) { stop.request_stop(); });
  EXPECT_EQ(r.error().kind(), Kind::cancelled);
}

TEST(Queue, DrainsThenCloses) {
  Queue<int> queue;
  queue.push(1);
  queue.close();
  EXPECT_EQ(must(queue.pop({})), 1);
  EXPECT_EQ(must(queue.pop({})), std::nullopt);
}

TEST(Pool, RunsTasksAndStops) {
  std::atomic<int> ran = 0;
  Pool pool(4);
  for (int i = 0; i < 100; ++i) pool.submit([&](const Ctx&) { ++ran; });
  must(run_all({}, 3, std::vector<std::function<Result<>(const Ctx&)>>(10, [&](const Ctx&) {
                 ++ran;
                 return Result<>{};
               })));
  while (ran < 110) std::this_thread::yield();
  auto r = run_all({}, 2, {[](const Ctx&) { return Result<>(fail(Kind::invalid, "no")); }});
  EXPECT_EQ(r.error().what(), "no");
}

TEST(FakeClock, WakesSleepersWhenMoved) {
  FakeClock clock;
  Ctx ctx;
  ctx.clock = &clock;
  std::jthread sleeper([&] { must(sleep(ctx, Millis(1000))); });
  clock.await_sleepers(1);
  clock.advance(Millis(1000));
}

TEST(KeyedQueue, GivesWhatIsDueInTurnAndWhatIsUrgentFirst) {
  FakeClock clock;
  KeyedQueue<std::string> queue(clock);
  auto pop = [&] { return must(queue.pop(Ctx())); };
  queue.add("b");
  clock.advance(Millis(1));
  queue.add("a");
  queue.add_after("later", Millis(100));
  queue.add_first("urgent");
  queue.add("b");  // waits already
  EXPECT_EQ(queue.size(), 4U);
  EXPECT_EQ(queue.at_work(10), 3U);
  EXPECT_EQ(pop(), "urgent");
  EXPECT_EQ(pop(), "b");
  EXPECT_EQ(pop(), "a");
  EXPECT_EQ(queue.at_work(10), 3U) << "handed out and not given back";
  clock.advance(Millis(100));
  EXPECT_EQ(pop(), "later");
}

TEST(KeyedQueue, GivesABusyKeyToNobodyElse) {
  FakeClock clock;
  KeyedQueue<std::string> queue(clock);
  queue.add("a");
  queue.add("b");
  EXPECT_EQ(must(queue.pop(Ctx())), "a");
  queue.add("a");
  queue.add_first("a");
  EXPECT_EQ(must(queue.pop(Ctx())), "b");
  queue.done("a");
  EXPECT_EQ(must(queue.pop(Ctx())), "a");
  queue.done("a");
  queue.done("b");
  EXPECT_EQ(queue.at_work(10), 0U);
}

TEST(KeyedQueue, AnEarlierTimeStands) {
  FakeClock clock;
  KeyedQueue<std::string> queue(clock);
  queue.add_after("a", Millis(10));
  queue.add_after("a", Millis(1000));
  queue.add_after("b", Millis(1000));
  queue.add_after("b", Millis(20));
  clock.advance(Millis(15));
  EXPECT_EQ(must(queue.pop(Ctx())), "a");
  EXPECT_EQ(queue.at_work(10), 1U);
  clock.advance(Millis(5));
  EXPECT_EQ(must(queue.pop(Ctx())), "b");
}

}  // namespace
}  // namespace slipway
