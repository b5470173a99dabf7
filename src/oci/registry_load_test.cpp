// Many at once, many tags, and bodies that end early.
#include <thread>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/testing/raw.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

TEST(Load, SLOW_TwoHundredClientsAtOnce) {
  Host host;
  constexpr int clients = 200;
  std::atomic<int> right = 0;
  std::string base(200'000, 'b');
  auto work = [&](int who) {
    auto repository = fmt::format("team{}/web", who % 20);
    auto layer = fmt::format("the layer of {}", who) + std::string(20'000, static_cast<char>('a' + who % 26));
    host.push_blob(repository, base);  // the same for all
    auto bytes = host.image(repository, layer);
    if (host.put(repository, fmt::format("t{}", who), bytes).status != 201) return;
    if (host.send("GET", fmt::format("/v2/{}/manifests/t{}", repository, who)).body != bytes) return;
    if (host.send("GET", fmt::format("/v2/{}/blobs/{}", repository, Digest::of(layer).str())).body != layer) return;
    if (host.send("GET", fmt::format("/v2/{}/blobs/{}", repository, Digest::of(base).str())).body == base) ++right;
  };
  std::vector<std::thread> people;
  for (int who = 0; who < clients; ++who) people.emplace_back(work, who);
  for (auto& person : people) person.join();
  EXPECT_EQ(right, clients);
  EXPECT_EQ(must(host.registry->repositories()).size(), 20u);
}

TEST(Load, SLOW_TenThousandTagsAreListed) {
  Host host;
  auto bytes = host.image("a", "layer");
  auto digest = must(host.registry->put_manifest("a", "first", media::manifest, bytes)).digest;
  auto db = must(store::Database::open(host.dir.path() / "registry.db", std::vector<std::string>(2, "")));
  must(db->transact([&](store::Database& d) -> Result<> {
    for (int n = 0; n < 9'999; ++n)
      TRY_OK(d.exec(fmt::format("INSERT INTO tag VALUES('a', 't{:05}', '{}', 0, 0)", n, digest.str())));
    return {};
  }));
  auto all = host.send("GET", "/v2/a/tags/list");
  auto value = must(doc::parse_json(all.body, "tags"));
  EXPECT_EQ(must(doc::View(value)["tags"].strings()).size(), 10'000u);
  std::size_t seen = 0, pages = 0;
  std::string next = "/v2/a/tags/list?n=1000", last;
  while (!next.empty()) {
    auto page = host.send("GET", next);
    ASSERT_EQ(page.status, 200);
    auto list = must(doc::parse_json(page.body, "tags"));
    for (const auto& tag : must(doc::View(list)["tags"].strings())) {
      EXPECT_LT(last, tag);
      last = tag;
      ++seen;
    }
    ++pages;
    auto link = std::string(page.headers.get_or("link", ""));
    next = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  EXPECT_EQ(seen, 10'000u);
  EXPECT_EQ(pages, 10u);
}

// Sizes around those of the buffers that are filled and hashed in turn, of known length and in the chunked coding, by
// both algorithms.
TEST(Load, BodiesOfEverySizeAreTheirDigests) {
  Host host;
  constexpr std::size_t piece = 128 << 10;
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, piece - 1, piece, piece + 1, 2 * piece, 2 * piece + 1,
                           5 * piece + 7, std::size_t{9'000'001}}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7 + i / 251);
    for (auto algorithm : {Hasher::Algorithm::sha256, Hasher::Algorithm::sha512}) {
      auto digest = Hasher(algorithm).update(body).finish();
      for (bool known : {true, false}) {
        auto repository = fmt::format("r{}/{}", size, known ? "known" : "chunked");
        net::ClientRequest post{
            .method = "POST",
            .url = host.url(fmt::format("/v2/{}/blobs/uploads/?digest={}", repository, digest.str()))};
        post.upload = [&body, at = std::size_t{0}](std::span<char> buffer) mutable {
          auto n = std::min(buffer.size(), body.size() - at);
          body.copy(buffer.data(), n, at);
          at += n;
          return n;
        };
        post.upload_size = known ? static_cast<std::int64_t>(size) : -1;
        EXPECT_EQ(must(host.client.send(host.ctx, std::move(post))).status, 201) << size << " " << digest.algorithm();
        EXPECT_TRUE(host.send("GET", fmt::format("/v2/{}/blobs/{}", repository, digest.str())).body == body) << size;
      }
    }
  }
}

// The connection ends in the middle of a body: nothing of it is a blob; what came can be gone on with.
TEST(Load, TruncatedBodiesAreNoBlobs) {
  Host host;
  std::string bytes = "the whole of it";
  auto digest = Digest::of(bytes), part = Digest::of(bytes.substr(0, 6));
  auto cut_off = [&](const std::string& method, const std::string& target) {
    net::Raw raw(host.server->port());
    raw.send(fmt::format("{} {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", method, target, bytes.size(),
                         bytes.substr(0, 6)));
  };
  auto at = std::string(host.send("POST", "/v2/a/blobs/uploads/").headers.get_or("location", ""));
  cut_off("POST", "/v2/a/blobs/uploads/?digest=" + part.str());
  cut_off("PATCH", at);
  std::string standing;
  for (int i = 0; i < 400 && standing != "204 0-5"; ++i) {
    standing = host.show(host.send("GET", at), {"range"});
    must(sleep(host.ctx, Millis(5)));
  }
  EXPECT_EQ(standing, "204 0-5");
  cut_off("PUT", at + "?digest=" + digest.str());
  for (const auto& d : {digest, part}) EXPECT_EQ(host.send("GET", "/v2/a/blobs/" + d.str()).status, 404);
  for (int i = 0; i < 400 && standing != "204 0-11"; ++i) {  // what came of the PUT counts as well
    standing = host.show(host.send("GET", at), {"range"});
    must(sleep(host.ctx, Millis(5)));
  }
  EXPECT_EQ(standing, "204 0-11");
  EXPECT_EQ(code_of(host.send("PUT", at + "?digest=" + digest.str(), bytes.substr(12))), "400 DIGEST_INVALID");
}

}  // namespace
}  // namespace slipway::oci
