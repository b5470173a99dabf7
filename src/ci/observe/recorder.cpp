#include "ci/observe/recorder.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/text.h"
#include "ci/observe/tracer.h"

namespace slipway::ci {
namespace {

// Folders of the machine whose content is of the moment, or the job's own.
constexpr std::string_view not_of_the_machine[] = {"/proc",    "/sys", "/dev",   "/tmp", "/var/tmp", "/run",
                                                   "/var/run", "/mnt", "/media", "/srv", "/root",    "/home"};
constexpr std::size_t max_open_ends = 20;
constexpr std::string_view event_file = "/work/_temp/_github_workflow/event.json";

std::string relative(std::string_view path, std::string_view folder) {
  path.remove_prefix(folder.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return std::string(path);
}

// Whether a text holds a name as a word of its own.
bool names_word(std::string_view text, std::string_view name) {
  auto of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    auto end = at + name.size();
    if ((at == 0 || !of_word(text[at - 1])) && (end == text.size() || !of_word(text[end]))) return true;
  }
  return false;
}

}  // namespace

bool is_below(std::string_view path, std::string_view folder) {
  return folder.empty() || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

Recorder::Recorder(RecorderOptions options) : options_(std::move(options)) {}
Recorder::~Recorder() = default;

Result<Fd> Recorder::follow() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return fail_errno(errno, "open a socket pair");
  Fd ours(pair[0]), theirs(pair[1]);
  tracers_.lock()->push_back(std::make_unique<Tracer>(std::move(ours), *this));
  return theirs;
}

bool Recorder::was_written(const State& state, const std::string& path) {
  if (state.written.empty()) return false;
  if (state.written.contains(path)) return true;
  for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0; slash = path.rfind('/', slash - 1))
    if (state.written.contains(path.substr(0, slash))) return true;
  return false;
}

std::optional<std::string> Recorder::in_source(const State& state, std::string_view path) const {
  if (!is_below(path, options_.workspace)) return {};
  auto inside = relative(path, options_.workspace);
  for (auto source = state.sources.rbegin(); source != state.sources.rend(); ++source)
    if (is_below(inside, *source)) return relative(inside, *source);
  return {};
}

// Files by which a step and the runner talk.
bool Recorder::is_runners(std::string_view path) const {
  auto temp = options_.home + "/work/_temp/";
  if (!path.starts_with(temp)) return false;
  path.remove_prefix(temp.size());
  return path.starts_with("_runner_file_commands") || path.starts_with("_github_workflow") ||
         path.starts_with("script_");
}

bool Recorder::of_the_machine(std::string_view path) const {
  if (!options_.host_visible || is_below(path, options_.home)) return false;
  for (auto folder : not_of_the_machine)
    if (is_below(path, folder)) return false;
  return std::none_of(options_.hidden.begin(), options_.hidden.end(), [&](auto& f) { return is_below(path, f); });
}

void Recorder::saw(Look look, const std::string& path) {
  if (options_.also) options_.also->saw(look, path);
  auto state = state_.lock();
  if (was_written(*state, path)) return;
  if (auto inside = in_source(*state, path)) {
    if (path.ends_with(event_file))
      state->event = state->event || look == Look::content;
    else if (!is_runners(path))
      if (auto& answer = state->tree[*inside][look]; answer.empty() && options_.live)
        answer = options_.live->answer(look, *inside);
  } else if (of_the_machine(path)) {
    if (auto& answer = state->host[path][look]; answer.empty() && options_.live)
      answer = host_answer(look, path, root());
  } else if (path.ends_with(event_file) && look == Look::content) {
    state->event = true;
  }
}

bool Recorder::made_by_job(const std::string& path) const { return was_written(*state_.lock(), path); }

void Recorder::wrote(const std::string& path) {
  if (options_.also) options_.also->wrote(path);
  state_.lock()->written.insert(path);
}

void Recorder::open_end(std::string why) {
  if (options_.also) options_.also->open_end(why);
  auto state = state_.lock();
  if (state->open_ends.size() < max_open_ends) state->open_ends.insert(std::move(why));
}

// Who talks to another machine may hear something else tomorrow. A name server is another machine, wherever it listens.
void Recorder::talks(const std::string& program, const std::string& address, int port, bool this_machine) {
  if (this_machine && port != 53 && !options_.foreign_ports.contains(port)) return;
  if (!options_.network_counts && (!this_machine || port == 53)) return;
  open_end(fmt::format("{} connects to {}:{}", program, address, port));
}

// What the job wrote there before makes no difference any more.
void Recorder::source_at(std::string path) {
  auto state = state_.lock();
  auto folder = path.empty() ? options_.workspace : options_.workspace + "/" + path;
  std::erase_if(state->written, [&](auto& written) { return is_below(written, folder); });
  state->sources.push_back(std::move(path));
}

bool Recorder::all_ended(Millis within) const {
  auto tracers = tracers_.lock();
  return std::all_of(tracers->begin(), tracers->end(), [&](auto& tracer) { return tracer->ended(within); });
}

Recorder::Written Recorder::written() const {
  auto state = state_.lock();
  Written out;
  for (auto& path : state->written) {
    if (is_below(path, options_.home) && !is_runners(path)) out.home.push_back(path);
    if (of_the_machine(path)) out.machine.push_back(path);
  }
  std::sort(out.home.begin(), out.home.end());
  std::sort(out.machine.begin(), out.machine.end());
  return out;
}

// Rule: a value that differs with each run (GITHUB_SHA, GITHUB_REF ...) counts when a script of the job or a file of
// the source that it read names it. What programs from elsewhere make of their environment is not known.
Observation Recorder::finish(const TreeView& source, const std::map<std::string, std::string>& run_values,
                             const std::string& scripts) {
  if (!options_.live) tracers_.lock()->clear();
  auto state = state_.lock();
  Observation out;
  out.values = named_in(scripts, run_values);
  for (auto& [path, looks] : state->tree) {
    for (auto& [look, answer] : looks) {
      auto was = answer.empty() ? source.answer(look, path) : answer;
      if (was.starts_with('?')) state->open_ends.insert(fmt::format("{}: {}", path, was.substr(2)));
      out.tree.push_back({look, path, std::move(was)});
    }
    if (looks.contains(Look::content)) out.values.merge(named_in(source.text(path), run_values));
  }
  for (auto& [path, looks] : state->host)
    for (auto& [look, answer] : looks)
      out.host.push_back({look, path, answer.empty() ? host_answer(look, path, root()) : answer});
  if (state->event)
    if (auto found = run_values.find("GITHUB_EVENT_PATH"); found != run_values.end()) out.values.insert(*found);
  out.open_ends.assign(state->open_ends.begin(), state->open_ends.end());
  return out;
}

std::map<std::string, std::string> named_in(std::string_view text, const std::map<std::string, std::string>& values) {
  std::map<std::string, std::string> out;
  for (auto& [name, value] : values)
    if (names_word(text, name)) out[name] = value;
  return out;
}

std::optional<std::string> changed_since(const Observation& then, const TreeView& source,
                                         const std::map<std::string, std::string>& run_values, int root) {
  if (!then.open_ends.empty()) return then.open_ends.front();
  for (auto& [name, value] : then.values) {
    auto found = run_values.find(name);
    if (found == run_values.end() || found->second != value) return name + " is another one";
  }
  auto told = [](const Fact& fact, std::string_view now) {
    auto what = fact.path.empty() ? std::string("the source's root") : fact.path;
    if (fact.was == "-") return what + " is there now";
    if (now == "-") return what + " is gone";
    return what + (fact.look == Look::names ? " holds other names" : " has changed");
  };
  for (auto& fact : then.tree)
    if (auto now = source.answer(fact.look, fact.path); now != fact.was || now.starts_with('?')) return told(fact, now);
  for (auto& fact : then.host)
    if (auto now = host_answer(fact.look, fact.path, root); now != fact.was) return told(fact, now);
  return {};
}

}  // namespace slipway::ci
