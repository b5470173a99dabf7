#include "ci/pod/settings.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::ci {
namespace {

constexpr std::string_view spec_fields[] = {"nodeSelector",       "tolerations",       "affinity",
                                            "serviceAccountName", "priorityClassName", "runtimeClassName",
                                            "imagePullSecrets",   "schedulerName",     "topologySpreadConstraints"};
constexpr std::string_view other_fields[] = {"image",  "resources",   "serviceResources",
                                             "labels", "annotations", "patch"};
constexpr std::string_view top_fields[] = {"namespace", "runsOn", "pendingTimeout", "pullTimeout", "lostTimeout"};

bool is_one_of(std::string_view key, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

Fail unknown(doc::View view, const std::string& key) {
  std::vector<std::string> known;
  for (auto list : {std::span<const std::string_view>(spec_fields), std::span<const std::string_view>(other_fields),
                    std::span<const std::string_view>(top_fields)})
    for (auto name : list) known.emplace_back(name);
  auto error = view.wrong("is no setting of jobs as Pods").error();
  auto near = nearest(key, known);
  return Fail(near ? std::move(error).with_hint(fmt::format("did you mean '{}'?", *near)) : std::move(error));
}

Result<> take_map(doc::View view, doc::Map& out) {
  if (!view.present()) return {};
  const auto* map = view.value().if_map();
  if (!map) return view.wrong("want a mapping");
  out = *map;
  return {};
}

Result<PodProfile> profile_from(doc::View view, bool top) {
  PodProfile out;
  TRY(auto members, view.map());
  for (auto& [key, value] : members) {
    if (is_one_of(key, spec_fields))
      out.spec.set(key, value.value());
    else if (!is_one_of(key, other_fields) && !(top && is_one_of(key, top_fields)))
      return unknown(value, key);
  }
  out.image = view["image"].str_or("");
  TRY_OK(take_map(view["resources"], out.resources));
  TRY_OK(take_map(view["serviceResources"], out.service_resources));
  TRY_OK(take_map(view["labels"], out.labels));
  TRY_OK(take_map(view["annotations"], out.annotations));
  if (view["patch"].present() && !view["patch"].value().is_map()) return view["patch"].wrong("want a mapping");
  out.patch = view["patch"].value();
  return out;
}

Result<> take_time(doc::View view, Millis& out) {
  if (!view.present()) return {};
  TRY(out, view.duration());
  if (out <= Millis(0)) return view.wrong("want more than nothing");
  return {};
}

void take_keys(const doc::Map& from, doc::Map& into) {
  for (auto& [key, value] : from) into.set(key, value);
}

}  // namespace

void PodProfile::take(const PodProfile& later) {
  if (!later.image.empty()) image = later.image;
  take_keys(later.resources, resources), take_keys(later.service_resources, service_resources);
  take_keys(later.spec, spec), take_keys(later.labels, labels), take_keys(later.annotations, annotations);
  if (later.patch.is_map()) {
    if (!patch.is_map()) patch = doc::Map{};
    take_keys(*later.patch.if_map(), patch.map());
  }
}

PodProfile PodSettings::profile(const std::vector<std::string>& labels) const {
  auto out = all;
  for (auto& label : labels)
    if (auto found = runs_on.find(lower(label)); found != runs_on.end()) out.take(found->second);
  return out;
}

Result<PodSettings> parse_pod_settings(std::string_view yaml, std::string_view source) {
  PodSettings out;
  if (trim(yaml).empty()) return out;
  TRY(auto document, doc::parse_yaml(yaml, {.source = source}));
  if (document.is_null()) return out;
  doc::View view(document, source);
  TRY(out.all, profile_from(view, true));
  out.ns = view["namespace"].str_or("");
  if (view["runsOn"].present()) {
    TRY(auto labels, view["runsOn"].map());
    for (auto& [label, value] : labels) {
      if (value.value().is_string()) {  // the image alone
        out.runs_on[lower(label)].image = value.text();
        continue;
      }
      TRY(out.runs_on[lower(label)], profile_from(value, false));
    }
  }
  TRY_OK(take_time(view["pendingTimeout"], out.pending));
  TRY_OK(take_time(view["pullTimeout"], out.pull));
  TRY_OK(take_time(view["lostTimeout"], out.lost));
  return out;
}

}  // namespace slipway::ci
