#include "image/detail/step_cache.h"

#include <ctime>

namespace slipway::image::detail {

namespace {
const std::vector<std::string> migrations = {R"sql(
CREATE TABLE step(key TEXT PRIMARY KEY, diff_id TEXT NOT NULL, media_type TEXT, digest TEXT, size INTEGER, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE content(key TEXT PRIMARY KEY, content TEXT NOT NULL, made INTEGER NOT NULL) WITHOUT ROWID;
)sql"};
constexpr std::int64_t day = 24 * 3600, kept_for = 30 * day;
}  // namespace

Result<std::unique_ptr<StepCache>> StepCache::open(const fs::path& file) {
  TRY(auto db, store::Database::open(file, migrations));
  auto done = db->transact([](store::Database& d) -> Result<> {
    auto oldest = static_cast<std::int64_t>(std::time(nullptr)) - kept_for;
    for (const char* sql : {"DELETE FROM step WHERE used < ?", "DELETE FROM content WHERE made < ?"}) {
      TRY(auto statement, d.prepare(sql));
      TRY_OK(statement.bind(1, oldest).run());
    }
    return {};
  });
  if (!done) return Fail(std::move(done).error());
  return std::unique_ptr<StepCache>(new StepCache(std::move(db)));
}

Result<std::optional<CachedStep>> StepCache::find(const std::string& key) {
  std::optional<CachedStep> found;
  std::int64_t used = 0;
  auto read = db_->read([&](store::Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT diff_id, media_type, digest, size, used FROM step WHERE key = ?"));
    statement.bind(1, key);
    TRY(bool row, statement.step());
    if (!row) return {};
    CachedStep step;
    if (auto id = statement.text(0); !id.empty()) {
      TRY(step.diff_id, Digest::parse(id));
    }
    if (!statement.is_null(2)) {
      oci::Descriptor d2;
      d2.media_type = statement.text(1);
      TRY(d2.digest, Digest::parse(statement.text(2)));
      d2.size = static_cast<std::uint64_t>(statement.number(3));
      step.descriptor = std::move(d2);
    }
    used = statement.number(4);
    found = std::move(step);
    return {};
  });
  if (!read) return Fail(std::move(read).error());
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  if (found && used + day < now) {  // once a day is enough to keep it alive
    auto renew = [&](store::Database& d) -> Result<> {
      TRY(auto statement, d.prepare("UPDATE step SET used = ? WHERE key = ?"));
      return statement.bind(1, now).bind(2, key).run();
    };
    (void)db_->transact(renew, store::Sync::later);
  }
  return found;
}

// A cache may forget: no step waits for the disk.
Result<> StepCache::put(const std::string& key, const CachedStep& step) {
  auto work = [&](store::Database& d) -> Result<> {
    TRY(auto statement, d.prepare("INSERT OR REPLACE INTO step VALUES(?, ?, ?, ?, ?, ?)"));
    statement.bind(1, key).bind(2, step.diff_id.str());
    if (step.descriptor) {
      statement.bind(3, step.descriptor->media_type).bind(4, step.descriptor->digest.str());
      statement.bind(5, static_cast<std::int64_t>(step.descriptor->size));
    } else {
      statement.bind_null(3).bind_null(4).bind_null(5);
    }
    statement.bind(6, static_cast<std::int64_t>(std::time(nullptr)));
    return statement.run();
  };
  return db_->transact(work, store::Sync::later);
}

Result<std::optional<std::string>> StepCache::content(const std::string& key) {
  std::optional<std::string> found;
  auto read = db_->read([&](store::Database& d) -> Result<> {
    TRY(auto statement, d.prepare("SELECT content FROM content WHERE key = ?"));
    statement.bind(1, key);
    TRY(bool row, statement.step());
    if (row) found = statement.text(0);
    return {};
  });
  if (!read) return Fail(std::move(read).error());
  return found;
}

Result<> StepCache::put_content(const std::string& key, const std::string& content) {
  auto work = [&](store::Database& d) -> Result<> {
    TRY(auto statement, d.prepare("INSERT OR REPLACE INTO content VALUES(?, ?, ?)"));
    return statement.bind(1, key).bind(2, content).bind(3, static_cast<std::int64_t>(std::time(nullptr))).run();
  };
  return db_->transact(work, store::Sync::later);
}

}  // namespace slipway::image::detail
