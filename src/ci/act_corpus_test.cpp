// Workflows of act's own runner tests with their expected outcome, run for real.
#include "ci/testing.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

struct Row {
  std::string test, folder, event, expect, needs;
};

std::vector<Row> offline_rows(const fs::path& root) {
  std::vector<Row> out;
  std::set<std::string> seen;
  auto manifest = must(read_file(root / "manifest.tsv"));
  for (auto line : lines(manifest)) {
    auto f = split(line, '\t');
    if (f.size() < 11 || f[8] != "offline" || f[1] == "windows") continue;
    if (f[9].contains("pwsh") || f[0] == "TestDryrunEvent" ||
        (f[0] == "TestPullAndPostStepFailureIsJobFailure" && f[2] == "checkout"))
      continue;
    if (!seen.insert(fmt::format("{} {}", f[2], f[3])).second) continue;
    out.push_back({std::string(f[0]), std::string(f[2]), std::string(f[3]), std::string(f[4]), std::string(f[9])});
  }
  return out;
}

// Rows that cannot end as stated here, and why.
constexpr std::pair<std::string_view, std::string_view> explained[] = {
    {"local-action-js", "the corpus has no dist/index.js of these actions"},
    {"uses-composite-check-for-input-collision", "the corpus has no script of the action within"},
    {"uses-composite-check-for-input-shadowing", "the corpus has no script of the action within"},
    {"if-env-act", "asks for ACT, a variable that act alone sets"},
    {"docker-action-custom-path", "builds from ubuntu:latest, an image of another host"},
    {"workflow_call_inputs", "an input of workflow_call without a type: GitHub's reader refuses the file"},
    {"strategy", "the folder is not in the corpus"},
};
bool is_explained(std::string_view folder) {
  return std::any_of(std::begin(explained), std::end(explained), [&](auto& e) { return e.first == folder; });
}

class ActCorpus : public RunnerTest {
 protected:
  // "pass", "fail", or what kept it from running.
  std::string outcome(const fs::path& testdata, const Row& row, std::string& log) {
    options.folder = testdata;
    options.only_matrix.clear();
    if (row.folder == "matrix-with-user-inclusions")  // what act's own test says on its command line
      options.only_matrix = {{"node", "8"}, {"node", "8.x"}, {"os", "ubuntu-18.04"}};
    event = Event{};
    event.name = row.event;
    event.sha = std::string(40, 'a');
    event.actor = "nektos/act", event.repository = "nektos/act", event.owner = "nektos";
    if (!path_exists(testdata / row.folder)) return "not in the corpus";
    if (path_exists(testdata / row.folder / "event.json"))
      event.payload = must(doc::parse_json(must(read_file(testdata / row.folder / "event.json")), "event.json"));
    event.head_ref = event.payload.str_at({"pull_request", "head", "ref"});
    event.base_ref = event.payload.str_at({"pull_request", "base", "ref"});
    if (row.event == "pull_request") event.ref = fmt::format("refs/pull/{}/merge", 1);
    bool failed = false;
    for (auto& name : must(list_dir(testdata / row.folder))) {
      if (!name.ends_with(".yml") && !name.ends_with(".yaml")) continue;
      auto text = must(read_file(testdata / row.folder / name));
      if (!text.contains("jobs:")) continue;
      auto parsed = read_workflow(text, {.source = row.folder + "/" + name});
      if (!parsed.problems.empty()) {
        log += parsed.problems[0].print() + "\n";
        failed = true;
        continue;
      }
      auto* dispatch = parsed.workflow.trigger(row.event);
      if (!dispatch) continue;
      // What act's own tests say on its command line.
      std::map<std::string, std::string> given;
      if (row.folder == "input-from-cli") event.payload["inputs"]["SOME_INPUT"] = "input";
      if (row.folder == "secrets") text = "env: {HELLO: WORLD, MULTILINE_ENV: \"foo\\nbar\\nbaz\"}\n" + text;
      if (auto* inputs = event.payload.find("inputs"); inputs && inputs->if_map())
        for (auto& [key, value] : *inputs->if_map()) given[key] = Data::from(value).text();
      auto inputs = typed_inputs(parsed.workflow, row.event, given);
      if (inputs) event.inputs = *std::move(inputs);
      auto ran = run(text);
      log += ran.conclusions() + "\n" + ran.output + ran.words;
      failed = failed || !ran.result || ran.result->conclusion != Conclusion::success;
    }
    return failed ? "fail" : "pass";
  }
};

TEST_F(ActCorpus, SLOW_OfflineWorkflowsEndAsStated) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora on this machine";
  isolate();
  if (IsSkipped()) return;
  options.secrets = {
      {"MY_SECRET", "top-secret"}, {"MULTILINE_SECRET", "foo\nbar\nbaz"}, {"JSON_SECRET", "{\"foo\": \"bar\"}"}};
  int same = 0, total = 0;
  auto only = std::getenv("SLIPWAY_ONLY");
  for (auto& row : offline_rows(*root / "workflows/act")) {
    if (only && row.folder != only) continue;
    ++total;
    std::string log;
    auto got = outcome(*root / "workflows/act/testdata", row, log);
    if (got == row.expect) {
      ++same;
      if (!only) continue;
    }
    EXPECT_TRUE(is_explained(row.folder)) << row.folder << ": want " << row.expect << ", got " << got;
    fmt::print("{} {}: want {}, got {} (needs {})\n", row.folder, row.event, row.expect, got, row.needs);
    if (std::getenv("SLIPWAY_VERBOSE")) fmt::print("{}\n", log);
  }
  fmt::print("act corpus: {} of {} end as stated\n", same, total);
  if (!only) {
    EXPECT_EQ(same, total - static_cast<int>(std::size(explained)));
  }
}

}  // namespace
}  // namespace slipway::ci
