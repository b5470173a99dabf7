// What the catalogue lists: repositories, tags, referrers, what is reachable.
#include "oci/detail/catalogue.h"
#include "oci/detail/sql.h"

namespace slipway::oci::detail {

Result<std::vector<std::string>> Catalogue::tags_of(std::string_view repository, const Digest& digest) const {
  std::vector<std::string> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, bound(db, "SELECT tag FROM tag WHERE repository = ? AND digest = ?", repository, digest.str()));
    TRY(out, column(statement));
    return {};
  }));
  return out;
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
