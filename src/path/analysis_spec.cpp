#include "path/analysis_spec.h"

#include <algorithm>
#include <set>

#include "doc/view.h"

namespace slipway::path {
namespace {

// Later templates may repeat an argument, but not with another default.
Result<> merge_args(doc::View from, const std::string& of, doc::List& args) {
  for (const auto& arg : from.items()) {
    auto name = arg["name"].str_or("");
    auto it = std::find_if(args.begin(), args.end(), [&](const doc::Value& a) { return a.str_at({"name"}) == name; });
    if (it == args.end()) {
      args.push_back(arg.value());
      continue;
    }
    bool both = arg["value"].exists() && it->find("value") != nullptr;
    if (both && !(arg["value"].value() == *it->find("value")))
      return fail(Kind::invalid, "{}: argument \"{}\" has another default in another template", of, name);
    if (it->find("value") == nullptr && it->find("valueFrom") == nullptr) *it = arg.value();
  }
  return {};
}

}  // namespace

Result<doc::Value> analysis_run_spec(const std::vector<doc::Value>& templates, const doc::List& given) {
  doc::List metrics, args, dry_run, retention;
  std::set<std::string> names;
  for (const auto& t : templates) {
    auto spec = doc::View(t)["spec"];
    auto named = fmt::format("{} {}", t.str_at({"kind"}), t.str_at({"metadata", "name"}));
    for (const auto& metric : spec["metrics"].items()) {
      if (!names.insert(metric["name"].str_or("")).second)
        return fail(Kind::invalid, "{}: two metrics are called \"{}\"", named, metric["name"].str_or(""));
      metrics.push_back(metric.value());
    }
    TRY_OK(merge_args(spec["args"], named, args));
    for (const auto& item : spec["dryRun"].items()) dry_run.push_back(item.value());
    for (const auto& item : spec["measurementRetention"].items()) retention.push_back(item.value());
  }
  if (metrics.empty()) return fail(Kind::invalid, "the analysis has no metrics");
  for (auto& arg : args) {
    auto name = arg.str_at({"name"});
    auto it = std::find_if(given.begin(), given.end(), [&](const doc::Value& g) { return g.str_at({"name"}) == name; });
    if (it != given.end()) arg = *it;
    if (arg.find("value") == nullptr && arg.find("valueFrom") == nullptr)
      return fail(Kind::invalid, "argument \"{}\" of the analysis has no value", name);
  }
  doc::Map spec{{"metrics", std::move(metrics)}};
  if (!args.empty()) spec.set("args", std::move(args));
  if (!dry_run.empty()) spec.set("dryRun", std::move(dry_run));
  if (!retention.empty()) spec.set("measurementRetention", std::move(retention));
  return doc::Value(std::move(spec));
}

}  // namespace slipway::path
