// Steps answered from the cache: a `run:` whose env says SLIPWAY_INPUTS, by the files it names or by what it was seen
// to read. What the step wrote comes back, and what it said is said again.
#include <sys/stat.h>

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/archive.h"
#include "ci/detail/documents.h"
#include "ci/detail/job_run.h"
#include "ci/run/hash_files.h"
#include "ci/run/kept_answers.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view version = "1";
constexpr std::size_t max_entry = 64 << 20;
constexpr Millis settle{500};  // for the last process of a step to be gone

doc::Value to_doc(const Tape& tape, const Digest& files, const std::vector<std::string>& gone) {
  return doc::Map{{"out", tape.text},
                  {"commands", texts(tape.files)},
                  {"files", files.str()},
                  {"gone", doc::List(gone.begin(), gone.end())}};
}

// Those of them that are there, what is below folders too, the oldest first: unpacked in this order they keep their
// order in time, which is what make looks at.
struct Leftovers {
  std::vector<std::string> files, gone;  // relative to home
};

void walk(const fs::path& root, const std::string& path, std::map<std::string, timespec>& out,
          std::vector<std::string>& gone) {
  struct stat info;
  if (::lstat((root / path).c_str(), &info) < 0) {
    gone.push_back(path);
  } else if (!S_ISDIR(info.st_mode)) {
    if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)) out[path] = info.st_mtim;
  } else if (auto names = list_dir(root / path)) {
    for (auto& name : *names) walk(root, path + "/" + name, out, gone);
  }
}

Result<Leftovers> leftovers(const JobFolder& folder, const std::vector<std::string>& written) {
  std::map<std::string, timespec> found;
  Leftovers out;
  TRY_OK(folder.in_root([&](const fs::path& root) -> Result<> {
    for (auto& path : written) walk(root, path, found, out.gone);
    return {};
  }));
  for (auto& [path, time] : found) out.files.push_back(path);
  std::stable_sort(out.files.begin(), out.files.end(), [&](auto& a, auto& b) {
    auto &x = found[a], &y = found[b];
    return x.tv_sec != y.tv_sec ? x.tv_sec < y.tv_sec : x.tv_nsec < y.tv_nsec;
  });
  return out;
}

}  // namespace

// One step that may be answered.
class StepCache {
 public:
  StepCache(JobRun& job, StepContext& step, const ScriptCall& call) : job_(job), step_(step), call_(call) {
    auto declared = step.env.find("SLIPWAY_INPUTS");
    auto outputs = step.env.find("SLIPWAY_OUTPUTS");
    if (declared != step.env.end()) inputs_ = parse_inputs(declared->second);
    if (outputs != step.env.end()) outputs_ = parse_inputs(outputs->second).patterns;
  }

  Result<int> run(const Ctx& ctx) {
    TRY(sandbox_, job_.sandbox(ctx));
    root_ = std::make_shared<const Fd>(sandbox_->root());
    view_ = view_folder(job_.folder().home());
    values_ = job_.run_values();
    TRY(key_, key(ctx));
    std::string why = "it has not succeeded before, as it is written now";
    for (auto& known : kept_answers(*job_.options().cache, key_)) {
      if (known.facts) {
        auto facts = read_facts(*known.facts);
        if (!facts) continue;
        if (auto changed = changed_since(*facts, *view_, values_, root_->get())) {
          why = *changed;
          continue;
        }
        tell_job(*facts);
      }
      TRY(bool done, replay(ctx, known.result));
      if (done) return 0;
    }
    job_.say(step_, fmt::format("Runs, and is kept: {}.", why));
    return watch(ctx);
  }

 private:
  // What decides, but for the files: the script, where and as what it runs, its environment.
  Result<std::string> key(const Ctx& ctx) {
    std::string text = fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f", version, call_.text, call_.command, call_.cwd);
    for (auto& [name, value] : job_.process_env(step_))
      if (!values_.contains(name) && name != "SLIPWAY_INPUTS") text += name + "=" + value + "\x1f";
    for (auto& [name, value] : named_in(call_.text, values_)) text += name + "=" + value + "\x1f";
    text += sandbox_->isolated() ? "isolated " : "host ";
    text += job_.image_identity();
    for (auto& pattern : outputs_) text += "out " + pattern + "\x1f";
    if (!inputs_.patterns.empty()) {
      TRY(auto digest, digest_of_inputs(ctx));
      text += "in " + digest;
    }
    return (inputs_.infer ? "steps/" : "step/") + sha256_hex(text);
  }

  Result<std::string> digest_of_inputs(const Ctx& ctx) {
    auto& folder = job_.folder();
    std::vector<std::string> files;
    TRY_OK(folder.in_root([&](const fs::path& root) -> Result<> {
      TRY(files, find_files(ctx, root / folder.workspace(), inputs_.patterns));
      return {};
    }));
    job_.looked_for(files);
    std::string all;
    for (auto& file : files)
      all += fmt::format("{} {}\x1f", file, view_->answer(Look::content, folder.workspace() + "/" + file));
    return sha256_hex(all);
  }

  std::optional<Observation> read_facts(const Digest& digest) const {
    auto text = job_.options().blobs->read(digest, max_entry);
    auto facts = text ? parse_observation(*text) : Result<Observation>(Fail(text.error()));
    return facts ? std::optional(*std::move(facts)) : std::nullopt;
  }

  // Who watches the whole job learns what the step would have looked at.
  void tell_job(const Observation& facts) const {
    auto* recorder = job_.recorder();
    if (!recorder) return;
    for (auto& fact : facts.tree) recorder->saw(fact.look, fmt::format("{}/{}", home_inside, fact.path));
    for (auto& fact : facts.host) recorder->saw(fact.look, fact.path);
  }

  // False: what was kept is not there any more.
  Result<bool> replay(const Ctx& ctx, const std::string& place) {
    auto& blobs = *job_.options().blobs;
    auto digest = Digest::parse(place);
    auto text = digest ? blobs.read(*digest, max_entry) : Result<std::string>(Fail(digest.error()));
    auto entry = text ? doc::parse_json(*text, place) : Result<doc::Value>(Fail(text.error()));
    if (!entry) return false;
    doc::View view(*entry);
    auto files = Digest::parse(view["files"].text());
    if (!files || !blobs.contains(*files)) return false;
    for (auto& gone : view["gone"].items()) {
      fs::path path = gone.text();
      TRY_OK(job_.folder().empty(path.parent_path().string(), {path.filename().string()}));
    }
    TRY(auto count, unpack_files(ctx, job_, *files, "", Reach::home));
    job_.say(step_, fmt::format("Nothing this step reads has changed since it succeeded: answered from the cache, {} "
                                "files came back.",
                                count));
    Tape tape;
    tape.text = view["out"].text();
    tape.files = texts_from(view["commands"]);
    TRY_OK(job_.replay(step_, tape));
    step_.from_cache = true;
    return true;
  }

  Result<int> watch(const Ctx& ctx) {
    RecorderOptions options = job_.recorder_options(inputs_);
    options.workspace = options.home;
    options.live = view_, options.root = root_;
    options.also = job_.recorder();
    auto recorder = std::make_shared<Recorder>(std::move(options));
    recorder->source_at("");
    Tape tape;
    step_.recorder = recorder.get(), step_.tape = &tape;
    auto code = job_.process(ctx, step_, call_.argv, call_.cwd);
    step_.recorder = nullptr, step_.tape = nullptr;
    job_.keep_until_the_end(recorder);
    if (code && *code == 0)
      if (auto why = keep(ctx, *recorder, tape); !why.empty())
        job_.say(step_, fmt::format("This step's result is not kept: {}.", why));
    return code;
  }

  // Why not; "" when it is kept.
  std::string keep(const Ctx& ctx, Recorder& recorder, const Tape& tape) {
    if (tape.too_long) return "it says too much";
    if (job_.holds_secret(tape)) return "it says or passes on a secret";
    if (!recorder.all_ended(settle)) return "it leaves processes running";
    auto written = recorder.written();
    if (!written.machine.empty()) return fmt::format("it writes {}", written.machine.front());
    auto facts = recorder.finish(*view_, values_, call_.text);
    if (inputs_.infer && !facts.open_ends.empty()) return facts.open_ends.front();
    std::vector<std::string> paths;
    if (outputs_.empty()) {
      if (!sandbox_->watches()) return "SLIPWAY_OUTPUTS does not say what it writes, and here it cannot be watched";
      for (auto& path : written.home) paths.push_back(path.substr(home_inside.size() + 1));
    } else {
      auto matched = match_files(ctx, job_, outputs_, true);
      if (!matched) return matched.error().what();
      paths = matched->files;
    }
    auto left = leftovers(job_.folder(), paths);
    if (!left) return left.error().what();
    auto packed = pack_files(ctx, job_, left->files, "");
    if (!packed) return packed.error().what();
    auto entry = job_.options().blobs->put(doc::print_json(to_doc(tape, packed->digest, left->gone)));
    if (!entry) return entry.error().what();
    std::optional<Digest> seen;
    if (inputs_.infer) {
      auto put = job_.options().blobs->put(print(facts));
      if (!put) return put.error().what();
      seen = *put;
    }
    auto kept = keep_answer(*job_.options().cache, key_, {seen, entry->str()});
    if (!kept) return kept.error().what();
    job_.say(step_, fmt::format("Kept: {} files it wrote.", left->files.size()));
    return {};
  }

  JobRun& job_;
  StepContext& step_;
  const ScriptCall& call_;
  InputWords inputs_;
  std::vector<std::string> outputs_;
  Sandbox* sandbox_ = nullptr;
  // What it leaves running is answered until the job ends.
  std::shared_ptr<const Fd> root_;
  std::shared_ptr<const TreeView> view_;
  std::map<std::string, std::string> values_;
  std::string key_;
};

bool JobRun::keeps_steps(const StepContext& step) const {
  return options().cache && options().blobs && options().cache_steps && step.env.contains("SLIPWAY_INPUTS") &&
         !step.effects;
}

Result<int> JobRun::kept_script(const Ctx& ctx, StepContext& step, const ScriptCall& call) {
  return StepCache(*this, step, call).run(ctx);
}

bool JobRun::holds_secret(const Tape& tape) const {
  auto& redaction = in_.shared.redaction;
  return tape.text.contains("::add-mask::") || redaction.hides(tape.text) ||
         std::any_of(tape.files.begin(), tape.files.end(), [&](auto& file) { return redaction.hides(file.second); });
}

// What the step would have printed and written into its command files.
Result<> JobRun::replay(StepContext& step, const Tape& tape) {
  Environment env;
  TRY_OK(open_files(step, env));
  for (auto& [variable, text] : tape.files) {
    auto place = env.find(variable);
    if (place == env.end()) continue;
    TRY(auto relative, relative_of(place->second));
    TRY_OK(folder_->write(relative, text, 0666));
  }
  step.stop_token.clear();
  take(step, 1, tape.text);
  if (auto& rest = step.partial[0]; !rest.empty()) take_line(step, 1, std::exchange(rest, {}));
  return apply_files(step, env);
}

}  // namespace slipway::ci
