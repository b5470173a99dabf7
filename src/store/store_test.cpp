#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/golden.h"
#include "store/blob.h"
#include "store/database.h"

namespace slipway::store {
namespace {

std::vector<std::string> tmp_of(const fs::path& root) { return must(list_dir(root / "tmp")); }

TEST(BlobStore, KeepsWhatWasPut) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  auto digest = must(store->put("hello"));
  EXPECT_EQ(digest.str(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(must(store->put("hello")), digest);
  EXPECT_TRUE(store->contains(digest));
  EXPECT_EQ(must(store->size(digest)), 5u);
  EXPECT_EQ(must(store->read(digest)), "hello");
  EXPECT_EQ(store->path(digest), dir.path() / "sha256/2c" / std::string(digest.hex()));
  EXPECT_EQ(store->read(digest, 4).error().kind(), Kind::invalid);
  EXPECT_EQ(fs::status(store->path(digest)).permissions() & fs::perms::owner_write, fs::perms::none);
  EXPECT_TRUE(tmp_of(dir.path()).empty());
  must(store->remove(digest));
  EXPECT_FALSE(store->contains(digest));
  EXPECT_EQ(store->open_blob(digest).error().kind(), Kind::not_found);
  EXPECT_FALSE(store->contains(Digest()));
}

TEST(BlobStore, WriterShowsNothingBeforeCommit) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  std::string big(700'000, 'x');
  {
    auto dropped = must(store->begin());
    must(dropped.write(big));
  }
  EXPECT_TRUE(tmp_of(dir.path()).empty());
  auto writer = must(store->begin());
  for (std::size_t at = 0; at < big.size(); at += 1000) must(writer.write(std::string_view(big).substr(at, 1000)));
  EXPECT_EQ(writer.size(), big.size());
  EXPECT_FALSE(store->contains(Digest::of(big)));
  EXPECT_EQ(must(writer.commit(Digest::of(big))), Digest::of(big));
  EXPECT_EQ(must(store->read(Digest::of(big))), big);
  EXPECT_FALSE(writer.write("x"));
  EXPECT_FALSE(writer.commit());
}

TEST(BlobStore, WrongDigestIsRefusedAndLeavesNothing) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  auto writer = must(store->begin());
  must(writer.write("one"));
  auto result = writer.commit(Digest::of("two"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), Kind::invalid);
  EXPECT_TRUE(tmp_of(dir.path()).empty());
  EXPECT_FALSE(store->contains(Digest::of("one")));
}

TEST(BlobStore, TakesSha512) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  auto digest = Hasher(Hasher::Algorithm::sha512).update("abc").finish();
  auto writer = must(store->begin());
  must(writer.write("abc"));
  EXPECT_EQ(must(writer.commit(digest)), digest);
  EXPECT_EQ(must(store->read(digest)), "abc");
}

TEST(BlobStore, AdoptsAFile) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  for (int i = 0; i < 2; ++i) {
    auto file = store->temp_path();
    must(write_file(file, "layer"));
    must(store->adopt(file, Digest::of("layer")));
    EXPECT_FALSE(path_exists(file));
  }
  EXPECT_EQ(must(store->read(Digest::of("layer"))), "layer");
}

TEST(BlobStore, ConcurrentPutsOfTheSameAndOfOthers) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          auto text = fmt::format("{}", i % 2 == 0 ? i : 100 * t + i);
          EXPECT_EQ(must(store->read(must(store->put(text)))), text);
        }
      });
  }
  std::size_t count = 0;
  must(store->for_each([&](const Digest& digest, std::uint64_t) {
    ++count;
    EXPECT_EQ(Digest::of(must(store->read(digest))), digest);
  }));
  EXPECT_EQ(count, 5u + 8 * 5);
  EXPECT_TRUE(tmp_of(dir.path()).empty());
}

TEST(BlobStore, SweepSparesTheKeptAndTheYoung) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  auto kept = must(store->put("kept")), old = must(store->put("old")), young = must(store->put("young"));
  for (const auto& digest : {kept, old}) {
    timespec past[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, store->path(digest).c_str(), past, 0), 0);
  }
  auto swept = must(store->sweep({}, [&](const Digest& d) { return d == kept; }, Millis(60000)));
  EXPECT_EQ(swept.removed, 1u);
  EXPECT_EQ(swept.bytes, 3u);
  EXPECT_TRUE(store->contains(kept) && store->contains(young) && !store->contains(old));
}

TEST(BlobStore, ASecondProcessLeavesOurTempFilesAlone) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  auto writer = must(store->begin());
  auto second = must(BlobStore::open(dir.path()));
  EXPECT_EQ(tmp_of(dir.path()).size(), 1u);
  must(writer.write("x"));
  EXPECT_TRUE(second->contains(must(writer.commit())));
}

TEST(BlobStore, ABatchIsVisibleTogether) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  must(store->put("known"));
  {
    BlobStore::Batch batch(*store);
    auto writer = must(store->begin());
    must(writer.write("streamed"));
    EXPECT_EQ(must(batch.add(std::move(writer))), Digest::of("streamed"));
    for (int n = 0; n < 20; ++n) must(batch.put(fmt::format("blob {}", n)));
    must(batch.put("blob 1"));
    must(batch.put("known"));
    EXPECT_FALSE(store->contains(Digest::of("streamed")));
    EXPECT_TRUE(batch.holds(Digest::of("streamed")));
    EXPECT_FALSE(batch.holds(Digest::of("known")));
    EXPECT_EQ(tmp_of(dir.path()).size(), 21u);
    must(batch.commit());
    EXPECT_FALSE(batch.holds(Digest::of("streamed")));
    for (int n = 0; n < 20; ++n)
      EXPECT_EQ(must(store->read(Digest::of(fmt::format("blob {}", n)))), fmt::format("blob {}", n));
    EXPECT_TRUE(tmp_of(dir.path()).empty());
    must(batch.put("dropped"));
  }
  EXPECT_FALSE(store->contains(Digest::of("dropped")));
  EXPECT_TRUE(tmp_of(dir.path()).empty());
}

// Whoever commits finds all that was added before visible, also what another's commit has just taken.
TEST(BlobStore, ABatchIsSharedByThreads) {
  auto dir = must(TempDir::make());
  auto store = must(BlobStore::open(dir.path()));
  BlobStore::Batch batch(*store);
  std::vector<std::jthread> threads;
  for (int who = 0; who < 4; ++who)
    threads.emplace_back([&, who] {
      for (int n = 0; n < 10; ++n) {
        auto text = fmt::format("{} {}", n % 5 == 0 ? 0 : who, n);
        auto digest = must(batch.put(text));
        EXPECT_TRUE(batch.holds(digest) || store->contains(digest));
        must(batch.commit());
        EXPECT_EQ(must(store->read(digest)), text);
      }
    });
}

// A child writes until it is killed; afterwards every blob must be whole and tmp be emptied.
TEST(BlobStore, KilledWriterLeavesAConsistentStore) {
  auto dir = must(TempDir::make());
  for (int round = 0; round < 3; ++round) {
    auto ready = must(make_pipe());
    int child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = BlobStore::open(dir.path());
      for (int i = 0; store && i < 1'000'000; ++i) {
        if (i == 5 * round + 3) (void)!::write(ready.write.get(), "x", 1);
        (void)(*store)->put(fmt::format("{} {} {}", round, i, std::string(i * 37 % 300'000, 'b')));
      }
      ::_exit(0);
    }
    char byte;
    ASSERT_EQ(::read(ready.read.get(), &byte, 1), 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    auto store = must(BlobStore::open(dir.path()));
    EXPECT_TRUE(tmp_of(dir.path()).empty());
    std::size_t count = 0;
    must(store->for_each([&](const Digest& digest, std::uint64_t) {
      ++count;
      EXPECT_EQ(Digest::of(must(store->read(digest))), digest);
    }));
    EXPECT_GE(count, static_cast<std::size_t>(3 * (round + 1)));
  }
}

// On a tiny tmpfs in a mount namespace of the child's own. Exit 0: as wanted; 77: no right to mount.
int fill_disk(const fs::path& dir) {
  if (::unshare(CLONE_NEWNS) < 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return 77;
  if (::mount("tmpfs", dir.c_str(), "tmpfs", 0, "size=1m") < 0) return 77;
  auto store = BlobStore::open(dir);
  if (!store) return 1;
  std::string big(3 << 20, 'x');
  auto result = (*store)->put(big);
  if (result) return 2;
  if (result.error().kind() != Kind::unavailable) return 3;
  if ((*store)->contains(Digest::of(big)) || !tmp_of(dir).empty()) return 4;
  if (!(*store)->put("small")) return 5;  // the space is free again
  return 0;
}

TEST(BlobStore, FullDiskLeavesNothingHalf) {
  auto dir = must(TempDir::make());
  int child = ::fork();
  if (child == 0) ::_exit(fill_disk(dir.path()));
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "cannot mount a tmpfs here";
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

const std::vector<std::string> one_table = {"CREATE TABLE t(k TEXT PRIMARY KEY, n INTEGER, b BLOB)"};

Result<> insert(Database& db, std::string_view key, std::int64_t n) {
  TRY(auto statement, db.prepare("INSERT INTO t(k, n) VALUES(?, ?)"));
  return statement.bind(1, key).bind(2, n).run();
}
std::int64_t count(Database& db) {
  std::int64_t n = -1;
  must(db.read([&](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT count(*) FROM t"));
    TRY(bool row, statement.step());
    if (row) n = statement.number(0);
    return {};
  }));
  return n;
}

TEST(Database, KeepsValuesOfEveryType) {
  auto dir = must(TempDir::make());
  auto db = must(Database::open(dir.path() / "a.db", one_table));
  std::string bytes("\0\xff\0", 3);
  must(db->transact([&](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("INSERT INTO t(k, n, b) VALUES(?, ?, ?)"));
    return statement.bind(1, "key").bind(2, -5).bind_blob(3, bytes).run();
  }));
  must(db->transact([&](Database& d) { return insert(d, "", 1); }));
  must(db->read([&](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT k, n, b FROM t ORDER BY k"));
    TRY(bool first, statement.step());
    EXPECT_TRUE(first && !statement.is_null(0) && statement.is_null(2));
    EXPECT_EQ(statement.text(0), "");
    TRY(bool second, statement.step());
    EXPECT_TRUE(second);
    EXPECT_EQ(statement.text(0), "key");
    EXPECT_EQ(statement.number(1), -5);
    EXPECT_EQ(statement.blob(2), bytes);
    TRY(bool third, statement.step());
    EXPECT_FALSE(third);
    return {};
  }));
}

TEST(Database, AnErrorRollsBackAlsoAPart) {
  auto dir = must(TempDir::make());
  auto db = must(Database::open(dir.path() / "a.db", one_table));
  must(db->transact([](Database& d) -> Result<> {
    TRY_OK(insert(d, "outer", 1));
    auto part = d.transact([](Database& inner) -> Result<> {
      TRY_OK(insert(inner, "inner", 1));
      return fail(Kind::invalid, "no");
    });
    EXPECT_FALSE(part);
    return {};
  }));
  EXPECT_EQ(count(*db), 1);
  auto failed = db->transact([](Database& d) -> Result<> {
    TRY_OK(insert(d, "more", 1));
    return insert(d, "outer", 2);
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), Kind::conflict);
  EXPECT_EQ(count(*db), 1);
}

// Later, not never: it is there for all who read, after a kill too, and on disk with the next that is.
TEST(Database, ALaterSyncIsVisibleAtOnce) {
  auto dir = must(TempDir::make());
  auto file = dir.path() / "x.db";
  auto open = [&] { return must(Database::open(file, {"CREATE TABLE t(n INTEGER)"})); };
  auto insert = [](Database& d) -> Result<> { return d.exec("INSERT INTO t VALUES(1)"); };
  auto one = open(), two = open();
  must(one->transact(insert, Sync::later));
  must(one->transact([&](Database& d) { return d.transact(insert, Sync::later); }));
  std::int64_t count = 0;
  must(two->read([&](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT count(*) FROM t"));
    TRY(bool row, statement.step());
    count = row ? statement.number(0) : -1;
    return {};
  }));
  EXPECT_EQ(count, 2);
}

TEST(Database, MigratesOnceAndRefusesTheNewer) {
  auto dir = must(TempDir::make());
  auto file = dir.path() / "a.db";
  auto two = one_table;
  two.push_back("INSERT INTO t(k) VALUES('seeded')");
  must(Database::open(file, one_table));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(count(*must(Database::open(file, two))), 1);
  auto older = Database::open(file, one_table);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().kind(), Kind::conflict);
  auto broken = two;
  broken.push_back("INSERT INTO t(k) VALUES('x'); nonsense");
  EXPECT_FALSE(Database::open(file, broken));
  EXPECT_EQ(count(*must(Database::open(file, two))), 1);
}

TEST(Database, GarbageIsCorruptAndAMissingFolderNotFound) {
  auto dir = must(TempDir::make());
  must(write_file(dir.path() / "a.db", std::string(8192, 'z')));
  auto opened = Database::open(dir.path() / "a.db", one_table);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind(), Kind::corrupt);
  EXPECT_FALSE(opened.error().hint().empty());
  EXPECT_EQ(Database::open(dir.path() / "no/a.db", one_table).error().kind(), Kind::not_found);
}

TEST(Database, AnOverwrittenPageIsCorrupt) {
  auto dir = must(TempDir::make());
  auto file = dir.path() / "a.db";
  {
    auto db = must(Database::open(file, one_table));
    must(db->transact([](Database& d) -> Result<> {
      for (int i = 0; i < 500; ++i) TRY_OK(insert(d, fmt::format("{}{}", i, std::string(100, 'k')), i));
      return {};
    }));
    must(db->exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  auto text = must(read_file(file));
  for (std::size_t at = 4096; at < text.size(); ++at) text[at] = 'q';
  must(write_file(file, text));
  auto db = Database::open(file, one_table);
  auto result = db ? (*db)->read([](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT k FROM t"));
    return statement.run();
  })
                   : Result<>(Fail(std::move(db).error()));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), Kind::corrupt);
}

TEST(Database, BackupIsWhole) {
  auto dir = must(TempDir::make());
  auto db = must(Database::open(dir.path() / "a.db", one_table));
  must(db->transact([](Database& d) { return insert(d, "a", 1); }));
  for (int i = 0; i < 2; ++i) must(db->backup_to(dir.path() / "copy.db"));
  EXPECT_EQ(count(*must(Database::open(dir.path() / "copy.db", one_table))), 1);
}

TEST(Database, ThreadsShareIt) {
  auto dir = must(TempDir::make());
  auto db = must(Database::open(dir.path() / "a.db", one_table));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i)
          must(db->transact([&](Database& d) { return insert(d, fmt::format("{}-{}", t, i), i); }));
      });
  }
  EXPECT_EQ(count(*db), 40);
}

// What a killed process had acknowledged is there, and only whole transactions are.
// Many at once: each is done once, an error undoes its own work alone, and what is in another is a part of it.
TEST(Database, ThoseWhoWaitCommitTogether) {
  TempDir dir = must(TempDir::make());
  auto db = must(Database::open(dir.path() / "d", {"CREATE TABLE t(who INTEGER, n INTEGER)"}));
  std::atomic<int> refused = 0, thrown = 0;
  auto add = [](Database& d, int who, int n) -> Result<> {
    TRY(auto statement, d.prepare("INSERT INTO t VALUES(?, ?)"));
    return statement.bind(1, std::int64_t{who}).bind(2, std::int64_t{n}).run();
  };
  std::vector<std::thread> threads;
  for (int who = 0; who < 16; ++who)
    threads.emplace_back([&, who] {
      for (int n = 0; n < 50; ++n) {
        auto work = [&](Database& d) -> Result<> {
          TRY_OK(add(d, who, n));
          if (n % 10 == 3) return fail(Kind::denied, "no");
          if (n % 10 == 4) throw std::runtime_error("no");
          if (n % 10 == 5) return d.transact_together([&](Database& inner) { return add(inner, who, 1000 + n); });
          return {};
        };
        try {
          auto done = n % 10 == 6 ? db->transact(work) : db->transact_together(work);
          if (!done) ++refused;
        } catch (const std::runtime_error&) {
          ++thrown;
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(refused, 16 * 5);
  EXPECT_EQ(thrown, 16 * 5);
  must(db->read_aside());
  std::int64_t rows = 0, different = 0;
  must(db->read([&](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT count(*), count(DISTINCT who * 10000 + n) FROM t"));
    TRY(bool row, statement.step());
    EXPECT_TRUE(row);
    rows = statement.number(0), different = statement.number(1);
    return {};
  }));
  EXPECT_EQ(rows, 16 * (50 - 10 + 5));
  EXPECT_EQ(different, rows);
  EXPECT_TRUE(db->read([&](Database& d) {
    return d.transact_together([&](Database& inner) { return add(inner, 99, 1); });
  })) << "from within a read as well";
  must(db->transact([&](Database& d) -> Result<> {
    TRY_OK(add(d, 98, 1));
    return d.read([&](Database& inner) -> Result<> {
      TRY(auto statement, inner.prepare("SELECT 1 FROM t WHERE who = 98"));
      TRY(bool there, statement.step());
      EXPECT_TRUE(there) << "a transaction reads what it wrote";
      return {};
    });
  }));
}

TEST(Database, KilledWriterLosesNothingAcknowledged) {
  auto dir = must(TempDir::make());
  auto file = dir.path() / "a.db";
  auto pipe = must(make_pipe());
  int child = ::fork();
  if (child == 0) {
    auto db = Database::open(file, one_table);
    for (int i = 0; db && i < 100'000; ++i) {
      auto r = (*db)->transact([&](Database& d) -> Result<> {
        TRY_OK(insert(d, fmt::format("{}a", i), i));
        return insert(d, fmt::format("{}b", i), i);
      });
      if (!r) ::_exit(1);
      (void)!::write(pipe.write.get(), "x", 1);
    }
    ::_exit(0);
  }
  pipe.write.reset();
  char bytes[25];
  std::size_t acknowledged = 0;
  while (acknowledged < sizeof bytes) {
    auto got = ::read(pipe.read.get(), bytes, sizeof bytes - acknowledged);
    ASSERT_GT(got, 0);
    acknowledged += got;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  auto db = must(Database::open(file, one_table));
  EXPECT_GE(count(*db), 2 * static_cast<std::int64_t>(acknowledged));
  EXPECT_EQ(count(*db) % 2, 0);
}

}  // namespace
}  // namespace slipway::store
