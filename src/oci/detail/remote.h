#pragma once
// The inside of Remote: sessions by host, and what pulling and pushing share.
#include <set>

#include "oci/detail/session.h"

namespace slipway::oci {

namespace detail {
// Whether the digest is that of the bytes, by its own algorithm.
inline bool fits(const Digest& digest, std::string_view bytes) {
  Hasher hasher(digest.algorithm() == "sha512" ? Hasher::Algorithm::sha512 : Hasher::Algorithm::sha256);
  return hasher.update(bytes).finish() == digest;
}
}  // namespace detail

namespace detail {
// The registry's own words, when it has any.
Fail refusal(const net::ClientResponse& response, std::string_view doing);
}  // namespace detail

struct Remote::Rep {
  RemoteOptions options;
  net::Client client;
  Guarded<std::map<std::string, std::shared_ptr<detail::Session>>> sessions;
  Guarded<std::map<std::string, std::string>> seen;  // "host digest" -> a repository there that has it

  explicit Rep(RemoteOptions o) : options(std::move(o)), client(patient(options.http)) {}
  // A registry that says nothing for so long says nothing any more.
  static net::ClientOptions patient(net::ClientOptions http) {
    if (http.stall.count() == 0) http.stall = std::chrono::seconds(120);
    return http;
  }

  std::string base_of(const std::string& host) const {
    if (host == "docker.io") return "https://registry-1.docker.io";
    const auto& plain = options.plain_http_hosts;
    bool http = detail::is_loopback(host) || std::find(plain.begin(), plain.end(), host) != plain.end();
    return (http ? "http://" : "https://") + host;
  }
  std::shared_ptr<detail::Session> session(const std::string& host, const std::string& base) {
    auto all = sessions.lock();
    auto& session = (*all)[base];
    if (!session) session = std::make_shared<detail::Session>(host, base, options, client);
    return session;
  }
  std::shared_ptr<detail::Session> session(const std::string& host) { return session(host, base_of(host)); }

  // Reads go to the mirror first; whatever it cannot answer, the origin does.
  Result<net::ClientResponse> read(const Ctx& ctx, const Reference& ref, detail::Call call) {
    call.repository = ref.repository;
    if (auto it = options.mirrors.find(ref.host); it != options.mirrors.end()) {
      auto mirrored = call;
      mirrored.retries = false;
      bool moved = false;
      if (call.sink)
        mirrored.sink = [&](std::string_view bytes) {
          moved = true;
          return call.sink(bytes);
        };
      auto base = it->second;
      while (base.ends_with('/')) base.pop_back();
      auto mirror = session(ref.host + " mirror", base);
      auto response = mirror->send(ctx, mirrored);
      if ((response && response->ok()) || moved) return response;  // who has some of the bytes asks for the rest
      // Images without a namespace are in "library" at Docker's hub alone; other registries keep them as they are
      // named.
      constexpr std::string_view hub = "/v2/library/";
      if (ref.host == "docker.io" && response && response->status == 404 && mirrored.target.starts_with(hub)) {
        mirrored.target = "/v2/" + mirrored.target.substr(hub.size());
        mirrored.repository = ref.repository.substr(std::string_view("library/").size());
        response = mirror->send(ctx, mirrored);
        if ((response && response->ok()) || moved) return response;
      }
    }
    return session(ref.host)->send(ctx, call);
  }

  Result<StoredManifest> manifest(const Ctx& ctx, const Reference& ref);
  Result<> fetch_blob(const Ctx& ctx, const Reference& ref, const Descriptor& d, store::BlobStore& blobs);
  Result<Descriptor> fetch(const Ctx& ctx, const Reference& ref, const StoredManifest& top, Registry& into,
                           const std::optional<Platform>& platform, const std::string& tag);
  Result<> fetch_image(const Ctx& ctx, const Reference& ref, const StoredManifest& stored, Registry& into,
                       const std::string& tag);
  Result<> send_blob(const Ctx& ctx, const Reference& to, const Descriptor& d, store::BlobStore& blobs);
  Result<> upload(const Ctx& ctx, const Reference& to, const Descriptor& d, int fd, std::string location);
  Result<Descriptor> send(const Ctx& ctx, Registry& from, const std::string& repository, const StoredManifest& stored,
                          const Reference& to, const std::string& as);
  // remote_referrers.cpp
  Result<Index> referrers_tag(const Ctx& ctx, const Reference& repository, const Digest& subject);
  Result<> put_manifest(const Ctx& ctx, const Reference& to, const std::string& as, std::string_view media_type,
                        std::string bytes, bool* lists_referrers);
};

}  // namespace slipway::oci
