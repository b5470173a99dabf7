// db update, import, status: the advisories that scans compare with.
#include <fcntl.h>

#include "base/text.h"
#include "cli/command.h"
#include "net/client.h"
#include "scan/advisories.h"

namespace slipway::cli {
namespace {

constexpr std::string_view database_file = "advisories.db";

// OSV publishes a .zip of all records for each package system.
constexpr std::string_view osv_export = "https://osv-vulnerabilities.storage.googleapis.com";
const std::vector<std::string> usual{"Debian", "Alpine", "npm", "PyPI", "Go", "crates.io", "Maven"};

Result<std::unique_ptr<scan::AdvisoryDatabase>> open(const Arguments& arguments) {
  auto data = data_dir(arguments);
  TRY_OK_IN("data directory", make_dirs(data, 0700));
  return scan::AdvisoryDatabase::open(data / database_file);
}

doc::Value document_of(const scan::ImportReport& report, const std::string& source) {
  return doc::Map{{"source", source},
                  {"records", report.records},
                  {"withdrawn", report.withdrawn},
                  {"unusable", report.unusable},
                  {"affected", report.affected},
                  {"problems", doc::List(report.problems.begin(), report.problems.end())}};
}

void tell(Io& io, const scan::ImportReport& report, const std::string& source) {
  io.line(fmt::format("{}: {} records, {} affected packages, {} withdrawn, {} unusable", source, report.records,
                      report.affected, report.withdrawn, report.unusable));
  for (const auto& problem : report.problems) io.note("  " + problem);
}

Result<int> import(const Ctx& ctx, const Arguments& arguments, Io& io) {
  fs::path source = arguments.get("source");
  if (!path_exists(source)) return fail(Kind::not_found, "{}: no such file or folder", source.native());
  TRY(auto database, open(arguments));
  TRY(auto report, database->import(ctx, source));
  if (io.json())
    io.document(document_of(report, source.native()));
  else
    tell(io, report, source.native());
  // Nothing at all could be used: the source is something else.
  return report.records == 0 && report.unusable > 0 ? 1 : 0;
}

Result<> download(const Ctx& ctx, const std::string& url, const fs::path& file) {
  net::Client client;
  Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, file.native());
  Result<> written;
  net::ClientRequest request;
  request.url = url;
  request.limit = std::size_t{8} << 30;
  auto response = client.stream(ctx, std::move(request), [&](std::string_view piece) {
    written = write_all(fd.get(), piece);
    return written.has_value();
  });
  if (!written) return written;
  if (!response)
    return Fail(std::move(response).error().in(url).with_hint(
        "where the network does not reach it: bring the file, then slipway db import FILE"));
  if (!response->ok())
    return Fail(Error(Kind::unavailable, fmt::format("{}: answers {}", url, response->status))
                    .with_hint("--ecosystem takes names as OSV has them: " + join(usual, ", ")));
  return {};
}

Result<int> update(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto ecosystems = arguments.all("ecosystem");
  if (ecosystems.empty()) ecosystems = usual;
  auto from = arguments.get("from");
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  auto limited = ctx.within(wait);
  TRY(auto database, open(arguments));
  TRY(auto folder, TempDir::make("slipway-db"));
  doc::List documents;
  for (const auto& ecosystem : ecosystems) {
    if (ecosystem.empty() || ecosystem.find_first_of("/?#") != std::string::npos)
      return fail(Kind::invalid, "--ecosystem \"{}\": want a name like npm", ecosystem);
    auto file = folder.path() / "all.zip";
    auto url = fmt::format("{}/{}/all.zip", from, replace_all(ecosystem, " ", "%20"));
    TRY_OK(download(limited, url, file));
    TRY_IN(auto report, url, database->import(limited, file));
    documents.push_back(document_of(report, url));
    if (!io.json()) tell(io, report, ecosystem);
  }
  if (io.json()) io.document(documents);
  return 0;
}

Result<int> status(const Ctx&, const Arguments& arguments, Io& io) {
  auto file = data_dir(arguments) / database_file;
  TRY(auto database, scan::AdvisoryDatabase::open(path_exists(file) ? file : fs::path()));
  TRY(auto now, database->status());
  if (io.json()) {
    doc::Map ecosystems;
    for (const auto& [name, count] : now.ecosystems) ecosystems.set(name, count);
    io.document(doc::Map{{"file", path_exists(file) ? file.native() : ""},
                         {"records", now.records},
                         {"affected", now.affected},
                         {"builtIn", now.built_in},
                         {"importedAt", now.imported_at},
                         {"newest", now.newest},
                         {"source", now.source},
                         {"ecosystems", std::move(ecosystems)}});
    return 0;
  }
  io.line(fmt::format("{} advisories, {} built in{}", now.records + now.built_in, now.built_in,
                      now.imported_at.empty()
                          ? "; nothing was imported"
                          : fmt::format("; imported {} from {}, newest {}", now.imported_at, now.source, now.newest)));
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, count] : now.ecosystems) rows.push_back({name, std::to_string(count)});
  if (!rows.empty()) io.table({"ECOSYSTEM", "PACKAGES"}, rows);
  if (now.imported_at.empty())
    io.note("slipway db update, or slipway db import FILE: scans know only the built-in ones");
  return 0;
}

}  // namespace

std::vector<Command> db_commands() {
  Option data{"--data", "data directory"};
  return {
      {"db update",
       "fetches the advisories of package systems from OSV",
       "slipway db update --ecosystem npm --ecosystem Go",
       {{"--ecosystem", "as OSV names it (the usual ones)", false, true},
        {"--from", "URL that has ECOSYSTEM/all.zip", false, false, std::string(osv_export)},
        {"--timeout", "for all of them", false, false, "15m"},
        data},
       {},
       update},
      {"db import",
       "reads OSV records: .json, .jsonl, .zip or a folder of these",
       "slipway db import npm.zip",
       {data},
       {{"source", "file or folder"}},
       import},
      {"db status", "how much is known, and since when", "slipway db status", {data}, {}, status},
  };
}

}  // namespace slipway::cli
