#include "ci/actions/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ci/actions/ahead.h"

namespace slipway::ci {
namespace {

using WriteArchive = Owned<archive, archive_write_free>;
using ReadArchive = Owned<archive, archive_read_free>;
using Entry = Owned<archive_entry, archive_entry_free>;

la_ssize_t to_writer(archive* a, void* user, const void* bytes, std::size_t size) {
  auto written = static_cast<store::BlobStore::Writer*>(user)->write({static_cast<const char*>(bytes), size});
  if (written) return static_cast<la_ssize_t>(size);
  archive_set_error(a, EIO, "%s", written.error().what().c_str());
  return -1;
}

Fail archive_failed(archive* a, std::string_view doing) {
  auto* text = archive_error_string(a);
  return fail(Kind::unavailable, "{}: {}", doing, text ? text : "unknown error");
}

Result<> put_content(const Ctx& ctx, archive* a, int fd, const std::string& name) {
  char buffer[65536];
  ssize_t n;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0) {
    TRY_OK(ctx.alive());
    if (archive_write_data(a, buffer, static_cast<std::size_t>(n)) < 0) return archive_failed(a, name);
  }
  if (n < 0) return fail_errno(errno, name);
  return {};
}

Result<> put_file(const Ctx& ctx, JobRun& job, archive* a, const std::string& file, const std::string& name) {
  TRY(auto place, open_beneath(job.folder().home(), fs::path(file).parent_path(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto base = fs::path(file).filename().string();
  struct stat info;
  if (::fstatat(place.get(), base.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(errno, file);
  Entry entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_mtime(entry.get(), info.st_mtim.tv_sec, 0);
  archive_entry_set_perm(entry.get(), info.st_mode & 0777);
  if (S_ISLNK(info.st_mode)) {
    char target[4096];
    auto n = ::readlinkat(place.get(), base.c_str(), target, sizeof target - 1);
    if (n < 0) return fail_errno(errno, file);
    target[n] = 0;
    archive_entry_set_filetype(entry.get(), AE_IFLNK);
    archive_entry_set_symlink(entry.get(), target);
    if (archive_write_header(a, entry.get()) != ARCHIVE_OK) return archive_failed(a, file);
    return {};
  }
  TRY(auto fd, job.folder().open(file));
  if (::fstat(fd.get(), &info) < 0) return fail_errno(errno, file);
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_size(entry.get(), info.st_size);
  if (archive_write_header(a, entry.get()) != ARCHIVE_OK) return archive_failed(a, file);
  return put_content(ctx, a, fd.get(), file);
}

// "x/../../y" and absolute names are nobody's honest file.
bool is_plain(const fs::path& name) {
  return !name.empty() && name.is_relative() &&
         std::none_of(name.begin(), name.end(), [](auto& part) { return part == ".."; });
}

Result<> take_content(const Ctx& ctx, archive* a, int fd, const std::string& name) {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t at = 0, end = 0;
  int status;
  // Blocks as they come out of the packing, no copy; what is between them is a hole.
  while ((status = archive_read_data_block(a, &bytes, &size, &at)) == ARCHIVE_OK) {
    TRY_OK(ctx.alive());
    if (at != end && ::lseek(fd, at, SEEK_SET) < 0) return fail_errno(errno, name);
    TRY_OK(write_all(fd, {static_cast<const char*>(bytes), size}));
    end = at + static_cast<la_int64_t>(size);
  }
  if (status != ARCHIVE_EOF) return archive_failed(a, name);
  if (at > end && ::ftruncate(fd, at) < 0) return fail_errno(errno, name);
  return {};
}

// Where an entry goes, relative to home. Errors: corrupt: out of where it may.
Result<std::string> target_of(const Digest& digest, const std::string& name, const std::string& folder, Reach reach) {
  auto target = (fs::path(folder) / name).lexically_normal();
  if (reach == Reach::folder ? !is_plain(name) : !is_plain(target))
    return fail(Kind::corrupt, "{}: entry \"{}\" leaves the {}", digest.str(), name,
                reach == Reach::folder ? "folder" : "job's home");
  auto text = target.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

// zstd or gzip, by its first bytes.
bool is_packed(int fd) {
  char head[4] = {};
  auto n = ::pread(fd, head, sizeof head, 0);
  std::string_view text(head, n > 0 ? static_cast<std::size_t>(n) : 0);
  return text.starts_with("\x28\xb5\x2f\xfd") || text.starts_with("\x1f\x8b");
}

// Regular files and links below a folder, hidden ones if wanted.
void walk(const fs::path& root, const std::string& relative, bool hidden, std::vector<std::string>& out) {
  auto names = list_dir(root / relative);
  if (!names) return;
  for (auto& name : *names) {
    if (!hidden && name.starts_with('.')) continue;
    auto path = relative.empty() ? name : relative + "/" + name;
    struct stat info;
    if (::lstat((root / path).c_str(), &info) < 0) continue;
    if (S_ISDIR(info.st_mode))
      walk(root, path, hidden, out);
    else if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode))
      out.push_back(path);
  }
}

bool has_magic(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

}  // namespace

Result<> copy_in_home(const Ctx& ctx, JobRun& job, const std::string& from, const std::string& to, unsigned mode) {
  TRY(auto source, job.folder().open(from));
  TRY(auto target, job.folder().create(to, mode));
  char buffer[65536];
  ssize_t n;
  while ((n = ::read(source.get(), buffer, sizeof buffer)) > 0) {
    TRY_OK(ctx.alive());
    TRY_OK(write_all(target.get(), {buffer, static_cast<std::size_t>(n)}));
  }
  return n < 0 ? fail_errno(errno, from) : Result<>{};
}

Result<std::size_t> take_out(const Ctx& ctx, JobRun& job, const RunArtifact& artifact, const std::string& folder) {
  if (artifact.type.empty() || artifact.type == "application/zip")
    return unpack_files(ctx, job, artifact.digest, folder);
  if (!job.options().blobs) return fail(Kind::unavailable, "this runner keeps no files: no blob store is connected");
  TRY(auto blob, job.options().blobs->open_blob(artifact.digest));
  TRY(auto target, job.folder().create(folder + "/" + artifact.name, 0644));
  std::vector<char> buffer(256 << 10);
  ssize_t n;
  while ((n = ::read(blob.get(), buffer.data(), buffer.size())) > 0) {
    TRY_OK(ctx.alive());
    TRY_OK(write_all(target.get(), {buffer.data(), static_cast<std::size_t>(n)}));
  }
  if (n < 0) return fail_errno(errno, artifact.name);
  return std::size_t{1};
}

Result<Packed> pack_files(const Ctx& ctx, JobRun& job, const std::vector<std::string>& files, const std::string& prefix,
                          int level, store::BlobStore* into) {
  auto* blobs = into ? into : job.options().blobs;
  if (!blobs) return fail(Kind::unavailable, "this runner keeps no files: no blob store is connected");
  TRY(auto writer, blobs->begin());
  WriteArchive a(archive_write_new());
  archive_write_set_format_pax_restricted(a.get());
  archive_write_add_filter_zstd(a.get());
  archive_write_set_filter_option(a.get(), "zstd", "compression-level", std::to_string(level).c_str());
  // Packing goes on while files are read and hashed. One that cannot do that does it in turn.
  (void)archive_write_set_filter_option(a.get(), "zstd", "threads", "1");
  archive_write_set_bytes_in_last_block(a.get(), 1);
  if (archive_write_open(a.get(), &writer, nullptr, to_writer, nullptr) != ARCHIVE_OK)
    return archive_failed(a.get(), "pack");
  for (auto& file : files) {
    auto name = prefix.empty() ? file : fs::path(file).lexically_relative(prefix).string();
    TRY_OK(put_file(ctx, job, a.get(), file, name));
  }
  if (archive_write_close(a.get()) != ARCHIVE_OK) return archive_failed(a.get(), "pack");
  Packed out;
  out.bytes = writer.size();
  out.files = files.size();
  TRY(out.digest, writer.commit());
  return out;
}

Result<std::size_t> unpack_files(const Ctx& ctx, JobRun& job, const Digest& digest, const std::string& folder,
                                 Reach reach, store::BlobStore* from) {
  auto* blobs = from ? from : job.options().blobs;
  if (!blobs) return fail(Kind::unavailable, "this runner keeps no files: no blob store is connected");
  TRY(auto blob, blobs->open_blob(digest));
  std::optional<Ahead> ahead;  // after what reads from it
  ReadArchive a(archive_read_new());
  archive_read_support_format_tar(a.get());
  archive_read_support_format_zip(a.get());
  archive_read_support_filter_zstd(a.get());
  archive_read_support_filter_gzip(a.get());
  // Files are written while the next ones are unpacked. A zip is read where its parts are.
  if (is_packed(blob.get())) ahead.emplace(blob.get());
  auto opened = ahead ? archive_read_open(a.get(), &*ahead, nullptr, Ahead::read, nullptr)
                      : archive_read_open_fd(a.get(), blob.get(), 1 << 20);
  if (opened != ARCHIVE_OK) return archive_failed(a.get(), digest.str());
  archive_entry* entry = nullptr;
  std::size_t count = 0;
  for (int status; (status = archive_read_next_header(a.get(), &entry)) != ARCHIVE_EOF;) {
    if (status < ARCHIVE_WARN) return archive_failed(a.get(), digest.str());
    TRY_OK(ctx.alive());
    std::string name = archive_entry_pathname(entry) ? archive_entry_pathname(entry) : "";
    TRY(auto target, target_of(digest, name, folder, reach));
    if (auto* link = archive_entry_hardlink(entry)) {
      TRY(auto source, target_of(digest, link, folder, reach));
      // What GNU tar writes for the second name of a file.
      TRY_OK(copy_in_home(ctx, job, source, target, archive_entry_perm(entry) & 0777));
    } else if (archive_entry_filetype(entry) == AE_IFDIR) {
      if (target != ".") TRY_OK(job.folder().make_dir(target));
      continue;
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
      TRY_OK(job.folder().link(target, archive_entry_symlink(entry)));
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      TRY(auto fd, job.folder().create(target, archive_entry_perm(entry) & 0777));
      TRY_OK(take_content(ctx, a.get(), fd.get(), name));
    }
    ++count;
  }
  return count;
}

Result<Matched> match_files(const Ctx& ctx, JobRun& job, const std::vector<std::string>& patterns, bool hidden) {
  Matched out;
  std::set<std::string> chosen;
  std::vector<fs::path> places;
  for (std::string_view pattern : patterns) {
    bool negative = pattern.starts_with('!');
    std::string text(negative ? pattern.substr(1) : pattern);
    if (text == "~" || text.starts_with("~/")) text = fs::path(job.inside("x")).parent_path().string() + text.substr(1);
    TRY(auto relative, job.relative_of(text));
    relative = fs::path(relative).lexically_normal().string();
    while (relative.size() > 1 && relative.ends_with('/')) relative.pop_back();
    // The part without wildcards is where the search starts.
    fs::path start;
    for (auto& part : fs::path(relative)) {
      if (has_magic(part.string())) break;
      start /= part;
    }
    std::vector<std::string> found;
    job.folder().looked_at(Look::all_names, start.string());
    auto searched = job.folder().in_root([&](const fs::path& root) -> Result<> {
      TRY_OK(ctx.alive());
      struct stat info;
      if (::lstat((root / start).c_str(), &info) < 0) return {};
      if (!S_ISDIR(info.st_mode))
        found.push_back(start.string());
      else
        walk(root, start.string(), hidden, found);
      return {};
    });
    TRY_OK(std::move(searched));
    if (!negative) places.push_back(start);
    for (auto& file : found) {
      bool hit = start.string() == relative || file == relative || glob_match(relative, file);
      for (auto parent = fs::path(file).parent_path(); !hit && !parent.empty(); parent = parent.parent_path())
        hit = glob_match(relative, parent.string());
      if (hit && negative) chosen.erase(file);
      if (hit && !negative) chosen.insert(file);
    }
  }
  out.files.assign(chosen.begin(), chosen.end());
  // One place: names start there (a single file: its folder); several: at what they have in common.
  fs::path common;
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto place = chosen.contains(places[i].string()) ? places[i].parent_path() : places[i];
    if (i == 0) {
      common = place;
      continue;
    }
    fs::path shared;
    for (auto a = common.begin(), b = place.begin(); a != common.end() && b != place.end() && *a == *b; ++a, ++b)
      shared /= *a;
    common = shared;
  }
  out.root = common.string();
  return out;
}

}  // namespace slipway::ci
