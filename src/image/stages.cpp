#include "image/stages.h"

#include <algorithm>
#include <set>

#include "base/csv.h"
#include "base/text.h"
#include "image/detail/line.h"

namespace slipway::image {

namespace {

struct Rule {
  const char* name;
  int min, max;  // arguments; -1: any number
  std::vector<std::string> flags;
};
// Flags that are on or off; the others want a value.
bool is_switch(std::string_view flag) {
  return flag == "link" || flag == "parents" || flag == "keep-git-dir" || flag == "unpack";
}
const std::vector<Rule>& rules() {
  static const std::vector<Rule> all{
      {"add", 1, -1, {"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"}},
      {"arg", 1, -1, {}},
      {"cmd", 0, -1, {}},
      {"copy", 1, -1, {"from", "chown", "chmod", "link", "parents", "exclude"}},
      {"entrypoint", 0, -1, {}},
      {"env", 1, -1, {}},
      {"expose", 1, -1, {}},
      {"from", 1, 3, {"platform"}},
      {"healthcheck", 1, -1, {"interval", "timeout", "start-period", "start-interval", "retries"}},
      {"label", 1, -1, {}},
      {"maintainer", 1, 1, {}},
      {"onbuild", 0, -1, {}},
      {"run", 0, -1, {"mount", "network", "security", "device"}},
      {"shell", 1, -1, {}},
      {"stopsignal", 1, 1, {}},
      {"user", 1, 1, {}},
      {"volume", 1, -1, {}},
      {"workdir", 1, 1, {}},
  };
  return all;
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return text;
}

Result<> check_flags(const Dockerfile& file, const Instruction& i, const Rule& rule) {
  std::set<std::string_view> seen;
  for (std::string_view flag : i.flags) {
    auto name = flag.substr(2, flag.find('=') == std::string_view::npos ? std::string_view::npos : flag.find('=') - 2);
    if (std::find(rule.flags.begin(), rule.flags.end(), name) == rule.flags.end()) {
      auto near = nearest(name, rule.flags);
      return file.wrong(i, fmt::format("unknown flag --{} for {}{}", name, upper(i.name),
                                       near ? fmt::format(", did you mean --{}?", *near) : ""));
    }
    auto equals = flag.find('=');
    if (is_switch(name)) {
      auto value = equals == std::string_view::npos ? std::string() : lower(flag.substr(equals + 1));
      if (equals != std::string_view::npos && value != "true" && value != "false")
        return file.wrong(i, fmt::format("--{}={}: want true or false", name, flag.substr(equals + 1)));
    } else if (equals == std::string_view::npos) {
      return file.wrong(i, fmt::format("--{} wants a value: --{}=...", name, name));
    }
    bool repeats = name == "mount" || name == "exclude" || name == "device";
    if (!seen.insert(name).second && !repeats) return file.wrong(i, fmt::format("flag --{} is given twice", name));
  }
  for (auto value : i.flags_named("mount"))
    if (auto m = parse_mount(value); !m) return file.wrong(i, fmt::format("--mount={}: {}", value, m.error().what()));
  return {};
}

Result<> check_details(const Dockerfile& file, const Instruction& i) {
  if (i.name == "from" && i.args.size() != 1 && !(i.args.size() == 3 && iequals(i.args[1], "as")))
    return file.wrong(i, "FROM wants <image> or <image> AS <name>");
  if ((i.name == "copy" || i.name == "add") && i.args.size() < 2)
    return file.wrong(i, fmt::format("{} wants at least one source and a destination", upper(i.name)));
  if (i.name == "shell" && !i.json)
    return file.wrong(i, "SHELL wants a JSON list, for example SHELL [\"/bin/bash\", \"-c\"]");
  if (i.name == "run" && i.json && i.args.empty()) return file.wrong(i, "RUN wants a command");
  if ((i.name == "copy" || i.name == "add") && !i.json && detail::heredoc_of(i.args.back()))
    return file.wrong(i, fmt::format("{} takes no heredoc as its destination", upper(i.name)));
  if (i.name == "copy") {
    if (auto from = i.flag("from"); from && from->find('$') != std::string_view::npos)
      return file.wrong(i, "COPY --from takes no variables",
                        "declare a stage: FROM ${IMAGE} AS name, then COPY --from=name");
  }
  if (i.name == "healthcheck") {
    bool none = iequals(i.args[0], "none");
    if (!none && !iequals(i.args[0], "cmd"))
      return file.wrong(i, fmt::format("HEALTHCHECK {}: want CMD or NONE", i.args[0]));
    if (none && i.args.size() > 1) return file.wrong(i, "HEALTHCHECK NONE takes no arguments");
    if (!none && i.args.size() < 2) return file.wrong(i, "HEALTHCHECK CMD wants a command");
  }
  if (i.name == "onbuild") {
    if (!i.trigger) return file.wrong(i, "ONBUILD wants an instruction");
    for (auto name : {"from", "onbuild", "maintainer"})
      if (i.trigger->name == name) return file.wrong(i, fmt::format("ONBUILD {} is not allowed", upper(name)));
    return check_instruction(file, *i.trigger);
  }
  return {};
}

bool valid_stage_name(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string_view::npos;
}

Result<Stage> begin_stage(const Dockerfile& file, const Instruction& i, const StagePlan& plan) {
  Stage stage;
  stage.index = plan.stages.size();
  stage.from = i;
  stage.base = i.args[0];
  if (i.args.size() != 3) return stage;
  stage.name = lower(i.args[2]);
  if (!valid_stage_name(stage.name))
    return file.wrong(i, fmt::format("stage name {:?}: want a letter, then letters, digits, '-', '_', '.'", i.args[2]));
  return stage;
}

}  // namespace

std::string Stage::shown() const { return name.empty() ? fmt::format("stage-{}", index) : name; }

const Stage* StagePlan::find(std::string_view wanted) const {
  auto name = lower(wanted);
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage)
    if (!stage->name.empty() && stage->name == name) return &*stage;
  auto number = to_int(wanted);
  if (number && *number >= 0 && static_cast<std::size_t>(*number) < stages.size())
    return &stages[static_cast<std::size_t>(*number)];
  return nullptr;
}

const Stage* StagePlan::base_of(std::string_view written, std::size_t index) const {
  auto name = lower(written);
  for (auto n = std::min(index, stages.size()); n-- > 0;)
    if (!stages[n].name.empty() && stages[n].name == name) return &stages[n];
  return nullptr;
}

Result<> check_instruction(const Dockerfile& file, const Instruction& i) {
  auto rule = std::find_if(rules().begin(), rules().end(), [&](const Rule& r) { return i.name == r.name; });
  if (rule == rules().end()) {
    std::vector<std::string> names;
    for (const auto& r : rules()) names.push_back(upper(r.name));
    auto near = nearest(upper(i.name), names);
    return file.wrong(
        i, fmt::format("unknown instruction {}{}", i.written, near ? fmt::format(", did you mean {}?", *near) : ""));
  }
  TRY_OK(check_flags(file, i, *rule));
  auto n = static_cast<int>(i.args.size());
  if (n < rule->min)
    return file.wrong(
        i, fmt::format("{} wants at least {} argument{}", upper(i.name), rule->min, rule->min == 1 ? "" : "s"));
  if (rule->max >= 0 && n > rule->max)
    return file.wrong(i, fmt::format("{} wants at most {} arguments, has {}", upper(i.name), rule->max, n));
  return check_details(file, i);
}

Result<StagePlan> plan_stages(const Dockerfile& file) {
  StagePlan plan;
  for (const auto& i : file.instructions) {
    TRY_OK(check_instruction(file, i));
    if (i.name == "from") {
      TRY(auto stage, begin_stage(file, i, plan));
      plan.stages.push_back(std::move(stage));
    } else if (!plan.stages.empty()) {
      plan.stages.back().steps.push_back(i);
    } else if (i.name == "arg") {
      plan.global_args.push_back(i);
    } else {
      return file.wrong(i, fmt::format("{} before the first FROM: only ARG may stand there", upper(i.name)));
    }
  }
  if (plan.stages.empty()) return file.wrong(1, 1, "no FROM");
  return plan;
}

bool MountFlag::on(std::string_view key) const {
  auto it = keys.find(std::string(key));
  return it != keys.end() && it->second != "false" && it->second != "0";
}

Result<MountFlag> parse_mount(std::string_view value) {
  MountFlag mount;
  static const std::map<std::string, std::string> aliases{{"src", "source"},         {"dst", "target"},
                                                          {"destination", "target"}, {"readonly", "ro"},
                                                          {"readwrite", "rw"},       {"tmpfs-size", "size"}};
  static const std::set<std::string> known{"type", "from", "source", "target", "id",   "sharing", "mode",
                                           "uid",  "gid",  "ro",     "rw",     "size", "env",     "required"};
  for (const auto& field : split_quoted(value)) {
    auto parts = cut(field, "=");
    auto key = lower(parts ? parts->first : std::string_view(field));
    if (auto it = aliases.find(key); it != aliases.end()) key = it->second;
    if (!known.contains(key)) {
      auto near = nearest(key, std::vector<std::string>(known.begin(), known.end()));
      return fail(Kind::invalid, "unknown key {:?}{}", key, near ? fmt::format(", did you mean {}?", *near) : "");
    }
    if (!parts && key != "ro" && key != "rw" && key != "required") return fail(Kind::invalid, "{} wants a value", key);
    mount.keys[key] = parts ? std::string(parts->second) : "true";
  }
  if (mount.keys.contains("type")) mount.type = mount.keys["type"];
  if (mount.type.find('$') == std::string::npos) mount.type = lower(mount.type);
  for (auto it = mount.keys.begin(); it != mount.keys.end();)
    it = it->second.empty() ? mount.keys.erase(it) : std::next(it);
  TRY_OK(check_mount(mount));
  return mount;
}

Result<> check_mount(const MountFlag& mount) {
  auto variable = [](std::string_view text) { return text.find('$') != std::string_view::npos; };
  static const std::set<std::string> types{"bind", "cache", "tmpfs", "secret", "ssh"};
  if (!types.contains(mount.type) && !variable(mount.type))
    return fail(Kind::invalid, "type {:?}, want bind, cache, tmpfs, secret or ssh", mount.type);
  bool needs_target = mount.type == "bind" || mount.type == "cache" || mount.type == "tmpfs";
  if (needs_target && !mount.keys.contains("target")) return fail(Kind::invalid, "{} wants a target", mount.type);
  if (auto it = mount.keys.find("sharing"); it != mount.keys.end()) {
    const auto& s = it->second;
    if (s != "shared" && s != "private" && s != "locked" && !variable(s))
      return fail(Kind::invalid, "sharing {:?}, want shared, private or locked", s);
  }
  return {};
}

}  // namespace slipway::image
