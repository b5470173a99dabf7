#pragma once
// The folder of one job. Steps own what is in it and may put links anywhere: whatever we read or write there goes
// through this class, which never leaves the folder.
#include <functional>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace slipway::ci {

class Recorder;          // observe/recorder.h
enum class Look : char;  // observe/observation.h

// base/home is the job's home and holds work/REPO/REPO (the workspace), work/_temp and work/_tool; the rest of base is
// ours alone. Removed with the value. Threads: any.
class JobFolder {
 public:
  static Result<JobFolder> make(const fs::path& root);
  // Of a machine that has one job alone: home where steps expect it, ours in a folder below. Both stay.
  static Result<JobFolder> make_at(const fs::path& home);
  // Leaves it somewhere else, and takes it up again from there: both on one file system, or `unavailable`.
  Result<> put_aside(const fs::path& place);
  static Result<JobFolder> take_up(const fs::path& root, const fs::path& place);
  // Makes the workspace.
  Result<> name_workspace(const std::string& repository_name);
  JobFolder(JobFolder&&) noexcept = default;

  const fs::path& base() const { return base_; }
  fs::path home() const { return home_; }
  // Relative to home.
  const std::string& workspace() const { return workspace_; }
  std::string temp() const { return "work/_temp"; }
  std::string tools() const { return "work/_tool"; }

  // Tells what is read and written here. It outlives the folder, or is taken back by null.
  void watch(Recorder* recorder) { recorder_ = recorder; }
  // in_root is not watched: who uses it says what it looked at.
  void looked_at(Look look, const std::string& relative) const;
  // Below home. Regular files only; "" when absent. Errors: invalid (over the limit, no regular file).
  Result<std::string> read(const std::string& relative, std::size_t limit) const;
  Result<> write(const std::string& relative, std::string_view text, unsigned mode = 0644) const;
  Result<> make_dir(const std::string& relative) const;
  // Removes what a folder holds, or `only` these names of it. Absent is fine; no link leads out.
  Result<> empty(const std::string& relative, const std::vector<std::string>& only = {}) const;
  // A fresh file, folders on the way made, whatever had its name removed. And a symbolic link in the same way.
  Result<Fd> create(const std::string& relative, unsigned mode) const;
  Result<> link(const std::string& relative, const std::string& target) const;
  // Gives an empty file that create() made with `mode` a new name in its folder, when nobody touched it since. True: it
  // has it. A new file costs the disk a new inode each time.
  bool renew(const std::string& relative, const std::string& name, unsigned mode) const;
  Result<Fd> open(const std::string& relative) const;  // a regular file, to read
  bool has_file(const std::string& relative) const;
  bool has_folder(const std::string& relative) const;
  // Runs work that sees home as its root folder: no link and no race leads out of it. `root` is what to put before
  // paths. Needs root; without, the work runs on plain paths (then steps have our own rights anyway).
  Result<> in_root(const std::function<Result<>(const fs::path& root)>& work) const;
  // Moves everything in `from` (a folder of ours below base) into a folder of home, replacing what has the same name.
  Result<> move_in(const fs::path& from, const std::string& relative) const;

 private:
  explicit JobFolder(TempDir dir) : base_(dir.path()), home_(base_ / "home"), dir_(std::move(dir)) {}
  JobFolder(fs::path base, fs::path home) : base_(std::move(base)), home_(std::move(home)) {}
  void wrote(const std::string& relative) const;
  fs::path base_, home_;
  std::optional<TempDir> dir_;
  std::string workspace_;
  Recorder* recorder_ = nullptr;
};

}  // namespace slipway::ci
