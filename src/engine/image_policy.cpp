#include "engine/image_policy.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "engine/endorse.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "path/image_policy.h"

namespace slipway::engine {
namespace {

constexpr const char* container_lists[] = {"initContainers", "containers", "ephemeralContainers"};
constexpr std::string_view mark = "slipway.dev/image-policy";

struct Name {
  std::string given, here;  // as policies may call it; the repository of ours that it may mean, "" for none
  oci::Reference there;
};
struct Found {
  std::unique_ptr<oci::ImagePlace> place;
  Digest digest;
};

// Names without a host mean an image of ours, and the hub's where we have none, as nodes take them.
Result<Name> name_of_image(const House& house, const std::string& text) {
  constexpr std::string_view no_host = "no-host.invalid";
  TRY(auto reference, oci::parse_reference(text, no_host));
  bool bare = reference.host == no_host;
  auto names = registry_names(house.settings);
  bool ours = bare || std::find(names.begin(), names.end(), reference.host) != names.end();
  Name out{bare ? reference.repository : reference.name(), ours ? reference.repository : "", reference};
  if (bare) {
    TRY(out.there, oci::parse_reference(text));
  }
  return out;
}

Result<Found> find_image(const Ctx& ctx, House& house, const Name& name) {
  auto which = name.there.digest.empty() ? name.there.tag : name.there.digest.str();
  if (!name.here.empty()) {
    TRY(auto here, house.registry->manifest(name.here, which));
    if (here) return Found{oci::place_in(*house.registry, name.here, name.given), here->descriptor.digest};
    if (name.given == name.there.name()) return fail(Kind::not_found, "it is not in the registry");
  }
  TRY(auto there, house.remote->manifest(ctx, name.there));
  return Found{oci::place_at(*house.remote, name.there), there.descriptor.digest};
}

Result<std::vector<oci::VerificationKey>> keys_of(const House& house, const path::ImagePolicy& policy) {
  auto all = policy.keys;
  if (policy.house) all.push_back(house.endorser->public_pem());
  std::vector<oci::VerificationKey> out;
  for (const auto& pem : all) {
    TRY(auto key, oci::VerificationKey::load(pem));
    out.push_back(std::move(key));
  }
  return out;
}

Result<std::optional<oci::Keyless>> keyless_of(const path::ImagePolicy& policy) {
  if (policy.identities.empty()) return std::optional<oci::Keyless>();
  TRY_IN(auto trust, "spec.keyless.trustedRoot", oci::TrustRoot::load(policy.trusted_root));
  oci::Keyless out{std::move(trust), {}};
  for (const auto& one : policy.identities) out.identities.push_back({one.subject, one.issuer});
  return std::optional(std::move(out));
}

Result<> check(const Ctx& ctx, const House& house, const path::ImagePolicy& policy, const Found& image) {
  TRY(auto keys, keys_of(house, policy));
  TRY(auto keyless, keyless_of(policy));
  TRY(auto all, oci::endorsements(ctx, *image.place, image.digest, keys, keyless ? &*keyless : nullptr));
  auto wanted = policy.attestations;
  if (wanted.empty()) wanted.emplace_back(oci::predicate::signature);
  for (const auto& type : wanted) {
    bool there = std::any_of(all.found.begin(), all.found.end(), [&](auto& one) { return one.predicate_type == type; });
    if (there) continue;
    auto others = all.others > 0 ? fmt::format(" ({} by others{})", all.others, all.why.empty() ? "" : ": " + all.why)
                                 : std::string();
    return type == oci::predicate::signature
               ? fail(Kind::denied, "{} has no signature that the policy takes{}", image.digest.str(), others)
               : fail(Kind::denied, "{} has no {} signed by whom the policy takes{}", image.digest.str(), type, others);
  }
  return {};
}

}  // namespace

Result<> verify_images(const Ctx& ctx, House& house, const kube::Object& before, doc::Value& pod) {
  std::set<std::string> known;
  for (const auto* list : container_lists)
    for (const auto& container : before["spec"][list].items()) known.insert(container["image"].text());
  TRY(auto objects, all(ctx, *house.client, "ImagePolicy"));
  if (objects.empty()) return {};
  auto ns = pod.str_at({"metadata", "namespace"});
  std::vector<path::ImagePolicy> policies;
  for (const auto& object : objects) {
    TRY_IN(auto policy, fmt::format("image policy {}", object.name()), path::image_policy_from(object.view()));
    policies.push_back(std::move(policy));
  }
  auto own = ctx.within(Millis(20000));
  for (const auto* list : container_lists) {
    auto* containers = pod["spec"][list].if_list();
    if (containers == nullptr) continue;
    for (auto& container : *containers) {
      auto given = container.str_at({"image"});
      if (known.contains(given)) continue;
      auto name = name_of_image(house, given);
      if (!name) continue;  // the node says what is wrong with it
      std::optional<Found> image;
      for (const auto& policy : policies) {
        if (!policy.covers(ns, name->given) && !policy.covers(ns, name->there.name())) continue;
        auto verdict = [&]() -> Result<> {
          if (!image) {
            TRY(image, find_image(own, house, *name));
          }
          return check(own, house, policy, *image);
        }();
        if (verdict) continue;
        auto why = fmt::format("container {}: image {}: image policy {}: {}", container.str_at({"name"}), given,
                               policy.name, verdict.error().what());
        if (policy.enforce)
          return Fail(Error(verdict.error().is(Kind::unavailable) ? Kind::unavailable : Kind::denied, why));
        LOG(warn, "image_policy.would_refuse", {"pod", pod.str_at({"metadata", "name"})}, {"why", why});
        pod["metadata"]["annotations"][std::string(mark)] = why;
      }
      if (image && name->there.digest.empty()) container["image"] = given + "@" + image->digest.str();
    }
  }
  return {};
}

}  // namespace slipway::engine
