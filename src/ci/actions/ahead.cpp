#include "ci/actions/ahead.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/fd.h"

namespace slipway::ci {
namespace {

constexpr std::size_t piece_size = 1 << 20, most = 4;

}  // namespace

Ahead::Ahead(int fd) : thread_([this, fd] { run(fd); }) {}

Ahead::~Ahead() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Ahead::give(Piece piece) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopped_ || full_.size() < most; });
  if (stopped_) return false;
  full_.push_back(std::move(piece));
  changed_.notify_all();
  return true;
}

// The filters alone, no format: what is in the file, unpacked.
void Ahead::run(int fd) {
  Owned<archive, archive_read_free> a(archive_read_new());
  archive_read_support_format_raw(a.get());
  archive_read_support_filter_zstd(a.get());
  archive_read_support_filter_gzip(a.get());
  archive_entry* entry = nullptr;
  auto finish = [&](std::string wrong) {
    std::lock_guard lock(mutex_);
    ended_ = true, wrong_ = std::move(wrong);
    changed_.notify_all();
  };
  auto failed = [&] {
    auto* text = archive_error_string(a.get());
    finish(text ? text : "cannot be unpacked");
  };
  if (archive_read_open_fd(a.get(), fd, 1 << 20) != ARCHIVE_OK) return failed();
  auto status = archive_read_next_header(a.get(), &entry);
  if (status == ARCHIVE_EOF) return finish({});
  if (status != ARCHIVE_OK) return failed();
  for (;;) {
    Piece piece;
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) piece = std::move(free_.back()), free_.pop_back();
    }
    piece.resize(piece_size);
    auto n = archive_read_data(a.get(), piece.data(), piece.size());
    if (n < 0) return failed();
    if (n == 0) return finish({});
    piece.resize(static_cast<std::size_t>(n));
    if (!give(std::move(piece))) return;
  }
}

Result<std::string_view> Ahead::next() {
  std::unique_lock lock(mutex_);
  if (current_.capacity() > 0) free_.push_back(std::move(current_)), current_ = {};
  changed_.wait(lock, [&] { return ended_ || !full_.empty(); });
  if (full_.empty()) {
    if (!wrong_.empty()) return fail(Kind::corrupt, "{}", wrong_);
    return std::string_view();
  }
  current_ = std::move(full_.front());
  full_.pop_front();
  changed_.notify_all();
  return std::string_view(current_.data(), current_.size());
}

long Ahead::read(archive* a, void* self, const void** bytes) {
  auto piece = static_cast<Ahead*>(self)->next();
  if (!piece) {
    archive_set_error(a, EIO, "%s", piece.error().what().c_str());
    return -1;
  }
  *bytes = piece->data();
  return static_cast<long>(piece->size());
}

}  // namespace slipway::ci
