#include "engine/recorder.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/patch.h"

namespace slipway::engine {

kube::Type kind(std::string_view name) { return {std::string(path::api_version), std::string(name)}; }

std::string object_name(std::string_view text) {
  std::string name;
  for (char c : lower(text)) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain)
      name += c;
    else if (!name.empty() && !name.ends_with('-'))
      name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  if (name.size() > 63) name = name.substr(0, 52) + "-" + sha256_hex(text).substr(0, 10);
  return name.empty() ? "x-" + sha256_hex(text).substr(0, 10) : name;
}

std::string name_of(const path::Change& change) {
  auto what = change.pull_request > 0 ? fmt::format("pr{}", change.pull_request) : std::string(to_string(change.event));
  // The same commit can be on two branches, and both are changes.
  auto ref =
      change.ref == "refs/heads/main" || change.pull_request > 0 ? "" : sha256_hex(change.ref).substr(0, 6) + "-";
  return object_name(fmt::format("{}-{}-{}{}", change.repository, what, ref, change.after.substr(0, 12)));
}

std::string name_of(const path::Artifact& artifact) {
  return object_name(fmt::format("{}-{}", artifact.image, artifact.digest.short_hex()));
}

std::string name_of(const path::Promotion& promotion) {
  return object_name(fmt::format("{}-{}-{}-{}", promotion.service, promotion.environment,
                                 promotion.artifact.digest.short_hex(),
                                 sha256_hex(promotion.artifact.run).substr(0, 4)));
}

Result<Recorded> record(const Ctx& ctx, kube::Client& client, std::string_view kind_name, const std::string& name,
                        doc::Value spec, kube::StringMap labels, kube::StringMap annotations) {
  TRY(auto there, client.get(ctx, kind(kind_name), {home, name}));
  if (there) return Recorded{*there, false};
  auto object = kube::make_object(kind(kind_name), {home, name}, std::move(labels), std::move(annotations));
  object["spec"] = std::move(spec);
  auto made = client.create(ctx, std::move(object), {});
  if (made) return Recorded{*made, true};
  if (!made.error().is(Kind::conflict)) return Fail(std::move(made).error());
  TRY(auto other, client.get(ctx, kind(kind_name), {home, name}));
  if (!other) return Fail(std::move(made).error());
  return Recorded{*other, false};
}

Result<> set_status(const Ctx& ctx, kube::Client& client, std::string_view kind_name, const std::string& name,
                    const doc::Value& fields) {
  auto patched = client.patch(ctx, kind(kind_name), {home, name}, kube::PatchType::merge, doc::Map{{"status", fields}},
                              {.subresource = "status"});
  return patched ? Result<>{} : Result<>(Fail(std::move(patched).error()));
}

Result<std::optional<kube::Object>> find(const Ctx& ctx, kube::Client& client, std::string_view kind_name,
                                         const std::string& name) {
  return client.get(ctx, kind(kind_name), {home, name});
}

bool has_any(const Ctx& ctx, kube::Client& client, const kube::Type& type, const kube::ListOptions& options,
             const std::function<bool(const kube::Object&)>& fits) {
  bool found = false;
  (void)client.for_each(ctx, type, options, [&](const kube::Object& object) -> Result<> {
    found = fits(object);
    return found ? Result<>(fail(Kind::conflict, "found")) : Result<>{};  // which ends it
  });
  return found;
}

Result<std::vector<kube::Object>> all(const Ctx& ctx, kube::Client& client, std::string_view kind_name,
                                      const std::string& label_selector) {
  TRY(auto list, client.list(ctx, kind(kind_name), {.ns = home, .label_selector = label_selector}));
  return std::move(list.items);
}

path::Phase phase_of(const kube::Object& object) {
  return path::parse_phase(object["status"]["phase"].text()).value_or(path::Phase::pending);
}

}  // namespace slipway::engine
