// Keyless signatures against a Sigstore of the test's own, whole and spoiled in each part.
#include "doc/view.h"
#include "oci/testing/detail/sigstore.h"

namespace slipway::oci {
namespace {

constexpr const char* workflow = "https://github.test/shop/web/.github/workflows/ci.yml@refs/heads/main";
constexpr const char* provider = "https://token.github.test";

// One for all tests: keys take a while.
Sigstore& sigstore() {
  static Sigstore one;
  return one;
}
std::string statement_of(const Digest& image) {
  return signing::print_statement("web", image, predicate::signature, doc::Map{});
}
doc::Value* at(doc::Value& value, std::initializer_list<std::string_view> path) {
  auto* node = &value;
  for (auto key : path) {
    if (auto* list = node->if_list())
      node = &list->at(0);
    else
      node = node->map().find(key);
    if (node == nullptr) return nullptr;
  }
  return node;
}
const std::initializer_list<std::string_view> entry{"verificationMaterial", "tlogEntries", "0"};

// Another byte at its end.
void spoil(doc::Value& bundle, std::vector<std::string_view> path) {
  auto* node = &bundle;
  for (auto key : path) node = node->if_list() != nullptr ? &node->if_list()->at(0) : node->map().find(key);
  auto bytes = must(from_base64(*node->if_string()));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  *node = to_base64(bytes);
}

struct Case {
  const char* name;
  std::function<void(doc::Value& bundle)> change;
  const char* want;  // who signed, or a part of why not
};
class Bundle : public testing::TestWithParam<Case> {};
TEST_P(Bundle, IsBelievedOnlyWhole) {
  auto& all = sigstore();
  auto image = Digest::of("image");
  auto signer = all.issue(workflow, provider);
  auto bundle = all.bundle(signer, statement_of(image));
  GetParam().change(bundle);
  auto trust = must(TrustRoot::load(all.trusted_root()));
  auto opened = signing::open_keyless(doc::print_json(bundle), trust.parts());
  auto got = opened ? opened->second.subject + " by " + opened->second.issuer : opened.error().what();
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got;
}
using Path = std::vector<std::string_view>;
INSTANTIATE_TEST_SUITE_P(
    Table, Bundle,
    testing::ValuesIn(std::to_array<Case>({
        {"Whole", [](doc::Value&) {},
         "https://github.test/shop/web/.github/workflows/ci.yml@refs/heads/main by https://token.github.test"},
        {"ByThePromiseAlone",
         [](doc::Value& b) {
           at(b, entry)->map().erase("inclusionProof");
           b["verificationMaterial"].map().erase("timestampVerificationData");
         },
         "ci.yml@refs/heads/main by"},
        {"ByProofAndTimestamp", [](doc::Value& b) { at(b, entry)->map().erase("inclusionPromise"); },
         "ci.yml@refs/heads/main by"},
        {"AProofAloneHasNoTime",
         [](doc::Value& b) {
           at(b, entry)->map().erase("inclusionPromise");
           b["verificationMaterial"].map().erase("timestampVerificationData");
         },
         "nobody of the trust root says when"},
        {"NeitherPromiseNorProof",
         [](doc::Value& b) {
           at(b, entry)->map().erase("inclusionPromise");
           at(b, entry)->map().erase("inclusionProof");
         },
         "neither a promise nor a proof"},
        {"InNoLog", [](doc::Value& b) { b["verificationMaterial"].map().erase("tlogEntries"); }, "in no log"},
        {"OfAnotherLog", [](doc::Value& b) { spoil(b, Path{"verificationMaterial", "tlogEntries", "0", "logId", "keyId"}); },
         "of a log that the trust root does not name"},
        {"PromiseOfAnotherTime",
         [](doc::Value& b) { (*at(b, entry))["integratedTime"] = std::to_string(Sigstore::now + 1); },
         "its promise is not signed by the log"},
        {"PromiseOfAnotherPlace", [](doc::Value& b) { (*at(b, entry))["logIndex"] = "1002"; },
         "its promise is not signed by the log"},
        {"AnotherRoot",
         [](doc::Value& b) {
           spoil(b, Path{"verificationMaterial", "tlogEntries", "0", "inclusionProof", "rootHash"});
         },
         "its proof leads to another root"},
        {"AnotherHash",
         [](doc::Value& b) {
           spoil(b, Path{"verificationMaterial", "tlogEntries", "0", "inclusionProof", "hashes", "0"});
         },
         "its proof leads to another root"},
        {"AnotherIndex", [](doc::Value& b) { (*at(b, entry))["inclusionProof"]["logIndex"] = "0"; },
         "its proof leads to another root"},
        {"BeyondTheTree", [](doc::Value& b) { (*at(b, entry))["inclusionProof"]["logIndex"] = "3"; },
         "its proof leads to another root"},
        {"CheckpointOfAnotherSize",
         [](doc::Value& b) {
           auto& note = (*at(b, entry))["inclusionProof"]["checkpoint"]["envelope"];
           auto text = *note.if_string();
           note = "rekor.test - 1\n4" + text.substr(text.find("\n3") + 2);
         },
         "its checkpoint is not signed by the log"},
        {"CheckpointWithoutSignature",
         [](doc::Value& b) {
           auto& note = (*at(b, entry))["inclusionProof"]["checkpoint"]["envelope"];
           auto text = *note.if_string();
           note = text.substr(0, text.find("\n\n") + 2);
         },
         "its checkpoint is not signed by the log"},
        {"AnotherBody",
         [](doc::Value& b) {
           auto& body = (*at(b, entry))["canonicalizedBody"];
           auto text = must(from_base64(*body.if_string()));
           body = to_base64(text + " ");
         },
         "its proof leads to another root"},
        {"AnotherStatement",
         [](doc::Value& b) { b["dsseEnvelope"]["payload"] = to_base64(statement_of(Digest::of("another"))); },
         "of another payload"},
        {"AnotherSignature", [](doc::Value& b) { spoil(b, Path{"dsseEnvelope", "signatures", "0", "sig"}); },
         "of another signature"},
        {"TimestampOfAnotherSignature",
         [](doc::Value& b) {
           b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] =
               doc::List{doc::Map{{"signedTimestamp", to_base64(sigstore().timestamp("another"))}}};
         },
         "timestamp: by no authority of the trust root, or of another signature"},
        {"TimestampSpoiled",
         [](doc::Value& b) {
           spoil(b, Path{"verificationMaterial", "timestampVerificationData", "rfc3161Timestamps", "0",
                         "signedTimestamp"});
         },
         "timestamp: "},
        {"TimestampOfAnotherTime",
         [](doc::Value& b) {
           auto signature = must(from_base64(*at(b, {"dsseEnvelope", "signatures", "0", "sig"})->if_string()));
           b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] = doc::List{doc::Map{
               {"signedTimestamp", to_base64(sigstore().timestamp(signature, Sigstore::now + 100'000))}}};
         },
         "no authority of the trust root vouches for it at the time of the signature"},
        {"TwoSignatures",
         [](doc::Value& b) {
           auto one = *at(b, {"dsseEnvelope", "signatures", "0"});
           b["dsseEnvelope"]["signatures"].if_list()->push_back(one);
         },
         "with one signature"},
        {"NoCertificate", [](doc::Value& b) { b["verificationMaterial"].map().erase("certificate"); }, "no certificate"},
    })),
    [](const auto& i) { return i.param.name; });

struct Signed {
  const char* name;
  std::function<Sigstore::Identity()> by;
  std::int64_t when;
  const char* want;
};
class Certificates : public testing::TestWithParam<Signed> {};
TEST_P(Certificates, MustHold) {
  auto& all = sigstore();
  auto bundle = all.bundle(GetParam().by(), statement_of(Digest::of("image")), GetParam().when);
  auto trust = must(TrustRoot::load(all.trusted_root()));
  auto opened = signing::open_keyless(doc::print_json(bundle), trust.parts());
  auto got = opened ? "fine" : opened.error().what();
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Certificates,
    testing::ValuesIn(std::to_array<Signed>({
        {"Good", [] { return sigstore().issue(workflow, provider); }, Sigstore::now, "fine"},
        {"Over", [] { return sigstore().issue(workflow, provider); }, Sigstore::now + 3600,
         "vouches for it at the time"},
        {"NotYet", [] { return sigstore().issue(workflow, provider, Sigstore::now + 60); }, Sigstore::now,
         "vouches for it at the time"},
        {"NotLogged", [] { return sigstore().issue(workflow, provider, Sigstore::now - 60, false); }, Sigstore::now,
         "in no log that the trust root names"},
        {"ForServers", [] { return sigstore().issue(workflow, provider, Sigstore::now - 60, true, "serverAuth"); },
         Sigstore::now, "not for signing code"},
        {"OfAnotherAuthority",
         [] {
           static Sigstore other;
           return other.issue(workflow, provider);
         },
         Sigstore::now, "vouches for it at the time"},
        {"ByNobodysWord", [] { return sigstore().issue(workflow, ""); }, Sigstore::now, "does not say who signs"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(KeylessEndorsements, CountByWhoSigned) {
  auto& all = sigstore();
  TempDir dir = must(TempDir::make());
  auto blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  auto registry = must(Registry::open(*blobs, dir.path() / "registry.db"));
  Manifest manifest;
  manifest.config = {.media_type = std::string(media::empty), .digest = must(blobs->put("{}")), .size = 2};
  auto image = must(registry->put_manifest("shop/web", "1", manifest.media_type, print(manifest))).digest;
  auto signer = all.issue(workflow, provider);
  // A bundle, and cosign's classic form in its tag.
  must(registry->attach("shop/web", image, bundle_type, bundle_type,
                        doc::print_json(all.bundle(signer, statement_of(image)))));
  auto payload = fmt::format(
      R"({{"critical":{{"identity":{{"docker-reference":"web"}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":{{"a":"b"}}}})",
      image.str());
  auto classic = manifest;
  classic.layers = {{.media_type = "application/vnd.dev.cosign.simplesigning.v1+json",
                     .digest = must(blobs->put(payload)),
                     .size = payload.size(),
                     .annotations = all.annotations(signer, payload)}};
  must(registry->put_manifest("shop/web", fmt::format("sha256-{}.sig", image.hex()), classic.media_type,
                              print(classic)));
  auto place = place_in(*registry, "shop/web", "registry.test/shop/web");
  auto trust = must(TrustRoot::load(all.trusted_root()));
  auto seen = [&](std::vector<Identity> identities) {
    Keyless keyless{trust, std::move(identities)};
    auto found = must(endorsements(Ctx{}, *place, image, {}, &keyless));
    std::string out;
    for (const auto& one : found.found) out += fmt::format("{} ", one.classic ? "classic" : "bundle");
    return fmt::format("{}{} {}", out, found.others, found.why);
  };
  EXPECT_EQ(seen({{workflow, provider}}), "classic bundle 0 ");
  EXPECT_EQ(seen({{"https://github.test/shop/*/.github/workflows/*@refs/heads/main", provider}}), "classic bundle 0 ");
  auto not_them = fmt::format("2 signed by {} ({})", workflow, provider);
  EXPECT_EQ(seen({{"https://github.test/shop/*", provider}}), not_them) << "a star does not cross a slash";
  EXPECT_EQ(seen({{workflow, "https://token.github.test.evil"}}), not_them);
  EXPECT_EQ(seen({}), not_them);
  auto without = must(endorsements(Ctx{}, *place, image, {}));
  EXPECT_EQ(without.others, 2U) << "without a trust root they are others'";
  EXPECT_EQ(without.why, "a keyless signature wants a trust root and an identity");
  EXPECT_TRUE(must(has_signature(*registry, "shop/web", image)));

  // Copied to another image, they say nothing of it.
  manifest.annotations["other"] = "image";
  auto victim = must(registry->put_manifest("shop/web", "2", manifest.media_type, print(manifest))).digest;
  must(registry->put_manifest("shop/web", fmt::format("sha256-{}.sig", victim.hex()), classic.media_type,
                              print(classic)));
  must(registry->attach("shop/web", victim, bundle_type, bundle_type,
                        doc::print_json(all.bundle(signer, statement_of(image)))));
  Keyless keyless{trust, {{workflow, provider}}};
  auto of_victim = must(endorsements(Ctx{}, *place, victim, {}, &keyless));
  EXPECT_EQ(of_victim.found.size(), 0U);
  EXPECT_EQ(of_victim.others, 2U);
}

TEST(KeylessEndorsements, NotationsAreNamed) {
  TempDir dir = must(TempDir::make());
  auto blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  auto registry = must(Registry::open(*blobs, dir.path() / "registry.db"));
  Manifest manifest;
  manifest.config = {.media_type = std::string(media::empty), .digest = must(blobs->put("{}")), .size = 2};
  auto image = must(registry->put_manifest("shop/web", "1", manifest.media_type, print(manifest))).digest;
  EXPECT_FALSE(must(has_signature(*registry, "shop/web", image)));
  must(registry->attach("shop/web", image, "application/vnd.cncf.notary.signature", "application/jose+json", "{}"));
  auto found = must(endorsements(Ctx{}, *place_in(*registry, "shop/web", "web"), image, {}));
  EXPECT_EQ(found.others, 1U);
  EXPECT_EQ(found.why, "Notation's signatures are not verified here");
  EXPECT_TRUE(must(has_signature(*registry, "shop/web", image)));
}

TEST(TrustRoots, WrongOnesSayWhere) {
  auto whole = must(doc::parse_json(sigstore().trusted_root(), "root"));
  auto without = [&](const std::function<void(doc::Value&)>& change) {
    auto copy = whole;
    change(copy);
    auto loaded = TrustRoot::load(doc::print_json(copy));
    return loaded ? std::string("fine") : loaded.error().what();
  };
  EXPECT_EQ(without([](doc::Value&) {}), "fine");
  EXPECT_NE(without([](doc::Value& v) { v.map().erase("mediaType"); }).find("want application/vnd.dev.sigstore"),
            std::string::npos);
  EXPECT_NE(without([](doc::Value& v) {
              (*at(v, {"tlogs", "0"}))["publicKey"]["rawBytes"] = "AAAA";
            }).find(".tlogs[0].publicKey.rawBytes: want a public key"),
            std::string::npos);
  EXPECT_NE(without([](doc::Value& v) {
              (*at(v, {"certificateAuthorities", "0"}))["certChain"] = doc::Map{};
            }).find("want certificates"),
            std::string::npos);
  EXPECT_NE(without([](doc::Value& v) {
              (*at(v, {"ctlogs", "0"}))["publicKey"]["validFor"]["start"] = "soon";
            }).find("want a time as"),
            std::string::npos);
  EXPECT_FALSE(TrustRoot::load("{"));
}

// What Sigstore's public instance signed, where somebody has put it (SLIPWAY_SIGSTORE: a folder with
// trusted_root.json and *.sigstore.json of it).
TEST(Keyless, BundlesOfThePublicInstance) {
  const char* folder = std::getenv("SLIPWAY_SIGSTORE");
  if (folder == nullptr) GTEST_SKIP() << "no bundles of Sigstore's: SLIPWAY_SIGSTORE names their folder";
  auto trust = must(TrustRoot::load(must(read_file(fs::path(folder) / "trusted_root.json"))));
  int seen = 0;
  for (const auto& name : must(list_dir(folder))) {
    if (!name.ends_with(".sigstore.json")) continue;
    auto opened = signing::open_keyless(must(read_file(fs::path(folder) / name)), trust.parts());
    EXPECT_TRUE(opened) << name << ": " << opened.error().what();
    if (opened) std::printf("%s: %s\n", name.c_str(), opened->second.subject.c_str());
    ++seen;
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace slipway::oci
