#include "doc/view.h"

#include <cmath>

#include "base/text.h"
#include "doc/detail/number.h"

namespace slipway::doc {
namespace {

const Value& null_value() {
  static const Value null;
  return null;
}

bool plain_key(std::string_view key) {
  return !key.empty() && key.find_first_of(".[]\"' \t\n") == std::string_view::npos;
}

std::string key_step(std::string_view key) {
  return plain_key(key) ? fmt::format(".{}", key) : fmt::format("[\"{}\"]", key);
}

// Views keep no path: it is found by searching for the node, only when an error is made.
bool find_path_to(const Value& at, const Value* wanted, std::vector<std::string>& steps) {
  if (&at == wanted) return true;
  if (const auto* map = at.if_map()) {
    for (const auto& [key, value] : *map) {
      steps.push_back(key_step(key));
      if (find_path_to(value, wanted, steps)) return true;
      steps.pop_back();
    }
  } else if (const auto* list = at.if_list()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      steps.push_back(fmt::format("[{}]", i));
      if (find_path_to((*list)[i], wanted, steps)) return true;
      steps.pop_back();
    }
  }
  return false;
}

std::string_view article(Type type) {
  switch (type) {
    case Type::null:
      return "null";
    case Type::boolean:
      return "a boolean";
    case Type::integer:
      return "an integer";
    case Type::number:
      return "a number";
    case Type::string:
      return "a string";
    case Type::list:
      return "a list";
    case Type::map:
      return "a map";
  }
  return "";
}

Fail want(const View& view, std::string_view what) {
  if (!view.exists()) return view.wrong(fmt::format("missing, want {}", what));
  return view.wrong(fmt::format("want {}, got {}", what, article(view.value().type())));
}

}  // namespace

View View::operator[](std::string_view key) const {
  if (node_ != nullptr) {
    if (const auto* child = node_->find(key)) {
      View view(root_, child, source_, {});
      return view;
    }
  }
  View absent(root_, nullptr, source_, missing_ + key_step(key));
  absent.parent_ = node_ != nullptr ? node_ : parent_;
  return absent;
}

View View::operator[](std::size_t index) const {
  const auto* list = node_ != nullptr ? node_->if_list() : nullptr;
  if (list != nullptr && index < list->size()) return View(root_, &(*list)[index], source_, {});
  View absent(root_, nullptr, source_, fmt::format("{}[{}]", missing_, index));
  absent.parent_ = node_ != nullptr ? node_ : parent_;
  return absent;
}

const Value& View::value() const { return node_ != nullptr ? *node_ : null_value(); }

Mark View::mark() const {
  const Value* at = node_ != nullptr ? node_ : parent_;
  return at != nullptr ? at->mark() : Mark{};
}

Result<std::string> View::str() const {
  if (const auto* text = value().if_string()) return *text;
  return want(*this, "a string");
}

Result<std::int64_t> View::num() const {
  if (const auto* whole = value().if_int()) return *whole;
  if (const auto* real = value().if_double();
      real != nullptr && std::trunc(*real) == *real && std::fabs(*real) < 0x1p63) {
    return static_cast<std::int64_t>(*real);
  }
  return want(*this, "an integer");
}

Result<double> View::real() const {
  if (const auto* whole = value().if_int()) return static_cast<double>(*whole);
  if (const auto* real = value().if_double()) return *real;
  return want(*this, "a number");
}

Result<bool> View::boolean() const {
  if (const auto* yes = value().if_bool()) return *yes;
  return want(*this, "true or false");
}

Result<std::vector<View>> View::list() const {
  if (!value().is_list()) return want(*this, "a list");
  return items();
}

Result<std::vector<std::pair<std::string, View>>> View::map() const {
  if (!value().is_map()) return want(*this, "a map");
  return members();
}

Result<Millis> View::duration() const {
  if (value().is_number()) {
    TRY(double seconds, real());
    if (!(std::fabs(seconds) < 1e12)) return wrong("this many seconds cannot be counted");
    return Millis(static_cast<std::int64_t>(std::llround(seconds * 1000)));
  }
  const auto* text = value().if_string();
  if (text == nullptr) return want(*this, "a duration such as 30s or 1h30m");
  auto parsed = parse_duration(*text);
  if (!parsed) return wrong(parsed.error().what());
  return *parsed;
}

Result<std::vector<std::string>> View::strings() const {
  if (!value().is_list()) return want(*this, "a list of strings");
  std::vector<std::string> all;
  for (const auto& item : items()) {
    TRY(auto text, item.str());
    all.push_back(std::move(text));
  }
  return all;
}

std::string View::str_or(std::string_view fallback) const {
  const auto* text = value().if_string();
  return text != nullptr ? *text : std::string(fallback);
}

std::int64_t View::num_or(std::int64_t fallback) const {
  return value().is_number() ? num().value_or(fallback) : fallback;
}
double View::real_or(double fallback) const { return value().is_number() ? real().value_or(fallback) : fallback; }
bool View::bool_or(bool fallback) const { return value().is_bool() ? *value().if_bool() : fallback; }

std::vector<View> View::items() const {
  std::vector<View> all;
  if (const auto* list = value().if_list()) {
    all.reserve(list->size());
    for (const auto& item : *list) all.push_back(View(root_, &item, source_, {}));
  }
  return all;
}

std::vector<std::pair<std::string, View>> View::members() const {
  std::vector<std::pair<std::string, View>> all;
  if (const auto* map = value().if_map()) {
    all.reserve(map->size());
    for (const auto& [key, item] : *map) all.emplace_back(key, View(root_, &item, source_, {}));
  }
  return all;
}

std::string View::text() const {
  const auto& v = value();
  if (const auto* text = v.if_string()) return *text;
  if (const auto* whole = v.if_int()) return fmt::format("{}", *whole);
  if (const auto* real = v.if_double()) return json_number(*real);
  if (const auto* yes = v.if_bool()) return *yes ? "true" : "false";
  return {};
}

std::string View::path() const {
  std::vector<std::string> steps;
  const Value* anchor = node_ != nullptr ? node_ : parent_;
  if (anchor != nullptr && root_ != nullptr) find_path_to(*root_, anchor, steps);
  auto text = join(steps, "") + missing_;
  return text.empty() ? "." : text;
}

Fail View::wrong(std::string_view what) const {
  std::string place;
  auto at = mark();
  if (!source_.empty())
    place = at.line != 0 ? fmt::format("{}:{}:{}: ", source_, at.line, at.column) : fmt::format("{}: ", source_);
  return fail(Kind::invalid, "{}{}: {}", place, path(), what);
}

}  // namespace slipway::doc
