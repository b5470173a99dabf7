#include "oci/export.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace slipway::oci {

namespace {

Result<> lay_over(const Ctx& ctx, const Registry& registry, const Registry::Image& image, const fs::path& to) {
  if (image.config.diff_ids.size() != image.manifest.layers.size())
    return fail(Kind::corrupt, "{}: {} layers but {} diff ids", image.digest.str(), image.manifest.layers.size(),
                image.config.diff_ids.size());
  for (std::size_t n = 0; n < image.manifest.layers.size(); ++n)
    TRY_OK(
        unpack_layer(ctx, registry.blobs(), image.manifest.layers[n], image.config.diff_ids[n], to, Whiteouts::apply));
  return {};
}

Result<> pour(const Ctx& ctx, int from, int to) {
  std::string buffer(1 << 20, '\0');
  for (;;) {
    TRY_OK(ctx.alive());
    auto n = ::read(from, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "tar");
    if (n == 0) return {};
    TRY_OK(write_all(to, {buffer.data(), static_cast<std::size_t>(n)}));
  }
}

}  // namespace

Result<> export_folder(const Ctx& ctx, const Registry& registry, std::string_view repository, const Digest& digest,
                       const fs::path& to) {
  TRY(auto stored, registry.manifest(repository, digest.str()));
  if (!stored) return fail(Kind::not_found, "{}@{}: not here", repository, digest.str());
  TRY_OK(make_dirs(to));
  if (!is_index(stored->descriptor.media_type)) {
    TRY(auto image, registry.image(repository, digest.str()));
    return lay_over(ctx, registry, image, to);
  }
  TRY(auto index, parse_index(stored->bytes));
  std::vector<Descriptor> images;
  for (auto& d : index.manifests)
    if (d.platform && d.platform->os != "unknown") images.push_back(std::move(d));
  for (const auto& d : images) {
    auto name = d.platform->print();
    std::replace(name.begin(), name.end(), '/', '_');
    auto folder = images.size() == 1 ? to : to / name;
    TRY_OK(make_dirs(folder));
    TRY(auto image, registry.image(repository, d.digest.str()));
    TRY_OK(lay_over(ctx, registry, image, folder));
  }
  return {};
}

Result<> export_tar(const Ctx& ctx, const Registry& registry, std::string_view repository, const Digest& digest,
                    const fs::path& to) {
  TRY(auto temp, TempDir::make("slipway-tar"));
  auto tree = temp.path() / "tree";
  TRY_OK(export_folder(ctx, registry, repository, digest, tree));
  TRY(auto blobs, store::BlobStore::open(temp.path() / "blobs"));
  TRY(auto packed, pack_layer(ctx, *blobs, tree, {.compression = Compression::none, .mtime = {}, .below = {}}));
  TRY(auto from, blobs->open_blob(packed.descriptor.digest));
  if (to == "-") return pour(ctx, from.get(), STDOUT_FILENO);
  Fd fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, to.native());
  return pour(ctx, from.get(), fd.get());
}

Result<> copy_within(Registry& registry, std::string_view from, const StoredManifest& stored, std::string_view to) {
  if (from == to || !is_index(stored.descriptor.media_type)) return {};
  TRY(auto index, parse_index(stored.bytes));
  for (const auto& d : index.manifests) {
    TRY(auto inner, registry.manifest(from, d.digest.str()));
    if (!inner) continue;  // a sparse index
    TRY_OK(copy_within(registry, from, *inner, to));
    TRY_OK(registry.put_manifest(to, "", inner->descriptor.media_type, inner->bytes));
  }
  return {};
}

}  // namespace slipway::oci
