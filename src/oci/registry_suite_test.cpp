// The checks of the distribution specification's conformance programs, restated: kinds of content times calls, each
// by sha256 and by sha512.
#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

using Algorithm = Hasher::Algorithm;

Digest digest_of(Algorithm algorithm, std::string_view bytes) { return Hasher(algorithm).update(bytes).finish(); }

// --- content

struct Document {
  std::string bytes, type, artifact_type, tag;
  std::map<std::string, std::string> annotations;
  Digest digest, subject;
};
struct Content {
  std::vector<std::pair<Digest, std::string>> blobs;
  std::vector<Document> documents;  // in the order in which they are pushed
};

// Writes images, artifacts and indexes, and remembers what they are made of.
class Writer {
 public:
  explicit Writer(Algorithm algorithm) : algorithm_(algorithm) {}
  Content content;

  struct Options {
    std::string type{media::manifest}, config{media::config}, layer{media::layer_tar}, artifact, tag, more;
    std::vector<std::string> layers{"first layer", "second layer"};
    std::map<std::string, std::string> annotations;
    std::optional<Document> subject;
    bool pushed = true, data = false;
  };
  Document image(const Options& o) {
    auto config = o.config == media::empty ? std::string("{}") : R"({"architecture":"amd64","os":"linux","rootfs":{}})";
    std::vector<std::string> layers;
    for (const auto& layer : o.layers) layers.push_back(descriptor(o.layer, layer, o.pushed, o.data));
    auto text = fmt::format(R"({{"schemaVersion":2,"mediaType":"{}",{}"config":{},"layers":[{}]{}{}{}}})", o.type,
                            artifact(o.artifact), descriptor(o.config, config, true, o.data), fmt::join(layers, ","),
                            about(o.subject), notes(o.annotations), o.more);
    return done(std::move(text), o, o.artifact.empty() ? o.config : o.artifact);
  }
  Document index(const std::vector<Document>& members) { return index(members, Options()); }
  Document index(const std::vector<Document>& members, Options o) {
    o.type = media::index;
    std::vector<std::string> entries;
    for (const auto& m : members)
      entries.push_back(fmt::format(
          R"({{"mediaType":"{}","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"a{}"}}}})", m.type,
          m.digest.str(), m.bytes.size(), entries.size()));
    auto text =
        fmt::format(R"({{"schemaVersion":2,"mediaType":"{}",{}"manifests":[{}]{}{}{}}})", o.type, artifact(o.artifact),
                    fmt::join(entries, ","), about(o.subject), notes(o.annotations), o.more);
    return done(std::move(text), o, o.artifact);
  }

 private:
  std::string descriptor(std::string_view type, const std::string& bytes, bool pushed, bool data) {
    auto digest = digest_of(algorithm_, bytes);
    if (pushed) content.blobs.emplace_back(digest, bytes);
    return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}{}}})", type, digest.str(), bytes.size(),
                       data ? fmt::format(R"(,"data":"{}")", to_base64(bytes)) : "");
  }
  static std::string artifact(const std::string& type) {
    return type.empty() ? "" : fmt::format(R"("artifactType":"{}",)", type);
  }
  static std::string about(const std::optional<Document>& subject) {
    if (!subject) return {};
    return fmt::format(R"(,"subject":{{"mediaType":"{}","digest":"{}","size":{}}})", subject->type,
                       subject->digest.str(), subject->bytes.size());
  }
  static std::string notes(const std::map<std::string, std::string>& annotations) {
    if (annotations.empty()) return {};
    doc::Map map;
    for (const auto& [key, value] : annotations) map.set(key, value);
    return ",\"annotations\":" + doc::print_json(map);
  }
  Document done(std::string text, const Options& o, std::string artifact_type) {
    Document out{std::move(text), o.type, std::move(artifact_type), o.tag, o.annotations, {}, {}};
    out.digest = digest_of(algorithm_, out.bytes);
    if (o.subject) out.subject = o.subject->digest;
    content.documents.push_back(out);
    return out;
  }
  Algorithm algorithm_;
};

using Options = Writer::Options;
const std::string odd = "application/vnd.example.thing.v1";

struct Kinds {
  const char* name;
  void (*write)(Writer&);
};
const Kinds kinds[] = {
    {"Image", [](Writer& w) { w.image({.layer = std::string(media::layer_gzip), .tag = "one"}); }},
    {"UncompressedLayers", [](Writer& w) { w.image({.tag = "one"}); }},
    {"DockerImage",
     [](Writer& w) {
       w.image({.type = std::string(media::docker_manifest),
                .config = "application/vnd.docker.container.image.v1+json",
                .layer = std::string(media::docker_layer),
                .tag = "one"});
     }},
    {"LargeManifest",
     [](Writer& w) {
       Options o{.tag = "one"};
       for (int i = 0; i < 390; ++i) o.annotations[fmt::format("note.{}", i)] = std::string(10'000, 'n');
       w.image(o);
     }},
    {"ManyLayers",
     [](Writer& w) {
       Options o{.tag = "one", .layers = {}};
       for (int i = 0; i < 60; ++i) o.layers.push_back(fmt::format("layer {}", i));
       w.image(o);
     }},
    {"NoLayers", [](Writer& w) { w.image({.tag = "one", .layers = {}}); }},
    {"EmptyLayer", [](Writer& w) { w.image({.tag = "one", .layers = {""}}); }},
    {"DataInDescriptors", [](Writer& w) { w.image({.tag = "one", .data = true}); }},
    {"LayersOfOthers",
     [](Writer& w) {
       w.image(
           {.layer = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", .tag = "one", .pushed = false});
     }},
    {"UnknownFields",
     [](Writer& w) { w.image({.tag = "one", .more = R"(,"org.example.more":{"deep":[1,2.50,null]})"}); }},
    {"Index",
     [](Writer& w) {
       auto a = w.image({.layers = {"a"}}), b = w.image({.layers = {"b"}});
       w.index({a, b}, {.tag = "one"});
     }},
    {"IndexInIndex",
     [](Writer& w) {
       auto inner = w.index({w.image({.layers = {"a"}})});
       w.index({inner, w.image({.layers = {"b"}})}, {.tag = "one"});
     }},
    {"EmptyIndex", [](Writer& w) { w.index({}, {.tag = "one"}); }},
    {"Artifact",
     [](Writer& w) { w.image({.config = std::string(media::empty), .layer = odd, .artifact = odd, .tag = "one"}); }},
    {"ArtifactByItsConfig", [](Writer& w) { w.image({.config = odd, .layer = odd, .tag = "one"}); }},
    {"ArtifactWithoutLayers",
     [](Writer& w) {
       w.image({.config = std::string(media::empty),
                .layer = std::string(media::empty),
                .artifact = odd,
                .tag = "one",
                .layers = {"{}"}});
     }},
    {"ArtifactIndex",
     [](Writer& w) {
       auto a = w.image({.config = std::string(media::empty), .artifact = odd});
       w.index({a}, {.artifact = odd + ".list", .tag = "one"});
     }},
    {"WithReferrers",
     [](Writer& w) {
       auto subject = w.image({.tag = "one"});
       w.image({.config = std::string(media::empty), .artifact = odd, .annotations = {{"k", "v"}}, .subject = subject});
       w.image({.config = odd + ".config", .annotations = {{"n", "2"}}, .subject = subject});
       w.image({.config = std::string(media::empty), .artifact = odd + ".sig", .tag = "one.more", .subject = subject});
     }},
    {"IndexWithSubject",
     [](Writer& w) {
       auto subject = w.index({w.image({.layers = {"a"}})}, {.tag = "one"});
       auto about = w.image({.config = std::string(media::empty), .artifact = odd});
       w.index({about}, {.artifact = odd + ".list", .annotations = {{"i", "1"}}, .subject = subject});
       w.index({about}, {.annotations = {{"i", "2"}}, .subject = subject});
     }},
    {"SubjectThatIsNotThere",
     [](Writer& w) {
       Document missing{.bytes = "never pushed", .type = std::string(media::manifest)};
       missing.digest = digest_of(Algorithm::sha256, missing.bytes);
       w.image({.config = std::string(media::empty), .artifact = odd, .tag = "one", .subject = missing});
     }},
};

// --- calls

struct SuiteCase {
  Kinds kind;
  Algorithm algorithm;
};
class Suite : public testing::TestWithParam<SuiteCase> {
 protected:
  Host host;
  const std::string repository = "conf/ormance";
  Content content;

  void SetUp() override {
    Writer writer(GetParam().algorithm);
    GetParam().kind.write(writer);
    content = std::move(writer.content);
  }
  std::string at(const std::string& what) const { return "/v2/" + repository + "/" + what; }
  std::string manifest_at(const std::string& reference) const { return at("manifests/" + reference); }
  std::string place(const net::ClientResponse& r) const { return std::string(r.headers.get_or("location", "")); }

  void push_blobs() {
    for (const auto& [digest, bytes] : content.blobs)
      ASSERT_EQ(host.send("POST", at("blobs/uploads/?digest=" + digest.str()), bytes).status, 201);
  }
  // What was answered leads back to the very bytes.
  void expect_stored(const net::ClientResponse& put, const Document& d, const Digest& named) {
    ASSERT_EQ(put.status, 201) << put.body;
    EXPECT_EQ(put.headers.get_or("docker-content-digest", ""), named.str());
    EXPECT_EQ(put.headers.get_or("oci-subject", ""), d.subject.str());
    auto got = host.send("GET", place(put));
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.body == d.bytes) << "other bytes";
    EXPECT_EQ(got.headers.get_or("content-type", ""), d.type);
  }
  void expect_there(const std::string& reference, const Document& d) {
    auto head = host.send("HEAD", manifest_at(reference)), got = host.send("GET", manifest_at(reference));
    for (const auto* r : {&head, &got}) {
      EXPECT_EQ(r->status, 200) << reference;
      EXPECT_EQ(r->headers.get_or("content-type", ""), d.type);
      EXPECT_EQ(r->headers.get_or("content-length", ""), std::to_string(d.bytes.size()));
    }
    EXPECT_EQ(head.body, "");
    EXPECT_TRUE(got.body == d.bytes) << reference;
  }
  std::vector<std::string> tags(const std::string& query = {}) {
    auto r = host.send("GET", at("tags/list" + query));
    EXPECT_EQ(r.status, 200);
    auto value = must(doc::parse_json(r.body, "tags"));
    EXPECT_EQ(doc::View(value)["name"].text(), repository);
    return must(doc::View(value)["tags"].strings());
  }
  void push_all() {
    push_blobs();
    for (const auto& d : content.documents) {
      expect_stored(host.put(repository, d.digest.str(), d.bytes, d.type), d, d.digest);
      if (d.tag.empty()) continue;
      // A push by tag is named by sha256.
      expect_stored(host.put(repository, d.tag, d.bytes, d.type), d, Digest::of(d.bytes));
    }
  }
  // The list has exactly those that name this subject.
  void expect_referrers(const Digest& subject, const std::string& filter = {}) {
    auto r = host.send(
        "GET", at("referrers/" + subject.str()) + (filter.empty() ? "" : "?artifactType=" + percent_encode(filter)));
    ASSERT_EQ(r.status, 200);
    EXPECT_EQ(r.headers.get_or("content-type", ""), media::index);
    EXPECT_EQ(r.headers.get_or("oci-filters-applied", ""), filter.empty() ? "" : "artifactType");
    auto value = must(doc::parse_json(r.body, "referrers"));
    doc::View list(value);
    EXPECT_EQ(list["schemaVersion"].num_or(0), 2);
    EXPECT_EQ(list["mediaType"].text(), media::index);
    std::map<std::string, const Document*> wanted;
    for (const auto& d : content.documents)
      if (d.subject == subject && (filter.empty() || d.artifact_type == filter)) wanted[d.digest.str()] = &d;
    std::size_t found = 0;
    for (const auto& entry : list["manifests"].items()) {
      auto it = wanted.find(entry["digest"].text());
      if (it == wanted.end()) continue;  // the same by its sha256 name, when it was tagged
      ++found;
      EXPECT_EQ(entry["mediaType"].text(), it->second->type);
      EXPECT_EQ(entry["size"].num_or(0), static_cast<std::int64_t>(it->second->bytes.size()));
      EXPECT_EQ(entry["artifactType"].text(), it->second->artifact_type);
      EXPECT_EQ(entry["artifactType"].exists(), !it->second->artifact_type.empty());
      std::map<std::string, std::string> notes;
      for (const auto& [key, note] : entry["annotations"].members()) notes[key] = note.text();
      EXPECT_EQ(notes, it->second->annotations);
    }
    EXPECT_EQ(found, wanted.size());
  }
};

TEST_P(Suite, PushesPullsListsAndDeletes) {
  push_all();
  if (HasFatalFailure()) return;
  // Pull.
  for (const auto& [digest, bytes] : content.blobs) {
    auto head = host.send("HEAD", at("blobs/" + digest.str())), got = host.send("GET", at("blobs/" + digest.str()));
    EXPECT_EQ(host.show(head, {"content-length", "docker-content-digest"}),
              fmt::format("200 {} {}", bytes.size(), digest.str()));
    EXPECT_EQ(host.show(got, {"content-length"}), fmt::format("200 {}", bytes.size()));
    EXPECT_TRUE(got.body == bytes);
  }
  std::vector<std::string> wanted;
  for (const auto& d : content.documents) {
    expect_there(d.digest.str(), d);
    if (d.tag.empty()) continue;
    expect_there(d.tag, d);
    wanted.push_back(d.tag);
  }
  // Tags, and the tags that a push by digest brings along.
  EXPECT_EQ(tags(), wanted);
  const auto& last = content.documents.back();
  std::string query = "?tag=t00";
  std::vector<std::string> many{"t00"};
  for (int i = 1; i < 12; ++i) many.push_back(fmt::format("t{:02}", i)), query += "&tag=" + many.back();
  auto put = host.put(repository, last.digest.str() + query, last.bytes, last.type);
  expect_stored(put, last, last.digest);
  auto said = put.headers.all("oci-tag");
  EXPECT_EQ(std::vector<std::string>(said.begin(), said.end()), many);
  for (const auto& tag : many) expect_there(tag, last);
  EXPECT_EQ(tags("?last=t09"), (std::vector<std::string>{"t10", "t11"}));
  EXPECT_EQ(tags("?n=2&last=t03"), (std::vector<std::string>{"t04", "t05"}));
  EXPECT_EQ(tags("?n=0"), std::vector<std::string>());
  // Referrers, also of what has none and of what is not there.
  std::set<Digest> subjects{digest_of(GetParam().algorithm, "nothing about this")};
  for (const auto& d : content.documents) subjects.insert(d.subject.empty() ? d.digest : d.subject);
  for (const auto& subject : subjects) {
    expect_referrers(subject);
    for (const auto& type : {odd, odd + ".sig", odd + ".config", odd + ".list", std::string("x/none")})
      expect_referrers(subject, type);
  }
  // Delete: names go at once.
  EXPECT_EQ(host.send("DELETE", manifest_at("t00")).status, 202);
  EXPECT_EQ(code_of(host.send("GET", manifest_at("t00"))), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(host.send("HEAD", manifest_at("t00")).status, 404);
  expect_there(last.digest.str(), last);
  for (auto d = content.documents.rbegin(); d != content.documents.rend(); ++d) {
    EXPECT_EQ(host.send("DELETE", manifest_at(d->digest.str())).status, 202);
    EXPECT_EQ(host.send("GET", manifest_at(d->digest.str())).status, 404);
    EXPECT_EQ(host.send("DELETE", manifest_at(d->digest.str())).status, 404);
    auto subject = d->subject;
    *d = {};
    if (!subject.empty()) expect_referrers(subject);
  }
  std::set<Digest> gone;
  for (const auto& [digest, bytes] : content.blobs) {
    if (!gone.insert(digest).second) continue;
    EXPECT_EQ(host.send("DELETE", at("blobs/" + digest.str())).status, 202);
    EXPECT_EQ(code_of(host.send("GET", at("blobs/" + digest.str()))), "404 BLOB_UNKNOWN");
    EXPECT_EQ(host.send("HEAD", at("blobs/" + digest.str())).status, 404);
  }
}

TEST_P(Suite, RefusesManifestsOfOtherBytesOrWithoutTheirBlobs) {
  const auto& d = content.documents.front();
  if (!content.blobs.empty()) {
    EXPECT_EQ(code_of(host.put(repository, "t", d.bytes, d.type)), "404 MANIFEST_BLOB_UNKNOWN");
  }
  push_blobs();
  auto other = digest_of(GetParam().algorithm, "other bytes");
  EXPECT_EQ(code_of(host.put(repository, other.str(), d.bytes, d.type)), "400 DIGEST_INVALID");
  EXPECT_EQ(host.send("GET", manifest_at(other.str())).status, 404);
  EXPECT_EQ(code_of(host.put(repository, "sha256:short", d.bytes, d.type)), "400 DIGEST_INVALID");
  EXPECT_EQ(code_of(host.put(repository, "t", d.bytes.substr(0, d.bytes.size() - 2), d.type)), "400 MANIFEST_INVALID");
  EXPECT_EQ(code_of(host.put(repository, "t", d.bytes, d.type == media::index ? media::manifest : media::index)),
            "400 MANIFEST_INVALID");
}

std::vector<SuiteCase> suite_cases() {
  std::vector<SuiteCase> out;
  for (const auto& kind : kinds)
    for (auto algorithm : {Algorithm::sha256, Algorithm::sha512}) out.push_back({kind, algorithm});
  return out;
}
std::string suite_name(const testing::TestParamInfo<SuiteCase>& i) {
  return std::string(i.param.kind.name) + (i.param.algorithm == Algorithm::sha256 ? "_sha256" : "_sha512");
}
INSTANTIATE_TEST_SUITE_P(Specification, Suite, testing::ValuesIn(suite_cases()), suite_name);

// --- blobs, in every way in which they are pushed

// How it is pushed; gives the last answer. `named` is what the client says the digest is.
using Way = net::ClientResponse (*)(Host&, const std::string& bytes, const Digest& named);

std::string begin(Host& host, const std::string& query = {}) {
  auto r = host.send("POST", "/v2/a/b/blobs/uploads/" + query);
  EXPECT_EQ(r.status, 202);
  return std::string(r.headers.get_or("location", ""));
}
std::string with_digest(const std::string& location, const Digest& digest) {
  return location + (location.find('?') == std::string::npos ? "?" : "&") + "digest=" + percent_encode(digest.str());
}
// Sends pieces with their ranges; `in_put`: the last goes with the PUT.
net::ClientResponse in_pieces(Host& host, const std::string& bytes, const Digest& named, std::size_t count,
                              bool in_put) {
  auto location = begin(host);
  auto size = std::max<std::size_t>(1, (bytes.size() + count - 1) / count);
  std::size_t sent = 0;
  for (std::size_t piece = 0; piece < count && sent < bytes.size(); ++piece) {
    auto part = bytes.substr(sent, size);
    net::Headers range{{"Content-Range", fmt::format("{}-{}", sent, sent + part.size() - 1)}};
    if (in_put && sent + part.size() == bytes.size())
      return host.send("PUT", with_digest(location, named), part, range);
    auto r = host.send("PATCH", location, part, range);
    EXPECT_EQ(r.status, 202);
    sent += part.size();
    EXPECT_EQ(r.headers.get_or("range", ""), fmt::format("0-{}", sent - 1));
    location = r.headers.get_or("location", "");
    auto standing = host.send("GET", location);
    EXPECT_EQ(host.show(standing, {"range"}), fmt::format("204 0-{}", sent - 1));
  }
  return host.send("PUT", with_digest(location, named));
}
struct WayCase {
  const char* name;
  Way way;
};
const WayCase ways[] = {
    {"PostAlone",
     [](Host& host, const std::string& bytes, const Digest& named) {
       return host.send("POST", "/v2/a/b/blobs/uploads/?digest=" + percent_encode(named.str()), bytes);
     }},
    {"PostAndPut", [](Host& host, const std::string& bytes,
                      const Digest& named) { return host.send("PUT", with_digest(begin(host), named), bytes); }},
    {"PostAndPutWithAlgorithm",
     [](Host& host, const std::string& bytes, const Digest& named) {
       return host.send("PUT", with_digest(begin(host, fmt::format("?digest-algorithm={}", named.algorithm())), named),
                        bytes);
     }},
    {"OneChunk",
     [](Host& host, const std::string& bytes, const Digest& named) { return in_pieces(host, bytes, named, 1, false); }},
    {"ThreeChunks",
     [](Host& host, const std::string& bytes, const Digest& named) { return in_pieces(host, bytes, named, 3, false); }},
    {"ThreeChunksTheLastInPut",
     [](Host& host, const std::string& bytes, const Digest& named) { return in_pieces(host, bytes, named, 3, true); }},
    {"Stream",
     [](Host& host, const std::string& bytes, const Digest& named) {
       auto r = host.send("PATCH", begin(host), bytes, {{"Content-Type", "application/octet-stream"}});
       EXPECT_EQ(r.status, 202);
       return host.send("PUT", with_digest(std::string(r.headers.get_or("location", "")), named));
     }},
};

struct BlobCase {
  WayCase way;
  Algorithm algorithm;
};
class BlobPush : public testing::TestWithParam<BlobCase> {};

TEST_P(BlobPush, GivesBackTheVeryBytes) {
  Host host;
  for (const auto& bytes :
       {std::string(), std::string("{}"), std::string("x"), std::string(700'001, 'q'), random_bytes(300'000)}) {
    auto digest = digest_of(GetParam().algorithm, bytes);
    auto r = GetParam().way.way(host, bytes, digest);
    ASSERT_EQ(r.status, 201) << r.body;
    EXPECT_EQ(r.headers.get_or("docker-content-digest", ""), digest.str());
    auto got = host.send("GET", std::string(r.headers.get_or("location", "")));
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.body == bytes);
    EXPECT_EQ(host.show(host.send("HEAD", "/v2/a/b/blobs/" + digest.str()), {"content-length"}),
              fmt::format("200 {}", bytes.size()));
    // Again: it is there already.
    EXPECT_EQ(GetParam().way.way(host, bytes, digest).status, 201);
    // Elsewhere, by name and by anybody's name.
    auto mount = "/v2/else/where/blobs/uploads/?mount=" + percent_encode(digest.str());
    auto mounted = host.send("POST", mount + "&from=a/b");
    EXPECT_EQ(mounted.status, 201);
    EXPECT_TRUE(host.send("GET", std::string(mounted.headers.get_or("location", ""))).body == bytes);
    EXPECT_EQ(host.send("DELETE", "/v2/else/where/blobs/" + digest.str()).status, 202);
    EXPECT_EQ(host.send("POST", mount).status, 201);
    auto missing = host.send("POST", mount + "&from=no/where");
    EXPECT_EQ(missing.status, 202) << "an upload instead";
    EXPECT_EQ(host.send("PUT", with_digest(std::string(missing.headers.get_or("location", "")), digest), bytes).status,
              201);
  }
}

TEST_P(BlobPush, RefusesAnotherDigest) {
  Host host;
  auto named = digest_of(GetParam().algorithm, "what was meant");
  auto r = GetParam().way.way(host, "what was sent", named);
  EXPECT_EQ(code_of(r), "400 DIGEST_INVALID");
  EXPECT_EQ(host.send("GET", "/v2/a/b/blobs/" + named.str()).status, 404);
  EXPECT_EQ(host.send("GET", "/v2/a/b/blobs/" + digest_of(GetParam().algorithm, "what was sent").str()).status, 404);
}

std::vector<BlobCase> blob_cases() {
  std::vector<BlobCase> out;
  for (const auto& way : ways)
    for (auto algorithm : {Algorithm::sha256, Algorithm::sha512}) out.push_back({way, algorithm});
  return out;
}
INSTANTIATE_TEST_SUITE_P(Specification, BlobPush, testing::ValuesIn(blob_cases()), [](const auto& i) {
  return std::string(i.param.way.name) + (i.param.algorithm == Algorithm::sha256 ? "_sha256" : "_sha512");
});

class ByAlgorithm : public testing::TestWithParam<Algorithm> {
 protected:
  Host host;
  std::string bytes = std::string(1000, 'a') + std::string(1000, 'b') + std::string(1000, 'c');
  Digest digest = digest_of(GetParam(), bytes);
  Digest push() {
    EXPECT_EQ(host.send("POST", "/v2/a/b/blobs/uploads/?digest=" + digest.str(), bytes).status, 201);
    return digest;
  }
};
INSTANTIATE_TEST_SUITE_P(Specification, ByAlgorithm, testing::Values(Algorithm::sha256, Algorithm::sha512),
                         [](const auto& i) { return i.param == Algorithm::sha256 ? "sha256" : "sha512"; });

TEST_P(ByAlgorithm, RangesOfBlobs) {
  push();
  struct Case {
    const char* range;
    int status;
    std::size_t first, length;
  };
  for (const auto& c : std::initializer_list<Case>{{"500-1499", 206, 500, 1000},
                                                   {"500-", 206, 500, 2500},
                                                   {"-500", 206, 2500, 500},
                                                   {"2000-5000", 206, 2000, 1000},
                                                   {"0-0", 206, 0, 1},
                                                   {"2999-2999", 206, 2999, 1},
                                                   {"-5000", 206, 0, 3000},
                                                   {"500-0", 416, 0, 0},
                                                   {"3000-", 416, 0, 0},
                                                   {"5000-6000", 416, 0, 0},
                                                   {"-0", 416, 0, 0}}) {
    auto r = host.send("GET", "/v2/a/b/blobs/" + digest.str(), {}, {{"Range", std::string("bytes=") + c.range}});
    EXPECT_EQ(r.status, c.status) << c.range;
    if (c.status == 416) {
      EXPECT_EQ(r.headers.get_or("content-range", ""), "bytes */3000") << c.range;
      continue;
    }
    EXPECT_TRUE(r.body == bytes.substr(c.first, c.length)) << c.range;
    EXPECT_EQ(r.headers.get_or("content-length", ""), std::to_string(c.length));
    EXPECT_EQ(r.headers.get_or("content-range", ""), fmt::format("bytes {}-{}/3000", c.first, c.first + c.length - 1));
  }
}

TEST_P(ByAlgorithm, ChunksComeInOrderOrNotAtAll) {
  auto location = begin(host);
  auto standing = [&] { return host.show(host.send("GET", location), {"range", "location"}); };
  EXPECT_EQ(standing(), "204 0-0 " + location) << "before the first byte";
  auto chunk = [&](std::size_t from, std::size_t to, const char* method = "PATCH") {
    auto target = std::string(method) == "PUT" ? with_digest(location, digest) : location;
    return host.show(host.send(method, target, bytes.substr(from, to - from),
                               {{"Content-Range", fmt::format("{}-{}", from, to - 1)}}),
                     {"range"});
  };
  EXPECT_EQ(chunk(1000, 2000), "416 0-0");
  EXPECT_EQ(standing(), "204 0-0 " + location);
  EXPECT_EQ(chunk(0, 1000), "202 0-999");
  EXPECT_EQ(chunk(0, 1000), "416 0-999") << "twice";
  EXPECT_EQ(chunk(2000, 3000), "416 0-999") << "one is missing";
  EXPECT_EQ(chunk(2000, 3000, "PUT"), "416 0-999") << "also with the last";
  EXPECT_EQ(chunk(1000, 2000), "202 0-1999");
  EXPECT_EQ(standing(), "204 0-1999 " + location);
  EXPECT_EQ(chunk(1000, 2000, "PUT"), "416 0-1999");
  EXPECT_EQ(chunk(2000, 3000, "PUT").substr(0, 3), "201") << "the session was usable all along";
  EXPECT_TRUE(host.send("GET", "/v2/a/b/blobs/" + digest.str()).body == bytes);
}

TEST_P(ByAlgorithm, SessionsEnd) {
  auto location = begin(host);
  EXPECT_EQ(host.send("PATCH", location, "some").status, 202);
  EXPECT_EQ(host.send("DELETE", location).status, 204);
  for (const char* method : {"GET", "PATCH", "DELETE"})
    EXPECT_EQ(code_of(host.send(method, location)), "404 BLOB_UPLOAD_UNKNOWN") << method;
  EXPECT_EQ(code_of(host.send("PUT", with_digest(location, digest), bytes)), "404 BLOB_UPLOAD_UNKNOWN");
  auto done = begin(host);
  EXPECT_EQ(host.send("PUT", with_digest(done, digest), bytes).status, 201);
  EXPECT_EQ(host.send("GET", done).status, 404) << "what is a blob is no upload";
}

TEST_P(ByAlgorithm, WhatIsNotThere) {
  auto name = std::string(digest.algorithm());
  EXPECT_EQ(code_of(host.send("GET", "/v2/a/b/blobs/" + digest.str())), "404 BLOB_UNKNOWN");
  EXPECT_EQ(host.send("HEAD", "/v2/a/b/blobs/" + digest.str()).status, 404);
  EXPECT_EQ(code_of(host.send("DELETE", "/v2/a/b/blobs/" + digest.str())), "404 BLOB_UNKNOWN");
  EXPECT_EQ(code_of(host.send("GET", "/v2/a/b/manifests/" + digest.str())), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(host.send("HEAD", "/v2/a/b/manifests/none").status, 404);
  EXPECT_EQ(code_of(host.send("DELETE", "/v2/a/b/manifests/" + digest.str())), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(code_of(host.send("GET", "/v2/never/used/tags/list")), "404 NAME_UNKNOWN");
  auto none = host.send("GET", "/v2/never/used/referrers/" + digest.str());
  EXPECT_EQ(host.show(none, {"content-type"}), fmt::format("200 {}", media::index)) << "never a 404";
  for (const auto& bad :
       {name + ":baddigeststring", name + ":", name + ":" + std::string(64, 'G'), std::string("md5:x")}) {
    EXPECT_EQ(code_of(host.send("PUT", begin(host) + "?digest=" + percent_encode(bad), bytes)), "400 DIGEST_INVALID")
        << bad;
    EXPECT_EQ(code_of(host.send("POST", "/v2/a/b/blobs/uploads/?digest=" + percent_encode(bad), bytes)),
              "400 DIGEST_INVALID")
        << bad;
    EXPECT_EQ(code_of(host.send("GET", "/v2/a/b/blobs/" + bad)), "400 DIGEST_INVALID") << bad;
    EXPECT_EQ(code_of(host.send("GET", "/v2/a/b/referrers/" + bad)), "400 DIGEST_INVALID") << bad;
    EXPECT_EQ(host.send("GET", "/v2/a/b/manifests/" + bad).status, 404) << bad;
  }
}

}  // namespace
}  // namespace slipway::oci
