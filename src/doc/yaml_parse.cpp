// Documents from libyaml's events. libyaml knows the syntax; what a scalar means (resolve.cpp), aliases, merge
// keys and every limit are decided here.
#include <yaml.h>

#include <unordered_map>
#include <unordered_set>

#include "base/encode.h"
#include "doc/detail/fast_yaml.h"
#include "doc/detail/resolve.h"
#include "doc/yaml.h"

namespace slipway::doc {
namespace {

// Bytes that aliases may add to a document, beside the limit on nodes.
constexpr std::size_t max_alias_bytes = std::size_t{64} << 20;

struct Event {
  yaml_event_t e{};
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&e); }
};

// libyaml counts characters; bytes are found by walking along with it (marks hardly ever go back).
class Offsets {
 public:
  explicit Offsets(std::string_view text) : text_(text) {
    for (char c : text) ascii_ = ascii_ && static_cast<unsigned char>(c) < 0x80;
  }
  std::uint32_t byte(std::size_t character) {
    if (ascii_) return static_cast<std::uint32_t>(std::min(character, text_.size()));
    while (characters_ > character) {
      do --bytes_;
      while (bytes_ > 0 && (static_cast<unsigned char>(text_[bytes_]) & 0xc0) == 0x80);
      --characters_;
    }
    while (characters_ < character && bytes_ < text_.size()) {
      do ++bytes_;
      while (bytes_ < text_.size() && (static_cast<unsigned char>(text_[bytes_]) & 0xc0) == 0x80);
      ++characters_;
    }
    return static_cast<std::uint32_t>(bytes_);
  }

 private:
  std::string_view text_;
  std::size_t characters_ = 0, bytes_ = 0;
  bool ascii_ = true;
};

struct Anchor {
  Value value;
  std::size_t nodes = 0, bytes = 0;
};

// libyaml takes it for a column, so that a second key would stand left of the first.
std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

class Reader {
 public:
  Reader(std::string_view text, const ParseOptions& options) : text_(text), options_(options), offsets_(text) {
    SLP_ASSERT(yaml_parser_initialize(&parser_) != 0);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    // A null pointer, which an empty view may hold, aborts in libyaml.
    const char* bytes = text.empty() ? "" : text.data();
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(bytes), text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { yaml_parser_delete(&parser_); }

  // The next document; nothing at the end of the stream.
  Result<std::optional<Value>> document() {
    while (true) {
      Event event;
      TRY_OK(next(event.e));
      if (event.e.type == YAML_STREAM_END_EVENT) return std::nullopt;
      if (event.e.type != YAML_DOCUMENT_START_EVENT) continue;
      anchors_.clear();
      nodes_ = bytes_ = 0;
      Event root;
      TRY_OK(next(root.e));
      Value value;
      TRY_OK(node(root.e, value, 1));
      document_mark_ = value.mark();
      return value;
    }
  }
  Mark document_mark() const { return document_mark_; }

  Fail wrong(Mark mark, std::string_view what) const {
    return fail(Kind::invalid, "{}:{}:{}: {}", options_.source, mark.line, mark.column, what);
  }

 private:
  Result<> next(yaml_event_t& event) {
    if (yaml_parser_parse(&parser_, &event) != 0) return {};
    std::string what = parser_.problem != nullptr ? parser_.problem : "not YAML";
    if (parser_.error == YAML_MEMORY_ERROR) return fail(Kind::unavailable, "{}: out of memory", options_.source);
    if (parser_.error == YAML_READER_ERROR) {
      auto upto = text_.substr(0, std::min(parser_.problem_offset, text_.size()));
      auto line = static_cast<std::uint32_t>(std::count(upto.begin(), upto.end(), '\n'));
      auto start = upto.rfind('\n');
      auto column = upto.size() - (start == std::string_view::npos ? 0 : start + 1);
      return wrong(Mark{line + 1, static_cast<std::uint32_t>(column) + 1, 0, 0}, what);
    }
    if (parser_.context != nullptr) {
      what = fmt::format("{} {} (line {})", what, parser_.context, parser_.context_mark.line + 1);
    }
    return wrong(Mark{static_cast<std::uint32_t>(parser_.problem_mark.line) + 1,
                      static_cast<std::uint32_t>(parser_.problem_mark.column) + 1, 0, 0},
                 what);
  }

  Mark mark(const yaml_event_t& event) {
    Mark m;
    m.line = static_cast<std::uint32_t>(event.start_mark.line) + 1;
    m.column = static_cast<std::uint32_t>(event.start_mark.column) + 1;
    m.begin = offsets_.byte(event.start_mark.index);
    m.end = offsets_.byte(event.end_mark.index);
    return m;
  }

  Result<> count(Mark at, std::size_t nodes, std::size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > options_.max_nodes)
      return wrong(at, fmt::format("more than {} values in one document", options_.max_nodes));
    if (bytes_ > max_alias_bytes + text_.size()) return wrong(at, "aliases make the document too large");
    return {};
  }

  Result<> node(yaml_event_t& event, Value& out, std::size_t depth) {
    Mark at = mark(event);
    if (depth > options_.max_depth) return wrong(at, fmt::format("nested deeper than {} levels", options_.max_depth));
    if (event.type == YAML_ALIAS_EVENT) return alias(event, at, out);
    auto nodes_before = nodes_, bytes_before = bytes_;
    const unsigned char *anchor = nullptr, *tag = nullptr;
    TRY_OK(count(at, 1, 0));
    if (event.type == YAML_SCALAR_EVENT) {
      anchor = event.data.scalar.anchor, tag = event.data.scalar.tag;
      TRY_OK(scalar(event, at, out));
    } else if (event.type == YAML_SEQUENCE_START_EVENT) {
      anchor = event.data.sequence_start.anchor, tag = event.data.sequence_start.tag;
      TRY_OK(sequence(event, at, out, depth));
    } else {
      anchor = event.data.mapping_start.anchor, tag = event.data.mapping_start.tag;
      TRY_OK(mapping(event, at, out, depth));
    }
    if (options_.local_tags && tag != nullptr) wrap(reinterpret_cast<const char*>(tag), out);
    if (anchor != nullptr) {
      auto& kept = anchors_[reinterpret_cast<const char*>(anchor)];
      kept.value = out;
      kept.nodes = nodes_ - nodes_before;
      kept.bytes = bytes_ - bytes_before;
      TRY_OK(count(at, kept.nodes, kept.bytes));  // the copy kept here
    }
    return {};
  }

  // `!name value` as {"!name": value}.
  static void wrap(std::string_view tag, Value& out) {
    if (tag.size() < 2 || tag[0] != '!') return;
    auto at = out.mark();
    Map map;
    map.append(std::string(tag), std::move(out));
    map.set_key_mark(tag, at);
    out = Value(std::move(map));
    out.set_mark(at);
  }

  Result<> alias(const yaml_event_t& event, Mark at, Value& out) {
    std::string name = reinterpret_cast<const char*>(event.data.alias.anchor);
    auto found = anchors_.find(name);
    if (found == anchors_.end()) return wrong(at, fmt::format("alias *{} names no anchor before it", name));
    TRY_OK(count(at, found->second.nodes, found->second.bytes));
    out = found->second.value;
    out.set_mark(at);
    return {};
  }

  static Value::Style style_of(yaml_scalar_style_t style) {
    switch (style) {
      case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return Value::Style::single_quoted;
      case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return Value::Style::double_quoted;
      case YAML_LITERAL_SCALAR_STYLE:
        return Value::Style::literal;
      case YAML_FOLDED_SCALAR_STYLE:
        return Value::Style::folded;
      default:
        return Value::Style::plain;
    }
  }

  Result<> scalar(const yaml_event_t& event, Mark at, Value& out) {
    const auto& s = event.data.scalar;
    std::string_view text(reinterpret_cast<const char*>(s.value), s.length);
    TRY_OK(count(at, 0, text.size()));
    std::string_view tag = s.tag != nullptr ? reinterpret_cast<const char*>(s.tag) : "";
    if (tag.empty()) {
      out = s.plain_implicit != 0 ? resolve_plain(text, options_.dialect) : Value(text);
    } else {
      TRY(out, tagged(tag, text, at));
    }
    // With a tag it is what that says, however it is written.
    out.set_style(tag.empty() || s.style != YAML_PLAIN_SCALAR_STYLE ? style_of(s.style) : Value::Style::any);
    if (s.style == YAML_LITERAL_SCALAR_STYLE || s.style == YAML_FOLDED_SCALAR_STYLE) {
      if (auto end = block_scalar_end(text_, at.begin, text)) at.end = static_cast<std::uint32_t>(*end);
    }
    out.set_mark(at);
    return {};
  }

  Result<Value> tagged(std::string_view tag, std::string_view text, Mark at) {
    constexpr std::string_view core = "tag:yaml.org,2002:";
    if (!tag.starts_with(core)) return Value(text);
    tag.remove_prefix(core.size());
    if (tag == "timestamp" && options_.dialect == Dialect::actions)
      return wrong(at, "Unexpected tag 'tag:yaml.org,2002:timestamp'");
    if (tag == "str" || tag == "timestamp") return Value(text);
    if (tag == "binary") {
      std::string packed;
      for (char c : text) {
        if (!std::isspace(static_cast<unsigned char>(c))) packed += c;
      }
      auto bytes = from_base64(packed);
      if (!bytes) return wrong(at, "!!binary wants base64");
      return Value(*std::move(bytes));
    }
    auto value = resolve_plain(text, options_.dialect);
    bool fits = (tag == "null" && value.is_null()) || (tag == "bool" && value.is_bool()) ||
                (tag == "int" && value.is_int()) || (tag == "float" && value.is_number());
    if (tag == "float" && value.is_int()) value = Value(static_cast<double>(*value.if_int()));
    if (!fits && (tag == "null" || tag == "bool" || tag == "int" || tag == "float")) {
      return wrong(at, fmt::format("'{}' is no !!{}", text, tag));
    }
    return fits ? value : Value(text);
  }

  Result<> sequence(const yaml_event_t& start, Mark at, Value& out, std::size_t depth) {
    bool flow = start.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    List items;
    while (true) {
      Event event;
      TRY_OK(next(event.e));
      if (event.e.type == YAML_SEQUENCE_END_EVENT) {
        if (flow) at.end = mark(event.e).end;
        break;
      }
      TRY_OK(node(event.e, items.emplace_back(), depth + 1));
      if (!flow) at.end = items.back().mark().end;
    }
    out = Value(std::move(items));
    if (flow) out.set_style(Value::Style::flow);
    out.set_mark(at);
    return {};
  }

  Result<> mapping(const yaml_event_t& start, Mark at, Value& out, std::size_t depth) {
    bool flow = start.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    Map map;
    std::vector<Value> merges;
    while (true) {
      Event event;
      TRY_OK(next(event.e));
      if (event.e.type == YAML_MAPPING_END_EVENT) {
        if (flow) at.end = mark(event.e).end;
        break;
      }
      Mark key_at = mark(event.e);
      bool merge = options_.dialect == Dialect::kubernetes && event.e.type == YAML_SCALAR_EVENT &&
                   event.e.data.scalar.plain_implicit != 0 && event.e.data.scalar.length == 2 &&
                   std::memcmp(event.e.data.scalar.value, "<<", 2) == 0;
      TRY(auto key, key_text(event.e, key_at));
      Event value_event;
      TRY_OK(next(value_event.e));
      Value value;
      TRY_OK(node(value_event.e, value, depth + 1));
      if (!flow) at.end = std::max(key_at.end, value.mark().end);
      if (merge) {
        TRY_OK(add_merge(std::move(value), key_at, merges));
        continue;
      }
      TRY_OK(add(map, std::move(key), key_at, std::move(value)));
    }
    apply_merges(map, merges);
    out = Value(std::move(map));
    if (flow) out.set_style(Value::Style::flow);
    out.set_mark(at);
    return {};
  }

  Result<> add(Map& map, std::string key, Mark key_at, Value value) {
    if (map.contains(key)) {
      auto first = map.key_mark(key);
      if (!options_.duplicate_keys) {
        return wrong(key_at,
                     fmt::format("key '{}' is here twice: first at line {}, column {}", key, first.line, first.column));
      }
      map.set(key, std::move(value));
      map.set_key_mark(key, key_at);
      return {};
    }
    map.append(std::move(key), std::move(value));
    map.set_key_mark((map.end() - 1)->first, key_at);
    return {};
  }

  Result<> add_merge(Value value, Mark at, std::vector<Value>& merges) {
    if (value.is_map()) {
      merges.push_back(std::move(value));
      return {};
    }
    bool maps = value.is_list();
    if (maps) {
      for (auto& item : *value.if_list()) maps = maps && item.is_map();
    }
    if (!maps) return wrong(at, "'<<' merges a map or a list of maps");
    for (auto& item : *value.if_list()) merges.push_back(std::move(item));
    return {};
  }

  // A map's own keys win over merged ones, an earlier map over a later.
  static void apply_merges(Map& map, std::vector<Value>& merges) {
    for (auto& merge : merges) {
      for (auto& [key, value] : *merge.if_map()) {
        if (!map.contains(key)) map.append(key, std::move(value));
      }
    }
  }

  // Keys are strings in JSON: 1 becomes "1", 0x10 "16", as sigs.k8s.io/yaml does.
  Result<std::string> key_text(yaml_event_t& event, Mark at) {
    Value key;
    if (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT) {
      TRY_OK(node(event, key, 1));
    } else {
      return wrong(at, "a key must be a scalar, not a list or map");
    }
    std::string_view written;
    if (event.type == YAML_SCALAR_EVENT) {
      written = {reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length};
    } else if (key.is_null()) {
      return wrong(at, "a key must be a string");
    }
    auto text = key_text_of(key, written);
    if (!text) return wrong(at, "a key must be a scalar");
    return *std::move(text);
  }

  std::string_view text_;
  const ParseOptions& options_;
  Offsets offsets_;
  yaml_parser_t parser_{};
  std::unordered_map<std::string, Anchor> anchors_;
  std::size_t nodes_ = 0, bytes_ = 0;
  Mark document_mark_;
};

Result<> check_size(std::string_view text, const ParseOptions& options) {
  if (text.size() < (std::size_t{1} << 31)) return {};
  return fail(Kind::invalid, "{}: larger than 2 GiB", options.source);
}

}  // namespace

Result<std::vector<Value>> read_full(std::string_view text, const ParseOptions& options) {
  Reader reader(text, options);
  std::vector<Value> all;
  while (true) {
    TRY(auto document, reader.document());
    if (!document) return all;
    all.push_back(*std::move(document));
  }
}

Result<Value> parse_yaml(std::string_view text, const ParseOptions& options) {
  TRY_OK(check_size(text, options));
  text = without_byte_order_mark(text);
  if (auto fast = read_fast(text, options); fast && fast->size() <= 1)
    return fast->empty() ? Value() : std::move(fast->front());
  Reader reader(text, options);
  TRY(auto first, reader.document());
  if (!first) return Value();
  TRY(auto second, reader.document());
  if (second) return reader.wrong(reader.document_mark(), "a second document, want exactly one");
  return *std::move(first);
}

Result<std::vector<Value>> parse_yaml_all(std::string_view text, const ParseOptions& options) {
  text = without_byte_order_mark(text);
  TRY_OK(check_size(text, options));
  std::vector<Value> all;
  if (auto fast = read_fast(text, options)) {
    all = *std::move(fast);
  } else {
    TRY(all, read_full(text, options));
  }
  std::erase_if(all, [](const Value& document) { return document.is_null(); });
  return all;
}

}  // namespace slipway::doc
