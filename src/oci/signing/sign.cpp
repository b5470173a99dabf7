#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/signing/keyless.h"

namespace slipway::oci {
namespace {

constexpr std::string_view simple_type = "application/vnd.dev.cosign.simplesigning.v1+json",
                           envelope_type = "application/vnd.dsse.envelope.v1+json",
                           signature_mark = "dev.cosignproject.cosign/signature",
                           notation_type = "application/vnd.cncf.notary.signature";

std::string tag_of(const Digest& image, std::string_view suffix) {
  return fmt::format("{}-{}.{}", image.algorithm(), image.hex(), suffix);
}

Descriptor described(std::string_view type, std::string_view bytes) {
  return {.media_type = std::string(type), .digest = Digest::of(bytes), .size = bytes.size()};
}

Manifest empty_manifest() {
  Manifest out;
  out.config = described(media::empty, "{}");
  return out;
}

std::string simple_payload(const std::string& name, const Digest& image,
                           const std::map<std::string, std::string>& annotations) {
  doc::Value optional;
  for (const auto& [key, value] : annotations) optional[key] = value;
  return doc::print_json(doc::Map{{"critical", doc::Map{{"identity", doc::Map{{"docker-reference", name}}},
                                                        {"image", doc::Map{{"docker-manifest-digest", image.str()}}},
                                                        {"type", "cosign container image signature"}}},
                                  {"optional", optional}});
}

// Whom a payload of this form is about. Errors: invalid.
Result<Endorsement> read_simple(std::string_view payload, const Digest& image) {
  TRY(auto value, doc::parse_json(payload, "signature"));
  doc::View view(value, "signature");
  auto critical = view["critical"];
  if (critical["type"].str_or("") != "cosign container image signature") return critical.wrong("another type");
  if (critical["image"]["docker-manifest-digest"].str_or("") != image.str()) return critical.wrong("another image");
  Endorsement out{.predicate_type = std::string(predicate::signature), .classic = true};
  for (const auto& [key, annotation] : view["optional"].members()) out.annotations[key] = annotation.text();
  return out;
}

// The tag holds one manifest with a layer a signature.
Result<Manifest> manifest_at(const Ctx& ctx, ImagePlace& place, const std::string& tag) {
  TRY(auto stored, place.manifest(ctx, tag));
  return stored ? parse_manifest(stored->bytes) : empty_manifest();
}

constexpr std::string_view wants_root = "a keyless signature wants a trust root and an identity";

class Reader {
 public:
  Reader(const Ctx& ctx, ImagePlace& place, const Digest& image, const std::vector<VerificationKey>& keys,
         const Keyless* keyless)
      : ctx_(ctx), place_(place), image_(image), keys_(keys), keyless_(keyless) {}

  Result<Endorsements> read() {
    for (const auto* suffix : {"sig", "att"}) {
      TRY(auto manifest, manifest_at(ctx_, place_, tag_of(image_, suffix)));
      for (const auto& layer : manifest.layers) TRY_OK(read_layer(layer));
    }
    return read_bundles();
  }
  Result<Endorsements> read_bundles() {
    TRY(auto referrers, place_.referrers(ctx_, image_));
    for (const auto& referrer : referrers) {
      if (referrer.artifact_type.starts_with("application/vnd.dev.sigstore.bundle")) TRY_OK(read_bundle(referrer));
      if (referrer.artifact_type == notation_type) {
        ++out_.others;
        out_.why = "Notation's signatures are not verified here";
      }
    }
    return std::move(out_);
  }

 private:
  Result<> read_layer(const Descriptor& layer) {
    bool simple = layer.media_type == simple_type;
    if (!simple && layer.media_type != envelope_type) return {};
    auto bytes = place_.blob(ctx_, layer);
    if (!bytes) return broken(bytes.error());
    if (!simple) {
      take(*bytes);
      return {};
    }
    auto found = layer.annotations.find(std::string(signature_mark));
    auto signature = found == layer.annotations.end() ? Result<std::string>(fail(Kind::invalid, "no signature"))
                                                      : from_base64(found->second);
    for (std::size_t i = 0; signature && i < keys_.size(); ++i) {
      if (!keys_[i].verifies(*bytes, *signature)) continue;
      auto read = read_simple(*bytes, image_);
      if (!read) break;
      read->key = i;
      out_.found.push_back(*std::move(read));
      return {};
    }
    if (signature && keyless_ != nullptr) {
      auto signer = signing::check_annotations(layer.annotations, *bytes, *signature, keyless_->trust.parts());
      auto read = counts(signer) ? read_simple(*bytes, image_) : Result<Endorsement>(fail(Kind::denied, "others"));
      if (read) {
        read->signer = shown(*signer);
        out_.found.push_back(*std::move(read));
        return {};
      }
    }
    if (keyless_ == nullptr && layer.annotations.contains("dev.sigstore.cosign/certificate")) out_.why = wants_root;
    ++out_.others;
    return {};
  }

  // Whether a keyless signature holds, and is by somebody who counts.
  bool counts(const Result<signing::Signer>& signer) {
    if (!signer) {
      if (signer.error().is(Kind::denied)) out_.why = signer.error().what();
      return false;
    }
    if (signing::is_one_of(*signer, keyless_->identities)) return true;
    out_.why = "signed by " + shown(*signer);
    return false;
  }
  static std::string shown(const signing::Signer& signer) {
    return fmt::format("{} ({})", signer.subject, signer.issuer);
  }

  Result<> read_bundle(const Descriptor& referrer) {
    auto stored = place_.manifest(ctx_, referrer.digest.str());
    if (!stored) return broken(stored.error());
    auto manifest = *stored ? parse_manifest((*stored)->bytes) : Result<Manifest>(fail(Kind::not_found, "gone"));
    if (!manifest) return broken(manifest.error());
    for (const auto& layer : manifest->layers) {
      if (!layer.media_type.starts_with("application/vnd.dev.sigstore.bundle")) continue;
      auto bytes = place_.blob(ctx_, layer);
      if (!bytes) return broken(bytes.error());
      take(*bytes);
    }
    return {};
  }

  void take(std::string_view json) {
    auto opened = signing::open_bundle(json, keys_);
    if (opened && names_it(opened->first)) {
      Endorsement one{.predicate_type = opened->first.predicate_type, .key = opened->second};
      one.predicate = std::move(opened->first.predicate);
      out_.found.push_back(std::move(one));
    } else if (opened || keyless_ == nullptr || !take_keyless(json)) {
      if (!opened && keyless_ == nullptr && signing::is_keyless(json)) out_.why = wants_root;
      ++out_.others;
    }
  }
  bool take_keyless(std::string_view json) {
    auto opened = signing::open_keyless(json, keyless_->trust.parts());
    if (!counts(opened ? Result<signing::Signer>(opened->second) : Fail(opened.error()))) return false;
    if (!names_it(opened->first)) return false;
    Endorsement one{.predicate_type = opened->first.predicate_type, .signer = shown(opened->second)};
    one.predicate = std::move(opened->first.predicate);
    out_.found.push_back(std::move(one));
    return true;
  }
  bool names_it(const signing::Statement& statement) const {
    return std::find(statement.sha256.begin(), statement.sha256.end(), image_.hex()) != statement.sha256.end();
  }

  // What somebody attached may be any rubbish: it counts for nothing. A registry that does not answer is another thing.
  Result<> broken(const Error& error) {
    if (error.is(Kind::invalid) || error.is(Kind::not_found) || error.is(Kind::corrupt)) {
      ++out_.others;
      return {};
    }
    return Fail(error);
  }

  const Ctx& ctx_;
  ImagePlace& place_;
  const Digest& image_;
  const std::vector<VerificationKey>& keys_;
  const Keyless* keyless_;  // null: keys alone count
  Endorsements out_;
};

Result<> sign_classic(const Ctx& ctx, ImagePlace& place, const Digest& image, const SigningKey& key,
                      const SignOptions& options) {
  auto payload = simple_payload(place.name(), image, options.annotations);
  auto tag = tag_of(image, "sig");
  TRY(auto manifest, manifest_at(ctx, place, tag));
  TRY(auto verifier, VerificationKey::load(key.public_pem()));
  for (const auto& layer : manifest.layers) {
    auto found = layer.annotations.find(std::string(signature_mark));
    auto old = found == layer.annotations.end() ? Result<std::string>(std::string()) : from_base64(found->second);
    if (layer.digest == Digest::of(payload) && old && verifier.verifies(payload, *old)) return {};
  }
  TRY(auto signature, key.sign(payload));
  auto layer = described(simple_type, payload);
  layer.annotations[std::string(signature_mark)] = to_base64(signature);
  manifest.layers.push_back(std::move(layer));
  return place.put(ctx, {"{}", payload}, manifest, tag);
}

Result<bool> has_bundle(const Ctx& ctx, ImagePlace& place, const Digest& image, const SigningKey& key) {
  std::vector<VerificationKey> own;
  TRY(auto verifier, VerificationKey::load(key.public_pem()));
  own.push_back(std::move(verifier));
  TRY(auto bundles, Reader(ctx, place, image, own, nullptr).read_bundles());
  return std::any_of(bundles.found.begin(), bundles.found.end(),
                     [](const Endorsement& one) { return one.predicate_type == predicate::signature; });
}

Result<> attach_bundle(const Ctx& ctx, ImagePlace& place, const Digest& image, std::string_view type,
                       const doc::Value& said, const SigningKey& key, const std::string& created) {
  TRY(auto subject, place.manifest(ctx, image.str()));
  if (!subject) return fail(Kind::not_found, "{}@{}: no such image", place.name(), image.str());
  TRY(auto bundle, signing::make_bundle(signing::print_statement(place.name(), image, type, said), key));
  auto manifest = empty_manifest();
  manifest.artifact_type = bundle_type;
  manifest.layers.push_back(described(bundle_type, bundle));
  manifest.subject = subject->descriptor;
  manifest.subject->annotations.clear(), manifest.subject->artifact_type.clear(), manifest.subject->platform.reset();
  manifest.annotations = {{"dev.sigstore.bundle.content", "dsse-envelope"},
                          {"dev.sigstore.bundle.predicateType", std::string(type)}};
  if (!created.empty()) manifest.annotations["org.opencontainers.image.created"] = created;
  return place.put(ctx, {"{}", bundle}, manifest, "");
}

}  // namespace

Result<> sign_image(const Ctx& ctx, ImagePlace& place, const Digest& image, const SigningKey& key,
                    const SignOptions& options) {
  if (options.classic) TRY_OK(sign_classic(ctx, place, image, key, options));
  if (!options.bundle) return {};
  if (!options.first_bundle) {
    TRY(bool there, has_bundle(ctx, place, image, key));
    if (there) return {};
  }
  return attach_bundle(ctx, place, image, predicate::signature, doc::Map{}, key, options.created);
}

Result<> attest_image(const Ctx& ctx, ImagePlace& place, const Digest& image, std::string_view predicate_type,
                      const doc::Value& said, const SigningKey& key, const std::string& created) {
  return attach_bundle(ctx, place, image, predicate_type, said, key, created);
}

Result<Endorsements> endorsements(const Ctx& ctx, ImagePlace& place, const Digest& image,
                                  const std::vector<VerificationKey>& keys, const Keyless* keyless) {
  return Reader(ctx, place, image, keys, keyless).read();
}

bool is_attachment_tag(std::string_view tag) {
  auto dash = tag.find('-');
  if (dash == std::string_view::npos) return false;
  auto algorithm = tag.substr(0, dash), rest = tag.substr(dash + 1);
  auto hex = rest.substr(0, rest.find('.'));
  auto suffix = rest.substr(hex.size());
  bool named = (algorithm == "sha256" || algorithm == "sha512") && hex.size() >= 64 &&
               hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return named && (suffix.empty() || suffix == ".sig" || suffix == ".att" || suffix == ".sbom");
}

Result<bool> has_signature(const Registry& registry, std::string_view repository, const Digest& image) {
  TRY(auto classic, registry.manifest(repository, tag_of(image, "sig")));
  if (classic) return true;
  TRY(auto referrers, registry.referrers(repository, image));
  return std::any_of(referrers.begin(), referrers.end(), [](const Descriptor& one) {
    if (one.artifact_type == notation_type) return true;
    auto type = one.annotations.find("dev.sigstore.bundle.predicateType");
    return type != one.annotations.end() && type->second == predicate::signature;
  });
}

}  // namespace slipway::oci
