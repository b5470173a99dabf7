#pragma once
// A builder with all it needs, for tests.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/testing/golden.h"
#include "base/text.h"
#include "image/builder.h"
#include "image/scratch.h"

namespace slipway::image {

// A registry with one base image (busybox), a runtime, a context to write into.
struct House {
  struct Place {  // a folder of its own, or one that stays
    std::optional<TempDir> own;
    fs::path at;
    const fs::path& path() const { return own ? own->path() : at; }
  };
  Place dir;
  Ctx ctx;
  std::unique_ptr<store::BlobStore> blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  std::unique_ptr<oci::Registry> registry = must(oci::Registry::open(*blobs, dir.path() / "registry.db"));
  std::unique_ptr<oci::LayerCache> layers = must(oci::LayerCache::open(*blobs, dir.path() / "layers"));
  std::unique_ptr<box::Runtime> runtime;
  std::unique_ptr<path::ImageBuilder> builder;
  fs::path context = dir.path() / "context";
  std::string log;
  std::mutex log_mutex;

  enum class With { files, runtime };
  explicit House(With with = With::files, const fs::path& at = {}) : dir(place_at(at)) {
    if (with == With::runtime) {
      if (auto opened = box::Runtime::open(dir.path() / "box")) runtime = *std::move(opened);
    }
    must(make_dirs(context));
    builder = make_builder({.registry = registry.get(),
                            .layers = layers.get(),
                            .runtime = runtime.get(),
                            .root = dir.path() / "build",
                            .registry_names = {"localhost:5000"},
                            .scanner = nullptr,
                            .default_host = {}});
  }
  static Place place_at(const fs::path& at) {
    if (at.empty()) return {must(TempDir::make("slipway-image")), {}};
    must(make_dirs(at));
    return {std::nullopt, at};
  }
  void base() {
    auto root = dir.path() / "busybox";
    HostSelection selection{.paths = {"/bin/busybox"},
                            .links = {},
                            .files = {{"/etc/passwd", "root:x:0:0:root:/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n"},
                                      {"/etc/group", "root:x:0:\nstaff:x:50:\n"}}};
    for (const char* name : {"sh",    "cat",   "echo",      "ls",   "mkdir", "rm",    "touch", "stat", "id", "test",
                             "sleep", "mount", "tr",        "head", "true",  "false", "env",   "cp",   "mv", "ln",
                             "chmod", "pwd",   "sha256sum", "find", "sort",  "wc",    "grep",  "tar"})
      selection.links.emplace_back(std::string("/bin/") + name, "busybox");
    must(select_host_files(ctx, selection, "/", root));
    must(make_dirs(root / "tmp"));
    ::chmod((root / "tmp").c_str(), 01777);
    oci::Config config;
    config.env = {"PATH=/bin"};
    config.cmd = {"sh"};
    must(import_folder(ctx, *registry, "base/busybox", "1", root, config));
  }
  void file(const std::string& name, const std::string& text, unsigned mode = 0644) {
    must(make_dirs((context / name).parent_path()));
    must(write_file(context / name, text, mode));
  }
  path::BuildRequest request(const std::string& dockerfile) {
    file("Dockerfile", dockerfile);
    path::BuildRequest r;
    r.context = context;
    r.image = "shop/web";
    r.tags = {"t"};
    return r;
  }
  Result<path::BuildResult> build(const path::BuildRequest& r) {
    return builder->build(ctx, r, [this](int, std::string_view piece) {
      std::lock_guard lock(log_mutex);
      log += piece;
    });
  }
  Result<path::BuildResult> build(const std::string& dockerfile) { return build(request(dockerfile)); }
  oci::Registry::Image image() { return must(registry->image("shop/web", "t")); }
  // The image's files, without those of the base.
  std::string tree() {
    auto root = dir.path() / ("root" + random_hex(4));
    must(make_dirs(root));
    auto img = image();
    std::size_t skip = img.config.history.size() > 0 && img.config.history[0].created_by == "slipway import" ? 1 : 0;
    for (std::size_t n = skip; n < img.manifest.layers.size(); ++n)
      must(oci::unpack_layer(ctx, *blobs, img.manifest.layers[n], img.config.diff_ids[n], root, oci::Whiteouts::apply));
    std::vector<std::string> rows;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      struct stat st{};
      ::lstat(entry.path().c_str(), &st);
      auto name = entry.path().native().substr(root.native().size());
      auto owner = st.st_uid != 0 || st.st_gid != 0 ? fmt::format(" {}:{}", st.st_uid, st.st_gid) : "";
      if (S_ISDIR(st.st_mode))
        rows.push_back(fmt::format(
            "{}/{}{}", name, (st.st_mode & 07777) != 0755 ? fmt::format(" {:o}", st.st_mode & 07777) : "", owner));
      else if (S_ISLNK(st.st_mode))
        rows.push_back(name + " -> " + fs::read_symlink(entry.path()).native());
      else
        rows.push_back(fmt::format("{} {:o}{}{} {}", name, st.st_mode & 07777, owner,
                                   st.st_nlink > 1 ? fmt::format(" ({} names)", st.st_nlink) : "",
                                   trim(must(read_file(entry.path())))));
    }
    std::sort(rows.begin(), rows.end());
    return join(rows, "\n");
  }
};

}  // namespace slipway::image

#define NEEDS_RUNTIME(house) \
  if (!(house).runtime) GTEST_SKIP() << "no container runtime"
