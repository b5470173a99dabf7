#pragma once
// Archive entries to a folder that nothing leaves.
#include <unordered_set>

#include "base/ctx.h"
#include "base/files.h"
#include "oci/layer.h"

struct archive;
struct archive_entry;

namespace slipway::oci::detail {

enum class Names { layer, plain };  // layer: ".wh." names are whiteouts

struct UnpackTarget {
  fs::path folder;
  Names names = Names::layer;
  Whiteouts whiteouts = Whiteouts::overlay;
  UnpackLimits limits;
  std::optional<std::uint32_t> uid, gid;
};

// Every entry is created relative to a folder descriptor that the kernel resolved inside the root (openat2
// RESOLVE_IN_ROOT), its last component never followed: links in the archive cannot lead outside, however they are
// combined. Threads: one.
class Unpacker {
 public:
  explicit Unpacker(UnpackTarget target);
  // All entries of the opened archive.
  Result<> all(const Ctx& ctx, archive* a);

 private:
  Result<> entry(archive* a, archive_entry* e);
  Result<> place(archive* a, archive_entry* e, const std::string& path);
  Result<> whiteout(const std::string& parent, const std::string& name);
  Result<int> parent(const std::string& path);
  Result<> make_room(int dir, const std::string& name, bool for_folder, const std::string& shown);
  Result<> data(archive* a, int fd, const std::string& shown);
  Result<> hard_link(archive_entry* e, int dir, const std::string& name, const std::string& path);
  Result<> finish_fd(archive_entry* e, int fd, const std::string& shown, bool with_time);
  std::uint32_t owner(archive_entry* e) const;
  std::uint32_t group(archive_entry* e) const;

  UnpackTarget target_;
  std::string parent_path_;
  Fd parent_;
  std::uint64_t bytes_ = 0, entries_ = 0;
  std::unordered_set<std::string> made_;  // by this layer, for Whiteouts::apply
  std::vector<std::pair<std::string, std::int64_t>> folder_times_;
  bool root_;
};

// "a//./b/" -> "a/b"; errors: invalid for "..".
Result<std::string> clean_entry_path(std::string_view name);

}  // namespace slipway::oci::detail
