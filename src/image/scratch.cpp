#include "image/scratch.h"

#include <sys/stat.h>

#include <deque>
#include <set>

#include "base/process.h"
#include "base/text.h"
#include "image/builder.h"
#include "image/detail/build.h"
#include "image/detail/placer.h"

namespace slipway::image {

Result<Digest> import_folder(const Ctx& ctx, oci::Registry& registry, std::string_view repository, std::string_view tag,
                             const fs::path& folder, oci::Config config) {
  TRY(auto layer, oci::pack_layer(ctx, registry.blobs(), folder, {.mtime = default_epoch, .below = {}}));
  config.created = detail::epoch_text(default_epoch);
  config.diff_ids = {layer.diff_id};
  config.history = {{.created = config.created, .created_by = "slipway import", .comment = {}, .author = {}}};
  auto text = oci::print(config);
  oci::Manifest manifest;
  manifest.config.media_type = oci::media::config;
  manifest.config.size = text.size();
  TRY(manifest.config.digest, registry.blobs().put(text));
  manifest.layers = {layer.descriptor};
  TRY(auto pushed, registry.put_manifest(repository, tag, oci::media::manifest, oci::print(manifest)));
  return pushed.digest;
}

namespace {

class HostCopy {
 public:
  HostCopy(const Ctx& ctx, const HostSelection& selection, fs::path host, const fs::path& into)
      : ctx_(ctx), selection_(selection), placer_(into) {
    source_.root = std::move(host);
    source_.keeps_owner = true;
  }
  Result<> run() {
    for (const auto& path : selection_.paths) todo_.push_back(detail::clean_path(path));
    while (!todo_.empty()) {
      auto path = std::move(todo_.front());
      todo_.pop_front();
      TRY_OK(ctx_.alive());
      TRY_OK(take(path));
    }
    for (const auto& [name, content] : selection_.files) TRY_OK(placer_.write(name, content, 0644, {}));
    return {};
  }

 private:
  // Every link on the way is kept as a link, and what it leads to comes along.
  Result<> take(const std::string& path) {
    std::string done;
    for (auto part : split(path, '/')) {
      auto next = done.empty() ? std::string(part) : done + "/" + std::string(part);
      struct stat st{};
      if (::lstat((source_.root / next).c_str(), &st) < 0) return fail_errno(errno, (source_.root / next).native());
      if (S_ISLNK(st.st_mode)) {
        std::error_code error;
        auto target = fs::read_symlink(source_.root / next, error).native();
        auto there = target.starts_with('/') ? target : done + "/" + target;
        if (seen_.insert(next).second) TRY_OK(place(next, st, target));
        auto rest = path.size() > next.size() ? path.substr(next.size()) : std::string();
        todo_.push_back(detail::clean_path(there + rest));
        return {};
      }
      if (next.size() < path.size() && seen_.insert(next).second) TRY_OK(place(next, st, {}));
      done = std::move(next);
    }
    if (!seen_.insert(path + "/*").second) return {};
    TRY(auto all, detail::everything(ctx_, source_, path));
    for (auto& entry : all.entries) entry.target = entry.target.empty() ? path : path + "/" + entry.target;
    all.needs_folder = true;
    TRY_OK(placer_.place(ctx_, source_, all, "/", {}));
    if (!selection_.libraries) return {};
    for (const auto& entry : all.entries)
      if (S_ISREG(entry.st.st_mode) && (entry.st.st_mode & 0111) != 0) TRY_OK(libraries_of(entry.path));
    return {};
  }
  Result<> place(const std::string& path, const struct stat& st, const std::string& link) {
    detail::Selection one;
    one.needs_folder = true;
    one.entries.push_back({path, path, st, link});
    return placer_.place(ctx_, source_, one, "/", {});
  }
  // The loader itself says what a program needs. It runs only for files of this host's own root.
  Result<> libraries_of(const std::string& path) {
    if (source_.root != "/") return {};
    auto head = read_file("/" + path, std::size_t{1} << 30);
    if (!head || !head->starts_with("\x7f"
                                    "ELF"))
      return {};
    auto output = slipway::run(ctx_, {.argv = {"ldd", "/" + path}});
    if (!output || !output->ok()) return {};  // static, or foreign
    for (auto line : lines(output->out)) {
      auto text = trim(line);
      if (auto arrow = cut(text, "=> ")) text = arrow->second;
      auto end = text.find(" (");
      if (!text.starts_with('/') || end == std::string_view::npos) continue;
      todo_.push_back(detail::clean_path(text.substr(0, end)));
    }
    return {};
  }

  const Ctx& ctx_;
  const HostSelection& selection_;
  detail::Source source_;
  detail::Placer placer_;
  std::deque<std::string> todo_;
  std::set<std::string> seen_;
};

}  // namespace

Result<> select_host_files(const Ctx& ctx, const HostSelection& selection, const fs::path& host_root,
                           const fs::path& into) {
  TRY_OK(make_dirs(into));
  TRY_OK(HostCopy(ctx, selection, host_root, into).run());
  for (const auto& [name, target] : selection.links) {
    detail::Placer placer(into);
    auto clean = detail::clean_path(name);
    detail::Selection one;
    detail::Entry entry{clean, clean, {}, target};
    entry.st.st_mode = S_IFLNK | 0777;
    one.needs_folder = true;
    one.entries.push_back(std::move(entry));
    detail::Source source{.root = into, .keeps_owner = true};
    TRY_OK(placer.place(ctx, source, one, "/", {}));
  }
  return {};
}

}  // namespace slipway::image
