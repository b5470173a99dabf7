#pragma once
// From one map to typed values, every keyword checked. Private to ci/gitlab.
#include "ci/gitlab/model.h"

namespace slipway::ci::gitlab {

// What is wrong goes to `problems`; the document is then not to be used.
Document read_document(const doc::Map& top, std::string_view source, Problems& problems);
// A job with its defaults filled in. `document`: what is read already, its stages above all.
Job read_job(const std::string& name, const doc::Map& map, doc::Mark mark, const Document& document,
             Problems& problems);
// Rules of a job, a workflow or an include.
std::vector<Rule> read_rules(const doc::Value& value, std::string_view of, Problems& problems);
Variables read_variables(const doc::Value& value, Problems& problems);
// "3 hours 30 minutes", "1h30m", "90 min", a bare number of seconds. Nothing: no duration.
std::optional<double> seconds_of(std::string_view text);

}  // namespace slipway::ci::gitlab
