#include "store/detail/blob_rep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace slipway::store {
namespace {

Result<Digest> digest_of_file(const fs::path& file, Hasher::Algorithm algorithm) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, file.native());
  Hasher hasher(algorithm);
  std::string buffer(blob_buffer_size, '\0');
  for (;;) {
    auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, file.native());
    if (got == 0) return hasher.finish();
    hasher.update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

BlobStore::BlobStore(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
BlobStore::~BlobStore() = default;

Result<std::unique_ptr<BlobStore>> BlobStore::open(fs::path root) {
  auto rep = std::make_unique<Rep>();
  rep->root = std::move(root);
  rep->tmp = rep->root / "tmp";
  TRY_OK_IN("open blob store", make_dirs(rep->root / "sha256"));
  TRY_OK_IN("open blob store", make_dirs(rep->tmp));
  if (auto lock = FileLock::take(rep->root / "lock")) {
    rep->lock = *std::move(lock);
    TRY(auto left, list_dir(rep->tmp));
    for (const auto& name : left) TRY_OK(remove_tree(rep->tmp / name));
  } else if (!lock.error().is(Kind::conflict)) {
    return Fail(std::move(lock).error().in("open blob store"));
  }
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(rep)));
}

void BlobStore::set_origin(BlobOrigin* origin) { rep_->origin = origin; }

bool BlobStore::contains(const Digest& digest) const {
  if (digest.empty()) return false;
  if (path_exists(rep_->path(digest))) return true;
  if (!rep_->origin) return false;
  auto there = rep_->origin->size(digest);
  return there && *there;
}

Result<> BlobStore::bring(const Digest& digest) const {
  if (!rep_->origin || path_exists(rep_->path(digest))) return {};
  TRY(auto writer, begin_at(*rep_, true));
  TRY_OK(rep_->origin->fetch(digest, [&](std::string_view piece) { return writer.write(piece); }));
  TRY_OK(writer.commit(digest));
  return {};
}

Result<std::optional<std::uint64_t>> BlobStore::size(const Digest& digest) const {
  struct stat st{};
  if (digest.empty()) return std::optional<std::uint64_t>();
  if (::stat(rep_->path(digest).c_str(), &st) == 0) return std::optional<std::uint64_t>(st.st_size);
  if (errno == ENOENT && rep_->origin) return rep_->origin->size(digest);
  if (errno == ENOENT) return std::optional<std::uint64_t>();
  return fail_errno(errno, path(digest).native());
}

Result<Fd> BlobStore::open_blob(const Digest& digest) const {
  if (digest.empty()) return fail(Kind::not_found, "blob with an empty digest");
  TRY_OK(bring(digest));
  Fd fd(::open(path(digest).c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return fd;
  if (errno == ENOENT) return fail(Kind::not_found, "blob {}: not in the store", digest.str());
  return fail_errno(errno, path(digest).native());
}

Result<std::string> BlobStore::read(const Digest& digest, std::size_t limit) const {
  TRY(Fd fd, open_blob(digest));
  struct stat st{};
  if (::fstat(fd.get(), &st) < 0) return fail_errno(errno, path(digest).native());
  if (static_cast<std::uint64_t>(st.st_size) > limit)
    return fail(Kind::invalid, "blob {}: {} bytes, want at most {}", digest.str(), st.st_size, limit);
  return read_all(fd.get());
}

fs::path BlobStore::path(const Digest& digest) const { return rep_->path(digest); }

Result<> BlobStore::adopt(const fs::path& file, const Digest& digest) {
  if (digest.empty()) return fail(Kind::invalid, "adopt {}: an empty digest", file.native());
  if (rep_->renew(digest)) {
    ::unlink(file.c_str());
    return {};
  }
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, file.native());
  TRY_OK(rep_->place_one({std::move(fd), file, digest}));
  return rep_->give(digest);
}

fs::path BlobStore::temp_path() { return rep_->fresh(); }

BlobStore::Writer::Writer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
BlobStore::Writer::Writer(Writer&&) noexcept = default;
BlobStore::Writer& BlobStore::Writer::operator=(Writer&&) noexcept = default;
BlobStore::Writer::~Writer() = default;

Result<BlobStore::Writer> BlobStore::begin() { return begin_at(*rep_, false); }

Result<BlobStore::Writer> BlobStore::begin_at(Rep& store, bool fetched) {
  auto rep = std::make_unique<Writer::Rep>();
  rep->store = &store;
  rep->fetched = fetched;
  rep->file = store.fresh();
  rep->fd = Fd(::open(rep->file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!rep->fd) return fail_errno(errno, rep->file.native());
  return Writer(std::move(rep));
}

Result<Digest> BlobStore::put(std::string_view bytes) {
  auto digest = Digest::of(bytes);
  if (rep_->renew(digest)) return digest;
  TRY(auto writer, begin());
  auto& file = *writer.rep_;  // not by its write: the bytes are hashed
  if (auto r = write_all(file.fd.get(), bytes); !r) return Fail(std::move(r).error().in(file.file.native()));
  TRY_OK(rep_->place_one({std::move(file.fd), file.file, digest}));
  TRY_OK(rep_->give(digest));
  return digest;
}

Result<> BlobStore::Writer::write(std::string_view bytes) {
  if (!rep_ || !rep_->fd) return fail(Kind::internal, "write to a blob that was committed");
  rep_->hasher.update(bytes);
  rep_->size += bytes.size();
  if (rep_->buffer.size() + bytes.size() < blob_buffer_size) {
    rep_->buffer.append(bytes);
    return {};
  }
  TRY_OK(rep_->flush());
  if (auto r = write_all(rep_->fd.get(), bytes); !r) return Fail(std::move(r).error().in(rep_->file.native()));
  rep_->begin_writing();
  return {};
}

std::uint64_t BlobStore::Writer::size() const { return rep_ ? rep_->size : 0; }

Result<Digest> BlobStore::Writer::commit(const std::optional<Digest>& expected) {
  // Whatever happens below, the writer is spent and its file goes (or was renamed).
  auto rep = std::move(rep_);
  if (!rep || !rep->fd) return fail(Kind::internal, "commit of a blob that was committed");
  TRY_OK(rep->flush());
  auto digest = rep->hasher.finish();
  if (expected && expected->algorithm() == "sha512") {
    TRY(auto long_digest, digest_of_file(rep->file, Hasher::Algorithm::sha512));
    digest = std::move(long_digest);
  }
  if (expected && !expected->empty() && *expected != digest)
    return fail(Kind::invalid, "blob: the bytes have digest {}, want {}", digest.str(), expected->str());
  if (rep->store->renew(digest)) return digest;
  TRY_OK(rep->store->place_one({std::move(rep->fd), rep->file, digest}));
  if (!rep->fetched) TRY_OK(rep->store->give(digest));
  return digest;
}

Result<> BlobStore::remove(const Digest& digest) {
  if (digest.empty()) return {};
  if (::unlink(path(digest).c_str()) < 0 && errno != ENOENT) return fail_errno(errno, path(digest).native());
  return {};
}

Result<std::optional<std::uint64_t>> BlobStore::remove_old(const Ctx& ctx, const Digest& digest, Millis grace,
                                                           Really really) {
  auto file = path(digest);
  auto oldest = std::chrono::system_clock::to_time_t(ctx.clock->wall() - grace);
  std::lock_guard hold(rep_->presence);
  struct stat st{};
  if (::stat(file.c_str(), &st) < 0)
    return errno == ENOENT ? Result<std::optional<std::uint64_t>>(0) : fail_errno(errno, file.native());
  if (st.st_mtim.tv_sec > oldest) return std::optional<std::uint64_t>();
  if (really == Really::yes && ::unlink(file.c_str()) < 0 && errno != ENOENT) return fail_errno(errno, file.native());
  return std::optional<std::uint64_t>(st.st_size);
}

Result<> BlobStore::for_each(const std::function<void(const Digest&, std::uint64_t size)>& visit) const {
  for (std::string algorithm : {"sha256", "sha512"}) {
    auto top = rep_->root / algorithm;
    if (!path_exists(top)) continue;
    TRY(auto folders, list_dir(top));
    for (const auto& folder : folders) {
      TRY(auto names, list_dir(top / folder));
      for (const auto& name : names) {
        auto digest = Digest::parse(algorithm + ":" + name);
        struct stat st{};
        if (digest && ::stat((top / folder / name).c_str(), &st) == 0) visit(*digest, st.st_size);
      }
    }
  }
  return {};
}

Result<BlobStore::Swept> BlobStore::sweep(const Ctx& ctx, const std::function<bool(const Digest&)>& keep,
                                          Millis grace) {
  std::vector<Digest> all;
  TRY_OK(for_each([&](const Digest& digest, std::uint64_t) { all.push_back(digest); }));
  Swept swept;
  auto oldest = std::chrono::system_clock::to_time_t(ctx.clock->wall() - grace);
  for (const auto& digest : all) {
    TRY_OK(ctx.alive());
    if (keep(digest)) continue;
    auto file = path(digest);
    std::lock_guard hold(rep_->presence);
    struct stat st{};
    if (::stat(file.c_str(), &st) < 0 || st.st_mtim.tv_sec > oldest) continue;
    if (::unlink(file.c_str()) < 0) continue;
    ++swept.removed;
    swept.bytes += st.st_size;
  }
  return swept;
}

}  // namespace slipway::store
