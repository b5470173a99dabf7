#pragma once
// A Dockerfile as stages, every instruction checked for what can be checked without building.
#include <map>

#include "image/dockerfile.h"

namespace slipway::image {

struct Stage {
  std::size_t index = 0;
  std::string name;  // lower case; "" when it has none
  std::string base;  // as written, with its variables
  Instruction from;
  std::vector<Instruction> steps;
  std::string shown() const;  // for progress lines: "build", "stage-1"
};
struct StagePlan {
  std::vector<Instruction> global_args;  // before the first FROM
  std::vector<Stage> stages;
  // By name (any case; of equal ones the last) or number.
  const Stage* find(std::string_view name_or_number) const;
  // The stage that a FROM in stage `index` means: names in lower case, the nearest before it. A name with upper case,
  // which no image has, means one in any case.
  const Stage* base_of(std::string_view name, std::size_t index) const;
};

// Errors: invalid with file:line:col: unknown instructions and flags (with a suggestion), wrong argument counts,
// instructions before FROM, duplicate or reserved stage names.
Result<StagePlan> plan_stages(const Dockerfile& file);
// One instruction; also used for ONBUILD triggers.
Result<> check_instruction(const Dockerfile& file, const Instruction& instruction);

// RUN --mount=..., its keys as written.
struct MountFlag {
  std::string type = "bind";
  std::map<std::string, std::string> keys;  // from source target id sharing mode uid gid ro rw size env required
  bool on(std::string_view key) const;      // present, and not "false"
};
// Values that hold a variable are checked once they are expanded.
Result<MountFlag> parse_mount(std::string_view value);
Result<> check_mount(const MountFlag& mount);

}  // namespace slipway::image
