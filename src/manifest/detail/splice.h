#pragma once
// Editing YAML text in place by the marks of its parsed tree.
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::manifest {

// Keeps the text, the changes to it, and beside them the tree that the changed text must read as.
class Splicer {
 public:
  // `documents`: a stream of them is taken, else exactly one.
  enum class Documents { one, many };
  static Result<Splicer> open(std::string_view text, std::string_view source, Documents documents);

  std::vector<doc::Value>& tree() { return tree_; }
  std::string_view text() const { return text_; }
  std::string_view source() const { return source_; }

  // Sets a scalar member of a map, or takes it away (nothing). `map` belongs to tree().
  Result<> set(doc::Value& map, std::string_view key, const std::optional<std::string>& value);
  // Puts a list item of string members behind the last one; the list must not be empty.
  void append_item(doc::Value& list, const std::vector<std::pair<std::string, std::string>>& members);
  // Takes a whole list item away.
  Result<> remove_item(doc::Value& list, std::size_t index);
  Result<> set_scalar(doc::Value& scalar, const std::string& value);
  void splice(std::size_t begin, std::size_t end, std::string text);
  // Text behind everything there is.
  void append(std::string text);
  std::string_view newline() const { return newline_; }

  // The new text. Errors: invalid when it does not read back as the tree (an alias, an odd layout).
  Result<std::string> finish();
  Fail wrong(const doc::Value& at, std::string_view what) const;
  static std::string quoted(const std::string& value, std::string_view as_was = {});

 private:
  std::size_t line_begin(std::size_t at) const;
  std::size_t line_end(std::size_t at) const;  // before the newline
  Fail odd_layout() const;
  bool is_flow(const doc::Value& value) const;
  void add_member(doc::Value& map, std::string_view key, const std::string& value);

  struct Change {
    std::size_t begin, end;
    std::string text;
  };
  std::string text_, source_, front_;
  std::string_view newline_ = "\n";
  std::vector<doc::Value> tree_;
  std::vector<Change> changes_;
  Documents documents_ = Documents::one;
};

}  // namespace slipway::manifest
