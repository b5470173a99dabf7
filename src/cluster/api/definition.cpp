#include "cluster/api/definition.h"

#include "base/text.h"
#include "kube/quantity.h"

namespace slipway::cluster {

void complete_definition(doc::Value& crd, const kube::Object& before, const std::string& now) {
  auto& spec = crd["spec"];
  // First what may move spec's members, then references into it.
  if (spec.find("conversion") == nullptr) spec["conversion"] = doc::Map{{"strategy", "None"}};
  auto& names = spec["names"];
  auto kind = names.str_at({"kind"});
  if (names.str_at({"singular"}).empty()) names["singular"] = lower(kind);
  if (names.str_at({"listKind"}).empty()) names["listKind"] = kind + "List";
  doc::Value status = before["status"].value();
  if (!status.is_map()) status = doc::Map{};
  status["acceptedNames"] = names;
  doc::Value holder = doc::Map{{"status", std::move(status)}};
  kube::set_condition(holder, "NamesAccepted", true, "NoConflicts", "no conflicts found", now);
  kube::set_condition(holder, "Established", true, "InitialNamesAccepted", "the initial names have been accepted", now);
  auto& stored = holder["status"]["storedVersions"];
  for (const auto& version : doc::View(spec)["versions"].items()) {
    if (!version["storage"].bool_or(false)) continue;
    doc::Value name = version["name"].value();
    auto& list = stored.list();
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  }
  crd["status"] = std::move(holder["status"]);
}

std::string qos_class(const doc::View& pod) {
  bool any = false, guaranteed = true;
  auto nonzero = [](const doc::View& v) {
    auto q = kube::Quantity::parse(v.text());
    return q && q->nanos > 0;
  };
  for (std::string_view list : {"containers", "initContainers"}) {
    for (const auto& c : pod["spec"][list].items()) {
      for (std::string_view resource : {"cpu", "memory"}) {
        auto limit = c["resources"]["limits"][resource], request = c["resources"]["requests"][resource];
        any = any || nonzero(limit) || nonzero(request);
        bool same = !request.present() || request.text() == limit.text();
        guaranteed = guaranteed && nonzero(limit) && same;
      }
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace slipway::cluster
