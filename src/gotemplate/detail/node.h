#pragma once
// The parsed template.
#include <memory>
#include <string>
#include <vector>

namespace slipway::gotemplate::detail {

struct Node;
using NodePtr = std::unique_ptr<Node>;
using Nodes = std::vector<NodePtr>;

struct Node {
  enum class Kind {
    text,
    action,
    if_,
    range,
    with,
    call_template,
    break_,
    continue_,  // statements
    pipe,
    command,  // pipelines
    dot,
    nil,
    boolean,
    number,
    string,
    identifier,
    field,
    variable,
    chain,  // operands
    end,
    else_  // what ends a list
  };
  Kind kind;
  std::size_t pos = 0;             // byte in the source
  std::string text;                // as written: text, literals, identifiers
  std::string value;               // of a string; the template that is called
  std::vector<std::string> names;  // of a field, a variable, a chain
  Nodes nodes;                     // commands of a pipeline, operands of a command, the body of a statement
  Nodes otherwise;                 // after else
  Nodes declared;                  // variables of a pipeline
  NodePtr pipe;                    // of a statement; what a chain starts from
  bool assigns = false;            // = and not :=
  bool has_else = false;
  bool is_true = false, is_int = false, is_float = false;
  std::int64_t integer = 0;
  double real = 0;
  bool literal() const {
    return kind == Kind::boolean || kind == Kind::dot || kind == Kind::nil || kind == Kind::number ||
           kind == Kind::string;
  }
};
// As Go prints it in errors.
std::string print(const Node& node);

// One named template: the body, and the source that its positions count in.
struct Tree {
  std::string name;                         // of the template
  std::string parsed_as;                    // of the source
  std::shared_ptr<const std::string> text;  // the source
  Nodes body;
  bool blank() const;  // nothing but space and definitions
};

}  // namespace slipway::gotemplate::detail
