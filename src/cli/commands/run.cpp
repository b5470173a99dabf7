// run: a workflow here and now, on the working tree.
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "ci/front_end.h"
#include "cli/command.h"
#include "cli/run_event.h"
#include "cli/run_place.h"
#include "cli/terminal.h"

namespace slipway::cli {
namespace {

// Lines of all jobs, each under its job's name.
class Printer final : public ci::Observer {
 public:
  explicit Printer(Io& io) : io_(io) {}
  void job_started(const std::string&, const std::string& name) override { io_.line(io_.paint(Io::Paint::bold, name)); }
  void job_finished(const ci::JobResult& result) override {
    auto paint = result.conclusion == ci::Conclusion::failure ? Io::Paint::bad : Io::Paint::good;
    auto cached = std::count_if(result.steps.begin(), result.steps.end(), [](auto& s) { return s.from_cache; });
    io_.line(fmt::format("{} {} ({:.2f} s){}{}", result.name, io_.paint(paint, to_string(result.conclusion)),
                         static_cast<double>(result.duration.count()) / 1000,
                         cached > 0 && !result.from_cache ? fmt::format(", {} steps from the cache", cached) : "",
                         result.why.empty() ? "" : ": " + result.why));
  }
  void step_started(const std::string& job, const std::string&, const std::string& name) override {
    io_.line(fmt::format("{} ▸ {}", job, name));
  }
  void log(const ci::LogLine& line) override { io_.line(fmt::format("{} | {}", line.job, line.text)); }

 private:
  Io& io_;
};

Result<std::string> workflow_file(const fs::path& root, const std::string& given) {
  if (!given.empty())
    return path_exists(root / given) || given.contains('/')
               ? given
               : ".github/workflows/" + given + (given.ends_with(".yml") || given.ends_with(".yaml") ? "" : ".yml");
  std::vector<std::string> files;
  if (path_exists(root / ".github/workflows")) {
    TRY(auto names, list_dir(root / ".github/workflows"));
    for (const auto& name : names) files.push_back(".github/workflows/" + name);
  }
  if (path_exists(root / ci::gitlab_file)) files.emplace_back(ci::gitlab_file);
  std::erase_if(files, [](const auto& file) { return !ci::is_pipeline_file(file); });
  if (files.empty())
    return Fail(Error(Kind::not_found, fmt::format("no workflow below .github/workflows and no {}", ci::gitlab_file))
                    .with_hint("slipway init writes one"));
  if (files.size() != 1)
    return fail(Kind::invalid, "{} workflow files, say which: {}", files.size(), join(files, ", "));
  return files[0];
}

// --matrix os:debian, as rows are told apart.
Result<std::vector<std::pair<std::string, std::string>>> rows_of(const Arguments& arguments) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& row : arguments.all("matrix")) {
    auto pair = cut(row, row.contains(':') ? ":" : "=");
    if (!pair || pair->first.empty())
      return Fail(Error(Kind::invalid, fmt::format("--matrix: got \"{}\", want KEY:VALUE", row))
                      .with_hint("--matrix os:debian --matrix node:20"));
    out.emplace_back(pair->first, pair->second);
  }
  return out;
}

Result<> fill(ci::RunnerOptions& options, const Arguments& arguments) {
  options.only_jobs = arguments.all("job");
  TRY(options.only_matrix, rows_of(arguments));
  TRY(options.secrets, values_of(arguments.all("secret"), arguments.get("secret-file"), "--secret"));
  TRY(options.vars, values_of(arguments.all("var"), arguments.get("var-file"), "--var"));
  options.infer_inputs = arguments.has("affected");
  options.cache_jobs = arguments.has("affected") || arguments.has("cached");
  options.cache_steps = !arguments.has("no-cache");
  options.resume = arguments.has("resume");
  options.explain = arguments.has("plan");
  return {};
}

// What would run, and why.
int show_plan(const ci::Plan& plan, const ci::RunResult& foretold, Io& io) {
  if (io.json()) {
    auto document = plan.to_doc();
    doc::List runs;
    for (const auto& job : foretold.jobs)
      runs.push_back(doc::Map{{"key", job.key}, {"runs", job.foretold}, {"cached", job.from_cache}, {"why", job.why}});
    document["foretold"] = std::move(runs);
    io.document(document);
    return 0;
  }
  io.print(plan.print());
  std::vector<std::vector<std::string>> rows;
  for (const auto& job : foretold.jobs) {
    auto what = job.foretold ? "runs" : job.from_cache ? "answered" : std::string(to_string(job.conclusion));
    auto why = job.from_cache ? "nothing it reads has changed since it succeeded" : job.why;
    rows.push_back({job.key, what, why});
  }
  if (!rows.empty()) {
    io.line("");
    io.table({"JOB", "", "WHY"}, rows);
  }
  return 0;
}

void say_what_next(const std::string& file, const ci::RunResult& result, Io& io) {
  for (const auto& job : result.jobs) {
    if (job.resumable.empty()) continue;
    io.note(
        fmt::format("{} is kept as it is: `slipway run {} --resume` goes on at '{}', `slipway run {} --shell '{}'` "
                    "looks around",
                    job.key, file, job.resumable, file, job.key));
  }
}

Result<int> shell(const Ctx& ctx, const ci::RunnerOptions& options, const ci::Plan& plan, const std::string& job) {
  ci::Terminal terminal;
  if (const char* name = std::getenv("TERM")) terminal.name = name;
  RawTerminal raw(0);
  return ci::Runner(options).shell(ctx, plan, job, terminal);
}

Result<int> run(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto root = fs::weakly_canonical(fs::absolute(arguments.get("folder")));
  TRY(auto file, workflow_file(root, arguments.get("workflow")));
  TRY(auto text, read_file(root / file));
  TRY(auto event, event_of(arguments, root, text, file));
  auto tree = ci::folder_tree(root);
  // Files of other repositories, which some pipelines include.
  std::shared_ptr<ci::ActionSource> places;
  tree.other = [&](const std::string& name, const std::string& ref,
                   const std::string& path) -> Result<std::optional<std::string>> {
    if (!places) {
      TRY(places,
          ci::ActionSource::open({.root = data_dir(arguments) / "actions", .places = arguments.all("actions")}));
    }
    return places->file(ctx, name, ref, path);
  };
  TRY(auto plan, ci::plan_file(text, file, event, tree));
  TRY(auto place, RunPlace::open(arguments, root));
  LastWish wish([&] { place->clean_up(); });
  auto options = place->options();
  TRY_OK(fill(options, arguments));
  if (arguments.has("shell")) return shell(ctx, options, plan, arguments.get("shell"));
  if (options.resume) {
    TRY(auto last, place->last(file));
    for (auto& job : last)
      if (job.conclusion == ci::Conclusion::success) options.finished.push_back(std::move(job));
  }
  Printer printer(io);
  bool explain = options.explain;
  if (!io.json() && !explain) options.observer = &printer;
  TRY(auto result, ci::Runner(std::move(options)).run(ctx, plan));
  if (explain) return show_plan(plan, result, io);
  TRY_OK(place->remember(file, result.jobs));
  if (io.json()) {
    doc::List jobs;
    for (const auto& job : result.jobs) jobs.push_back(to_doc(job));
    io.document(doc::Map{{"conclusion", to_string(result.conclusion)}, {"jobs", std::move(jobs)}});
  } else {
    say_what_next(file, result, io);
  }
  if (result.conclusion == ci::Conclusion::cancelled) return ctx.stop.stop_requested() ? 130 : 1;
  return result.conclusion == ci::Conclusion::success ? 0 : 1;
}

}  // namespace

Command run_command() {
  return {"run",
          "runs a workflow here and now on the working tree",
          "slipway run ci --job test",
          {{"--job,-j", "only this job and what it needs", false, true},
           {"--matrix,-m", "only rows with KEY:VALUE", false, true},
           {"--event,-e", "event to run for (push; workflow_dispatch with --input)"},
           {"--event-file", "its payload: JSON as the forge sends it"},
           {"--input,-i", "NAME=VALUE of workflow_dispatch", false, true},
           {"--secret,-s", "NAME=VALUE, or NAME of the environment", false, true},
           {"--secret-file", "lines NAME=VALUE"},
           {"--var", "NAME=VALUE for the vars context", false, true},
           {"--var-file", "lines NAME=VALUE"},
           {"--folder,-C", "the repository", false, false, "."},
           {"--plan", "print what would run, and why", true},
           {"--cached", "jobs that succeeded on these very files are answered from the cache", true},
           {"--affected", "the same for jobs that read nothing which has changed since", true},
           {"--no-cache", "steps that declare their inputs run all the same", true},
           {"--resume", "go on with the last run: jobs that failed, at the step that failed", true},
           {"--shell", "look around where this job failed"},
           {"--actions", "folder or URL/{owner}/{name}.git of mirrors of actions", false, true},
           {"--data", "data directory whose images are used"}},
          {{"workflow", "file of .github/workflows, or .gitlab-ci.yml", false}},
          run,
          true};
}

}  // namespace slipway::cli
