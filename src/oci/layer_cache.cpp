#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/guarded.h"
#include "base/text.h"
#include "oci/layer.h"

namespace slipway::oci {

struct LayerCache::Rep {
  store::BlobStore& blobs;
  fs::path root;
  Ending ending = Ending::all_synced;
  std::atomic<bool> unsynced = false, irreplaceable = false;  // folders that came since it was opened
  Guarded<std::set<std::string>> busy;
  std::condition_variable_any idle;

  fs::path place(const Digest& diff_id) const { return root / diff_id.hex(); }
};

namespace {

std::string boot_id() { return std::string(trim(read_file("/proc/sys/kernel/random/boot_id").value_or("unknown"))); }

bool is_layer(const std::string& name) { return name.size() == 64; }

// Folders are renamed into place without a sync. That is safe against a kill, not against a power loss: in another
// boot, only those that an ending has synced are believed.
Result<> drop_unsafe(const fs::path& root) {
  TRY(auto names, list_dir(root));
  for (const auto& name : names)
    if (name.starts_with("tmp.")) TRY_OK(remove_tree(root / name));
  auto last = read_file(root / "boot");
  if (last && *last == boot_id()) return {};
  auto synced = read_file(root / "synced").value_or("");
  auto safe = lines(synced);
  for (const auto& name : names)
    if (last && is_layer(name) && std::find(safe.begin(), safe.end(), name) == safe.end())
      TRY_OK(remove_tree(root / name));
  return write_file(root / "boot", boot_id());
}

Result<> sync_all(const fs::path& root) {
  TRY(auto names, list_dir(root));
  std::string synced;
  for (const auto& name : names)
    if (is_layer(name)) synced += name + "\n";
  Fd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) < 0) return fail_errno(errno, root.native());
  return write_file(root / "synced", synced);
}

}  // namespace

Result<std::unique_ptr<LayerCache>> LayerCache::open(store::BlobStore& blobs, fs::path root, Ending ending) {
  TRY_OK(make_dirs(root, 0700));
  TRY_OK_IN("layer cache", drop_unsafe(root));
  return std::unique_ptr<LayerCache>(
      new LayerCache(std::unique_ptr<Rep>(new Rep{.blobs = blobs, .root = std::move(root), .ending = ending})));
}

LayerCache::LayerCache(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

LayerCache::~LayerCache() {
  if (rep_->irreplaceable || (rep_->unsynced && rep_->ending == Ending::all_synced)) (void)sync_all(rep_->root);
}

std::optional<fs::path> LayerCache::find(const Digest& diff_id) const {
  auto place = rep_->place(diff_id);
  return path_exists(place) ? std::optional(place) : std::nullopt;
}

Result<fs::path> LayerCache::folder(const Ctx& ctx, const Descriptor& layer, const Digest& diff_id) {
  if (auto there = find(diff_id)) return *there;
  auto key = diff_id.str();
  {
    auto busy = rep_->busy.lock();
    TRY_OK(busy.wait(ctx, rep_->idle, [&] { return !busy->contains(key); }));
    busy->insert(key);
  }
  Finally release([&] {
    rep_->busy.lock()->erase(key);
    rep_->idle.notify_all();
  });
  if (auto there = find(diff_id)) return *there;
  TRY(auto temp, TempDir::make_in(rep_->root, "tmp"));
  auto unpacked = temp.path() / "layer";
  TRY_OK(make_dirs(unpacked));
  ::chmod(unpacked.c_str(), 0755);
  TRY_OK(unpack_layer(ctx, rep_->blobs, layer, diff_id, unpacked, Whiteouts::overlay));
  return adopt(unpacked, diff_id, Source::blob);
}

Result<fs::path> LayerCache::adopt(const fs::path& folder, const Digest& diff_id, Source source) {
  auto place = rep_->place(diff_id);
  (source == Source::blob ? rep_->unsynced : rep_->irreplaceable) = true;
  if (::rename(folder.c_str(), place.c_str()) == 0) return place;
  if (errno == EEXIST || errno == ENOTEMPTY) {  // the same content is there already
    TRY_OK(remove_tree(folder));
    return place;
  }
  return fail_errno(errno, place.native());
}

Result<> LayerCache::remove(const Digest& diff_id) {
  auto place = rep_->place(diff_id);
  auto aside = rep_->root / ("tmp." + random_hex(8));
  if (::rename(place.c_str(), aside.c_str()) < 0)
    return errno == ENOENT ? Result<>{} : Result<>(fail_errno(errno, place.native()));
  return remove_tree(aside);
}

}  // namespace slipway::oci
