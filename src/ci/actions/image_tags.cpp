#include "ci/actions/image_tags.h"

#include <regex.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "base/csv.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

using Attributes = std::map<std::string, std::string>;

std::string get(const Attributes& a, const char* key, std::string_view fallback = {}) {
  auto found = a.find(key);
  return found == a.end() ? std::string(fallback) : found->second;
}

struct Rule {
  std::string type, text;
  Attributes attributes;
  double priority = 0;
};
struct Ranked {
  std::string_view type;
  int priority;
};
constexpr Ranked kinds[] = {{"schedule", 1000}, {"semver", 900}, {"pep440", 900}, {"match", 800},
                            {"edge", 700},      {"ref", 600},    {"raw", 200},    {"sha", 100}};

struct Flavor {
  std::string latest = "auto", prefix, suffix;
  bool prefix_latest = false, suffix_latest = false;
};

// Runs of characters that a tag cannot have become one dash.
std::string sanitize(std::string_view text) {
  std::string out;
  bool dashed = false;
  for (char c : text) {
    bool fine = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    if (fine || !dashed) out += fine ? c : '-';
    dashed = !fine;
  }
  return out;
}

std::string after(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? std::string(text.substr(prefix.size())) : std::string();
}

// Tokens of moment.js, in UTC.
std::string format_time(WallTime time, std::string_view format) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  auto whole = static_cast<std::time_t>(seconds);
  std::tm t{};
  ::gmtime_r(&whole, &t);
  static constexpr const char* tokens[][2] = {
      {"YYYY", "%Y"}, {"YY", "%y"},   {"MMMM", "%B"}, {"MMM", "%b"}, {"MM", "%m"},   {"DDDD", "%j"},
      {"DD", "%d"},   {"dddd", "%A"}, {"ddd", "%a"},  {"HH", "%H"},  {"hh", "%I"},   {"mm", "%M"},
      {"ss", "%S"},   {"A", "%p"},    {"X", "%s"},    {"WW", "%V"},  {"GGGG", "%G"}, {"Z", "+00:00"}};
  std::string out;
  while (!format.empty()) {
    if (format[0] == '[' && format.contains(']')) {
      out += format.substr(1, format.find(']') - 1);
      format.remove_prefix(format.find(']') + 1);
      continue;
    }
    auto found =
        std::find_if(std::begin(tokens), std::end(tokens), [&](auto& token) { return format.starts_with(token[0]); });
    auto number = [&](char token, int value) { return format[0] == token ? std::optional(value) : std::nullopt; };
    if (found != std::end(tokens)) {
      char buffer[64];
      if (std::string_view((*found)[1]) == "%s")
        out += std::to_string(seconds);
      else if ((*found)[1][0] != '%')
        out += (*found)[1];
      else
        out.append(buffer, std::strftime(buffer, sizeof buffer, (*found)[1], &t));
      format.remove_prefix(std::string_view((*found)[0]).size());
      continue;
    }
    std::optional<int> one;
    for (auto [token, value] :
         {std::pair{'M', t.tm_mon + 1}, {'D', t.tm_mday}, {'H', t.tm_hour}, {'m', t.tm_min}, {'s', t.tm_sec}})
      if (!one) one = number(token, value);
    if (one)
      out += std::to_string(*one);
    else
      out += format[0];
    format.remove_prefix(1);
  }
  return out;
}

struct SemanticVersion {
  std::string major, minor, patch, version;
  bool prerelease = false;
};
// Rule: semver.org; a leading v is let go, what follows + is not part of a tag.
std::optional<SemanticVersion> parse_semver(std::string_view text) {
  text = trim(text);
  if (text.starts_with('v') || text.starts_with('=')) text.remove_prefix(1);
  auto plus = text.find('+');
  if (plus != std::string_view::npos) text = text.substr(0, plus);
  auto dash = text.find('-');
  auto core = text.substr(0, dash);
  auto numbers = split(core, '.');
  if (numbers.size() != 3) return {};
  for (auto n : numbers)
    if (n.empty() || n.find_first_not_of("0123456789") != std::string_view::npos || (n.size() > 1 && n[0] == '0'))
      return {};
  SemanticVersion out{std::string(numbers[0]), std::string(numbers[1]), std::string(numbers[2]), std::string(text),
                      dash != std::string_view::npos};
  if (out.prerelease)
    for (auto part : split(text.substr(dash + 1), '.'))
      if (part.empty() ||
          !std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; }))
        return {};
  return out;
}

// Rule: PEP 440 in its normal form: 1.2, 1.2.3rc1, 1.0.post2, 1.0.dev3.
std::optional<SemanticVersion> parse_pep440(std::string_view text) {
  std::string t = lower(trim(text));
  if (t.starts_with('v')) t.erase(0, 1);
  auto end = t.find_first_not_of("0123456789.");
  auto release = t.substr(0, end), rest = end == std::string::npos ? "" : t.substr(end);
  while (release.ends_with('.')) release.pop_back(), rest.insert(0, ".");
  auto numbers = split(release, '.');
  if (release.empty()) return {};
  for (auto n : numbers)
    if (n.empty()) return {};
  rest = rest.substr(0, rest.find('+'));
  for (auto& [from, to] : {std::pair{"alpha", "a"}, {"beta", "b"}, {"preview", "rc"}, {"pre", "rc"}})
    rest = replace_all(rest, from, to);
  if (!rest.empty()) {
    auto letters = rest.find_first_not_of(".-_");
    if (letters == std::string::npos) return {};
    auto word = rest.substr(letters);
    bool known = false;
    for (std::string_view kind : {"a", "b", "rc", "c", "post", "dev", "r"})
      known = known || (word.starts_with(kind) &&
                        word.substr(kind.size()).find_first_not_of("0123456789.-_postdev") == std::string::npos);
    if (!known) return {};
    rest = (word.starts_with("post") || word.starts_with("dev") ? "." : "") + word;
  }
  auto at = [&](std::size_t i) { return numbers.size() > i ? std::string(numbers[i]) : std::string("0"); };
  return SemanticVersion{at(0), at(1), at(2), release + rest, !rest.empty()};
}

std::string with_version(std::string pattern, const SemanticVersion& v, std::string_view raw) {
  for (auto& [name, value] : {std::pair<std::string_view, std::string_view>{"version", v.version},
                              {"raw", raw},
                              {"major", v.major},
                              {"minor", v.minor},
                              {"patch", v.patch}}) {
    pattern = replace_all(pattern, fmt::format("{{{{{}}}}}", name), value);
    pattern = replace_all(pattern, fmt::format("{{{{ {} }}}}", name), value);
  }
  return pattern;
}

// JavaScript's letters for classes as POSIX has them.
std::string posix_pattern(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[++i];
      std::string_view name = next == 'd' ? "0-9" : next == 'w' ? "A-Za-z0-9_" : next == 's' ? " \t" : "";
      if (name.empty())
        out += in_class ? std::string(1, next) : std::string("\\") + next;
      else
        out += in_class ? std::string(name) : "[" + std::string(name) + "]";
    } else if (c == '(' && pattern.substr(i).starts_with("(?:")) {
      out += '(', i += 2;  // counts as a group: only where no group is asked for after it
    } else {
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      out += c;
    }
  }
  return out;
}

Result<std::optional<std::string>> match_group(const std::string& pattern, const std::string& text, std::size_t group) {
  std::string_view body = pattern;
  int flags = REG_EXTENDED;
  if (body.size() > 2 && body.starts_with('/') && body.rfind('/') > 0) {
    if (body.substr(body.rfind('/')).contains('i')) flags |= REG_ICASE;
    body = body.substr(1, body.rfind('/') - 1);
  }
  regex_t compiled;
  auto posix = posix_pattern(body);
  if (int code = ::regcomp(&compiled, posix.c_str(), flags); code != 0) {
    char why[128];
    ::regerror(code, &compiled, why, sizeof why);
    return fail(Kind::invalid, "pattern \"{}\": {}", pattern, why);
  }
  regmatch_t found[10];
  bool hit = ::regexec(&compiled, text.c_str(), 10, found, 0) == 0;
  ::regfree(&compiled);
  if (!hit || group >= 10 || found[group].rm_so < 0) return std::optional<std::string>();
  return std::optional(text.substr(static_cast<std::size_t>(found[group].rm_so),
                                   static_cast<std::size_t>(found[group].rm_eo - found[group].rm_so)));
}

class Tags {
 public:
  explicit Tags(const TagSource& source) : source_(source) {}

  Result<> set_flavor(const std::vector<std::string>& given) {
    for (auto& line : given) {
      std::string last;
      for (auto& [key, value] : tag_fields(line)) {
        bool boolean = value == "true" || value == "false";
        if (key == "latest" && (boolean || value == "auto"))
          flavor_.latest = value;
        else if (key == "prefix" || key == "suffix")
          (key == "prefix" ? flavor_.prefix : flavor_.suffix) = value, last = key;
        else if (key == "onlatest" && boolean && !last.empty())
          (last == "prefix" ? flavor_.prefix_latest : flavor_.suffix_latest) = value == "true";
        else
          return fail(Kind::invalid,
                      "flavor: \"{}\": want latest=auto|true|false, prefix=, suffix= and onlatest=true|false", line);
      }
    }
    return {};
  }

  Result<> apply(const Rule& rule) {
    TRY(auto enabled, fill_in(source_, get(rule.attributes, "enable", "true")));
    if (enabled != "true" && enabled != "false")
      return fail(Kind::invalid, "tags: \"{}\": enable is \"{}\", want true or false", rule.text, enabled);
    if (enabled == "false") return {};
    TRY_OK_IN(fmt::format("tags: \"{}\"", rule.text), by_type(rule));
    return {};
  }

  Result<ImageTags> finish() {
    ImageTags out;
    out.warnings = std::move(warnings_);
    if (names_.empty()) return out;
    out.version = names_[0];
    out.names = std::move(names_);
    if (latest_) {
      TRY(auto prefix, fill_in(source_, flavor_.prefix_latest ? flavor_.prefix : ""));
      TRY(auto suffix, fill_in(source_, flavor_.suffix_latest ? flavor_.suffix : ""));
      auto name = sanitize(prefix + "latest" + suffix);
      if (std::find(out.names.begin(), out.names.end(), name) == out.names.end()) out.names.push_back(name);
    }
    return out;
  }

 private:
  std::string branch() const { return after(source_.ref, "refs/heads/"); }
  std::string tag() const { return after(source_.ref, "refs/tags/"); }

  Result<> by_type(const Rule& rule) {
    if (rule.type == "raw") {
      TRY(auto value, fill_in(source_, get(rule.attributes, "value")));
      return add(rule, value, false);
    }
    if (rule.type == "sha")
      return add(rule, source_.sha.substr(0, get(rule.attributes, "format") == "long" ? 64 : 7), false);
    if (rule.type == "schedule") {
      if (source_.event_name != "schedule") return {};
      TRY(auto value, fill_in(source_, get(rule.attributes, "pattern", "nightly")));
      return add(rule, value, false);
    }
    if (rule.type == "edge") {
      if (branch().empty()) return {};
      TRY(auto wanted, fill_in(source_, get(rule.attributes, "branch")));
      return (wanted.empty() ? source_.default_branch : wanted) == branch() ? add(rule, "edge", false) : Result<>{};
    }
    if (rule.type == "ref") return reference(rule, get(rule.attributes, "event"));
    TRY(auto value, fill_in(source_, get(rule.attributes, "value")));
    if (value.empty()) value = tag();
    if (value.empty()) return {};
    return rule.type == "match" ? match(rule, value) : version(rule, value);
  }

  Result<> reference(const Rule& rule, const std::string& on) {
    if (on == "branch") return add(rule, branch(), false);
    if (on == "tag") return add(rule, tag(), true);
    auto number = after(source_.ref, "refs/pull/");
    number = number.substr(0, number.find('/'));
    if (number.empty() && source_.event_name.starts_with("pull_request") && source_.number > 0)
      number = std::to_string(source_.number);
    return add(rule, number, false);
  }

  Result<> version(const Rule& rule, const std::string& raw) {
    auto parsed = rule.type == "semver" ? parse_semver(raw) : parse_pep440(raw);
    if (!parsed) {
      warnings_.push_back(rule.type == "semver"
                              ? fmt::format("{} is not a valid semver. More info: https://semver.org/", raw)
                              : fmt::format("{} does not conform to PEP 440", raw));
      return {};
    }
    auto pattern = get(rule.attributes, "pattern");
    bool raw_alone = replace_all(pattern, " ", "") == "{{raw}}";
    if (parsed->prerelease && !raw_alone) pattern = "{{version}}";  // 1.2 must not move to 1.2.3-rc.1
    TRY(auto value, fill_in(source_, with_version(pattern, *parsed, raw)));
    return add(rule, value, !parsed->prerelease);
  }

  Result<> match(const Rule& rule, const std::string& value) {
    auto pattern = get(rule.attributes, "pattern");
    auto group = static_cast<std::size_t>(to_int(get(rule.attributes, "group", "0")).value_or(0));
    TRY(auto found, match_group(pattern, value, group));
    if (!found) {
      warnings_.push_back(fmt::format("{} does not match {}.", pattern, value));
      return {};
    }
    return add(rule, *found, true);
  }

  Result<> add(const Rule& rule, const std::string& value, bool latest) {
    if (value.empty()) return {};
    TRY(auto prefix, fill_in(source_, get(rule.attributes, "prefix", flavor_.prefix)));
    TRY(auto suffix, fill_in(source_, get(rule.attributes, "suffix", flavor_.suffix)));
    auto name = sanitize(prefix + value + suffix);
    if (names_.empty()) latest_ = flavor_.latest == "auto" ? latest : flavor_.latest == "true";
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
    return {};
  }

  const TagSource& source_;
  Flavor flavor_;
  std::vector<std::string> names_, warnings_;
  bool latest_ = false;
};

Result<Rule> parse_rule(const std::string& line) {
  Rule out;
  out.text = line, out.type = "raw";
  for (auto& [key, value] : tag_fields(line)) {
    if (key == "type")
      out.type = value;
    else
      out.attributes[key] = value;
  }
  auto wrong = [&](std::string_view what) { return fail(Kind::invalid, "tags: \"{}\": {}", line, what); };
  auto kind = std::find_if(std::begin(kinds), std::end(kinds), [&](auto& k) { return k.type == out.type; });
  if (kind == std::end(kinds))
    return wrong(
        fmt::format("unknown type \"{}\", want schedule, semver, pep440, match, edge, ref, raw or sha", out.type));
  auto has = [&](const char* key) { return out.attributes.contains(key); };
  if ((out.type == "semver" || out.type == "pep440" || out.type == "match") && !has("pattern"))
    return wrong("the attribute pattern is missing");
  if (out.type == "match" && !to_int(get(out.attributes, "group", "0"))) return wrong("group: want a number");
  auto on = get(out.attributes, "event");
  if (out.type == "ref" && on != "branch" && on != "tag" && on != "pr") return wrong("event: want branch, tag or pr");
  if (out.type == "raw" && !has("value")) return wrong("the attribute value is missing");
  auto format = get(out.attributes, "format", "short");
  if (out.type == "sha" && format != "short" && format != "long") return wrong("format: want short or long");
  if (out.type == "sha") out.attributes.try_emplace("prefix", "sha-");
  if (out.type == "ref" && on == "pr") out.attributes.try_emplace("prefix", "pr-");
  out.priority = to_double(get(out.attributes, "priority")).value_or(kind->priority);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> tag_fields(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& field : split_quoted(line)) {
    if (trim(field).empty()) continue;
    if (auto pair = cut(field, "="))
      out.emplace_back(lower(trim(pair->first)), std::string(trim(pair->second)));
    else
      out.emplace_back("value", std::string(trim(field)));
  }
  return out;
}

Result<std::string> fill_in(const TagSource& source, const std::string& text) {
  std::string out;
  std::string_view rest = text;
  auto slashless = [](std::string name) { return replace_all(std::move(name), "/", "-"); };
  auto branch = after(source.ref, "refs/heads/"), tag = after(source.ref, "refs/tags/");
  for (auto open = rest.find("{{"); open != std::string_view::npos; open = rest.find("{{")) {
    auto close = rest.find("}}", open);
    if (close == std::string_view::npos) return fail(Kind::invalid, "\"{}\": {{{{ without }}}}", text);
    out += rest.substr(0, open);
    auto inner = trim(rest.substr(open + 2, close - open - 2));
    rest.remove_prefix(close + 2);
    auto word = inner.substr(0, inner.find(' '));
    if (word == "branch") {
      out += slashless(branch);
    } else if (word == "tag") {
      out += slashless(tag);
    } else if (word == "sha") {
      out += source.sha.substr(0, 7);
    } else if (word == "base_ref") {
      out += slashless(source.base_ref);
    } else if (word == "is_default_branch" || word == "is_not_default_branch") {
      bool is = branch == source.default_branch;
      out += is == (word == "is_default_branch") ? "true" : "false";
    } else if (word == "date" || word == "commit_date") {
      auto quote = inner.find_first_of("'\"");
      auto end = quote == std::string_view::npos ? quote : inner.find(inner[quote], quote + 1);
      if (end == std::string_view::npos) return fail(Kind::invalid, "\"{}\": {} wants a format in quotes", text, word);
      if (auto zone = inner.find("tz="); zone != std::string_view::npos && !inner.substr(zone).contains("UTC"))
        return fail(Kind::invalid, "\"{}\": times are in UTC here, leave tz away", text);
      out += format_time(word == "date" ? source.now : source.committed, inner.substr(quote + 1, end - quote - 1));
    } else {
      return fail(Kind::invalid, "\"{}\": unknown expression {{{{{}}}}}", text, inner);
    }
  }
  return out + std::string(rest);
}

Result<ImageTags> image_tags(const TagSource& source, std::vector<std::string> lines,
                             const std::vector<std::string>& flavor) {
  if (lines.empty()) lines = {"type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"};
  std::vector<Rule> rules;
  for (auto& line : lines) {
    TRY(auto rule, parse_rule(line));
    rules.push_back(std::move(rule));
  }
  std::stable_sort(rules.begin(), rules.end(), [](auto& a, auto& b) { return a.priority > b.priority; });
  Tags tags(source);
  TRY_OK(tags.set_flavor(flavor));
  for (auto& rule : rules) TRY_OK(tags.apply(rule));
  return tags.finish();
}

}  // namespace slipway::ci
