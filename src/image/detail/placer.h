#pragma once
// Puts files into an image's root, never outside of it.
#include "base/ctx.h"
#include "base/files.h"
#include "image/detail/selection.h"

namespace slipway::image::detail {

struct Ownership {
  std::uint32_t uid = 0, gid = 0;
};
// "user[:group]" by the image's own passwd and group files. Errors: invalid for unknown names.
Result<Ownership> resolve_owner(const fs::path& root, std::string_view text);
// "755" or "u=rwX,go-w" applied to a mode. Errors: invalid.
Result<unsigned> apply_chmod(std::string_view text, unsigned mode, bool folder);

struct PlaceOptions {
  std::optional<Ownership> owner;  // absent: the source's own rule
  std::string chmod;
};
using FileId = std::pair<dev_t, ino_t>;
// Threads: one.
class Placer {
 public:
  explicit Placer(fs::path root) : root_(std::move(root)) {}
  // Whose the folders are that are made from now on, and their mode; root's and 0755 at first.
  void make_like(const PlaceOptions& options);
  // A folder with its parents, links inside the root followed.
  Result<Fd> folder(const std::string& path, int links = 0);
  bool is_folder(const std::string& path) const;
  // Places the selection. `destination` ends in '/' when it must be a folder. Names of one file in it are names of one
  // file in the image, as BuildKit has it.
  Result<> place(const Ctx& ctx, const Source& source, const Selection& selection, const std::string& destination,
                 const PlaceOptions& options);
  // One file with the given bytes (heredocs, downloads).
  Result<> write(const std::string& path, std::string_view bytes, unsigned mode, const PlaceOptions& options,
                 std::optional<std::int64_t> mtime = {});

 private:
  using Targets = std::vector<std::pair<const Entry*, std::string>>;  // with their paths in the root
  // Of names that are all different, on all cores.
  Result<> many(const Ctx& ctx, const Source& source, const Targets& targets, const PlaceOptions& options);
  Result<> one(const Source& source, const Entry& entry, const std::string& path, const PlaceOptions& options);
  Result<> again(const Entry& entry, const std::string& path, Ownership owner, const PlaceOptions& options);
  // True: the entry's file was placed before under another name, and has this one too now.
  Result<bool> linked(const Entry& entry, int dir, const std::string& name, const std::string& shown);
  Result<Fd> file(const Source& source, const Entry& entry, int dir, const std::string& name, const std::string& shown);
  static Result<> finish(const Source& source, const Entry& entry, int placed, Ownership owner,
                         const PlaceOptions& options, const std::string& shown);
  Result<int> parent_of(const std::string& path);

  struct Placed {
    std::string path;
    ino_t inode = 0;  // 0: not yet
  };
  static std::map<FileId, Placed> shared_files(const Selection& selection);
  fs::path root_;
  Ownership owner_;
  unsigned mode_ = 0755;
  std::string parent_path_;
  Fd parent_;
  std::optional<SourceFiles> from_;
  std::map<FileId, Placed> shared_;  // files of the selection with more names than one, as they were placed first
  bool clones_ = true;               // the file system may share a file's blocks
};

}  // namespace slipway::image::detail
