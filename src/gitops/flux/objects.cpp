#include "gitops/flux/objects.h"

#include "base/text.h"

namespace slipway::gitops::flux {

Result<Millis> duration(doc::View view, Millis fallback) {
  if (!view.present() || view.text().empty()) return fallback;
  auto text = view.text();
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    auto digits = rest.find_first_not_of("0123456789.");
    auto number = digits == 0 || digits == std::string_view::npos ? std::nullopt : to_double(rest.substr(0, digits));
    if (!number) return view.wrong("want a duration such as 10m or 1h30m");
    rest.remove_prefix(digits);
    static constexpr std::pair<std::string_view, double> units[] = {{"ms", 1},      {"us", 0.001}, {"ns", 0.000001},
                                                                    {"h", 3600000}, {"m", 60000},  {"s", 1000}};
    bool known = false;
    for (const auto& [unit, millis] : units) {
      if (known || !rest.starts_with(unit)) continue;
      total += *number * millis, known = true;
      rest.remove_prefix(unit.size());
    }
    if (!known || !(total < 1e13)) return view.wrong("want a duration such as 10m or 1h30m");
  }
  return Millis(static_cast<std::int64_t>(total));
}

void Conditions::set(std::string_view type, std::string_view status, std::string_view reason,
                     std::string_view message) {
  auto since = now_;
  for (const auto& old : before_["status"]["conditions"].items())
    if (old["type"].text() == type && old["status"].text() == status && !old["lastTransitionTime"].text().empty())
      since = old["lastTransitionTime"].text();
  list_.emplace_back(doc::Map{{"lastTransitionTime", since},
                              {"message", message},
                              {"observedGeneration", before_.generation()},
                              {"reason", reason},
                              {"status", status},
                              {"type", type}});
}

doc::Value inventory_entry(const kube::Type& type, const kube::Key& key) {
  // Names of RBAC objects may have a colon.
  auto name = replace_all(key.name, ":", "__");
  return doc::Map{{"id", fmt::format("{}_{}_{}_{}", key.ns, name, type.group(), type.kind)}, {"v", type.version()}};
}

std::optional<InventoryId> inventory_id(doc::View entry) {
  auto id = entry["id"].text(), version = entry["v"].text();
  auto first = id.find('_'), last = id.rfind('_');
  if (first == std::string::npos || last <= first || version.empty()) return {};
  auto group_at = id.rfind('_', last - 1);
  if (group_at == std::string::npos || group_at <= first) return {};
  auto group = id.substr(group_at + 1, last - group_at - 1);
  InventoryId result;
  result.type = {group.empty() ? version : group + "/" + version, id.substr(last + 1)};
  result.key = {id.substr(0, first), replace_all(id.substr(first + 1, group_at - first - 1), "__", ":")};
  return result;
}

}  // namespace slipway::gitops::flux
