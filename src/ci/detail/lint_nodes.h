#pragma once
// A YAML file as it was written: duplicate keys, anchors, aliases and tags are kept, for who judges the writing.
// Private to ci.
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::ci {

struct YamlNode {
  enum class Sort : std::uint8_t { scalar, list, map, alias };
  Sort sort = Sort::scalar;
  std::string text, tag, anchor;  // tag: "!!str", "!!null", as YAML 1.2 resolves a plain scalar
  bool quoted = false, block = false, used = false, recursive = false;
  int line = 0, column = 0;
  std::size_t begin = 0;         // byte in the text
  std::size_t weight = 1;        // nodes below and this one, aliases as what they name
  std::vector<YamlNode*> items;  // of a list; of a map: key, value, key, value
  YamlNode* target = nullptr;    // of an alias

  bool is(Sort s) const { return sort == s; }
  bool is_null() const { return sort == Sort::scalar && tag == "!!null"; }
  bool is_text() const { return sort == Sort::scalar && tag == "!!str"; }
};

struct YamlTree {
  std::deque<YamlNode> nodes;  // stay where they are
  YamlNode* root = nullptr;    // null: an empty file, or a broken one
  std::string broken;          // what the parser said
  int line = 0, column = 0;    // where
  // The member of a map, aliases followed.
  static const YamlNode* find(const YamlNode& map, std::string_view key);
  static const YamlNode& real(const YamlNode& node);
};
YamlTree read_nodes(std::string_view text);

}  // namespace slipway::ci
