#include "ci/gitlab/graph.h"

#include "base/text.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::size_t max_rows = 1000;

bool gives_variables(const Row& row) {
  const auto& artifacts = row.chosen->job->artifacts;
  return artifacts && std::any_of(artifacts->reports.begin(), artifacts->reports.end(),
                                  [](const auto& report) { return report.first == "dotenv"; });
}

std::vector<Row> rows_of(const Chosen& chosen) {
  const auto& job = *chosen.job;
  std::vector<Row> out;
  auto add = [&](std::string id) -> Row& {
    Row row;
    row.id = std::move(id), row.chosen = &chosen;
    return out.emplace_back(std::move(row));
  };
  for (int i = 1; i <= job.parallel; ++i) {
    auto& row = add(fmt::format("{} {}/{}", job.name, i, job.parallel));
    row.index = i, row.total = job.parallel;
  }
  for (const auto& entry : job.matrix) {
    std::size_t total = 1;
    for (const auto& [name, values] : entry) total *= std::max<std::size_t>(values.size(), 1);
    for (std::size_t n = 0; n < std::min<std::size_t>(total, 200); ++n) {
      std::vector<std::pair<std::string, std::string>> matrix;
      std::vector<std::string> shown;
      auto rest = n, block = total;
      for (const auto& [name, values] : entry) {
        if (values.empty()) continue;
        block /= values.size();
        matrix.emplace_back(name, values[rest / block]);
        shown.push_back(values[rest / block]);
        rest %= block;
      }
      add(fmt::format("{}: [{}]", job.name, join(std::span<const std::string>(shown), ", "))).matrix =
          std::move(matrix);
    }
  }
  if (!job.matrix.empty())
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i].index = static_cast<int>(i) + 1, out[i].total = static_cast<int>(out.size());
  if (out.empty()) add(job.name);
  return out;
}

// Whether a row is one of those that needs:parallel:matrix names.
bool is_meant(const Need& need, const Row& row) {
  if (need.rows.empty()) return true;
  return std::any_of(need.rows.begin(), need.rows.end(), [&](const MatrixEntry& entry) {
    return std::all_of(entry.begin(), entry.end(), [&](const auto& wanted) {
      return std::any_of(row.matrix.begin(), row.matrix.end(), [&](const auto& own) {
        return own.first == wanted.first &&
               std::find(wanted.second.begin(), wanted.second.end(), own.second) != wanted.second.end();
      });
    });
  });
}

// Rows by number. Taking in another set is a word at a time: pipelines have hundreds of rows.
class Set {
 public:
  explicit Set(std::size_t rows = 0) : words_((rows + 63) / 64) {}
  bool has(std::size_t row) const { return ((words_[row / 64] >> (row % 64)) & 1) != 0; }
  void add(std::size_t row) { words_[row / 64] |= std::uint64_t{1} << (row % 64); }
  void add(const Set& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

 private:
  std::vector<std::uint64_t> words_;
};

class Graph {
 public:
  Graph(const Document& document, Problems& problems) : document_(document), problems_(problems) {}

  std::vector<Row> make(const std::vector<Chosen>& jobs) {
    for (const auto& chosen : jobs)
      for (auto& row : rows_of(chosen)) rows_.push_back(std::move(row));
    if (rows_.size() > max_rows) {
      problems_.add({1, 1, 0, 0}, fmt::format("the pipeline has {} jobs, want at most {}", rows_.size(), max_rows));
      return {};
    }
    for (auto& row : rows_) named_needs(row);
    if (problems_.any()) return {};
    place_all();
    return ordered();
  }

 private:
  std::size_t stage(const Row& row) const { return document_.stage(row.chosen->job->stage); }

  void named_needs(Row& row) {
    if (!row.chosen->needs) return;
    row.by_needs = true;
    for (const auto& need : *row.chosen->needs) {
      bool any = false;
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (rows_[i].chosen->job->name != need.job || !is_meant(need, rows_[i])) continue;
        any = true;
        if (std::find(row.needs.begin(), row.needs.end(), i) == row.needs.end()) row.needs.push_back(i);
        if (need.artifacts) row.artifacts.push_back(i);
      }
      if (any || need.optional) continue;
      bool row_missing =
          std::any_of(rows_.begin(), rows_.end(), [&](const Row& r) { return r.chosen->job->name == need.job; });
      problems_.add(need.mark,
                    row_missing ? fmt::format("job '{}' needs rows of '{}' that its parallel:matrix does not have",
                                              row.chosen->job->name, need.job)
                                : fmt::format("job '{}' needs '{}', which its rules leave out of this pipeline",
                                              row.chosen->job->name, need.job),
                    row_missing ? std::string()
                                : "say needs: [{job: " + need.job + ", optional: true}], or give both the same rules");
    }
  }

  void place_all() {
    ancestors_.assign(rows_.size(), Set(rows_.size()));
    std::vector<bool> placed(rows_.size());
    while (order_.size() < rows_.size()) {
      auto before = order_.size();
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (placed[i] || !ready(i, placed)) continue;
        if (!rows_[i].by_needs) stage_needs(i);
        for (auto need : rows_[i].needs) add(ancestors_[i], need);
        placed[i] = true;
        order_.push_back(i);
      }
      if (order_.size() > before) continue;
      std::vector<std::string> names;
      for (std::size_t i = 0; i < rows_.size(); ++i)
        if (!placed[i] && rows_[i].by_needs && names.size() < 10) names.push_back(rows_[i].id);
      problems_.add(rows_[0].chosen->job->mark, fmt::format("jobs need each other in a circle, among: {}",
                                                            join(std::span<const std::string>(names), ", ")));
      return;
    }
  }

  bool ready(std::size_t i, const std::vector<bool>& placed) const {
    const auto& row = rows_[i];
    if (row.by_needs) return std::all_of(row.needs.begin(), row.needs.end(), [&](auto n) { return placed[n]; });
    for (std::size_t n = 0; n < rows_.size(); ++n)
      if (!placed[n] && stage(rows_[n]) < stage(row)) return false;
    return true;
  }

  void add(Set& all, std::size_t need) const {
    all.add(need);
    all.add(ancestors_[need]);
  }

  // All of the earlier stages; those that others wait for already are left out, unless it has something from them.
  void stage_needs(std::size_t i) {
    auto& row = rows_[i];
    const auto& wanted = row.chosen->job->dependencies;
    Set covered(rows_.size());
    for (auto n = order_.rbegin(); n != order_.rend(); ++n) {
      const auto& other = rows_[*n];
      if (stage(other) >= stage(row)) continue;
      bool takes = !wanted || std::find(wanted->begin(), wanted->end(), other.chosen->job->name) != wanted->end();
      if (takes) row.artifacts.push_back(*n);
      if (other.chosen->when == When::manual && !other.chosen->allow_failure.any) row.blockers.push_back(*n);
      if (covered.has(*n) && !(takes && gives_variables(other))) continue;
      row.needs.push_back(*n);
      add(covered, *n);
    }
    std::reverse(row.artifacts.begin(), row.artifacts.end());
    std::reverse(row.needs.begin(), row.needs.end());
  }

  std::vector<Row> ordered() {
    std::vector<std::size_t> at(rows_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) at[order_[i]] = i;
    std::vector<Row> out;
    for (auto i : order_) {
      auto row = std::move(rows_[i]);
      const auto& wanted = row.chosen->job->dependencies;
      if (row.by_needs && wanted)
        std::erase_if(row.artifacts, [&](auto n) {
          return std::find(wanted->begin(), wanted->end(), rows_[n].chosen->job->name) == wanted->end();
        });
      for (auto* list : {&row.needs, &row.artifacts, &row.blockers})
        for (auto& n : *list) n = at[n];
      out.push_back(std::move(row));
    }
    return out;
  }

  const Document& document_;
  Problems& problems_;
  std::vector<Row> rows_;
  std::vector<Set> ancestors_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::vector<Row> make_rows(const Document& document, const std::vector<Chosen>& jobs, Problems& problems) {
  return Graph(document, problems).make(jobs);
}

}  // namespace slipway::ci::gitlab
