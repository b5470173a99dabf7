#include "oci/registry.h"

#include <ctime>

#include "base/log.h"
#include "doc/json.h"
#include "oci/detail/registry_rep.h"

namespace slipway::oci {

std::shared_ptr<const RegistryRules> Registry::Rep::rules() const {
  static const auto defaults = std::make_shared<const RegistryRules>();
  auto own = options.rules ? options.rules() : nullptr;
  return own ? own : defaults;
}

Result<std::uint64_t> Registry::Rep::usage(std::string_view repository) const {
  TRY(auto usage, catalogue->usage(repository));
  for (const auto& digest : usage.unknown) {
    TRY(auto stored, catalogue->stored(digest));
    TRY(auto size, stored ? blobs.size(*stored) : Result<std::optional<std::uint64_t>>(std::nullopt));
    TRY_OK(catalogue->set_size(digest, size.value_or(0)));
    usage.bytes += size.value_or(0);
  }
  return usage.bytes;
}

Result<std::optional<std::uint64_t>> Registry::Rep::room(std::string_view repository) const {
  auto quota = rules()->quota(repository);
  if (!quota) return std::optional<std::uint64_t>();
  TRY(auto used, usage(repository));
  return std::optional(*quota - std::min(*quota, used));
}

Result<bool> Registry::Rep::remove(std::string_view repository, const std::string& reference) {
  auto own = rules();
  auto refuse = [&](std::string_view tag) {
    return fail(Kind::denied, "{}:{}: this tag is immutable", repository, tag);
  };
  if (reference.find(':') == std::string::npos) {
    if (own->is_immutable(repository, reference)) return refuse(reference);
    return catalogue->remove_tag(repository, reference);
  }
  TRY(auto digest, Digest::parse(reference));
  TRY(auto tags, catalogue->tags_of(repository, digest));
  for (const auto& tag : tags)
    if (own->is_immutable(repository, tag)) return refuse(tag);
  return catalogue->remove_manifest(repository, digest);
}

void Registry::Rep::pulled(std::string_view repository, std::string_view reference) {
  constexpr std::int64_t every = 60;
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  bool due = false;
  {
    auto pulls = pulls_.lock();
    if (pulls->written == 0) pulls->written = now;
    pulls->at[{std::string(repository), std::string(reference)}] = now;
    due = pulls->written + every < now || pulls->at.size() > 4096;
  }
  if (!due) return;
  if (auto r = write_pulls(); !r) LOG(warn, "oci.registry.pulls", {"error", r.error().what()});
}

Result<> Registry::Rep::write_pulls() {
  std::map<detail::Pull, std::int64_t> taken;
  {
    auto pulls = pulls_.lock();
    pulls->at.swap(taken);
    pulls->written = static_cast<std::int64_t>(std::time(nullptr));
  }
  return catalogue->note_pulls(taken);
}

Result<std::optional<StoredManifest>> Registry::Rep::manifest(std::string_view repository,
                                                              std::string_view reference) const {
  TRY(auto row, catalogue->manifest(repository, reference));
  if (!row) return std::optional<StoredManifest>();
  auto bytes = blobs.read(row->stored);
  if (!bytes) return Fail(std::move(bytes).error().in(fmt::format("manifest {} of {}", row->digest.str(), repository)));
  StoredManifest stored;
  stored.descriptor = {.media_type = row->media_type,
                       .digest = row->digest,
                       .size = row->size,
                       .annotations = {},
                       .platform = {},
                       .artifact_type = {}};
  stored.bytes = *std::move(bytes);
  return stored;
}

// The list, and what clients kept in a tag before there was a list (distribution-spec 1.1, "referrers tag schema").
Result<std::vector<std::string>> Registry::Rep::referrers(std::string_view repository, const Digest& subject,
                                                          std::string_view artifact_type) const {
  TRY(auto list, catalogue->referrers(repository, subject, artifact_type));
  auto tag = fmt::format("{}-{}", subject.algorithm(), subject.hex().substr(0, 64));
  TRY(auto fallback, manifest(repository, tag));
  if (!fallback || !is_index(fallback->descriptor.media_type)) return list;
  auto index = parse_index(fallback->bytes);
  if (!index) return list;
  for (const auto& d : index->manifests) {
    if (!artifact_type.empty() && d.artifact_type != artifact_type) continue;
    auto known = std::any_of(list.begin(), list.end(),
                             [&](const std::string& text) { return text.find(d.digest.str()) != std::string::npos; });
    if (!known) list.push_back(doc::print_json(to_doc(d)));
  }
  return list;
}

Result<std::unique_ptr<Registry>> Registry::open(store::BlobStore& blobs, const fs::path& database,
                                                 RegistryOptions options) {
  auto rep = std::make_unique<Rep>(blobs, std::move(options));
  if (database.has_parent_path()) TRY_OK(make_dirs(database.parent_path()));
  TRY_IN(rep->catalogue, "registry", detail::Catalogue::open(database));
  TRY_IN(rep->uploads, "registry", detail::Uploads::open(blobs, database.native() + "-uploads"));
  TRY_IN(rep->access, "registry", detail::Access::open(rep->options));
  rep->mirror = std::make_unique<detail::Mirror>(*rep);
  return std::unique_ptr<Registry>(new Registry(std::move(rep)));
}

Registry::Registry(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Registry::~Registry() {
  if (auto r = rep_->write_pulls(); !r) LOG(warn, "oci.registry.pulls", {"error", r.error().what()});
}
store::BlobStore& Registry::blobs() const { return rep_->blobs; }

Result<std::optional<StoredManifest>> Registry::manifest(std::string_view repository,
                                                         std::string_view reference) const {
  return rep_->manifest(repository, reference);
}

namespace {
Result<> check_names(std::string_view repository, std::string_view tag) {
  if (!valid_repository(repository))
    return fail(Kind::invalid, "repository name {:?}: want lower-case path components", repository);
  if (!tag.empty() && !valid_tag(tag)) return fail(Kind::invalid, "tag {:?}: want letters, digits, '_', '.', '-'", tag);
  return {};
}
}  // namespace

Result<Descriptor> Registry::put_manifest(std::string_view repository, std::string_view tag,
                                          std::string_view media_type, std::string_view bytes,
                                          Completeness completeness) {
  std::vector<std::string> tags;
  if (!tag.empty()) tags.emplace_back(tag);
  return put_manifest(repository, tags, media_type, bytes, completeness);
}

Result<Descriptor> Registry::put_manifest(std::string_view repository, const std::vector<std::string>& tags,
                                          std::string_view media_type, std::string_view bytes,
                                          Completeness completeness) {
  TRY_OK(check_names(repository, ""));
  for (const auto& tag : tags) TRY_OK(check_names(repository, tag));
  Rep::Push push{.repository = std::string(repository),
                 .media_type = std::string(media_type),
                 .tags = tags,
                 .digest = {},
                 .children = completeness == Completeness::sparse ? Rep::Children::sparse : Rep::Children::store};
  TRY(auto pushed, rep_->push(push, bytes));
  return pushed.descriptor;
}

Result<> Registry::tag(std::string_view repository, std::string_view tag, const Digest& digest) {
  TRY_OK(check_names(repository, tag));
  TRY(bool found, rep_->catalogue->tag(repository, tag, digest, rep_->rules()->is_immutable(repository, tag)));
  if (!found) return fail(Kind::not_found, "{}@{}: no such manifest", repository, digest.str());
  if (rep_->options.pushed) rep_->options.pushed({std::string(repository), std::string(tag), digest});
  return {};
}

Result<std::vector<std::string>> Registry::repositories() const { return rep_->catalogue->repositories({}); }

Result<std::vector<std::string>> Registry::tags(std::string_view repository) const {
  TRY(auto tags, rep_->catalogue->tags(repository, {}));
  return tags ? *std::move(tags) : std::vector<std::string>();
}

Result<std::vector<Descriptor>> Registry::referrers(std::string_view repository, const Digest& subject,
                                                    std::string_view artifact_type) const {
  TRY(auto list, rep_->referrers(repository, subject, artifact_type));
  TRY(auto index, parse_index(fmt::format(R"({{"schemaVersion":2,"manifests":[{}]}})", fmt::join(list, ","))));
  return std::move(index.manifests);
}

Result<Descriptor> Registry::attach(std::string_view repository, const Digest& subject, std::string_view artifact_type,
                                    std::string_view media_type, std::string_view bytes,
                                    const std::map<std::string, std::string>& annotations) {
  TRY(auto row, rep_->catalogue->manifest(repository, subject.str()));
  if (!row) return fail(Kind::not_found, "attach to {}@{}: no such manifest", repository, subject.str());
  Manifest m;
  m.artifact_type = artifact_type;
  m.config = {.media_type = std::string(media::empty),
              .digest = {},
              .size = 2,
              .annotations = {},
              .platform = {},
              .artifact_type = {}};
  TRY(m.config.digest, rep_->blobs.put("{}"));
  Descriptor layer{.media_type = std::string(media_type),
                   .digest = {},
                   .size = bytes.size(),
                   .annotations = {},
                   .platform = {},
                   .artifact_type = {}};
  TRY(layer.digest, rep_->blobs.put(bytes));
  m.layers.push_back(std::move(layer));
  m.subject = Descriptor{.media_type = row->media_type,
                         .digest = row->digest,
                         .size = row->size,
                         .annotations = {},
                         .platform = {},
                         .artifact_type = {}};
  m.annotations = annotations;
  return put_manifest(repository, "", media::manifest, print(m));
}

Result<> Registry::remove_tag(std::string_view repository, std::string_view tag) {
  TRY(bool found, rep_->remove(repository, std::string(tag)));
  if (!found) return fail(Kind::not_found, "{}:{}: no such tag", repository, tag);
  return {};
}

Result<> Registry::remove_manifest(std::string_view repository, const Digest& digest) {
  TRY(bool found, rep_->remove(repository, digest.str()));
  if (!found) return fail(Kind::not_found, "{}@{}: no such manifest", repository, digest.str());
  return {};
}

Result<std::uint64_t> Registry::usage(std::string_view repository) const { return rep_->usage(repository); }

Result<std::vector<Digest>> Registry::reachable() const { return rep_->catalogue->reachable(); }

std::optional<Descriptor> choose_platform(const Index& index, const Platform& platform) {
  auto fits = [&](const Descriptor& d, bool exact) {
    return d.platform && d.platform->os == platform.os && d.platform->architecture == platform.architecture &&
           (exact ? d.platform->variant == platform.variant : platform.variant.empty() || d.platform->variant.empty());
  };
  for (bool exact : {true, false})
    for (const auto& d : index.manifests)
      if (fits(d, exact)) return d;
  if (index.manifests.size() == 1 && !index.manifests[0].platform) return index.manifests[0];
  return std::nullopt;
}

Result<Registry::Image> Registry::image(std::string_view repository, std::string_view reference,
                                        const Platform& platform) const {
  auto name = fmt::format("{}{}{}", repository, reference.find(':') == std::string_view::npos ? ":" : "@", reference);
  TRY(auto stored, manifest(repository, reference));
  if (!stored) return fail(Kind::not_found, "{}: no such image in the registry", name);
  for (int depth = 0; is_index(stored->descriptor.media_type); ++depth) {
    if (depth == 4) return fail(Kind::invalid, "{}: index within index within index", name);
    TRY_IN(auto index, name, parse_index(stored->bytes));
    auto chosen = choose_platform(index, platform);
    if (!chosen) {
      std::vector<std::string> there;
      for (const auto& d : index.manifests)
        if (d.platform && d.platform->os != "unknown") there.push_back(d.platform->print());
      return fail(Kind::not_found, "{}: has no image for {}, only for {}", name, platform.print(),
                  fmt::join(there, ", "));
    }
    TRY(stored, manifest(repository, chosen->digest.str()));
    if (!stored) return fail(Kind::not_found, "{}: its image for {} is not here", name, platform.print());
  }
  Image image;
  image.digest = stored->descriptor.digest;
  TRY_IN(image.manifest, name, parse_manifest(stored->bytes));
  TRY(auto config_at, rep_->catalogue->stored(image.manifest.config.digest));
  if (!config_at) return fail(Kind::not_found, "{}: its configuration is not here", name);
  TRY_IN(auto config, name, rep_->blobs.read(*config_at, rep_->options.max_manifest * 4));
  TRY_IN(image.config, name, parse_config(config));
  return image;
}

}  // namespace slipway::oci
