#include <thread>

#include "base/text.h"
#include "oci/remote.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

// A registry, and one that mirrors it as "hub.test".
struct Pair {
  Host origin;
  std::atomic<int> manifests = 0, blobs = 0;
  std::atomic<bool> away = false, cut = false;
  std::function<net::Response(const Ctx&, net::Request&)> instead;  // for one blob
  std::function<net::Response(const Ctx&, net::Request&)> instead_of_lists;
  std::unique_ptr<net::Server> door;  // to the origin, counted
  std::unique_ptr<Host> mirror;
  std::string name = "hub.test/team/web";

  explicit Pair(const std::string& fresh = "10m") {
    door = must(net::Server::start({}, [this, routes = origin.registry->routes()](const Ctx& ctx, net::Request& r) {
      if (away) return net::Response::text(503, "gone fishing");
      if (r.path.find("/manifests/") != std::string::npos) ++manifests;
      if (r.path.find("/blobs/") != std::string::npos) ++blobs;
      if (instead && r.path.find("/blobs/") != std::string::npos) return instead(ctx, r);
      if (instead_of_lists && r.path.find("/referrers/") != std::string::npos) return instead_of_lists(ctx, r);
      return routes(ctx, r);
    }));
    auto yaml = fmt::format("mirrors:\n- {{host: hub.test, url: 'http://{}', fresh: {}}}\n", door->address(), fresh);
    auto rules = std::make_shared<const RegistryRules>(must(parse_registry_rules(yaml, "settings")));
    mirror = std::make_unique<Host>(
        RegistryOptions{.sign_in = {}, .rules = [rules] { return rules; }, .token_key_pem = {}, .pushed = {}});
  }
  std::string push(const std::string& tag, const std::string& layer) {
    auto bytes = origin.image("team/web", layer);
    EXPECT_EQ(origin.put("team/web", tag, bytes).status, 201);
    return bytes;
  }
  net::ClientResponse get(const std::string& what, net::Headers headers = {}, const std::string& method = "GET") {
    return mirror->send(method, fmt::format("/v2/{}/{}", name, what), {}, std::move(headers));
  }
};

TEST(Mirror, FetchesWhenSomebodyAsksAndKeepsIt) {
  Pair p;
  auto bytes = p.push("v1", "layer");
  auto layer = "blobs/" + Digest::of("layer").str();
  EXPECT_EQ(code_of(p.get(layer)), "404 BLOB_UNKNOWN") << "no manifest here names it";
  auto got = p.get("manifests/v1");
  EXPECT_EQ(got.body, bytes);
  EXPECT_EQ(p.mirror->show(got, {"content-type", "docker-content-digest"}),
            fmt::format("200 {} {}", media::manifest, Digest::of(bytes).str()));
  EXPECT_EQ(p.mirror->show(p.get(layer, {}, "HEAD"), {"content-length"}), "200 5");
  EXPECT_EQ(p.blobs, 0) << "its size is in the manifest";
  EXPECT_EQ(p.mirror->show(p.get(layer), {"content-length", "docker-content-digest"}),
            "200 5 " + Digest::of("layer").str());
  EXPECT_EQ(p.get(layer).body, "layer");
  EXPECT_EQ(p.blobs, 1);
  EXPECT_EQ(p.get(layer, {{"Range", "bytes=1-2"}}).body, "ay");
  EXPECT_EQ(p.get("blobs/" + Digest::of("{}").str(), {{"Range", "bytes=0-0"}}).body, "{") << "whole first, then a part";
  EXPECT_EQ(p.get("manifests/" + Digest::of(bytes).str()).body, bytes);
  EXPECT_EQ(p.get("manifests/v1").body, bytes);
  EXPECT_EQ(p.manifests, 1) << "the tag is fresh, the digest is for ever";
  EXPECT_EQ(code_of(p.get("manifests/none")), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(p.get("tags/list").body, R"({"name":"hub.test/team/web","tags":["v1"]})");
}

TEST(Mirror, LooksTagsUpAgain) {
  Pair p("0s");
  auto first = p.push("v1", "one");
  EXPECT_EQ(p.get("manifests/v1").body, first);
  EXPECT_EQ(p.get("manifests/v1").body, first);
  EXPECT_EQ(p.manifests, 2) << "asked whether it is the same, not fetched";
  auto second = p.push("v1", "two");
  EXPECT_EQ(p.get("manifests/v1").body, second);
  EXPECT_EQ(p.get("manifests/" + Digest::of(first).str()).body, first);
  p.origin.send("DELETE", "/v2/team/web/manifests/v1");
  EXPECT_EQ(code_of(p.get("manifests/v1")), "404 MANIFEST_UNKNOWN") << "gone there, gone here";
}

TEST(Mirror, ServesWhatItHasWhenTheOtherIsAway) {
  Pair p("0s");
  auto bytes = p.push("v1", "layer");
  p.get("manifests/v1"), p.get("blobs/" + Digest::of("layer").str());
  p.away = true;
  auto got = p.get("manifests/v1");
  EXPECT_EQ(got.body, bytes);
  EXPECT_EQ(got.headers.get_or("warning", "").find("299 - \"hub.test was not asked whether v1 is still this image: "),
            0u)
      << got.headers.get_or("warning", "");
  EXPECT_EQ(p.get("blobs/" + Digest::of("layer").str()).body, "layer");
  EXPECT_EQ(p.get("tags/list").body, R"({"name":"hub.test/team/web","tags":["v1"]})");
}

TEST(Mirror, AnswersContainerdsWayOfAsking) {
  Pair p;
  auto bytes = p.push("v1", "layer");
  auto got = p.mirror->send("GET", "/v2/team/web/manifests/v1?ns=hub.test");
  EXPECT_EQ(got.body, bytes);
  EXPECT_EQ(got.headers.get_or("oci-namespace", ""), "hub.test");
  EXPECT_EQ(p.mirror->send("GET", "/v2/team/web/blobs/" + Digest::of("layer").str() + "?ns=hub.test").body, "layer");
  EXPECT_EQ(code_of(p.mirror->send("GET", "/v2/team/web/manifests/v1?ns=other.test")), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(code_of(p.mirror->send("POST", "/v2/hub.test/team/web/blobs/uploads/")), "403 DENIED");
}

TEST(Mirror, ManyAskForOneBlob) {
  Pair p;
  std::string layer(3'000'000, 'z');
  p.push("v1", layer);
  p.get("manifests/v1");
  std::vector<std::thread> people;
  std::atomic<int> right = 0;
  for (int i = 0; i < 12; ++i)
    people.emplace_back([&] { right += p.get("blobs/" + Digest::of(layer).str()).body == layer ? 1 : 0; });
  for (auto& person : people) person.join();
  EXPECT_EQ(right, 12);
  EXPECT_EQ(p.blobs, 1);
}

// The other registry cuts off, lies, or has nothing.
TEST(Mirror, KeepsNothingThatIsWrong) {
  Pair p;
  std::string layer(400'000, 'z');
  p.push("v1", layer);
  p.get("manifests/v1");
  auto path = "blobs/" + Digest::of(layer).str();
  auto stream = [](std::vector<std::string> pieces, std::uint64_t length, bool fails) {
    net::Response response;
    response.headers.set("Content-Length", std::to_string(length));
    response.body =
        net::StreamBody([pieces = std::move(pieces), fails](const Ctx& ctx, net::BodyWriter& out) -> Result<> {
          for (const auto& piece : pieces) TRY_OK(out.write(ctx, piece));
          if (fails) return fail(Kind::unavailable, "cut");
          return {};
        });
    return response;
  };
  auto broken = [&] {
    auto r = p.mirror->client.send(p.mirror->ctx, {.url = p.mirror->url(fmt::format("/v2/{}/{}", p.name, path))});
    return !r || r->status != 200;
  };
  auto lie = layer;
  lie[1] = 'y';
  p.instead = [&](const Ctx&, net::Request&) { return stream({lie}, lie.size(), false); };
  EXPECT_TRUE(broken()) << "other bytes";
  p.instead = [&](const Ctx&, net::Request&) { return stream({layer, "more"}, layer.size() + 4, false); };
  EXPECT_TRUE(broken()) << "more bytes";
  p.instead = [&](const Ctx&, net::Request&) { return net::Response::text(404, "no"); };
  EXPECT_TRUE(broken());
  EXPECT_FALSE(p.mirror->blobs->contains(Digest::of(layer)));
  std::atomic<int> calls = 0;
  p.instead = [&, routes = p.origin.registry->routes()](const Ctx& ctx, net::Request& r) {
    if (calls++ == 0) return stream({layer.substr(0, 100'000)}, layer.size(), true);
    EXPECT_TRUE(r.headers.get_or("range", "").starts_with("bytes=")) << "it goes on where it was cut off";
    return routes(ctx, r);
  };
  EXPECT_EQ(p.get(path).body, layer);
  EXPECT_EQ(calls, 2);
}

TEST(Mirror, FetchesIndexesOneImageAtATime) {
  Pair p;
  Index index;
  for (const char* arch : {"amd64", "arm64"}) {
    auto bytes = p.origin.image("team/web", arch);
    auto d = must(p.origin.registry->put_manifest("team/web", "", media::manifest, bytes));
    d.platform = Platform{"linux", arch, ""};
    index.manifests.push_back(d);
  }
  must(p.origin.registry->put_manifest("team/web", "multi", media::index, print(index)));
  Remote client({.credentials = [](const std::string&) { return std::nullopt; }});
  Host here;
  auto ref = must(parse_reference(fmt::format("{}/{}:multi", p.mirror->server->address(), p.name)));
  auto image = must(client.pull(here.ctx, ref, *here.registry, {"linux", "arm64", ""}));
  EXPECT_EQ(image.digest, index.manifests[1].digest);
  EXPECT_FALSE(must(p.mirror->registry->manifest(p.name, index.manifests[0].digest.str())))
      << "nobody has asked for the other one";
}

// What is said of an image comes along: by the list, by the tag that stood for it, and when the other is away.
TEST(Mirror, SLOW_WhatRefersToAnImage) {
  for (bool has_list : {true, false}) {
    Pair p;
    if (!has_list) p.instead_of_lists = [](const Ctx&, net::Request&) { return net::Response::json(404, "{}"); };
    auto bytes = p.push("v1", "layer");
    auto subject = Digest::of(bytes);
    auto attached = must(p.origin.registry->attach("team/web", subject, "x/sbom", "x/sbom", "an sbom"));
    if (!has_list) {
      Index index;
      index.manifests.push_back(attached);
      index.manifests[0].artifact_type = "x/sbom";
      must(p.origin.registry->put_manifest("team/web", fmt::format("sha256-{}", subject.hex()), media::index,
                                           print(index)));
    }
    auto list = [&](const std::string& query) {
      auto got = p.get(fmt::format("referrers/{}{}", subject.str(), query));
      EXPECT_EQ(got.status, 200);
      std::string shown;
      for (const auto& one : must(parse_index(got.body)).manifests) shown += one.artifact_type + " ";
      return shown;
    };
    EXPECT_EQ(list(""), "x/sbom ") << has_list;
    EXPECT_EQ(list("?artifactType=x/sbom"), "x/sbom ");
    EXPECT_EQ(list("?artifactType=x/other"), "");
    EXPECT_EQ(p.get("manifests/" + attached.digest.str()).status, 200);
    EXPECT_EQ(p.get("blobs/" + Digest::of("an sbom").str()).body, "an sbom");
    p.away = true;
    EXPECT_EQ(list(""), "x/sbom ") << "what was fetched is known here";
  }
}

TEST(Mirror, NamesBySha512) {
  Pair p;
  std::string layer(300'000, 'z');
  auto name = [](const std::string& bytes) { return Hasher(Hasher::Algorithm::sha512).update(bytes).finish(); };
  for (const auto& bytes : {std::string("{}"), layer})
    EXPECT_EQ(
        p.origin.send("POST", fmt::format("/v2/team/web/blobs/uploads/?digest={}", name(bytes).str()), bytes).status,
        201);
  Manifest manifest;
  manifest.config = {.media_type = std::string(media::config), .digest = name("{}"), .size = 2};
  manifest.layers = {{.media_type = std::string(media::layer_tar), .digest = name(layer), .size = layer.size()}};
  auto bytes = print(manifest);
  EXPECT_EQ(p.origin.put("team/web", name(bytes).str(), bytes).status, 201);
  EXPECT_EQ(p.get("manifests/" + name(bytes).str()).body, bytes);
  EXPECT_EQ(p.get("blobs/" + name(layer).str()).body, layer);
  EXPECT_EQ(p.get("blobs/" + name(layer).str(), {{"Range", "bytes=0-0"}}).body, "z");
  EXPECT_EQ(p.blobs, 1) << "kept";
  p.instead = [](const Ctx&, net::Request&) { return net::Response::text(200, "[]"); };
  auto r = p.mirror->client.send(p.mirror->ctx,
                                 {.url = p.mirror->url(fmt::format("/v2/{}/blobs/{}", p.name, name("{}").str()))});
  EXPECT_TRUE(!r || r->status != 200) << "other bytes";
  EXPECT_FALSE(p.mirror->blobs->contains(Digest::of("[]")));
}

}  // namespace
}  // namespace slipway::oci
