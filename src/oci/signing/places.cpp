#include "oci/signing.h"

namespace slipway::oci {
namespace {

constexpr std::size_t max_blob = 16 << 20;

class Here final : public ImagePlace {
 public:
  Here(Registry& registry, std::string repository, std::string name)
      : registry_(registry), repository_(std::move(repository)), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  Result<std::optional<StoredManifest>> manifest(const Ctx&, const std::string& tag_or_digest) override {
    return registry_.manifest(repository_, tag_or_digest);
  }
  Result<std::vector<Descriptor>> referrers(const Ctx&, const Digest& subject) override {
    return registry_.referrers(repository_, subject);
  }
  Result<std::string> blob(const Ctx&, const Descriptor& blob) override {
    return registry_.blobs().read(blob.digest, max_blob);
  }
  Result<> put(const Ctx&, const std::vector<std::string>& blobs, const Manifest& manifest,
               const std::string& tag) override {
    for (const auto& bytes : blobs) TRY_OK(registry_.blobs().put(bytes));
    TRY_OK(registry_.put_manifest(repository_, tag, manifest.media_type, print(manifest)));
    return {};
  }

 private:
  Registry& registry_;
  std::string repository_, name_;
};

class Elsewhere final : public ImagePlace {
 public:
  Elsewhere(Remote& remote, Reference repository) : remote_(remote), repository_(std::move(repository)) {}
  std::string name() const override { return repository_.name(); }
  Result<std::optional<StoredManifest>> manifest(const Ctx& ctx, const std::string& tag_or_digest) override {
    TRY(auto reference, with(tag_or_digest));
    auto found = remote_.manifest(ctx, reference);
    if (found) return std::optional(*std::move(found));
    return found.error().is(Kind::not_found) ? Result<std::optional<StoredManifest>>(std::nullopt)
                                             : Fail(std::move(found).error());
  }
  Result<std::vector<Descriptor>> referrers(const Ctx& ctx, const Digest& subject) override {
    return remote_.referrers(ctx, repository_, subject);
  }
  Result<std::string> blob(const Ctx& ctx, const Descriptor& blob) override {
    return remote_.blob(ctx, repository_, blob, max_blob);
  }
  Result<> put(const Ctx& ctx, const std::vector<std::string>& blobs, const Manifest& manifest,
               const std::string& tag) override {
    TRY(auto reference, tag.empty() ? Result<Reference>(repository_) : with(tag));
    if (tag.empty()) reference.tag.clear();
    return remote_.put(ctx, reference, blobs, manifest);
  }

 private:
  Result<Reference> with(const std::string& tag_or_digest) const {
    auto out = repository_;
    out.tag.clear(), out.digest = {};
    if (tag_or_digest.contains(':')) {
      TRY(out.digest, Digest::parse(tag_or_digest));
    } else {
      out.tag = tag_or_digest;
    }
    return out;
  }
  Remote& remote_;
  Reference repository_;
};

}  // namespace

std::unique_ptr<ImagePlace> place_in(Registry& registry, std::string repository, std::string name) {
  return std::make_unique<Here>(registry, std::move(repository), std::move(name));
}

std::unique_ptr<ImagePlace> place_at(Remote& remote, Reference repository) {
  return std::make_unique<Elsewhere>(remote, std::move(repository));
}

}  // namespace slipway::oci
