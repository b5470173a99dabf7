// A manifest comes in: what it may name, whether it fits, and its name in one transaction with the look at its blobs.
#include "base/metrics.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/detail/registry_rep.h"

namespace slipway::oci {

namespace {

Counter manifests_pushed("slipway_oci_manifests_pushed_total", "manifests stored in the registry");

bool is_manifest(std::string_view type) { return type == media::manifest || type == media::docker_manifest; }

// The document's own word for what it is, or what its shape says.
Result<std::string> type_of(std::string_view bytes, std::string_view given) {
  auto value = doc::parse_json(bytes, "manifest");
  if (!value) return Fail(std::move(value).error());
  doc::View view(*value, "manifest");
  auto own = view["mediaType"].str_or("");
  auto bare = given.substr(0, given.find(';'));
  while (!bare.empty() && bare.back() == ' ') bare.remove_suffix(1);
  if (!own.empty() && !bare.empty() && own != bare)
    return fail(Kind::invalid, "mediaType is {}, but it is sent as {}", own, bare);
  std::string type = own.empty() ? std::string(bare) : own;
  if (type.empty()) type = view["manifests"].exists() ? media::index : media::manifest;
  if (!is_manifest(type) && !is_index(type)) {
    return fail(Kind::invalid, "media type {} is not supported, want an OCI or Docker version 2 manifest or index",
                type);
  }
  return type;
}

}  // namespace

Result<detail::PutTerms> Registry::Rep::terms_of(const Push& push, const std::vector<Descriptor>& blobs_named,
                                                 const std::vector<Descriptor>& manifests_named) const {
  detail::PutTerms terms;
  terms.present = [this](const Digest& stored) { return blobs.contains(stored); };
  auto own = rules();
  for (const auto& tag : push.tags)
    if (own->is_immutable(push.repository, tag)) terms.immutable.push_back(tag);
  if (push.children == Children::later) return terms;
  using Blobs = detail::PutTerms::Blobs;
  terms.blobs = push.children == Children::repository ? Blobs::linked : Blobs::link;
  for (const auto& d : blobs_named) {
    TRY(auto stored, catalogue->stored(d.digest));
    TRY(auto size, stored ? blobs.size(*stored) : Result<std::optional<std::uint64_t>>(std::nullopt));
    bool here = size.has_value();
    if (here && push.children == Children::repository) {
      TRY(here, catalogue->has_blob(push.repository, d.digest));
    }
    if (!here) return fail(Kind::not_found, "blob {} is not in {}", d.digest.str(), push.repository);
    if (push.children == Children::repository && d.size != *size)
      return fail(Kind::invalid, "blob {} has {} bytes, the manifest says {}", d.digest.str(), *size, d.size);
    terms.named.push_back({d.digest, *stored, *size});
  }
  if (push.children == Children::sparse) return terms;
  for (const auto& d : manifests_named) {
    TRY(auto child, catalogue->manifest(push.repository, d.digest.str()));
    if (!child) return fail(Kind::not_found, "manifest {} is not in {}", d.digest.str(), push.repository);
  }
  return terms;
}

Result<> Registry::Rep::check_room(const Push& push, const detail::ManifestRow& row,
                                   const detail::PutTerms& terms) const {
  if (push.children == Children::later) return {};
  TRY(auto left, room(push.repository));
  if (!left) return {};
  TRY(auto held, catalogue->manifest(push.repository, row.digest.str()));
  std::uint64_t more = held ? 0 : row.size;
  for (const auto& blob : terms.named) {
    TRY(bool linked, catalogue->has_blob(push.repository, blob.digest));
    if (!linked) more += blob.size;
  }
  if (more <= *left) return {};
  return fail(Kind::denied, "{}: {} more bytes do not fit: {} of its quota of {} are left", push.repository, more,
              *left, rules()->quota(push.repository).value_or(0));
}

Result<Registry::Rep::Pushed> Registry::Rep::push(const Push& push, std::string_view bytes) {
  if (bytes.size() > options.max_manifest)
    return fail(Kind::denied, "manifest has {} bytes, want at most {}", bytes.size(), options.max_manifest);
  detail::ManifestRow row;
  row.stored = Digest::of(bytes);
  row.digest = row.stored;
  row.size = bytes.size();
  if (!push.digest.empty() && push.digest.algorithm() == "sha512")
    row.digest = Hasher(Hasher::Algorithm::sha512).update(bytes).finish();
  if (!push.digest.empty() && push.digest != row.digest)
    return fail(Kind::conflict, "the bytes have the digest {}, want {}", row.digest.str(), push.digest.str());
  TRY(row.media_type, type_of(bytes, push.media_type));

  Descriptor referrer{.media_type = row.media_type,
                      .digest = row.digest,
                      .size = row.size,
                      .annotations = {},
                      .platform = {},
                      .artifact_type = {}};
  std::vector<Descriptor> blobs_named, manifests_named;
  std::optional<Descriptor> subject;
  if (is_index(row.media_type)) {
    TRY(auto index, parse_index(bytes));
    manifests_named = std::move(index.manifests);
    subject = std::move(index.subject);
    referrer.artifact_type = index.artifact_type;
    referrer.annotations = std::move(index.annotations);
  } else {
    TRY(auto manifest, parse_manifest(bytes));
    blobs_named.push_back(manifest.config);
    for (auto& layer : manifest.layers)
      if (!is_foreign(layer.media_type)) blobs_named.push_back(std::move(layer));
    subject = std::move(manifest.subject);
    referrer.artifact_type = manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
    referrer.annotations = std::move(manifest.annotations);
  }
  TRY(auto terms, terms_of(push, blobs_named, manifests_named));
  TRY_OK(check_room(push, row, terms));
  for (const auto* list : {&blobs_named, &manifests_named})
    for (const auto& d : *list) row.children.push_back(d.digest);
  row.artifact_type = referrer.artifact_type;
  if (subject) row.subject = subject->digest;
  row.referrer = doc::print_json(to_doc(referrer));
  for (int attempt = 1;; ++attempt) {
    if (!blobs.contains(row.stored)) TRY_OK(catalogue->expect(row.stored));  // killed before its name: freed later
    TRY_OK(blobs.put(bytes));
    auto done = catalogue->put(push.repository, row, push.tags, terms);
    if (done) break;
    if (!done.error().is(Kind::conflict)) return Fail(std::move(done).error());
    // Taken for garbage between the bytes and the name: once more.
    if (attempt == 3) return Fail(std::move(done).error().as(Kind::unavailable));
  }
  manifests_pushed.add();
  if (options.pushed) {
    if (push.tags.empty()) options.pushed({push.repository, "", row.digest});
    for (const auto& tag : push.tags) options.pushed({push.repository, tag, row.digest});
  }
  referrer.annotations.clear();
  if (!is_index(row.media_type)) referrer.artifact_type.clear();
  return Pushed{std::move(referrer), row.subject};
}

}  // namespace slipway::oci
