// Steps that may make a layer: from the cache, or done and kept.
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/detail/stage_runner.h"

namespace slipway::image::detail {

namespace {

std::string seconds_since(Clock::time_point start, const Ctx& ctx) {
  auto ms = std::chrono::duration_cast<Millis>(ctx.clock->now() - start).count();
  return fmt::format("{}.{}s", ms / 1000, ms / 100 % 10);
}

// What the layers below show at a path: the topmost that says anything about it.
bool same_below(const std::vector<fs::path>& lowers, const fs::path& path, const struct stat& here) {
  for (auto lower = lowers.rbegin(); lower != lowers.rend(); ++lower) {
    struct stat st{};
    if (::lstat((*lower / path).c_str(), &st) < 0) continue;
    return S_ISDIR(st.st_mode) && st.st_mode == here.st_mode && st.st_uid == here.st_uid && st.st_gid == here.st_gid;
  }
  return false;
}

// Overlayfs copies a folder up when something in it is touched, also when that is gone again (the runtime's mount
// points do that to /etc): a folder with nothing in it and nothing new about it is no change.
Result<> drop_unchanged(const fs::path& upper, const fs::path& path, const std::vector<fs::path>& lowers) {
  TRY(auto names, list_dir(upper / path));
  for (const auto& name : names) {
    struct stat st{};
    if (::lstat((upper / path / name).c_str(), &st) == 0 && S_ISDIR(st.st_mode))
      TRY_OK(drop_unchanged(upper, path / name, lowers));
  }
  struct stat st{};
  auto folder = upper / path;
  if (path.empty() || ::lstat(folder.c_str(), &st) < 0 || !same_below(lowers, path, st)) return {};
  char opaque[2] = {};
  if (::lgetxattr(folder.c_str(), "trusted.overlay.opaque", opaque, sizeof opaque) > 0) return {};
  ::rmdir(folder.c_str());  // fails when it holds something, which is right
  return {};
}

}  // namespace

Result<bool> StageRunner::from_cache(const std::string& key) {
  if (is_no_cache()) return false;
  TRY(auto found, build_.shop().steps->find(key));
  if (!found) return false;
  if (found->diff_id.empty()) {
    build_.remember(key, *found);
    return true;
  }
  // The record is worth nothing when neither the folder nor the blob is here any more.
  auto& options = build_.shop().options;
  if (found->descriptor && !build_.can_have(found->descriptor->digest)) found->descriptor.reset();
  if (!found->descriptor && !options.layers->find(found->diff_id) && build_.absent() == Build::Absent::rebuilt)
    return false;
  build_.remember(key, *found);
  state_.layers.push_back({found->diff_id, found->descriptor, key});
  return true;
}

Result<> StageRunner::new_layer(const std::string& key, const fs::path& upper, const std::vector<fs::path>& lowers) {
  if (!lowers.empty()) TRY_OK(drop_unchanged(upper, {}, lowers));
  TRY(auto names, list_dir(upper));
  if (names.empty()) {
    build_.remember(key, {});
    return build_.shop().steps->put(key, {});
  }
  oci::PackOptions pack{.compression = build_.compression(), .mtime = build_.epoch(), .below = lowers};
  BuildLayer layer{.diff_id = {}, .descriptor = {}, .step = key};
  auto& options = build_.shop().options;
  if (build_.exported(stage_.index)) {
    TRY(auto packed, oci::pack_layer(ctx_, *build_.shop().blobs, upper, pack));
    layer.diff_id = packed.diff_id;
    layer.descriptor = packed.descriptor;
  } else {
    TRY(layer.diff_id, oci::diff_id_of(ctx_, upper, pack));
  }
  using From = oci::LayerCache::Source;
  TRY_OK(options.layers->adopt(upper, layer.diff_id, layer.descriptor ? From::blob : From::none));
  build_.remember(key, {layer.diff_id, layer.descriptor});
  TRY_OK(build_.shop().steps->put(key, {layer.diff_id, layer.descriptor}));
  state_.layers.push_back(std::move(layer));
  return {};
}

Result<> StageRunner::step(const Instruction& i, std::string shown, const std::string& inputs, std::string created_by,
                           const Work& work) {
  (void)i;
  auto key = sha256_hex(inputs);
  auto before = state_.layers.size();
  auto start = ctx_.clock->now();
  // Equal steps of builds that run at the same time: one does it, the others find it done.
  TRY(auto held, build_.shop().busy.take(ctx_, "step " + key));
  TRY(bool cached, from_cache(key));
  using Doing = path::BuildStep::State;
  if (!cached) {
    build_.report(shown, Doing::running);
    bool done = false;
    Finally failed([&] {
      if (!done) build_.report(shown, Doing::failed);
    });
    TRY(auto temp, TempDir::make_in(build_.steps_folder(), "step"));
    auto upper = temp.path() / "upper";
    TRY_OK(make_dirs(upper));
    ::chmod(upper.c_str(), 0755);
    TRY(auto lowers, build_.folders(ctx_, state_.layers));
    TRY_OK(work(ctx_, upper, lowers));
    TRY_OK(new_layer(key, upper, lowers));
    done = true;
  }
  build_.report(shown, cached ? Doing::cached : Doing::done);
  build_.step_done(cached);
  build_.say(fmt::format(" => {}  {}", shown, cached ? "CACHED" : seconds_since(start, ctx_)));
  history(std::move(created_by), state_.layers.size() == before);
  return {};
}

StageRunner::Work StageRunner::on_root(std::function<Result<>(const Ctx&, const fs::path& root)> work) const {
  return
      [work = std::move(work)](const Ctx& ctx, const fs::path& upper, const std::vector<fs::path>& lowers) -> Result<> {
        if (lowers.empty()) return work(ctx, upper);
        auto beside = upper.parent_path();
        TRY(auto overlay, box::Overlay::mount(lowers, upper, beside / "work", beside / "merged", {.throw_away = true}));
        TRY_OK(work(ctx, overlay.merged()));
        return overlay.unmount();
      };
}

}  // namespace slipway::image::detail
