#pragma once
// What the native actions take and give, said once: unknown inputs are told from it, and docs/actions.md is printed
// from it.
#include <span>

#include "ci/detail/job_run.h"

namespace slipway::ci {

// What answering from the cache has to know. tells: all that it reads of the job's files goes through JobFolder, or is
// told to it. acts: its effect is the point, on others or by what it lets the job do. unseen: neither.
enum class Nature : std::uint8_t { unseen, tells, acts };

struct CatalogEntry {
  std::string_view name;
  NativeAction run;
  // Names apart by blanks: "!" must be given, "~" is taken and has no effect here, "*" any further name.
  std::string_view inputs, outputs;
  Nature nature = Nature::unseen;
};
std::span<const CatalogEntry> catalog();
const CatalogEntry* find_entry(std::string_view name);
// The table of docs/actions.md.
std::string print_catalog();

}  // namespace slipway::ci
