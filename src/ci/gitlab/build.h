#pragma once
// From rows to the runner's values. Private to ci/gitlab.
#include "ci/gitlab/graph.h"

namespace slipway::ci::gitlab {

// The plan of a child pipeline, given variables by name; nothing: there is none, and `problems` says why.
using ChildMaker = std::function<std::shared_ptr<const Plan>(const Job& job, doc::Map given)>;
Result<Plan> build_plan(const Document& document, const Selected& selected, const std::vector<Row>& rows,
                        const Event& event, const ChildMaker& child, Problems& problems);

}  // namespace slipway::ci::gitlab
