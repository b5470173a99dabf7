#include "engine/kept_jobs.h"

#include <algorithm>

namespace slipway::engine {

fs::path kept_jobs_of(const fs::path& data, const std::string& run) { return data / "kept" / run; }

Result<> forget_kept_jobs(const fs::path& data, std::size_t most) {
  auto root = data / "kept";
  if (!path_exists(root)) return {};
  TRY(auto names, list_dir(root));
  std::vector<std::pair<fs::file_time_type, fs::path>> runs;
  for (const auto& name : names) {
    std::error_code error;
    auto time = fs::last_write_time(root / name, error);
    if (!error) runs.emplace_back(time, root / name);
  }
  std::sort(runs.rbegin(), runs.rend());
  for (std::size_t i = most; i < runs.size(); ++i) TRY_OK(remove_tree(runs[i].second));
  return {};
}

}  // namespace slipway::engine
