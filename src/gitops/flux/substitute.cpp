#include "gitops/flux/substitute.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "gitops/options.h"

namespace slipway::gitops::flux {
namespace {

constexpr int deepest = 20;
constexpr std::size_t largest = std::size_t{16} << 20;

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

char folded(char c, bool up) {
  auto byte = static_cast<unsigned char>(c);
  return static_cast<char>(up ? std::toupper(byte) : std::tolower(byte));
}

// Which prefix (or suffix) a pattern takes away: the shortest, or the longest.
std::string trimmed(const std::string& value, std::string_view pattern, bool front, bool longest) {
  auto fits = [&](std::size_t size) {
    auto part = front ? std::string_view(value).substr(0, size) : std::string_view(value).substr(value.size() - size);
    return glob_match(pattern, replace_all(std::string(part), "/", "\x01"));
  };
  for (std::size_t i = 0; i <= value.size(); ++i) {
    auto size = longest ? value.size() - i : i;
    if (fits(size)) return front ? value.substr(size) : value.substr(0, value.size() - size);
  }
  return value;
}

class Expander {
 public:
  Expander(std::string_view text, const Variables& variables) : text_(text), variables_(variables) {}

  // Up to the end, or to one of the letters of `ends`, which stays.
  Result<std::string> run(std::string_view ends, int depth) {
    if (depth > deepest) return fail(Kind::invalid, "variables are nested deeper than {} levels", deepest);
    std::string out;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (ends.find(c) != std::string_view::npos) return out;
      if (text_.substr(at_).starts_with("$${")) {
        out += "${", at_ += 3;
      } else if (text_.substr(at_).starts_with("${")) {
        at_ += 2;
        TRY(auto value, expression(depth));
        out += value;
      } else {
        out += c, ++at_;
      }
      if (out.size() > largest) return fail(Kind::invalid, "variables make a text of more than 16 MiB");
    }
    return out;
  }

 private:
  Fail wrong(std::string_view what) const {
    auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n');
    return fail(Kind::invalid, "line {}: {}", line, what);
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  Result<> close() { return take("}") ? Result<>{} : Result<>(wrong("a ${ is not closed")); }

  // Behind "${".
  Result<std::string> expression(int depth) {
    bool length = text_.substr(at_).starts_with("#") && at_ + 1 < text_.size() && is_name_char(text_[at_ + 1]);
    if (length) ++at_;
    auto start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    auto name = text_.substr(start, at_ - start);
    if (!is_variable_name(name)) return wrong("a ${ is not followed by a name; write $${ for the text itself");
    auto found = variables_.find(std::string(name));
    auto value = found == variables_.end() ? std::string() : found->second;
    if (length) {
      TRY_OK(close());
      return std::to_string(value.size());
    }
    if (take("}")) return value;
    return operation(std::move(value), found != variables_.end(), depth);
  }

  Result<std::string> operation(std::string value, bool set, int depth) {
    if (take("^^") || take("^")) return changed_case(std::move(value), true, text_[at_ - 2] == '^');
    if (take(",,") || take(",")) return changed_case(std::move(value), false, text_[at_ - 2] == ',');
    if (take("##")) return trim_value(std::move(value), true, true, depth);
    if (take("#")) return trim_value(std::move(value), true, false, depth);
    if (take("%%")) return trim_value(std::move(value), false, true, depth);
    if (take("%")) return trim_value(std::move(value), false, false, depth);
    if (take("/")) return replaced(std::move(value), depth);
    bool colon = take(":");
    bool empty = colon ? value.empty() : !set;
    for (std::string_view word : {"-", "=", "?", "+"}) {
      if (!take(word)) continue;
      TRY(auto other, run("}", depth + 1));
      TRY_OK(close());
      if (word == "+") return empty ? "" : other;
      if (word == "?" && empty) return wrong(other.empty() ? "a variable is not set" : other);
      return empty ? other : value;
    }
    if (colon) return part(value);
    return wrong("a ${ has an operation that is not known");
  }

  Result<std::string> changed_case(std::string value, bool up, bool all) {
    TRY_OK(close());
    for (std::size_t i = 0; i < (all ? value.size() : std::min<std::size_t>(1, value.size())); ++i)
      value[i] = folded(value[i], up);
    return value;
  }

  Result<std::string> trim_value(std::string value, bool front, bool longest, int depth) {
    TRY(auto pattern, run("}", depth + 1));
    TRY_OK(close());
    if (value.size() > 10000) return wrong("a pattern is applied to a value of more than 10000 bytes");
    return trimmed(value, replace_all(pattern, "/", "\x01"), front, longest);
  }

  Result<std::string> replaced(std::string value, int depth) {
    bool all = take("/");
    bool front = !all && take("#"), back = !all && !front && take("%");
    TRY(auto from, run("/}", depth + 1));
    std::string to;
    if (take("/")) {
      TRY(to, run("}", depth + 1));
    }
    TRY_OK(close());
    if (from.empty()) return value;
    if (all) return replace_all(std::move(value), from, to);
    if (front) return value.starts_with(from) ? to + value.substr(from.size()) : value;
    if (back) return value.ends_with(from) ? value.substr(0, value.size() - from.size()) + to : value;
    if (auto at = value.find(from); at != std::string::npos) value.replace(at, from.size(), to);
    return value;
  }

  // ${v:position} and ${v:position:length}
  Result<std::string> part(const std::string& value) {
    TRY(auto from, number());
    auto size = static_cast<std::int64_t>(value.size());
    std::int64_t length = size;
    if (take(":")) {
      TRY(length, number());
    }
    TRY_OK(close());
    if (from < 0) from = std::max<std::int64_t>(0, size + from);
    if (from > size) return std::string();
    if (length < 0) length = std::max<std::int64_t>(0, size + length - from);
    return value.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(length));
  }
  Result<std::int64_t> number() {
    while (take(" ")) {
    }
    auto start = at_;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    auto value = to_int(text_.substr(start, at_ - start));
    if (!value) return wrong("a ${name:position} wants a number");
    return *value;
  }

  std::string_view text_;
  const Variables& variables_;
  std::size_t at_ = 0;
};

bool is_left_out(const doc::Value& object) { return flux_word(object, "substitute") == "disabled"; }

}  // namespace

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(), is_name_char);
}

Result<std::string> expand(std::string_view text, const Variables& variables) {
  return Expander(text, variables).run("", 0);
}

Result<> substitute(std::vector<doc::Value>& objects, const Variables& variables) {
  for (auto& object : objects) {
    if (is_left_out(object)) continue;
    auto text = doc::print_yaml(object, {.sort_keys = true});
    if (text.find("${") == std::string::npos) continue;
    auto name = fmt::format("{} {}", object.str_at({"kind"}), object.str_at({"metadata", "name"}));
    TRY_IN(auto expanded, "post build of " + name, expand(text, variables));
    TRY(auto read, doc::parse_yaml(expanded, {.source = "post build of " + name}));
    if (!read.is_map()) return fail(Kind::invalid, "post build of {}: is no object any more", name);
    object = std::move(read);
  }
  return {};
}

void set_metadata(std::vector<doc::Value>& objects, const doc::Value& metadata) {
  for (auto part : {"labels", "annotations"})
    for (const auto& [key, value] : doc::View(metadata)[part].members())
      for (auto& object : objects) object["metadata"].map()[part].map()[key] = value.text();
}

}  // namespace slipway::gitops::flux
