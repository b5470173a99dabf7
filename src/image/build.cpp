#include "image/detail/build.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/pool.h"
#include "base/text.h"
#include "image/detail/stage_runner.h"
#include "image/expand.h"

namespace slipway::image::detail {

oci::Platform host_platform() {
  utsname name{};
  ::uname(&name);
  oci::Platform p;
  std::string_view machine = name.machine;
  p.architecture = machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : std::string(machine);
  return p;
}

std::string epoch_text(std::int64_t epoch) { return rfc3339(WallTime(std::chrono::seconds(epoch))); }

bool is_proxy_arg(std::string_view name) {
  auto text = lower(name);
  return text == "http_proxy" || text == "https_proxy" || text == "ftp_proxy" || text == "no_proxy" ||
         text == "all_proxy";
}

Result<KeyedLocks::Held> KeyedLocks::take(const Ctx& ctx, const std::string& key) {
  auto busy = busy_.lock();
  TRY_OK(busy.wait(ctx, idle_, [&] { return !busy->contains(key); }));
  busy->insert(key);
  return Held(this, key);
}

std::optional<KeyedLocks::Held> KeyedLocks::try_take(const std::string& key) {
  if (!busy_.lock()->insert(key).second) return std::nullopt;
  return Held(this, key);
}

std::string State::fs_key() const {
  Hasher hasher;
  for (const auto& layer : layers) hasher.update(layer.diff_id.str());
  return hasher.finish_hex();
}

std::optional<std::string> State::env(std::string_view name) const {
  for (const auto& item : config.env)
    if (auto parts = cut(item, "="); parts && parts->first == name) return std::string(parts->second);
  return std::nullopt;
}

void State::set_env(std::string_view name, std::string value) {
  auto line = fmt::format("{}={}", name, value);
  for (auto& item : config.env) {
    if (auto parts = cut(item, "="); parts && parts->first == name) {
      item = std::move(line);  // it keeps its place
      return;
    }
  }
  config.env.push_back(std::move(line));
}

void Build::say(std::string_view line, int stream) {
  if (!log_) return;
  std::lock_guard lock(log_mutex_);
  log_(stream, std::string(line) + "\n");
}

std::optional<std::string> Build::global(std::string_view name) const {
  auto it = globals_.find(std::string(name));
  return it == globals_.end() ? std::nullopt : std::optional(it->second);
}

Result<> Build::read_dockerfile() {
  fs::path path = request_.dockerfile;
  if (path.is_relative()) path = request_.context / path;
  auto text = read_file(path, 16 << 20);
  if (!text) {
    if (!text.error().is(Kind::not_found)) return Fail(std::move(text).error());
    return Fail(
        Error(Kind::not_found, fmt::format("{}: no such Dockerfile", path.native())).with_hint("name it with -f"));
  }
  TRY(file_, parse_dockerfile(*text, request_.dockerfile));
  TRY(plan_, plan_stages(file_));
  input("dockerfile " + sha256_hex(*text));
  for (const auto& remark : file_.remarks) say(fmt::format("{}:{}: {}", file_.name, remark.line, remark.text), 2);
  return {};
}

// <Dockerfile>.dockerignore takes the place of .dockerignore.
Result<> Build::read_ignore() {
  fs::path dockerfile = request_.dockerfile;
  auto own = (dockerfile.is_relative() ? request_.context / dockerfile : dockerfile).native() + ".dockerignore";
  for (const auto& path : {fs::path(own), request_.context / ".dockerignore"}) {
    auto text = read_file(path, 4 << 20);
    if (!text) {
      if (text.error().is(Kind::not_found)) continue;
      return Fail(std::move(text).error());
    }
    TRY(ignore_, IgnoreList::parse(*text, path.filename().native()));
    break;
  }
  context_.source = {.root = request_.context,
                     .ignore = ignore_.empty() ? nullptr : &ignore_,
                     .index = index_.get(),
                     .keeps_owner = false};
  return {};
}

Result<> Build::read_settings() {
  build_platform_ = host_platform();
  platform_ = build_platform_;
  if (!request_.platform.empty()) {
    TRY(platform_, oci::parse_platform(request_.platform));
  }
  if (request_.source_date_epoch)
    epoch_ = *request_.source_date_epoch;
  else if (auto it = request_.args.find("SOURCE_DATE_EPOCH"); it != request_.args.end())
    epoch_ = to_int(it->second).value_or(default_epoch);
  if (epoch_ < 0) return fail(Kind::invalid, "SOURCE_DATE_EPOCH {}: want seconds since 1970", epoch_);
  auto platform = [&](const std::string& prefix, const oci::Platform& p) {
    globals_[prefix + "PLATFORM"] = p.print();
    globals_[prefix + "OS"] = p.os;
    globals_[prefix + "ARCH"] = p.architecture;
    globals_[prefix + "VARIANT"] = p.variant;
  };
  platform("TARGET", platform_);
  platform("BUILD", build_platform_);
  globals_["TARGETSTAGE"] = request_.target.empty() ? "default" : request_.target;
  for (const auto& i : plan_.global_args) {
    for (const auto& word : i.args) {
      auto parts = cut(word, "=");
      auto name = std::string(parts ? parts->first : std::string_view(word));
      if (auto it = request_.args.find(name); it != request_.args.end()) {
        globals_[name] = it->second;
      } else if (parts) {
        auto value = expand(parts->second, [&](std::string_view n) { return global(n); }, {.escape = file_.escape});
        if (!value) return file_.wrong(i, value.error().what());
        globals_[name] = *value;
      }
    }
  }
  for (const auto& [name, value] : request_.args)
    if (!is_proxy_arg(name)) input(fmt::format("arg {}={}", name, value));
  input(fmt::format("platform {} epoch {} target {}", platform_.print(), epoch_, request_.target));
  return {};
}

Result<std::size_t> Build::target() const {
  if (request_.target.empty()) return plan_.stages.size() - 1;
  if (const auto* stage = plan_.find(request_.target)) return stage->index;
  std::vector<std::string> names;
  for (const auto& stage : plan_.stages)
    if (!stage.name.empty()) names.push_back(stage.name);
  auto near = nearest(request_.target, names);
  return fail(Kind::invalid, "{}: no stage {:?}{}", file_.name, request_.target,
              near ? fmt::format(", did you mean {}?", *near) : "");
}

// Marks a stage and all it reads from.
Result<> Build::need(std::size_t index) {
  if (!needed_.insert(index).second) return {};
  const auto& stage = plan_.stages[index];
  auto earlier = [&](std::string_view name) -> const Stage* {
    const auto* found = plan_.find(name);
    return found != nullptr && found->index < index ? found : nullptr;
  };
  Lookup lookup = [&](std::string_view name) { return global(name); };
  if (auto base = expand(stage.base, lookup, {.escape = file_.escape})) {
    const auto* found = earlier(*base);
    if (found != nullptr && found->name == lower(*base)) {
      if (exported_.contains(index)) exported_.insert(found->index);
      TRY_OK(need(found->index));
      if (exported_.contains(index)) exported_.insert(found->index);
    }
  }
  for (const auto& step : stage.steps) {
    const auto& i = step.trigger ? *step.trigger : step;
    std::vector<std::string> froms;
    if (auto from = i.flag("from")) froms.emplace_back(*from);
    for (auto text : i.flags_named("mount"))
      if (auto mount = parse_mount(text); mount && mount->keys.contains("from")) froms.push_back(mount->keys["from"]);
    for (const auto& from : froms)
      if (const auto* found = earlier(from)) TRY_OK(need(found->index));
  }
  return {};
}

Result<std::shared_ptr<const State>> Build::finished(const Ctx& ctx, std::size_t stage) {
  auto all = finished_.lock();
  TRY_OK(all.wait(ctx, stage_done_, [&] { return all->contains(stage); }));
  return all->at(stage);
}

// All needed stages at once; each waits for those it reads from. They start in file order, so what one waits for runs.
Result<> Build::run_stages() {
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (auto index : needed_) {
    tasks.emplace_back([this, index](const Ctx& ctx) -> Result<> {
      TRY(auto state, StageRunner(*this, plan_.stages[index], ctx).run());
      finished_.lock()->emplace(index, std::make_shared<const State>(std::move(state)));
      stage_done_.notify_all();
      return {};
    });
  }
  auto width = tasks.size();
  return run_all(ctx_, width, std::move(tasks));
}

Result<path::BuildResult> Build::run() {
  std::error_code error;
  if (!fs::is_directory(request_.context, error))
    return fail(Kind::not_found, "build context {}: no such folder", request_.context.native());
  TRY_OK(read_dockerfile());
  auto whole = fs::weakly_canonical(request_.context, error);
  auto place = sha256_hex(error ? request_.context.native() : whole.native());
  index_ = std::make_unique<FileIndex>(shop_.options.root / "index" / place);
  TRY_OK(read_ignore());
  TRY_OK(read_settings());
  TRY(auto last, target());
  exported_.insert(last);
  TRY_OK(need(last));
  auto done = run_stages();
  index_->save();  // also what a failed build has read
  TRY_OK(done);
  TRY(auto state, finished(ctx_, last));
  return write_image(*state);
}

}  // namespace slipway::image::detail
