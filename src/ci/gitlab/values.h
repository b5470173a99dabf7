#pragma once
// Reading of single values. Private to ci/gitlab.
#include "ci/gitlab/model.h"

namespace slipway::ci::gitlab {

class Values {
 public:
  explicit Values(Problems& list) : problems(list) {}
  Problems& problems;

  // Scalars as text; nothing and a problem for the rest.
  std::optional<std::string> text(const doc::Value& value, std::string_view what);
  // A scalar or a list, lists within lists flattened.
  std::vector<std::string> texts(const doc::Value& value, std::string_view what, int depth = 0);
  std::optional<bool> flag(const doc::Value& value, std::string_view what);
  std::optional<int> number(const doc::Value& value, std::string_view what, int least, int most);
  std::vector<int> exit_codes(const doc::Value& value, std::string_view what);
  const doc::Map* map(const doc::Value& value, std::string_view what);
  // One of a list of words.
  std::optional<std::string> choice(const doc::Value& value, std::string_view what,
                                    std::span<const std::string_view> words);
  void known_keys(const doc::Map& map, std::string_view of, std::span<const std::string_view> keys);
  std::optional<When> when(const doc::Value& value, std::string_view what, bool artifacts = false);
  double start_in(const doc::Value& value);  // seconds
  std::optional<AllowFailure> allow_failure(const doc::Value& value);
  std::optional<RuleExpression> expression(const doc::Value& value, std::string_view what);
  std::vector<std::string> changes(const doc::Value& value, std::string_view what);
  MatrixEntry matrix_entry(const doc::Value& value, std::string_view what);
  std::vector<Need> needs(const doc::Value& value);
};

doc::Mark key_mark(const doc::Map& map, std::string_view key);

}  // namespace slipway::ci::gitlab
