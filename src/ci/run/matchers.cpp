#include "ci/run/matchers.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_matchers = 200;
constexpr std::int64_t max_memory = 4 << 20;  // of one pattern
constexpr int max_group = 99;

// Which group of a pattern gives which property.
struct Groups {
  int file = 0, from_path = 0, line = 0, column = 0, severity = 0, code = 0, message = 0;
};
struct Pattern {
  std::unique_ptr<RE2> expression;
  Groups groups;
  bool loop = false;
};

Result<int> group_of(doc::View view, const char* name, int there) {
  auto field = view[name];
  if (!field.present()) return 0;
  TRY(auto number, field.num());
  if (number < 0 || number > max_group || number > there)
    return field.wrong(fmt::format("group {} is not in the expression, which has {}", number, there));
  return static_cast<int>(number);
}

Result<Pattern> pattern_from(doc::View view) {
  Pattern out;
  TRY(auto text, view["regexp"].str());
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(max_memory);
  out.expression = std::make_unique<RE2>(text, options);
  if (!out.expression->ok())
    return Fail(view["regexp"]
                    .wrong(out.expression->error())
                    .error()
                    .with_hint("patterns are RE2: without look-around and back references"));
  auto there = out.expression->NumberOfCapturingGroups();
  std::pair<const char*, int*> wanted[] = {
      {"file", &out.groups.file},       {"fromPath", &out.groups.from_path}, {"line", &out.groups.line},
      {"column", &out.groups.column},   {"severity", &out.groups.severity},  {"code", &out.groups.code},
      {"message", &out.groups.message},
  };
  for (auto& [name, place] : wanted) {
    TRY(*place, group_of(view, name, there));
  }
  out.loop = view["loop"].bool_or(false);
  return out;
}

// What a pattern found, over what the ones before it did.
void take(MatchedIssue& issue, const Groups& groups, const std::vector<re2::StringPiece>& found) {
  auto text = [&](int group, std::string& to) {
    if (group > 0 && found[static_cast<std::size_t>(group)].data())
      to.assign(found[static_cast<std::size_t>(group)].data(), found[static_cast<std::size_t>(group)].size());
  };
  auto number = [&](int group, int& to) {
    std::string digits;
    text(group, digits);
    if (auto value = to_int(digits); value && *value >= 0 && *value < 1'000'000'000) to = static_cast<int>(*value);
  };
  text(groups.file, issue.file), text(groups.from_path, issue.from_path), text(groups.code, issue.code);
  text(groups.message, issue.message);
  std::string severity;
  text(groups.severity, severity);
  if (!severity.empty()) issue.severity = lower(severity);
  number(groups.line, issue.line), number(groups.column, issue.column);
}

}  // namespace

struct Matchers::Matcher {
  std::string owner, severity, from_path;
  std::vector<Pattern> patterns;
  std::size_t next = 0;  // the pattern that is to match now
  MatchedIssue so_far;

  void restart() {
    next = 0;
    so_far = MatchedIssue{};
  }

  bool matches(const Pattern& pattern, std::string_view line, MatchedIssue& issue) const {
    std::vector<re2::StringPiece> found(static_cast<std::size_t>(pattern.expression->NumberOfCapturingGroups()) + 1);
    re2::StringPiece text(line.data(), line.size());
    if (!pattern.expression->Match(text, 0, line.size(), RE2::UNANCHORED, found.data(), static_cast<int>(found.size())))
      return false;
    take(issue, pattern.groups, found);
    return true;
  }

  // Rule: patterns follow each other line by line; the last one, when it loops, matches again and again with what the
  // first ones found; a line that does not go on is tried as a first one.
  std::optional<MatchedIssue> take_line(std::string_view line) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      auto issue = so_far;
      if (!matches(patterns[next], line, issue)) {
        if (next == 0) return {};
        restart();
        continue;
      }
      if (next + 1 < patterns.size()) {
        ++next;
        so_far = std::move(issue);
        return {};
      }
      if (!patterns[next].loop) restart();
      if (issue.severity.empty()) issue.severity = severity;
      if (issue.from_path.empty()) issue.from_path = from_path;
      return issue;
    }
    return {};
  }
};

Matchers::Matchers() = default;
Matchers::~Matchers() = default;
Matchers::Matchers(Matchers&&) noexcept = default;
Matchers& Matchers::operator=(Matchers&&) noexcept = default;

Result<std::vector<std::string>> Matchers::add(std::string_view json, const std::string& file) {
  TRY(auto document, doc::parse_json(json, file));
  auto list = doc::View(document, file)["problemMatcher"];
  if (!list.present()) return fail(Kind::invalid, "{}: want \"problemMatcher\", a list", file);
  std::vector<std::unique_ptr<Matcher>> fresh;
  std::vector<std::string> owners;
  for (auto item : list.items()) {
    auto matcher = std::make_unique<Matcher>();
    TRY(matcher->owner, item["owner"].str());
    if (matcher->owner.empty()) return item["owner"].wrong("is empty");
    matcher->severity = lower(item["severity"].text()), matcher->from_path = item["fromPath"].text();
    for (auto pattern : item["pattern"].items()) {
      TRY(auto parsed, pattern_from(pattern));
      matcher->patterns.push_back(std::move(parsed));
    }
    if (matcher->patterns.empty()) return fail(Kind::invalid, "{}: matcher '{}' has no pattern", file, matcher->owner);
    for (std::size_t i = 0; i < matcher->patterns.size(); ++i)
      if (matcher->patterns[i].loop && (i == 0 || i + 1 < matcher->patterns.size()))
        return fail(Kind::invalid, "{}: matcher '{}': only the last of several patterns may loop", file,
                    matcher->owner);
    if (matcher->patterns.back().groups.message == 0)
      return fail(Kind::invalid, "{}: matcher '{}': its last pattern gives no message", file, matcher->owner);
    owners.push_back(matcher->owner);
    fresh.push_back(std::move(matcher));
  }
  if (matchers_.size() + fresh.size() > max_matchers)
    return fail(Kind::invalid, "{}: more than {} problem matchers", file, max_matchers);
  for (auto& matcher : fresh) {
    remove(matcher->owner);
    matchers_.insert(matchers_.begin(), std::move(matcher));
  }
  return owners;
}

void Matchers::remove(std::string_view owner) {
  std::erase_if(matchers_, [&](auto& matcher) { return iequals(matcher->owner, owner); });
}

std::optional<MatchedIssue> Matchers::match(std::string_view line) {
  for (auto& matcher : matchers_) {
    auto issue = matcher->take_line(line);
    if (!issue) continue;
    for (auto& other : matchers_)
      if (other != matcher) other->restart();
    return issue;
  }
  return {};
}

}  // namespace slipway::ci
