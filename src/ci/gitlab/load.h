#pragma once
// From files to one document: include, extends, !reference. Private to ci/gitlab.
#include "ci/gitlab.h"
#include "ci/gitlab/model.h"

namespace slipway::ci::gitlab {

struct LoadOptions {
  const SourceTree* tree = nullptr;
  // Whether an entry of include: with these rules counts; what its path means.
  std::function<bool(const doc::Value& rules)> counts;
  std::function<std::string(std::string_view)> expand;
};
// The file, those it includes, and what its jobs extend, as one map. What is wrong goes to `problems`. Marks: see
// there.
doc::Map load(std::string_view text, std::string_view source, const LoadOptions& options, Problems& problems);
// The same of what trigger:include names.
doc::Map load_child(const doc::Value& include, const LoadOptions& options, Problems& problems);
// As GitLab merges: maps key by key, everything else is replaced.
void merge_over(doc::Map& below, const doc::Map& above);

}  // namespace slipway::ci::gitlab
