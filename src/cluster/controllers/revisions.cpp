#include "cluster/controllers/revisions.h"

namespace slipway::cluster {
namespace {

using kube::Object;

std::int64_t number_of(const Object& revision) { return revision["revision"].num_or(0); }

doc::Value patch_data(const Object& owner) {
  // The form kubectl applies on undo: the template as a strategic patch that replaces.
  doc::Value data;
  data["spec"]["template"] = owner["spec"]["template"].value();
  data["spec"]["template"]["$patch"] = "replace";
  return data;
}

}  // namespace

doc::Value template_of(const Object& revision) {
  auto value = revision["data"]["spec"]["template"].value();
  if (value.is_map()) value.map().erase("$patch");
  return value;
}

std::string revision_hash(const Object& revision) { return revision.label("controller.kubernetes.io/hash"); }

Result<Revisions> sync_revisions(const Ctx& ctx, const Env& env, const Object& owner) {
  TRY(auto list, env.client.list(ctx, revision_type, {.ns = owner.ns(), .mentions = {owner.uid()}}));
  Revisions result;
  for (auto& revision : list.items)
    if (is_owned_by(revision, owner)) result.all.push_back(std::move(revision));
  std::sort(result.all.begin(), result.all.end(),
            [](const Object& a, const Object& b) { return number_of(a) < number_of(b); });
  auto wanted = owner["spec"]["template"].value();
  auto highest = result.all.empty() ? 0 : number_of(result.all.back());
  auto same = std::find_if(result.all.rbegin(), result.all.rend(),
                           [&](const Object& r) { return same_template(template_of(r), wanted); });
  if (same != result.all.rend()) {
    result.update = *same;
    if (number_of(result.update) == highest) return result;
    // An undo: the old revision becomes the newest.
    auto key = result.update.key();
    TRY(auto moved,
        kube::modify(ctx, env.client, revision_type, key, env.write(), [&](doc::Value& value) -> Result<bool> {
          value["revision"] = highest + 1;
          return true;
        }));
    std::erase_if(result.all, [&](const Object& r) { return r.key() == key; });
    result.update = moved;
    result.all.push_back(std::move(moved));
    return result;
  }
  for (std::int64_t salt = 0; salt < 10; ++salt) {
    auto hash = hash_text(wanted, salt);
    kube::StringMap labels = Object(wanted).labels();
    labels["controller.kubernetes.io/hash"] = hash;
    auto made = kube::make_object(revision_type, {owner.ns(), owner.name() + "-" + hash}, labels);
    if (auto cause = owner.annotation("kubernetes.io/change-cause"); !cause.empty())
      made["metadata"]["annotations"]["kubernetes.io/change-cause"] = cause;
    made["metadata"]["ownerReferences"].list().push_back(kube::owner_reference(owner, true));
    made["data"] = patch_data(owner);
    made["revision"] = highest + 1;
    auto created = env.client.create(ctx, std::move(made), env.write());
    if (!created && created.error().is(Kind::conflict)) continue;
    if (!created) return Fail(std::move(created).error());
    result.update = *created;
    result.all.push_back(*std::move(created));
    return result;
  }
  return fail(Kind::conflict, "{}: no free name for a revision", owner.describe());
}

Result<> trim_revisions(const Ctx& ctx, const Env& env, const Object& owner, const Revisions& revisions,
                        const std::set<std::string>& in_use) {
  std::vector<Object> idle;
  for (const auto& revision : revisions.all)
    if (!in_use.contains(revision.name()) && !in_use.contains(revision_hash(revision)) &&
        revision.uid() != revisions.update.uid())
      idle.push_back(revision);
  auto keep = static_cast<std::size_t>(owner["spec"]["revisionHistoryLimit"].num_or(10));
  for (std::size_t i = 0; i + keep < idle.size(); ++i) TRY_OK(remove_quietly(ctx, env, idle[i]));
  return {};
}

}  // namespace slipway::cluster
