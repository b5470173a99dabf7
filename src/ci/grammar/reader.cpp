#include "base/text.h"
#include "ci/detail/rules.h"

namespace slipway::ci {
namespace {

const Vocabulary no_words;

class Reader {
 public:
  Reader(const TemplateOptions& options, std::vector<Problem>& problems) : options_(options), problems_(problems) {}

  Template value(const doc::Value& node, RuleRef rule, const Vocabulary* words) {
    if (rule.words) words = rule.words;
    if (auto* list = node.if_list()) return sequence(node, *list, *rule.rule, words);
    if (auto* map = node.if_map()) return mapping(node, *map, *rule.rule, words);
    return checked(scalar(node, words), *rule.rule, words);
  }

 private:
  Template sequence(const doc::Value& node, const doc::List& list, const Rule& rule, const Vocabulary* words) {
    Template out;
    out.sort = Template::Sort::list, out.mark = node.mark();
    if (!rule.item) {
      wrong(out.mark, "A sequence was not expected");
      return out;
    }
    for (auto& item : list) out.items.push_back(value(item, *rule.item, words));
    return out;
  }

  Template mapping(const doc::Value& node, const doc::Map& map, const Rule& rule, const Vocabulary* words) {
    Template out;
    out.sort = Template::Sort::map, out.mark = node.mark();
    if (rule.maps.empty()) {
      wrong(out.mark, "A mapping was not expected");
      return out;
    }
    std::vector<const MapRule*> candidates;
    for (auto& candidate : rule.maps) candidates.push_back(&candidate);
    const auto all = candidates;
    std::set<std::string> seen;
    bool expression_key = false;
    for (auto& [name, item] : map) {
      Template key = key_of(map, name, words);
      if (key.is_expression()) {
        expression_key = true;
        if (words->names.empty())
          wrong(key.mark, "A template expression is not allowed in this context");
        else
          out.entries.emplace_back(std::move(key), value(item, any_rule(), words));
        continue;
      }
      if (!key.text.empty() && !seen.insert(lower(key.text)).second) {
        wrong(key.mark, fmt::format("'{}' is already defined", key.text));
        continue;
      }
      if (auto entry = property(key, candidates)) {
        Template read = value(item, *entry, words);
        out.entries.emplace_back(std::move(key), std::move(read));
      } else if (all[0]->loose) {
        if (key.text.empty()) wrong(key.mark, "Unexpected value ''");
        Template read = value(item, *all[0]->loose, words);
        out.entries.emplace_back(std::move(key), std::move(read));
      } else {
        wrong(key.mark, fmt::format("Unexpected value '{}'", key.text), suggestion(key.text, candidates));
      }
    }
    finish(out, candidates, seen, expression_key);
    return out;
  }

  // The key's rule; mappings that do not know the key are no longer meant.
  std::optional<RuleRef> property(const Template& key, std::vector<const MapRule*>& candidates) {
    if (!options_.background_steps && is_background(key.text)) return {};
    std::vector<const MapRule*> knowing;
    for (auto* candidate : candidates)
      if (candidate->find(key.text)) knowing.push_back(candidate);
    if (knowing.empty()) return {};
    candidates = std::move(knowing);
    return candidates.back()->find(key.text)->value;
  }

  static bool is_background(std::string_view key) {
    return key == "background" || key == "wait" || key == "wait-all" || key == "cancel";
  }

  void finish(Template& out, const std::vector<const MapRule*>& candidates, const std::set<std::string>& seen,
              bool expression_key) {
    if (candidates.size() > 1) {
      std::map<std::string, int> count;
      for (auto* candidate : candidates)
        for (auto& property : candidate->properties) ++count[property.name];
      std::vector<std::string> names;
      for (auto& [name, n] : count)
        if (n == 1 && (options_.background_steps || !is_background(name))) names.push_back(name);
      wrong(out.mark,
            fmt::format("There's not enough info to determine what you meant. Add one of these properties: {}",
                        join(std::span<const std::string>(names), ", ")));
    } else if (!expression_key) {
      for (auto& property : candidates[0]->properties)
        if (property.required && !seen.contains(lower(property.name)))
          wrong(out.mark, fmt::format("Required property is missing: {}", property.name));
    }
  }

  static RuleRef any_rule() {
    static const Rule any = [] {
      Rule r;
      r.name = "any", r.text = Rule::Text::any, r.null = r.boolean = r.number = true;
      return r;
    }();
    static const Rule nested = [] {
      Rule r = any;
      r.item = RuleRef{&nested};
      r.maps.push_back({{}, RuleRef{&nested}});
      return r;
    }();
    return {&nested};
  }

  static std::string suggestion(std::string_view word, const std::vector<const MapRule*>& candidates) {
    std::vector<std::string> names;
    for (auto* candidate : candidates)
      for (auto& property : candidate->properties) names.push_back(property.name);
    auto found = nearest(word, names);
    return found ? fmt::format("did you mean '{}'?", *found) : std::string();
  }

  Template key_of(const doc::Map& map, const std::string& name, const Vocabulary* words) {
    auto mark = map.key_mark(name);
    bool quoted = mark.begin < options_.text.size() && std::string_view("'\"").contains(options_.text[mark.begin]);
    bool null = !quoted && (name == "~" || name == "null" || name == "Null" || name == "NULL");
    doc::Value key(null ? std::string() : name);
    key.set_mark(mark);
    Template out = scalar(key, words);
    if (!out.is_expression()) out.sort = Template::Sort::string;
    return out;
  }

  Template checked(Template scalar, const Rule& rule, const Vocabulary* words) {
    using Sort = Template::Sort;
    if (scalar.is(Sort::expression)) {
      if (words->names.empty()) wrong(scalar.mark, "A template expression is not allowed in this context");
      return scalar;
    }
    if (scalar.is(Sort::insert)) {
      wrong(scalar.mark, "Unexpected value '${{ insert }}'");
      return scalar;
    }
    if ((scalar.is(Sort::null) && rule.null) || (scalar.is(Sort::boolean) && rule.boolean) ||
        (scalar.is(Sort::number) && rule.number))
      return scalar;
    auto text = scalar.literal_text();
    bool fits = rule.text == Rule::Text::any || (rule.text == Rule::Text::non_empty && !text.empty()) ||
                std::find(rule.constants.begin(), rule.constants.end(), text) != rule.constants.end();
    if (!fits) {
      auto near = nearest(text, rule.constants);
      wrong(scalar.mark, fmt::format("Unexpected value '{}'", text),
            near ? fmt::format("did you mean '{}'?", *near) : std::string());
      return scalar;
    }
    scalar.sort = Sort::string;
    scalar.text = std::move(text);
    return scalar;
  }

  Template scalar(const doc::Value& node, const Vocabulary* words) {
    using Sort = Template::Sort;
    Template out;
    out.mark = node.mark();
    using Style = doc::Value::Style;
    bool quoted = node.style() == Style::single_quoted || node.style() == Style::double_quoted;
    if (quoted && !node.if_string())
      wrong(out.mark, fmt::format("The scalar style '{}' on line {} and column {} is not valid with the tag "
                                  "'tag:yaml.org,2002:{}'",
                                  node.style() == Style::single_quoted ? "SingleQuoted" : "DoubleQuoted", out.mark.line,
                                  out.mark.column,
                                  node.if_bool()     ? "bool"
                                  : node.if_int()    ? "int"
                                  : node.if_double() ? "float"
                                                     : "null"));
    if (auto* b = node.if_bool())
      out.sort = Sort::boolean, out.boolean = *b;
    else if (auto* n = node.if_int())
      out.sort = Sort::number, out.number = static_cast<double>(*n);
    else if (auto* d = node.if_double())
      out.sort = Sort::number, out.number = *d;
    else if (auto* s = node.if_string(); s && node.style() == doc::Value::Style::plain && is_endless_number(*s)) {
      out.sort = Sort::number, out.number = parse_number(*s);  // beyond 64 bits: a number all the same
    } else if (s) {
      out.sort = Sort::string, out.text = *s;
      if (s->contains("${{")) with_expressions(out, words);
    }
    return out;
  }

  static bool is_endless_number(std::string_view text) {
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    auto dot = text.find('.');
    auto digits = [](std::string_view part) { return part.find_first_not_of("0123456789") == std::string_view::npos; };
    return text.size() > 18 && digits(text.substr(0, dot)) && (dot == text.npos || digits(text.substr(dot + 1)));
  }

  // Blanks as editors put them in: also no-break and ideographic spaces.
  static std::string_view trim_blanks(std::string_view text) {
    constexpr std::string_view blanks[] = {
        " ",           "\t", "\n", "\r", "\xc2\xa0", "\xe3\x80\x80", "\xef\xbb\xbf", "\xe2\x80\x83", "\xe2\x80\x89",
        "\xe2\x80\xaf"};
    for (bool more = true; more;) {
      more = false;
      for (auto blank : blanks) {
        if (text.starts_with(blank)) text.remove_prefix(blank.size()), more = true;
        if (text.ends_with(blank)) text.remove_suffix(blank.size()), more = true;
      }
    }
    return text;
  }

  struct Segment {
    bool expression = false, insert = false;
    std::string text;
  };

  // Splits text into literal and expression parts and joins them into one expression.
  void with_expressions(Template& out, const Vocabulary* words) {
    std::vector<Segment> segments;
    bool failed = false;
    std::string_view raw = out.text;
    std::size_t at = 0;
    for (auto start = raw.find("${{"); start != std::string_view::npos; start = raw.find("${{", at)) {
      if (start > at) segments.push_back({false, false, std::string(raw.substr(at, start - at))});
      auto end = closing(raw, start + 3);
      if (end == std::string_view::npos) {
        wrong(out.mark,
              "The expression is not closed. An unescaped ${{ sequence was found, but the closing }} sequence was not "
              "found.");
        return;
      }
      auto inner = trim_blanks(raw.substr(start + 3, end - start - 3));
      at = end + 2;
      if (inner == "insert") {
        if (start != 0 || at < raw.size()) {
          wrong(out.mark,
                "The directive 'insert' is not allowed in this context. Directives are not supported for expressions "
                "that are embedded "
                "within a string. Directives are only supported when the entire value is an expression.");
          return;
        }
        segments.push_back({true, true, std::string(inner)});
        continue;
      }
      auto parsed = inner.empty() ? fail(Kind::invalid, "An expression was expected")
                                  : Expression::parse(inner, words->names.empty() ? full_vocabulary() : *words);
      if (!parsed) {
        wrong(out.mark, parsed.error().what());
        failed = true;
      }
      segments.push_back({true, false, std::string(inner)});
    }
    if (at < raw.size()) segments.push_back({false, false, std::string(raw.substr(at))});
    if (!failed) combine(out, segments, words);
  }

  static std::size_t closing(std::string_view raw, std::size_t from) {
    bool quoted = false;
    for (auto i = from; i < raw.size(); ++i) {
      if (raw[i] == '\'')
        quoted = !quoted;
      else if (!quoted && raw[i] == '}' && i + 1 < raw.size() && raw[i + 1] == '}')
        return i;
    }
    return std::string_view::npos;
  }

  void combine(Template& out, const std::vector<Segment>& segments, const Vocabulary* words) {
    using Sort = Template::Sort;
    auto& vocabulary = words->names.empty() ? full_vocabulary() : *words;
    if (segments.size() == 1) {
      out.text = segments[0].text;
      if (segments[0].insert) {
        out.sort = Sort::insert;
        return;
      }
      auto parsed = Expression::parse(out.text, vocabulary);
      if (!parsed) return;
      if (auto* literal = parsed->literal(); literal && literal->if_string()) {
        out.text = *literal->if_string();  // ${{ 'text' }} is how ${{ itself is written
        return;
      }
      out.expression = *std::move(parsed);
      out.sort = Sort::expression;
      return;
    }
    std::string format, arguments;
    int n = 0;
    for (auto& segment : segments) {
      if (segment.expression) {
        format += fmt::format("{{{}}}", n++);
        arguments += ", " + segment.text;
      } else {
        format += replace_all(replace_all(replace_all(segment.text, "'", "''"), "{", "{{"), "}", "}}");
      }
    }
    auto text = fmt::format("format('{}'{})", format, arguments);
    auto parsed = Expression::parse(text, vocabulary);
    if (!parsed) {
      wrong(out.mark, parsed.error().what());
      return;
    }
    out.sort = Sort::expression;
    out.expression = *std::move(parsed);
    out.text = std::move(text);
  }

  void wrong(doc::Mark mark, std::string message, std::string hint = {}) {
    if (problems_.size() >= 100) return;
    problems_.push_back({{options_.source, static_cast<int>(mark.line), static_cast<int>(mark.column)},
                         std::move(message),
                         std::move(hint)});
  }

  const TemplateOptions& options_;
  std::vector<Problem>& problems_;
};

}  // namespace

Template read_template(const doc::Value& document, RuleRef rule, const TemplateOptions& options,
                       std::vector<Problem>& problems) {
  return Reader(options, problems).value(document, rule, &no_words);
}

}  // namespace slipway::ci
