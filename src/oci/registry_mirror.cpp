#include <unistd.h>

#include <ctime>

#include "base/log.h"
#include "base/metrics.h"
#include "doc/json.h"
#include "oci/detail/registry_rep.h"
#include "oci/detail/session.h"
#include "oci/remote.h"

namespace slipway::oci::detail {
namespace {

Counter asked("slipway_oci_mirror_requests_total", "what was asked of other registries for those who pull through");

constexpr Millis when_cached{5'000}, when_not{60'000};  // how long another registry may take to say something
constexpr std::int64_t away_for = 30;                   // seconds in which one that was away is not asked again
constexpr int tries = 3;

std::int64_t now() { return static_cast<std::int64_t>(std::time(nullptr)); }

// The repository as the other registry knows it.
std::string there(const Upstream& up, const std::string& repository) { return repository.substr(up.name.size() + 1); }

Result<> send_file(const Ctx& ctx, const Fd& fd, net::BodyWriter& client) {
  std::string buffer(std::size_t{256} << 10, '\0');
  for (off_t at = 0;;) {
    auto n = ::pread(fd.get(), buffer.data(), buffer.size(), at);
    if (n < 0) return fail_errno(errno, "blob");
    if (n == 0) return {};
    TRY_OK(client.write(ctx, {buffer.data(), static_cast<std::size_t>(n)}));
    at += n;
  }
}

}  // namespace

struct Mirror::Line {
  RemoteOptions options;
  net::Client client;
  Remote remote;
  Session session;
  std::atomic<std::int64_t> away = 0;

  static RemoteOptions options_of(const Upstream& up) {
    RemoteOptions out;
    if (up.plain_http) out.plain_http_hosts = {up.address};
    return out;
  }
  static std::string base_of(const Upstream& up) {
    if (up.address == "docker.io") return "https://registry-1.docker.io";
    return (up.plain_http || is_loopback(up.address) ? "http://" : "https://") + up.address;
  }
  explicit Line(const Upstream& up)
      : options(options_of(up)), remote(options), session(up.address, base_of(up), options, client) {}

  Reference reference(const Upstream& up, const std::string& repository, const std::string& wanted) const {
    Reference out{up.address, there(up, repository), {}, {}};
    if (auto digest = Digest::parse(wanted))
      out.digest = *digest;
    else
      out.tag = wanted;
    return out;
  }
};

struct Mirror::Flight {
  std::mutex mutex;
  std::condition_variable_any landed;
  bool done = false;
};

Mirror::Mirror(Registry::Rep& rep) : rep_(rep) {}
Mirror::~Mirror() = default;

std::shared_ptr<Mirror::Line> Mirror::line(const Upstream& up) {
  auto lines = lines_.lock();
  auto& line = (*lines)[fmt::format("{} {}", up.address, up.plain_http)];
  if (!line) line = std::make_shared<Line>(up);
  return line;
}

// From there into the catalogue; nothing: not there.
Result<Mirror::Found> Mirror::fetch(const Ctx& ctx, const Upstream& up, const std::string& repository,
                                    const std::string& reference) {
  auto to = line(up);
  auto name = to->reference(up, repository, reference);
  asked.add(1, {{"what", "manifest"}});
  auto got = to->remote.manifest(ctx, name);
  if (!got && got.error().is(Kind::not_found)) return Found{};
  if (!got) return Fail(std::move(got).error());
  Registry::Rep::Push push{.repository = repository,
                           .media_type = got->descriptor.media_type,
                           .tags = {},
                           .digest = name.digest,
                           .children = Registry::Rep::Children::later};
  if (!name.tag.empty()) push.tags.push_back(name.tag);
  TRY_IN(auto pushed, name.print(), rep_.push(push, got->bytes));
  if (!name.tag.empty()) TRY_OK(rep_.catalogue->set_checked(repository, name.tag, now()));
  got->descriptor.digest = pushed.descriptor.digest;
  got->descriptor.media_type = pushed.descriptor.media_type;
  return Found{*std::move(got), {}};
}

Result<Mirror::Found> Mirror::manifest(const Ctx& ctx, const Upstream& up, const std::string& repository,
                                       const std::string& reference) {
  TRY(auto here, rep_.manifest(repository, reference));
  bool by_digest = reference.find(':') != std::string::npos;
  if (here && by_digest) return Found{std::move(here), {}};
  if (!here) return fetch(ctx.within(when_not), up, repository, reference);
  TRY(auto checked, rep_.catalogue->checked(repository, reference));
  auto age = std::chrono::seconds(now() - checked.value_or(0));
  if (age < up.fresh) return Found{std::move(here), {}};
  auto to = line(up);
  auto stale = [&](std::string_view why) {
    return Found{std::move(here),
                 fmt::format("{} was not asked whether {} is still this image: {}", up.host, reference, why)};
  };
  if (to->away + away_for > now()) return stale("it does not answer");
  auto inner = ctx.within(when_cached);
  asked.add(1, {{"what", "tag"}});
  auto newest = to->remote.head(inner, to->reference(up, repository, reference));
  if (newest && *newest && **newest == here->descriptor.digest) {
    TRY_OK(rep_.catalogue->set_checked(repository, reference, now()));
    return Found{std::move(here), {}};
  }
  if (newest && !*newest) {  // gone there: gone here
    TRY_OK(rep_.catalogue->remove_tag(repository, reference));
    return Found{};
  }
  auto fetched = newest ? fetch(inner, up, repository, reference) : Result<Found>(Fail(newest.error()));
  if (fetched) return fetched;
  if (fetched.error().retryable()) to->away = now();
  LOG(warn, "oci.mirror.stale", {"repository", repository}, {"tag", reference}, {"error", fetched.error().what()});
  return stale(fetched.error().what());
}

Result<std::vector<std::string>> Mirror::tags(const Ctx& ctx, const Upstream& up, const std::string& repository) {
  auto to = line(up);
  if (to->away + away_for <= now()) {
    auto list = to->remote.tags(ctx.within(when_cached), to->reference(up, repository, "latest"));
    if (list) {
      std::sort(list->begin(), list->end());
      return list;
    }
    if (list.error().is(Kind::not_found)) return std::vector<std::string>();
    if (list.error().retryable()) to->away = now();
  }
  TRY(auto here, rep_.catalogue->tags(repository, {}));
  return std::move(here).value_or(std::vector<std::string>());
}

Result<std::vector<std::string>> Mirror::referrers(const Ctx& ctx, const Upstream& up, const std::string& repository,
                                                   const Digest& subject, std::string_view artifact_type) {
  TRY(auto here, rep_.referrers(repository, subject, artifact_type));
  auto to = line(up);
  if (to->away + away_for > now()) return here;
  asked.add(1, {{"what", "referrers"}});
  auto list = to->remote.referrers(ctx.within(when_cached), to->reference(up, repository, subject.str()), subject);
  if (!list) {
    if (list.error().retryable()) to->away = now();
    LOG(warn, "oci.mirror.referrers", {"repository", repository}, {"error", list.error().what()});
    return here;
  }
  for (const auto& one : *list) {
    if (!artifact_type.empty() && one.artifact_type != artifact_type) continue;
    bool known =
        std::any_of(here.begin(), here.end(), [&](const std::string& text) { return text.contains(one.digest.str()); });
    if (!known) here.push_back(doc::print_json(to_doc(one)));
  }
  return here;
}

bool Mirror::is_here(const Digest& digest) const {
  auto stored = rep_.catalogue->stored(digest);
  return stored && *stored && rep_.blobs.contains(**stored);
}

Result<> Mirror::keep(const std::string& repository, const Digest& digest, std::uint64_t size,
                      store::BlobStore::Writer& writer) {
  if (digest.algorithm() == "sha256") {
    // The name first: killed in between, the next collection finds it.
    TRY_OK(rep_.catalogue->link_blob(repository, digest, size));
    auto done = writer.commit(digest);
    if (done) return {};
    TRY_OK(rep_.catalogue->unlink_blob(repository, digest));
    return Fail(std::move(done).error());
  }
  TRY(auto stored, writer.commit());
  TRY_OK(rep_.catalogue->alias(digest, stored));
  return rep_.catalogue->link_blob(repository, digest, size);
}

Result<std::optional<std::uint64_t>> Mirror::size_of(const std::string& repository, const Digest& digest) const {
  TRY(auto manifests, rep_.catalogue->naming(repository, digest));
  for (const auto& stored : manifests) {
    TRY(auto bytes, rep_.blobs.read(stored, rep_.options.max_manifest));
    auto manifest = parse_manifest(bytes);
    if (!manifest) continue;  // an index: what it names is no blob
    if (manifest->config.digest == digest) return std::optional(manifest->config.size);
    for (const auto& layer : manifest->layers)
      if (layer.digest == digest) return std::optional(layer.size);
  }
  return std::optional<std::uint64_t>();
}

Result<> Mirror::download(const Ctx& ctx, const Upstream& up, const std::string& repository, const Digest& digest,
                          std::uint64_t size, net::BodyWriter* client) {
  auto to = line(up);
  auto name = fmt::format("{}/{}: blob {}", up.host, there(up, repository), digest.short_hex());
  TRY(auto writer, rep_.blobs.begin());
  std::string held;  // the last piece: it goes when the digest is right
  std::optional<Hasher> sha512;
  if (digest.algorithm() == "sha512") sha512.emplace(Hasher::Algorithm::sha512);
  std::optional<Error> broken;
  auto sink = [&](std::string_view piece) {
    if (writer.size() + piece.size() > size) {
      broken = Error(Kind::corrupt, fmt::format("{}: more than {} bytes come", name, size));
      return false;
    }
    if (auto r = writer.write(piece); !r) {
      broken = std::move(r).error();
      return false;
    }
    if (sha512) sha512->update(piece);
    // Who asked may be gone: the next one will be glad of it.
    if (client != nullptr && !held.empty() && !client->write(ctx, held)) client = nullptr;
    held = piece;
    return true;
  };
  for (int attempt = 1; writer.size() < size || attempt == 1; ++attempt) {
    Call call{.target = fmt::format("/v2/{}/blobs/{}", there(up, repository), digest.str()),
              .repository = there(up, repository),
              .sink = sink,
              .retries = false};
    auto start = writer.size();
    if (start > 0) call.headers.set("Range", fmt::format("bytes={}-", start));
    asked.add(1, {{"what", "blob"}});
    auto response = to->session.send(ctx, call);
    if (broken) return Fail(*broken);
    if (response && response->status == (start > 0 ? 206 : 200) && writer.size() == size) break;
    if (response && response->status == 404) return fail(Kind::not_found, "{}: is not there", name);
    if (attempt == tries || !ctx.alive())
      return response
                 ? fail(Kind::unavailable, "{}: {} after {} of {} bytes", name, response->status, writer.size(), size)
                 : Fail(std::move(response).error().in(name));
    TRY_OK(sleep(ctx, Millis(200 << attempt)));
  }
  if (sha512 && sha512->finish() != digest) return fail(Kind::corrupt, "{}: other bytes come", name);
  if (auto done = keep(repository, digest, size, writer); !done)
    return done.error().is(Kind::invalid) ? fail(Kind::corrupt, "{}: {}", name, done.error().what()) : done;
  if (client != nullptr && !held.empty()) TRY_OK(client->write(ctx, held));
  return {};
}

Result<> Mirror::relay(const Ctx& ctx, const Upstream& up, const std::string& repository, const Digest& digest,
                       std::uint64_t size, net::BodyWriter* client) {
  for (;;) {
    if (is_here(digest)) {
      TRY_OK(rep_.catalogue->link_blob(repository, digest, size));
      TRY(auto stored, rep_.catalogue->stored(digest));
      TRY(auto fd, rep_.blobs.open_blob(stored.value_or(digest)));
      return client != nullptr ? send_file(ctx, fd, *client) : Result<>();
    }
    std::shared_ptr<Flight> other;
    auto mine = std::make_shared<Flight>();
    {
      auto flights = flights_.lock();
      auto [it, fresh] = flights->emplace(digest.str(), mine);
      if (!fresh) other = it->second;
    }
    if (!other) {
      Finally land([&] {
        flights_.lock()->erase(digest.str());
        std::lock_guard hold(mine->mutex);
        mine->done = true;
        mine->landed.notify_all();
      });
      return download(ctx, up, repository, digest, size, client);
    }
    std::unique_lock hold(other->mutex);
    other->landed.wait(hold, ctx.stop, [&] { return other->done; });
    TRY_OK(ctx.alive());
  }
}

Result<std::optional<net::Response>> Mirror::blob(const Ctx& ctx, const Upstream& up, const std::string& repository,
                                                  const Digest& digest, bool whole_first) {
  TRY(auto size, size_of(repository, digest));
  if (!size) return std::optional<net::Response>();
  if (whole_first || is_here(digest)) {
    TRY_OK(relay(ctx, up, repository, digest, *size, nullptr));
    return std::optional<net::Response>(net::Response{.status = 200, .headers = {}, .body = std::string()});
  }
  net::Response response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Docker-Content-Digest", digest.str());
  response.headers.set("Content-Length", std::to_string(*size));
  response.body = net::StreamBody([this, up, repository, digest, size = *size](const Ctx& inner, net::BodyWriter& out) {
    return relay(inner, up, repository, digest, size, &out);
  });
  return std::optional<net::Response>(std::move(response));
}

}  // namespace slipway::oci::detail
