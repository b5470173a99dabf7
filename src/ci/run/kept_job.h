#pragma once
// A job that failed, put aside as it was: its folder, what it changed of the machine's view, and what its steps had
// said. It can be looked at in a shell, and go on at the step that failed.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ci/runner.h"
#include "doc/value.h"

namespace slipway::ci {

// Of a run's own folder of files: what a checkout took, to see later what has changed since. Path to size, time, mode.
using Manifest = std::map<std::string, std::string>;
Manifest manifest_of(const fs::path& folder);

// What is beside the folder. Private to its owner (0600): steps may have put secrets into their environment.
struct KeptState {
  std::string key;                         // of the job in its run
  std::string step;                        // the name of the one that failed
  std::size_t next = 0;                    // its place among the job's steps
  std::string before;                      // digest of the steps before it, as they were written
  std::map<std::string, std::string> env;  // GITHUB_ENV
  std::vector<std::string> paths, masks;   // GITHUB_PATH, newest first; add-mask
  JobResult result;                        // with the steps that were done
  std::string checkout;                    // relative to home: where the source is; "" nowhere
  Manifest source;
};
doc::Value to_doc(const KeptState& state);
Result<KeptState> kept_state_from(doc::View view);

// One job's place below `root`; a later failure of the same job takes it.
fs::path kept_place(const fs::path& root, const std::string& key);

}  // namespace slipway::ci
