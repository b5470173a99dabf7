#pragma once
// One request to the registry: who asks, by which rules, and the endpoints of the distribution specification 1.1.
// Private to oci.
#include <variant>

#include "oci/detail/registry_rep.h"

namespace slipway::oci::http {

using detail::problem;
// What went wrong inside, with the specification's code for this kind of thing.
net::Response problem(const Error& error, std::string_view code);

struct Route {
  enum class What { ping, token, catalog, tags, manifest, blob, uploads, upload, referrers, unknown };
  What what = What::unknown;
  std::string repository, last;
};
struct Chunk {  // of a Content-Range
  std::optional<std::uint64_t> at, length;
  bool bad = false;
};

// Threads: one, for one request.
class Face {
 public:
  explicit Face(Registry::Rep& rep) : rep_(rep) {}
  net::Response operator()(const Ctx& ctx, net::Request& request);

 private:
  using Session = std::shared_ptr<detail::Upload>;
  net::Response answer(const Ctx& ctx, net::Request& request, const Route& route);

  net::Response catalog(const net::Request& request);
  net::Response tags(const Ctx& ctx, const net::Request& request, const Route& route);
  net::Response referrers(const Ctx& ctx, const net::Request& request, const Route& route);
  // Of another registry: all of them, then the page.
  Result<std::optional<std::vector<std::string>>> tags_there(const Ctx& ctx, const Route& route,
                                                             const detail::Page& page);

  net::Response get_manifest(const Ctx& ctx, const Route& route);
  net::Response put_manifest(const Ctx& ctx, net::Request& request, const Route& route);
  net::Response delete_manifest(const Route& route);
  Result<detail::Mirror::Found> find_manifest(const Ctx& ctx, const Route& route);

  net::Response get_blob(const Ctx& ctx, const net::Request& request, const Route& route);
  net::Response delete_blob(const Route& route);
  Result<std::optional<Digest>> find_blob(const std::string& repository, const Digest& digest);
  Result<std::optional<Digest>> look_at_blob(const std::string& repository, const Digest& digest);
  std::optional<net::Response> get_blob_there(const Ctx& ctx, const net::Request& request, const Route& route,
                                              const Digest& digest);

  net::Response start_upload(const Ctx& ctx, net::Request& request, const Route& route);
  net::Response upload_status(const Route& route);
  net::Response append(const Ctx& ctx, net::Request& request, const Route& route);
  net::Response finish(const Ctx& ctx, net::Request& request, const Route& route);
  net::Response cancel(const Route& route);
  Result<bool> mount(const net::Request& request, const Route& route, const Digest& digest);
  net::Response complete(const Route& route, const Session& upload, const Digest& digest);
  std::variant<Session, net::Response> find_upload(const Route& route);
  Result<> receive(const Ctx& ctx, net::Request& request, const Route& route, const Session& upload, const Chunk& chunk,
                   const std::optional<Digest>& named);
  std::optional<net::Response> take_body(const Ctx& ctx, net::Request& request, const Route& route,
                                         const Session& session, const std::optional<Digest>& named = {});

  Registry::Rep& rep_;
  detail::Visitor visitor_;
  std::shared_ptr<const RegistryRules> rules_;
  const Upstream* upstream_ = nullptr;  // whose image it is; null: ours
};

}  // namespace slipway::oci::http
