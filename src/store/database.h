#pragma once
// SQLite with WAL and full sync: a committed transaction survives kill -9 and power loss.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace slipway::store {

// One prepared statement in use. Text and blobs are bound by copy. Threads: one.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();                                       // resets it and gives it back to the cache
  Statement& bind(int index, std::string_view text);  // from 1
  Statement& bind(int index, std::int64_t number);
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);
  Result<bool> step();                 // true: a row is there
  Result<> run();                      // steps to the end
  std::string text(int column) const;  // from 0; "" for null
  std::int64_t number(int column) const;
  std::string blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Rep;
  explicit Statement(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// When a transaction is on disk: before it returns; or with the next one that is, or within SQLite's own time. What is
// lost to a power failure is then the newest, never a part: for what can be made again. A kill loses neither.
enum class Sync { now, later };

// Threads: any (one connection behind a lock).
class Database {
 public:
  // Applies the migrations it has not seen: migrations[i] brings version i to i+1.
  // Errors: denied, corrupt, unavailable (disk full), conflict (newer than this program).
  static Result<std::unique_ptr<Database>> open(const fs::path& file, const std::vector<std::string>& migrations);
  ~Database();
  // Runs `work` in one transaction; an error rolls back. Within another transaction, that one's sync counts.
  Result<> transact(const std::function<Result<>(Database&)>& work, Sync sync = Sync::now);
  // The same for many at once: those that wait for the disk meanwhile share the next commit. An error undoes its own
  // work alone. Each runs once, maybe on the thread of another that waits as well.
  Result<> transact_together(const std::function<Result<>(Database&)>& work);
  Result<Statement> prepare(std::string_view sql);  // cached; call only inside transact or read
  Result<> read(const std::function<Result<>(Database&)>& work);
  // From now on reads outside of transactions have a connection of their own: they see what is committed, and do not
  // wait for the disk while others commit. Before the database is shared between threads.
  Result<> read_aside();
  Result<> exec(std::string_view sql);
  Result<> backup_to(const fs::path& file);

 private:
  friend class Statement;
  struct Rep;
  struct Waiting;
  void commit_together(const std::vector<Waiting*>& group);
  explicit Database(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::store
