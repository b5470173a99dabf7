// key new; image sign, attest, verify: signatures and attestations as cosign has them.
#include <cstdlib>

#include "base/text.h"
#include "cli/command.h"
#include "cli/local_store.h"
#include "doc/json.h"
#include "oci/signing.h"

namespace slipway::cli {
namespace {

std::string password() {
  const char* given = std::getenv("COSIGN_PASSWORD");
  return given != nullptr ? given : "";
}

Result<int> key_new(const Ctx&, const Arguments& arguments, Io& io) {
  fs::path prefix = arguments.get("prefix", "cosign");
  auto secret = fs::path(prefix.string() + ".key"), open = fs::path(prefix.string() + ".pub");
  for (const auto& file : {secret, open})
    if (path_exists(file)) return fail(Kind::conflict, "{}: is there already, and is not overwritten", file.native());
  TRY(auto key, oci::SigningKey::generate());
  TRY(auto sealed, key.sealed(password()));
  TRY_OK(write_file(secret, sealed, 0600, Durable::yes));
  TRY_OK(write_file(open, key.public_pem(), 0644, Durable::yes));
  io.said(fmt::format("{} signs, {} verifies", secret.native(), open.native()),
          doc::Map{{"key", secret.native()}, {"public", open.native()}});
  if (password().empty()) io.note("the key has no password: COSIGN_PASSWORD gives one");
  return 0;
}

Result<oci::SigningKey> signing_key(const LocalStore& store, const Arguments& arguments) {
  auto file = arguments.has("key") ? fs::path(arguments.get("key")) : store.data / "pki" / "images.key";
  auto text = read_file(file, 1 << 20);
  if (!text)
    return Fail(std::move(text).error().with_hint("slipway key new makes one; --key FILE names one of cosign's"));
  TRY_IN(auto key, file.native(), oci::SigningKey::load(*text, password()));
  return key;
}

struct Target {
  std::unique_ptr<LocalStore> store;
  std::unique_ptr<oci::ImagePlace> place;
  Digest digest;
};

// Of the store when it is there, else of its registry.
Result<Target> target_of(const Ctx& ctx, const Arguments& arguments) {
  Target out;
  TRY(out.store, LocalStore::open(arguments));
  TRY(auto name, image_name(*out.store, arguments.get("image")));
  TRY(auto here, out.store->registry->manifest(name.repository, name.which()));
  if (name.ours && here) {
    out.place = oci::place_in(*out.store->registry, name.repository, name.bare ? name.repository : name.remote.name());
    out.digest = here->descriptor.digest;
    return out;
  }
  if (name.ours && !name.bare) return Fail(find_here(*out.store, name.given).error());
  TRY(auto stored, out.store->remote->manifest(ctx, name.remote));
  out.place = oci::place_at(*out.store->remote, name.remote);
  out.digest = stored.descriptor.digest;
  return out;
}

Result<int> sign(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto target, target_of(ctx, arguments));
  TRY(auto key, signing_key(*target.store, arguments));
  oci::SignOptions options{.created = rfc3339(ctx.clock->wall())};
  auto format = arguments.get("format");
  if (format != "both" && format != "bundle" && format != "classic")
    return fail(Kind::invalid, "--format \"{}\": want both, bundle or classic", format);
  options.classic = format != "bundle", options.bundle = format != "classic";
  for (const auto& given : arguments.all("annotation")) {
    auto pair = cut(given, "=");
    if (!pair) return fail(Kind::invalid, "--annotation \"{}\": want NAME=VALUE", given);
    options.annotations[std::string(pair->first)] = pair->second;
  }
  TRY_OK(oci::sign_image(ctx, *target.place, target.digest, key, options));
  io.said(fmt::format("signed {}@{}", target.place->name(), target.digest.str()),
          doc::Map{{"image", target.place->name()}, {"digest", target.digest.str()}});
  return 0;
}

// The short names that cosign knows.
std::string predicate_type(const std::string& given) {
  if (given == "slsaprovenance1" || given == "slsaprovenance") return std::string(oci::predicate::provenance);
  if (given == "cyclonedx") return std::string(oci::predicate::cyclonedx);
  if (given == "spdxjson" || given == "spdx") return std::string(oci::predicate::spdx);
  return given;
}

Result<int> attest(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto target, target_of(ctx, arguments));
  TRY(auto key, signing_key(*target.store, arguments));
  auto type = predicate_type(arguments.get("type"));
  if (!type.contains("://"))
    return fail(Kind::invalid, "--type \"{}\": want slsaprovenance1, cyclonedx, spdxjson or a URI", type);
  auto file = arguments.get("predicate");
  if (file.empty()) return fail(Kind::invalid, "--predicate: want the file of what is said, as JSON");
  TRY(auto text, read_file(file, 64 << 20));
  TRY(auto said, doc::parse_json(text, file));
  TRY_OK(oci::attest_image(ctx, *target.place, target.digest, type, said, key, rfc3339(ctx.clock->wall())));
  io.said(fmt::format("attested {} of {}@{}", type, target.place->name(), target.digest.str()),
          doc::Map{{"image", target.place->name()}, {"digest", target.digest.str()}, {"predicateType", type}});
  return 0;
}

// Whom a certificate must name, by cosign's words for it.
Result<std::optional<oci::Keyless>> keyless_in(const Arguments& arguments) {
  auto file = arguments.get("trusted-root"), subject = arguments.get("certificate-identity"),
       issuer = arguments.get("certificate-oidc-issuer");
  if (file.empty() && subject.empty() && issuer.empty()) return std::optional<oci::Keyless>();
  if (file.empty() || subject.empty() || issuer.empty())
    return Fail(Error(Kind::invalid,
                      "a keyless signature wants all of --trusted-root, --certificate-identity and "
                      "--certificate-oidc-issuer")
                    .with_hint("`cosign trusted-root create`, or Sigstore's own trusted_root.json"));
  TRY(auto text, read_file(file, 16 << 20));
  TRY_IN(auto trust, file, oci::TrustRoot::load(text));
  return std::optional(oci::Keyless{std::move(trust), {{subject, issuer}}});
}

Result<int> verify(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto target, target_of(ctx, arguments));
  TRY(auto keyless, keyless_in(arguments));
  auto files = arguments.all("key");
  if (files.empty() && !keyless) files.push_back((target.store->data / "pki" / "images.pub").native());
  std::vector<oci::VerificationKey> keys;
  for (const auto& file : files) {
    TRY(auto text, read_file(file, 1 << 20));
    TRY_IN(auto key, file, oci::VerificationKey::load(text));
    keys.push_back(std::move(key));
  }
  TRY(auto all, oci::endorsements(ctx, *target.place, target.digest, keys, keyless ? &*keyless : nullptr));
  auto wanted = arguments.has("type") ? predicate_type(arguments.get("type")) : std::string(oci::predicate::signature);
  doc::List found;
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : all.found) {
    if (one.predicate_type != wanted) continue;
    auto by = one.signer.empty() ? files[one.key] : one.signer;
    rows.push_back({one.classic ? "signature" : one.predicate_type, by});
    doc::Map shown{{"predicateType", one.predicate_type}};
    shown.set(one.signer.empty() ? "key" : "signer", by);
    shown.set("predicate", one.predicate);
    found.emplace_back(std::move(shown));
  }
  if (rows.empty())
    return Fail(Error(Kind::denied,
                      fmt::format("{}@{}: {} has signed {}{}{}", target.place->name(), target.digest.str(),
                                  keyless ? "nobody of this identity" : fmt::format("none of {} keys", keys.size()),
                                  wanted == oci::predicate::signature ? "it" : wanted,
                                  all.others > 0 ? fmt::format("; {} by others", all.others) : "",
                                  all.why.empty() ? "" : ": " + all.why))
                    .with_hint("slipway image sign, or cosign sign --key"));
  if (io.json())
    io.document(
        doc::Map{{"image", target.place->name()}, {"digest", target.digest.str()}, {"found", std::move(found)}});
  else
    io.table({"WHAT", "BY"}, rows);
  return 0;
}

}  // namespace

std::vector<Command> signing_commands() {
  Option data{"--data", "data directory of the store"};
  Option key{"--key", "private key: a file of cosign's, or PEM (the house's own)"};
  Positional image{"image", "NAME:TAG or NAME@DIGEST"};
  return {{"key new",
           "makes a key pair that signs images: PREFIX.key and PREFIX.pub",
           "slipway key new",
           {},
           {{"prefix", "name of the files (cosign)", false}},
           key_new},
          {"image sign",
           "signs an image, as cosign does",
           "slipway image sign shop/web:1 --key cosign.key",
           {key,
            {"--annotation,-a", "NAME=VALUE", false, true},
            {"--format", "both, bundle or classic", false, false, "both"},
            data},
           {image},
           sign},
          {"image attest",
           "attaches a signed statement about an image",
           "slipway image attest shop/web:1 --type cyclonedx --predicate sbom.json",
           {key,
            {"--type", "slsaprovenance1, cyclonedx, spdxjson or a URI", false, false, "slsaprovenance1"},
            {"--predicate", "file of what is said, JSON"},
            data},
           {image},
           attest},
          {"image verify",
           "whether a key has signed an image, or a statement about it",
           "slipway image verify shop/web:1 --key cosign.pub",
           {{"--key", "public key (the house's own)", false, true},
            {"--trusted-root", "of a keyless signature: Sigstore's trusted_root.json"},
            {"--certificate-identity", "who must have signed: mail address or URI, or a pattern of it"},
            {"--certificate-oidc-issuer", "by whose word: the URL of an OpenID provider"},
            {"--type", "of a statement, instead of a signature"},
            data},
           {image},
           verify}};
}

}  // namespace slipway::cli
