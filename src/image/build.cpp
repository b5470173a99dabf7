#include "image/detail/build.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/pool.h"
#include "base/text.h"
#include "image/checks.h"
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
  log_(stream, std::string(line) + "\n");
}

std::optional<std::string> Build::global(std::string_view name) const {
  auto it = globals_.find(std::string(name));
  return it == globals_.end() ? std::nullopt : std::optional(it->second);
}

void Build::report(const std::string& step, path::BuildStep::State state) {
  if (request_.on_step) request_.on_step({step, state});
}

bool Build::uses_cache(const Stage& stage) const {
  if (request_.no_cache) return false;
  return std::none_of(request_.no_cache_stages.begin(), request_.no_cache_stages.end(),
                      [&](const std::string& name) { return plan_.find(name) == &stage; });
}

bool Build::allows(std::string_view entitlement) const {
  const auto& allow = request_.allow;
  return std::find(allow.begin(), allow.end(), entitlement) != allow.end();
}

namespace {

// A file that a request names: of the context when it is below it, so that a link in a context that somebody else
// made leads to nothing outside of it.
Result<std::string> read_named(const fs::path& context, const fs::path& path, std::size_t limit) {
  auto below = path.is_relative() ? path : path.lexically_normal().lexically_relative(context.lexically_normal());
  if (below.empty() || *below.begin() == "..") return read_file(path.is_relative() ? context / path : path, limit);
  TRY(auto fd, open_beneath(context, below, O_RDONLY | O_CLOEXEC));
  struct stat st{};
  if (::fstat(fd.get(), &st) < 0 || !S_ISREG(st.st_mode)) return fail(Kind::invalid, "{}: is no file", path.native());
  if (static_cast<std::size_t>(st.st_size) > limit)
    return fail(Kind::invalid, "{}: {} bytes, want at most {}", path.native(), st.st_size, limit);
  return read_all(fd.get());
}

}  // namespace

Result<> Build::read_dockerfile() {
  auto text = read_named(request_.context, request_.dockerfile, 16 << 20);
  if (!text) {
    if (!text.error().is(Kind::not_found)) return Fail(std::move(text).error());
    auto path = request_.context / request_.dockerfile;
    return Fail(
        Error(Kind::not_found, fmt::format("{}: no such Dockerfile", path.native())).with_hint("name it with -f"));
  }
  TRY(file_, parse_dockerfile(*text, request_.dockerfile));
  TRY(plan_, plan_stages(file_));
  input("dockerfile " + sha256_hex(*text));
  return {};
}

// What the Dockerfile should not do is said; it ends the build when the file asks for that ("# check=error=true").
Result<> Build::check() {
  CheckOptions options{
      .args = request_.args, .ignore = ignore_.empty() ? nullptr : &ignore_, .env_of = {}, .config = {}};
  if (auto it = request_.args.find("BUILDKIT_DOCKERFILE_CHECK"); it != request_.args.end()) options.config = it->second;
  // Only what is here already: checks pull nothing.
  options.env_of = [this](const std::string& name) -> std::optional<std::vector<std::string>> {
    auto reference = oci::parse_reference(name);
    if (!reference) return std::nullopt;
    auto which = reference->digest.empty() ? reference->tag : reference->digest.str();
    for (const auto& repository : {name.substr(0, name.find_first_of(":@")), oci::local_repository(*reference)})
      if (auto image = shop_.options.registry->image(repository, which, platform_)) return image->config.env;
    return std::nullopt;
  };
  auto checked = check_dockerfile(file_, plan_, options);
  if (!checked) return file_.wrong(1, 1, checked.error().what());
  std::set<std::string> rules;
  for (const auto& c : checked->found) {
    say(fmt::format("{}:{}: {}: {}", file_.name, c.line, c.rule, c.text), 2);
    rules.insert(c.rule);
  }
  if (!checked->fails) return {};
  return fail(Kind::invalid, "{}: what its checks found ends the build: {}", file_.name, fmt::join(rules, ", "));
}

// <Dockerfile>.dockerignore takes the place of .dockerignore.
Result<> Build::read_ignore() {
  for (const auto& name : {request_.dockerfile + ".dockerignore", std::string(".dockerignore")}) {
    auto text = read_named(request_.context, name, 4 << 20);
    if (!text) {
      if (text.error().is(Kind::not_found)) continue;
      return Fail(std::move(text).error());
    }
    TRY(ignore_, IgnoreList::parse(*text, fs::path(name).filename().native()));
    break;
  }
  context_.source = {.root = request_.context,
                     .ignore = ignore_.empty() ? nullptr : &ignore_,
                     .index = index_of(request_.context),
                     .keeps_owner = false};
  return {};
}

Result<> Build::read_settings() {
  build_platform_ = host_platform();
  const auto& how = request_.compression;
  if (how == "zstd")
    compression_ = oci::Compression::zstd;
  else if (how == "none" || how == "uncompressed")
    compression_ = oci::Compression::none;
  else if (!how.empty() && how != "gzip")
    return fail(Kind::invalid, "compression {:?}: want gzip, zstd or none", how);
  auto platform = [&](const std::string& prefix, const oci::Platform& p) {
    globals_[prefix + "PLATFORM"] = p.print();
    globals_[prefix + "OS"] = p.os;
    globals_[prefix + "ARCH"] = p.architecture;
    globals_[prefix + "OSVERSION"] = "";
    globals_[prefix + "VARIANT"] = p.variant;
  };
  platform("TARGET", platform_);
  platform("BUILD", build_platform_);
  const auto& last = plan_.stages.back().name;
  globals_["TARGETSTAGE"] = !request_.target.empty() ? request_.target : last.empty() ? "default" : last;
  for (auto& [name, value] : globals_)
    if (auto it = request_.args.find(name); it != request_.args.end()) value = it->second;
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
  TRY_OK(read_epoch());
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
  if (is_replaced(stage)) return {};
  auto earlier = [&](std::string_view name) -> const Stage* {
    const auto* found = plan_.find(name);
    return found != nullptr && found->index < index ? found : nullptr;
  };
  Lookup lookup = [&](std::string_view name) { return global(name); };
  if (auto base = expand(stage.base, lookup, {.escape = file_.escape})) {
    const auto* found = plan_.base_of(*base, index);
    if (found != nullptr) {
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

FileIndex* Build::index_of(const fs::path& folder) {
  std::error_code error;
  auto whole = fs::weakly_canonical(folder, error);
  auto name = sha256_hex(error ? folder.native() : whole.native());
  auto indexes = indexes_.lock();
  auto& index = (*indexes)[name];
  if (!index) index = std::make_unique<FileIndex>(shop_.options.root / "index" / name);
  return index.get();
}

Result<Built> Build::run() {
  std::error_code error;
  if (!fs::is_directory(request_.context, error))
    return fail(Kind::not_found, "build context {}: no such folder", request_.context.native());
  TRY_OK(read_dockerfile());
  TRY_OK(read_ignore());
  TRY_OK(read_settings());
  TRY_OK(check());
  TRY(auto last, target());
  exported_.insert(last);
  TRY_OK(need(last));
  auto done = run_stages();
  // Also what a failed build has read and made.
  for (auto& [folder, index] : *indexes_.lock()) index->save();
  if (!done) {
    (void)shop_.blobs->commit();
    return Fail(std::move(done).error());
  }
  TRY(auto state, finished(ctx_, last));
  return write_image(*state);
}

}  // namespace slipway::image::detail
