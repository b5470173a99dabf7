#include "engine/attempts.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "path/types.h"

namespace slipway::engine {
namespace {

constexpr std::size_t attempts_kept = 20;

std::string caller_of(const std::string& path) {
  auto slash = path.rfind(" / ");
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// Jobs after one of `seeds`, by their needs; of a workflow that is called after one, all.
std::set<std::string> after(const std::vector<doc::View>& jobs, const std::set<std::string>& seeds) {
  std::set<std::string> out;
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& job : jobs) {
      auto path = id_path(job["key"].text());
      if (out.contains(path)) continue;
      auto needs = job["needs"].items();
      bool late = out.contains(caller_of(path)) || std::any_of(needs.begin(), needs.end(), [&](const doc::View& need) {
                    return seeds.contains(need.text()) || out.contains(need.text());
                  });
      if (late) grown = out.insert(path).second;
    }
  }
  return out;
}

Renewal keep(const kube::Object& run, const std::set<std::string>& keys) {
  Renewal out;
  doc::List kept;
  for (const auto& job : run["status"]["jobs"].items()) {
    auto key = job["key"].text();
    if (keys.contains(key))
      kept.push_back(job.value());
    else
      out.dropped.push_back(key);
  }
  for (auto name : {"finishedAt", "waitsForPeople", "reusedFrom", "artifacts", "tests"})
    out.status.set(name, doc::Value());
  out.status.set("phase", "Pending"), out.status.set("message", "");
  out.status.set("jobs", std::move(kept));
  return out;
}

}  // namespace

std::string id_path(std::string_view key) {
  std::string out;
  for (std::size_t from = 0; from <= key.size();) {
    auto end = std::min(key.find(" / ", from), key.size());
    auto part = key.substr(from, end - from);
    out += fmt::format("{}{}", out.empty() ? "" : " / ", part.substr(0, part.find(" (")));
    from = end + 3;
  }
  return out;
}

std::int64_t attempt_of(const kube::Object& run) {
  return std::max<std::int64_t>(run["status"]["attempt"].num_or(1), 1);
}

std::string asked_to_end(const kube::Object& run) {
  auto asked = run["spec"]["cancel"];
  if (!asked.present() || asked["attempt"].num_or(1) != attempt_of(run)) return "";
  return "cancelled by " + asked["by"].str_or("somebody");
}

std::vector<std::string> started_by_hand(const kube::Object& run) {
  std::vector<std::string> out;
  for (const auto& [job, asked] : run["spec"]["start"].members())
    if (asked["attempt"].num_or(1) == attempt_of(run)) out.push_back(job);
  return out;
}

std::vector<std::string> started_by(const kube::Object& run) {
  std::vector<std::string> out{run["spec"]["change"]["author"].text()};
  auto rerun = run["spec"]["rerun"];
  if (rerun.present() && rerun["attempt"].num_or(0) == attempt_of(run)) out.push_back(rerun["by"].text());
  return out;
}

bool goes_on(const kube::Object& run) {
  auto rerun = run["spec"]["rerun"];
  return rerun.present() && rerun["attempt"].num_or(0) == attempt_of(run) && rerun["resume"].bool_or(false);
}

std::optional<Renewal> next_attempt(const kube::Object& run) {
  auto asked = run["spec"]["rerun"];
  auto now = attempt_of(run);
  if (!asked.present() || asked["attempt"].num_or(0) != now + 1) return {};
  auto jobs = run["status"]["jobs"].items();
  std::set<std::string> kept;
  if (asked["failed"].bool_or(false)) {
    std::set<std::string> again;
    for (const auto& job : jobs)
      if (auto phase = job["phase"].text(); phase != "Succeeded" && phase != "Skipped")
        again.insert(id_path(job["key"].text()));
    auto late = after(jobs, again);
    for (const auto& job : jobs)
      if (job["phase"].text() == "Succeeded" && !late.contains(id_path(job["key"].text())))
        kept.insert(job["key"].text());
  }
  auto out = keep(run, kept);
  doc::List brief;
  for (const auto& job : jobs) brief.emplace_back(doc::Map{{"key", job["key"].text()}, {"phase", job["phase"].text()}});
  doc::List attempts;
  for (const auto& one : run["status"]["attempts"].items()) attempts.push_back(one.value());
  if (attempts.size() >= attempts_kept) attempts.erase(attempts.begin());
  auto status = run["status"];
  attempts.emplace_back(doc::Map{{"attempt", now},
                                 {"phase", status["phase"].text()},
                                 {"message", status["message"].text()},
                                 {"startedAt", status["startedAt"].text()},
                                 {"finishedAt", status["finishedAt"].text()},
                                 {"jobs", std::move(brief)}});
  out.status.set("attempts", std::move(attempts));
  out.status.set("attempt", now + 1);
  out.status.set("startedAt", doc::Value());
  return out;
}

std::optional<Renewal> reopened(const kube::Object& run) {
  auto started = started_by_hand(run);
  auto jobs = run["status"]["jobs"].items();
  std::set<std::string> again, kept;
  for (const auto& job : jobs) {
    auto key = job["key"].text();
    bool asked = std::find(started.begin(), started.end(), key) != started.end();
    if (asked && job["phase"].text() == "Manual") again.insert(id_path(key));
  }
  if (again.empty()) return {};
  auto late = after(jobs, again);
  for (const auto& job : jobs) {
    auto key = job["key"].text(), path = id_path(key);
    bool skipped_after = job["phase"].text() == "Skipped" && late.contains(path);
    if (!again.contains(path) && !skipped_after) kept.insert(key);
  }
  return keep(run, kept);
}

}  // namespace slipway::engine
