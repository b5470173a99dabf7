#pragma once
// What a COPY or ADD takes from a folder: which files, under which names, with which content.
#include <sys/stat.h>

#include "base/ctx.h"
#include "base/paths.h"
#include "image/detail/file_index.h"
#include "image/ignore.h"

namespace slipway::image::detail {

// A folder that can be copied from. Threads: any.
struct Source {
  fs::path root;
  const IgnoreList* ignore = nullptr;  // the context's
  FileIndex* index = nullptr;          // the context's; else files are hashed each time
  bool keeps_owner = false;            // stages and images; the context's files become root's
};

// Opens files of a source one after the other: those of one folder by way of it. Threads: one.
class SourceFiles {
 public:
  explicit SourceFiles(fs::path root) : root_(std::move(root)) {}
  const fs::path& root() const { return root_; }
  // To be read, and no link. Errors: as open_beneath.
  Result<Fd> open(const std::string& path);

 private:
  fs::path root_;
  std::string folder_path_;
  Fd folder_;
};

struct Entry {
  std::string path;    // below the source's root
  std::string target;  // below the destination; "" is the destination itself
  struct stat st{};
  std::string link;  // of a symbolic link
};
struct Selection {
  std::vector<Entry> entries;  // folders before what is in them
  bool needs_folder = false;   // several sources, a wildcard: the destination must be a folder
  bool makes_folder = false;   // --parents: the destination is made also when nothing is taken
};
struct SelectOptions {
  bool parents = false;  // --parents
  std::vector<std::string> exclude;
};

// Errors: not_found for a plain source that is not there; invalid for a broken pattern.
Result<Selection> select(const Ctx& ctx, const Source& source, const std::vector<std::string>& patterns,
                         const SelectOptions& options);
// Over names, modes, owners (when kept), links and contents; times do not count.
Result<std::string> content_key(const Ctx& ctx, const Source& source, const Selection& selection);
// Every file below `path`, .dockerignore applied (for bind mounts). `hidden` tells whether it hid something.
Result<Selection> everything(const Ctx& ctx, const Source& source, const std::string& path, bool* hidden = nullptr);

using slipway::clean_path;

}  // namespace slipway::image::detail
