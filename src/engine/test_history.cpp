#include "engine/test_history.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace slipway::engine {
namespace {

using Outcome = ci::TestCase::Outcome;

const std::vector<std::string> migrations = {
    "CREATE TABLE tests (id INTEGER PRIMARY KEY, repository TEXT NOT NULL, job TEXT NOT NULL, suite TEXT NOT NULL, "
    "name TEXT NOT NULL, UNIQUE (repository, job, suite, name));"
    "CREATE TABLE outcomes (test INTEGER NOT NULL REFERENCES tests ON DELETE CASCADE, run TEXT NOT NULL, attempt "
    "INTEGER NOT NULL, go INTEGER NOT NULL, commit_id TEXT NOT NULL, tree TEXT NOT NULL, outcome INTEGER NOT NULL, "
    "millis INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (test, run, attempt, go)) WITHOUT ROWID;"
    "CREATE INDEX outcomes_by_run ON outcomes (run, attempt);"};

// The worse of two is the greater.
int weight(Outcome outcome) { return outcome == Outcome::failed ? 2 : outcome == Outcome::passed ? 1 : 0; }
Outcome outcome_of(std::int64_t weight) {
  return weight == 2 ? Outcome::failed : weight == 1 ? Outcome::passed : Outcome::skipped;
}

std::int64_t millis_of(WallTime t) { return std::chrono::duration_cast<Millis>(t.time_since_epoch()).count(); }

// Names are people's: cut where they would fill the disk.
std::string cut_to(std::string_view text, std::size_t most) { return std::string(text.substr(0, most)); }

std::string where(const TestOutcome& o, const TestOutcome& other) {
  if (o.run != other.run) return "in two runs";
  if (o.attempt != other.attempt)
    return fmt::format("attempts {} and {}", std::min(o.attempt, other.attempt), std::max(o.attempt, other.attempt));
  return "when its job was tried again";
}

}  // namespace

void judge(TestHistoryOf& test) {
  struct Seen {
    const TestOutcome *passed = nullptr, *failed = nullptr;
  };
  std::map<std::string, Seen> by_files;
  for (const auto& o : test.outcomes) {
    auto& seen = by_files[o.tree.empty() ? o.commit : o.tree];
    if (o.outcome == Outcome::passed) seen.passed = &o;
    if (o.outcome == Outcome::failed) seen.failed = &o;
  }
  test.flips = 0, test.why.clear();
  WallTime latest{};
  for (const auto& [files, seen] : by_files) {
    if (!seen.passed || !seen.failed) continue;
    ++test.flips;
    auto at = std::max(seen.passed->at, seen.failed->at);
    if (at < latest) continue;
    latest = at;
    test.why = fmt::format("passed and failed on {}: {}", seen.failed->commit.substr(0, 12),
                           where(*seen.passed, *seen.failed));
  }
  test.flaky = test.flips > 0;
}

Result<std::unique_ptr<TestHistory>> TestHistory::open(const fs::path& file) {
  TRY(auto database, store::Database::open(file, migrations));
  return std::unique_ptr<TestHistory>(new TestHistory(std::move(database)));
}

Result<> TestHistory::add(const TestOrigin& origin, const ci::TestReport& report) {
  return database_->transact([&](store::Database& db) -> Result<> {
    for (const auto& test : report.cases) {
      auto suite = cut_to(test.suite, 300), name = cut_to(test.name, 500);
      std::int64_t id = 0;
      {
        TRY(auto put, db.prepare("INSERT INTO tests (repository, job, suite, name) VALUES (?, ?, ?, ?) ON CONFLICT DO "
                                 "UPDATE SET name = excluded.name RETURNING id"));
        put.bind(1, origin.repository).bind(2, origin.job).bind(3, suite).bind(4, name);
        TRY(auto row, put.step());
        if (row) id = put.number(0);
      }
      TRY(auto put, db.prepare("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                               "outcome = max(outcome, excluded.outcome), millis = millis + excluded.millis"));
      put.bind(1, id).bind(2, origin.run).bind(3, origin.attempt).bind(4, std::int64_t{origin.go});
      put.bind(5, origin.commit).bind(6, origin.tree).bind(7, std::int64_t{weight(test.outcome)});
      put.bind(8, std::int64_t{test.time.count()}).bind(9, millis_of(origin.at));
      TRY_OK(put.run());
    }
    return {};
  });
}

// Of the repository's tests, or only of those that a run has seen.
Result<std::vector<TestHistoryOf>> TestHistory::read(const std::string& repository, const std::string& run) const {
  std::vector<TestHistoryOf> out;
  TRY_OK(database_->read([&](store::Database& db) -> Result<> {
    TRY(auto rows,
        db.prepare("SELECT t.id, t.job, t.suite, t.name, o.run, o.attempt, o.go, o.commit_id, o.tree, o.outcome, "
                   "o.millis, o.at FROM tests t JOIN outcomes o ON o.test = t.id WHERE t.repository = ? AND (? = '' OR "
                   "t.id IN (SELECT test FROM outcomes WHERE run = ?)) ORDER BY t.job, t.suite, t.name, o.at, "
                   "o.attempt, o.go"));
    rows.bind(1, repository).bind(2, run).bind(3, run);
    std::int64_t last = -1;
    for (;;) {
      TRY(auto more, rows.step());
      if (!more) return {};
      if (rows.number(0) != last) {
        last = rows.number(0);
        out.push_back({rows.text(1), rows.text(2), rows.text(3), {}, false, 0, {}});
      }
      TestOutcome o;
      o.run = rows.text(4), o.attempt = rows.number(5), o.go = static_cast<int>(rows.number(6));
      o.commit = rows.text(7), o.tree = rows.text(8), o.outcome = outcome_of(rows.number(9));
      o.time = Millis(rows.number(10)), o.at = WallTime(Millis(rows.number(11)));
      auto& outcomes = out.back().outcomes;
      if (outcomes.size() == outcomes_kept) outcomes.erase(outcomes.begin());
      outcomes.push_back(std::move(o));
    }
  }));
  for (auto& test : out) judge(test);
  return out;
}

Result<std::vector<TestHistoryOf>> TestHistory::of(const std::string& repository, bool flaky_only,
                                                   std::size_t limit) const {
  TRY(auto out, read(repository, ""));
  if (flaky_only) std::erase_if(out, [](const auto& test) { return !test.flaky; });
  if (out.size() <= limit) return out;
  auto rank = [](const TestHistoryOf& test) {
    return test.flaky ? 0 : test.outcomes.back().outcome == Outcome::failed ? 1 : 2;
  };
  std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  out.resize(limit);
  return out;
}

Result<TestHistory::Summary> TestHistory::of_run(const std::string& repository, const std::string& run,
                                                 std::int64_t attempt) const {
  Summary out;
  TRY(auto tests, read(repository, run));
  for (const auto& test : tests) {
    const TestOutcome* mine = nullptr;
    for (const auto& o : test.outcomes)
      if (o.run == run && o.attempt <= attempt) mine = &o;
    if (mine == nullptr) continue;
    ++(mine->outcome == Outcome::passed ? out.passed : mine->outcome == Outcome::failed ? out.failed : out.skipped);
    auto differs = [&](const TestOutcome& o) {
      bool counts = o.outcome != Outcome::skipped && o.outcome != mine->outcome;
      return counts && o.tree == mine->tree && mine->outcome != Outcome::skipped;
    };
    if (test.flaky && std::any_of(test.outcomes.begin(), test.outcomes.end(), differs))
      out.flaky.push_back(test.suite.empty() ? test.name : test.suite + " " + test.name);
  }
  return out;
}

Result<> TestHistory::prune(WallTime now) {
  auto old = millis_of(now - std::chrono::hours(24 * 90));
  return database_->transact([&](store::Database& db) -> Result<> {
    TRY(auto surplus,
        db.prepare("DELETE FROM outcomes WHERE at < ? OR (test, run, attempt, go) IN (SELECT test, run, "
                   "attempt, go FROM (SELECT test, run, attempt, go, row_number() OVER (PARTITION BY test "
                   "ORDER BY at DESC, attempt DESC, go DESC) n FROM outcomes) WHERE n > ?)"));
    surplus.bind(1, old).bind(2, std::int64_t{outcomes_kept});
    TRY_OK(surplus.run());
    return db.exec("DELETE FROM tests WHERE id NOT IN (SELECT test FROM outcomes)");
  });
}

}  // namespace slipway::engine
