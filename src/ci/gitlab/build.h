#pragma once
// From rows to the runner's values. Private to ci/gitlab.
#include "ci/gitlab/graph.h"

namespace slipway::ci::gitlab {

Result<Plan> build_plan(const Document& document, const Selected& selected, const std::vector<Row>& rows,
                        const Event& event, Problems& problems);

}  // namespace slipway::ci::gitlab
