#include "cluster/api/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "base/time.h"
#include "cluster/api/machinery.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

const std::string maps = "configmaps";

doc::Value object(const kube::Key& key, std::string_view value = "v") {
  auto o = kube::make_object({"v1", "ConfigMap"}, key);
  o["data"]["k"] = value;
  return o;
}
Revision at(const kube::Object& o) { return static_cast<Revision>(to_int(o.resource_version()).value_or(0)); }

struct Home {
  TempDir folder = must(TempDir::make("store"));
  std::unique_ptr<ObjectStore> open(StoreOptions options = {}) const {
    options.database = folder.path() / "s.db";
    return must(ObjectStore::open(std::move(options)));
  }
};

kube::Object put(ObjectStore& store, const kube::Key& key, std::string_view value = "v", Revision expected = 0,
                 const std::string& table = maps) {
  auto made = must(store.put(Ctx{}, table, key, object(key, value), expected));
  EXPECT_TRUE(made);
  return made ? *made : kube::Object();
}

TEST(ObjectStore, ComesBackAsItWas) {
  Home home;
  Revision last = 0;
  {
    auto store = home.open();
    put(*store, {"a", "1"});
    auto two = put(*store, {"a", "2"});
    put(*store, {"b", "1"});
    last = at(put(*store, {"a", "2"}, "w", at(two)));
    auto gone = must(store->erase(Ctx{}, maps, {"b", "1"}, object({"b", "1"}), 4));
    ASSERT_TRUE(gone);
    last = at(*gone);
  }
  auto store = home.open();
  EXPECT_EQ(store->revision(), last);
  auto all = store->list(maps, "").items;
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]->object()["data"]["k"].text(), "w");
  EXPECT_GT(at(put(*store, {"c", "1"})), last);
  // Nothing of before can be watched: list again.
  EXPECT_EQ(store->changes(maps, last - 1, 10).error().code, 410);
  EXPECT_TRUE(store->changes(maps, last, 10));
}

// Two trees are kept, of whatever was used last; all objects and all of history are there nevertheless.
TEST(ObjectStore, KeepsTheTextOfWhatIsNotUsed) {
  Home home;
  Revision first = 0;
  auto all_there = [](ObjectStore& store) {
    for (int n = 0; n < 9; ++n)
      EXPECT_EQ(store.get(maps, {"a", std::to_string(n)})["data"]["k"].text(), fmt::format("value {}", n));
    EXPECT_EQ(store.list(maps, "").items.size(), 9u);
  };
  std::weak_ptr<const doc::Value> unused;
  {
    auto store = home.open({.resident = 2});
    auto held = put(*store, {"a", "0"}, "value 0");
    first = at(held);
    unused = put(*store, {"a", "1"}, "value 1").shared();
    for (int n = 2; n < 9; ++n) put(*store, {"a", std::to_string(n)}, fmt::format("value {}", n));
    EXPECT_TRUE(unused.expired());
    EXPECT_EQ(store->get(maps, {"a", "0"}).shared(), held.shared()) << "whoever looks at one sees the same tree";
    all_there(*store);
    for (int n = 0; n < 9; ++n)
      put(*store, {"a", std::to_string(n)}, "new", at(store->get(maps, {"a", std::to_string(n)})));
    auto then = store->list_at(maps, "", first + 8);
    ASSERT_TRUE(then);
    ASSERT_EQ(then->items.size(), 9u);
    EXPECT_EQ(then->items[4]->object()["data"]["k"].text(), "value 4");
    auto changes = store->changes(maps, first + 8, 100);
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->size(), 9u);
    EXPECT_EQ(changes->front()->previous()["data"]["k"].text(), "value 0");
    EXPECT_EQ(changes->front()->object()["data"]["k"].text(), "new");
    EXPECT_EQ(changes->front()->json(), doc::print_json(changes->front()->object().value()));
    for (int n = 0; n < 9; ++n)
      put(*store, {"a", std::to_string(n)}, fmt::format("value {}", n), at(store->get(maps, {"a", std::to_string(n)})));
  }
  all_there(*home.open({.resident = 2}));
  all_there(*home.open({.resident = 0}));
}

TEST(ObjectStore, OneOfTwoWritersWins) {
  Home home;
  auto store = home.open();
  auto first = put(*store, {"a", "1"});
  EXPECT_FALSE(must(store->put(Ctx{}, maps, {"a", "1"}, object({"a", "1"}), 0)));
  EXPECT_TRUE(must(store->put(Ctx{}, maps, {"a", "1"}, object({"a", "1"}), at(first))));
  EXPECT_FALSE(must(store->put(Ctx{}, maps, {"a", "1"}, object({"a", "1"}), at(first))));
  EXPECT_FALSE(must(store->erase(Ctx{}, maps, {"a", "1"}, object({"a", "1"}), at(first))));
}

TEST(ObjectStore, ShowsThePastUntilItIsForgotten) {
  Home home;
  auto store = home.open({.history = 4});
  auto one = put(*store, {"a", "1"});
  auto two = put(*store, {"a", "2"});
  must(store->erase(Ctx{}, maps, {"a", "1"}, object({"a", "1"}), at(one)));
  auto then = store->list_at(maps, "a", at(two));
  ASSERT_TRUE(then);
  EXPECT_EQ(then->items.size(), 2u);
  EXPECT_EQ(store->list(maps, "a").items.size(), 1u);
  for (int i = 3; i < 10; ++i) put(*store, {"a", std::to_string(i)});
  EXPECT_EQ(store->list_at(maps, "a", at(two)).error().code, 410);
  EXPECT_EQ(store->changes(maps, at(two), 10).error().code, 410);
}

TEST(ObjectStore, PagesFromOneSnapshot) {
  Home home;
  auto store = home.open();
  Kinds kinds;
  Machinery machinery(*store, kinds, "10.96.0.0/16");
  auto kind = kinds.by_type({"v1", "ConfigMap"});
  for (int i = 0; i < 5; ++i) put(*store, {"a", std::to_string(i)});
  std::vector<std::string> names;
  ListArgs args{.ns = "a", .limit = 2};
  for (int page = 0; page < 3; ++page) {
    auto listed = machinery.list(*kind, args);
    ASSERT_TRUE(listed) << listed.error().message;
    EXPECT_EQ(listed->remaining.value_or(0), page == 0 ? 3u : page == 1 ? 1u : 0u);
    for (const auto& o : listed->items) names.push_back(o->object().name());
    args.continued = listed->continued;
    // What happens meanwhile does not show.
    put(*store, {"a", fmt::format("3{}", page)});
  }
  EXPECT_EQ(join(names, ","), "0,1,2,3,4");
  EXPECT_TRUE(args.continued.empty());
  args.continued = "nonsense";
  EXPECT_EQ(machinery.list(*kind, args).error().code, 400);
}

TEST(ObjectStore, EventsLiveInARing) {
  Home home;
  {
    auto store = home.open({.events = 3});
    for (int i = 0; i < 6; ++i) {
      auto o = kube::make_object({"v1", "Event"}, {"a", std::to_string(i)});
      o["metadata"]["creationTimestamp"] = rfc3339(real_clock().wall());
      ASSERT_TRUE(must(store->put(Ctx{}, "events", {"a", std::to_string(i)}, std::move(o), 0)));
    }
    EXPECT_EQ(store->list("events", "").items.size(), 3u);
    EXPECT_EQ(store->list("events", "").items[0]->object().name(), "3");
    must(store->flush(Ctx{}));
  }
  EXPECT_EQ(home.open()->list("events", "").items.size(), 3u);
}

TEST(ObjectStore, WatchersWakeOnlyForTheirTable) {
  Home home;
  auto store = home.open();
  auto since = store->revision();
  std::jthread writer([&] {
    put(*store, {"a", "1"}, "v", 0, "secrets");
    put(*store, {"a", "1"});
  });
  must(store->await_changes(Ctx{}.within(Millis(5000)), maps, since));
  auto changes = store->changes(maps, since, 10);
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 1u);
  EXPECT_EQ((*changes)[0]->object().name(), "1");
  auto waited = store->await_changes(Ctx{}.within(Millis(20)), maps, (*changes)[0]->revision);
  EXPECT_TRUE(waited.error().is(Kind::timeout));
}

// The child of the test below: writes until it is killed, and names each write once it is acknowledged.
TEST(ObjectStore, KilledChild) {
  const char* folder = std::getenv("SLIPWAY_KILL_TEST");
  if (folder == nullptr) GTEST_SKIP();
  auto store = must(ObjectStore::open({.database = fs::path(folder) / "s.db"}));
  std::vector<std::jthread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        kube::Key key{fmt::format("t{}", t), fmt::format("{:06}-{}", i, ::getpid())};
        auto made = must(store->put(Ctx{}, maps, key, object(key), 0));
        auto line = fmt::format("ack {} {}\n", key.str(), made->resource_version());
        if (::write(1, line.data(), line.size()) < 0) return;
      }
    });
}

TEST(ObjectStore, SLOW_KilledAnywhereEveryAcknowledgedWriteIsThere) {
  Home home;
  std::map<std::string, std::string> acknowledged;
  Revision highest = 0;
  for (int round = 0; round < 4; ++round) {
    auto pipe = must(make_pipe());
    Command command;
    command.argv = {"/proc/self/exe", "--gtest_filter=ObjectStore.KilledChild"};
    command.extra_env["SLIPWAY_KILL_TEST"] = home.folder.path().native();
    auto child = must(Child::start(command, {.out = pipe.write.get()}));
    pipe.write.reset();
    std::string text;
    std::array<char, 4096> buffer;
    std::size_t want = 40 + static_cast<std::size_t>(round) * 97;
    bool killed = false;
    // Reads on after the kill: what was written to the pipe before it was acknowledged too.
    for (;;) {
      auto n = ::read(pipe.read.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(n));
      if (killed || static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) < want + 8)
        continue;  // gtest says some lines too
      ::kill(child.pid(), SIGKILL);
      killed = true;
    }
    (void)child.wait(Ctx{});
    for (auto line : lines(text)) {
      auto words = split(line, ' ');
      if (words.size() == 3 && words[0] == "ack") acknowledged[std::string(words[1])] = words[2];
    }
    ASSERT_GE(acknowledged.size(), want) << text.substr(0, 500);
    auto store = home.open();
    for (const auto& [key, revision] : acknowledged) {
      auto place = cut(key, "/");
      auto held = store->get(maps, {std::string(place->first), std::string(place->second)});
      ASSERT_TRUE(held) << key << " was acknowledged and is lost";
      EXPECT_EQ(held.resource_version(), revision);
      highest = std::max(highest, at(held));
    }
    EXPECT_GE(store->revision(), highest) << "no revision is given twice";
  }
}

}  // namespace
}  // namespace slipway::cluster
