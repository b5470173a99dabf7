// Caches and job services of the house, as a job in a Pod has them.
#include "base/log.h"
#include "ci/pod/far.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

Result<std::optional<CacheEntry>> entry_from(doc::View v) {
  if (!v.present()) return std::optional<CacheEntry>();
  CacheEntry out;
  out.number = v["number"].num_or(0);
  out.name = {v["repository"].str_or(""), v["scope"].str_or(""), v["version"].str_or(""), v["key"].str_or("")};
  TRY(auto text, v["digest"].str());
  TRY(out.digest, Digest::parse(text));
  out.bytes = static_cast<std::uint64_t>(v["bytes"].num_or(0));
  return std::optional(std::move(out));
}

class FarCacheStore final : public CacheStore {
 public:
  FarCacheStore(const FarHouse& house, store::BlobStore& blobs) : house_(house), blobs_(blobs) {}
  store::BlobStore& blobs() override { return blobs_; }
  // Of which repository and for which refs is for the house to say.
  Result<std::optional<CacheHit>> find(const Ctx& ctx, const std::string&, const std::vector<std::string>&,
                                       const std::string& version, const std::vector<std::string>& keys) override {
    TRY(auto answer,
        house_.ask(ctx, "caches/find", {{"version", version}, {"keys", doc::List(keys.begin(), keys.end())}}));
    TRY(auto entry, entry_from(doc::View(answer)["entry"]));
    if (!entry) return std::optional<CacheHit>();
    CacheHit hit;
    static_cast<CacheEntry&>(hit) = *std::move(entry);
    return std::optional(std::move(hit));
  }
  Result<std::optional<CacheEntry>> get(const CacheName& name) override {
    TRY(auto answer, house_.ask({}, "caches/get", {{"version", name.version}, {"key", name.key}}));
    return entry_from(doc::View(answer)["entry"]);
  }
  Result<std::int64_t> put(const Ctx& ctx, const CacheName& name, const Digest& digest, bool replace) override {
    TRY(auto answer,
        house_.ask(ctx, "caches/put",
                   {{"version", name.version}, {"key", name.key}, {"digest", digest.str()}, {"replace", replace}}));
    return doc::View(answer)["number"].num();
  }

 private:
  const FarHouse& house_;
  store::BlobStore& blobs_;
};

class FarJobCache final : public JobCache {
 public:
  FarJobCache(const FarHouse& house, store::BlobStore& blobs) : caches_(house, blobs) {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Result<> put(std::string_view, std::string_view) override { return {}; }
  Result<std::optional<Entry>> newest(std::string_view) override { return std::optional<Entry>(); }
  Result<> remove(std::string_view) override { return {}; }
  Result<CacheStore*> caches() override { return &caches_; }

 private:
  FarCacheStore caches_;
};

// What changes by it is taken note of in the house.
class FarPass final : public JobService::Pass {
 public:
  explicit FarPass(const FarHouse& house) : house_(house) {
    auto answer = house.ask({}, "pass", {});
    if (!answer) {
      LOG(warn, "agent.no_services", {"error", answer.error().what()});
      return;
    }
    doc::View v(*answer);
    for (auto& [key, value] : v["env"].members()) env_[key] = value.text();
    for (auto& secret : v["secrets"].items()) secrets_.push_back(secret.text());
  }
  std::map<std::string, std::string> env(bool) const override { return env_; }
  std::vector<std::string> secrets() const override { return secrets_; }
  Changes take_changes() override { return {}; }
  Result<std::string> id_token(const Ctx& ctx, const std::string& audience) const override {
    TRY(auto answer, house_.ask(ctx, "pass/id-token", {{"audience", audience}}));
    return doc::View(answer)["token"].str();
  }

 private:
  const FarHouse& house_;
  std::map<std::string, std::string> env_;
  std::vector<std::string> secrets_;
};

class FarService final : public JobService {
 public:
  explicit FarService(const FarHouse& house) : house_(house) {}
  std::shared_ptr<Pass> admit(ServiceJob) override { return std::make_shared<FarPass>(house_); }

 private:
  const FarHouse& house_;
};

}  // namespace

std::unique_ptr<JobCache> far_caches(const FarHouse& house, store::BlobStore& blobs) {
  return std::make_unique<FarJobCache>(house, blobs);
}
std::unique_ptr<JobService> far_service(const FarHouse& house) { return std::make_unique<FarService>(house); }

}  // namespace slipway::ci
