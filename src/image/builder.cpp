#include "image/builder.h"

#include <sys/mount.h>

#include "image/detail/assembly.h"

namespace slipway::image {

namespace detail {

// Takes the folder, clears what a killed process left mounted in it, opens the cache.
Result<> Workshop::open() {
  std::lock_guard guard(opening);
  if (steps) return {};
  if (options.registry == nullptr || options.layers == nullptr)
    return fail(Kind::internal, "the image builder needs a registry and a layer cache");
  const auto& root = options.root;
  for (const auto& folder : {root, root / "steps", root / "cache", root / "index", root / "git"})
    TRY_OK(make_dirs(folder, 0711));
  if (!lock) {
    TRY_IN(lock, "image builder", FileLock::take(root / "lock"));
  }
  TRY(auto names, list_dir(root / "steps"));
  for (const auto& name : names) {
    ::umount2((root / "steps" / name / "merged").c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    TRY_OK(remove_tree(root / "steps" / name));
  }
  TRY(auto caches, list_dir(root / "cache"));
  for (const auto& name : caches)
    if (name.starts_with("tmp.")) TRY_OK(remove_tree(root / "cache" / name));
  blobs = std::make_unique<store::BlobStore::Batch>(options.registry->blobs());
  TRY_IN(steps, "image builder", StepCache::open(root / "steps.db"));
  return {};
}

}  // namespace detail

namespace {

class Builder final : public path::ImageBuilder {
 public:
  explicit Builder(BuilderOptions options) { shop_.options = std::move(options); }
  Result<path::BuildResult> build(const Ctx& ctx, const path::BuildRequest& request,
                                  const path::LogSink& log) override {
    TRY_OK(shop_.open());
    return detail::Assembly(shop_, ctx, request, log).run();
  }

 private:
  detail::Workshop shop_;
};

}  // namespace

std::unique_ptr<path::ImageBuilder> make_builder(BuilderOptions options) {
  return std::make_unique<Builder>(std::move(options));
}

Result<> clean_up_after_crash(box::Runtime& runtime) { return box::end_leftovers(runtime, detail::container_prefix); }

}  // namespace slipway::image
