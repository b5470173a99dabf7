// RUN: a command in a container whose root is the stage so far.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/csv.h"
#include "base/text.h"
#include "image/detail/agent_socket.h"
#include "image/detail/emulation.h"
#include "image/detail/line.h"
#include "image/detail/stage_runner.h"

namespace slipway::image::detail {

struct StageRunner::RunPlan {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env, secret_env;
  std::string shown;  // for the history
  std::string key;    // what mounts add to the step's key
  box::Network network = box::Network::host;
  bool insecure = false;
  std::vector<box::Mount> mounts;
  std::vector<std::shared_ptr<void>> holds;                  // temporary files, mounted views
  std::vector<std::function<Result<>(const Ctx&)>> prepare;  // what only a real run needs
  int agents = 0;                                            // SSH mounts so far
};

namespace {

// Bytes of a container, cut into lines with the step's name before each.
class LineSink {
 public:
  LineSink(Build& build, std::string prefix) : build_(build), prefix_(std::move(prefix)) {}
  void take(std::string_view bytes) {
    for (char c : bytes) {
      if (c == '\n')
        flush();
      else if (c != '\r')
        line_ += c;
      if (line_.size() > 16384) flush();
    }
  }
  void end() {
    if (!line_.empty()) flush();
  }
  const std::deque<std::string>& last() const { return last_; }

 private:
  void flush() {
    build_.say(prefix_ + line_);
    last_.push_back(std::exchange(line_, {}));
    if (last_.size() > 5) last_.pop_front();
  }
  Build& build_;
  std::string prefix_, line_;
  std::deque<std::string> last_;
};

std::string value_of(const MountFlag& flag, const char* key, std::string fallback = {}) {
  auto it = flag.keys.find(key);
  return it == flag.keys.end() ? fallback : it->second;
}

// A file only root can read, in memory where the host has such a place: secrets do not belong on a disk.
Result<std::shared_ptr<TempDir>> secret_folder(const fs::path& fallback) {
  auto made = TempDir::make_in("/dev/shm", "slipway-secret");
  if (!made) made = TempDir::make_in(fallback, "secret");
  if (!made) return Fail(std::move(made).error());
  return std::make_shared<TempDir>(*std::move(made));
}

}  // namespace

std::map<std::string, std::string> StageRunner::run_env() const {
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : state_.args) env[name] = value;
  for (const auto& item : state_.config.env)
    if (auto parts = cut(item, "="); parts && !state_.args_win.contains(parts->first))
      env[std::string(parts->first)] = parts->second;
  return env;
}

Result<> StageRunner::run_argv(const Instruction& i, RunPlan& plan) {
  if (i.json) {
    plan.argv = i.args;
    plan.shown = join(i.args, " ");
    return {};
  }
  auto shell = state_.config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : state_.config.shell;
  auto command = i.rest;
  if (i.heredocs.size() == 1 && heredoc_of(i.rest)) {
    const auto& doc = i.heredocs[0];
    auto body = body_of(doc);
    if (body.starts_with("#!")) {  // a program of its own
      TRY(auto temp, TempDir::make_in(build_.steps_folder(), "script"));
      auto holder = std::make_shared<TempDir>(std::move(temp));
      auto file = holder->path() / "script";
      TRY_OK(write_file(file, body, 0755));
      plan.mounts.push_back({.source = file, .target = "/dev/pipes/" + doc.name, .read_only = true});
      plan.holds.push_back(holder);
      plan.argv = {"/dev/pipes/" + doc.name};
      plan.shown = "<<" + doc.name + "\n" + body;
      plan.key += "script " + sha256_hex(body) + "\n";
      return {};
    }
    command = body;
  } else {
    for (const auto& doc : i.heredocs) {
      command += "\n" + doc.content + doc.name;
    }
  }
  plan.argv = shell;
  plan.argv.push_back(command);
  plan.shown = join(shell, " ") + " " + command;
  return {};
}

Result<> StageRunner::bind_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan) {
  auto target = absolute(value_of(flag, "target"));
  auto from = value_of(flag, "from");
  Origin origin = build_.context();
  if (!from.empty()) {
    TRY(origin, build_.origin(ctx_, from, stage_.index, i));
  }
  auto path = clean_path(value_of(flag, "source"));
  bool hidden = false;
  auto shared = std::make_shared<Origin>(std::move(origin));
  if (shared->key.empty()) {
    auto all = everything(ctx_, shared->source, path, &hidden);
    if (!all) return file_->wrong(i, fmt::format("--mount: {}", all.error().what()));
    TRY(auto content, content_key(ctx_, shared->source, *all));
    build_.input(fmt::format("files {} {}", i.line, content));
    plan.key += fmt::format("bind {} {}\n", target, content);
  } else {
    plan.key += fmt::format("bind {} {} {}\n", target, shared->key, path);
  }
  bool writable = flag.on("rw");
  plan.prepare.emplace_back([this, &plan, shared, path, target, hidden, writable, &i](const Ctx& ctx) -> Result<> {
    TRY_OK(build_.show(ctx, state_, *shared));
    auto folder = shared->source.root;
    if (hidden) {  // what .dockerignore hides must not be seen: a filtered copy stands in
      TRY(auto temp, TempDir::make_in(build_.steps_folder(), "context"));
      auto holder = std::make_shared<TempDir>(std::move(temp));
      TRY(auto all, everything(ctx, shared->source, path));
      for (auto& entry : all.entries)
        entry.target = path.empty() ? entry.target : entry.target.empty() ? path : path + "/" + entry.target;
      all.needs_folder = true;
      Placer placer(holder->path());
      TRY_OK(placer.place(ctx, shared->source, all, "/", {}));
      folder = holder->path();
      plan.holds.push_back(holder);
    }
    auto fd = open_beneath(folder, path.empty() ? "." : path, O_PATH);
    if (!fd && fd.error().is(Kind::not_found)) return file_->wrong(i, fmt::format("--mount: /{}: not found", path));
    if (!fd) return Fail(std::move(fd).error());
    std::error_code error;
    fs::path source = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd->get()), error);
    if (error) return file_->wrong(i, fmt::format("--mount: /{}: {}", path, error.message()));
    if (writable && fs::is_directory(source)) {  // writes are allowed and thrown away
      TRY(auto temp, TempDir::make_in(build_.steps_folder(), "bind"));
      auto holder = std::make_shared<TempDir>(std::move(temp));
      TRY(auto overlay, box::Overlay::mount({source}, holder->path() / "upper", holder->path() / "work",
                                            holder->path() / "merged", {.throw_away = true}));
      source = overlay.merged();
      plan.holds.push_back(holder);
      plan.holds.push_back(std::make_shared<box::Overlay>(std::move(overlay)));
    }
    plan.mounts.push_back({.source = source, .target = target, .read_only = !writable});
    plan.holds.push_back(shared);
    return {};
  });
  return {};
}

Result<> StageRunner::cache_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan) {
  auto target = absolute(value_of(flag, "target"));
  if (target.size() > 1 && target.ends_with('/')) target.pop_back();
  auto id = value_of(flag, "id", target);
  auto sharing = value_of(flag, "sharing", "shared");
  auto mode = value_of(flag, "mode", "0755");
  auto uid = to_int(value_of(flag, "uid", "0")), gid = to_int(value_of(flag, "gid", "0"));
  auto bits = apply_chmod(mode, 0755, true);
  if (!uid || !gid || !bits) return file_->wrong(i, "--mount=type=cache: mode, uid and gid want numbers");
  plan.key += fmt::format("cache {}\n", target);
  auto from = value_of(flag, "from"), path = clean_path(value_of(flag, "source"));
  bool read_only = flag.on("ro");
  // Caches that begin with other files, or belong to another user, are others: as BuildKit has it.
  std::string kind;
  for (const char* what : {"mode", "uid", "gid"})
    if (flag.keys.contains(what)) kind += fmt::format("{}={} ", what, value_of(flag, what));
  if (!from.empty()) {
    TRY(auto origin, build_.origin(ctx_, from, stage_.index, i));
    kind += fmt::format("from={}/{}", origin.key.empty() ? from : origin.key, path);
  }
  plan.prepare.emplace_back([=, this, &plan, &i](const Ctx& ctx) -> Result<> {
    auto& shop = build_.shop();
    auto name = sha256_hex(kind.empty() ? id : id + "\n" + kind);
    if (sharing == "locked") {
      TRY(auto held, shop.busy.take(ctx, "cache " + name));
      plan.holds.push_back(std::make_shared<KeyedLocks::Held>(std::move(held)));
    } else if (sharing == "private") {
      for (int n = 0;; ++n) {
        auto one = n == 0 ? name : fmt::format("{}-{}", name, n);
        if (auto held = shop.busy.try_take("cache " + one)) {
          plan.holds.push_back(std::make_shared<KeyedLocks::Held>(std::move(*held)));
          name = one;
          break;
        }
      }
    }
    auto folder = shop.options.root / "cache" / name;
    TRY(auto making, shop.busy.take(ctx, "make cache " + name));
    if (!path_exists(folder)) {
      TRY(auto temp, TempDir::make_in(shop.options.root / "cache", "tmp"));
      auto fresh = temp.path() / "c";
      TRY_OK(make_dirs(fresh));
      if (!from.empty()) {  // what it starts with
        TRY(auto origin, build_.origin(ctx, from, stage_.index, i));
        TRY_OK(build_.show(ctx, state_, origin));
        TRY(auto all, everything(ctx, origin.source, path));
        all.needs_folder = true;
        Placer placer(fresh);
        TRY_OK(placer.place(ctx, origin.source, all, "/", {}));
      }
      ::chmod(fresh.c_str(), *bits);
      (void)!::lchown(fresh.c_str(), static_cast<uid_t>(*uid), static_cast<gid_t>(*gid));
      if (::rename(fresh.c_str(), folder.c_str()) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        return fail_errno(errno, folder.native());
    }
    plan.mounts.push_back({.source = folder, .target = target, .read_only = read_only});
    return {};
  });
  return {};
}

Result<> StageRunner::secret_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan) {
  auto id = value_of(flag, "id"), target = value_of(flag, "target"), variable = value_of(flag, "env");
  if (id.empty() && !target.empty()) id = fs::path(target).filename().native();
  if (id.empty()) return file_->wrong(i, "--mount=type=secret wants an id or a target");
  plan.key += fmt::format("secret {} {} {}\n", id, target, variable);
  auto it = build_.request().secrets.find(id);
  if (it == build_.request().secrets.end()) {
    if (flag.on("required"))
      return file_->wrong(i, fmt::format("secret {:?} is required but not given", id),
                          fmt::format("--secret id={},src=FILE", id));
    return {};
  }
  if (!variable.empty()) plan.secret_env[variable] = it->second;
  if (!variable.empty() && target.empty()) return {};
  auto place = absolute(target.empty() ? "/run/secrets/" + id : target);
  auto bits = apply_chmod(value_of(flag, "mode", "0400"), 0400, false);
  auto uid = to_int(value_of(flag, "uid", "0")), gid = to_int(value_of(flag, "gid", "0"));
  if (!bits || !uid || !gid) return file_->wrong(i, "--mount=type=secret: mode, uid and gid want numbers");
  plan.prepare.emplace_back([this, &plan, value = it->second, place, mode = *bits, uid, gid](const Ctx&) -> Result<> {
    TRY(auto holder, secret_folder(build_.steps_folder()));
    auto file = holder->path() / "value";
    TRY_OK(write_file(file, value, mode));
    (void)!::lchown(file.c_str(), static_cast<uid_t>(*uid), static_cast<gid_t>(*gid));
    plan.mounts.push_back({.source = file, .target = place, .read_only = true});
    plan.holds.push_back(holder);
    return {};
  });
  return {};
}

// The agent's socket under a name of its own, told by SSH_AUTH_SOCK (of the first, when there are several).
Result<> StageRunner::ssh_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan) {
  auto id = value_of(flag, "id", "default");
  int number = plan.agents++;
  auto target = value_of(flag, "target", fmt::format("/run/buildkit/ssh_agent.{}", number));
  plan.key += fmt::format("ssh {} {}\n", id, target);
  auto it = build_.request().ssh.find(id);
  if (it == build_.request().ssh.end()) {
    if (flag.on("required"))
      return file_->wrong(i, fmt::format("SSH agent {:?} is required but not given", id), fmt::format("--ssh {}", id));
    return {};
  }
  auto bits = apply_chmod(value_of(flag, "mode", "0600"), 0600, false);
  auto uid = to_int(value_of(flag, "uid", "0")), gid = to_int(value_of(flag, "gid", "0"));
  if (!bits || !uid || !gid) return file_->wrong(i, "--mount=type=ssh: mode, uid and gid want numbers");
  auto place = absolute(target);
  plan.secret_env.try_emplace("SSH_AUTH_SOCK", place);
  plan.prepare.emplace_back(
      [this, &plan, &i, agent = it->second, id, place, mode = *bits, uid = *uid, gid = *gid](const Ctx&) -> Result<> {
        TRY(auto temp, TempDir::make_in(build_.steps_folder(), "agent"));
        auto holder = std::make_shared<TempDir>(std::move(temp));
        auto socket = AgentSocket::open(agent, holder->path(), mode, static_cast<uid_t>(uid), static_cast<gid_t>(gid));
        if (!socket) return file_->wrong(i, fmt::format("SSH agent {:?}: {}", id, socket.error().what()));
        plan.mounts.push_back({.source = (*socket)->socket(), .target = place});
        plan.holds.push_back(holder);
        plan.holds.push_back(std::shared_ptr<AgentSocket>(std::move(*socket)));
        return {};
      });
  return {};
}

Result<> StageRunner::run_mounts(const Instruction& i, RunPlan& plan) {
  for (auto text : i.flags_named("mount")) {
    TRY(auto flag, parse_mount(text));
    for (auto& [key, value] : flag.keys) {
      if (key == "from") continue;
      TRY(value, expanded(i, value));
    }
    if (auto it = flag.keys.find("type"); it != flag.keys.end()) flag.type = lower(it->second);
    std::erase_if(flag.keys, [](const auto& item) { return item.second.empty(); });
    if (auto checked = check_mount(flag); !checked)
      return file_->wrong(i, fmt::format("--mount={}: {}", text, checked.error().what()));
    if (auto target = value_of(flag, "target"); !target.empty() && absolute(target) == "/")
      return file_->wrong(i, "--mount: the target / is not allowed");
    if (flag.type == "bind") {
      TRY_OK(bind_mount(i, flag, plan));
    } else if (flag.type == "cache") {
      TRY_OK(cache_mount(i, flag, plan));
    } else if (flag.type == "secret") {
      TRY_OK(secret_mount(i, flag, plan));
    } else if (flag.type == "tmpfs") {
      auto target = absolute(value_of(flag, "target"));
      auto size = value_of(flag, "size");
      plan.key += fmt::format("tmpfs {} {}\n", target, size);
      box::Mount mount{.source = {}, .target = target, .type = "tmpfs"};
      if (!size.empty()) mount.options.push_back("size=" + size);
      plan.mounts.push_back(std::move(mount));
    } else {
      TRY_OK(ssh_mount(i, flag, plan));
    }
  }
  return {};
}

Result<bool> StageRunner::execute(const Ctx& ctx, const Instruction& i, RunPlan& plan, const fs::path& upper,
                                  const std::vector<fs::path>& lowers) {
  auto* runtime = build_.shop().options.runtime;
  if (runtime == nullptr)
    return file_->wrong(i, "RUN needs a container runtime, and none is here", "install crun or runc");
  if (auto runs = can_run(state_.config.platform, build_.build_platform()); !runs)
    return file_->wrong(i, runs.error().what(), runs.error().hint());
  for (const auto& prepare : plan.prepare) TRY_OK(prepare(ctx));
  box::Spec spec;
  spec.id = std::string(container_prefix) + random_hex(8);
  spec.layers = lowers;
  spec.upper = upper;
  spec.argv = plan.argv;
  spec.env = plan.env;
  for (const auto& [name, value] : plan.secret_env) spec.env[name] = value;
  for (const auto& [name, value] : build_.request().args)
    if (is_proxy_arg(name)) spec.env.try_emplace(name, value);
  spec.cwd = state_.config.working_dir.empty() ? "/" : state_.config.working_dir;
  spec.user = state_.config.user;
  spec.network = plan.network;
  spec.privileged = plan.insecure;
  spec.seccomp = !plan.insecure;
  spec.sees_cgroups = false;       // a RUN has no limits of its own to look at
  spec.no_new_privileges = false;  // su and sudo work in Dockerfiles, as with docker build
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) {
    std::error_code error;
    auto source = fs::canonical(file, error);
    if (plan.network == box::Network::host && !error)
      spec.mounts.push_back({.source = source, .target = file, .read_only = true});
  }
  spec.mounts.insert(spec.mounts.end(), plan.mounts.begin(), plan.mounts.end());
  TRY(auto pipe, make_pipe());
  LineSink sink(build_, fmt::format("[{} {}/{}] ", stage_.shown(), number_, total_));
  std::thread reader([&] {
    std::string buffer(65536, '\0');
    for (;;) {
      auto n = ::read(pipe.read.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      sink.take({buffer.data(), static_cast<std::size_t>(n)});
    }
    sink.end();
  });
  box::Runtime::Ran ran;
  auto code = runtime->run(ctx, spec, {.in = -1, .out = pipe.write.get(), .err = pipe.write.get()}, &ran);
  pipe.write.reset();
  reader.join();
  build_.command_ran({ran.from, ran.to});
  if (!code) return Fail(std::move(code).error().in(fmt::format("{}:{}: RUN", file_->name, i.line)));
  if (*code == 0) return true;
  auto what = fmt::format("RUN {}: exit status {}", i.rest.substr(0, 120), *code);
  for (const auto& line : sink.last()) what += "\n    " + line;
  return file_->wrong(i, what);
}

// No devices are handed into builds: one that need not be there is left out, as on a machine that has none.
Result<> StageRunner::run_devices(const Instruction& i) {
  for (auto text : i.flags_named("device")) {
    std::string name;
    bool required = false;
    for (const auto& field : split_quoted(text)) {
      auto parts = cut(field, "=");
      auto key = lower(parts ? parts->first : std::string_view(field));
      if (key == "required")
        required = !parts || parts->second == "true" || parts->second == "1";
      else if (name.empty())
        name = parts && key == "name" ? std::string(parts->second) : field;
      else
        return file_->wrong(i, fmt::format("--device={}: unexpected {:?}, want name or required", text, field));
    }
    if (required)
      return file_->wrong(i, fmt::format("--device={}: required, and no devices are given to builds", name),
                          "run this step outside of the image's build");
    build_.say(fmt::format("{}:{}: --device={}: no such device here, going on without it", file_->name, i.line, name),
               2);
  }
  return {};
}

Result<> StageRunner::run_command(const Instruction& i) {
  RunPlan plan;
  TRY_OK(run_argv(i, plan));
  plan.env = run_env();
  TRY_OK(run_mounts(i, plan));
  if (auto network = i.flag("network")) {
    if (*network == "none")
      plan.network = box::Network::none;
    else if (*network != "host" && *network != "default")
      return file_->wrong(i, fmt::format("--network={}: want default, host or none", *network));
  }
  if (auto security = i.flag("security")) {
    if (*security != "sandbox" && *security != "insecure")
      return file_->wrong(i, fmt::format("--security={}: want sandbox or insecure", *security));
    plan.insecure = *security == "insecure";
    if (plan.insecure && !build_.allows("security.insecure"))
      return file_->wrong(i, "--security=insecure is not allowed in this build", "--allow security.insecure");
  }
  TRY_OK(run_devices(i));
  auto key =
      fmt::format("run\n{}\n{}\n{}\n{}\n{}\n{}\n", state_.fs_key(), state_.config.user, state_.config.working_dir,
                  static_cast<int>(plan.network), build_.epoch(), build_.platform().print());
  for (const auto& arg : plan.argv) key += fmt::format("{}:{}\n", arg.size(), arg);
  for (const auto& [name, value] : plan.env)
    if (!is_proxy_arg(name)) key += fmt::format("env {}={}:{}\n", name, value.size(), value);
  if (plan.insecure) key += "insecure\n";
  key += plan.key;
  std::string declared;
  int count = 0;
  for (const auto& [name, value] : state_.args) {
    if (is_proxy_arg(name)) continue;
    declared += fmt::format("{}={} ", name, value);
    ++count;
  }
  auto created_by = count > 0 ? fmt::format("RUN |{} {}{}", count, declared, plan.shown) : "RUN " + plan.shown;
  return step(i, step_name(i), key, std::move(created_by),
              [&](const Ctx& ctx, const fs::path& upper, const std::vector<fs::path>& lowers) -> Result<> {
                Finally release([&] {  // newest first: a mounted view lies on its folder
                  while (!plan.holds.empty()) plan.holds.pop_back();
                });
                TRY_OK(execute(ctx, i, plan, upper, lowers));
                return {};
              });
}

}  // namespace slipway::image::detail
