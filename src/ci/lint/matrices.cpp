#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

using Sort = YamlNode::Sort;

bool is_open(const YamlNode& node) {
  auto& real = YamlTree::real(node);
  if (real.is(Sort::alias)) return true;
  return real.is(Sort::scalar) && holds_expression(real.text);
}

// Whether `value` has everything that `filter` asks for; an expression may be anything.
bool fits(const YamlNode& filter_node, const YamlNode& value_node) {
  if (is_open(filter_node) || is_open(value_node)) return true;
  auto &filter = YamlTree::real(filter_node), &value = YamlTree::real(value_node);
  if (filter.sort != value.sort) return false;
  if (filter.is(Sort::scalar)) return filter.text == value.text;
  if (filter.is(Sort::list)) {
    if (filter.items.size() != value.items.size()) return false;
    for (std::size_t i = 0; i < filter.items.size(); ++i)
      if (!fits(*filter.items[i], *value.items[i])) return false;
    return true;
  }
  for (std::size_t i = 0; i + 1 < filter.items.size(); i += 2) {
    auto* found = YamlTree::find(value, YamlTree::real(*filter.items[i]).text);
    if (found == nullptr || !fits(*filter.items[i + 1], *found)) return false;
  }
  return true;
}

struct Row {
  const YamlNode* key = nullptr;
  std::vector<const YamlNode*> values;
  bool open = false;  // something in it is made by an expression
};

struct Matrix {
  std::map<std::string, Row> rows;
  std::vector<const YamlNode*> excluded;
  bool open = false;
  const YamlNode *include = nullptr, *exclude = nullptr;
};

void add_included(Matrix& out, const YamlNode& include) {
  if (!include.is(Sort::list)) {
    out.open = out.open || include.is(Sort::scalar);
    return;
  }
  for (auto* item : include.items) {
    auto& entry = YamlTree::real(*item);
    if (!entry.is(Sort::map)) {
      out.open = true;
      continue;
    }
    for (std::size_t i = 0; i + 1 < entry.items.size(); i += 2)
      out.rows[lower(YamlTree::real(*entry.items[i]).text)].values.push_back(entry.items[i + 1]);
  }
}

Matrix read_matrix(const YamlNode& node) {
  Matrix out;
  if (!node.is(Sort::map)) {
    out.open = true;
    return out;
  }
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    auto& key = YamlTree::real(*node.items[i]);
    auto& value = YamlTree::real(*node.items[i + 1]);
    auto name = lower(key.text);
    if (name == "include") {
      out.include = &value;
    } else if (name == "exclude") {
      out.exclude = &value;
    } else {
      auto& row = out.rows[name];
      row.key = &key;
      if (value.is(Sort::list))
        row.values.assign(value.items.begin(), value.items.end());
      else
        row.open = true;
    }
  }
  if (out.include != nullptr) add_included(out, *out.include);
  return out;
}

void check_twice(Lint& lint, const Row& row) {
  if (row.key == nullptr) return;
  std::vector<const YamlNode*> seen;
  for (auto* value : row.values) {
    if (is_open(*value)) continue;
    for (auto* other : seen)
      if (fits(*value, *other) && fits(*other, *value)) {
        lint.add("matrix", *value,
                 fmt::format("the value is in '{}' twice: first at line {}, column {}", row.key->text, other->line,
                             other->column));
        break;
      }
    seen.push_back(value);
  }
}

void check_excluded(Lint& lint, const Matrix& matrix) {
  if (matrix.exclude == nullptr || !matrix.exclude->is(Sort::list) || matrix.open) return;
  for (auto* item : matrix.exclude->items) {
    auto& entry = YamlTree::real(*item);
    if (!entry.is(Sort::map)) continue;
    for (std::size_t i = 0; i + 1 < entry.items.size(); i += 2) {
      auto& key = YamlTree::real(*entry.items[i]);
      auto row = matrix.rows.find(lower(key.text));
      if (row == matrix.rows.end()) {
        lint.add("matrix", key, fmt::format("'{}' is excluded and not in the matrix", key.text));
      } else if (!row->second.open && std::none_of(row->second.values.begin(), row->second.values.end(),
                                                   [&](auto* value) { return fits(*entry.items[i + 1], *value); })) {
        lint.add("matrix", YamlTree::real(*entry.items[i + 1]),
                 fmt::format("no value of '{}' in the matrix is like this: nothing is excluded", key.text));
      }
    }
  }
}

TypePtr type_of(const YamlNode& given, const std::function<TypePtr(const YamlNode&)>& evaluate) {
  auto& node = YamlTree::real(given);
  if (node.is(Sort::alias)) return any_type();
  if (node.is(Sort::list)) {
    TypePtr item;
    for (auto* one : node.items) {
      auto type = type_of(*one, evaluate);
      item = item ? merged(item, type) : type;
    }
    return array_of(item ? item : any_type());
  }
  if (node.is(Sort::map)) {
    Members members;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2)
      members[lower(YamlTree::real(*node.items[i]).text)] = type_of(*node.items[i + 1], evaluate);
    return closed_object(std::move(members));
  }
  if (holds_expression(node.text)) return evaluate(node);
  if (node.tag == "!!int" || node.tag == "!!float") return number_type();
  if (node.tag == "!!bool") return boolean_type();
  return node.tag == "!!null" ? null_type() : text_type();
}

}  // namespace

TypePtr matrix_type(Lint&, const JobFacts& job, const std::function<TypePtr(const YamlNode&)>& evaluate) {
  if (job.matrix == nullptr) return closed_object();
  if (!job.matrix->is(Sort::map)) {
    auto whole = job.matrix->is(Sort::scalar) ? evaluate(*job.matrix) : any_type();
    return whole->is(Type::Sort::object) ? whole : open_object(any_type());
  }
  auto matrix = read_matrix(*job.matrix);
  if (matrix.open) return open_object(any_type());
  Members members;
  for (auto& [name, row] : matrix.rows) {
    TypePtr type;
    if (row.open) {
      auto* made = YamlTree::find(*job.matrix, row.key->text);
      auto list = made != nullptr && made->is(Sort::scalar) ? evaluate(*made) : any_type();
      type = list->is(Type::Sort::array) ? list->item : any_type();
    }
    for (auto* value : row.values) {
      auto one = type_of(*value, evaluate);
      type = type ? merged(type, one) : one;
    }
    members[name] = type ? type : any_type();
  }
  return closed_object(std::move(members));
}

void lint_matrices(Lint& lint) {
  for (auto& job : lint.facts.jobs) {
    if (job.matrix == nullptr || !job.matrix->is(Sort::map)) continue;
    auto matrix = read_matrix(*job.matrix);
    for (auto& [name, row] : matrix.rows)
      if (row.key != nullptr) {
        Row own = row;
        auto* list = YamlTree::find(*job.matrix, row.key->text);
        if (list != nullptr && list->is(Sort::list)) own.values.assign(list->items.begin(), list->items.end());
        check_twice(lint, own);
      }
    check_excluded(lint, matrix);
  }
}

}  // namespace slipway::ci
