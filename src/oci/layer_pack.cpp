// Overlay upper directory to tar. The tar is written by hand: what libarchive adds (times, names of users, header
// variants) would have to be taken away again for a reproducible layer.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/files.h"
#include "base/guarded.h"
#include "base/noatime.h"
#include "base/text.h"
#include "oci/detail/block_gzip.h"
#include "oci/detail/codec.h"
#include "oci/layer.h"

namespace slipway::oci {

namespace {

constexpr std::size_t chunk_size = std::size_t{1} << 20;
using Xattrs = std::map<std::string, std::string>;
using ChunkSink = std::function<Result<>(std::string)>;

// What is stored of extended attributes: the file capabilities and the users' own. Overlay's are its bookkeeping.
bool stored_xattr(std::string_view name) {
  return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay."));
}

struct Node {
  struct stat st{};
  Xattrs xattrs;
  bool opaque = false;
};

Result<> read_xattrs(int fd, const std::string& shown, Node& node) {
  std::string names(4096, '\0');
  auto n = ::flistxattr(fd, names.data(), names.size());
  if (n < 0 && errno == ERANGE) {
    names.resize(65536);
    n = ::flistxattr(fd, names.data(), names.size());
  }
  if (n < 0) return errno == ENOTSUP ? Result<>{} : Result<>(fail_errno(errno, shown));
  names.resize(static_cast<std::size_t>(n));
  for (auto name : split(names, '\0')) {
    if (name.empty()) continue;
    std::string key(name), value(65536, '\0');
    auto opaque = key == "trusted.overlay.opaque" || key == "user.overlay.opaque";
    if (key == "trusted.overlay.redirect" || key == "trusted.overlay.metacopy")
      return fail(Kind::internal, "{}: has {}: the overlay was mounted with redirect_dir or metacopy on", shown, key);
    if (!opaque && !stored_xattr(key)) continue;
    auto size = ::fgetxattr(fd, key.c_str(), value.data(), value.size());
    if (size < 0) continue;
    value.resize(static_cast<std::size_t>(size));
    if (opaque)
      node.opaque = node.opaque || value == "y";
    else
      node.xattrs[key] = value;
  }
  return {};
}

class TarWriter {
 public:
  TarWriter(const Ctx& ctx, const PackOptions& options, ChunkSink sink)
      : ctx_(ctx), options_(options), sink_(std::move(sink)) {
    buffer_.reserve(chunk_size);
  }
  Result<> folder(const fs::path& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail_errno(errno, path.native());
    Node root;
    TRY_OK(read_xattrs(fd.get(), path.native(), root));
    if (root.opaque) TRY_OK(whiteout(".wh..wh..opq"));
    TRY_OK(children(fd.get(), ""));
    TRY_OK(add(std::string(1024, '\0')));
    return flush();
  }
  bool empty() const { return entries_ == 0; }

 private:
  Result<> children(int dir, const std::string& prefix) {
    std::vector<std::string> names;
    Owned<DIR, ::closedir> stream(::fdopendir(::fcntl(dir, F_DUPFD_CLOEXEC, 0)));
    if (!stream) return fail_errno(errno, prefix);
    for (errno = 0; auto* entry = ::readdir(stream.get());) {
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) TRY_OK(entry(dir, name, prefix + name));
    return {};
  }
  Result<> entry(int dir, const std::string& name, const std::string& path) {
    TRY_OK(ctx_.alive());
    Node node;
    if (::fstatat(dir, name.c_str(), &node.st, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(errno, path);
    switch (node.st.st_mode & S_IFMT) {
      case S_IFDIR:
        return subfolder(dir, name, path, node);
      case S_IFREG:
        return file(dir, name, path, node);
      case S_IFLNK:
        return link(dir, name, path, node);
      case S_IFIFO:
        return header(path, node, '6', {}, 0);
      case S_IFSOCK:
        return {};
      case S_IFCHR:
        if (node.st.st_rdev == 0)
          return !hides(path) ? Result<>{} : whiteout(path.substr(0, path.size() - name.size()) + ".wh." + name);
        [[fallthrough]];
      default:
        return fail(Kind::invalid, "/{}: is a device node, which no layer may hold", path);
    }
  }
  Result<> subfolder(int dir, const std::string& name, const std::string& path, Node& node) {
    Fd fd(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail_errno(errno, path);
    TRY_OK(read_xattrs(fd.get(), path, node));
    TRY_OK(header(path + "/", node, '5', {}, 0));
    if (node.opaque && hides(path)) TRY_OK(whiteout(path + "/.wh..wh..opq"));
    return children(fd.get(), path + "/");
  }
  Result<> link(int dir, const std::string& name, const std::string& path, const Node& node) {
    std::string target(4096, '\0');
    auto n = ::readlinkat(dir, name.c_str(), target.data(), target.size());
    if (n < 0) return fail_errno(errno, path);
    target.resize(static_cast<std::size_t>(n));
    return header(path, node, '2', target, 0);
  }
  Result<> file(int dir, const std::string& name, const std::string& path, Node& node) {
    if (node.st.st_nlink > 1) {
      auto [first, fresh] = links_.try_emplace({node.st.st_dev, node.st.st_ino}, path);
      if (!fresh) return header(path, node, '1', first->second, 0);
    }
    Fd fd(openat_noatime(dir, name.c_str(), O_RDONLY | O_NOFOLLOW));
    if (!fd) return fail_errno(errno, path);
    TRY_OK(read_xattrs(fd.get(), path, node));
    auto left = static_cast<std::uint64_t>(node.st.st_size);
    TRY_OK(header(path, node, '0', {}, left));
    auto padding = (512 - left % 512) % 512;
    while (left > 0) {
      auto at = buffer_.size();
      auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, chunk_size - at));
      ssize_t n = 0;
      // Not by resize, which would write what is read over at once.
      buffer_.resize_and_overwrite(at + want, [&](char* bytes, std::size_t) {
        n = ::read(fd.get(), bytes + at, want);
        return at + static_cast<std::size_t>(std::max<ssize_t>(n, 0));
      });
      if (n < 0) return fail_errno(errno, path);
      if (n == 0) return fail(Kind::conflict, "{}: became shorter while it was packed", path);
      left -= static_cast<std::uint64_t>(n);
      TRY_OK(full());
    }
    return add(std::string(padding, '\0'));
  }
  Result<> whiteout(const std::string& path) {
    Node node;
    node.st.st_mode = S_IFREG | 0600;
    node.st.st_mtim.tv_sec = options_.mtime.value_or(0);  // overlay's whiteouts share one inode: its time says nothing
    return header(path, node, '0', {}, 0);
  }

  bool hides(const std::string& path) const {
    if (options_.below.empty()) return true;
    return std::any_of(options_.below.begin(), options_.below.end(), [&](const fs::path& lower) {
      struct stat st{};
      return ::lstat((lower / path).c_str(), &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    });
  }
  static void octal(char* field, std::size_t width, std::uint64_t value) {
    for (std::size_t i = width - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
    field[width - 1] = '\0';
  }
  static void pax(std::string& records, std::string_view key, std::string_view value) {
    auto body = key.size() + value.size() + 3;  // space, '=', newline
    auto length = body + std::to_string(body).size();
    if (std::to_string(length).size() != std::to_string(body).size()) length = body + std::to_string(length).size();
    records += fmt::format("{} {}={}\n", length, key, value);
  }
  Result<> header(const std::string& path, const Node& node, char type, std::string_view target, std::uint64_t size) {
    ++entries_;
    auto mtime = static_cast<std::int64_t>(node.st.st_mtim.tv_sec);
    if (options_.mtime && mtime > *options_.mtime) mtime = *options_.mtime;
    std::string records;
    if (path.size() > 100) pax(records, "path", path);
    if (target.size() > 100) pax(records, "linkpath", target);
    if (size >= (std::uint64_t{1} << 33)) pax(records, "size", std::to_string(size));
    if (node.st.st_uid > 07777777) pax(records, "uid", std::to_string(node.st.st_uid));
    if (node.st.st_gid > 07777777) pax(records, "gid", std::to_string(node.st.st_gid));
    if (mtime < 0 || mtime >= (std::int64_t{1} << 33)) pax(records, "mtime", std::to_string(mtime));
    for (const auto& [key, value] : node.xattrs) pax(records, "SCHILY.xattr." + key, value);
    if (!records.empty()) {
      TRY_OK(add(block("PaxHeaders/" + path.substr(0, 80), 0644, 0, 0, records.size(), 0, 'x', {})));
      records.resize((records.size() + 511) / 512 * 512, '\0');
      TRY_OK(add(records));
    }
    auto clamp = [](std::uint64_t value, std::uint64_t limit) { return value > limit ? 0 : value; };
    return add(block(path, node.st.st_mode & 07777, clamp(node.st.st_uid, 07777777), clamp(node.st.st_gid, 07777777),
                     clamp(size, 077777777777), mtime < 0 ? 0 : clamp(static_cast<std::uint64_t>(mtime), 077777777777),
                     type, target));
  }
  static std::string block(std::string_view path, unsigned mode, std::uint64_t uid, std::uint64_t gid,
                           std::uint64_t size, std::uint64_t mtime, char type, std::string_view target) {
    std::string b(512, '\0');
    path.copy(b.data(), 100);
    octal(b.data() + 100, 8, mode);
    octal(b.data() + 108, 8, uid);
    octal(b.data() + 116, 8, gid);
    octal(b.data() + 124, 12, size);
    octal(b.data() + 136, 12, mtime);
    std::memset(b.data() + 148, ' ', 8);
    b[156] = type;
    target.copy(b.data() + 157, 100);
    std::memcpy(b.data() + 257,
                "ustar\0"
                "00",
                8);
    octal(b.data() + 329, 8, 0);
    octal(b.data() + 337, 8, 0);
    unsigned sum = 0;
    for (unsigned char c : b) sum += c;
    octal(b.data() + 148, 7, sum);
    b[155] = ' ';
    return b;
  }
  Result<> add(std::string_view bytes) {
    while (!bytes.empty()) {
      auto n = std::min(bytes.size(), chunk_size - buffer_.size());
      buffer_.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      TRY_OK(full());
    }
    return {};
  }
  Result<> full() { return buffer_.size() == chunk_size ? flush() : Result<>{}; }
  Result<> flush() {
    if (buffer_.empty()) return {};
    std::string chunk;
    chunk.reserve(chunk_size);
    std::swap(chunk, buffer_);
    return sink_(std::move(chunk));
  }

  const Ctx& ctx_;
  const PackOptions& options_;
  ChunkSink sink_;
  std::string buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
  std::size_t entries_ = 0;
};

// Compresses and stores chunks on a thread of its own while the next are read and hashed. The thread starts with the
// second chunk: most layers of a build are smaller than one.
class Compressor {
 public:
  Compressor(Compression compression, store::BlobStore::Writer& writer)
      : encoder_(compression, [&writer](std::string_view bytes) { return writer.write(bytes); }) {}
  ~Compressor() {
    stop_.request_stop();
    queue_.lock()->done = true;
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  Result<> write(std::string chunk) {
    if (!first_) {
      first_ = std::move(chunk);
      return {};
    }
    if (!thread_.joinable()) {
      queue_.lock()->chunks.push_back(std::move(*first_));
      thread_ = std::thread([this] { work(); });
    }
    auto state = queue_.lock();
    TRY_OK(state.wait(ctx_, wake_, [&] { return state->chunks.size() < 8 || state->error; }));
    if (state->error) return Fail(*state->error);
    state->chunks.push_back(std::move(chunk));
    wake_.notify_all();
    return {};
  }
  Result<> finish() {
    if (!thread_.joinable()) {
      if (first_) TRY_OK(encoder_.write(*first_));
      return encoder_.finish();
    }
    queue_.lock()->done = true;
    wake_.notify_all();
    thread_.join();
    if (auto state = queue_.lock(); state->error) return Fail(*state->error);
    return encoder_.finish();
  }

 private:
  struct State {
    std::deque<std::string> chunks;
    std::optional<Error> error;
    bool done = false;
  };
  void work() {
    for (;;) {
      std::string chunk;
      {
        auto state = queue_.lock();
        if (!state.wait(ctx_, wake_, [&] { return !state->chunks.empty() || state->done; })) return;
        if (state->chunks.empty()) return;
        chunk = std::move(state->chunks.front());
        state->chunks.pop_front();
        wake_.notify_all();
      }
      if (auto r = encoder_.write(chunk); !r) {
        queue_.lock()->error = std::move(r).error();
        wake_.notify_all();
        return;
      }
    }
  }
  detail::Encoder encoder_;
  std::optional<std::string> first_;
  std::stop_source stop_;
  Ctx ctx_{.stop = stop_.get_token()};
  Guarded<State> queue_;
  std::condition_variable_any wake_;
  std::thread thread_;
};

}  // namespace

std::string_view layer_media_type(Compression compression) {
  switch (compression) {
    case Compression::gzip:
      return media::layer_gzip;
    case Compression::zstd:
      return media::layer_zstd;
    case Compression::none:
      break;
  }
  return media::layer_tar;
}

Result<Layer> pack_layer(const Ctx& ctx, store::BlobStore& blobs, const fs::path& folder, const PackOptions& options) {
  store::BlobStore::Batch alone(blobs);
  TRY(auto layer, pack_layer(ctx, alone, folder, options));
  TRY_OK(alone.commit());
  return layer;
}

Result<Layer> pack_layer(const Ctx& ctx, store::BlobStore::Batch& into, const fs::path& folder,
                         const PackOptions& options) {
  TRY(auto writer, into.store().begin());
  Hasher diff;
  auto pack = [&](auto&& compressor) -> Result<> {
    TarWriter tar(ctx, options, [&](std::string chunk) {
      diff.update(chunk);
      return compressor.write(std::move(chunk));
    });
    TRY_OK_IN("pack layer", tar.folder(folder));
    return compressor.finish();
  };
  if (options.compression == Compression::gzip) {
    static_assert(chunk_size == detail::BlockGzip::block_size);
    TRY_OK(pack(detail::BlockGzip([&](std::string_view bytes) { return writer.write(bytes); })));
  } else {
    TRY_OK(pack(Compressor(options.compression, writer)));
  }
  Layer layer;
  layer.descriptor.media_type = layer_media_type(options.compression);
  layer.descriptor.size = writer.size();
  TRY(layer.descriptor.digest, into.add(std::move(writer)));
  layer.diff_id = diff.finish();
  return layer;
}

Result<Digest> diff_id_of(const Ctx& ctx, const fs::path& folder, const PackOptions& options) {
  Hasher diff;
  TarWriter tar(ctx, options, [&](std::string chunk) {
    diff.update(chunk);
    return Result<>{};
  });
  TRY_OK_IN("pack layer", tar.folder(folder));
  return diff.finish();
}

}  // namespace slipway::oci
