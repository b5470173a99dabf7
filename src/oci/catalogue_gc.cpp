// What keeps bytes alive, and how those that nothing keeps go.
#include <ctime>

#include "oci/detail/catalogue.h"
#include "oci/detail/sql.h"

namespace slipway::oci::detail {
namespace {

constexpr std::size_t at_once = 500;  // names that go in one transaction: pushes wait for no more

// Any name of the stored bytes, itself or as another algorithm has it.
constexpr std::string_view alive =
    "SELECT 1 FROM manifest WHERE stored = ?1 "
    "UNION ALL SELECT 1 FROM blob WHERE digest = ?1 "
    "UNION ALL SELECT 1 FROM child WHERE digest = ?1 "
    "UNION ALL SELECT 1 FROM alias a JOIN blob b ON b.digest = a.digest WHERE a.stored = ?1 "
    "UNION ALL SELECT 1 FROM alias a JOIN child c ON c.digest = a.digest WHERE a.stored = ?1 LIMIT 1";

// A blob is dead in a repository when no manifest held there names it.
constexpr std::string_view unheld =
    "NOT EXISTS (SELECT 1 FROM child c JOIN held h ON h.digest = c.manifest "
    "WHERE c.digest = blob.digest AND h.repository = blob.repository)";

struct Link {
  std::string repository, digest;
};

}  // namespace

Result<std::size_t> Catalogue::drop_dead_links(const Ctx& ctx, std::int64_t before, std::int64_t now) {
  // A window of links at a time: whoever pulls meanwhile waits for no more.
  constexpr std::int64_t window = 2000;
  std::vector<Link> dead;
  Link last;
  auto look = fmt::format(
      "SELECT repository, digest, at <= ?3 AND {} FROM blob WHERE (repository, digest) > (?1, ?2) ORDER BY repository, "
      "digest LIMIT ?4",
      unheld);
  for (auto rows = window; rows == window;) {
    TRY_OK(ctx.alive());
    TRY_OK(db_->read([&](store::Database& db) -> Result<> {
      TRY(auto statement, bound(db, look, last.repository, last.digest, before, window));
      for (rows = 0;; ++rows) {
        TRY(bool row, statement.step());
        if (!row) return {};
        last = {statement.text(0), statement.text(1)};
        if (statement.number(2) != 0) dead.push_back(last);
      }
    }));
  }
  // Looked at again, each where it goes: a manifest that came meanwhile keeps it.
  auto drop = [&](store::Database& db, const Link& link) -> Result<bool> {
    TRY(bool still,
        exists(db, fmt::format("SELECT 1 FROM blob WHERE repository = ? AND digest = ? AND at <= ? AND {}", unheld),
               link.repository, link.digest, before));
    if (!still) return false;
    TRY_OK(execute(
        db, "INSERT OR IGNORE INTO garbage SELECT coalesce((SELECT stored FROM alias WHERE digest = ?1), ?1), ?2",
        link.digest, now));
    TRY_OK(execute(db, "DELETE FROM blob WHERE repository = ? AND digest = ?", link.repository, link.digest));
    return true;
  };
  std::size_t dropped = 0;
  for (std::size_t first = 0; first < dead.size(); first += at_once) {
    TRY_OK(ctx.alive());
    TRY_OK(db_->transact([&](store::Database& db) -> Result<> {
      for (auto i = first; i < std::min(first + at_once, dead.size()); ++i) {
        TRY(bool gone, drop(db, dead[i]));
        dropped += gone ? 1 : 0;
      }
      return {};
    }));
  }
  return dropped;
}

Result<std::vector<Catalogue::Garbage>> Catalogue::garbage() const {
  std::vector<Garbage> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, db.prepare("SELECT stored, since FROM garbage"));
    for (;;) {
      TRY(bool row, statement.step());
      if (!row) return {};
      TRY(auto digest, Digest::parse(statement.text(0)));
      out.push_back({std::move(digest), statement.number(1)});
    }
  }));
  return out;
}

Result<> Catalogue::drop_garbage(std::span<const Garbage> some,
                                 const std::function<Result<bool>(const Digest&)>& remove) {
  return db_->transact([&](store::Database& db) -> Result<> {
    for (const auto& item : some) {
      TRY(bool kept, exists(db, alive, item.stored.str()));
      if (!kept) {
        // First the bytes: killed before the commit, the row says what is left to do.
        TRY(bool gone, remove(item.stored));
        if (!gone) continue;
        TRY_OK(execute(db, "DELETE FROM alias WHERE stored = ?", item.stored.str()));
      }
      TRY_OK(execute(db, "DELETE FROM garbage WHERE stored = ?", item.stored.str()));
    }
    return {};
  });
}

Result<> Catalogue::as_if(const std::function<Result<>()>& work) {
  std::optional<Result<>> outcome;
  // The error takes back what `work` wrote; it is none.
  auto undone = db_->transact([&](store::Database&) -> Result<> {
    outcome = work();
    return fail(Kind::cancelled, "only looked");
  });
  if (outcome) return *outcome;
  return undone;
}

Result<std::vector<Digest>> Catalogue::naming(std::string_view repository, const Digest& blob) const {
  std::vector<std::string> names;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement,
        bound(db,
              "SELECT m.stored FROM child c JOIN held h ON h.digest = c.manifest JOIN manifest m ON m.digest = "
              "c.manifest WHERE c.digest = ? AND h.repository = ?",
              blob.str(), repository));
    TRY(names, column(statement));
    return {};
  }));
  std::vector<Digest> out;
  for (const auto& name : names) {
    TRY(auto digest, Digest::parse(name));
    out.push_back(std::move(digest));
  }
  return out;
}

Result<std::vector<TagRow>> Catalogue::tag_rows(std::string_view repository) const {
  std::vector<TagRow> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement,
        bound(db,
              "SELECT t.tag, t.digest, t.pushed, max(t.pulled, coalesce(h.pulled, 0)) FROM tag t LEFT JOIN held h ON "
              "h.repository = t.repository AND h.digest = t.digest WHERE t.repository = ? ORDER BY t.tag",
              repository));
    for (;;) {
      TRY(bool row, statement.step());
      if (!row) return {};
      TRY(auto digest, Digest::parse(statement.text(1)));
      out.push_back({statement.text(0), std::move(digest), statement.number(2), statement.number(3)});
    }
  }));
  return out;
}

Result<std::vector<HeldRow>> Catalogue::held_rows(std::string_view repository) const {
  std::vector<HeldRow> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, bound(db,
                              "SELECT h.digest, m.subject, h.pushed, h.pulled FROM held h JOIN manifest m ON m.digest "
                              "= h.digest WHERE h.repository = ?",
                              repository));
    for (;;) {
      TRY(bool row, statement.step());
      if (!row) break;
      HeldRow held;
      TRY(held.digest, Digest::parse(statement.text(0)));
      if (!statement.is_null(1)) {
        TRY(held.subject, Digest::parse(statement.text(1)));
      }
      held.pushed = statement.number(2), held.pulled = statement.number(3);
      out.push_back(std::move(held));
    }
    for (auto& held : out) {
      TRY(auto children, bound(db, "SELECT digest FROM child WHERE manifest = ?", held.digest.str()));
      TRY(auto names, column(children));
      for (const auto& name : names) {
        TRY(auto digest, Digest::parse(name));
        held.children.push_back(std::move(digest));
      }
    }
    return {};
  }));
  return out;
}

Result<> Catalogue::note_pulls(const std::map<Pull, std::int64_t>& pulls) {
  if (pulls.empty()) return {};
  return db_->transact([&](store::Database& db) -> Result<> {
    for (const auto& [pull, when] : pulls) {
      bool by_digest = pull.reference.find(':') != std::string::npos;
      TRY_OK(execute(db,
                     by_digest ? "UPDATE held SET pulled = max(pulled, ?3) WHERE repository = ?1 AND digest = ?2"
                               : "UPDATE tag SET pulled = max(pulled, ?3) WHERE repository = ?1 AND tag = ?2",
                     pull.repository, pull.reference, when));
    }
    return {};
  });
}

Result<Catalogue::Usage> Catalogue::usage(std::string_view repository) const {
  Usage usage;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    {
      TRY(auto sum,
          bound(db,
                "SELECT (SELECT coalesce(sum(size), 0) FROM blob WHERE repository = ?1 AND size > 0) + (SELECT "
                "coalesce(sum(m.size), 0) FROM held h JOIN manifest m ON m.digest = h.digest WHERE "
                "h.repository = ?1)",
                repository));
      TRY_OK(sum.step());
      usage.bytes = static_cast<std::uint64_t>(sum.number(0));
    }
    TRY(auto statement, bound(db, "SELECT digest FROM blob WHERE repository = ? AND size < 0", repository));
    TRY(auto names, column(statement));
    for (const auto& name : names) {
      TRY(auto digest, Digest::parse(name));
      usage.unknown.push_back(std::move(digest));
    }
    return {};
  }));
  return usage;
}

Result<> Catalogue::set_size(const Digest& blob, std::uint64_t size) {
  return db_->transact([&](store::Database& db) {
    return execute(db, "UPDATE blob SET size = ?2 WHERE digest = ?1", blob.str(), static_cast<std::int64_t>(size));
  });
}

Result<std::optional<std::int64_t>> Catalogue::checked(std::string_view repository, std::string_view tag) const {
  std::optional<std::int64_t> out;
  TRY_OK(db_->read([&](store::Database& db) -> Result<> {
    TRY(auto statement, bound(db, "SELECT at FROM checked WHERE repository = ? AND tag = ?", repository, tag));
    TRY(bool row, statement.step());
    if (row) out = statement.number(0);
    return {};
  }));
  return out;
}

Result<> Catalogue::set_checked(std::string_view repository, std::string_view tag, std::int64_t when) {
  return db_->transact([&](store::Database& db) {
    return execute(db, "INSERT OR REPLACE INTO checked VALUES(?, ?, ?)", repository, tag, when);
  });
}

}  // namespace slipway::oci::detail
