#include "oci/detail/catalogue.h"

#include <algorithm>
#include <ctime>

#include "oci/detail/sql.h"

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
)sql",
                                             R"sql(
ALTER TABLE blob ADD COLUMN size INTEGER NOT NULL DEFAULT -1;
ALTER TABLE blob ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tag ADD COLUMN pushed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tag ADD COLUMN pulled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN pushed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN pulled INTEGER NOT NULL DEFAULT 0;
CREATE INDEX child_digest ON child(digest);
CREATE INDEX alias_stored ON alias(stored);
CREATE INDEX manifest_stored ON manifest(stored);
CREATE INDEX tag_digest ON tag(repository, digest);
CREATE TABLE garbage(stored TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE checked(repository TEXT NOT NULL, tag TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(repository, tag)) WITHOUT ROWID;
UPDATE tag SET pushed = unixepoch();
UPDATE held SET pushed = unixepoch();
)sql"};

std::int64_t now() { return static_cast<std::int64_t>(std::time(nullptr)); }

// The bytes of a manifest that no repository holds any more are garbage.
Result<> forget_unheld(store::Database& db, std::string_view digest) {
  TRY(bool held, exists(db, "SELECT 1 FROM held WHERE digest = ?", digest));
  if (held) return {};
  TRY_OK(
      execute(db, "INSERT OR REPLACE INTO garbage SELECT stored, ?2 FROM manifest WHERE digest = ?1", digest, now()));
  TRY_OK(execute(db, "DELETE FROM manifest WHERE digest = ?", digest));
  return execute(db, "DELETE FROM child WHERE manifest = ?", digest);
}

Fail moved(std::string_view repository, std::string_view tag, std::string_view says) {
  return fail(Kind::denied, "{}:{}: this tag is immutable, and is {}", repository, tag, says);
}

Result<> set_tag(store::Database& db, std::string_view repository, std::string_view tag, const Digest& digest,
                 bool immutable) {
  std::int64_t pulled = 0;
  {
    TRY(auto before, bound(db, "SELECT digest, pulled FROM tag WHERE repository = ? AND tag = ?", repository, tag));
    TRY(bool there, before.step());
    if (there && immutable && before.text(0) != digest.str()) return moved(repository, tag, before.text(0));
    if (there && before.text(0) == digest.str()) pulled = before.number(1);
  }
  return execute(db, "INSERT OR REPLACE INTO tag VALUES(?, ?, ?, ?, ?)", repository, tag, digest.str(), now(), pulled);
}

constexpr std::string_view add_link =
    "INSERT INTO blob VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET size = ?3, at = ?4";

}  // namespace

Result<std::unique_ptr<Catalogue>> Catalogue::open(const fs::path& file) {
  TRY(auto db, store::Database::open(file, migrations));
  TRY_OK(db->read_aside());
  return std::unique_ptr<Catalogue>(new Catalogue(std::move(db)));
}

Result<> Catalogue::link_blob(std::string_view repository, const Digest& digest, std::uint64_t size) {
  return db_->transact_together([&](store::Database& db) {
    return execute(db, add_link, repository, digest.str(), static_cast<std::int64_t>(size), now());
  });
}

Result<bool> Catalogue::renew_link(std::string_view repository, const Digest& digest) {
  bool linked = false, loose = false;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement,
        bound(db,
              "SELECT b.at, EXISTS (SELECT 1 FROM child c JOIN held h ON h.digest = c.manifest WHERE c.digest = ?2 AND "
              "h.repository = ?1) FROM blob b WHERE b.repository = ?1 AND b.digest = ?2",
              repository, digest.str()));
    TRY(linked, statement.step());
    loose = linked && statement.number(1) == 0 && statement.number(0) + 60 < now();
    return {};
  }));
  if (!loose) return linked;
  TRY_OK(db_->transact([&](store::Database& db) -> Result<> {
    TRY_OK(
        execute(db, "UPDATE blob SET at = ?3 WHERE repository = ?1 AND digest = ?2", repository, digest.str(), now()));
    TRY(linked, exists(db, "SELECT 1 FROM blob WHERE repository = ? AND digest = ?", repository, digest.str()));
    return {};
  }));
  return linked;
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
  TRY_OK(db_->transact([&](store::Database& db) -> Result<> {
    TRY_OK(execute(
        db, "INSERT OR REPLACE INTO garbage SELECT coalesce((SELECT stored FROM alias WHERE digest = ?1), ?1), ?2",
        digest.str(), now()));
    return execute(db, "DELETE FROM blob WHERE repository = ? AND digest = ?", repository, digest.str());
  }));
  return true;
}

Result<> Catalogue::alias(const Digest& digest, const Digest& stored) {
  return db_->transact_together([&](store::Database& db) {
    return execute(db, "INSERT OR REPLACE INTO alias VALUES(?, ?)", digest.str(), stored.str());
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

// Lost to a power failure, a name that never came leaves its bytes: no push waits for the disk for that.
Result<> Catalogue::expect(const Digest& stored) {
  auto work = [&](store::Database& db) {
    return execute(db, "INSERT OR REPLACE INTO garbage VALUES(?, ?)", stored.str(), now());
  };
  return db_->transact(work, store::Sync::later);
}

// Whether putting it would only make it young again.
Result<bool> Catalogue::is_put(std::string_view repository, const Digest& digest,
                               const std::vector<std::string>& tags) const {
  bool all = false;
  auto look = [&](store::Database& db) -> Result<> {
    TRY(all, exists(db, "SELECT 1 FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    for (const auto& tag : tags) {
      if (!all) break;
      TRY(all, exists(db, "SELECT 1 FROM tag WHERE repository = ? AND tag = ? AND digest = ?", repository, tag,
                      digest.str()));
    }
    return {};
  };
  TRY_OK(db_->read(look));
  return all;
}

Result<> Catalogue::put(std::string_view repository, const ManifestRow& row, const std::vector<std::string>& tags,
                        const PutTerms& terms) {
  TRY(bool again, is_put(repository, row.digest, tags));
  auto work = [&](store::Database& db) -> Result<> {
    if (!terms.present(row.stored)) return fail(Kind::conflict, "manifest {}: freed meanwhile", row.digest.str());
    for (const auto& blob : terms.named) {
      if (terms.blobs == PutTerms::Blobs::link)
        TRY_OK(execute(db, add_link, repository, blob.digest.str(), static_cast<std::int64_t>(blob.size), now()));
      TRY(bool linked,
          exists(db, "SELECT 1 FROM blob WHERE repository = ? AND digest = ?", repository, blob.digest.str()));
      if (!linked || !terms.present(blob.stored))
        return fail(Kind::not_found, "blob {} is not in {}", blob.digest.str(), repository);
    }
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
      TRY_OK(execute(db, "INSERT OR IGNORE INTO child VALUES(?, ?)", row.digest.str(), child.str()));
    TRY_OK(execute(db, "INSERT INTO held VALUES(?1, ?2, ?3, 0) ON CONFLICT DO UPDATE SET pushed = ?3", repository,
                   row.digest.str(), now()));
    for (const auto& name : tags) {
      bool immutable = std::find(terms.immutable.begin(), terms.immutable.end(), name) != terms.immutable.end();
      TRY_OK(set_tag(db, repository, name, row.digest, immutable));
    }
    return {};
  };
  return again ? db_->transact(work, store::Sync::later) : db_->transact_together(work);
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

Result<bool> Catalogue::tag(std::string_view repository, std::string_view tag, const Digest& digest, bool immutable) {
  bool found = false;
  TRY_OK(db_->transact_together([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    return found ? set_tag(db, repository, tag, digest, immutable) : Result<>();
  }));
  return found;
}

Result<bool> Catalogue::remove_tag(std::string_view repository, std::string_view tag) {
  bool found = false;
  TRY_OK(db_->transact([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM tag WHERE repository = ? AND tag = ?", repository, tag));
    TRY_OK(execute(db, "DELETE FROM checked WHERE repository = ? AND tag = ?", repository, tag));
    return execute(db, "DELETE FROM tag WHERE repository = ? AND tag = ?", repository, tag);
  }));
  return found;
}

Result<bool> Catalogue::remove_manifest(std::string_view repository, const Digest& digest) {
  bool found = false;
  auto done = db_->transact([&](store::Database& db) -> Result<> {
    TRY(found, exists(db, "SELECT 1 FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    if (!found) return {};
    TRY_OK(execute(db, "DELETE FROM tag WHERE repository = ? AND digest = ?", repository, digest.str()));
    TRY_OK(execute(db, "DELETE FROM held WHERE repository = ? AND digest = ?", repository, digest.str()));
    return forget_unheld(db, digest.str());
  });
  if (!done) return Fail(std::move(done).error());
  return found;
}

}  // namespace slipway::oci::detail
