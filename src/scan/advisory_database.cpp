// The index of advisories. One row of `affected` holds one affected entry of one advisory as compact JSON.
#include "base/text.h"
#include "doc/json.h"
#include "scan/advisories.h"
#include "scan/detail/osv_source.h"
#include "store/database.h"

namespace slipway::scan {
namespace {

const std::vector<std::string> migrations = {R"sql(
  CREATE TABLE advisory(id TEXT PRIMARY KEY, modified TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE affected(key TEXT NOT NULL, id TEXT NOT NULL, part INTEGER NOT NULL, body TEXT NOT NULL,
                        PRIMARY KEY(key, id, part)) WITHOUT ROWID;
  CREATE INDEX affected_id ON affected(id);
  CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)sql"};

constexpr std::string_view kinds[] = {"i", "f", "l", "m"};

doc::Value list_of(const std::vector<std::string>& texts) {
  doc::List list;
  for (const auto& text : texts) list.emplace_back(text);
  return list;
}
std::vector<std::string> texts_of(doc::View view) {
  std::vector<std::string> list;
  for (const auto& item : view.items()) list.push_back(item.str_or(""));
  return list;
}

std::string print_meta(const Advisory& a) {
  doc::Map map;
  map.set("s", a.summary);
  map.set("u", a.url);
  map.set("a", list_of(a.aliases));
  if (a.score) map.set("c", *a.score);
  if (a.severity) map.set("r", std::string(path::to_string(*a.severity)));
  return doc::print_json(map);
}

std::optional<path::Severity> severity_in(doc::View view) { return path::parse_severity(view.str_or("")); }

Result<Advisory> read_meta(std::string id, std::string modified, std::string_view body) {
  TRY(auto value, doc::parse_json(body, "advisory database"));
  doc::View view(value);
  Advisory a;
  a.id = std::move(id), a.modified = std::move(modified);
  a.summary = view["s"].str_or(""), a.url = view["u"].str_or(""), a.aliases = texts_of(view["a"]);
  if (view["c"]) a.score = view["c"].real_or(0);
  a.severity = severity_in(view["r"]);
  return a;
}

std::string print_affected(const Affected& a) {
  doc::Map map;
  map.set("e", a.ecosystem);
  map.set("n", a.name);
  if (a.severity) map.set("r", std::string(path::to_string(*a.severity)));
  if (!a.versions.empty()) map.set("v", list_of(a.versions));
  doc::List ranges;
  for (const auto& range : a.ranges) {
    doc::List events;
    for (const auto& event : range) {
      events.emplace_back(kinds[static_cast<std::size_t>(event.kind)]);
      events.emplace_back(event.version);
    }
    ranges.emplace_back(std::move(events));
  }
  map.set("g", std::move(ranges));
  return doc::print_json(map);
}

Result<Affected> read_affected(std::string_view body) {
  TRY(auto value, doc::parse_json(body, "advisory database"));
  doc::View view(value);
  Affected a;
  a.ecosystem = view["e"].str_or(""), a.name = view["n"].str_or("");
  a.severity = severity_in(view["r"]);
  a.versions = texts_of(view["v"]);
  for (const auto& range : view["g"].items()) {
    auto texts = texts_of(range);
    std::vector<Event> events;
    for (std::size_t i = 0; i + 1 < texts.size(); i += 2)
      for (std::size_t k = 0; k < std::size(kinds); ++k)
        if (kinds[k] == texts[i]) events.push_back({static_cast<Event::Kind>(k), texts[i + 1]});
    a.ranges.push_back(std::move(events));
  }
  return a;
}

// "Debian:12" speaks of Debian 12 only, "Debian" of all releases.
bool release_fits(std::string_view advisory, std::string_view package) {
  return advisory == package || advisory.find(':') == advisory.npos || package.find(':') == package.npos;
}

Result<> put_record(store::Database& db, const Advisory& a, ImportReport& report) {
  {
    TRY(auto drop, db.prepare("DELETE FROM affected WHERE id = ?"));
    TRY_OK(drop.bind(1, a.id).run());
  }
  if (a.withdrawn) {
    TRY(auto drop, db.prepare("DELETE FROM advisory WHERE id = ?"));
    ++report.withdrawn;
    return drop.bind(1, a.id).run();
  }
  TRY(auto put, db.prepare("INSERT INTO advisory(id, modified, body) VALUES(?, ?, ?) "
                           "ON CONFLICT(id) DO UPDATE SET modified = excluded.modified, body = excluded.body"));
  TRY_OK(put.bind(1, a.id).bind(2, a.modified).bind(3, print_meta(a)).run());
  ++report.records;
  std::int64_t part = 0;
  for (const auto& affected : a.affected) {
    TRY(auto row, db.prepare("INSERT INTO affected(key, id, part, body) VALUES(?, ?, ?, ?)"));
    TRY_OK(row.bind(1, lookup_key(affected.ecosystem, affected.name))
               .bind(2, a.id)
               .bind(3, part++)
               .bind(4, print_affected(affected))
               .run());
    ++report.affected;
  }
  return {};
}

// One row for each vulnerability: the record with the best answer (a fix, then a rating) stands for its aliases.
void keep_one_each(std::vector<AdvisoryDatabase::Match>& matches) {
  std::map<std::string, AdvisoryDatabase::Match> best;
  auto value = [](const AdvisoryDatabase::Match& m) {
    bool fix = std::any_of(m.affected.ranges.begin(), m.affected.ranges.end(), [](const auto& range) {
      return std::any_of(range.begin(), range.end(), [](const Event& e) { return e.kind == Event::Kind::fixed; });
    });
    return static_cast<int>(fix) * 2 + static_cast<int>(m.advisory.severity || m.affected.severity);
  };
  for (auto& match : matches) {
    auto id = match.advisory.canonical();
    auto it = best.find(id);
    if (it == best.end())
      best.emplace(id, std::move(match));
    else if (value(match) > value(it->second))
      it->second = std::move(match);
  }
  matches.clear();
  for (auto& [id, match] : best) matches.push_back(std::move(match));
}

}  // namespace

struct AdvisoryDatabase::Rep {
  std::unique_ptr<store::Database> db;  // null: the built-in records only
};

AdvisoryDatabase::AdvisoryDatabase(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
AdvisoryDatabase::~AdvisoryDatabase() = default;

Result<std::unique_ptr<AdvisoryDatabase>> AdvisoryDatabase::open(const fs::path& file) {
  auto rep = std::make_unique<Rep>();
  if (!file.empty()) {
    if (file.has_parent_path()) TRY_OK(make_dirs(file.parent_path()));
    TRY_IN(rep->db, "open the advisory database", store::Database::open(file, migrations));
  }
  return std::unique_ptr<AdvisoryDatabase>(new AdvisoryDatabase(std::move(rep)));
}

Result<ImportReport> AdvisoryDatabase::import(const Ctx& ctx, const fs::path& source) {
  if (!rep_->db)
    return fail(Kind::invalid, "no advisory database is configured: nothing to import {} into", source.string());
  ImportReport report;
  std::vector<Advisory> batch;
  auto flush = [&]() -> Result<> {
    auto wrote = rep_->db->transact([&](store::Database& db) -> Result<> {
      for (const auto& advisory : batch) TRY_OK(put_record(db, advisory, report));
      return {};
    });
    batch.clear();
    return wrote;
  };
  auto take = [&](std::string_view place, std::string_view text) -> Result<> {
    TRY_OK(ctx.alive());
    auto value = doc::parse_json(text, place);
    auto advisory = value ? parse_osv(doc::View(*value, place)) : Result<Advisory>(Fail(value.error()));
    if (!advisory) {
      ++report.unusable;
      if (report.problems.size() < 10) report.problems.push_back(advisory.error().what());
      return {};
    }
    batch.push_back(*std::move(advisory));
    return batch.size() >= 2000 ? flush() : Result<>{};
  };
  TRY_OK(detail::each_osv_record(ctx, source, take));
  TRY_OK(flush());
  auto note = [&](store::Database& db) -> Result<> {
    for (auto [name, value] : {std::pair<std::string, std::string>{"imported_at", rfc3339(ctx.clock->wall())},
                               {"source", source.string()}}) {
      TRY(auto put,
          db.prepare(
              "INSERT INTO meta(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"));
      TRY_OK(put.bind(1, name).bind(2, value).run());
    }
    return {};
  };
  TRY_OK(rep_->db->transact(note));
  return report;
}

Result<DatabaseStatus> AdvisoryDatabase::status() const {
  DatabaseStatus status;
  status.built_in = built_in_advisories().size();
  if (!rep_->db) return status;
  auto count = [&](store::Database& db) -> Result<> {
    {
      TRY(auto row, db.prepare("SELECT count(*), coalesce(max(modified), '') FROM advisory"));
      TRY(bool there, row.step());
      if (there) status.records = static_cast<std::size_t>(row.number(0)), status.newest = row.text(1);
    }
    {
      TRY(auto row, db.prepare("SELECT substr(key, 1, instr(key, '/') - 1), count(*) FROM affected GROUP BY 1"));
      while (true) {
        TRY(bool there, row.step());
        if (!there) break;
        status.ecosystems[row.text(0)] = static_cast<std::size_t>(row.number(1));
        status.affected += static_cast<std::size_t>(row.number(1));
      }
    }
    TRY(auto row, db.prepare("SELECT name, value FROM meta"));
    while (true) {
      TRY(bool there, row.step());
      if (!there) return {};
      if (row.text(0) == "imported_at") status.imported_at = row.text(1);
      if (row.text(0) == "source") status.source = row.text(1);
    }
  };
  TRY_OK(rep_->db->read(count));
  return status;
}

Result<std::vector<AdvisoryDatabase::Match>> AdvisoryDatabase::match(const Package& package) const {
  std::vector<Match> matches;
  if (package.ecosystem.empty()) return matches;
  auto key = lookup_key(package.ecosystem, package.advisory_name());
  auto consider = [&](const Advisory& advisory, const Affected& affected) {
    if (!release_fits(affected.ecosystem, package.ecosystem) || !is_affected(affected, package.advisory_version()))
      return;
    Advisory meta = advisory;
    meta.affected.clear();
    matches.push_back({std::move(meta), affected});
  };
  static const auto built_in = [] {
    std::multimap<std::string, std::pair<const Advisory*, const Affected*>, std::less<>> index;
    for (const auto& advisory : built_in_advisories())
      for (const auto& affected : advisory.affected)
        index.emplace(lookup_key(affected.ecosystem, affected.name), std::pair(&advisory, &affected));
    return index;
  }();
  for (auto [it, end] = built_in.equal_range(key); it != end; ++it) consider(*it->second.first, *it->second.second);
  auto look_up = [&](store::Database& db) -> Result<> {
    TRY(auto row,
        db.prepare(
            "SELECT a.id, a.modified, a.body, f.body FROM affected f JOIN advisory a ON a.id = f.id WHERE f.key = ?"));
    row.bind(1, key);
    while (true) {
      TRY(bool there, row.step());
      if (!there) return {};
      TRY(auto affected, read_affected(row.text(3)));
      if (!release_fits(affected.ecosystem, package.ecosystem) || !is_affected(affected, package.advisory_version()))
        continue;
      TRY(auto advisory, read_meta(row.text(0), row.text(1), row.text(2)));
      matches.push_back({std::move(advisory), std::move(affected)});
    }
  };
  if (rep_->db) TRY_OK(rep_->db->read(look_up));
  keep_one_each(matches);
  return matches;
}

}  // namespace slipway::scan
