#pragma once
// What a job looked at while it ran: facts about paths that can be checked again without running anything. When all
// still hold, its result does too.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::ci {

// What somebody wanted to know of a path.
enum class Look : char {
  presence = 'p',   // whether it is there, and what it is
  content = 'c',    // its bytes
  meta = 'm',       // the same, and how long it is
  names = 'n',      // what a folder holds
  all_names = 'a',  // that, and so on below it
  whole = 'w',      // all bytes below it
};

struct Fact {
  Look look = Look::content;
  std::string path;  // of the source: relative to its root; of the host: absolute
  std::string was;   // the answer (tree_view.h, host_answer)
  auto operator<=>(const Fact&) const = default;
};

struct Observation {
  std::vector<Fact> tree, host;
  // Values of the run that a file it read names: GITHUB_SHA ...
  std::map<std::string, std::string> values;
  // Why the facts are not all there is: a connection to another machine, a program that could not be followed. Any of
  // them means that the result stands for itself alone.
  std::vector<std::string> open_ends;
  auto operator<=>(const Observation&) const = default;
};
// A line a fact. Round trip: parse_observation(print(o)) == o.
std::string print(const Observation& observation);
// Errors: invalid, with the line.
Result<Observation> parse_observation(std::string_view text);

}  // namespace slipway::ci
