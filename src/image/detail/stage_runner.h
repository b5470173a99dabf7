#pragma once
// Carries out one stage, instruction by instruction.
#include "image/detail/build.h"
#include "image/detail/placer.h"
#include "image/expand.h"

namespace slipway::image::detail {

// Threads: one.
class StageRunner {
 public:
  StageRunner(Build& build, const Stage& stage, Ctx ctx) : build_(build), stage_(stage), ctx_(std::move(ctx)) {}
  Result<State> run();

 private:
  // stage_runner.cpp: the base, and what changes only the configuration
  Result<> begin();
  Result<> begin_with(Build::Named named);
  Result<> triggers();
  Result<> one(const Dockerfile& file, const Instruction& i);
  Result<> arg(const Instruction& i);
  Result<> env(const Instruction& i);
  Result<> label(const Instruction& i);
  Result<> expose(const Instruction& i);
  Result<> volume(const Instruction& i);
  Result<> user(const Instruction& i);
  Result<> command(const Instruction& i);
  Result<> healthcheck(const Instruction& i);
  Result<> stopsignal(const Instruction& i);
  Result<> workdir(const Instruction& i);
  void history(std::string created_by, bool empty_layer);

  // stage_copy.cpp
  struct CopyPlan;
  Result<> copy(const Instruction& i);
  Result<> copy_plan(const Instruction& i, CopyPlan& plan);
  Result<> copy_files(const Instruction& i, CopyPlan& plan);
  Result<> fetch(const Instruction& i, CopyPlan& plan, const std::string& url);
  Result<> fetch_git(const Instruction& i, CopyPlan& plan, const GitAddress& address);
  Result<> copy_everything(const Instruction& i, Origin origin);  // a folder as a base
  Result<> place(const Ctx& ctx, const fs::path& root, const CopyPlan& plan);
  struct CopyFile;
  Result<bool> unpack_bytes(const Ctx& ctx, Placer& placer, const std::string& destination, const CopyFile& file,
                            const PlaceOptions& options);

  // stage_run.cpp
  struct RunPlan;
  Result<> run_command(const Instruction& i);
  Result<> run_argv(const Instruction& i, RunPlan& plan);
  Result<> run_mounts(const Instruction& i, RunPlan& plan);
  Result<> bind_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan);
  Result<> cache_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan);
  Result<> secret_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan);
  Result<> ssh_mount(const Instruction& i, const MountFlag& flag, RunPlan& plan);
  Result<> run_devices(const Instruction& i);
  Result<bool> execute(const Ctx& ctx, const Instruction& i, RunPlan& plan, const fs::path& upper,
                       const std::vector<fs::path>& lowers);
  std::map<std::string, std::string> run_env() const;

  // Answers a step from the cache or does it. `work` gets the upper folder and the layers below.
  using Work = std::function<Result<>(const Ctx&, const fs::path& upper, const std::vector<fs::path>& lowers)>;
  Result<> step(const Instruction& i, std::string shown, const std::string& key, std::string created_by,
                const Work& work);
  Result<bool> from_cache(const std::string& key);
  Result<> new_layer(const std::string& key, const fs::path& upper, const std::vector<fs::path>& lowers);
  // The same work on a mounted root: for what places files.
  Work on_root(std::function<Result<>(const Ctx&, const fs::path& root)> work) const;

  Lookup lookup() const;
  Result<std::string> expanded(const Instruction& i, std::string_view text) const;
  Result<std::vector<std::string>> expanded_words(const Instruction& i, std::string_view text) const;
  std::string absolute(std::string_view path) const;  // against WORKDIR; keeps a trailing slash
  std::string step_name(const Instruction& i) const;
  bool is_no_cache() const { return !build_.uses_cache(stage_); }

  Build& build_;
  const Stage& stage_;
  Ctx ctx_;
  State state_;
  const Dockerfile* file_ = nullptr;  // of the instruction in work: the Dockerfile, or an ONBUILD trigger
  int number_ = 0, total_ = 0;
};

}  // namespace slipway::image::detail
