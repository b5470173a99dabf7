// Service containers of a job, and containers that are steps.
#include <poll.h>

#include "base/hash.h"
#include "base/text.h"
#include "ci/detail/images.h"
#include "ci/detail/job_run.h"
#include "ci/run/health.h"
#include "ci/run/pump.h"

namespace slipway::ci {

Result<Health> health_of(const std::string& options, const oci::Config& config) {
  Health out;
  if (config.healthcheck && config.healthcheck->test.size() > 1) {
    auto& test = config.healthcheck->test;
    if (test[0] == "CMD-SHELL")
      out.command = test[1];
    else if (test[0] == "CMD")
      out.argv.assign(test.begin() + 1, test.end());
    if (config.healthcheck->interval_ns > 0) out.interval = Millis(config.healthcheck->interval_ns / 1'000'000);
    if (config.healthcheck->retries > 0) out.retries = static_cast<int>(config.healthcheck->retries);
  }
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (char c : options + " ") {
    if (quote != 0 ? c == quote : c == '"' || c == '\'')
      quote = quote != 0 ? 0 : c;
    else if (quote == 0 && (c == ' ' || c == '\n' || c == '=')) {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
    } else
      word += c;
  }
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--health-cmd")
      out.command = words[i + 1], out.argv.clear();
    else if (words[i] == "--health-retries")
      out.retries = static_cast<int>(to_int(words[i + 1]).value_or(out.retries));
    else if (words[i] == "--health-interval") {
      TRY(out.interval, parse_duration(words[i + 1]));
    }
  }
  return out;
}

namespace {

Environment environment_of(const oci::Config& config) {
  Environment out = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  for (auto& pair : config.env)
    if (auto parts = cut(pair, "=")) out[std::string(parts->first)] = parts->second;
  return out;
}

std::vector<std::string> command_of(const oci::Config& config) {
  auto out = config.entrypoint;
  out.insert(out.end(), config.cmd.begin(), config.cmd.end());
  return out;
}

std::vector<std::string> texts_of(const Data& list) {
  std::vector<std::string> out;
  for (auto& item : list.if_array()->items) out.push_back(item.text());
  return out;
}

// Waits until the service says it is well; asks sooner than told in the beginning.
Result<> await_health(const Ctx& ctx, box::Container& container, const Health& health, const Environment& env,
                      const std::string& name) {
  if (health.command.empty() && health.argv.empty()) return {};
  box::Container::Exec exec;
  exec.argv = health.command.empty() ? health.argv : std::vector<std::string>{"/bin/sh", "-c", health.command};
  exec.env = env;
  Millis pause{10};
  auto until =
      std::chrono::steady_clock::now() + health.interval * std::max(health.retries, 1) + std::chrono::seconds(5);
  for (;;) {
    auto code = container.exec(ctx, exec, {});
    if (code && *code == 0) return {};
    TRY_OK(ctx.alive());
    pollfd ended{container.exit_fd(), POLLIN, 0};
    if (::poll(&ended, 1, 0) > 0) return fail(Kind::unavailable, "service {} ended before it was healthy", name);
    if (std::chrono::steady_clock::now() > until)
      return fail(Kind::timeout, "service {} did not become healthy: \"{}\" fails", name,
                  join(std::span<const std::string>(exec.argv), " "));
    TRY_OK(sleep(ctx, pause));
    pause = std::min(pause * 2, health.interval);
  }
}

}  // namespace

Result<> JobRun::start_services(const Ctx& ctx, SandboxOptions& job) {
  if (!options().runtime) return fail(Kind::unavailable, "services need a container runtime");
  TRY(auto definitions, definition_.services->evaluate(scope(root_, nullptr), root_.source));
  auto* object = definitions.if_object();
  if (!object || object->entries.empty()) return {};
  // Job and services share one network, as containers of a pod do: every service is at its port of localhost and
  // under its name.
  if (options().network) {
    pod_ = job.id;
    TRY(auto pod, options().network->add_pod(pod_));
    job.network = box::Network::own, job.netns = pod.netns;
  }
  for (auto& [name, definition] : object->entries) {
    job.host_names.push_back(name);
    auto aliases = definition.member("aliases");
    if (auto* list = aliases.if_array())
      for (auto& alias : list->items)
        if (alias.text() != name) job.host_names.push_back(alias.text());
  }
  for (auto& [name, definition] : object->entries) {
    TRY_OK_IN(fmt::format("service {}", name), start_service(ctx, name, definition, job));
  }
  return {};
}

Result<> JobRun::start_service(const Ctx& ctx, const std::string& name, const Data& definition,
                               const SandboxOptions& job) {
  auto image_name = definition.if_string() ? definition.text() : definition.member("image").text();
  if (image_name.empty()) return {};
  TRY(auto image, resolve_image(ctx, options(), image_name));
  Service service;
  service.name = name;
  auto ports = definition.member("ports");
  if (auto* list = ports.if_array())
    for (auto& port : list->items) {
      auto text = port.text();
      auto colon = text.rfind(':');
      service.ports.push_back(colon == std::string::npos ? text : text.substr(colon + 1));
    }
  box::Spec spec;
  spec.id = fmt::format("ci-service-{}", random_hex(8));
  spec.layers = image.layers;
  spec.argv = command_of(image.config);
  auto command = definition.member("command"), entrypoint = definition.member("entrypoint");
  if (auto* list = entrypoint.if_array(); list || command.if_array()) {  // as GitLab gives them
    spec.argv = list ? texts_of(entrypoint) : image.config.entrypoint;
    auto arguments = command.if_array() ? texts_of(command) : list ? std::vector<std::string>() : image.config.cmd;
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  } else {
    auto words = command.text();
    if (!words.empty()) {
      spec.argv = image.config.entrypoint;
      for (auto part : split(words, ' '))
        if (!part.empty()) spec.argv.emplace_back(part);
    }
    if (!entrypoint.text().empty()) spec.argv = {entrypoint.text()};
  }
  if (spec.argv.empty()) return fail(Kind::invalid, "image {} says no command", image_name);
  spec.env = environment_of(image.config);
  auto env = definition.member("env");
  if (auto* given = env.if_object())
    for (auto& [key, value] : given->entries) spec.env[key] = value.text();
  spec.cwd = image.config.working_dir.empty() ? "/" : image.config.working_dir;
  spec.user = image.config.user;
  spec.network = job.network, spec.netns = job.netns;
  spec.limits = options().limits;
  spec.hostname = name;
  spec.cgroup = "ci/" + spec.id;
  TRY(auto health, health_of(definition.member("options").text(), image.config));
  StepContext nobody;
  nobody.frame = &root_;
  say(nobody, fmt::format("Starts service {} ({})", name, image_name));
  TRY(service.container, options().runtime->start(ctx, spec, {}));
  auto& container = *service.container;
  services_.push_back(std::move(service));
  return await_health(ctx, container, health, spec.env, name);
}

void JobRun::stop_services() {
  while (!services_.empty()) {
    if (services_.back().container) (void)services_.back().container->destroy();
    services_.pop_back();
  }
  if (!pod_.empty()) (void)options().network->remove_pod(std::exchange(pod_, {}));
}

Result<int> JobRun::container(const Ctx& ctx, StepContext& step, const ContainerStep& call) {
  reads_unseen(fmt::format("{} runs in a container of its own", call.image));
  if (!options().runtime)
    return fail(Kind::unavailable, "image {}: steps in containers need a container runtime", call.image);
  TRY(auto image, resolve_image(ctx, options(), call.image));
  box::Spec spec;
  spec.id = fmt::format("ci-step-{}", random_hex(8));
  spec.layers = image.layers;
  spec.argv = call.entrypoint.empty() ? image.config.entrypoint : std::vector<std::string>{call.entrypoint};
  auto& arguments = call.args.empty() && call.entrypoint.empty() ? image.config.cmd : call.args;
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  if (spec.argv.empty()) return fail(Kind::invalid, "image {} says no command", call.image);
  auto env = process_env(step);
  env.erase("PATH");  // the image's own
  for (auto& [key, value] : environment_of(image.config)) env[key] = value;
  for (auto& [key, value] : call.env) env[key] = value;
  TRY_OK(open_files(step, env));
  spec.env = env;
  spec.cwd = inside(folder_->workspace());
  spec.mounts.push_back({.source = folder_->home(), .target = fs::path(home_inside)});
  spec.limits = options().limits;
  spec.network = box::Network::host;
  spec.cgroup = "ci/" + spec.id;
  TRY(auto out, make_pipe());
  TRY(auto err, make_pipe());
  TRY(auto started, options().runtime->start(ctx, spec, {.in = -1, .out = out.write.get(), .err = err.write.get()}));
  out.write.reset();
  err.write.reset();
  step.stop_token.clear();
  auto code = [&] {
    if (step.effects) {
      step.effects->waits = true;
      turned_.notify_all();
    }
    Unlocked others(turn_);
    return pump(
        ctx, Process{}, {out.read.get(), err.read.get()}, started->exit_fd(),
        [&](int stream, std::string_view piece) {
          std::lock_guard lock(turn_);
          take(step, stream, piece);
        },
        [&](int number) { (void)started->signal(number); }, [&] { return started->wait(Ctx{}); });
  }();
  (void)started->destroy();
  for (int stream : {1, 2})
    if (auto& rest = step.partial[stream - 1]; !rest.empty()) take_line(step, stream, std::exchange(rest, {}));
  TRY_OK(apply_files(step, env));
  return code;
}

}  // namespace slipway::ci
