#include "oci/detail/uploads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/text.h"
#include "oci/detail/hash_beside.h"

namespace slipway::oci::detail {

namespace {
constexpr std::size_t piece = 256 << 10;
constexpr std::time_t abandoned_after = 7 * 24 * 3600;

constexpr std::uint64_t stretch = 8 << 20;

enum class Body { goes_on, over };

// Fills the buffer as far as the body goes. What came before it broke off counts as well.
std::pair<std::size_t, Result<Body>> fill(const Ctx& ctx, net::BodyReader& body, std::span<char> buffer) {
  std::size_t size = 0;
  while (size < buffer.size()) {
    auto got = body.read(ctx, buffer.subspan(size));
    if (!got && got.error().is(Kind::unavailable))  // the client's end
      return {size, Fail(std::move(got).error().as(Kind::invalid))};
    if (!got) return {size, Fail(std::move(got).error())};
    if (*got == 0) return {size, Body::over};
    size += *got;
  }
  return {size, Body::goes_on};
}

std::string mark_of(std::string_view repository) { return sha256_hex(repository).substr(0, 16); }
}  // namespace

// Bytes that the disk did not take whole are none of the upload.
Result<> Upload::write(std::string_view bytes) {
  if (auto r = write_all(fd_.get(), bytes); !r) {
    auto size = static_cast<off_t>(size_.load());
    if (::ftruncate(fd_.get(), size) < 0 || ::lseek(fd_.get(), size, SEEK_SET) < 0)
      return fail_errno(errno, file_.native());
    return Fail(std::move(r).error().in("upload"));
  }
  size_ += bytes.size();
  return {};
}

Result<std::unique_ptr<Uploads>> Uploads::open(store::BlobStore& blobs, fs::path folder) {
  TRY_OK(make_dirs(folder, 0700));
  TRY(auto names, list_dir(folder));
  for (const auto& name : names) {
    struct stat st{};
    if (::lstat((folder / name).c_str(), &st) == 0 && st.st_mtime + abandoned_after < std::time(nullptr))
      TRY_OK(remove_tree(folder / name));
  }
  return std::unique_ptr<Uploads>(new Uploads(blobs, std::move(folder)));
}

Result<std::shared_ptr<Upload>> Uploads::begin(std::string_view repository, bool sha512) {
  auto upload = std::make_shared<Upload>();
  upload->id_ = fmt::format("{}-{}{}", uuid4(), mark_of(repository), sha512 ? "-sha512" : "");
  upload->file_ = folder_ / upload->id_;
  upload->fd_ = Fd(::open(upload->file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!upload->fd_) return fail_errno(errno, upload->file_.native());
  if (sha512) upload->sha512_.emplace(Hasher::Algorithm::sha512);
  open_.lock()->emplace(upload->id_, upload);
  return upload;
}

Result<std::shared_ptr<Upload>> Uploads::find(std::string_view repository, const std::string& id) {
  auto parts = split(id, '-');
  bool well_formed = parts.size() >= 6 && parts.size() <= 7 && parts[5] == mark_of(repository) &&
                     (parts.size() == 6 || parts[6] == "sha512") &&
                     id.find_first_not_of("0123456789abcdefsh-") == std::string::npos;
  if (!well_formed) return std::shared_ptr<Upload>();
  auto open = open_.lock();
  if (auto it = open->find(id); it != open->end()) return it->second;
  // From before a restart: the hash so far is computed again.
  auto upload = std::make_shared<Upload>();
  upload->id_ = id;
  upload->file_ = folder_ / id;
  upload->fd_ = Fd(::open(upload->file_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!upload->fd_)
    return errno == ENOENT ? Result<std::shared_ptr<Upload>>(nullptr) : fail_errno(errno, upload->file_.native());
  if (parts.size() == 7) upload->sha512_.emplace(Hasher::Algorithm::sha512);
  std::string buffer(piece, '\0');
  for (;;) {
    auto n = ::read(upload->fd_.get(), buffer.data(), buffer.size());
    if (n < 0) return fail_errno(errno, upload->file_.native());
    if (n == 0) break;
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    upload->sha256_.update(bytes);
    if (upload->sha512_) upload->sha512_->update(bytes);
    upload->size_ += bytes.size();
  }
  open->emplace(id, upload);
  return upload;
}

Result<> Uploads::append(const Ctx& ctx, const std::shared_ptr<Upload>& session, net::BodyReader& body,
                         std::optional<std::uint64_t> at, std::optional<std::uint64_t> length, std::uint64_t most) {
  auto& upload = *session;
  std::unique_lock lock(upload.mutex_, std::try_to_lock);
  if (!lock) return fail(Kind::conflict, "another request writes to this upload");
  if (at && *at != upload.size_) return fail(Kind::invalid, "chunk starts at {}, want {}", *at, upload.size_.load());
  HashBeside hashing([&upload](std::string_view bytes) {
    upload.sha256_.update(bytes);
    if (upload.sha512_) upload.sha512_->update(bytes);
  });
  std::uint64_t taken = 0, told = upload.size_;
  for (;;) {
    auto buffer = hashing.buffer();
    auto [n, end] = fill(ctx, body, buffer);
    if (n > most - std::min<std::uint64_t>(most, upload.size_)) {
      forget(upload);
      return fail(Kind::denied, "no room for more than {} bytes of this upload", most);
    }
    if (n > 0) TRY_OK(upload.write({buffer.data(), n}));
    if (n > 0) hashing.hand_over(n);
    taken += n;
    if (upload.size_ - told >= stretch) {
      // The disk has work meanwhile; what it does not take now, the sync at the end waits for.
      ::sync_file_range(upload.fd_.get(), static_cast<off_t>(told), static_cast<off_t>(upload.size_ - told),
                        SYNC_FILE_RANGE_WRITE);
      told = upload.size_;
    }
    if (!end) return Fail(std::move(end).error());
    if (*end == Body::over) break;
  }
  if (length && taken != *length)
    return fail(Kind::invalid, "chunk has {} bytes, its Content-Range says {}", taken, *length);
  return {};
}

Result<UploadedBlob> Uploads::finish(const std::shared_ptr<Upload>& upload, const Digest& digest,
                                     const std::function<Result<>(const UploadedBlob&)>& name) {
  std::unique_lock lock(upload->mutex_, std::try_to_lock);
  if (!lock) return fail(Kind::conflict, "another request writes to this upload");
  Finally drop([&] { forget(*upload); });
  UploadedBlob blob;
  bool is512 = digest.algorithm() == "sha512";
  if (is512 && !upload->sha512_) {  // the client said so only now
    upload->sha512_.emplace(Hasher::Algorithm::sha512);
    std::string buffer(piece, '\0');
    for (off_t offset = 0;;) {
      auto n = ::pread(upload->fd_.get(), buffer.data(), buffer.size(), offset);
      if (n < 0) return fail_errno(errno, upload->file_.native());
      if (n == 0) break;
      upload->sha512_->update({buffer.data(), static_cast<std::size_t>(n)});
      offset += n;
    }
  }
  blob.stored = upload->sha256_.finish();
  if (is512) blob.sha512 = upload->sha512_->finish();
  const auto& got = is512 ? blob.sha512 : blob.stored;
  if (got != digest) return fail(Kind::invalid, "the bytes have the digest {}, want {}", got.str(), digest.str());
  blob.size = upload->size_;
  TRY_OK(name(blob));
  if (auto r = blobs_.adopt(upload->file_, blob.stored); !r && path_exists(upload->file_)) {
    // On another file system than the store: copied instead.
    TRY(auto writer, blobs_.begin());
    std::string buffer(piece, '\0');
    for (off_t offset = 0;;) {
      auto n = ::pread(upload->fd_.get(), buffer.data(), buffer.size(), offset);
      if (n < 0) return fail_errno(errno, upload->file_.native());
      if (n == 0) break;
      TRY_OK(writer.write({buffer.data(), static_cast<std::size_t>(n)}));
      offset += n;
    }
    TRY_OK(writer.commit(blob.stored));
  } else if (!r) {
    return Fail(std::move(r).error());
  }
  return blob;
}

Result<> Uploads::cancel(const std::shared_ptr<Upload>& upload) {
  std::unique_lock lock(upload->mutex_, std::try_to_lock);
  if (!lock) return fail(Kind::conflict, "another request writes to this upload");
  forget(*upload);
  return {};
}

Result<std::size_t> Uploads::give_up(const Ctx& ctx, Millis unused, bool dry_run) {
  TRY(auto names, list_dir(folder_));
  auto oldest = std::chrono::system_clock::to_time_t(ctx.clock->wall() - unused);
  std::size_t count = 0;
  for (const auto& name : names) {
    struct stat st{};
    if (::lstat((folder_ / name).c_str(), &st) < 0 || st.st_mtime > oldest) continue;
    std::shared_ptr<Upload> session;
    {
      auto open = open_.lock();
      if (auto it = open->find(name); it != open->end()) session = it->second;
    }
    std::unique_lock<std::mutex> lock;
    if (session) lock = std::unique_lock(session->mutex_, std::try_to_lock);
    if (session && !lock) continue;
    ++count;
    if (dry_run) continue;
    open_.lock()->erase(name);
    ::unlink((folder_ / name).c_str());
  }
  return count;
}

void Uploads::forget(const Upload& upload) {
  open_.lock()->erase(upload.id_);
  ::unlink(upload.file_.c_str());
}

}  // namespace slipway::oci::detail
