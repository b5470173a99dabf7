#pragma once
// Known vulnerabilities in OSV form (ossf.github.io/osv-schema): what is affected, from which version to which.
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "doc/view.h"
#include "path/types.h"
#include "scan/package.h"

namespace slipway::scan {

struct Event {
  enum class Kind { introduced, fixed, last_affected, limit };
  Kind kind = Kind::introduced;
  std::string version;
  friend bool operator==(const Event&, const Event&) = default;
};
struct Affected {
  std::string ecosystem, name;             // "Debian:12" "openssl"
  std::vector<std::vector<Event>> ranges;  // SEMVER and ECOSYSTEM; GIT ranges need a graph and are left out
  std::vector<std::string> versions;
  std::optional<path::Severity> severity;  // this package's own rating
  friend bool operator==(const Affected&, const Affected&) = default;
};
struct Advisory {
  std::string id, summary, modified, url;
  std::vector<std::string> aliases;        // aliases and upstream
  std::optional<double> score;             // best CVSS base score of its vectors
  std::optional<path::Severity> severity;  // as labelled, else by the score
  std::vector<Affected> affected;
  bool withdrawn = false;
  // What to call it: its CVE when it has exactly one, else its own id.
  std::string canonical() const;
};

// Errors: invalid (no id, wrong types), with the place.
Result<Advisory> parse_osv(doc::View record);

// The name advisories are looked up by: PyPI per PEP 503, npm and NuGet in lower case ...
std::string lookup_key(std::string_view ecosystem, std::string_view name);

// Whether the version is affected, by OSV's evaluation rules; and the lowest version above it that is not, "" if none.
bool is_affected(const Affected& affected, std::string_view version);
std::string fixed_version(const Affected& affected, std::string_view version);

// The records that come with the program, so that a first scan works offline.
const std::vector<Advisory>& built_in_advisories();

struct ImportReport {
  std::size_t records = 0, withdrawn = 0, unusable = 0, affected = 0;
  std::vector<std::string> problems;  // the first few, with their source
};
struct DatabaseStatus {
  std::size_t records = 0, affected = 0, built_in = 0;
  std::string imported_at, newest, source;  // RFC 3339; "" when nothing was imported
  std::map<std::string, std::size_t> ecosystems;
};

// An index in SQLite, keyed by ecosystem and name; the built-in records lie below it. Threads: any.
class AdvisoryDatabase {
 public:
  // "" gives the built-in records only. Errors: denied, corrupt.
  static Result<std::unique_ptr<AdvisoryDatabase>> open(const fs::path& file);
  ~AdvisoryDatabase();
  // A .json record, a .jsonl file (one record a line), either compressed, a .zip (OSV's export) or a folder of these.
  // Records replace those with the same id. A bad record is counted, never the end of the set.
  Result<ImportReport> import(const Ctx& ctx, const fs::path& source);
  Result<DatabaseStatus> status() const;
  struct Match {
    Advisory advisory;  // without its affected list
    Affected affected;  // the entry that hit
  };
  // Advisories that affect the package, one for each vulnerability.
  Result<std::vector<Match>> match(const Package& package) const;

 private:
  struct Rep;
  explicit AdvisoryDatabase(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::scan
