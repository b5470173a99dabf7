#pragma once
// A command as data: what it is called, what it takes, what it does.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "doc/value.h"
#include "kube/client.h"
#include "kube/kubeconfig.h"

namespace slipway::cli {

struct Option {
  std::string names;  // "--output,-o"
  std::string help;
  bool flag = false;     // takes no value
  bool many = false;     // may be repeated
  std::string fallback;  // shown in the help and used when absent
};
struct Positional {
  std::string name, help;
  bool required = true;
  bool many = false;
};

// What was given, by the option's long name without dashes or the positional's name.
class Arguments {
 public:
  bool has(const std::string& name) const { return values_.contains(name); }
  std::string get(const std::string& name, std::string_view fallback = "") const;
  std::vector<std::string> all(const std::string& name) const;
  void add(const std::string& name, std::string value) { values_[name].push_back(std::move(value)); }
  std::vector<std::string> rest;  // after "--"

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

// Where a command writes. Colour only on a terminal.
class Io {
 public:
  explicit Io(bool json);
  bool json() const { return json_; }
  bool terminal() const { return terminal_; }
  void print(std::string_view text);  // as it is, on stdout
  void line(std::string_view text);
  void note(std::string_view text);                           // on stderr: progress, hints
  void document(const doc::Value& value);                     // --output json's one document
  void said(std::string_view text, const doc::Value& value);  // the text, or as JSON the document
  void table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);
  enum class Paint { good, bad, warn, dim, bold };
  std::string paint(Paint paint, std::string_view text) const;
  // The first thing that could not be written. A reader that went away (head, less) is no failure.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  bool json_, terminal_;
  std::optional<Error> failure_;
};

using Run = std::function<Result<int>(const Ctx&, const Arguments&, Io&)>;
struct Command {
  std::string name;  // "up", "pr merge"
  std::string summary;
  std::string example;
  std::vector<Option> options;
  std::vector<Positional> positionals;
  Run run;
  bool contains = false;  // runs containers: without root it enters a user namespace first
  bool serves = false;    // runs until it is told to end
  bool hidden = false;    // not for people
};

// What a second Ctrl-C, which ends the program at once, must still do. In force while the value lives.
class LastWish {
 public:
  explicit LastWish(std::function<void()> wish);
  ~LastWish();
  LastWish(const LastWish&) = delete;
  LastWish& operator=(const LastWish&) = delete;
};

// Exit status for an error.
int exit_code(const Error& error);

// The data directory: --data, SLIPWAY_DATA, /var/lib/slipway for root, ~/.local/share/slipway else.
fs::path data_dir(const Arguments& arguments);
// Of the running Slipway (DIR/kubeconfig), or of --kubeconfig; its API. Errors: unavailable with a hint to start it.
Result<kube::Kubeconfig> kubeconfig_for(const Arguments& arguments);
Result<std::shared_ptr<kube::Client>> connect(const Ctx& ctx, const Arguments& arguments);
// Options that every command which connects takes.
std::vector<Option> with_connection(std::vector<Option> options = {});

std::string current_user();  // who started the program, or SLIPWAY_USER

// One list a file of commands/.
std::vector<Command> server_commands();  // up, kubeconfig, user
std::vector<Command> pr_commands();
std::vector<Command> path_commands();  // status, why, promotions, and those below
std::vector<Command> bootstrap_commands();
std::vector<Command> dispatch_commands();
std::vector<Command> test_commands();
std::vector<Command> run_commands();  // approve, reject, rerun, cancel, runs
std::vector<Command> app_commands();
std::vector<Command> rollout_commands();
std::vector<Command> local_commands();  // run, lint, render
Command run_command();
std::vector<Command> init_commands();
std::vector<Command> scan_commands();
std::vector<Command> build_commands();
std::vector<Command> image_commands();
std::vector<Command> signing_commands();  // key, image sign, attest, verify
std::vector<Command> db_commands();
std::vector<Command> secret_commands();   // of workflow runs
std::vector<Command> sealing_commands();  // secrets in Git, and their keys
std::vector<Command> key_commands();      // part of those
std::vector<Command> promote_commands();  // promote, app rollback, rollout undo
std::vector<Command> promote_history_commands();
std::vector<Command> app_diff_commands();
std::vector<Command> app_action_commands();
std::vector<Command> cache_commands();
std::vector<Command> job_agent_commands();

}  // namespace slipway::cli
