#pragma once
// A registry of a test's own: folder, server, client.
#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "net/client.h"
#include "net/server.h"
#include "oci/registry.h"

namespace slipway::oci {

struct Host {
  TempDir dir = must(TempDir::make("slipway-oci"));
  std::unique_ptr<store::BlobStore> blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  std::unique_ptr<Registry> registry;
  std::unique_ptr<net::Server> server;
  net::Client client;
  Ctx ctx;

  explicit Host(RegistryOptions options = {}) { start(std::move(options)); }
  void start(RegistryOptions options = {}) {
    server.reset();
    registry.reset();
    registry = must(Registry::open(*blobs, dir.path() / "registry.db", std::move(options)));
    server = must(net::Server::start({}, registry->routes()));
  }
  std::string url(const std::string& path) const {
    return path.starts_with("http") ? path : "http://" + server->address() + path;
  }
  net::ClientResponse send(const std::string& method, const std::string& path, std::string body = {},
                           net::Headers headers = {}) {
    return must(client.send(
        ctx,
        {.method = method, .url = url(path), .headers = std::move(headers), .body = std::move(body), .redirects = 0}));
  }
  // "status header header".
  std::string show(const net::ClientResponse& r, std::initializer_list<const char*> headers = {}) {
    auto out = std::to_string(r.status);
    for (const auto* h : headers) out += fmt::format(" {}", r.headers.get_or(h, "-"));
    return out;
  }
  Digest push_blob(const std::string& repository, const std::string& bytes) {
    auto digest = Digest::of(bytes);
    EXPECT_EQ(send("POST", fmt::format("/v2/{}/blobs/uploads/?digest={}", repository, digest.str()), bytes).status,
              201);
    return digest;
  }
  // An image of one layer. Gives the manifest's bytes.
  std::string image(const std::string& repository, const std::string& layer, const std::string& extra = {}) {
    push_blob(repository, "{}");
    auto digest = push_blob(repository, layer);
    return fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[{{"mediaType":"{}","digest":"{}","size":{}}}]{}}})",
        media::manifest, media::config, Digest::of("{}").str(), media::layer_tar, digest.str(), layer.size(), extra);
  }
  net::ClientResponse put(const std::string& repository, const std::string& reference, const std::string& bytes,
                          std::string_view type = media::manifest) {
    return send("PUT", fmt::format("/v2/{}/manifests/{}", repository, reference), bytes,
                {{"Content-Type", std::string(type)}});
  }
};

inline std::string code_of(const net::ClientResponse& r) {
  auto at = r.body.find("\"code\":\"");
  return at == std::string::npos
             ? std::to_string(r.status)
             : fmt::format("{} {}", r.status, r.body.substr(at + 8, r.body.find('"', at + 8) - at - 8));
}

}  // namespace slipway::oci
