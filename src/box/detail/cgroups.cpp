#include "box/detail/cgroups.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/text.h"

namespace slipway::box {

std::string_view to_string(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::none:
      return "no cgroups";
    case CgroupMode::v1:
      return "cgroup v1";
    case CgroupMode::hybrid:
      return "cgroup v1 hybrid";
    case CgroupMode::unified:
      return "cgroup v2";
  }
  return "";
}

Cgroups Cgroups::detect(const fs::path& mounts) {
  Cgroups found;
  bool v1 = false, v2 = false;
  auto text = read_file(mounts).value_or("");
  for (auto line : lines(text)) {
    auto fields = split(line, ' ');
    if (fields.size() < 4) continue;
    fs::path at(fields[1]);
    if (fields[2] == "cgroup2") {
      v2 = true;
      found.unified = at;
    } else if (fields[2] == "cgroup") {
      v1 = true;
      static const std::set<std::string_view> limits = {"cpu", "cpuacct", "cpuset", "devices", "memory", "pids"};
      bool limiting = false;
      for (auto option : split(fields[3], ',')) {
        limiting = limiting || limits.contains(option);
        if (option == "memory") found.memory = at;
        if (option == "cpuset") found.cpuset = at;
        if (option == "devices") found.devices = at;
        if (option == "cpuacct") found.cpuacct = at;
      }
      if (limiting) found.limiting.push_back(at);
    } else {
      continue;
    }
    found.hierarchies.push_back(at);
  }
  if (v2) found.unified_controllers = !trim(read_file(found.unified / "cgroup.controllers").value_or("")).empty();
  found.mode = v1 && v2 ? CgroupMode::hybrid : v1 ? CgroupMode::v1 : v2 ? CgroupMode::unified : CgroupMode::none;
  if (found.mode == CgroupMode::unified) {
    found.memory = found.cpuacct = found.unified;
    found.limiting = {found.unified};
  }
  const auto& probe = found.memory.empty() ? found.unified : found.memory;
  found.writable = !probe.empty() && ::access(probe.c_str(), W_OK) == 0;
  return found;
}

bool Cgroups::oom_killed(const std::string& group) const {
  if (memory.empty()) return false;
  const char* file = mode == CgroupMode::unified ? "memory.events" : "memory.oom_control";
  auto text = read_file(fs::path(memory.string() + group) / file);
  if (!text) return false;
  for (auto line : lines(*text))
    if (auto parts = cut(line, " "); parts && parts->first == "oom_kill")
      return to_int(trim(parts->second)).value_or(0) > 0;
  return false;
}

namespace {

// "KEY N" in a file of such lines.
std::optional<std::int64_t> counter(const std::string& text, std::string_view key) {
  for (auto line : lines(text))
    if (auto parts = cut(line, " "); parts && parts->first == key) return to_int(trim(parts->second));
  return std::nullopt;
}

}  // namespace

std::optional<Usage> Cgroups::usage(const std::string& group) const {
  if (group.empty() || memory.empty() || cpuacct.empty()) return std::nullopt;
  bool v2 = mode == CgroupMode::unified;
  auto of = [&](const fs::path& controller, const char* file) {
    return read_file(fs::path(controller.string() + group) / file).value_or("");
  };
  auto cpu = v2 ? counter(of(cpuacct, "cpu.stat"), "usage_usec") : to_int(trim(of(cpuacct, "cpuacct.usage")));
  auto held = to_int(trim(of(memory, v2 ? "memory.current" : "memory.usage_in_bytes")));
  if (!cpu || !held) return std::nullopt;
  auto idle = counter(of(memory, "memory.stat"), v2 ? "inactive_file" : "total_inactive_file").value_or(0);
  return Usage{std::chrono::nanoseconds(v2 ? *cpu * 1000 : *cpu), std::max<std::int64_t>(0, *held - idle)};
}

bool Cgroups::remove(const std::string& group) const {
  bool gone = true;
  for (const auto& hierarchy : hierarchies) {
    fs::path path(hierarchy.string() + group);
    if (::rmdir(path.c_str()) < 0 && errno != ENOENT && errno != EROFS) gone = false;
  }
  return gone;
}

void Cgroups::remove_empty(const std::string& group) const {
  for (const auto& hierarchy : hierarchies) {
    fs::path path(hierarchy.string() + group);
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path, ignored))
      if (entry.is_directory(ignored)) ::rmdir(entry.path().c_str());
    ::rmdir(path.c_str());
  }
}

}  // namespace slipway::box
