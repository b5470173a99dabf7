#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include "box/box.h"
#include "box/detail/userns.h"

namespace slipway::box {
namespace {

// mount(2) takes one page of options.
constexpr std::size_t kOptionsMax = 4000;

bool plain(const fs::path& path) { return path.string().find_first_of(":,\\") == std::string::npos; }

// The folders as written; or, where that would be too long or hold separators, as descriptors of ours.
class Names {
 public:
  Result<std::string> of(const fs::path& path, bool short_form) {
    if (!short_form) return path.string();
    Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, fmt::format("overlay folder {}", path.string()));
    auto name = fmt::format("/proc/self/fd/{}", fd.get());
    held_.push_back(std::move(fd));
    return name;
  }

 private:
  std::vector<Fd> held_;
};

Result<> bind_read_only(const fs::path& layer, const fs::path& merged) {
  if (::mount(layer.c_str(), merged.c_str(), nullptr, MS_BIND, nullptr) < 0 ||
      ::mount(nullptr, merged.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) < 0)
    return fail_errno(errno, fmt::format("mount {} at {}", layer.string(), merged.string()));
  return {};
}

}  // namespace

Result<Overlay> Overlay::mount(const std::vector<fs::path>& layers, const fs::path& upper, const fs::path& work,
                               const fs::path& merged) {
  return mount(layers, upper, work, merged, Options{});
}

Result<Overlay> Overlay::mount(const std::vector<fs::path>& layers, const fs::path& upper, const fs::path& work,
                               const fs::path& merged, Options options) {
  // A folder may stand in an overlay once (ELOOP). What a lower one of two equal layers says, the upper one says too.
  std::vector<fs::path> lowers;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
    if (std::find(lowers.begin(), lowers.end(), *layer) == lowers.end()) lowers.push_back(*layer);
  std::reverse(lowers.begin(), lowers.end());
  for (const auto& dir : {upper, work, merged})
    if (!dir.empty()) {
      TRY_OK(make_dirs(dir));
    }
  if (lowers.empty()) {  // FROM scratch: overlay wants at least one folder below
    lowers.push_back(fs::path(merged.string() + ".empty"));
    TRY_OK(make_dirs(lowers.back()));
  }
  if (upper.empty() && lowers.size() == 1) {
    TRY_OK(bind_read_only(lowers[0], merged));
    return Overlay(merged);
  }
  std::size_t length = upper.string().size() + work.string().size() + 128;
  bool short_form = !plain(upper) || !plain(work);
  for (const auto& layer : lowers) {
    length += layer.string().size() + 1;
    if (!plain(layer)) short_form = true;
  }
  short_form = short_form || length > kOptionsMax;
  Names names;
  std::string text = "lowerdir=";
  for (auto layer = lowers.rbegin(); layer != lowers.rend(); ++layer) {
    TRY(auto name, names.of(*layer, short_form));
    if (layer != lowers.rbegin()) text += ':';
    text += name;
  }
  if (!upper.empty()) {
    TRY(auto upper_name, names.of(upper, short_form));
    TRY(auto work_name, names.of(work, short_form));
    text += fmt::format(",upperdir={},workdir={}", upper_name, work_name);
    if (options.throw_away) text += ",volatile";
  }
  // Otherwise the upper folder is not the difference it is read as; userxattr implies these.
  text += in_user_namespace() ? ",userxattr" : ",redirect_dir=off,metacopy=off,index=off";
  if (text.size() > kOptionsMax)
    return fail(Kind::invalid, "overlay of {} layers: more than one mount can take, want at most about 150",
                lowers.size());
  if (::mount("overlay", merged.c_str(), "overlay", 0, text.c_str()) < 0)
    return fail_errno(errno, fmt::format("mount overlay of {} layers at {}", lowers.size(), merged.string()));
  return Overlay(merged);
}

Overlay::Overlay(Overlay&& other) noexcept : merged_(std::exchange(other.merged_, {})) {}

Overlay& Overlay::operator=(Overlay&& other) noexcept {
  std::swap(merged_, other.merged_);
  return *this;
}

Overlay::~Overlay() {
  if (!merged_.empty()) (void)unmount();
}

Result<> Overlay::unmount() {
  if (merged_.empty()) return {};
  auto merged = std::exchange(merged_, {});
  if (::umount2(merged.c_str(), 0) == 0 || errno == EINVAL || errno == ENOENT) return {};
  if (errno == EBUSY && ::umount2(merged.c_str(), MNT_DETACH) == 0) return {};
  return fail_errno(errno, fmt::format("unmount {}", merged.string()));
}

}  // namespace slipway::box
