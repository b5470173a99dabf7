#pragma once
// Jobs as they will run: rows of parallel:, and what waits for what. Private to ci/gitlab.
#include "ci/gitlab/select.h"

namespace slipway::ci::gitlab {

// One job of the pipeline: a row where there is parallel:.
struct Row {
  std::string id;  // "test", "test 1/3", "test: [3.12, debian]"
  const Chosen* chosen = nullptr;
  std::vector<std::pair<std::string, std::string>> matrix;
  int index = 1, total = 1;
  bool by_needs = false;               // needs: is given: those count, not the stages
  std::vector<std::size_t> needs;      // rows it waits for
  std::vector<std::size_t> artifacts;  // rows whose artifacts it gets
  std::vector<std::size_t> blockers;   // manual jobs of earlier stages that may not be left out
};
// In an order in which every row comes after those it needs.
std::vector<Row> make_rows(const Document& document, const std::vector<Chosen>& jobs, Problems& problems);

}  // namespace slipway::ci::gitlab
