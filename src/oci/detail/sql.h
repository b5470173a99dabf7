#pragma once
// Statements of one line.
#include "store/database.h"

namespace slipway::oci::detail {

template <class... Arguments>
Result<store::Statement> bound(store::Database& db, std::string_view sql, const Arguments&... arguments) {
  TRY(auto statement, db.prepare(sql));
  int index = 0;
  (statement.bind(++index, arguments), ...);
  return statement;
}

template <class... Arguments>
Result<> execute(store::Database& db, std::string_view sql, const Arguments&... arguments) {
  TRY(auto statement, bound(db, sql, arguments...));
  return statement.run();
}

// Whether there is a row.
template <class... Arguments>
Result<bool> exists(store::Database& db, std::string_view sql, const Arguments&... arguments) {
  TRY(auto statement, bound(db, sql, arguments...));
  return statement.step();
}

// The first column of all rows.
inline Result<std::vector<std::string>> column(store::Statement& statement) {
  std::vector<std::string> out;
  for (;;) {
    TRY(bool row, statement.step());
    if (!row) return out;
    out.push_back(statement.text(0));
  }
}

}  // namespace slipway::oci::detail
