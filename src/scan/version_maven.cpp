// Maven's ComparableVersion (3.8): a tree of numbers, words and lists.
#include "base/text.h"
#include "scan/detail/versions.h"

namespace slipway::scan::detail {
namespace {

struct Item {
  enum class Kind { number, word, list } kind = Kind::list;
  std::string text;         // a number's digits without leading zeros ("0" for zero); a word's canonical form
  std::vector<Item> items;  // of a list
};

constexpr std::string_view qualifiers[] = {"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"};

// Known words by their place in the list; unknown ones after all of them, by their text.
std::string word_order(const std::string& word) {
  for (std::size_t i = 0; i < std::size(qualifiers); ++i)
    if (qualifiers[i] == word) return std::to_string(i);
  return std::to_string(std::size(qualifiers)) + "-" + word;
}
const std::string release_order = "5";  // of ""

Item make_word(std::string word, bool before_digit) {
  if (before_digit && word.size() == 1) {
    if (word == "a")
      word = "alpha";
    else if (word == "b")
      word = "beta";
    else if (word == "m")
      word = "milestone";
  }
  if (word == "ga" || word == "final" || word == "release")
    word.clear();
  else if (word == "cr")
    word = "rc";
  return {Item::Kind::word, std::move(word), {}};
}
Item make_number(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return {Item::Kind::number, digits.empty() ? "0" : std::string(digits), {}};
}

bool is_null(const Item& item) {
  switch (item.kind) {
    case Item::Kind::number:
      return item.text == "0";
    case Item::Kind::word:
      return word_order(item.text) == release_order;
    case Item::Kind::list:
      return item.items.empty();
  }
  return false;
}

void normalize(Item& list) {
  for (std::size_t i = list.items.size(); i-- > 0;) {
    if (is_null(list.items[i]))
      list.items.erase(list.items.begin() + static_cast<long>(i));
    else if (list.items[i].kind != Item::Kind::list)
      break;
  }
}

class MavenReader {
 public:
  explicit MavenReader(std::string_view version) : text_(lower(version.substr(0, 4096))) { stack_.emplace_back(); }

  Item read() {
    for (std::size_t i = 0; i < text_.size(); ++i) {
      char c = text_[i];
      if (c == '.')
        end_item(i);
      else if (c == '-')
        end_item(i), open_list();
      else if (is_digit(c))
        start(i, true);
      else
        start(i, false);
    }
    if (start_ < text_.size()) stack_.back().items.push_back(make(text_.substr(start_), digits_));
    while (stack_.size() > 1) close_list();
    normalize(stack_.back());
    return std::move(stack_.back());
  }

 private:
  static Item make(const std::string& token, bool digits) {
    return digits ? make_number(token) : make_word(token, false);
  }
  void end_item(std::size_t i) {
    if (i == start_)
      stack_.back().items.push_back(make_number("0"));
    else
      stack_.back().items.push_back(make(text_.substr(start_, i - start_), digits_));
    start_ = i + 1;
  }
  void open_list() { stack_.emplace_back(); }
  void close_list() {
    normalize(stack_.back());
    auto inner = std::move(stack_.back());
    stack_.pop_back();
    stack_.back().items.push_back(std::move(inner));
  }
  void start(std::size_t i, bool digit) {
    if (digit != digits_ && i > start_) {
      auto token = text_.substr(start_, i - start_);
      stack_.back().items.push_back(digit ? make_word(token, true) : make_number(token));
      start_ = i;
      open_list();
    }
    digits_ = digit;
  }
  std::string text_;
  std::vector<Item> stack_;
  std::size_t start_ = 0;
  bool digits_ = false;
};

int compare_to_nothing(const Item& item) {
  switch (item.kind) {
    case Item::Kind::number:
      return item.text == "0" ? 0 : 1;
    case Item::Kind::word:
      return sign(word_order(item.text).compare(release_order));
    case Item::Kind::list:
      for (const auto& inner : item.items)
        if (int order = compare_to_nothing(inner); order != 0) return order;
      return 0;
  }
  return 0;
}

int compare_items(const Item& a, const Item& b) {
  using Kind = Item::Kind;
  if (a.kind == Kind::number && b.kind == Kind::number) return compare_digits(a.text, b.text);
  if (a.kind == Kind::word && b.kind == Kind::word) return sign(word_order(a.text).compare(word_order(b.text)));
  if (a.kind == Kind::list && b.kind == Kind::list) {
    for (std::size_t i = 0; i < std::max(a.items.size(), b.items.size()); ++i) {
      int order = i >= a.items.size()   ? -compare_to_nothing(b.items[i])
                  : i >= b.items.size() ? compare_to_nothing(a.items[i])
                                        : compare_items(a.items[i], b.items[i]);
      if (order != 0) return order;
    }
    return 0;
  }
  // word < list < number
  auto rank = [](Kind kind) { return kind == Kind::word ? 0 : kind == Kind::list ? 1 : 2; };
  return rank(a.kind) < rank(b.kind) ? -1 : 1;
}

}  // namespace

int compare_maven(std::string_view a, std::string_view b) {
  return compare_items(MavenReader(a).read(), MavenReader(b).read());
}

}  // namespace slipway::scan::detail
