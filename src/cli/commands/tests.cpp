// tests: what became of each test lately, and which are unsteady.
#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "cli/command.h"
#include "doc/json.h"
#include "doc/view.h"
#include "engine/recorder.h"
#include "net/client.h"

namespace slipway::cli {
namespace {

Result<doc::Value> fetch(const Ctx& ctx, const Arguments& arguments, const std::string& path) {
  TRY(auto config, kubeconfig_for(arguments));
  net::Client client({.ca_pem = config.ca_pem, .verify = config.verify});
  net::ClientRequest request{.url = config.server + path};
  if (!config.token.empty()) request.headers.set("Authorization", "Bearer " + config.token);
  TRY(auto answer, client.send(ctx.within(Millis(30000)), std::move(request)));
  if (!answer.ok()) return fail(Kind::unavailable, "{}: {} {}", path, answer.status, trim(answer.body));
  return doc::parse_json(answer.body);
}

// Oldest first: what people read from left to right.
std::string strip_of(const Io& io, const doc::View& test) {
  std::string out;
  for (const auto& one : test["strip"].items()) {
    auto outcome = one["outcome"].text();
    out += outcome == "passed"   ? io.paint(Io::Paint::good, "✓")
           : outcome == "failed" ? io.paint(Io::Paint::bad, "✗")
                                 : io.paint(Io::Paint::dim, "-");
  }
  return out;
}

Result<std::vector<std::string>> repositories(const Ctx& ctx, const Arguments& arguments) {
  if (arguments.has("repository")) return std::vector{arguments.get("repository")};
  TRY(auto client, connect(ctx, arguments));
  TRY(auto runs, engine::all(ctx, *client, "WorkflowRun"));
  std::vector<std::string> names;
  for (const auto& run : runs) {
    auto name = run["spec"]["change"]["repository"].text();
    bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (run["status"]["tests"].present() && !known) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<int> tests(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));  // says best what is wrong where there is no server
  TRY(auto names, repositories(ctx, arguments));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& name : names) {
    TRY(auto answer, fetch(ctx, arguments,
                           fmt::format("/tests/{}{}", percent_encode(name), arguments.has("flaky") ? "?flaky=1" : "")));
    for (const auto& test : doc::View(answer)["tests"].items()) {
      auto title = test["suite"].text().empty() ? test["name"].text()
                                                : fmt::format("{} {}", test["suite"].text(), test["name"].text());
      rows.push_back({name, test["job"].text(), title.substr(0, 70), strip_of(io, test),
                      test["flaky"].bool_or(false) ? io.paint(Io::Paint::warn, "flaky: " + test["why"].text()) : ""});
    }
    documents.push_back(std::move(answer));
  }
  if (io.json()) {
    io.document(documents);
    return 0;
  }
  io.table({"REPOSITORY", "JOB", "TEST", "OLDEST TO NEWEST", ""}, rows);
  if (rows.empty())
    io.note(arguments.has("flaky") ? "no test both passed and failed on the same files"
                                   : "no run has read a test report yet: uses: slipway/test-report@v1 does");
  return 0;
}

}  // namespace

std::vector<Command> test_commands() {
  return {{"tests",
           "what became of each test lately, and which are flaky",
           "slipway tests --flaky",
           with_connection({{"--repository,-r", "only of this repository"},
                            {"--flaky", "only tests that passed and failed on the same files", true}}),
           {},
           tests}};
}

}  // namespace slipway::cli
