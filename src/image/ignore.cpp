#include "image/ignore.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::image {

Result<std::size_t> PathPattern::add_set(std::string_view text, std::size_t at) {
  Token set{.kind = Token::Kind::set, .text = {}, .ranges = {}, .negated = false};
  auto bad = [&] { return fail(Kind::invalid, "pattern {:?}: broken [ ]", text); };
  std::size_t i = at + 1;
  if (i < text.size() && text[i] == '^') {
    set.negated = true;
    ++i;
  }
  auto one = [&]() -> std::optional<unsigned char> {
    if (i < text.size() && text[i] == '\\') ++i;
    if (i >= text.size()) return std::nullopt;
    return static_cast<unsigned char>(text[i++]);
  };
  for (bool first = true;; first = false) {
    if (i >= text.size()) return bad();
    if (text[i] == ']' && !first) break;
    if (text[i] == ']' || text[i] == '-') return bad();
    auto low = one();
    if (!low) return bad();
    auto high = low;
    if (i < text.size() && text[i] == '-') {
      ++i;
      high = one();
      if (!high || *high < *low) return bad();
    }
    set.ranges.emplace_back(*low, *high);
  }
  tokens_.push_back(std::move(set));
  return i + 1;
}

Result<PathPattern> PathPattern::parse(std::string_view text) {
  PathPattern p;
  auto literal = [&](char c) {
    if (p.tokens_.empty() || p.tokens_.back().kind != Token::Kind::literal)
      p.tokens_.push_back({.kind = Token::Kind::literal});
    p.tokens_.back().text += c;
  };
  for (std::size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '*' && text.substr(i).starts_with("**")) {
      i += 2;
      bool folders = i < text.size() && text[i] == '/';
      if (folders) ++i;
      p.tokens_.push_back({.kind = folders ? Token::Kind::any_folders : Token::Kind::any});
    } else if (c == '*') {
      p.tokens_.push_back({.kind = Token::Kind::star});
      ++i;
    } else if (c == '?') {
      p.tokens_.push_back({.kind = Token::Kind::one});
      ++i;
    } else if (c == '[') {
      TRY(i, p.add_set(text, i));
    } else {
      if (c == '\\') {
        if (++i == text.size()) return fail(Kind::invalid, "pattern {:?}: ends in a lone backslash", text);
        c = text[i];
      }
      literal(c);
      ++i;
    }
  }
  if (!p.tokens_.empty() && p.tokens_[0].kind == Token::Kind::literal) p.prefix_ = p.tokens_[0].text;
  return p;
}

bool PathPattern::match(std::size_t token, std::string_view text, int& budget) const {
  for (; token < tokens_.size(); ++token) {
    if (--budget < 0) return false;  // only a pattern made to be slow gets here
    const auto& t = tokens_[token];
    using enum Token::Kind;
    if (t.kind == literal) {
      if (!text.starts_with(t.text)) return false;
      text.remove_prefix(t.text.size());
    } else if (t.kind == one || t.kind == set) {
      if (text.empty() || text[0] == '/') return false;
      auto c = static_cast<unsigned char>(text[0]);
      bool in =
          std::any_of(t.ranges.begin(), t.ranges.end(), [&](const auto& r) { return r.first <= c && c <= r.second; });
      if (t.kind == set && in == t.negated) return false;
      std::size_t n = 1;  // a whole UTF-8 character
      while (t.kind == one && n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
      text.remove_prefix(n);
    } else {
      bool last = token + 1 == tokens_.size();
      if (last && t.kind == any) return true;
      if (last && t.kind == star) return text.find('/') == std::string_view::npos;
      for (std::size_t i = 0;; ++i) {
        bool border = t.kind != any_folders || i == 0 || text[i - 1] == '/';
        if (border && match(token + 1, text.substr(i), budget)) return true;
        if (i == text.size() || (t.kind == star && text[i] == '/') || budget < 0) return false;
      }
    }
  }
  return text.empty();
}

bool PathPattern::matches(std::string_view path) const {
  int budget = 200'000;
  return match(0, path, budget);
}

namespace {

// Go's filepath.Clean on a slash path, then without the leading slash.
std::string clean(std::string_view text) {
  std::vector<std::string_view> parts;
  bool absolute = text.starts_with('/');
  for (auto part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..")
      parts.pop_back();
    else if (part != ".." || !absolute)
      parts.push_back(part);
  }
  return join(parts, "/");
}

}  // namespace

Result<> IgnoreList::add(std::string_view line) {
  bool keeps = line.starts_with('!');
  if (keeps) {
    line = trim(line.substr(1));
    if (line.empty()) return fail(Kind::invalid, "a lone ! keeps nothing");
  }
  auto text = clean(line);
  if (text.empty()) return {};
  TRY(auto pattern, PathPattern::parse(text));
  bool all = !keeps && (line == "*" || line == "**" || line == "**/*");
  rules_.push_back({std::move(pattern), keeps, all});
  return {};
}

Result<IgnoreList> IgnoreList::parse(std::string_view text, std::string_view name) {
  IgnoreList list;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  for (auto raw : lines(text)) {
    ++number;
    if (raw.starts_with('#')) continue;
    auto line = trim(raw);
    if (line.empty()) continue;
    if (auto r = list.add(line); !r) return fail(Kind::invalid, "{}:{}:1: {}", name, number, r.error().what());
  }
  return list;
}

Result<IgnoreList> IgnoreList::of(const std::vector<std::string>& patterns, std::string_view name) {
  IgnoreList list;
  for (const auto& pattern : patterns) TRY_OK_IN(name, list.add(pattern));
  return list;
}

IgnoreList::Verdict IgnoreList::check(std::string_view path, const Hits& parent) const {
  Verdict v;
  v.hits.resize(rules_.size());
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    v.hits[i] = (i < parent.size() && parent[i]) || rules_[i].pattern.matches(path);
    if (v.hits[i]) v.excluded = !rules_[i].keeps;
  }
  if (!v.excluded) return v;
  auto below = std::string(path) + "/";
  v.prune = std::none_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    const auto& prefix = rule.pattern.prefix();
    return rule.keeps && (prefix.starts_with(below) || below.starts_with(prefix));
  });
  return v;
}

bool IgnoreList::takes_back() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) { return rule.keeps; });
}

bool IgnoreList::excludes_all() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) { return rule.all; });
}

bool IgnoreList::excludes(std::string_view path) const {
  Hits hits;
  Verdict v;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    at = path.find('/', at + 1);
    v = check(path.substr(0, at), hits);
    hits = v.hits;
  }
  return v.excluded;
}

}  // namespace slipway::image
