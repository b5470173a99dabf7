#pragma once
// Gathers what a job looks at while it runs: from the calls of its processes (tracer.h) and from the program's own
// actions. What the job wrote itself is not an input, whoever reads it later.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/fd.h"
#include "base/guarded.h"
#include "ci/observe/observation.h"
#include "ci/observe/tree_view.h"

namespace slipway::ci {

class Tracer;
class Recorder;

struct RecorderOptions {
  std::string home, workspace;  // as the job sees them: absolute
  // Answers are wanted at the time of the question, before the answer changes; null: by finish, as nothing changes.
  std::shared_ptr<const TreeView> live;
  std::shared_ptr<const Fd> root;   // of the container, for a live answer; null: the machine itself
  Recorder* also = nullptr;         // is told the same
  bool host_visible = false;        // the job's root is a view of this machine; otherwise an image, known by its digest
  std::vector<std::string> hidden;  // folders of the machine that the job does not see
  bool network_counts = true;       // false: what comes from other machines is fixed by what was read
  std::set<int> foreign_ports;      // of this machine, on which somebody listened before the job began
};

// Threads: any.
class Recorder {
 public:
  explicit Recorder(RecorderOptions options);
  ~Recorder();

  // A process of the job is about to start: what it gets to hand its listener over (steward/steward.cpp).
  Result<Fd> follow();

  // Absolute, as the job sees it.
  void saw(Look look, const std::string& path);
  void wrote(const std::string& path);
  bool made_by_job(const std::string& path) const;
  void open_end(std::string why);
  // A connection: to another machine, or to a port of this one.
  void talks(const std::string& program, const std::string& address, int port, bool this_machine);
  // From here on `path` (of the workspace: relative to it, "" itself) holds the run's own source.
  void source_at(std::string path);

  // Whether all processes that were followed have ended, within some time.
  bool all_ended(Millis within) const;
  // Ends the tracing: no process of the job may be left. The facts are what `source` answers now, unless they are live.
  Observation finish(const TreeView& source, const std::map<std::string, std::string>& run_values,
                     const std::string& scripts);
  // Absolute, sorted: what was written, below home and elsewhere on the machine.
  struct Written {
    std::vector<std::string> home, machine;
  };
  Written written() const;

 private:
  struct State {
    std::unordered_set<std::string> written;  // absolute; what is below one is written too
    // "" stands for an answer that nobody has asked for yet.
    std::map<std::string, std::map<Look, std::string>> tree, host;
    std::set<std::string> open_ends;
    std::vector<std::string> sources;  // prefixes of the workspace
    bool event = false;                // its file was read
  };
  static bool was_written(const State& state, const std::string& path);
  std::optional<std::string> in_source(const State& state, std::string_view path) const;
  bool of_the_machine(std::string_view path) const;
  bool is_runners(std::string_view path) const;
  int root() const { return options_.root ? options_.root->get() : -1; }

  RecorderOptions options_;
  Guarded<State> state_;
  Guarded<std::vector<std::unique_ptr<Tracer>>> tracers_;
};

// Whether `path` is `folder` or below it.
bool is_below(std::string_view path, std::string_view folder);

// Those of the values that a text names, each as a word of its own.
std::map<std::string, std::string> named_in(std::string_view text, const std::map<std::string, std::string>& values);

// The first difference between then and now, for people; nothing: everything holds.
std::optional<std::string> changed_since(const Observation& then, const TreeView& source,
                                         const std::map<std::string, std::string>& run_values, int root = -1);

}  // namespace slipway::ci
