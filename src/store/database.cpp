#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <exception>

#include "base/hash.h"

namespace slipway::store {
namespace {

using Connection = Owned<sqlite3, sqlite3_close_v2>;
using Prepared = Owned<sqlite3_stmt, sqlite3_finalize>;

Kind kind_of(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Kind::corrupt;
    case SQLITE_CONSTRAINT:
      return Kind::conflict;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Kind::denied;
    case SQLITE_CANTOPEN:
      return system_error == EACCES || system_error == EPERM ? Kind::denied
             : system_error == ENOENT                        ? Kind::not_found
                                                             : Kind::unavailable;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return Kind::unavailable;
    case SQLITE_INTERRUPT:
      return Kind::cancelled;
    default:
      return Kind::internal;
  }
}

}  // namespace

struct Database::Waiting {
  const std::function<Result<>(Database&)>* work;
  Result<> result;
  std::exception_ptr thrown;
  bool done = false, leads = false;
};

struct Database::Rep {
  fs::path file;
  std::size_t version = 0;
  Connection db;
  std::recursive_mutex mutex;
  std::atomic<std::thread::id> inside;  // who works with the connection
  int depth = 0;
  // Of transact_together: one leads, who come meanwhile wait, and the first of them leads next.
  std::mutex queue_mutex;
  std::condition_variable turn;
  std::vector<Waiting*> queue;
  bool led = false;
  std::unique_ptr<Database> aside;  // of read_aside
  std::unordered_map<std::string, std::vector<Prepared>> idle;

  Fail error(int code, std::string_view doing) const {
    auto kind = kind_of(code, sqlite3_system_errno(db.get()));
    Error error(kind, fmt::format("{}: {}: {}", file.native(), doing, sqlite3_errmsg(db.get())));
    if (kind == Kind::corrupt)
      error = std::move(error).with_hint("restore a backup of the file, or move it away to start from Git alone");
    return Fail(std::move(error));
  }
  Result<> exec(const char* sql) const {
    int code = sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code, std::string_view(sql).substr(0, 80));
    return {};
  }
};

struct Statement::Rep {
  Database::Rep* database;
  std::string sql;
  Prepared statement;
  int failed = SQLITE_OK;  // the first bind that failed

  ~Rep() {
    if (!statement) return;
    sqlite3_reset(statement.get());
    sqlite3_clear_bindings(statement.get());
    std::lock_guard hold(database->mutex);
    database->idle[sql].push_back(std::move(statement));
  }
  void note(int code) {
    if (failed == SQLITE_OK) failed = code;
  }
};

Statement::Statement(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;
Statement::~Statement() = default;

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL where the caller said "".
  const char* data = text.data() != nullptr ? text.data() : "";
  rep_->note(sqlite3_bind_text64(rep_->statement.get(), index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}
Statement& Statement::bind(int index, std::int64_t number) {
  rep_->note(sqlite3_bind_int64(rep_->statement.get(), index, number));
  return *this;
}
Statement& Statement::bind_blob(int index, std::string_view bytes) {
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  rep_->note(sqlite3_bind_blob64(rep_->statement.get(), index, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::bind_null(int index) {
  rep_->note(sqlite3_bind_null(rep_->statement.get(), index));
  return *this;
}

Result<bool> Statement::step() {
  if (rep_->failed != SQLITE_OK) return rep_->database->error(rep_->failed, "bind: " + rep_->sql.substr(0, 80));
  int code = sqlite3_step(rep_->statement.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto failure = rep_->database->error(code, rep_->sql.substr(0, 80));
  sqlite3_reset(rep_->statement.get());
  return failure;
}

Result<> Statement::run() {
  for (;;) {
    TRY(bool row, step());
    if (!row) break;
  }
  sqlite3_reset(rep_->statement.get());
  return {};
}

std::string Statement::text(int column) const { return blob(column); }
std::int64_t Statement::number(int column) const { return sqlite3_column_int64(rep_->statement.get(), column); }
std::string Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(rep_->statement.get(), column);
  auto size = sqlite3_column_bytes(rep_->statement.get(), column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}
bool Statement::is_null(int column) const { return sqlite3_column_type(rep_->statement.get(), column) == SQLITE_NULL; }

Database::Database(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Database::~Database() {
  if (!rep_) return;
  rep_->aside.reset();
  rep_->idle.clear();  // statements before their connection
}

namespace {

Result<> migrate(Database& database, const fs::path& file, const std::vector<std::string>& migrations) {
  std::int64_t version = 0;
  auto read_version = [&](Database& d) -> Result<> {
    TRY(auto statement, d.prepare("PRAGMA user_version"));
    TRY(bool row, statement.step());
    if (row) version = statement.number(0);
    return {};
  };
  TRY_OK(database.read(read_version));
  auto known = static_cast<std::int64_t>(migrations.size());
  if (version > known)
    return Fail(Error(Kind::conflict,
                      fmt::format("{}: has version {}, this program knows up to {}", file.native(), version, known))
                    .with_hint("run the newer program that wrote it"));
  for (auto i = version; i < known; ++i) {
    auto step = [&](Database& d) -> Result<> {
      TRY_OK(d.exec(migrations[i]));
      return d.exec(fmt::format("PRAGMA user_version = {}", i + 1));
    };
    TRY_OK_IN(fmt::format("migrate to version {}", i + 1), database.transact(step));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const fs::path& file, const std::vector<std::string>& migrations) {
  auto rep = std::make_unique<Rep>();
  rep->file = file;
  // NOMUTEX: our own lock is around every use.
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int code = sqlite3_open_v2(file.c_str(), out(rep->db), flags, nullptr);
  if (code != SQLITE_OK) return rep->error(code, "open");
  sqlite3_busy_timeout(rep->db.get(), 5000);
  // The log stays as it is when the last one leaves: a command that is over does not wait for the disk again.
  sqlite3_db_config(rep->db.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  for (const char* sql : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON",
                          "PRAGMA temp_store = MEMORY", "SELECT count(*) FROM sqlite_master"})
    TRY_OK(rep->exec(sql));
  std::unique_ptr<Database> database(new Database(std::move(rep)));
  TRY_OK(migrate(*database, file, migrations));
  database->rep_->version = migrations.size();
  return database;
}

Result<> Database::transact(const std::function<Result<>(Database&)>& work, Sync sync) {
  std::lock_guard hold(rep_->mutex);
  // Inside another transaction of this thread it is a part that can fail alone.
  bool outer = rep_->depth == 0;
  bool later = outer && sync == Sync::later;
  if (later) TRY_OK(rep_->exec("PRAGMA synchronous = NORMAL"));
  Finally full([&] {
    if (later) (void)rep_->exec("PRAGMA synchronous = FULL");
  });
  TRY_OK(rep_->exec(outer ? "BEGIN IMMEDIATE" : "SAVEPOINT part"));
  ++rep_->depth;
  auto before = rep_->inside.exchange(std::this_thread::get_id());
  auto undo = [&] {
    // After SQLITE_FULL and the like SQLite has rolled back by itself.
    if (sqlite3_get_autocommit(rep_->db.get()) != 0) return;
    (void)rep_->exec(outer ? "ROLLBACK" : "ROLLBACK TO part; RELEASE part");
  };
  Finally leave([&] { --rep_->depth, rep_->inside = before; });
  Result<> result;
  try {
    result = work(*this);
  } catch (...) {
    undo();
    throw;
  }
  if (result) result = rep_->exec(outer ? "COMMIT" : "RELEASE part");
  if (!result) undo();
  return result;
}

void Database::commit_together(const std::vector<Waiting*>& group) {
  auto all = transact([&](Database&) -> Result<> {
    for (auto* one : group) {
      if (sqlite3_get_autocommit(rep_->db.get()) != 0)  // the one before was undone with everything: the disk is full
        return fail(Kind::unavailable, "{}: undone with another's work", rep_->file.native());
      try {
        one->result = transact(*one->work);
      } catch (...) {
        one->thrown = std::current_exception();
      }
    }
    return {};
  });
  if (all) return;
  for (auto* one : group)
    if (one->result && !one->thrown) one->result = all;
}

Result<> Database::transact_together(const std::function<Result<>(Database&)>& work) {
  if (rep_->inside.load() == std::this_thread::get_id()) return transact(work);
  Waiting mine{&work, {}, {}};
  std::unique_lock hold(rep_->queue_mutex);
  rep_->queue.push_back(&mine);
  rep_->turn.wait(hold, [&] { return mine.done || mine.leads || !rep_->led; });
  if (!mine.done) {
    rep_->led = true;
    hold.unlock();
    std::vector<Waiting*> group;
    {
      // Whoever comes until the connection is free comes along.
      std::lock_guard connection(rep_->mutex);
      hold.lock();
      group.swap(rep_->queue);
      hold.unlock();
      commit_together(group);
    }
    hold.lock();
    for (auto* one : group) one->done = true;
    rep_->led = !rep_->queue.empty();
    if (rep_->led) rep_->queue.front()->leads = true;
    rep_->turn.notify_all();
  }
  hold.unlock();
  if (mine.thrown) std::rethrow_exception(mine.thrown);
  return std::move(mine.result);
}

Result<Statement> Database::prepare(std::string_view sql) {
  std::lock_guard hold(rep_->mutex);
  auto rep = std::make_unique<Statement::Rep>();
  rep->database = rep_.get();
  rep->sql = sql;
  if (auto it = rep_->idle.find(rep->sql); it != rep_->idle.end() && !it->second.empty()) {
    rep->statement = std::move(it->second.back());
    it->second.pop_back();
    return Statement(std::move(rep));
  }
  int code = sqlite3_prepare_v3(rep_->db.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                out(rep->statement), nullptr);
  if (code != SQLITE_OK) return rep_->error(code, sql.substr(0, 80));
  if (!rep->statement) return fail(Kind::internal, "prepare: no statement in \"{}\"", sql.substr(0, 80));
  return Statement(std::move(rep));
}

Result<> Database::read_aside() {
  TRY(rep_->aside, open(rep_->file, std::vector<std::string>(rep_->version)));
  return {};
}

Result<> Database::read(const std::function<Result<>(Database&)>& work) {
  if (rep_->aside && rep_->inside.load() != std::this_thread::get_id()) return rep_->aside->read(work);
  std::lock_guard hold(rep_->mutex);
  auto before = rep_->inside.exchange(std::this_thread::get_id());
  Finally leave([&] { rep_->inside = before; });
  return work(*this);
}

Result<> Database::exec(std::string_view sql) {
  std::lock_guard hold(rep_->mutex);
  return rep_->exec(std::string(sql).c_str());
}

Result<> Database::backup_to(const fs::path& file) {
  auto temp = file;
  temp += "." + random_hex(6) + ".tmp";
  Finally drop([&] { ::unlink(temp.c_str()); });
  TRY_OK_IN("backup", read([&](Database& d) -> Result<> {
              TRY(auto statement, d.prepare("VACUUM INTO ?1"));
              return statement.bind(1, temp.native()).run();
            }));
  Fd fd(::open(temp.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) < 0) return fail_errno(errno, temp.native());
  if (::rename(temp.c_str(), file.c_str()) < 0) return fail_errno(errno, file.native());
  Fd folder(::open(file.has_parent_path() ? file.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
  return {};
}

}  // namespace slipway::store
