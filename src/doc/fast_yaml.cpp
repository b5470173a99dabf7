#include "doc/detail/fast_yaml.h"

#include <algorithm>
#include <array>

#include "doc/detail/resolve.h"

namespace slipway::doc {
namespace {

constexpr std::size_t longest_key = 1000;  // libyaml takes simple keys up to 1024 characters

enum : unsigned char { text_char = 0, bad = 1, not_first = 2 };

constexpr auto classes = [] {
  std::array<unsigned char, 256> t{};
  for (int c = 0; c < 256; ++c) t[static_cast<std::size_t>(c)] = (c < 0x20 && c != '\n') || c >= 0x7f ? bad : text_char;
  for (char c : std::string_view("?:,[]{}#&*!|>'\"%@` \n")) t[static_cast<unsigned char>(c)] |= not_first;
  return t;
}();

bool all_plain_ascii(std::string_view text) {
  unsigned char any = 0;
  for (char c : text) any |= classes[static_cast<unsigned char>(c)];
  return (any & bad) == 0;
}

class Fast {
 public:
  Fast(std::string_view text, const ParseOptions& options) : text_(text), options_(options) {}

  bool stream(std::vector<Value>& documents) {
    while (skip_to_token()) {
      bool marked = at_marker();
      if (marked) {
        if (text_[pos_] == '.') return false;
        pos_ += 3;
        if (!rest_is_blank()) return false;
        skip_to_token();
      } else if (!documents.empty() || text_[pos_] == '%') {
        return false;
      }
      nodes_ = 0;
      Value root;
      if (pos_ < text_.size() && !at_marker() && (text_[pos_] == '%' || !node(root, -1, 1))) return false;
      documents.push_back(std::move(root));
      if (skip_to_token() && !at_marker()) return false;
    }
    return true;
  }

 private:
  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\n'; }
  bool blank_at(std::size_t i) const { return i >= text_.size() || text_[i] == ' ' || text_[i] == '\n'; }
  int column() const { return static_cast<int>(pos_ - line_start_); }
  bool at_marker() const {
    return column() == 0 && pos_ + 3 <= text_.size() &&
           (text_.substr(pos_, 3) == "---" || text_.substr(pos_, 3) == "...") && blank_at(pos_ + 3);
  }
  void new_line() {
    ++pos_;
    ++line_;
    line_start_ = pos_;
  }
  // Over blanks, comments and line breaks. False at the end.
  bool skip_to_token() {
    while (pos_ < text_.size()) {
      char c = text_[pos_];
      if (c == ' ') {
        ++pos_;
      } else if (c == '\n') {
        new_line();
      } else if (c == '#' && (pos_ == line_start_ || text_[pos_ - 1] == ' ')) {
        while (pos_ < text_.size() && text_[pos_] != '\n') ++pos_;
      } else {
        return true;
      }
    }
    return false;
  }
  void skip_spaces() {
    while (pos_ < text_.size() && text_[pos_] == ' ') ++pos_;
  }
  // Nothing but a comment until the end of the line?
  bool rest_is_blank() {
    auto from = pos_;
    skip_spaces();
    return pos_ >= text_.size() || text_[pos_] == '\n' || (text_[pos_] == '#' && pos_ > from);
  }
  Mark mark_here() const {
    return {line_ + 1, static_cast<std::uint32_t>(column()) + 1, static_cast<std::uint32_t>(pos_),
            static_cast<std::uint32_t>(pos_)};
  }
  bool count() { return ++nodes_ <= options_.max_nodes; }

  // A node whose parent stands at column `parent`; the position is at its first character.
  bool node(Value& out, int parent, std::size_t depth) {
    if (depth > options_.max_depth || !count()) return false;
    char c = text_[pos_];
    if (c == '-' && blank_at(pos_ + 1)) return sequence(out, column(), depth);
    if (c == '[' || c == '{') return flow(out, depth) && rest_is_blank();
    if (c == '|') return parent >= 0 && literal(out, parent);
    Mark mark = mark_here();
    std::string quoted;
    std::string_view plain;
    if (!scalar_on_line(quoted, plain)) return false;
    mark.end = static_cast<std::uint32_t>(scalar_end_);
    if (at(pos_) == ':' && blank_at(pos_ + 1)) {
      --nodes_;  // the key counts in the map
      pos_ = mark.begin;
      return mapping(out, column(), depth);
    }
    return finish_scalar(out, mark, std::move(quoted), plain, parent);
  }

  // A plain or quoted scalar within the line; scalar_end_ is where it ends, the position behind blanks after it.
  bool scalar_on_line(std::string& quoted, std::string_view& plain) {
    char c = text_[pos_];
    is_quoted_ = c == '\'' || c == '"';
    if (c == '\'') return single_quoted(quoted);
    if (c == '"') return double_quoted(quoted);
    if ((classes[static_cast<unsigned char>(c)] & not_first) != 0) return false;
    auto from = pos_, end = pos_;
    for (; pos_ < text_.size(); ++pos_) {
      char now = text_[pos_];
      if (now == '\n' || (now == ':' && blank_at(pos_ + 1)) || (now == '#' && pos_ > from && text_[pos_ - 1] == ' '))
        break;
      if (now != ' ') end = pos_ + 1;
    }
    scalar_end_ = end;
    plain = text_.substr(from, end - from);
    return true;
  }

  bool single_quoted(std::string& out) {
    for (++pos_; pos_ < text_.size() && text_[pos_] != '\n'; ++pos_) {
      if (text_[pos_] == '\'') {
        if (at(pos_ + 1) != '\'') {
          scalar_end_ = ++pos_;
          return true;
        }
        ++pos_;
      }
      out += text_[pos_];
    }
    return false;
  }

  bool double_quoted(std::string& out) {
    constexpr std::string_view names = "\"\\/ntr0", means("\"\\/\n\t\r\0", 7);
    for (++pos_; pos_ < text_.size() && text_[pos_] != '\n'; ++pos_) {
      char c = text_[pos_];
      if (c == '"') {
        scalar_end_ = ++pos_;
        return true;
      }
      if (c == '\\') {
        auto i = names.find(at(++pos_));
        if (i == std::string_view::npos) return false;
        c = means[i];
      }
      out += c;
    }
    return false;
  }

  bool finish_scalar(Value& out, Mark mark, std::string quoted, std::string_view plain, int parent) {
    if (is_quoted_) {
      if (!rest_is_blank()) return false;
      out = Value(std::move(quoted));
      out.set_style(text_[mark.begin] == '\'' ? Value::Style::single_quoted : Value::Style::double_quoted);
    } else {
      std::string joined;
      if (at(pos_) == '\n' && pos_ < text_.size() && !continuation(joined, plain, mark, parent)) return false;
      out = joined.empty() ? resolve_plain(plain, options_.dialect) : resolve_plain(joined, options_.dialect);
      out.set_style(Value::Style::plain);
    }
    out.set_mark(mark);
    return true;
  }

  // Further lines of a plain scalar: those indented beyond its parent.
  bool continuation(std::string& joined, std::string_view plain, Mark& mark, int parent) {
    while (true) {
      auto next = pos_ + 1;
      std::size_t breaks = 1, start = next;
      while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\n')) {
        if (text_[next] == '\n') ++breaks, start = next + 1;
        ++next;
      }
      bool more = next < text_.size() && static_cast<int>(next - start) > parent && text_[next] != '#';
      if (!more) return true;
      if (parent < 0) return false;
      if (joined.empty()) joined = plain;
      if (breaks == 1) {
        joined += ' ';
      } else {
        joined.append(breaks - 1, '\n');
      }
      line_ += static_cast<std::uint32_t>(breaks), line_start_ = start, pos_ = next;
      auto end = pos_;
      for (; pos_ < text_.size(); ++pos_) {
        char c = text_[pos_];
        if (c == '\n') break;
        if (c == ':' && blank_at(pos_ + 1)) return false;
        if (c == '#' && text_[pos_ - 1] == ' ') break;
        if (c != ' ') end = pos_ + 1;
      }
      joined += text_.substr(next, end - next);
      mark.end = static_cast<std::uint32_t>(end);
      if (at(pos_) != '\n' || pos_ >= text_.size()) return true;
    }
  }

  bool literal(Value& out, int parent) {
    Mark mark = mark_here();
    ++pos_;
    char chomp = at(pos_) == '-' || at(pos_) == '+' ? text_[pos_++] : ' ';
    if (!rest_is_blank()) return false;
    while (pos_ < text_.size() && text_[pos_] != '\n') ++pos_;
    if (pos_ >= text_.size()) return false;
    // The indentation is that of the first line with text.
    auto first = pos_ + 1, start = first;
    std::size_t widest = 0;
    while (first < text_.size() && (text_[first] == ' ' || text_[first] == '\n')) {
      if (text_[first] == '\n') widest = std::max(widest, first - start), start = first + 1;
      ++first;
    }
    auto indent = first - start;
    // A line of blanks before the text that reaches beyond its indentation is an error.
    if (first >= text_.size() || widest > indent || static_cast<int>(indent) <= parent) return false;
    std::string body;
    std::size_t pending = 0;
    new_line();
    while (pos_ < text_.size()) {
      std::size_t spaces = 0;
      while (spaces < indent && at(pos_ + spaces) == ' ' && pos_ + spaces < text_.size()) ++spaces;
      if (at(pos_ + spaces) == '\n') {  // an empty line, or the end of the text
        pos_ += spaces;
        if (pos_ >= text_.size()) break;
        ++pending;
        new_line();
        continue;
      }
      if (spaces < indent) break;
      body.append(pending, '\n');
      auto from = pos_ + indent, stop = text_.find('\n', from);
      if (stop == std::string_view::npos) return false;  // no break at the end: left to the full reader
      body += text_.substr(from, stop - from);
      pending = 1;
      pos_ = stop;
      new_line();
    }
    if (chomp == '+') {
      body.append(pending, '\n');
    } else if (chomp == ' ') {
      body += '\n';
    }
    mark.end = static_cast<std::uint32_t>(*block_scalar_end(text_, mark.begin, body));
    out = Value(std::move(body));
    out.set_style(Value::Style::literal);
    out.set_mark(mark);
    return true;
  }

  static void empty(Value& out, Mark mark) {
    out = Value();
    out.set_style(Value::Style::plain);
    out.set_mark(mark);
  }

  // What follows "key:" or "-" when nothing else stands on the line.
  bool below(Value& out, int indent, bool indentless, Mark after, std::size_t depth) {
    bool more = skip_to_token() && !at_marker();
    bool list_here = more && indentless && column() == indent && text_[pos_] == '-' && blank_at(pos_ + 1);
    if (!more || (column() <= indent && !list_here)) {
      if (depth > options_.max_depth || !count()) return false;
      empty(out, after);
      return true;
    }
    return node(out, indent, depth);
  }

  bool mapping(Value& out, int indent, std::size_t depth) {
    Mark mark = mark_here();
    Map map;
    map.reserve(4);
    if (!count()) return false;
    while (true) {
      if (text_[pos_] == '-' && blank_at(pos_ + 1)) return false;
      Mark key_mark = mark_here();
      std::string key;
      std::string_view plain;
      if (!count() || !scalar_on_line(key, plain)) return false;
      key_mark.end = static_cast<std::uint32_t>(scalar_end_);
      if (at(pos_) != ':' || !blank_at(pos_ + 1) || scalar_end_ - key_mark.begin > longest_key) return false;
      if (!is_quoted_) {
        auto read = resolve_plain(plain, options_.dialect);
        auto text = key_text_of(read, plain);
        if (!text || plain == "<<") return false;
        key = *std::move(text);
      }
      ++pos_;
      Mark after = mark_here();
      if (map.contains(key)) return false;
      map.append(std::move(key), Value());
      auto& entry = *(map.end() - 1);
      if (!member(entry.second, indent, after, depth + 1)) return false;
      if (options_.key_marks) map.set_key_mark(entry.first, key_mark);
      mark.end = std::max(key_mark.end, entry.second.mark().end);
      if (!skip_to_token() || at_marker() || column() < indent) break;
      if (column() > indent) return false;
    }
    map.shrink_to_fit();
    out = Value(std::move(map));
    out.set_mark(mark);
    return true;
  }

  bool member(Value& out, int indent, Mark after, std::size_t depth) {
    auto colon = pos_;
    if (rest_is_blank()) {
      pos_ = colon;
      return below(out, indent, true, after, depth);
    }
    if (text_[pos_] == '-' && blank_at(pos_ + 1)) return false;
    // On the key's own line there can be no other key.
    auto line = line_;
    auto begin = pos_;
    if (!node(out, indent, depth)) return false;
    return !(out.is_map() && out.style() != Value::Style::flow && out.mark().line == line + 1 &&
             out.mark().begin == begin);
  }

  bool sequence(Value& out, int indent, std::size_t depth) {
    Mark mark = mark_here();
    List items;
    while (true) {
      ++pos_;
      Mark after = mark_here();
      auto dash = pos_;
      auto& item = items.emplace_back();
      if (rest_is_blank()) {
        pos_ = dash;
        if (!below(item, indent, false, after, depth + 1)) return false;
      } else if (!node(item, indent, depth + 1)) {
        return false;
      }
      mark.end = item.mark().end;
      if (!skip_to_token() || at_marker() || column() < indent) break;
      if (column() > indent) return false;
      if (text_[pos_] != '-' || !blank_at(pos_ + 1)) break;  // the map around an unindented list goes on
    }
    items.shrink_to_fit();
    out = Value(std::move(items));
    out.set_mark(mark);
    return true;
  }

  // [a, "b"] and {a: b} within one line, of simple words and quoted texts.
  bool flow(Value& out, std::size_t depth) {
    Mark mark = mark_here();
    bool list = text_[pos_] == '[';
    char close = list ? ']' : '}';
    List items;
    Map map;
    ++pos_;
    skip_spaces();
    while (at(pos_) != close) {
      if (list) {
        if (!flow_value(items.emplace_back(), depth + 1)) return false;
      } else if (!flow_member(map, depth + 1)) {
        return false;
      }
      skip_spaces();
      if (at(pos_) == close) break;
      if (at(pos_) != ',') return false;
      ++pos_;
      skip_spaces();
    }
    ++pos_;
    mark.end = static_cast<std::uint32_t>(pos_);
    out = list ? Value(std::move(items)) : Value(std::move(map));
    out.set_style(Value::Style::flow);
    out.set_mark(mark);
    return pos_ <= text_.size();
  }

  static bool word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '/' || c == '-' || c == '+';
  }

  bool flow_word(std::string& quoted, std::string_view& plain) {
    char c = at(pos_);
    is_quoted_ = c == '\'' || c == '"';
    if (c == '\'') return single_quoted(quoted);
    if (c == '"') return double_quoted(quoted);
    auto from = pos_;
    while (pos_ < text_.size() && word_char(text_[pos_])) ++pos_;
    plain = text_.substr(from, pos_ - from);
    scalar_end_ = pos_;
    return !plain.empty() && !(plain[0] == '-' && plain.size() == 1) && plain != "---" && plain != "...";
  }

  bool flow_value(Value& out, std::size_t depth) {
    if (depth > options_.max_depth || !count()) return false;
    if (at(pos_) == '[' || at(pos_) == '{') return flow(out, depth);
    Mark mark = mark_here();
    std::string quoted;
    std::string_view plain;
    if (!flow_word(quoted, plain)) return false;
    mark.end = static_cast<std::uint32_t>(scalar_end_);
    auto next = pos_;
    while (at(next) == ' ' && next < text_.size()) ++next;
    char c = at(next);
    if (c != ',' && c != ']' && c != '}') return false;
    if (is_quoted_) {
      out = Value(std::move(quoted));
      out.set_style(text_[mark.begin] == '\'' ? Value::Style::single_quoted : Value::Style::double_quoted);
    } else {
      out = resolve_plain(plain, options_.dialect);
      out.set_style(Value::Style::plain);
    }
    out.set_mark(mark);
    return true;
  }

  bool flow_member(Map& map, std::size_t depth) {
    Mark key_mark = mark_here();
    std::string key;
    std::string_view plain;
    if (!count() || !flow_word(key, plain)) return false;
    key_mark.end = static_cast<std::uint32_t>(scalar_end_);
    if (at(pos_) != ':' || at(pos_ + 1) != ' ' || scalar_end_ - key_mark.begin > longest_key) return false;
    if (!is_quoted_) {
      auto text = key_text_of(resolve_plain(plain, options_.dialect), plain);
      if (!text) return false;
      key = *std::move(text);
    }
    ++pos_;
    skip_spaces();
    if (map.contains(key)) return false;
    map.append(std::move(key), Value());
    auto& entry = *(map.end() - 1);
    if (!flow_value(entry.second, depth)) return false;
    if (options_.key_marks) map.set_key_mark(entry.first, key_mark);
    return true;
  }

  std::string_view text_;
  const ParseOptions& options_;
  std::size_t pos_ = 0, line_start_ = 0, scalar_end_ = 0, nodes_ = 0;
  std::uint32_t line_ = 0;
  bool is_quoted_ = false;
};

}  // namespace

std::optional<std::vector<Value>> read_fast(std::string_view text, const ParseOptions& options) {
  if (!all_plain_ascii(text)) return std::nullopt;
  std::vector<Value> documents;
  if (!Fast(text, options).stream(documents)) return std::nullopt;
  return documents;
}

std::optional<std::size_t> block_scalar_end(std::string_view text, std::size_t begin, std::string_view value) {
  auto at = std::min(text.find('\n', begin), text.size());
  auto header = text.substr(begin, std::min(text.find_first_of(" #\r", begin), at) - begin);
  if (header.find_first_of("123456789") != std::string_view::npos) return std::nullopt;
  auto end = begin + header.size();
  if (value.find_first_not_of('\n') == std::string_view::npos) return end;
  std::optional<std::size_t> indent;
  while (at < text.size()) {
    auto start = at + 1, stop = std::min(text.find('\n', start), text.size());
    auto first = std::min(text.find_first_not_of(' ', start), stop);
    bool blank = first == stop || (text[first] == '\r' && first + 1 == stop);
    if (!blank) {
      if (!indent) indent = first - start;
      if (first - start < *indent) break;
      end = text[stop - 1] == '\r' ? stop - 1 : stop;
    }
    at = stop;
  }
  return end;
}

std::optional<std::string> key_text_of(const Value& key, std::string_view written) {
  if (const auto* text = key.if_string()) return *text;
  if (const auto* whole = key.if_int()) return fmt::format("{}", *whole);
  if (const auto* yes = key.if_bool()) return std::string(*yes ? "true" : "false");
  if (key.is_list() || key.is_map()) return std::nullopt;
  return std::string(written);
}

}  // namespace slipway::doc
