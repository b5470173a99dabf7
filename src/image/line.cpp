#include "image/detail/line.h"

#include "base/text.h"
#include "doc/json.h"
#include "image/detail/utf8.h"
#include "image/expand.h"

namespace slipway::image::detail {

namespace {

std::string_view trim_start(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r'; }

std::vector<std::string> blank_words(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    while (i < text.size() && is_blank(text[i])) ++i;
    auto start = i;
    while (i < text.size() && !is_blank(text[i])) ++i;
    if (i > start) out.emplace_back(text.substr(start, i - start));
  }
  return out;
}

// Leading --words; what follows them is the rest. A bare -- ends them.
struct Flags {
  std::vector<std::string> flags;
  std::string_view rest;
};
Flags take_flags(std::string_view line) {
  Flags out;
  for (std::size_t i = 0;;) {
    while (i < line.size() && is_space(line[i])) ++i;
    out.rest = line.substr(i);
    if (!out.rest.starts_with("--")) return out;
    std::string word;
    char quote = '\0';
    for (; i < line.size(); ++i) {
      char c = line[i];
      if (quote == '\0' && is_space(c)) break;
      if (quote == '\0' && (c == '\'' || c == '"')) {
        quote = c;
        continue;
      }
      if (c == quote) {
        quote = '\0';
        continue;
      }
      if (c == '\\') {
        if (i + 1 == line.size()) continue;
        c = line[++i];
      }
      word += c;
    }
    if (word == "--") {
      out.rest = line.substr(i);
      return out;
    }
    out.flags.push_back(std::move(word));
  }
}

Result<> name_values(Instruction& i, std::string_view rest, char escape) {
  auto words = quoted_words(rest, escape);
  if (words.empty()) return {};
  if (words[0].find('=') == std::string::npos) {  // the old form: one name, the rest its value
    std::size_t n = 0;
    while (n < rest.size() && !is_blank(rest[n])) ++n;
    auto value = trim_start(rest.substr(n));
    if (value.empty()) return fail(Kind::invalid, "{} must have two arguments", i.written);
    i.args = {std::string(rest.substr(0, n)), std::string(value), ""};
    return {};
  }
  for (const auto& word : words) {
    auto parts = cut(word, "=");
    if (!parts) return fail(Kind::invalid, "can't find = in {:?}, want name=value", word);
    i.args.emplace_back(parts->first);
    i.args.emplace_back(parts->second);
    i.args.emplace_back("=");
  }
  return {};
}

enum class Form { words, quoted, text, json_or_text, json_or_words, name_values, health, trigger, unknown };
Form form_of(std::string_view name) {
  if (name == "add" || name == "copy" || name == "volume") return Form::json_or_words;
  if (name == "arg") return Form::quoted;
  if (name == "cmd" || name == "entrypoint" || name == "run" || name == "shell") return Form::json_or_text;
  if (name == "env" || name == "label") return Form::name_values;
  if (name == "expose" || name == "from") return Form::words;
  if (name == "healthcheck") return Form::health;
  if (name == "onbuild") return Form::trigger;
  if (name == "maintainer" || name == "stopsignal" || name == "user" || name == "workdir") return Form::text;
  return Form::unknown;
}

Result<> json_or_text(Instruction& i, std::string_view rest) {
  TRY(auto list, json_list(rest));
  if (list) {
    i.json = true;
    for (auto& item : *list) i.args.push_back(std::move(item));
  } else if (!rest.empty()) {
    i.args.emplace_back(rest);
  }
  return {};
}

Result<> arguments(Instruction& i, std::string_view rest, char escape, int depth) {
  switch (form_of(i.name)) {
    case Form::words:
      i.args = blank_words(rest);
      return {};
    case Form::quoted:
      i.args = quoted_words(rest, escape);
      return {};
    case Form::text:
      if (!rest.empty()) i.args.emplace_back(rest);
      return {};
    case Form::json_or_text:
      return json_or_text(i, rest);
    case Form::json_or_words: {
      TRY(auto list, json_list(rest));
      i.json = list.has_value();
      i.args = list ? *std::move(list) : blank_words(rest);
      return {};
    }
    case Form::name_values:
      return name_values(i, rest, escape);
    case Form::health: {
      std::size_t n = 0;
      while (n < rest.size() && !is_space(rest[n])) ++n;
      if (n == 0) return {};
      i.args.emplace_back(rest.substr(0, n));
      return json_or_text(i, trim_start(rest.substr(n)));
    }
    case Form::trigger: {
      if (rest.empty()) return {};
      if (depth > 0) return fail(Kind::invalid, "ONBUILD within ONBUILD");
      TRY(auto inner, parse_line(rest, escape, depth + 1));
      i.trigger = std::make_shared<const Instruction>(std::move(inner));
      return {};
    }
    case Form::unknown:
      break;
  }
  return {};
}

}  // namespace

std::vector<std::string> quoted_words(std::string_view rest, char escape) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false, quoted = false;
  char quote = '\0';
  for (std::size_t i = 0; i < rest.size(); ++i) {
    char c = rest[i];
    if (!in_word) {
      if (is_space(c)) continue;
      in_word = true;
    }
    if (quote == '\0' && is_space(c)) {
      if (quoted || !word.empty()) words.push_back(std::exchange(word, {}));
      in_word = quoted = false;
      continue;
    }
    bool closes = quote != '\0' && c == quote;
    if (c == escape && quote != '\'' && !closes) {
      if (i + 1 == rest.size()) continue;  // a lone escape at the end means nothing
      word += c;
      c = rest[++i];
    } else if (closes) {
      quote = '\0';
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
      quoted = true;
    }
    word += c;
  }
  if (quoted || !word.empty()) words.push_back(std::move(word));
  return words;
}

Result<std::optional<std::vector<std::string>>> json_list(std::string_view text) {
  using Found = std::optional<std::vector<std::string>>;
  auto rest = trim_start(text);
  if (!rest.starts_with('[')) return Found();
  auto value = doc::parse_json(trim(rest), "list");
  if (!value || value->if_list() == nullptr) return Found();
  std::vector<std::string> out;
  for (const auto& item : *value->if_list()) {
    if (item.if_string() == nullptr) return fail(Kind::invalid, "a JSON list here may hold strings only");
    out.push_back(*item.if_string());
  }
  return Found(std::move(out));
}

std::optional<Heredoc> heredoc_of(std::string_view word) {
  Heredoc doc;
  std::size_t i = 0;
  while (i < word.size() && word[i] >= '0' && word[i] <= '9') ++i;
  if (i > 0) doc.fd = static_cast<int>(to_int(word.substr(0, std::min<std::size_t>(i, 9))).value_or(0));
  auto rest = word.substr(i);
  if (!rest.starts_with("<<")) return std::nullopt;
  rest.remove_prefix(2);
  if (rest.starts_with('-')) {
    doc.strip_tabs = true;
    rest.remove_prefix(1);
  }
  if (rest.empty() || rest.find('<') != std::string_view::npos) return std::nullopt;
  Lookup nothing = [](std::string_view) { return std::nullopt; };
  auto plain = expand_words(rest, nothing, {.keep_unset = true});
  auto raw = expand_words(rest, nothing, {.keep_quotes = true, .keep_escapes = true, .keep_unset = true});
  if (!plain || !raw || plain->size() != 1 || raw->size() != 1) return std::nullopt;
  doc.name = (*plain)[0];
  doc.expand = (*raw)[0] == doc.name;
  return doc;
}

std::string body_of(const Heredoc& doc) {
  if (!doc.strip_tabs) return doc.content;
  std::string out;
  bool at_start = true;
  for (char c : doc.content) {
    if (at_start && c == '\t') continue;
    out += c;
    at_start = c == '\n';
  }
  return out;
}

Result<Instruction> parse_line(std::string_view line, char escape, int depth) {
  Instruction i;
  i.text = line;
  auto body = trim(line);
  std::size_t n = 0;
  while (n < body.size() && !is_blank(body[n])) ++n;
  i.written = body.substr(0, n);
  i.name = lower(i.written);
  auto taken = take_flags(body.substr(n));
  i.flags = std::move(taken.flags);
  i.rest = trim(taken.rest);
  TRY_OK(arguments(i, i.rest, escape, depth));
  return i;
}

}  // namespace slipway::image::detail
