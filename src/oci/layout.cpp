#include "oci/layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/text.h"
#include "doc/json.h"
#include "oci/layer.h"

namespace slipway::oci {
namespace {

constexpr std::size_t piece = 1 << 20;
constexpr std::string_view version = R"({"imageLayoutVersion":"1.0.0"})";

Result<> pour(const Ctx& ctx, int from, int to) {
  std::string buffer(piece, '\0');
  for (;;) {
    TRY_OK(ctx.alive());
    auto n = ::read(from, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read a blob");
    if (n == 0) return {};
    TRY_OK(write_all(to, {buffer.data(), static_cast<std::size_t>(n)}));
  }
}

// Where the files of a layout go.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Result<> text(const std::string& path, std::string_view text) = 0;
  virtual Result<> file(const Ctx& ctx, const std::string& path, int fd, std::uint64_t size) = 0;
  virtual Result<> finish() { return {}; }
};

class FolderSink final : public Sink {
 public:
  explicit FolderSink(fs::path root) : root_(std::move(root)) {}
  Result<> text(const std::string& path, std::string_view text) override {
    TRY_OK(make_dirs((root_ / path).parent_path()));
    return write_file(root_ / path, text);
  }
  Result<> file(const Ctx& ctx, const std::string& path, int fd, std::uint64_t) override {
    TRY_OK(make_dirs((root_ / path).parent_path()));
    Fd to(::open((root_ / path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!to) return fail_errno(errno, (root_ / path).native());
    return pour(ctx, fd, to.get());
  }

 private:
  fs::path root_;
};

// A tar of plain files, times at the epoch: the same image gives the same bytes.
class TarSink final : public Sink {
 public:
  explicit TarSink(Fd fd) : fd_(std::move(fd)) {}
  Result<> text(const std::string& path, std::string_view text) override {
    TRY_OK(header(path, text.size()));
    TRY_OK(write_all(fd_.get(), text));
    return pad(text.size());
  }
  Result<> file(const Ctx& ctx, const std::string& path, int fd, std::uint64_t size) override {
    TRY_OK(header(path, size));
    TRY_OK(pour(ctx, fd, fd_.get()));
    return pad(size);
  }
  Result<> finish() override { return write_all(fd_.get(), std::string(1024, '\0')); }

 private:
  Result<> header(const std::string& path, std::uint64_t size) {
    std::string block(512, '\0');
    auto put = [&](std::size_t at, std::string_view text) { block.replace(at, text.size(), text); };
    put(0, path);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    if (size < (std::uint64_t{1} << 33))
      put(124, fmt::format("{:011o}", size));
    else  // base-256, as GNU and POSIX readers take it
      for (int i = 0; i < 12; ++i)
        block[static_cast<std::size_t>(135 - i)] = static_cast<char>(i == 11 ? 0x80
                                                                     : i < 8 ? (size >> (8 * i)) & 0xFF
                                                                             : 0);
    put(136, "00000000000");
    put(148, "        ");
    block[156] = '0';
    put(257, std::string_view("ustar\00000", 8));
    unsigned sum = 0;
    for (unsigned char c : block) sum += c;
    put(148, fmt::format("{:06o}", sum));
    block[154] = '\0';
    return write_all(fd_.get(), block);
  }
  Result<> pad(std::uint64_t size) {
    return size % 512 == 0 ? Result<>{} : write_all(fd_.get(), std::string(512 - size % 512, '\0'));
  }
  Fd fd_;
};

Result<std::unique_ptr<Sink>> open_sink(const fs::path& to, LayoutForm form) {
  if (to == "-") {
    Fd fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!fd) return fail_errno(errno, "standard output");
    return std::make_unique<TarSink>(std::move(fd));
  }
  if (form != LayoutForm::by_name || to.extension() == ".tar") {
    Fd fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd && errno == EEXIST) return fail(Kind::conflict, "{}: is there already", to.native());
    if (!fd) return fail_errno(errno, to.native());
    return std::make_unique<TarSink>(std::move(fd));
  }
  if (path_exists(to)) {
    TRY(auto names, list_dir(to));
    if (!names.empty()) return fail(Kind::conflict, "{}: is there already, and not empty", to.native());
  }
  TRY_OK(make_dirs(to));
  return std::make_unique<FolderSink>(to);
}

std::string blob_path(const Digest& digest) { return fmt::format("blobs/{}/{}", digest.algorithm(), digest.hex()); }

class Export {
 public:
  Export(const Ctx& ctx, Registry& registry, std::string_view repository, Sink& sink)
      : ctx_(ctx), registry_(registry), repository_(repository), sink_(sink) {}

  Result<> manifest(const StoredManifest& stored) {
    if (!done_.insert(stored.descriptor.digest.str()).second) return {};
    TRY_OK(sink_.text(blob_path(stored.descriptor.digest), stored.bytes));
    if (is_index(stored.descriptor.media_type)) {
      TRY(auto index, parse_index(stored.bytes));
      for (const auto& child : index.manifests) {
        TRY(auto inner, registry_.manifest(repository_, child.digest.str()));
        if (inner) TRY_OK(manifest(*inner));  // an index that was pulled for one platform is sparse
      }
      return {};
    }
    TRY(auto parsed, parse_manifest(stored.bytes));
    TRY_OK(blob(parsed.config));
    for (const auto& layer : parsed.layers)
      if (!is_foreign(layer.media_type)) TRY_OK(blob(layer));
    return {};
  }

 private:
  Result<> blob(const Descriptor& descriptor) {
    if (!done_.insert(descriptor.digest.str()).second) return {};
    TRY(auto fd, registry_.blobs().open_blob(descriptor.digest));
    TRY(auto size, registry_.blobs().size(descriptor.digest));
    return sink_.file(ctx_, blob_path(descriptor.digest), fd.get(), size.value_or(0));
  }
  const Ctx& ctx_;
  Registry& registry_;
  std::string repository_;
  Sink& sink_;
  std::set<std::string> done_;
};

class Import {
 public:
  Import(const Ctx& ctx, Registry& registry, fs::path root, std::string_view repository)
      : ctx_(ctx), registry_(registry), root_(std::move(root)), repository_(repository) {}

  Result<> manifest(const Descriptor& descriptor, std::string_view tag) {
    TRY_OK(ctx_.alive());
    TRY(auto file, open_beneath(root_, blob_path(descriptor.digest), O_RDONLY | O_CLOEXEC));
    TRY(auto bytes, read_all(file.get()));
    if (Digest::of(bytes) != descriptor.digest)
      return fail(Kind::corrupt, "{}: has the digest {}", blob_path(descriptor.digest), Digest::of(bytes).str());
    if (is_index(descriptor.media_type)) {
      TRY(auto index, parse_index(bytes));
      for (const auto& child : index.manifests)
        if (path_exists(root_ / blob_path(child.digest))) TRY_OK(manifest(child, ""));
      TRY_OK(registry_.put_manifest(repository_, tag, descriptor.media_type, bytes, Registry::Completeness::sparse));
      return {};
    }
    TRY(auto parsed, parse_manifest(bytes));
    TRY_OK(blob(parsed.config));
    for (const auto& layer : parsed.layers)
      if (!is_foreign(layer.media_type)) TRY_OK(blob(layer));
    TRY_OK(registry_.put_manifest(repository_, tag, descriptor.media_type, bytes));
    return {};
  }

 private:
  Result<> blob(const Descriptor& descriptor) {
    if (registry_.blobs().contains(descriptor.digest)) return {};
    auto from = open_beneath(root_, blob_path(descriptor.digest), O_RDONLY | O_CLOEXEC);
    if (!from) return Fail(std::move(from).error().in(blob_path(descriptor.digest)));
    TRY(auto writer, registry_.blobs().begin());
    std::string buffer(piece, '\0');
    for (;;) {
      TRY_OK(ctx_.alive());
      auto n = ::read(from->get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(errno, blob_path(descriptor.digest));
      if (n == 0) break;
      TRY_OK(writer.write({buffer.data(), static_cast<std::size_t>(n)}));
    }
    auto stored = writer.commit(descriptor.digest);
    if (!stored && stored.error().is(Kind::invalid))
      return Fail(std::move(stored).error().in(blob_path(descriptor.digest)).as(Kind::corrupt));
    return stored ? Result<>{} : Result<>(Fail(std::move(stored).error()));
  }
  const Ctx& ctx_;
  Registry& registry_;
  fs::path root_;
  std::string repository_;
};

// What `docker load` reads beside the layout: which blobs are an image, and its names.
Result<std::string> docker_manifest(const StoredManifest& stored, std::string_view name) {
  if (is_index(stored.descriptor.media_type))
    return Fail(Error(Kind::invalid, "docker's form holds one image, this is an index").with_hint("type=oci"));
  TRY(auto manifest, parse_manifest(stored.bytes));
  doc::List layers, tags;
  for (const auto& layer : manifest.layers) layers.emplace_back(blob_path(layer.digest));
  if (!name.starts_with("sha256:")) tags.emplace_back(name);
  doc::List all;
  all.emplace_back(doc::Map{
      {"Config", blob_path(manifest.config.digest)}, {"RepoTags", std::move(tags)}, {"Layers", std::move(layers)}});
  return doc::print_json(all);
}

}  // namespace

Result<> write_layout(const Ctx& ctx, Registry& registry, std::string_view repository, std::string_view reference,
                      std::string_view name, const fs::path& to, LayoutForm form) {
  TRY(auto stored, registry.manifest(repository, reference));
  if (!stored) return fail(Kind::not_found, "{}: not in the store", name);
  std::string docker;
  if (form == LayoutForm::docker) {
    TRY(docker, docker_manifest(*stored, name));
  }
  TRY(auto sink, open_sink(to, form));
  Index index;
  auto top = stored->descriptor;
  top.annotations["org.opencontainers.image.ref.name"] = name;
  index.manifests.push_back(std::move(top));
  TRY_OK(sink->text("oci-layout", version));
  TRY_OK(Export(ctx, registry, repository, *sink).manifest(*stored));
  TRY_OK(sink->text("index.json", print(index)));
  if (!docker.empty()) TRY_OK(sink->text("manifest.json", docker));
  return sink->finish();
}

Result<std::vector<Descriptor>> read_layout(const Ctx& ctx, Registry& registry, const fs::path& from,
                                            std::string_view repository, std::string_view tag) {
  std::optional<TempDir> unpacked;
  auto root = from;
  if (!fs::is_directory(from)) {
    if (!path_exists(from)) return fail(Kind::not_found, "{}: no such file or folder", from.native());
    TRY(unpacked, TempDir::make("slipway-layout"));
    TRY_OK_IN(from.native(), unpack_archive(ctx, from, unpacked->path()));
    root = unpacked->path();
  }
  if (!path_exists(root / "oci-layout") || !path_exists(root / "index.json"))
    return Fail(
        Error(Kind::invalid, fmt::format("{}: no OCI image layout: it has no {}", from.native(),
                                         path_exists(root / "oci-layout") ? "index.json" : "oci-layout"))
            .with_hint("skopeo, buildah, docker buildx (--output type=oci) and slipway image export write one"));
  TRY(auto text, read_file(root / "index.json"));
  TRY_IN(auto index, (from / "index.json").native(), parse_index(text));
  if (index.manifests.empty()) return fail(Kind::invalid, "{}: its index names no image", from.native());
  Import import(ctx, registry, root, repository);
  for (std::size_t i = 0; i < index.manifests.size(); ++i)
    TRY_OK(import.manifest(index.manifests[i], i == 0 ? tag : ""));
  return index.manifests;
}

}  // namespace slipway::oci
