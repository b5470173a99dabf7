#include "kube/selector.h"

#include "base/text.h"

namespace slipway::kube {
namespace {

// Kubernetes' lexer of label selectors (labels/selector.go): words, "=", "==", "!=", "!", "(", ")", ",", "<", ">".
struct Lexer {
  std::string_view text;
  std::size_t at = 0;

  static bool special(char c) {
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '<' || c == '>';
  }
  static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  std::string_view peek() {
    auto saved = at;
    auto token = next();
    at = saved;
    return token;
  }
  std::string_view next() {
    while (at < text.size() && blank(text[at])) ++at;
    if (at == text.size()) return {};
    auto start = at;
    if (special(text[at])) {
      for (std::string_view op : {"==", "!="})
        if (text.substr(at).starts_with(op)) {
          at += 2;
          return op;
        }
      return text.substr(at++, 1);
    }
    while (at < text.size() && !blank(text[at]) && !special(text[at])) ++at;
    return text.substr(start, at - start);
  }
};

bool is_word(std::string_view token) { return !token.empty() && !Lexer::special(token[0]); }

bool name_part(std::string_view name) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 63 || !alnum(name.front()) || !alnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}
bool subdomain(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (auto label : split(name, '.')) {
    auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (label.empty() || !alnum(label.front()) || !alnum(label.back())) return false;
    if (!std::all_of(label.begin(), label.end(), [&](char c) { return alnum(c) || c == '-'; })) return false;
  }
  return true;
}

}  // namespace

bool valid_label_key(std::string_view key) {
  auto slash = key.find('/');
  if (slash == std::string_view::npos) return name_part(key);
  return subdomain(key.substr(0, slash)) && name_part(key.substr(slash + 1));
}
bool valid_label_value(std::string_view value) { return value.empty() || name_part(value); }

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  Lexer lexer{text};
  auto wrong = [&](std::string_view what) {
    return fail(Kind::invalid, "label selector \"{}\": offset {}: {}", text, lexer.at, what);
  };
  auto take_key = [&](std::string& key) -> Result<> {
    auto token = lexer.next();
    if (!is_word(token))
      return wrong(token.empty() ? "want a label key" : fmt::format("\"{}\": want a label key", token));
    if (!valid_label_key(token)) return wrong(fmt::format("\"{}\" is no label key", token));
    key = token;
    return {};
  };
  if (trim(text).empty()) return selector;
  for (;;) {
    Term term;
    if (lexer.peek() == "!") {
      lexer.next();
      term.op = Op::absent;
      TRY_OK(take_key(term.key));
    } else {
      TRY_OK(take_key(term.key));
      auto op = lexer.peek();
      if (op.empty() || op == ",") {
        term.op = Op::exists;
      } else if (op == "=" || op == "==" || op == "!=" || op == "<" || op == ">") {
        lexer.next();
        term.op = op == "!=" ? Op::not_in : op == "<" ? Op::less : op == ">" ? Op::greater : Op::in;
        std::string value;
        if (is_word(lexer.peek())) value = lexer.next();
        bool order = term.op == Op::less || term.op == Op::greater;
        if (order && !to_int(value)) return wrong(fmt::format("\"{}\": want an integer", value));
        term.values.push_back(std::move(value));
      } else if (op == "in" || op == "notin") {
        lexer.next();
        term.op = op == "in" ? Op::in : Op::not_in;
        if (lexer.next() != "(") return wrong("want \"(\"");
        for (;;) {  // an empty place is the empty value
          std::string value;
          if (is_word(lexer.peek())) value = lexer.next();
          term.values.push_back(std::move(value));
          auto token = lexer.next();
          if (token == ")") break;
          if (token != ",")
            return wrong(token.empty() ? std::string("want \")\"") : fmt::format("\"{}\": want \",\" or \")\"", token));
        }
      } else {
        return wrong(fmt::format("\"{}\": want =, ==, !=, in, notin, < or >", op));
      }
    }
    for (const auto& value : term.values)
      if (!valid_label_value(value)) return wrong(fmt::format("\"{}\" is no label value", value));
    selector.terms_.push_back(std::move(term));
    auto token = lexer.next();
    if (token.empty()) break;
    if (token != ",") return wrong(fmt::format("\"{}\": want \",\" or the end", token));
    if (lexer.peek().empty()) return wrong("want a label key after \",\"");
  }
  return selector;
}

Result<LabelSelector> LabelSelector::from(doc::View view) {
  LabelSelector selector;
  if (!view.present()) {
    selector.nothing_ = true;
    return selector;
  }
  if (!view.value().is_map()) return view.wrong("want a label selector");
  for (const auto& [key, value] : view["matchLabels"].members()) {
    TRY(auto text, value.str());
    selector.terms_.push_back({key, Op::in, {std::move(text)}});
  }
  for (const auto& expression : view["matchExpressions"].items()) {
    Term term;
    TRY(term.key, expression["key"].str());
    TRY(auto op, expression["operator"].str());
    if (expression["values"].present()) {
      TRY(term.values, expression["values"].strings());
    }
    bool needs = op == "In" || op == "NotIn";
    if (needs && term.values.empty()) return expression["values"].wrong("want at least one value for In and NotIn");
    if (op == "In")
      term.op = Op::in;
    else if (op == "NotIn")
      term.op = Op::not_in;
    else if (op == "Exists")
      term.op = Op::exists;
    else if (op == "DoesNotExist")
      term.op = Op::absent;
    else
      return expression["operator"].wrong(fmt::format("\"{}\": want In, NotIn, Exists or DoesNotExist", op));
    if (!needs && !term.values.empty()) return expression["values"].wrong("want no values for Exists and DoesNotExist");
    selector.terms_.push_back(std::move(term));
  }
  return selector;
}

bool LabelSelector::matches(const StringMap& labels) const {
  if (nothing_) return false;
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    auto it = labels.find(term.key);
    bool has = it != labels.end();
    auto listed = [&] { return std::find(term.values.begin(), term.values.end(), it->second) != term.values.end(); };
    switch (term.op) {
      case Op::in:
        return has && listed();
      case Op::not_in:
        return !has || !listed();
      case Op::exists:
        return has;
      case Op::absent:
        return !has;
      case Op::greater:
      case Op::less: {
        if (!has) return false;
        auto value = to_int(it->second), limit = to_int(term.values[0]);
        return value && limit && (term.op == Op::greater ? *value > *limit : *value < *limit);
      }
    }
    return false;
  });
}

std::string LabelSelector::print() const {
  std::string out;
  for (const auto& term : terms_) {
    if (!out.empty()) out += ',';
    switch (term.op) {
      case Op::exists:
        out += term.key;
        break;
      case Op::absent:
        out += "!" + term.key;
        break;
      case Op::greater:
        out += term.key + ">" + term.values[0];
        break;
      case Op::less:
        out += term.key + "<" + term.values[0];
        break;
      case Op::in:
      case Op::not_in: {
        if (term.values.size() == 1) {
          out += term.key + (term.op == Op::in ? "=" : "!=") + term.values[0];
          break;
        }
        auto values = term.values;
        std::sort(values.begin(), values.end());
        out += fmt::format("{} {} ({})", term.key, term.op == Op::in ? "in" : "notin", join(values, ","));
        break;
      }
    }
  }
  return out;
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  std::size_t at = 0;
  auto wrong = [&](std::string_view what) {
    return fail(Kind::invalid, "field selector \"{}\": offset {}: {}", text, at, what);
  };
  while (at < text.size()) {
    Term term{{}, {}, true};
    auto start = at;
    while (at < text.size() && text[at] != '=' && text[at] != '!' && text[at] != ',') ++at;
    term.path = trim(text.substr(start, at - start));
    if (text.substr(at).starts_with("!="))
      term.equal = false, at += 2;
    else if (text.substr(at).starts_with("=="))
      at += 2;
    else if (text.substr(at).starts_with("="))
      at += 1;
    else
      return wrong("want =, == or !=");
    if (term.path.empty()) return wrong("want a field path");
    // In values a backslash escapes itself, comma and equals sign.
    for (; at < text.size() && text[at] != ','; ++at) {
      if (text[at] == '\\') {
        if (at + 1 == text.size() || std::string_view("\\,=").find(text[at + 1]) == std::string_view::npos)
          return wrong("a backslash stands before \\, comma or =");
        ++at;
      } else if (text[at] == '=') {
        return wrong("an = in a value wants a backslash before it");
      }
      term.value += text[at];
    }
    selector.terms_.push_back(std::move(term));
    if (at < text.size()) ++at;
  }
  return selector;
}

bool FieldSelector::matches(const Object& object) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const doc::Value* at = &object.value();
    for (auto part : split(term.path, '.')) {
      at = at->find(part);
      if (at == nullptr) break;
    }
    auto text = at == nullptr ? std::string() : doc::View(*at).text();
    return (text == term.value) == term.equal;
  });
}

}  // namespace slipway::kube
