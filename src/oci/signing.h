#pragma once
// Signatures and attestations of images, as stock cosign makes and reads them: made by keys, without a transparency
// log; verified by keys, or by a trust root of Sigstore's ("keyless": a certificate says who signed). Formats: cosign's
// "simple signing" in the tag sha256-HEX.sig, and Sigstore bundles v0.3 as referrers.
#include <map>
#include <memory>

#include "doc/value.h"
#include "oci/registry.h"
#include "oci/remote.h"

namespace slipway::oci {

// Threads: any. The key is in memory only.
class SigningKey {
 public:
  static Result<SigningKey> generate();  // ECDSA P-256
  // A file of cosign's (password; empty for none), or an unencrypted PEM. Errors: invalid, denied (the password).
  static Result<SigningKey> load(std::string_view text, std::string_view password = {});
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();
  Result<std::string> sealed(std::string_view password) const;  // cosign's file: scrypt and secretbox
  std::string public_pem() const;
  Result<std::string> sign(std::string_view bytes) const;  // ECDSA with SHA-256, ASN.1

 private:
  explicit SigningKey(void* key) : key_(key) {}
  void* key_ = nullptr;  // EVP_PKEY; OpenSSL's headers stay out of ours
};

class VerificationKey {
 public:
  // PEM: ECDSA, RSA (PKCS #1 v1.5) or Ed25519. Errors: invalid.
  static Result<VerificationKey> load(std::string_view pem);
  VerificationKey(VerificationKey&&) noexcept;
  VerificationKey& operator=(VerificationKey&&) noexcept;
  ~VerificationKey();
  bool verifies(std::string_view bytes, std::string_view signature) const;
  std::string hint() const;  // base64 of the sha256 of its DER, as bundles name keys

 private:
  explicit VerificationKey(void* key) : key_(key) {}
  void* key_ = nullptr;
};

namespace signing {
struct TrustParts;
}
// Whom keyless signatures are believed by: authorities of certificates and timestamps, and logs. Threads: any.
class TrustRoot {
 public:
  // Sigstore's trusted_root.json. Errors: invalid, with the field.
  static Result<TrustRoot> load(std::string_view json);
  const signing::TrustParts& parts() const { return *parts_; }

 private:
  explicit TrustRoot(std::shared_ptr<const signing::TrustParts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const signing::TrustParts> parts_;
};
struct Identity {
  std::string subject;  // mail address or URI; a glob when it has a star
  std::string issuer;   // by whose word: the URL of an OpenID provider
};
struct Keyless {
  TrustRoot trust;
  std::vector<Identity> identities;  // who counts
};

// A repository, here or elsewhere.
class ImagePlace {
 public:
  virtual ~ImagePlace() = default;
  virtual std::string name() const = 0;  // "host/repository": what a signature says it is of
  virtual Result<std::optional<StoredManifest>> manifest(const Ctx& ctx, const std::string& tag_or_digest) = 0;
  virtual Result<std::vector<Descriptor>> referrers(const Ctx& ctx, const Digest& subject) = 0;
  virtual Result<std::string> blob(const Ctx& ctx, const Descriptor& blob) = 0;  // at most 16 MB
  // Blobs, then the manifest that names them; tag "" for none.
  virtual Result<> put(const Ctx& ctx, const std::vector<std::string>& blobs, const Manifest& manifest,
                       const std::string& tag) = 0;
};
std::unique_ptr<ImagePlace> place_in(Registry& registry, std::string repository, std::string name);
std::unique_ptr<ImagePlace> place_at(Remote& remote, Reference repository);

inline constexpr std::string_view bundle_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
namespace predicate {
inline constexpr std::string_view signature = "https://sigstore.dev/cosign/sign/v1";
inline constexpr std::string_view provenance = "https://slsa.dev/provenance/v1";
inline constexpr std::string_view cyclonedx = "https://cyclonedx.org/bom";
inline constexpr std::string_view spdx = "https://spdx.dev/Document";
}  // namespace predicate

struct SignOptions {
  bool classic = true, bundle = true;  // which of the two formats are written
  std::map<std::string, std::string> annotations;
  std::string created;  // RFC 3339
  // endorsements() has just found no bundle by this key: it is not looked for again.
  bool first_bundle = false;
};
// Signs the manifest with this digest, which is there. Once more by the same key changes nothing.
Result<> sign_image(const Ctx& ctx, ImagePlace& place, const Digest& image, const SigningKey& key,
                    const SignOptions& options);
// A signed in-toto statement about the image as a bundle. `said`: the predicate.
Result<> attest_image(const Ctx& ctx, ImagePlace& place, const Digest& image, std::string_view predicate_type,
                      const doc::Value& said, const SigningKey& key, const std::string& created);

struct Endorsement {
  std::string predicate_type;  // predicate::signature for a signature
  std::size_t key = 0;         // which of the keys
  std::string signer;          // of a keyless one: who; then `key` means nothing
  bool classic = false;
  doc::Value predicate;                            // of an attestation
  std::map<std::string, std::string> annotations;  // of a classic signature
};
// What these keys say of the image, or who else counts. What others say, or is broken, is left out and counted in
// `others`; why the last of them that is no key's did not count is in `why`.
// Errors: unavailable, denied. Nothing found is an empty list.
struct Endorsements {
  std::vector<Endorsement> found;
  std::size_t others = 0;
  std::string why;
};
Result<Endorsements> endorsements(const Ctx& ctx, ImagePlace& place, const Digest& image,
                                  const std::vector<VerificationKey>& keys, const Keyless* keyless = nullptr);

// Whether a tag holds what is said about an image and no image: cosign's sha256-HEX.sig, .att and .sbom, and the list
// of referrers as distribution-spec 1.1 has it in a tag.
bool is_attachment_tag(std::string_view tag);
// Whether anybody has attached a signature (cosign's two formats, Notation's); whose, and whether it holds, is another
// question.
Result<bool> has_signature(const Registry& registry, std::string_view repository, const Digest& image);

}  // namespace slipway::oci
