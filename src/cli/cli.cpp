#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "base/guarded.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/rootless.h"
#include "cli/suggest.h"

namespace slipway::cli {
namespace {

std::vector<Command> all_commands() {
  std::vector<Command> commands;
  for (auto list :
       {server_commands,          path_commands,     pr_commands,         app_commands,     rollout_commands,
        local_commands,           init_commands,     scan_commands,       build_commands,   image_commands,
        signing_commands,         db_commands,       secret_commands,     sealing_commands, promote_commands,
        promote_history_commands, app_diff_commands, app_action_commands, cache_commands,   job_agent_commands})
    for (auto& command : list()) commands.push_back(std::move(command));
  return commands;
}

std::string long_name(const std::string& names) {
  for (auto name : split(names, ','))
    if (name.starts_with("--")) return std::string(name.substr(2));
  return names;
}

Guarded<std::function<void()>> last_wish;

// SIGINT, SIGTERM and SIGHUP become a stop request; a second one ends the program at once.
class Interrupts {
 public:
  explicit Interrupts(std::stop_source& stop) {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::jthread([this, &stop](const std::stop_token& done) {
      int seen = 0, number = 0;
      for (;;) {
        if (::sigwait(&set_, &number) != 0) continue;
        if (done.stop_requested()) return;
        signal_ = number;
        if (seen == 0 && number == SIGINT) Io(false).note("\nslipway: ending what runs; once more ends at once");
        if (++seen > 1) {
          auto wish = last_wish.lock();  // held to the end: what it needs stays
          if (*wish) (*wish)();
          ::_exit(130);
        }
        stop.request_stop();
      }
    });
  }
  ~Interrupts() {
    thread_.request_stop();
    ::pthread_kill(thread_.native_handle(), SIGTERM);  // to that thread alone: it wakes and sees that it is done
  }
  int signal() const { return signal_; }  // 0: none

 private:
  sigset_t set_{};
  std::atomic<int> signal_ = 0;
  std::jthread thread_;
};

void print_map(const std::vector<Command>& commands) {
  std::string text = "slipway carries a commit to production\n\n";
  for (const auto& command : commands)
    if (!command.hidden) text += fmt::format("  slipway {:<18} {}\n", command.name, command.summary);
  text += "\nEvery command takes --help (with an example) and --output text|json.\n";
  Io(false).print(text);
}

void report(const Error& error, bool json) {
  Io io(json);
  bool colour = ::isatty(2) == 1;
  io.note(fmt::format("{}slipway: {}{}", colour ? "\033[31m" : "", error.what(), colour ? "\033[0m" : ""));
  if (!error.hint().empty()) io.note("hint: " + error.hint());
}

// What a group of commands is about, for its line in the help.
std::string_view about(std::string_view group) {
  static const std::map<std::string_view, std::string_view> texts{
      {"app", "Applications: what Git says should run, and whether it does"},
      {"actions", "what can be done with an Application's objects"},
      {"rollout", "progressive deliveries"},
      {"pr", "pull requests of the embedded git host"},
      {"user", "who may talk to this Slipway"},
      {"image", "the local store and any registry"},
      {"db", "the advisory database"},
      {"runs", "runs of workflows"},
      {"secret", "sealed secrets"}};
  auto found = texts.find(group);
  return found == texts.end() ? std::string_view() : found->second;
}

// One command's arguments, bound to CLI11's storage.
struct Bound {
  const Command* command;
  CLI::App* app;
  std::vector<std::unique_ptr<std::vector<std::string>>> values;
  std::vector<std::unique_ptr<bool>> flags;
  std::vector<std::pair<std::string, std::vector<std::string>*>> named;
  std::vector<std::pair<std::string, bool*>> flagged;
  std::string output = "text";
  std::vector<std::string>* outputs = nullptr;  // of a command that has an --output of its own, for other things too
};

void bind(Bound& bound, CLI::App& app, const Command& command) {
  bound.command = &command;
  bound.app = &app;
  if (!command.example.empty()) app.footer("Example:\n  " + command.example);
  for (const auto& option : command.options) {
    if (option.flag) {
      auto& flag = bound.flags.emplace_back(std::make_unique<bool>(false));
      app.add_flag(option.names, *flag, option.help);
      bound.flagged.emplace_back(long_name(option.names), flag.get());
      continue;
    }
    auto& values = bound.values.emplace_back(std::make_unique<std::vector<std::string>>());
    auto* added = app.add_option(option.names, *values,
                                 option.fallback.empty() ? option.help : option.help + " [" + option.fallback + "]");
    added->allow_extra_args(false);
    if (!option.many) added->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    bound.named.emplace_back(long_name(option.names), values.get());
    if (long_name(option.names) == "output") bound.outputs = values.get();
  }
  for (const auto& positional : command.positionals) {
    auto& values = bound.values.emplace_back(std::make_unique<std::vector<std::string>>());
    auto* added = app.add_option(positional.name, *values, positional.help);
    if (positional.required) added->required();
    if (!positional.many) added->expected(1)->allow_extra_args(false);  // what follows is the next one's
    bound.named.emplace_back(positional.name, values.get());
  }
  if (bound.outputs == nullptr)
    app.add_option("--output,-o", bound.output, "text or json")->check(CLI::IsMember({"text", "json"}));
}

// "text" and "json" mean what they mean everywhere.
void take_output(Bound& bound) {
  if (bound.outputs == nullptr) return;
  for (const auto& value : *bound.outputs)
    if (value == "text" || value == "json") bound.output = value;
  std::erase_if(*bound.outputs, [](const std::string& value) { return value == "text" || value == "json"; });
}

Arguments arguments_of(const Bound& bound) {
  Arguments arguments;
  for (const auto& [name, values] : bound.named)
    for (const auto& value : *values) arguments.add(name, value);
  for (const auto& [name, flag] : bound.flagged)
    if (*flag) arguments.add(name, "true");
  for (const auto& option : bound.command->options)
    if (!option.fallback.empty() && !arguments.has(long_name(option.names)))
      arguments.add(long_name(option.names), option.fallback);
  arguments.rest = bound.app->remaining();
  return arguments;
}

int run_command(const Bound& bound) {
  if (bound.command->contains) {
    if (auto root = become_root_of_a_namespace(); !root) {
      report(root.error(), bound.output == "json");
      return exit_code(root.error());
    }
  }
  std::stop_source stop;
  Interrupts interrupts(stop);
  Ctx ctx;
  ctx.stop = stop.get_token();
  Io io(bound.output == "json");
  auto status = bound.command->run(ctx, arguments_of(bound), io);
  if (status && io.failure()) {
    report(*io.failure(), io.json());
    return exit_code(*io.failure());
  }
  if (status) return *status;
  // A server that is told to end, ends well; a person's Ctrl-C interrupts.
  if (interrupts.signal() != 0 && status.error().is(Kind::cancelled))
    return bound.command->serves && interrupts.signal() != SIGINT ? 0 : 130;
  report(status.error(), io.json());
  return exit_code(status.error());
}

Error usage_error(const std::vector<Command>& commands, const std::vector<std::unique_ptr<Bound>>& bound,
                  const CLI::ParseError& e, const std::vector<std::string>& words) {
  if (auto unknown = unknown_command(commands, words)) return *unknown;
  for (const auto& one : bound) {
    if (!one->app->parsed() || !one->app->get_subcommands().empty()) continue;
    if (auto unknown = unknown_option(*one->command, one->app->remaining())) return *unknown;
    return Error(Kind::invalid, fmt::format("{}: {}", one->command->name, e.what()))
        .with_hint(fmt::format("slipway {} --help", one->command->name));
  }
  return Error(Kind::invalid, e.what()).with_hint("slipway lists the commands");
}

}  // namespace

LastWish::LastWish(std::function<void()> wish) { *last_wish.lock() = std::move(wish); }
LastWish::~LastWish() { *last_wish.lock() = nullptr; }

int exit_code(const Error& error) {
  switch (error.kind()) {
    case Kind::invalid:
      return 2;
    case Kind::denied:
      return 3;
    case Kind::cancelled:
      return 130;
    case Kind::not_found:
    case Kind::conflict:
      return 1;
    default:
      return 4;
  }
}

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  // A descriptor that is closed would be given to the first file we open, and that file would be written to.
  while (true) {
    int fd = ::open("/dev/null", O_RDWR);  // NOLINT(android-cloexec-open): commands inherit 0, 1 and 2
    if (fd > 2) ::close(fd);
    if (fd < 0 || fd > 2) break;
  }
  auto commands = all_commands();
  if (argc < 2) {
    print_map(commands);
    return 0;
  }
  CLI::App app("slipway carries a commit to production", "slipway");
  app.require_subcommand(1);
  app.set_help_flag("--help,-h", "this help");
  app.set_version_flag("--version", SLIPWAY_VERSION);
  std::map<std::string, CLI::App*> groups;
  std::vector<std::unique_ptr<Bound>> bound;
  for (const auto& command : commands) {
    auto words = split(command.name, ' ');
    auto* parent = &app;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      std::string word(words[i]);
      auto& group = groups[word];
      if (group == nullptr) {
        group = parent->add_subcommand(word, std::string(about(word)));
        group->require_subcommand(1);
      }
      parent = group;
    }
    auto* sub = parent->add_subcommand(std::string(words.back()), command.summary);
    if (words.size() == 1) groups.emplace(command.name, sub);  // may have others below it: promote, promote history
    // What is not asked for needs no options: to make those of all commands would take longer than some commands do.
    bool asked_for = argv[1][0] == '-' || words[0] == argv[1];
    if (asked_for) bind(*bound.emplace_back(std::make_unique<Bound>()), *sub, command);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    report(usage_error(commands, bound, e, {argv + 1, argv + argc}), false);
    return 2;
  }
  for (const auto& one : bound)
    if (one->app->parsed() && one->app->get_subcommands().empty()) {
      take_output(*one);
      return run_command(*one);
    }
  print_map(commands);
  return 2;
}

}  // namespace slipway::cli
