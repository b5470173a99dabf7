#include "image/detail/stage_runner.h"

#include "base/text.h"
#include "doc/json.h"

namespace slipway::image::detail {

namespace {

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return text;
}

std::string print_list(const std::vector<std::string>& list) {
  doc::List out;
  for (const auto& item : list) out.emplace_back(item);
  return doc::print_json(out);
}

bool makes_layer(std::string_view name) {
  return name == "run" || name == "copy" || name == "add" || name == "workdir";
}

std::vector<std::string> shell_of(const oci::Config& config) {
  return config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config.shell;
}

}  // namespace

Lookup StageRunner::lookup() const {
  return [this](std::string_view name) -> std::optional<std::string> {
    // The later of an ENV and an ARG counts; of those that a stage brings along, the ENV.
    if (auto value = state_.env(name); value && !state_.args_win.contains(name)) return value;
    for (auto it = state_.args.rbegin(); it != state_.args.rend(); ++it)
      if (it->first == name) return it->second;
    return std::nullopt;
  };
}

Result<std::string> StageRunner::expanded(const Instruction& i, std::string_view text) const {
  auto value = expand(text, lookup(), {.escape = file_->escape});
  if (!value) return file_->wrong(i, fmt::format("{}: {}", text, value.error().what()));
  return value;
}

Result<std::vector<std::string>> StageRunner::expanded_words(const Instruction& i, std::string_view text) const {
  auto words = expand_words(text, lookup(), {.escape = file_->escape});
  if (!words) return file_->wrong(i, fmt::format("{}: {}", text, words.error().what()));
  return words;
}

std::string StageRunner::absolute(std::string_view path) const {
  bool folder = path.ends_with('/') || path == "." || path.ends_with("/.");
  auto whole = path.starts_with('/') ? std::string(path) : state_.config.working_dir + "/" + std::string(path);
  auto clean = "/" + clean_path(whole);
  return folder && clean != "/" ? clean + "/" : clean;
}

std::string StageRunner::step_name(const Instruction& i) const {
  auto text = std::string(trim(i.text));
  for (char& c : text)
    if (c == '\n' || c == '\t') c = ' ';
  if (text.size() > 100) text = text.substr(0, 97) + "...";
  auto platform = build_.has_many_platforms() ? build_.platform().print() + " " : std::string();
  return fmt::format("[{}{} {}/{}] {}", platform, stage_.shown(), number_, total_, text);
}

void StageRunner::history(std::string created_by, bool empty_layer) {
  state_.config.history.push_back({.created = epoch_text(build_.epoch()),
                                   .created_by = std::move(created_by),
                                   .comment = "slipway",
                                   .author = {},
                                   .empty_layer = empty_layer});
}

Result<State> StageRunner::run() {
  file_ = &build_.file();
  total_ = 1;
  for (const auto& i : stage_.steps) total_ += makes_layer(i.name) ? 1 : 0;
  number_ = 1;
  if (build_.is_replaced(stage_)) {
    auto context = build_.named_context(ctx_, stage_.name, build_.platform());
    if (!context) return file_->wrong(stage_.from, context.error().what(), context.error().hint());
    TRY_OK(begin_with(*std::move(*context)));
    return std::move(state_);
  }
  TRY_OK(begin());
  TRY_OK(triggers());
  for (const auto& i : stage_.steps) {
    TRY_OK(ctx_.alive());
    TRY_OK(one(build_.file(), i));
  }
  return std::move(state_);
}

Result<> StageRunner::begin() {
  Lookup global = [this](std::string_view name) { return build_.global(name); };
  const auto& from = stage_.from;
  auto base = expand(stage_.base, global, {.escape = file_->escape});
  if (!base) return file_->wrong(from, fmt::format("{}: {}", stage_.base, base.error().what()));
  if (base->empty())
    return file_->wrong(from, fmt::format("base image {} is empty", stage_.base),
                        "give the ARG a default before the first FROM");
  auto platform = build_.platform();
  if (auto flag = from.flag("platform")) {
    auto text = expand(*flag, global, {.escape = file_->escape});
    auto parsed = text ? oci::parse_platform(*text) : Fail(std::move(text).error());
    if (!parsed) return file_->wrong(from, parsed.error().what());
    platform = *parsed;
  }
  const auto* earlier = build_.plan().base_of(*base, stage_.index);
  build_.say(fmt::format(" => {}", step_name(from)));
  if (earlier != nullptr) {
    TRY(auto state, build_.finished(ctx_, earlier->index));
    state_ = *state;
    state_.cmd_set = false;
    state_.args_win.clear();
  } else if (*base == "scratch") {
    state_.config.platform = platform;
    state_.config.working_dir = "/";
  } else {
    auto context = build_.named_context(ctx_, *base, platform);
    if (!context) return file_->wrong(from, context.error().what(), context.error().hint());
    if (*context) {
      TRY_OK(begin_with(*std::move(*context)));
    } else {
      auto state = build_.base_image(ctx_, *base, platform);
      if (!state)
        return state.error().is(Kind::cancelled) ? Fail(state.error())
                                                 : file_->wrong(from, state.error().what(), state.error().hint());
      state_ = *std::move(state);
    }
    const auto& got = state_.config.platform;
    if (got.os != platform.os || got.architecture != platform.architecture)
      build_.say(fmt::format("{}:{}: base image {} is for {}, want {}", file_->name, from.line, *base, got.print(),
                             platform.print()),
                 2);
  }
  state_.config.created = epoch_text(build_.epoch());
  if (!state_.env("PATH")) state_.set_env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return {};
}

Result<> StageRunner::begin_with(Build::Named named) {
  if (named.image) {
    state_ = *std::move(named.image);
    return {};
  }
  state_.config.platform = build_.platform();
  return copy_everything(stage_.from, *std::move(named.folder));
}

// ONBUILD of the base runs first and is not handed on.
Result<> StageRunner::triggers() {
  auto lines = std::exchange(state_.config.on_build, {});
  for (const auto& line : lines) {
    TRY(auto file, parse_trigger(line, stage_.base));
    for (const auto& i : file.instructions) {
      TRY_OK(check_instruction(file, i));
      total_ += makes_layer(i.name) ? 1 : 0;
      TRY_OK(one(file, i));
    }
  }
  file_ = &build_.file();
  return {};
}

Result<> StageRunner::one(const Dockerfile& file, const Instruction& i) {
  file_ = &file;
  if (makes_layer(i.name)) ++number_;
  if (i.name == "run") return run_command(i);
  if (i.name == "copy" || i.name == "add") return copy(i);
  if (i.name == "workdir") return workdir(i);
  if (i.name == "arg") return arg(i);
  if (i.name == "env") return env(i);
  if (i.name == "label") return label(i);
  if (i.name == "expose") return expose(i);
  if (i.name == "volume") return volume(i);
  if (i.name == "user") return user(i);
  if (i.name == "healthcheck") return healthcheck(i);
  if (i.name == "stopsignal") return stopsignal(i);
  if (i.name == "maintainer") {
    state_.config.author = i.args[0];
  } else if (i.name == "onbuild") {
    auto trigger = i.rest;
    for (const auto& doc : i.heredocs) trigger += "\n" + doc.content + doc.name;
    state_.config.on_build.push_back(std::move(trigger));
  } else {
    return command(i);
  }
  history(std::string(trim(i.text)), true);
  return {};
}

Result<> StageRunner::arg(const Instruction& i) {
  for (const auto& word : i.args) {
    auto parts = cut(word, "=");
    TRY(auto name, expanded(i, parts ? parts->first : std::string_view(word)));
    if (name.empty()) return file_->wrong(i, fmt::format("ARG {}: the name is missing", word));
    std::optional<std::string> value;
    if (parts) {
      TRY(value, expanded(i, parts->second));
    }
    // The command line beats the default; a bare name takes over what was declared before FROM.
    if (auto given = build_.argument(name))
      value = given;
    else if (!value)
      value = build_.global(name);
    state_.declared.push_back(name);
    if (value) {  // a bare name keeps what the stage below gave it
      std::erase_if(state_.args, [&](const auto& a) { return a.first == name; });
      state_.args.emplace_back(name, *value);
      if (state_.env(name)) state_.args_win.insert(name);
    }
  }
  history(std::string(trim(i.text)), true);
  return {};
}

Result<> StageRunner::env(const Instruction& i) {
  std::vector<std::pair<std::string, std::string>> values;  // all of a line see the environment before it
  std::string shown = "ENV";
  for (std::size_t n = 0; n + 2 < i.args.size(); n += 3) {
    TRY(auto name, expanded(i, i.args[n]));
    TRY(auto value, expanded(i, i.args[n + 1]));
    if (name.empty()) return file_->wrong(i, "ENV: the name is missing");
    shown += fmt::format(" {}={}", name, value);
    values.emplace_back(std::move(name), std::move(value));
  }
  for (auto& [name, value] : values) {
    state_.args_win.erase(name);
    state_.set_env(name, std::move(value));
  }
  history(std::move(shown), true);
  return {};
}

Result<> StageRunner::label(const Instruction& i) {
  for (std::size_t n = 0; n + 2 < i.args.size(); n += 3) {
    TRY(auto name, expanded(i, i.args[n]));
    TRY(auto value, expanded(i, i.args[n + 1]));
    if (name.empty()) return file_->wrong(i, "LABEL: the name is missing");
    state_.config.labels[name] = std::move(value);
  }
  history(std::string(trim(i.text)), true);
  return {};
}

Result<> StageRunner::expose(const Instruction& i) {
  for (const auto& arg : i.args) {
    TRY(auto words, expanded_words(i, arg));
    for (const auto& word : words) {
      // [[ip:]host:]container[/protocol]: only the container's ports count.
      auto parts = cut(word, "/");
      auto protocol = parts && !parts->second.empty() ? lower(parts->second) : "tcp";
      auto range = parts ? parts->first : std::string_view(word);
      if (auto colon = range.rfind(':'); colon != std::string_view::npos) range.remove_prefix(colon + 1);
      auto ends = cut(range, "-");
      auto first = to_int(ends ? ends->first : range), last = ends ? to_int(ends->second) : first;
      bool fine = first && last && *first >= 0 && *last <= 65535 && *first <= *last &&
                  (protocol == "tcp" || protocol == "udp" || protocol == "sctp");
      if (!fine) return file_->wrong(i, fmt::format("EXPOSE {}: want port[-port][/tcp|udp|sctp]", word));
      for (auto port = *first; port <= *last; ++port) {
        auto name = fmt::format("{}/{}", port, protocol);
        auto& ports = state_.config.exposed_ports;
        if (std::find(ports.begin(), ports.end(), name) == ports.end()) ports.push_back(name);
      }
    }
  }
  history(std::string(trim(i.text)), true);
  return {};
}

Result<> StageRunner::volume(const Instruction& i) {
  for (const auto& arg : i.args) {
    TRY(auto path, expanded(i, arg));
    if (trim(path).empty()) return file_->wrong(i, "VOLUME: a path is empty");
    auto& volumes = state_.config.volumes;
    if (std::find(volumes.begin(), volumes.end(), path) == volumes.end()) volumes.push_back(path);
  }
  history(std::string(trim(i.text)), true);
  return {};
}

Result<> StageRunner::user(const Instruction& i) {
  TRY(state_.config.user, expanded(i, i.args[0]));
  history("USER " + state_.config.user, true);
  return {};
}

Result<> StageRunner::command(const Instruction& i) {
  auto& c = state_.config;
  if (i.name == "shell") {
    c.shell = i.args;
    history("SHELL " + print_list(i.args), true);
    return {};
  }
  std::vector<std::string> argv = i.args;
  if (!i.json && !argv.empty()) {
    argv = shell_of(c);
    argv.push_back(i.rest);
  }
  if (i.name == "cmd") {
    c.cmd = argv;
    state_.cmd_set = true;
  } else {
    c.entrypoint = argv;
    if (!state_.cmd_set) c.cmd.clear();  // the base's CMD was for the base's ENTRYPOINT
  }
  history(upper(i.name) + " " + print_list(argv), true);
  return {};
}

Result<> StageRunner::healthcheck(const Instruction& i) {
  oci::Healthcheck h;
  if (iequals(i.args[0], "none")) {
    h.test = {"NONE"};
  } else {
    h.test = {i.json ? "CMD" : "CMD-SHELL"};
    h.test.insert(h.test.end(), i.args.begin() + 1, i.args.end());
    auto duration = [&](std::string_view name, std::int64_t& out) -> Result<> {
      auto flag = i.flag(name);
      if (!flag) return {};
      auto d = parse_duration(*flag);
      if (!d || d->count() < 0)
        return file_->wrong(i, fmt::format("--{}={}: want a duration such as 30s", name, *flag));
      out = d->count() * 1'000'000;
      return {};
    };
    TRY_OK(duration("interval", h.interval_ns));
    TRY_OK(duration("timeout", h.timeout_ns));
    TRY_OK(duration("start-period", h.start_period_ns));
    TRY_OK(duration("start-interval", h.start_interval_ns));
    if (auto flag = i.flag("retries")) {
      auto n = to_int(*flag);
      if (!n || *n < 0) return file_->wrong(i, fmt::format("--retries={}: want a number of 0 or more", *flag));
      h.retries = *n;
    }
  }
  state_.config.healthcheck = std::move(h);
  history(std::string(trim(i.text)), true);
  return {};
}

Result<> StageRunner::stopsignal(const Instruction& i) {
  static const std::vector<std::string> names{"HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",  "FPE",
                                              "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM", "STKFLT",
                                              "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",  "XCPU",
                                              "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS"};
  TRY(auto signal, expanded(i, i.args[0]));
  auto name = upper(signal);
  if (name.starts_with("SIG")) name.erase(0, 3);
  auto number = to_int(signal);
  bool fine = (number && *number >= 1 && *number <= 64) || std::find(names.begin(), names.end(), name) != names.end() ||
              name.starts_with("RTM");
  if (!fine) return file_->wrong(i, fmt::format("STOPSIGNAL {}: no such signal", signal));
  state_.config.stop_signal = signal;
  history("STOPSIGNAL " + signal, true);
  return {};
}

Result<> StageRunner::workdir(const Instruction& i) {
  TRY(auto path, expanded(i, i.args[0]));
  auto whole = absolute(path);
  if (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  state_.config.working_dir = whole;
  auto created_by = "WORKDIR " + whole;
  if (whole == "/") {
    history(std::move(created_by), true);
    return {};
  }
  auto key = fmt::format("workdir\n{}\n{}\n{}\n{}", state_.fs_key(), whole, state_.config.user, build_.epoch());
  auto user = state_.config.user;
  return step(i, step_name(i), key, std::move(created_by),
              on_root([whole, user](const Ctx&, const fs::path& root) -> Result<> {
                Ownership owner;
                // A user that the image does not know yet (USER may come before the one that makes it) is root here.
                if (!user.empty())
                  if (auto found = resolve_owner(root, user)) owner = *found;
                Placer placer(root);
                placer.make_like({.owner = owner, .chmod = {}});
                TRY_OK(placer.folder(clean_path(whole)));
                return {};
              }));
}

}  // namespace slipway::image::detail
