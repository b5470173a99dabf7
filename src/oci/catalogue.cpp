#include "oci/detail/catalogue.h"

namespace slipway::oci::detail {

namespace {

const std::vector<std::string> migrations = {R"sql(
CREATE TABLE manifest(digest TEXT PRIMARY KEY, stored TEXT NOT NULL, media_type TEXT NOT NULL, artifact_type TEXT NOT NULL,
  size INTEGER NOT NULL, subject TEXT, referrer TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX manifest_subject ON manifest(subject) WHERE subject IS NOT NULL;
CREATE TABLE child(manifest TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(manifest, digest)) WITHOUT ROWID;
CREATE TABLE held(repository TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(repository, digest)) WITHOUT ROWID;
CREATE INDEX held_digest ON held(digest);
CREATE TABLE tag(repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(repository, tag)) WITHOUT ROWID;
CREATE TABLE blob(repository TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(repository, digest)) WITHOUT ROWID;
CREATE INDEX blob_digest ON blob(digest);
CREATE TABLE alias(digest TEXT PRIMARY KEY, stored TEXT NOT NULL) WITHOUT ROWID;
)sql"};

Result<std::vector<std::string>> column(store::Statement& statement) {
  std::vector<std::string> out;
  for (;;) {
    TRY(bool row, statement.step());
    if (!row) return out;
    out.push_back(statement.text(0));
  }
}

Result<bool> exists(store::Database& db, std::string_view sql, std::string_view a, std::string_view b) {
  TRY(auto statement, db.prepare(sql));
  statement.bind(1, a).bind(2, b);
  return statement.step();
}

Result<> run2(store::Database& db, std::string_view sql, std::string_view a, std::string_view b) {
  TRY(auto statement, db.prepare(sql));
  statement.bind(1, a).bind(2, b);
  return statement.run();
}

Result<> run3(store::Database& db, std::string_view sql, std::string_view a, std::string_view b, std::string_view c) {
  TRY(auto statement, db.prepare(sql));
  statement.bind(1, a).bind(2, b).bind(3, c);
  return statement.run();
}

Result<> forget_unheld(store::Database& db, std::string_view digest) {
  {
    TRY(auto statement,
        db.prepare("DELETE FROM manifest WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM held WHERE digest = ?1)"));
    TRY_OK(statement.bind(1, digest).run());
  }
  TRY(auto statement,
      db.prepare("DELETE FROM child WHERE manifest = ?1 AND NOT EXISTS (SELECT 1 FROM manifest WHERE digest = ?1)"));
  return statement.bind(1, digest).run();
}

}  // namespace

Result<std::unique_ptr<Catalogue>> Catalogue::open(const fs::path& file) {
  TRY(auto db, store::Database::open(file, migrations));
  return std::unique_ptr<Catalogue>(new Catalogue(std::move(db)));
}

Result<> Catalogue::link_blob(std::string_view repository, const Digest& digest) {
  TRY(bool there, has_blob(repository, digest));
  if (there) return {};  // saves the sync of a transaction
  return db_->transact([&](store::Database& db) {
    return run2(db, "INSERT OR IGNORE INTO blob VALUES(?, ?)", repository, digest.str());
  });
}

Result<bool> Catalogue::has_blob(std::string_view repository, const Digest& digest) const {
  bool found = false;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM blob WHERE repository = ? AND digest = ?", repository, digest.str()));
    return {};
  }));
  return found;
}

Result<std::vector<std::string>> Catalogue::repositories_of(const Digest& blob) const {
  std::vector<std::string> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, db.prepare("SELECT repository FROM blob WHERE digest = ?"));
    statement.bind(1, blob.str());
    TRY(out, column(statement));
    return {};
  }));
  return out;
}

Result<bool> Catalogue::unlink_blob(std::string_view repository, const Digest& digest) {
  TRY(bool there, has_blob(repository, digest));
  if (!there) return false;
  TRY_OK(db_->transact([&](store::Database& db) {
    return run2(db, "DELETE FROM blob WHERE repository = ? AND digest = ?", repository, digest.str());
  }));
  return true;
}

Result<> Catalogue::alias(const Digest& digest, const Digest& stored) {
  return db_->transact([&](store::Database& db) {
    return run2(db, "INSERT OR REPLACE INTO alias VALUES(?, ?)", digest.str(), stored.str());
  });
}

Result<std::optional<Digest>> Catalogue::stored(const Digest& digest) const {
  if (digest.algorithm() == "sha256") return std::optional(digest);
  std::optional<Digest> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, db.prepare("SELECT stored FROM alias WHERE digest = ?"));
    statement.bind(1, digest.str());
    TRY(bool row, statement.step());
    if (row) {
      TRY(out, Digest::parse(statement.text(0)));
    }
    return {};
  }));
  return out;
}

Result<> Catalogue::put(std::string_view repository, const ManifestRow& row, const std::vector<std::string>& tags) {
  return db_->transact([&](store::Database& db) -> Result<> {
    {
      TRY(auto statement, db.prepare("INSERT OR REPLACE INTO manifest VALUES(?, ?, ?, ?, ?, ?, ?)"));
      statement.bind(1, row.digest.str()).bind(2, row.stored.str()).bind(3, row.media_type).bind(4, row.artifact_type);
      statement.bind(5, static_cast<std::int64_t>(row.size));
      if (row.subject.empty())
        statement.bind_null(6);
      else
        statement.bind(6, row.subject.str());
      statement.bind(7, row.referrer);
      TRY_OK(statement.run());
    }
    for (const auto& child : row.children)
      TRY_OK(run2(db, "INSERT OR IGNORE INTO child VALUES(?, ?)", row.digest.str(), child.str()));
    TRY_OK(run2(db, "INSERT OR IGNORE INTO held VALUES(?, ?)", repository, row.digest.str()));
    for (const auto& name : tags)
      TRY_OK(run3(db, "INSERT OR REPLACE INTO tag VALUES(?, ?, ?)", repository, name, row.digest.str()));
    return {};
  });
}

Result<std::optional<ManifestRow>> Catalogue::manifest(std::string_view repository, std::string_view reference) const {
  std::optional<ManifestRow> out;
  bool by_digest = reference.find(':') != std::string_view::npos;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement,
        db.prepare(by_digest
                       ? "SELECT m.digest, stored, media_type, artifact_type, size, subject, referrer FROM manifest m "
                         "JOIN held h ON h.digest = m.digest WHERE h.repository = ? AND h.digest = ?"
                       : "SELECT m.digest, stored, media_type, artifact_type, size, subject, referrer FROM manifest m "
                         "JOIN tag t ON t.digest = m.digest WHERE t.repository = ? AND t.tag = ?"));
    statement.bind(1, repository).bind(2, reference);
    TRY(bool found, statement.step());
    if (!found) return {};
    ManifestRow row;
    TRY(row.digest, Digest::parse(statement.text(0)));
    TRY(row.stored, Digest::parse(statement.text(1)));
    row.media_type = statement.text(2);
    row.artifact_type = statement.text(3);
    row.size = static_cast<std::uint64_t>(statement.number(4));
    if (!statement.is_null(5)) {
      TRY(row.subject, Digest::parse(statement.text(5)));
    }
    row.referrer = statement.text(6);
    out = std::move(row);
    return {};
  }));
  return out;
}

Result<bool> Catalogue::tag(std::string_view repository, std::string_view tag, const Digest& digest) {
  bool found = false;
  TRY_OK(db_->transact([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    if (!found) return {};
    return run3(db, "INSERT OR REPLACE INTO tag VALUES(?, ?, ?)", repository, tag, digest.str());
  }));
  return found;
}

Result<bool> Catalogue::remove_tag(std::string_view repository, std::string_view tag) {
  bool found = false;
  TRY_OK(db_->transact([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM tag WHERE repository = ? AND tag = ?", repository, tag));
    return run2(db, "DELETE FROM tag WHERE repository = ? AND tag = ?", repository, tag);
  }));
  return found;
}

Result<bool> Catalogue::remove_manifest(std::string_view repository, const Digest& digest) {
  bool found = false;
  auto done = db_->transact([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    if (!found) return {};
    TRY_OK(run2(db, "DELETE FROM tag WHERE repository = ? AND digest = ?", repository, digest.str()));
    TRY_OK(run2(db, "DELETE FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    return forget_unheld(db, digest.str());
  });
  if (!done) return Fail(std::move(done).error());
  return found;
}

Result<std::vector<std::string>> Catalogue::repositories(const Page& page) const {
  std::vector<std::string> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement,
        db.prepare("SELECT DISTINCT repository FROM held WHERE repository > ? ORDER BY repository LIMIT ?"));
    statement.bind(1, page.after).bind(2, page.limit.value_or(-1));
    TRY(out, column(statement));
    return {};
  }));
  return out;
}

Result<std::optional<std::vector<std::string>>> Catalogue::tags(std::string_view repository, const Page& page) const {
  std::optional<std::vector<std::string>> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    {
      TRY(auto statement, db.prepare("SELECT tag FROM tag WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?"));
      statement.bind(1, repository).bind(2, page.after).bind(3, page.limit.value_or(-1));
      TRY(out, column(statement));
    }
    if (!out->empty()) return {};
    TRY(bool known,
        exists(db, "SELECT 1 FROM held WHERE repository = ?1 UNION ALL SELECT 1 FROM blob WHERE repository = ?2",
               repository, repository));
    if (!known) out.reset();
    return {};
  }));
  return out;
}

Result<std::vector<std::string>> Catalogue::referrers(std::string_view repository, const Digest& subject,
                                                      std::string_view artifact_type) const {
  std::vector<std::string> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement,
        db.prepare(
            "SELECT referrer FROM manifest m JOIN held h ON h.digest = m.digest "
            "WHERE m.subject = ?1 AND h.repository = ?2 AND (?3 = '' OR m.artifact_type = ?3) ORDER BY m.digest"));
    statement.bind(1, subject.str()).bind(2, repository).bind(3, artifact_type);
    TRY(out, column(statement));
    return {};
  }));
  return out;
}

Result<std::vector<Digest>> Catalogue::reachable() const {
  std::vector<std::string> names;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, db.prepare("SELECT stored FROM manifest UNION SELECT coalesce(a.stored, c.digest) FROM child c "
                                   "LEFT JOIN alias a ON a.digest = c.digest"));
    TRY(names, column(statement));
    return {};
  }));
  std::vector<Digest> out;
  out.reserve(names.size());
  for (const auto& name : names) {
    TRY(auto digest, Digest::parse(name));
    out.push_back(std::move(digest));
  }
  return out;
}

}  // namespace slipway::oci::detail
