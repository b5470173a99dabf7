#include "ci/actions/bake.h"

#include <algorithm>

#include "base/text.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr int max_depth = 50;
constexpr std::size_t max_targets = 500;

class Hcl {
 public:
  Hcl(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  Result<doc::Value> read() {
    doc::Map top;
    for (;;) {
      TRY_OK(skip(true));
      if (at_ == text_.size()) return doc::Value(std::move(top));
      TRY_OK(statement(top, 0));
    }
  }

 private:
  Fail wrong(std::string_view what) const {
    auto before = text_.substr(0, at_);
    auto line = 1 + std::count(before.begin(), before.end(), '\n');
    auto start = before.rfind('\n');
    return fail(Kind::invalid, "{}:{}:{}: {}", source_, line,
                at_ - (start == std::string_view::npos ? 0 : start + 1) + 1, what);
  }
  char now() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  // Blanks and comments; ends of lines where they mean nothing.
  Result<> skip(bool ends) {
    for (;;) {
      char c = now();
      if (at_ < text_.size() && (c == ' ' || c == '\t' || c == '\r' || (ends && c == '\n'))) {
        ++at_;
      } else if (c == '#' || starts("//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (starts("/*")) {
        auto end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return wrong("a comment does not end");
        at_ = end + 2;
      } else {
        return {};
      }
    }
  }

  static bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }
  Result<std::string> name() {
    if (now() == '"') return text();
    auto start = at_;
    while (is_name(now())) ++at_;
    if (start == at_) return wrong("want a name");
    return std::string(text_.substr(start, at_ - start));
  }

  // NAME = VALUE, or NAME "LABEL" { ... }
  Result<> statement(doc::Map& into, int depth) {
    if (depth > max_depth) return wrong("nested too deep");
    TRY(auto key, name());
    TRY_OK(skip(false));
    if (now() == '=' || now() == ':') {
      ++at_;
      TRY_OK(skip(true));
      TRY(auto read, value(depth + 1));
      into.set(key, std::move(read));
      return {};
    }
    if (key == "function") return wrong("functions are not evaluated here: write the value out");
    std::vector<std::string> labels;
    while (now() == '"') {
      TRY(auto label, text());
      labels.push_back(std::move(label));
      TRY_OK(skip(false));
    }
    if (now() != '{') return wrong(fmt::format("want = or {{ after \"{}\"", key));
    TRY(auto body, object(depth + 1));
    auto* place = &into;
    labels.insert(labels.begin(), key);
    for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
      auto& inner = (*place)[labels[i]];
      if (!inner.is_map()) inner = doc::Value(doc::Map());
      place = inner.if_map();
    }
    place->set(labels.back(), std::move(body));
    return {};
  }

  Result<doc::Value> object(int depth) {
    ++at_;
    doc::Map out;
    for (;;) {
      TRY_OK(skip(true));
      if (now() == ',') {
        ++at_;
        continue;
      }
      if (now() == '}') break;
      if (at_ == text_.size()) return wrong("} is missing");
      TRY_OK(statement(out, depth));
    }
    ++at_;
    return doc::Value(std::move(out));
  }

  Result<doc::Value> value(int depth) {
    if (depth > max_depth) return wrong("nested too deep");
    char c = now();
    if (c == '{') return object(depth);
    if (c == '[') return list(depth);
    if (starts("<<")) return wrong("heredocs are not read here: write the text in quotes");
    TRY(auto out, scalar());
    TRY_OK(skip(false));
    auto next = now();
    bool ends = at_ == text_.size() || next == '\n' || next == ',' || next == ']' || next == '}';
    if (!ends) return wrong("expressions are not evaluated here: write the value out");
    return out;
  }

  Result<doc::Value> scalar() {
    if (now() == '"') {
      TRY(auto read, text());
      return doc::Value(std::move(read));
    }
    auto start = at_;
    while (is_name(now()) || now() == '.') ++at_;
    auto word = text_.substr(start, at_ - start);
    if (word.empty()) return wrong("want a value");
    if (word == "true" || word == "false") return doc::Value(word == "true");
    if (word == "null") return doc::Value();
    if (auto number = to_int(word)) return doc::Value(*number);
    if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) return doc::Value(std::string(word));
    return doc::Value(fmt::format("${{{}}}", word));  // a variable by itself
  }

  Result<doc::Value> list(int depth) {
    ++at_;
    doc::List out;
    for (;;) {
      TRY_OK(skip(true));
      if (now() == ',') {
        ++at_;
        continue;
      }
      if (now() == ']') break;
      if (at_ == text_.size()) return wrong("] is missing");
      TRY(auto item, value(depth + 1));
      out.push_back(std::move(item));
    }
    ++at_;
    return doc::Value(std::move(out));
  }

  Result<std::string> text() {
    std::string out;
    for (++at_;; ++at_) {
      char c = now();
      if (at_ >= text_.size() || c == '\n') return wrong("a quote is not closed");
      if (c == '"') break;
      if (c == '\\' && at_ + 1 < text_.size()) {
        c = text_[++at_];
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
      }
      out += c;
    }
    ++at_;
    return out;
  }

  std::string_view text_, source_;
  std::size_t at_ = 0;
};

using Lookup = std::function<std::optional<std::string>(const std::string&)>;

class Baker {
 public:
  Baker(const doc::Value& file, const Lookup& outside) : file_(file), outside_(outside) {}

  Result<> group(const std::string& name, int depth) {
    if (depth > max_depth) return fail(Kind::invalid, "bake: groups name each other in a circle at '{}'", name);
    const auto* groups = file_.find("group");
    const auto* found = groups && groups->is_map() ? groups->find(name) : nullptr;
    if (found) {
      const auto* targets = found->find("targets");
      if (!targets || !targets->is_list()) return fail(Kind::invalid, "bake: group '{}' wants targets = [...]", name);
      for (auto& target : *targets->if_list()) {
        TRY(auto text, filled(target.is_string() ? *target.if_string() : std::string(), 0));
        TRY_OK(group(text, depth + 1));
      }
      return {};
    }
    if (std::any_of(out_.begin(), out_.end(), [&](auto& t) { return t.name == name; })) return {};
    if (out_.size() == max_targets) return fail(Kind::invalid, "bake: more than {} targets", max_targets);
    BakeTarget target{name, {}};
    TRY_OK(inherit(name, target.fields, 0));
    doc::Value fields(std::move(target.fields));
    TRY_OK(fill(fields, 0));
    target.fields = std::move(*fields.if_map());
    out_.push_back(std::move(target));
    return {};
  }
  std::vector<BakeTarget> take() { return std::move(out_); }

 private:
  const doc::Value* target(const std::string& name) const {
    const auto* targets = file_.find("target");
    return targets && targets->is_map() ? targets->find(name) : nullptr;
  }

  Result<> inherit(const std::string& name, doc::Map& into, int depth) {
    if (depth > max_depth) return fail(Kind::invalid, "bake: targets inherit each other in a circle at '{}'", name);
    const auto* found = target(name);
    if (!found || !found->is_map()) {
      std::vector<std::string> known;
      for (const auto* kind : {"target", "group"})
        if (const auto* all = file_.find(kind); all && all->is_map())
          for (auto& [key, value] : *all->if_map()) known.push_back(key);
      auto near = nearest(name, known);
      return Fail(Error(Kind::not_found, fmt::format("bake: there is no target '{}'", name))
                      .with_hint(near ? fmt::format("did you mean '{}'?", *near)
                                      : "there are: " + join(std::span<const std::string>(known), ", ")));
    }
    if (found->find("matrix"))
      return fail(Kind::unavailable, "bake: target '{}' has a matrix, which is not read: write its targets out", name);
    if (const auto* parents = found->find("inherits"); parents && parents->is_list())
      for (auto& parent : *parents->if_list())
        if (parent.is_string()) TRY_OK(inherit(*parent.if_string(), into, depth + 1));
    for (auto& [key, value] : *found->if_map()) {
      if (key == "inherits" || key == "name" || key == "description") continue;
      auto* there = into.find(key);
      if (there && there->is_map() && value.is_map())
        for (auto& [inner, one] : *value.if_map()) there->if_map()->set(inner, one);
      else
        into.set(key, value);
    }
    return {};
  }

  Result<> fill(doc::Value& value, int depth) {
    if (auto* map = value.if_map())
      for (auto& [key, inner] : *map) TRY_OK(fill(inner, depth));
    if (auto* list = value.if_list())
      for (auto& inner : *list) TRY_OK(fill(inner, depth));
    if (const auto* text = value.if_string(); text && text->contains("${")) {
      TRY(auto done, filled(*text, depth));
      value = doc::Value(std::move(done));
    }
    return {};
  }

  Result<std::string> filled(std::string_view text, int depth) {
    if (depth > 10) return fail(Kind::invalid, "bake: variables refer to each other in a circle");
    std::string out;
    for (;;) {
      auto at = text.find("${");
      out += text.substr(0, at);
      if (at == std::string_view::npos || out.size() > (1 << 20)) return out;
      auto end = text.find('}', at);
      if (end == std::string_view::npos) return fail(Kind::invalid, "bake: \"{}\": ${{ is not closed", text);
      std::string name(trim(text.substr(at + 2, end - at - 2)));
      TRY(auto value, variable(name, depth));
      out += value;
      text.remove_prefix(end + 1);
    }
  }

  Result<std::string> variable(const std::string& name, int depth) {
    const auto* all = file_.find("variable");
    const auto* known = all && all->is_map() ? all->find(name) : nullptr;
    if (!known)
      return Fail(Error(Kind::invalid, fmt::format("bake: \"${{{}}}\" is no variable of the file", name))
                      .with_hint("expressions and functions are not evaluated here: write the value out"));
    if (auto given = outside_ ? outside_(name) : std::nullopt) return *given;
    const auto* fallback = known->find("default");
    if (!fallback || fallback->is_null()) return std::string();
    if (const auto* text = fallback->if_string()) return filled(*text, depth + 1);
    return doc::print_json(*fallback);
  }

  const doc::Value& file_;
  const Lookup& outside_;
  std::vector<BakeTarget> out_;
};

Result<> override_one(std::vector<BakeTarget>& targets, const std::string& text) {
  auto pair = cut(text, "=");
  auto place = pair ? cut(pair->first, ".") : std::nullopt;
  if (!place) return fail(Kind::invalid, "set: \"{}\", want TARGET.KEY=VALUE", text);
  auto key = std::string(trim(place->second));
  bool more = key.ends_with('+');
  if (more) key.pop_back();
  for (auto& target : targets) {
    if (!glob_match(std::string(trim(place->first)), target.name)) continue;
    auto dot = key.find('.');
    if (dot != std::string::npos) {
      auto& map = target.fields[key.substr(0, dot)];
      if (!map.is_map()) map = doc::Value(doc::Map());
      map.if_map()->set(key.substr(dot + 1), std::string(pair->second));
      continue;
    }
    auto name = key == "platform" ? std::string("platforms") : key;
    if (name == "tags" || name == "platforms" || name == "output") {
      auto& list = target.fields[name];
      if (!list.is_list() || !more) list = doc::Value(doc::List());
      list.if_list()->emplace_back(std::string(pair->second));
    } else {
      target.fields.set(name, std::string(pair->second));
    }
  }
  return {};
}

}  // namespace

Result<doc::Value> parse_bake(std::string_view text, std::string_view source) {
  if (source.ends_with(".json") || trim(text).starts_with('{')) {
    TRY(auto out, doc::parse_json(text, source));
    if (!out.is_map()) return fail(Kind::invalid, "{}: want a JSON object", source);
    return out;
  }
  return Hcl(text, source).read();
}

void merge_bake(doc::Value& below, const doc::Value& above) {
  if (!above.is_map() || !below.is_map()) {
    below = above;
    return;
  }
  for (auto& [key, value] : *above.if_map()) {
    auto* there = below.if_map()->find(key);
    if (there)
      merge_bake(*there, value);
    else
      below.if_map()->set(key, value);
  }
}

Result<std::vector<BakeTarget>> bake_targets(const doc::Value& file, const std::vector<std::string>& wanted,
                                             const std::vector<std::string>& overrides, const Lookup& variable) {
  Baker baker(file, variable);
  for (auto& name : wanted.empty() ? std::vector<std::string>{"default"} : wanted) TRY_OK(baker.group(name, 0));
  auto out = baker.take();
  for (auto& text : overrides) TRY_OK(override_one(out, text));
  return out;
}

}  // namespace slipway::ci
