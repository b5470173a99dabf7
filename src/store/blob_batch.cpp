// From tmp to a name: the disk is waited for together.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/pool.h"
#include "store/detail/blob_rep.h"

namespace slipway::store {
namespace {

// The kernel answers those that wait at one time by one flush of the disk.
constexpr std::size_t waiting_at_once = 16;

template <class Range, class Do>
Result<> at_once(const Range& all, const Do& work) {
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (const auto& one : all) tasks.emplace_back([&one, &work](const Ctx&) -> Result<> { return work(one); });
  return run_all(Ctx{}, waiting_at_once, std::move(tasks));
}

Result<> sync_folder(const fs::path& folder) {
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) < 0) return fail_errno(errno, folder.native());
  return {};
}

}  // namespace

Unplaced::~Unplaced() {
  if (fd) ::unlink(file.c_str());
}

BlobStore::Writer::Rep::~Rep() {
  if (fd) ::unlink(file.c_str());
}

Result<> BlobStore::Writer::Rep::flush() {
  if (auto r = write_all(fd.get(), buffer); !r) return Fail(std::move(r).error().in(file.native()));
  buffer.clear();
  return {};
}

// The disk works while more is made: a commit waits for the last pieces alone.
void BlobStore::Writer::Rep::begin_writing() {
  if (size - begun < begun_at_once) return;
  ::sync_file_range(fd.get(), static_cast<off_t>(begun), static_cast<off_t>(size - begun), SYNC_FILE_RANGE_WRITE);
  begun = size;
}

Result<> BlobStore::Rep::give(const Digest& digest) {
  if (!origin) return {};
  auto given = origin->give(digest, path(digest));
  if (!given) ::unlink(path(digest).c_str());
  return given;
}

bool BlobStore::Rep::renew(const Digest& digest) {
  std::lock_guard hold(presence);
  return ::utimensat(AT_FDCWD, path(digest).c_str(), nullptr, 0) == 0;
}

Result<> BlobStore::Rep::place_one(Unplaced blob) {
  std::vector<Unplaced> one;
  one.push_back(std::move(blob));
  return place(std::move(one));
}

Result<> BlobStore::Rep::place(std::vector<Unplaced> blobs) {
  TRY_OK(at_once(blobs, [](const Unplaced& blob) -> Result<> {
    if (::fchmod(blob.fd.get(), 0444) < 0 || ::fdatasync(blob.fd.get()) < 0)
      return fail_errno(errno, blob.file.native());
    return {};
  }));
  std::set<fs::path> folders;
  for (auto& blob : blobs) {
    auto to = path(blob.digest), folder = to.parent_path();
    if (folders.insert(folder).second && !path_exists(folder)) {
      TRY_OK(make_dirs(folder));
      folders.insert(folder.parent_path());
    }
    std::lock_guard hold(presence);
    if (::rename(blob.file.c_str(), to.c_str()) < 0) return fail_errno(errno, to.native());
    blob.fd.reset();
  }
  return at_once(folders, sync_folder);
}

struct BlobStore::Batch::Rep {
  BlobStore& store;
  std::mutex committing;  // one commit at a time: who comes second finds the first one's blobs visible
  std::mutex adding;
  std::vector<Unplaced> waiting;
  std::set<Digest> held;  // waiting, or about to be visible

  Result<> place(std::vector<Unplaced> blobs) {
    auto& rep = *store.rep_;
    std::vector<Digest> digests;
    for (const auto& blob : blobs) digests.push_back(blob.digest);
    TRY_OK(rep.place(std::move(blobs)));
    for (const auto& digest : digests) TRY_OK(rep.give(digest));
    return {};
  }
};

BlobStore::Batch::Batch(BlobStore& store) : rep_(new Rep{.store = store}) {}
BlobStore::Batch::~Batch() = default;
BlobStore& BlobStore::Batch::store() const { return rep_->store; }

Result<Digest> BlobStore::Batch::add(Writer writer) {
  auto rep = std::move(writer.rep_);
  if (!rep || !rep->fd) return fail(Kind::internal, "a blob that was committed, in a batch");
  TRY_OK(rep->flush());
  auto digest = rep->hasher.finish();
  if (rep->store->renew(digest)) return digest;
  ::sync_file_range(rep->fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);  // begins what commit waits for
  std::lock_guard hold(rep_->adding);
  if (rep_->held.insert(digest).second) rep_->waiting.emplace_back(std::move(rep->fd), rep->file, digest);
  return digest;
}

Result<Digest> BlobStore::Batch::put(std::string_view bytes) {
  if (auto digest = Digest::of(bytes); rep_->store.rep_->renew(digest)) return digest;
  TRY(auto writer, rep_->store.begin());
  TRY_OK(writer.write(bytes));
  return add(std::move(writer));
}

bool BlobStore::Batch::holds(const Digest& digest) const {
  std::lock_guard hold(rep_->adding);
  return rep_->held.contains(digest);
}

Result<> BlobStore::Batch::commit() {
  std::lock_guard turn(rep_->committing);
  std::vector<Unplaced> blobs;
  std::vector<Digest> digests;
  {
    std::lock_guard hold(rep_->adding);
    blobs.swap(rep_->waiting);
    digests.assign(rep_->held.begin(), rep_->held.end());
  }
  if (blobs.empty()) return {};
  auto placed = rep_->place(std::move(blobs));
  std::lock_guard hold(rep_->adding);
  for (const auto& digest : digests) rep_->held.erase(digest);
  return placed;
}

}  // namespace slipway::store
