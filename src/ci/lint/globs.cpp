#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

// Checks a filter pattern as it is read, character by character; `reference`: of branches and tags, whose names git
// restricts.
class Pattern {
 public:
  Pattern(Lint& lint, const YamlNode& node, bool reference)
      : lint_(lint), node_(node), text_(node.text), reference_(reference) {}

  void check() {
    if (text_.starts_with('!')) {
      at_ = 1;
      if (text_.size() == 1) return wrong(0, "a pattern must follow '!'");
    }
    if (reference_ && text_.substr(at_).starts_with('/'))
      wrong(at_, "a name of a branch or tag does not start with '/'");
    while (at_ < text_.size()) {
      if (!one()) return;
    }
    if (reference_ && (text_.ends_with('/') || text_.ends_with('.')))
      wrong(text_.size() - 1, "a name of a branch or tag does not end with '/' or '.'");
  }

 private:
  bool one() {
    char c = text_[at_];
    switch (c) {
      case '\\':
        return escape();
      case '?':
      case '+':
        if (!repeatable_) {
          wrong(at_, fmt::format("'{}' must follow a character to repeat, not a special one", c));
          return false;
        }
        repeatable_ = false;
        break;
      case '*':
        repeatable_ = false;
        break;
      case '[':
        return set();
      case '\r':
      case '\n':
        wrong(at_, "a line break is no part of a pattern");
        return false;
      case ' ':
      case '\t':
      case '~':
      case '^':
      case ':':
        if (reference_)
          wrong(at_,
                fmt::format("'{}' is no part of a name of a branch or tag; patterns are no regular expressions", c));
        repeatable_ = true;
        break;
      default:
        repeatable_ = true;
    }
    ++at_;
    return true;
  }

  bool escape() {
    constexpr std::string_view special = "[?*+\\!";
    bool good = at_ + 1 < text_.size() && special.contains(text_[at_ + 1]);
    if (!good && reference_) wrong(at_, "'\\' stands only before [ ? * + \\ !; patterns are no regular expressions");
    at_ += good ? 2 : 1;
    repeatable_ = true;
    return true;
  }

  bool set() {
    auto start = ++at_;
    std::size_t members = 0;
    for (;; ++at_, ++members) {
      if (at_ >= text_.size()) {
        wrong(text_.size() - 1, "the set that starts with '[' has no ']'");
        return false;
      }
      char c = text_[at_];
      if (c == ']') break;
      if (at_ + 2 < text_.size() && text_[at_ + 1] == '-' && text_[at_ + 2] != ']') {
        if (c > text_[at_ + 2]) {
          wrong(at_ + 2, fmt::format("the range {}-{} is empty", c, text_[at_ + 2]));
          return false;
        }
        at_ += 2, ++members;
      }
    }
    if (members == 1) wrong(at_, fmt::format("a set of one: write {} alone", text_.substr(start, 1)));
    if (members == 0) wrong(at_, "the set is empty");
    ++at_;
    repeatable_ = true;
    return true;
  }

  void wrong(std::size_t at, std::string message) {
    lint_.add("glob", {node_.line, node_.column + (node_.quoted ? 1 : 0) + static_cast<int>(at)},
              fmt::format("pattern '{}': {}", text_, message));
  }

  Lint& lint_;
  const YamlNode& node_;
  std::string_view text_;
  bool reference_, repeatable_ = false;
  std::size_t at_ = 0;
};

}  // namespace

void check_reference_glob(Lint& lint, const YamlNode& node) { Pattern(lint, node, true).check(); }

void check_path_glob(Lint& lint, const YamlNode& node) {
  std::string_view text = node.text;
  auto bare = text.starts_with('!') ? text.substr(1) : text;
  auto wrong = [&](std::string message) {
    lint.add("glob", {node.line, node.column + (node.quoted ? 1 : 0)}, fmt::format("pattern '{}': {}", text, message));
  };
  if (trim(text) != text) return wrong("blanks at the ends of a path");
  if (bare == "." || bare == ".." || bare.starts_with("./") || bare.starts_with("../"))
    return lint.add("glob", node.quoted ? Spot{node.line, node.column + 1} : spot(node),
                    fmt::format("pattern '{}': paths are those of the repository, without '.' and '..'", text));
  Pattern(lint, node, false).check();
}

}  // namespace slipway::ci
