// YAML out: the choices of go-yaml's encoder and emitter (which is libyaml's), so that what we print is byte for
// byte what kustomize and kubectl print.
#include <algorithm>

#include "base/encode.h"
#include "doc/detail/key_order.h"
#include "doc/detail/number.h"
#include "doc/detail/resolve.h"
#include "doc/detail/scalar.h"
#include "doc/yaml.h"

namespace slipway::doc {
namespace {

constexpr std::size_t longest_simple_key = 128;

class Printer {
 public:
  Printer(std::string& out, const PrintOptions& options) : out_(out), options_(options) {}

  void document(const Value& value) {
    line_start_ = out_.size();
    if (const auto* map = value.if_map(); map != nullptr && !map->empty() && !as_flow(value)) {
      print_map(*map, 0, false);
    } else if (const auto* list = value.if_list(); list != nullptr && !list->empty() && !as_flow(value)) {
      print_list(*list, 0, false);
    } else {
      print_scalar_or_flow(value, 0, false);
      end_line();
    }
  }

 private:
  struct Place {
    int indent = 0;
    bool in_flow = false, may_fold = false;
  };
  bool as_flow(const Value& value) const { return options_.keep_style && value.style() == Value::Style::flow; }
  void end_line() {
    out_ += '\n';
    line_start_ = out_.size();
  }
  void pad(int columns) { out_.append(static_cast<std::size_t>(columns), ' '); }

  // Block map at `indent`; with `inline_first` the first key goes on the current line (after "- ").
  void print_map(const Map& map, int indent, bool inline_first) {
    if (!options_.sort_keys) {
      for (const auto& entry : map) print_entry(entry, indent, std::exchange(inline_first, false));
      return;
    }
    std::vector<const Map::Entry*> order;
    order.reserve(map.size());
    for (const auto& entry : map) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return key_less(a->first, b->first); });
    for (const auto* entry : order) print_entry(*entry, indent, std::exchange(inline_first, false));
  }

  void print_entry(const Map::Entry& entry, int indent, bool inline_first) {
    const auto& [key, value] = entry;
    if (!inline_first) pad(indent);
    auto start = out_.size();
    bool simple = key.size() <= longest_simple_key && print_key(key);
    if (!simple) {
      out_.resize(start);
      out_ += "? ";
      print_string(key, Value::Style::any, indent + options_.indent, false);
      end_line();
      pad(indent);
    }
    out_ += ':';
    print_member(value, indent);
  }

  // False when the key has to be written in the long form.
  bool print_key(const std::string& key) {
    auto forms = scalar_forms(key);
    if (forms.multiline || !forms.text) return false;
    write_line_scalar(key, forms,
                      key.empty() || reads_as_other(key) ? Value::Style::double_quoted : Value::Style::plain, {});
    return true;
  }

  // What follows "key:".
  void print_member(const Value& value, int indent) {
    if (const auto* map = value.if_map(); map != nullptr && !map->empty() && !as_flow(value)) {
      end_line();
      print_map(*map, indent + options_.indent, false);
    } else if (const auto* list = value.if_list(); list != nullptr && !list->empty() && !as_flow(value)) {
      end_line();
      print_list(*list, options_.indent_sequences ? indent + options_.indent : indent, false);
    } else {
      out_ += ' ';
      print_scalar_or_flow(value, indent + options_.indent, false);
      end_line();
    }
  }

  void print_list(const List& list, int indent, bool inline_first) {
    for (const auto& item : list) {
      if (!std::exchange(inline_first, false)) pad(indent);
      out_ += "- ";
      if (const auto* map = item.if_map(); map != nullptr && !map->empty() && !as_flow(item)) {
        print_map(*map, indent + 2, true);
      } else if (const auto* inner = item.if_list(); inner != nullptr && !inner->empty() && !as_flow(item)) {
        print_list(*inner, indent + 2, true);
      } else {
        print_scalar_or_flow(item, indent + options_.indent, false);
        end_line();
      }
    }
  }

  void print_scalar_or_flow(const Value& value, int indent, bool in_flow) {
    switch (value.type()) {
      case Type::null:
        out_ += "null";
        break;
      case Type::boolean:
        out_ += *value.if_bool() ? "true" : "false";
        break;
      case Type::integer:
        fmt::format_to(std::back_inserter(out_), "{}", *value.if_int());
        break;
      case Type::number:
        out_ += yaml_number(*value.if_double());
        break;
      case Type::string:
        print_string(*value.if_string(), options_.keep_style ? value.style() : Value::Style::any, indent, in_flow);
        break;
      case Type::list:
        print_flow_list(*value.if_list(), indent);
        break;
      case Type::map:
        print_flow_map(*value.if_map(), indent);
        break;
    }
  }

  void print_flow_list(const List& list, int indent) {
    out_ += '[';
    bool first = true;
    for (const auto& item : list) {
      if (!std::exchange(first, false)) out_ += ", ";
      print_scalar_or_flow(item, indent, true);
    }
    out_ += ']';
  }

  void print_flow_map(const Map& map, int indent) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : map) {
      if (!std::exchange(first, false)) out_ += ", ";
      print_string(key, Value::Style::any, indent, true);
      out_ += ": ";
      print_scalar_or_flow(value, indent, true);
    }
    out_ += '}';
  }

  void print_string(const std::string& text, Value::Style wanted, int indent, bool in_flow) {
    auto forms = scalar_forms(text);
    if (!forms.text) {
      out_ += "!!binary " + to_base64(text);
      return;
    }
    bool other = reads_as_other(text);
    auto style = wanted;
    if (style == Value::Style::any || style == Value::Style::flow ||
        (style == Value::Style::plain && (other || forms.multiline))) {
      style = forms.multiline ? Value::Style::literal : other ? Value::Style::double_quoted : Value::Style::plain;
    }
    bool block = style == Value::Style::literal || style == Value::Style::folded;
    if (block && forms.block && !in_flow) {
      // A folded text is kept as a literal one: the same value without guessing where lines were broken.
      write_literal(text, indent);
      return;
    }
    write_line_scalar(text, forms, block ? Value::Style::double_quoted : style, {indent, in_flow, !in_flow});
  }

  // Plain where allowed, else single, else double quotes; long ones are folded at spaces, keys never.
  void write_line_scalar(const std::string& text, const ScalarForms& forms, Value::Style style, Place place) {
    if (style == Value::Style::plain && !(place.in_flow ? forms.plain_flow : forms.plain))
      style = Value::Style::single_quoted;
    // A line break in single quotes would need folding.
    if (style == Value::Style::single_quoted && (!forms.single || forms.multiline)) style = Value::Style::double_quoted;
    bool fold = options_.width > 0 && place.may_fold;
    if (style == Value::Style::plain) {
      fold ? write_folded(text, place.indent, Value::Style::plain) : void(out_ += text);
    } else if (style == Value::Style::single_quoted) {
      out_ += '\'';
      write_folded(text, fold ? place.indent : -1, style);
      out_ += '\'';
    } else {
      out_ += '"';
      write_folded(text, fold ? place.indent : -1, style);
      out_ += '"';
    }
  }

  // libyaml's rule: a lone space beyond the width becomes a line break. indent < 0: no folding.
  void write_folded(const std::string& text, int indent, Value::Style style) {
    bool spaces = false, quoted = style != Value::Style::plain, escaped = style == Value::Style::double_quoted;
    std::size_t counted = out_.size(), column = 0;
    if (indent >= 0) column = characters(line_start_, counted);
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != ' ') {
        if (escaped) {
          append_escaped(out_, text, i);
        } else {
          if (quoted && text[i] == '\'') out_ += '\'';
          out_ += text[i++];
        }
        spaces = false;
        continue;
      }
      bool edge = quoted && (i == 0 || i + 1 >= text.size()), more = i + 1 < text.size() && text[i + 1] == ' ';
      if (indent >= 0 && !spaces && !edge && (escaped || !more)) {
        column += characters(counted, out_.size());
        counted = out_.size();
        if (column > static_cast<std::size_t>(options_.width)) {
          end_line();
          pad(indent);
          if (more) out_ += '\\';
          counted = out_.size(), column = static_cast<std::size_t>(indent) + (more ? 1 : 0);
          spaces = true;
          ++i;
          continue;
        }
      }
      out_ += text[i++];
      spaces = true;
    }
  }

  std::size_t characters(std::size_t from, std::size_t to) const {
    std::size_t n = 0;
    for (; from < to; ++from) n += (static_cast<unsigned char>(out_[from]) & 0xc0) != 0x80;
    return n;
  }

  void write_literal(const std::string& text, int indent) {
    out_ += '|';
    if (text[0] == ' ' || text[0] == '\n' || text[0] == '\r') out_ += static_cast<char>('0' + options_.indent);
    if (text.back() != '\n') {
      out_ += '-';
    } else if (text.size() == 1 || text[text.size() - 2] == '\n') {
      out_ += '+';
    }
    std::size_t at = 0;
    while (at < text.size()) {
      auto stop = text.find('\n', at);
      auto line = std::string_view(text).substr(at, stop == std::string::npos ? text.size() - at : stop - at);
      end_line();
      if (!line.empty()) {
        pad(std::max(indent, options_.indent));
        out_ += line;
      }
      if (stop == std::string::npos) break;
      at = stop + 1;
    }
  }

  std::string& out_;
  const PrintOptions& options_;
  std::size_t line_start_ = 0;
};

}  // namespace

std::string print_yaml(const Value& value, const PrintOptions& options) {
  std::string out;
  Printer(out, options).document(value);
  return out;
}

std::string print_yaml_all(const std::vector<Value>& values, const PrintOptions& options) {
  std::string out;
  bool first = true;
  for (const auto& value : values) {
    if (!std::exchange(first, false)) out += "---\n";
    Printer(out, options).document(value);
  }
  return out;
}

}  // namespace slipway::doc
