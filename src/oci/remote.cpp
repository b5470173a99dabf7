#include "oci/remote.h"

#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/detail/remote.h"

namespace slipway::oci {

namespace {

using detail::Call;
using detail::refusal;
using detail::Session;

constexpr std::size_t parallel_blobs = 4;
const std::string accepted =
    fmt::format("{}, {}, {}, {}", media::manifest, media::index, media::docker_manifest, media::docker_list);

std::string reference_of(const Reference& r) { return r.digest.empty() ? r.tag : r.digest.str(); }

}  // namespace

// The registry's own words, when it has any.
Fail detail::refusal(const net::ClientResponse& response, std::string_view doing) {
  std::string words;
  if (auto value = doc::parse_json(response.body, "answer")) {
    for (const auto& e : doc::View(*value)["errors"].items())
      words += fmt::format(": {} {}", e["code"].str_or(""), e["message"].str_or(""));
  }
  auto kind = response.status == 404                             ? Kind::not_found
              : response.status == 401 || response.status == 403 ? Kind::denied
              : response.status == 429 || response.status >= 500 ? Kind::unavailable
                                                                 : Kind::invalid;
  return fail(kind, "{}: {} {}{}", doing, response.status, net::status_text(response.status), words);
}

std::string local_repository(const Reference& reference) {
  std::string host;
  for (char c : lower(reference.host)) host += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ? c : '-';
  while (host.starts_with('-')) host.erase(0, 1);
  return host + "/" + reference.repository;
}

Remote::Remote(RemoteOptions options) : rep_(new Rep(std::move(options))) {}
Remote::~Remote() = default;

Result<StoredManifest> Remote::Rep::manifest(const Ctx& ctx, const Reference& ref) {
  Call call{.target = fmt::format("/v2/{}/manifests/{}", ref.repository, reference_of(ref))};
  call.headers.set("Accept", accepted);
  TRY(auto response, read(ctx, ref, std::move(call)));
  if (!response.ok()) return refusal(response, ref.print());
  StoredManifest stored;
  stored.bytes = std::move(response.body);
  auto type = response.headers.get_or("content-type", media::manifest);
  stored.descriptor.media_type = trim(type.substr(0, type.find(';')));
  stored.descriptor.digest = Digest::of(stored.bytes);
  stored.descriptor.size = stored.bytes.size();
  if (!ref.digest.empty() && !detail::fits(ref.digest, stored.bytes))
    return fail(Kind::corrupt, "{}: the registry sends a manifest with the digest {}", ref.print(),
                stored.descriptor.digest.str());
  return stored;
}

Result<> Remote::Rep::fetch_blob(const Ctx& ctx, const Reference& ref, const Descriptor& d, store::BlobStore& blobs) {
  if (blobs.contains(d.digest)) return {};
  auto doing = fmt::format("{}: blob {}", ref.name(), d.digest.short_hex());
  bool resume = true;
  std::optional<store::BlobStore::Writer> writer;
  for (int attempt = 0;; ++attempt) {
    if (!writer) {
      TRY(auto fresh, blobs.begin());
      writer.emplace(std::move(fresh));
    }
    std::optional<Error> broken;
    // Tried again here, not below: what a broken try has brought is kept.
    Call call{.target = fmt::format("/v2/{}/blobs/{}", ref.repository, d.digest.str()), .retries = false};
    auto start = writer->size();
    if (start > 0) call.headers.set("Range", fmt::format("bytes={}-", start));
    call.sink = [&](std::string_view bytes) {
      if (writer->size() + bytes.size() > d.size) {
        broken = Error(Kind::corrupt, fmt::format("{}: more than {} bytes come", doing, d.size));
        return false;
      }
      if (auto r = writer->write(bytes); !r) broken = std::move(r).error();
      return !broken;
    };
    auto response = read(ctx, ref, std::move(call));
    if (broken && !broken->is(Kind::corrupt)) return Fail(*broken);
    if (response && response->status == (start > 0 ? 206 : 200) && !broken) {
      auto done = writer->commit(d.digest);
      if (done) return {};
      if (start == 0) return Fail(Error(Kind::corrupt, fmt::format("{}: {}", doing, done.error().what())));
      resume = false;  // the pieces do not fit together: once more, from the start
    } else if (response && !response->ok() && response->status < 500 && response->status != 429) {
      return refusal(*response, doing);
    } else if (!response && !response.error().retryable() && !broken) {
      return Fail(std::move(response).error().in(doing));
    }
    if (attempt == 4 || !ctx.alive())
      return broken     ? Fail(*broken)
             : response ? refusal(*response, doing)
                        : Fail(std::move(response).error().in(doing));
    if (!resume || broken || (response && response->ok())) writer.reset();
    TRY_OK(sleep(ctx, Millis(200 << attempt)));
  }
}

Result<> Remote::Rep::fetch_image(const Ctx& ctx, const Reference& ref, const StoredManifest& stored, Registry& into,
                                  const std::string& tag) {
  TRY_IN(auto manifest, ref.print(), parse_manifest(stored.bytes));
  std::vector<Descriptor> wanted{manifest.config};
  for (const auto& layer : manifest.layers)
    if (!is_foreign(layer.media_type)) wanted.push_back(layer);
  std::set<std::string> once;
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (const auto& d : wanted) {
    if (!once.insert(d.digest.str()).second) continue;
    if (d.digest.algorithm() != "sha256")
      return fail(Kind::invalid, "{}: blob {}: only sha256 can be pulled", ref.print(), d.digest.str());
    tasks.emplace_back([this, &ref, &into, d](const Ctx& task) { return fetch_blob(task, ref, d, into.blobs()); });
  }
  TRY_OK(run_all(ctx, parallel_blobs, std::move(tasks)));
  TRY_OK(into.put_manifest(local_repository(ref), tag, stored.descriptor.media_type, stored.bytes));
  return {};
}

Result<Descriptor> Remote::Rep::fetch(const Ctx& ctx, const Reference& ref, const StoredManifest& top, Registry& into,
                                      const std::optional<Platform>& platform, const std::string& tag) {
  if (!is_index(top.descriptor.media_type)) {
    TRY_OK(fetch_image(ctx, ref, top, into, tag));
    return top.descriptor;
  }
  TRY_IN(auto index, ref.print(), parse_index(top.bytes));
  std::vector<Descriptor> children = index.manifests;
  if (platform) {
    auto chosen = choose_platform(index, *platform);
    if (!chosen) return fail(Kind::not_found, "{}: has no image for {}", ref.print(), platform->print());
    children = {*chosen};
  }
  for (const auto& child : children) {
    auto child_ref = ref;
    child_ref.tag.clear();
    child_ref.digest = child.digest;
    TRY(auto stored, manifest(ctx, child_ref));
    TRY_OK(fetch(ctx, child_ref, stored, into, platform, ""));
  }
  TRY_OK(into.put_manifest(local_repository(ref), tag, top.descriptor.media_type, top.bytes,
                           platform ? Registry::Completeness::sparse : Registry::Completeness::whole));
  return top.descriptor;
}

// Where a broken upload stands: the offset to go on from; nothing: it is gone.
static Result<std::optional<std::uint64_t>> standing(const Ctx& ctx, Session& session, const Reference& to,
                                                     std::string& location) {
  TRY(auto response,
      session.send(ctx, {.method = "GET", .target = location, .repository = to.repository, .actions = "pull,push"}));
  if (response.status != 204) return std::optional<std::uint64_t>();
  if (auto next = response.headers.get("location")) location = session.absolute(*next);
  auto range = cut(response.headers.get_or("range", "0-0"), "-");
  auto last = range ? to_int(range->second) : std::nullopt;
  return last.value_or(0) > 0 ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(*last) + 1) : 0;
}

Result<> Remote::Rep::upload(const Ctx& ctx, const Reference& to, const Descriptor& d, int fd, std::string location) {
  auto with = session(to.host);
  auto doing = fmt::format("{}: blob {}", to.name(), d.digest.short_hex());
  std::uint64_t offset = 0;
  for (int attempt = 0;; ++attempt) {
    Call call{.repository = to.repository,
              .actions = "pull,push",
              .upload_size = static_cast<std::int64_t>(d.size - offset),
              .retries = false};
    call.headers.set("Content-Type", "application/octet-stream");
    auto finish = [&](const std::string& at) {
      return at + (at.find('?') == std::string::npos ? "?" : "&") + "digest=" + percent_encode(d.digest.str());
    };
    call.method = offset == 0 ? "PUT" : "PATCH";
    call.target = offset == 0 ? finish(location) : location;
    if (offset > 0) call.headers.set("Content-Range", fmt::format("{}-{}", offset, d.size - 1));
    call.upload = [fd, offset] {
      return [fd, at = offset](std::span<char> buffer) mutable -> std::size_t {
        auto n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(at));
        if (n > 0) at += static_cast<std::uint64_t>(n);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
      };
    };
    auto response = with->send(ctx, call);
    if (response && response->ok() && offset > 0) {
      if (auto next = response->headers.get("location")) location = with->absolute(*next);
      response = with->send(
          ctx, {.method = "PUT", .target = finish(location), .repository = to.repository, .actions = "pull,push"});
    }
    if (response && response->ok()) return {};
    bool again = response ? response->status >= 500 || response->status == 429 || response->status == 416
                          : response.error().retryable();
    if (!again || attempt == 4 || !ctx.alive())
      return response ? Result<>(refusal(*response, doing)) : Fail(std::move(response).error().in(doing));
    TRY_OK(sleep(ctx, Millis(300 << attempt)));
    TRY(auto at, standing(ctx, *with, to, location));
    if (!at) return fail(Kind::conflict, "{}: the upload was dropped by the registry", doing);
    offset = *at < d.size ? *at : 0;
  }
}

Result<> Remote::Rep::send_blob(const Ctx& ctx, const Reference& to, const Descriptor& d, store::BlobStore& blobs) {
  auto with = session(to.host);
  auto doing = fmt::format("{}: blob {}", to.name(), d.digest.short_hex());
  auto key = to.host + " " + d.digest.str();
  Call head{.method = "HEAD",
            .target = fmt::format("/v2/{}/blobs/{}", to.repository, d.digest.str()),
            .repository = to.repository,
            .actions = "pull,push"};
  TRY(auto there, with->send(ctx, head));
  if (!there.ok()) {
    for (int attempt = 0;; ++attempt) {
      Call start{.method = "POST",
                 .target = fmt::format("/v2/{}/blobs/uploads/", to.repository),
                 .repository = to.repository,
                 .actions = "pull,push"};
      {
        auto known = seen.lock();
        if (auto it = known->find(key); it != known->end() && it->second != to.repository)
          start.mount_from = it->second;
      }
      if (!start.mount_from.empty())
        start.target +=
            fmt::format("?mount={}&from={}", percent_encode(d.digest.str()), percent_encode(start.mount_from));
      TRY(auto started, with->send(ctx, start));
      if (started.status == 201) break;  // mounted
      if (started.status != 202) return refusal(started, doing);
      auto location = started.headers.get("location");
      if (!location) return fail(Kind::unavailable, "{}: the registry gives no place to upload to", doing);
      TRY(auto fd, blobs.open_blob(d.digest));
      auto done = upload(ctx, to, d, fd.get(), with->absolute(*location));
      if (done) break;
      if (!done.error().is(Kind::conflict) || attempt == 2) return done;
    }
  }
  seen.lock()->insert_or_assign(key, to.repository);
  return {};
}

Result<Descriptor> Remote::Rep::send(const Ctx& ctx, Registry& from, const std::string& repository,
                                     const StoredManifest& stored, const Reference& to, const std::string& as) {
  if (is_index(stored.descriptor.media_type)) {
    TRY(auto index, parse_index(stored.bytes));
    for (const auto& child : index.manifests) {
      TRY(auto inner, from.manifest(repository, child.digest.str()));
      if (!inner)
        return fail(Kind::not_found, "{}: its image {} is not here, so the index cannot be pushed whole", repository,
                    child.digest.str());
      TRY_OK(send(ctx, from, repository, *inner, to, child.digest.str()));
    }
  } else {
    TRY(auto manifest, parse_manifest(stored.bytes));
    std::vector<std::function<Result<>(const Ctx&)>> tasks;
    std::set<std::string> once;
    manifest.layers.push_back(manifest.config);
    for (const auto& d : manifest.layers) {
      if (is_foreign(d.media_type) || !once.insert(d.digest.str()).second) continue;
      tasks.emplace_back([this, &to, &from, d](const Ctx& task) { return send_blob(task, to, d, from.blobs()); });
    }
    TRY_OK(run_all(ctx, parallel_blobs, std::move(tasks)));
  }
  TRY_OK(put_manifest(ctx, to, as, stored.descriptor.media_type, stored.bytes, nullptr));
  return stored.descriptor;
}

Result<StoredManifest> Remote::manifest(const Ctx& ctx, const Reference& reference) {
  return rep_->manifest(ctx, reference);
}

Result<> Remote::fetch_blob(const Ctx& ctx, const Reference& repository, const Descriptor& blob,
                            store::BlobStore& into) {
  return rep_->fetch_blob(ctx, repository, blob, into);
}

Result<> Remote::push_blob(const Ctx& ctx, const Reference& repository, const Descriptor& blob,
                           store::BlobStore& from) {
  return rep_->send_blob(ctx, repository, blob, from);
}

Result<bool> Remote::has_blob(const Ctx& ctx, const Reference& repository, const Digest& digest) {
  auto doing = fmt::format("{}: blob {}", repository.name(), digest.short_hex());
  TRY(auto response, rep_->session(repository.host)
                         ->send(ctx, {.method = "HEAD",
                                      .target = fmt::format("/v2/{}/blobs/{}", repository.repository, digest.str()),
                                      .repository = repository.repository,
                                      .actions = "pull,push"}));
  if (response.status == 404) return false;
  if (!response.ok()) return refusal(response, doing);
  return true;
}

Result<std::optional<Digest>> Remote::head(const Ctx& ctx, const Reference& reference) {
  Call call{.method = "HEAD",
            .target = fmt::format("/v2/{}/manifests/{}", reference.repository, reference_of(reference))};
  call.headers.set("Accept", accepted);
  TRY(auto response, rep_->read(ctx, reference, std::move(call)));
  if (response.status == 404) return std::optional<Digest>();
  if (!response.ok()) return refusal(response, reference.print());
  if (auto digest = Digest::parse(response.headers.get_or("docker-content-digest", ""))) return std::optional(*digest);
  TRY(auto stored, rep_->manifest(ctx, reference));  // a registry that does not say
  return std::optional(stored.descriptor.digest);
}

Result<std::vector<std::string>> Remote::tags(const Ctx& ctx, const Reference& repository) {
  std::vector<std::string> out;
  auto target = fmt::format("/v2/{}/tags/list", repository.repository);
  for (int page = 0; page < 1000; ++page) {
    TRY(auto response, rep_->read(ctx, repository, {.target = target}));
    if (!response.ok()) return refusal(response, repository.name());
    TRY(auto value, doc::parse_json(response.body, "tags"));
    for (const auto& item : doc::View(value)["tags"].items()) out.push_back(item.text());
    auto link = response.headers.get_or("link", "");
    auto open = link.find('<'), close = link.find('>');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) break;
    target = link.substr(open + 1, close - open - 1);
    if (!target.starts_with('/')) break;  // only on the same host
  }
  return out;
}

Result<Registry::Image> Remote::pull(const Ctx& ctx, const Reference& reference, Registry& into,
                                     const Platform& platform) {
  auto repository = local_repository(reference);
  if (!reference.digest.empty()) {
    if (auto here = into.image(repository, reference.digest.str(), platform)) return here;  // a digest never changes
  }
  TRY(auto top, rep_->manifest(ctx, reference));
  TRY(auto got, rep_->fetch(ctx, reference, top, into, platform, reference.tag));
  return into.image(repository, got.digest.str(), platform);
}

Result<Descriptor> Remote::push(const Ctx& ctx, Registry& from, std::string_view repository,
                                std::string_view tag_or_digest, const Reference& to) {
  TRY(auto stored, from.manifest(repository, tag_or_digest));
  if (!stored) return fail(Kind::not_found, "{}: no image {} in the registry", repository, tag_or_digest);
  auto as = to.tag.empty() ? stored->descriptor.digest.str() : to.tag;
  return rep_->send(ctx, from, std::string(repository), *stored, to, as);
}

Result<Descriptor> Remote::copy(const Ctx& ctx, const Reference& from, const Reference& to, Registry& through) {
  TRY(auto top, rep_->manifest(ctx, from));
  TRY(auto got, rep_->fetch(ctx, from, top, through, {}, from.tag));
  return push(ctx, through, local_repository(from), got.digest.str(), to);
}

}  // namespace slipway::oci
