// Signatures, SBOMs and provenance of images elsewhere.
#include "base/encode.h"
#include "oci/detail/remote.h"

namespace slipway::oci {

using detail::Call;
using detail::refusal;

namespace {

// Rule: distribution-spec 1.1, referrers tag schema.
std::string tag_for(const Digest& subject) {
  return fmt::format("{}-{}", subject.algorithm().substr(0, 32), subject.hex().substr(0, 64));
}

Descriptor listed(const Manifest& manifest, const Descriptor& stored) {
  auto out = stored;
  out.artifact_type = manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
  out.annotations = manifest.annotations;
  return out;
}

}  // namespace

Result<Index> Remote::Rep::referrers_tag(const Ctx& ctx, const Reference& repository, const Digest& subject) {
  auto reference = repository;
  reference.digest = {}, reference.tag = tag_for(subject);
  auto stored = manifest(ctx, reference);
  if (!stored) return stored.error().is(Kind::not_found) ? Result<Index>(Index{}) : Fail(std::move(stored).error());
  return is_index(stored->descriptor.media_type) ? parse_index(stored->bytes) : Result<Index>(Index{});
}

Result<> Remote::Rep::put_manifest(const Ctx& ctx, const Reference& to, const std::string& as,
                                   std::string_view media_type, std::string bytes, bool* lists_referrers) {
  Call put{.method = "PUT",
           .target = fmt::format("/v2/{}/manifests/{}", to.repository, as),
           .repository = to.repository,
           .actions = "pull,push",
           .body = std::move(bytes)};
  put.headers.set("Content-Type", media_type);
  TRY(auto response, session(to.host)->send(ctx, put));
  if (!response.ok()) return refusal(response, to.print());
  if (lists_referrers) *lists_referrers = response.headers.get("oci-subject").has_value();
  return {};
}

Result<std::vector<Descriptor>> Remote::referrers(const Ctx& ctx, const Reference& repository, const Digest& subject) {
  Call call{.target = fmt::format("/v2/{}/referrers/{}", repository.repository, subject.str())};
  call.headers.set("Accept", media::index);
  TRY(auto response, rep_->read(ctx, repository, std::move(call)));
  // Some answer with something else than the list: then it is as if they had none.
  auto list = response.ok() ? parse_index(response.body) : Result<Index>(Index{});
  auto out = list ? std::move(list->manifests) : std::vector<Descriptor>();
  if (!response.ok() && response.status != 404 && response.status != 400 && response.status != 405)
    return refusal(response, repository.name());
  TRY(auto tagged, rep_->referrers_tag(ctx, repository, subject));
  for (auto& one : tagged.manifests)
    if (std::none_of(out.begin(), out.end(), [&](auto& known) { return known.digest == one.digest; }))
      out.push_back(std::move(one));
  return out;
}

Result<std::string> Remote::blob(const Ctx& ctx, const Reference& repository, const Descriptor& blob,
                                 std::size_t limit) {
  auto doing = fmt::format("{}: blob {}", repository.name(), blob.digest.short_hex());
  if (blob.size > limit)
    return fail(Kind::invalid, "{}: {} bytes are more than the {} that fit", doing, blob.size, limit);
  std::string bytes;
  Call call{.target = fmt::format("/v2/{}/blobs/{}", repository.repository, blob.digest.str())};
  call.sink = [&](std::string_view piece) {
    bytes += piece;
    return bytes.size() <= blob.size;
  };
  auto response = rep_->read(ctx, repository, std::move(call));
  if (bytes.size() > blob.size) return fail(Kind::corrupt, "{}: more than {} bytes come", doing, blob.size);
  if (!response) return Fail(std::move(response).error().in(doing));
  if (!response->ok()) return refusal(*response, doing);
  if (!detail::fits(blob.digest, bytes)) return fail(Kind::corrupt, "{}: other bytes come than its digest says", doing);
  return bytes;
}

Result<> Remote::put(const Ctx& ctx, const Reference& to, const std::vector<std::string>& blobs,
                     const Manifest& manifest) {
  auto with = rep_->session(to.host);
  for (const auto& bytes : blobs) {
    auto digest = Digest::of(bytes);
    auto doing = fmt::format("{}: blob {}", to.name(), digest.short_hex());
    Call call{.method = "HEAD",
              .target = fmt::format("/v2/{}/blobs/{}", to.repository, digest.str()),
              .repository = to.repository,
              .actions = "pull,push"};
    TRY(auto there, with->send(ctx, call));
    if (there.ok()) continue;
    call.method = "POST", call.target = fmt::format("/v2/{}/blobs/uploads/", to.repository);
    TRY(auto started, with->send(ctx, call));
    auto location = started.headers.get("location");
    if (started.status != 202 || !location) return refusal(started, doing);
    call.method = "PUT", call.target = with->absolute(*location);
    call.target += (call.target.contains('?') ? "&" : "?") + ("digest=" + percent_encode(digest.str()));
    call.body = bytes;
    call.headers.set("Content-Type", "application/octet-stream");
    TRY(auto done, with->send(ctx, call));
    if (!done.ok()) return refusal(done, doing);
  }
  auto bytes = print(manifest);
  Descriptor stored{.media_type = manifest.media_type, .digest = Digest::of(bytes), .size = bytes.size()};
  bool lists = false;
  TRY_OK(
      rep_->put_manifest(ctx, to, to.tag.empty() ? stored.digest.str() : to.tag, manifest.media_type, bytes, &lists));
  if (!manifest.subject || lists) return {};
  TRY(auto index, rep_->referrers_tag(ctx, to, manifest.subject->digest));
  for (const auto& known : index.manifests)
    if (known.digest == stored.digest) return {};
  index.manifests.push_back(listed(manifest, stored));
  return rep_->put_manifest(ctx, to, tag_for(manifest.subject->digest), media::index, print(index), nullptr);
}

}  // namespace slipway::oci
