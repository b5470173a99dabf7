#include "oci/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/detail/codec.h"
#include "oci/detail/unpack.h"

namespace slipway::oci {

namespace {

using Archive = Owned<archive, archive_read_free>;

// The decoded stream on its way to libarchive, hashed and counted.
struct Source {
  detail::Decoder decoder;
  Hasher hasher;
  std::uint64_t bytes = 0, limit = 0;
  std::optional<Error> error;

  Result<std::string_view> next() {
    TRY(auto piece, decoder.next());
    bytes += piece.size();
    // Headers and padding count too, or a bomb of empty entries would pass.
    if (bytes > limit) return fail(Kind::invalid, "archive unpacks to more than {} bytes", limit);
    hasher.update(piece);
    return piece;
  }
};

la_ssize_t pull(archive* a, void* data, const void** buffer) {
  auto& source = *static_cast<Source*>(data);
  auto piece = source.next();
  if (!piece) {
    source.error = std::move(piece).error();
    archive_set_error(a, EIO, "%s", source.error->what().c_str());
    return -1;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

Result<> unpack_stream(const Ctx& ctx, Source& source, detail::UnpackTarget target) {
  Archive a(archive_read_new());
  archive_read_support_format_tar(a.get());
  archive_read_support_format_empty(a.get());
  if (archive_read_open(a.get(), &source, nullptr, pull, nullptr) != ARCHIVE_OK) {
    if (source.error) return Fail(*source.error);
    return fail(Kind::corrupt, "no tar archive: {}", archive_error_string(a.get()));
  }
  auto done = detail::Unpacker(std::move(target)).all(ctx, a.get());
  if (source.error) return Fail(*source.error);
  return done;
}

Result<UnpackLimits> limits_for(int blob, UnpackLimits limits) {
  struct stat st{};
  if (::fstat(blob, &st) < 0) return fail_errno(errno, "layer");
  auto grown = static_cast<std::uint64_t>(st.st_size) * limits.growth;
  limits.bytes = std::min(limits.bytes, std::max(limits.free_growth, grown));
  return limits;
}

}  // namespace

Result<> unpack_layer(const Ctx& ctx, const store::BlobStore& blobs, const Descriptor& layer,
                      const std::optional<Digest>& diff_id, const fs::path& folder, Whiteouts whiteouts,
                      const UnpackLimits& given) {
  TRY(auto fd, blobs.open_blob(layer.digest));
  auto doing = fmt::format("unpack layer {}", layer.digest.short_hex());
  TRY(auto limits, limits_for(fd.get(), given));
  // 1 KiB of header for every entry, over the bytes of the files.
  Source source{detail::Decoder(fd.get()), Hasher(), 0, limits.bytes + limits.entries * 2048, {}};
  auto done =
      unpack_stream(ctx, source, {.folder = folder, .whiteouts = whiteouts, .limits = limits, .uid = {}, .gid = {}});
  if (!done) {
    auto error = std::move(done).error().in(doing);
    bool of_growth = limits.bytes < given.bytes && error.what().contains(std::to_string(limits.bytes));
    if (of_growth)
      error = std::move(error).with_hint(
          fmt::format("a layer of more than {} bytes may be {} times as large as its blob: more is taken for a bomb",
                      given.free_growth, given.growth));
    return Fail(std::move(error));
  }
  for (;;) {  // what follows the end mark is part of the diff id
    TRY_OK(ctx.alive());
    TRY_IN(auto piece, doing, source.next());
    if (piece.empty()) break;
  }
  auto got = source.hasher.finish();
  if (diff_id && got != *diff_id)
    return fail(Kind::corrupt, "{}: its bytes have the diff id {}, want {}", doing, got.str(), diff_id->str());
  return {};
}

namespace {

Result<std::string> head_of(const fs::path& file) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno(errno, file.native());
  std::string head(512, '\0');
  auto n = ::read(fd.get(), head.data(), head.size());
  if (n < 0) return fail_errno(errno, file.native());
  head.resize(static_cast<std::size_t>(n));
  return head;
}

}  // namespace

Result<bool> is_archive(const fs::path& file) {
  TRY(auto head, head_of(file));
  bool compressed = head.starts_with("\x1f\x8b\x08") || head.starts_with("BZh") ||
                    head.starts_with(std::string_view("\xfd"
                                                      "7zXZ\0",
                                                      6)) ||
                    head.starts_with("\x28\xb5\x2f\xfd");
  if (!compressed) return head.size() == 512 && head.compare(257, 5, "ustar") == 0;
  // A compressed file is an archive only if a tar is inside: `ADD data.gz /` copies the file as it is.
  Archive a(archive_read_new());
  archive_read_support_format_tar(a.get());
  archive_read_support_filter_all(a.get());
  if (archive_read_open_filename(a.get(), file.c_str(), 1 << 16) != ARCHIVE_OK) return false;
  archive_entry* e = nullptr;
  auto rc = archive_read_next_header(a.get(), &e);
  return rc == ARCHIVE_OK || rc == ARCHIVE_WARN;
}

namespace {

void take_any_compression(archive* a) {
  archive_read_support_format_tar(a);
  archive_read_support_format_empty(a);
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_zstd(a);
}

}  // namespace

Result<std::optional<std::int64_t>> newest_entry(const Ctx& ctx, const fs::path& file) {
  Archive a(archive_read_new());
  take_any_compression(a.get());
  std::optional<std::int64_t> newest;
  if (archive_read_open_filename(a.get(), file.c_str(), 1 << 20) != ARCHIVE_OK)
    return fail(Kind::corrupt, "{}: {}", file.filename().native(), archive_error_string(a.get()));
  for (archive_entry* e = nullptr;;) {
    TRY_OK(ctx.alive());
    int rc = archive_read_next_header(a.get(), &e);
    if (rc == ARCHIVE_EOF) return newest;
    if (rc < ARCHIVE_WARN) return fail(Kind::corrupt, "archive is broken: {}", archive_error_string(a.get()));
    auto when = static_cast<std::int64_t>(archive_entry_mtime(e));
    newest = std::max(newest.value_or(when), when);
  }
}

Result<> unpack_archive(const Ctx& ctx, const fs::path& file, const fs::path& folder, const ArchiveOptions& options) {
  Archive a(archive_read_new());
  take_any_compression(a.get());
  auto doing = fmt::format("unpack {}", file.filename().native());
  if (archive_read_open_filename(a.get(), file.c_str(), 1 << 20) != ARCHIVE_OK)
    return fail(Kind::corrupt, "{}: {}", doing, archive_error_string(a.get()));
  detail::UnpackTarget target{.folder = folder,
                              .names = detail::Names::plain,
                              .limits = options.limits,
                              .uid = options.uid,
                              .gid = options.gid};
  TRY_OK_IN(doing, detail::Unpacker(std::move(target)).all(ctx, a.get()));
  return {};
}

}  // namespace slipway::oci
