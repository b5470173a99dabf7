// Garbage, and what the owner's rules do not keep.
#include <ctime>
#include <set>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "oci/detail/registry_rep.h"

namespace slipway::oci {
namespace {

Counter freed("slipway_oci_garbage_bytes_total", "bytes of images that nothing reached any more");

constexpr std::size_t at_once = 100;  // files that go in one transaction: pushes wait for no more

// So long the row outlives the bytes, whatever the grace: they may just be on their way in, without a name yet.
constexpr std::int64_t row_stays = 60;

std::int64_t seconds(std::chrono::system_clock::time_point when) {
  return std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
}
std::int64_t seconds(Millis time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); }

Result<> sweep(const Ctx& ctx, Registry::Rep& rep, const GcOptions& options, GcReport& report) {
  auto now = seconds(ctx.clock->wall());
  TRY(report.links, rep.catalogue->drop_dead_links(ctx, now - seconds(options.grace), now));
  TRY(auto garbage, rep.catalogue->garbage());
  auto really = options.dry_run ? store::BlobStore::Really::only_look : store::BlobStore::Really::yes;
  auto wait = [&](const Digest& digest) -> Result<bool> {
    TRY(auto size, rep.blobs.size(digest));
    ++report.waiting;
    report.waiting_bytes += size.value_or(0);
    return false;
  };
  std::map<std::string, std::int64_t> since;
  for (const auto& item : garbage) since[item.stored.str()] = item.since;
  auto remove = [&](const Digest& digest) -> Result<bool> {
    if (since[digest.str()] > now - seconds(options.grace) || (options.keep && options.keep(digest)))
      return wait(digest);
    TRY(auto bytes, rep.blobs.remove_old(ctx, digest, options.grace, really));
    if (!bytes) return wait(digest);
    report.removed += *bytes > 0 ? 1 : 0;
    report.bytes += *bytes;
    return since[digest.str()] <= now - row_stays;
  };
  for (std::size_t first = 0; first < garbage.size(); first += at_once) {
    TRY_OK(ctx.alive());
    auto count = std::min(at_once, garbage.size() - first);
    TRY_OK(rep.catalogue->drop_garbage(std::span(garbage).subspan(first, count), remove));
  }
  return {};
}

// What the rules leave of one repository.
class Leftovers {
 public:
  Leftovers(const Ctx& ctx, Registry::Rep& rep, const Keep& rule, std::string repository, const ExpireOptions& options)
      : ctx_(ctx), rep_(rep), rule_(rule), repository_(std::move(repository)), options_(options) {}

  Result<> find(std::vector<Expired>& out) {
    TRY(auto tags, rep_.catalogue->tag_rows(repository_));
    TRY(auto held, rep_.catalogue->held_rows(repository_));
    std::set<std::string> gone;
    if (rule_.tags_go()) old_tags(std::move(tags), held, gone, out);
    TRY(tags, rep_.catalogue->tag_rows(repository_));
    std::erase_if(tags, [&](const auto& tag) { return gone.contains(tag.tag); });
    if (rule_.untagged) loose_manifests(tags, held, out);
    return {};
  }

 private:
  bool used(const Digest& digest) const { return options_.in_use && options_.in_use(repository_, digest); }
  bool within(std::int64_t when, const std::optional<Millis>& time) const {
    return time && when > seconds(ctx_.clock->wall() - *time);
  }
  // "sha256-<hex>", ".sig", ".att": what older clients attach to an image. It lives as long as the image.
  static std::optional<std::string> subject_of(const std::string& tag) {
    if (!tag.starts_with("sha256-") || tag.size() < 71) return std::nullopt;
    auto digest = Digest::parse("sha256:" + tag.substr(7, 64));
    return digest ? std::optional(digest->str()) : std::nullopt;
  }

  void old_tags(std::vector<detail::TagRow> tags, const std::vector<detail::HeldRow>& held, std::set<std::string>& gone,
                std::vector<Expired>& out) {
    std::set<std::string> there;
    for (const auto& row : held) there.insert(row.digest.str());
    std::stable_sort(tags.begin(), tags.end(), [](const auto& a, const auto& b) { return a.pushed > b.pushed; });
    std::int64_t counted = 0;
    auto rules = rep_.rules();
    for (const auto& tag : tags) {
      if (auto subject = subject_of(tag.tag)) {
        if (!there.contains(*subject)) go(tag, "its image is gone", gone, out);
        continue;
      }
      bool named = std::any_of(rule_.tags.begin(), rule_.tags.end(),
                               [&](const std::string& pattern) { return glob_match(pattern, tag.tag); });
      if (named || rules->is_immutable(repository_, tag.tag)) continue;
      if (rule_.newest && counted < *rule_.newest) {
        ++counted;
        continue;
      }
      if (within(tag.pushed, rule_.pushed) || within(tag.pulled, rule_.pulled) || used(tag.digest)) continue;
      go(tag, "no rule keeps it", gone, out);
    }
  }
  void go(const detail::TagRow& tag, std::string why, std::set<std::string>& gone, std::vector<Expired>& out) {
    gone.insert(tag.tag);
    out.push_back({repository_, tag.tag, tag.digest, std::move(why)});
  }

  // Held by a tag, by an index that is held, or by the subject it says something about.
  void loose_manifests(const std::vector<detail::TagRow>& tags, const std::vector<detail::HeldRow>& held,
                       std::vector<Expired>& out) const {
    std::set<std::string> kept;
    for (const auto& tag : tags) kept.insert(tag.digest.str());
    for (const auto& row : held)
      if (within(row.pushed, rule_.untagged) || within(row.pulled, rule_.untagged) || used(row.digest))
        kept.insert(row.digest.str());
    for (bool more = true; more;) {
      more = false;
      for (const auto& row : held) {
        if (kept.contains(row.digest.str())) {
          for (const auto& child : row.children) more |= kept.insert(child.str()).second;
        } else if (!row.subject.empty() && kept.contains(row.subject.str())) {
          more |= kept.insert(row.digest.str()).second;
        }
      }
    }
    for (const auto& row : held)
      if (!kept.contains(row.digest.str())) out.push_back({repository_, "", row.digest, "nothing holds it"});
  }

  const Ctx& ctx_;
  Registry::Rep& rep_;
  const Keep& rule_;
  std::string repository_;
  const ExpireOptions& options_;
};

}  // namespace

Result<GcReport> Registry::collect_garbage(const Ctx& ctx, const GcOptions& options) {
  GcReport report;
  auto work = [&] { return sweep(ctx, *rep_, options, report); };
  TRY_OK_IN("garbage collection", options.dry_run ? rep_->catalogue->as_if(work) : work());
  TRY(report.uploads, rep_->uploads->give_up(ctx, options.uploads, options.dry_run));
  if (options.dry_run) return report;
  freed.add(static_cast<double>(report.bytes));
  if (report.removed + report.links + report.uploads > 0)
    LOG(info, "oci.garbage", {"links", report.links}, {"blobs", report.removed}, {"bytes", report.bytes},
        {"waiting", report.waiting}, {"uploads", report.uploads});
  return report;
}

Result<std::vector<Expired>> Registry::expire(const Ctx& ctx, const ExpireOptions& options) {
  TRY_OK(rep_->write_pulls());
  auto rules = rep_->rules();
  std::vector<Expired> out;
  if (rules->keep.empty()) return out;
  TRY(auto names, repositories());
  for (const auto& repository : names) {
    TRY_OK(ctx.alive());
    const auto* rule = rules->keep_of(repository);
    if (rule == nullptr) continue;
    auto first = out.size();
    TRY_OK(Leftovers(ctx, *rep_, *rule, repository, options).find(out));
    for (auto i = first; i < out.size() && !options.dry_run; ++i) {
      const auto& item = out[i];
      TRY(bool gone, item.tag.empty() ? rep_->catalogue->remove_manifest(repository, item.digest)
                                      : rep_->catalogue->remove_tag(repository, item.tag));
      if (gone)
        LOG(info, "oci.expired", {"repository", repository}, {"tag", item.tag}, {"digest", item.digest.str()},
            {"why", item.why});
    }
  }
  return out;
}

}  // namespace slipway::oci
