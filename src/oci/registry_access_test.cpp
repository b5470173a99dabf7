#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/jwt.h"
#include "oci/detail/access.h"
#include "oci/remote.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

constexpr std::string_view rules_text = R"(
rights:
- {who: ann, repositories: "shop/**", may: [pull, push]}
- {who: "group:ops", repositories: "**", may: [pull, push, delete]}
- {who: anonymous, repositories: "open/*", may: pull}
immutable:
- {repositories: "shop/*", tags: "v*"}
quota:
- {repositories: shop/small, bytes: 1000}
)";

std::optional<Who> sign_in(std::string_view header) {
  for (auto who : {Who{"ann", {}}, Who{"bob", {}}, Who{"olga", {"ops"}}})
    if (header == "Basic " + to_base64(who.name + ":pw") || header == "Bearer " + who.name + "-token") return who;
  return std::nullopt;
}

RegistryOptions options(bool tokens = true, std::string_view text = rules_text) {
  auto rules = std::make_shared<const RegistryRules>(must(parse_registry_rules(text, "settings")));
  return {.sign_in = sign_in,
          .rules = [rules] { return rules; },
          .token_key_pem = tokens ? must(net::make_signing_key()) : std::string(),
          .pushed = {}};
}
net::Headers basic(const std::string& name, const std::string& password = "pw") {
  return {{"Authorization", "Basic " + to_base64(name + ":" + password)}};
}

// As clients do it: ask, follow the challenge, ask again.
struct Client {
  Host& host;
  net::Headers credentials;
  std::string challenge;

  std::string token(const std::string& scope, const net::Headers& who) {
    auto r = host.send("GET", "/v2/_token?service=slipway&scope=" + percent_encode(scope), {}, who);
    if (r.status != 200) return code_of(r);
    auto value = must(doc::parse_json(r.body, "token"));
    EXPECT_EQ(doc::View(value)["expires_in"].num_or(0), 300);
    EXPECT_EQ(doc::View(value)["token"].text(), doc::View(value)["access_token"].text());
    return doc::View(value)["token"].text();
  }
  net::ClientResponse send(const std::string& method, const std::string& path, const std::string& scope,
                           std::string body = {}) {
    return host.send(method, path, std::move(body), {{"Authorization", "Bearer " + token(scope, credentials)}});
  }
};

TEST(Access, SendsClientsToTheTokenService) {
  Host host(options());
  auto realm = fmt::format("Bearer realm=\"http://{}/v2/_token\",service=\"slipway\"", host.server->address());
  auto asked = host.send("GET", "/v2/");
  EXPECT_EQ(host.show(asked, {"www-authenticate"}), "401 " + realm);
  EXPECT_EQ(code_of(asked), "401 UNAUTHORIZED");
  EXPECT_EQ(host.show(host.send("POST", "/v2/shop/web/blobs/uploads/"), {"www-authenticate"}),
            fmt::format("401 {},scope=\"repository:shop/web:pull,push\"", realm));
  EXPECT_EQ(host.show(host.send("GET", "/v2/shop/web/manifests/v1"), {"www-authenticate"}),
            fmt::format("401 {},scope=\"repository:shop/web:pull\"", realm));
  auto proxied = host.send("GET", "/v2/", {}, {{"X-Forwarded-Proto", "https"}});
  EXPECT_NE(proxied.headers.get_or("www-authenticate", "").find("realm=\"https://"), std::string_view::npos);
}

TEST(Access, GivesTokensForWhatTheRulesAllow) {
  Host host(options());
  auto granted = [&](const std::string& scope, const net::Headers& who) {
    auto token = Client{host, {}, {}}.token(scope, who);
    auto parts = split(token, '.');
    if (parts.size() != 3) return token;
    auto value = must(doc::parse_json(must(from_base64(parts[1])), "claims"));
    std::string out;
    for (const auto& access : doc::View(value)["access"].items())
      out += fmt::format("{}:{} ", access["name"].text(), join(must(access["actions"].strings()), ","));
    return std::string(trim(out));
  };
  struct Case {
    net::Headers who;
    const char *scope, *want;
  };
  for (const auto& c : std::initializer_list<Case>{
           {basic("ann"), "repository:shop/web:pull,push", "shop/web:pull,push"},
           {basic("ann"), "repository:shop/web:*", "shop/web:pull,push"},
           {basic("ann"), "repository:shop/web:pull,push,delete,fly", "shop/web:pull,push"},
           {basic("ann"), "repository:other:pull,push repository:shop/a:pull", "shop/a:pull"},
           {basic("olga"), "repository:other:pull,push,delete", "other:pull,push,delete"},
           {basic("bob"), "repository:shop/web:pull repository:open/x:pull", "open/x:pull"},
           {{}, "repository:open/x:pull,push", "open/x:pull"},
           {{}, "repository:shop/web:pull", ""},
           {basic("ann"), "registry:catalog:*", ""},
           {basic("ann"), "repository:UPPER:pull nonsense repository: :", ""},
           {basic("ann", "wrong"), "repository:shop/web:pull", "401 UNAUTHORIZED"},
           {{{"Authorization", "Bearer ann-token"}}, "repository:shop/web:push", "shop/web:push"}})
    EXPECT_EQ(granted(c.scope, c.who), c.want) << c.scope;
  auto post = [&](const std::string& form) {
    return host.send("POST", "/v2/_token", form, {{"Content-Type", "application/x-www-form-urlencoded"}});
  };
  auto given = post("grant_type=password&username=ann&password=pw&access_type=offline&scope=repository:shop/web:pull");
  EXPECT_EQ(given.status, 200);
  EXPECT_NE(given.body.find("\"refresh_token\":\"pw\""), std::string::npos) << given.body;
  EXPECT_EQ(post("grant_type=refresh_token&refresh_token=ann-token&scope=repository:shop/web:pull").status, 200);
  EXPECT_EQ(post("grant_type=refresh_token&refresh_token=other&scope=repository:shop/web:pull").status, 401);
  EXPECT_EQ(post("grant_type=fly").status, 400);
  EXPECT_EQ(host.send("DELETE", "/v2/_token").status, 405);
}

TEST(Access, ATokenIsForWhatItSays) {
  Host host(options());
  Client ann{host, basic("ann"), {}}, nobody{host, {}, {}}, olga{host, basic("olga"), {}};
  const std::string uploads = "/v2/shop/web/blobs/uploads/", scope = "repository:shop/web:pull,push";
  EXPECT_EQ(ann.send("GET", "/v2/", "").status, 200);
  EXPECT_EQ(nobody.send("GET", "/v2/", "").status, 200) << "a token of nobody is an answer to the ping";
  EXPECT_EQ(ann.send("POST", uploads, scope).status, 202);
  auto less = ann.send("POST", uploads, "repository:shop/web:pull");
  EXPECT_EQ(code_of(less), "401 UNAUTHORIZED");
  EXPECT_NE(less.headers.get_or("www-authenticate", "").find("error=\"insufficient_scope\""), std::string_view::npos);
  EXPECT_EQ(ann.send("POST", "/v2/shop/api/blobs/uploads/", scope).status, 401) << "for another repository";
  EXPECT_EQ(code_of(ann.send("POST", "/v2/other/blobs/uploads/", "repository:other:push")), "403 DENIED");
  EXPECT_EQ(code_of(ann.send("DELETE", "/v2/shop/web/manifests/latest", scope)), "403 DENIED");
  EXPECT_EQ(code_of(olga.send("DELETE", "/v2/shop/web/manifests/latest", "repository:shop/web:delete")),
            "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(nobody.send("POST", "/v2/open/x/blobs/uploads/", "repository:open/x:pull,push").status, 401);
  EXPECT_EQ(code_of(nobody.send("GET", "/v2/open/x/manifests/a", "repository:open/x:pull")), "404 MANIFEST_UNKNOWN");

  auto token = ann.token(scope, ann.credentials);
  auto with = [&](const std::string& t) { return host.send("POST", uploads, {}, {{"Authorization", "Bearer " + t}}); };
  EXPECT_EQ(with(token).status, 202);
  auto parts = split(token, '.');
  auto forged = to_base64url(replace_all(must(from_base64(parts[1])), "shop/web", "shop/api"));
  EXPECT_EQ(with(fmt::format("{}.{}.{}", parts[0], forged, parts[2])).status, 401);
  EXPECT_EQ(with(token + "x").status, 401);
  auto other = must(net::SigningKey::load(must(net::make_signing_key())));
  EXPECT_EQ(with(must(other.sign(must(from_base64(parts[1]))))).status, 401) << "somebody else's key";
}

TEST(Access, OldTokensEnd) {
  auto o = options();
  auto key = must(net::SigningKey::load(o.token_key_pem));
  Host host(std::move(o));
  auto with = [&](std::int64_t until) {
    auto claims = fmt::format(R"({{"sub":"olga","groups":["ops"],"exp":{},"access":[]}})", until);
    return host.send("GET", "/v2/", {}, {{"Authorization", "Bearer " + must(key.sign(claims))}}).status;
  };
  EXPECT_EQ(with(std::time(nullptr) + 100), 200);
  EXPECT_EQ(with(std::time(nullptr) - 1), 401);
}

TEST(Access, PasswordsWorkWithoutTokens) {
  for (bool tokens : {true, false}) {
    Host host(options(tokens));
    EXPECT_EQ(host.send("POST", "/v2/shop/web/blobs/uploads/", {}, basic("ann")).status, 202);
    EXPECT_EQ(code_of(host.send("POST", "/v2/other/blobs/uploads/", {}, basic("ann"))), "403 DENIED");
    EXPECT_EQ(code_of(host.send("POST", "/v2/shop/web/blobs/uploads/", {}, basic("ann", "wrong"))), "401 UNAUTHORIZED");
    EXPECT_EQ(code_of(host.send("GET", "/v2/open/x/tags/list", {}, basic("ann", "wrong"))), "401 UNAUTHORIZED")
        << "a wrong password is not nobody";
  }
  Host host(options(false));
  EXPECT_EQ(host.show(host.send("GET", "/v2/"), {"www-authenticate"}),
            "401 Basic realm=\"slipway\", charset=\"UTF-8\"");
  EXPECT_EQ(host.send("GET", "/v2/_token").status, 404);
}

TEST(Access, ListsAndMountsOnlyWhatMayBeRead) {
  Host host(options());
  host.registry->blobs();
  for (const char* repository : {"open/x", "secret", "shop/web"}) {
    must(host.blobs->put("{}")), must(host.blobs->put("layer"));
    auto bytes = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[{{"mediaType":"{}","digest":"{}","size":5}}]}})",
        media::manifest, media::config, Digest::of("{}").str(), media::layer_tar, Digest::of("layer").str());
    must(host.registry->put_manifest(repository, "t", media::manifest, bytes));
  }
  EXPECT_EQ(host.send("GET", "/v2/_catalog").body, R"({"repositories":["open/x"]})");
  EXPECT_EQ(host.send("GET", "/v2/_catalog", {}, basic("olga")).body,
            R"({"repositories":["open/x","secret","shop/web"]})");
  auto mount = [&](const std::string& from) {
    return host.send("POST",
                     fmt::format("/v2/shop/new/blobs/uploads/?mount={}&from={}", Digest::of("layer").str(), from), {},
                     basic("ann"));
  };
  EXPECT_EQ(mount("secret").status, 202) << "not hers to read, so it is uploaded";
  EXPECT_EQ(mount("shop/web").status, 201);
  Client ann{host, basic("ann"), {}};
  auto post = "/v2/shop/newer/blobs/uploads/?mount=" + Digest::of("layer").str();
  EXPECT_EQ(ann.send("POST", post + "&from=shop/web", "repository:shop/newer:pull,push").status, 201);
  EXPECT_EQ(ann.send("POST", post + "&from=secret", "repository:shop/newer:pull,push").status, 202);
  EXPECT_EQ(ann.send("POST", post, "repository:shop/newer:pull,push").status, 201) << "from wherever she may read it";
}

TEST(Access, OurClientSignsIn) {
  Host here, there(options());
  auto bytes = here.image("a", "layer");
  must(here.registry->put_manifest("a", "t", media::manifest, bytes));
  auto to = must(parse_reference(there.server->address() + "/shop/web:latest"));
  Remote ann({.credentials = [](const std::string&) { return Credentials{"ann", "pw"}; }});
  Remote bob({.credentials = [](const std::string&) { return Credentials{"bob", "pw"}; }});
  Remote nobody({.credentials = [](const std::string&) { return std::nullopt; }});
  EXPECT_EQ(must(ann.push(here.ctx, *here.registry, "a", "t", to)).digest, Digest::of(bytes));
  EXPECT_EQ(must(ann.head(here.ctx, to)), Digest::of(bytes));
  for (auto* stranger : {&bob, &nobody}) {
    auto refused = stranger->push(here.ctx, *here.registry, "a", "t", to);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::denied);
    EXPECT_FALSE(stranger->manifest(here.ctx, to));
  }
}

TEST(Rules, ImmutableTagsStay) {
  Host host(options());
  auto push = [&](const std::string& tag, const std::string& layer) {
    auto bytes = replace_all(
        fmt::format(
            R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[],"annotations":{{"x":"LAYER"}}}})",
            media::manifest, media::config, Digest::of("{}").str()),
        "LAYER", layer);
    host.send("POST", "/v2/shop/web/blobs/uploads/?digest=" + Digest::of("{}").str(), "{}", basic("ann"));
    auto headers = basic("ann");
    headers.set("Content-Type", media::manifest);
    return std::pair(host.send("PUT", "/v2/shop/web/manifests/" + tag, bytes, headers), Digest::of(bytes));
  };
  auto [first, digest] = push("v1", "one");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(push("v1", "one").first.status, 201) << "the same again";
  auto [moved, other] = push("v1", "two");
  EXPECT_EQ(code_of(moved), "403 DENIED");
  EXPECT_NE(moved.body.find("shop/web:v1: this tag is immutable, and is " + digest.str()), std::string::npos)
      << moved.body;
  EXPECT_FALSE(must(host.registry->manifest("shop/web", other.str()))) << "nothing of it is there";
  EXPECT_EQ(push("latest", "one").first.status, 201);
  EXPECT_EQ(push("latest", "two").first.status, 201);
  EXPECT_EQ(code_of(host.send("DELETE", "/v2/shop/web/manifests/v1", {}, basic("olga"))), "403 DENIED");
  EXPECT_EQ(code_of(host.send("DELETE", "/v2/shop/web/manifests/" + digest.str(), {}, basic("olga"))), "403 DENIED");
  EXPECT_EQ(host.send("DELETE", "/v2/shop/web/manifests/latest", {}, basic("olga")).status, 202);
  EXPECT_FALSE(host.registry->tag("shop/web", "v1", other)) << "in process neither";
}

TEST(Rules, QuotasAreKept) {
  Host host(options());
  auto post = [&](std::size_t size, const std::string& repository = "shop/small") {
    std::string bytes(size, 'x');
    return host.send("POST", fmt::format("/v2/{}/blobs/uploads/?digest={}", repository, Digest::of(bytes).str()), bytes,
                     basic("ann"));
  };
  EXPECT_EQ(post(600).status, 201);
  EXPECT_EQ(post(600).status, 201) << "the same blob again takes no room, but is sent";
  EXPECT_EQ(must(host.registry->usage("shop/small")), 600u);
  auto refused = post(500);
  EXPECT_EQ(code_of(refused), "403 DENIED");
  EXPECT_NE(refused.body.find("500 bytes do not fit: 400 are left of its quota of 1000"), std::string::npos)
      << refused.body;
  EXPECT_EQ(post(5000, "shop/large").status, 201);
  auto big = Digest::of(std::string(5000, 'x'));
  auto mount = "/v2/shop/small/blobs/uploads/?from=shop/large&mount=" + big.str();
  EXPECT_EQ(code_of(host.send("POST", mount, {}, basic("ann"))), "403 DENIED");

  // Without a length: cut off where the room ends.
  auto at =
      std::string(host.send("POST", "/v2/shop/small/blobs/uploads/", {}, basic("ann")).headers.get_or("location", ""));
  std::size_t left = 3000;
  auto upload = [&](std::span<char> buffer) {
    auto n = std::min<std::size_t>({buffer.size(), left, 100});
    std::fill_n(buffer.begin(), n, 'y');
    left -= n;
    return n;
  };
  auto headers = basic("ann");
  auto streamed = must(host.client.send(
      host.ctx, {.method = "PATCH", .url = host.url(at), .headers = headers, .upload = upload, .upload_size = -1}));
  EXPECT_EQ(code_of(streamed), "403 DENIED");
  EXPECT_EQ(code_of(host.send("GET", at, {}, basic("ann"))), "404 BLOB_UPLOAD_UNKNOWN") << "what came is gone";
  EXPECT_EQ(must(host.registry->usage("shop/small")), 600u);
}

}  // namespace
}  // namespace slipway::oci
