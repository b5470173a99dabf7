#pragma once
// Programs that people wrote, in Lua or jq, run on documents, or in Jsonnet, which makes some. They run in a process of
// their own that has no files, no network and a bounded memory; it starts when the first program comes and is ended
// with the program that wants too much. Neither language can be interrupted from within: a pattern of Lua and an output
// of jq take as long as they take.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "doc/value.h"

namespace slipway::script {

struct Program {
  enum class Language {
    jq,       // gives exactly one value
    lua,      // 5.2 with what 5.1 had; gives what it returns; base, table, string, math, and of os the time and date
    lua_open  // the same with all of Lua's libraries, which find nothing to open
  };
  Language language = Language::jq;
  std::string text;
};

// jq takes one and its name does not count; Lua any number, as globals.
struct Input {
  std::string name;
  const doc::Value& value;
};

// Jsonnet as libjsonnet has it, with files that the caller knows.
struct Jsonnet {
  struct File {
    std::string name;  // as errors call it
    std::string text;
  };
  struct Variable {
    std::string name, value;
    bool code = false;  // the value is Jsonnet, not text
  };
  File file;
  std::vector<Variable> external;   // std.extVar(NAME)
  std::vector<Variable> arguments;  // of the function that the file may be
  // What `import PATH` means in a file whose name begins with `folder`, which is "" or ends with a slash. What is
  // invalid, denied or not found is the program's fault; any other error is run's.
  std::function<Result<File>(const std::string& folder, const std::string& path)> import;
};

struct Outcome {
  doc::Value value;
  std::string failure;  // what the program says is wrong with these inputs; "" for nothing
  bool clock = false;   // it asked for the time: it may say something else the next time
};

struct Limits {
  Millis time{1000};   // of the processor
  Millis wait{60000};  // of the clock, for a machine that does nothing
  int memory = 256;    // MiB
};

// One process, one program at a time, the others wait their turn. Threads: any.
class Worker {
 public:
  explicit Worker(Limits limits = {});
  ~Worker();
  // Errors: invalid (it is no program, it wants too much time or memory, it ends the process), unavailable (the process
  // cannot be started, or is killed by others again and again), cancelled.
  Result<Outcome> run(const Ctx& ctx, const Program& program, const std::vector<Input>& inputs);
  // Errors: those, and import's. A failure begins with FILE:LINE:COLUMN, or with the place that called for it and then
  // the place in another file.
  Result<Outcome> run(const Ctx& ctx, const Jsonnet& program);
  int pid() const;  // of the process; 0: there is none

 private:
  struct Process;
  struct Turn;
  struct State {
    bool taken = false;
    std::unique_ptr<Process> process;  // touched by who has the turn
  };
  struct Questions;  // what a program asks while it runs
  Result<Outcome> answer(const Ctx& ctx, const std::vector<std::string_view>& fields, Questions* questions);
  Result<std::string> ask(const Ctx& ctx, std::unique_ptr<Process>& process, std::string_view request,
                          Questions* questions);
  Limits limits_;
  Guarded<State> state_;
  std::condition_variable_any free_;
  std::atomic<int> pid_ = 0;
};

// By the one worker of this program.
Result<Outcome> run(const Ctx& ctx, const Program& program, const std::vector<Input>& inputs);

// By another, which may take twenty seconds and a gigabyte: whoever renders does not hold up whose health is asked for.
Result<Outcome> run(const Ctx& ctx, const Jsonnet& program);

// The places in a document that a path expression of jq names, as jq's `path(...)` gives them: lists of keys, indices
// and slices. Errors and failures as above; a failure in the outcome, not an error, when the document has no such
// place.
Result<Outcome> paths(const Ctx& ctx, std::string_view expression, const doc::Value& document);

}  // namespace slipway::script
