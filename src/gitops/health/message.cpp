// What a rule says: its text with {fields} of the object.
#include "base/text.h"
#include "gitops/health/functions.h"
#include "gitops/health/rules.h"
#include "gitops/rules/fields.h"
#include "gitops/rules/terms.h"

namespace slipway::gitops::health {
namespace {

using namespace rules;

// The end of the {...} that begins before `text`; npos: it does not end.
std::size_t closing(std::string_view text) {
  int depth = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
    if (depth == 0) return i;
  }
  return text.npos;
}

// The | before what is said instead; filters have bars of their own.
std::size_t alternative(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
    if (depth == 0 && text[i] == '|') return i;
  }
  return text.npos;
}

// Written \n is the end of a line.
void say(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool ends = text[i] == '\\' && i + 1 < text.size() && text[i + 1] == 'n';
    out += ends ? '\n' : text[i];
    i += ends ? 1 : 0;
  }
}

struct Renderer {
  std::string_view conditions;
  std::string problem;

  // `each "SEPARATOR" PATH :: TEXT`, where the fields of TEXT are an element's.
  std::string each(std::string_view text, const doc::Value& object) {
    auto quote = text.find('"', 1), middle = text.find(" :: ");
    if (!text.starts_with('"') || quote == text.npos || middle == text.npos) {
      problem = fmt::format("want each \"SEPARATOR\" .path :: text, got {}", text);
      return {};
    }
    std::string out, separator;
    say(separator, text.substr(1, quote - 1));
    std::size_t index = 0;
    for (const auto* element : at(object, trim(text.substr(quote + 1, middle - quote - 1)))) {
      if (index > 0) out += separator;
      out += all(text.substr(middle + 4), *element, ++index);
    }
    return out;
  }

  std::string field(std::string_view name, const doc::Value& object, std::size_t index) {
    if (name == "kind") return object.str_at({"kind"});
    if (name == "kind:lower") return lower(object.str_at({"kind"}));
    if (name == "name") return object.str_at({"metadata", "name"});
    if (name == "#") return std::to_string(index);
    if (name.starts_with('@')) {
      if (auto words = find_words(name.substr(1))) return words(object);
      problem = fmt::format("there are no words {}", name.substr(1));
      return {};
    }
    if (name.starts_with("each ")) return each(trim(name.substr(5)), object);
    if (name.starts_with("count ")) return std::to_string(at(object, trim(name.substr(6))).size());
    if (name.starts_with("all ")) {
      std::vector<std::string> found;
      for (const auto* value : at(object, trim(name.substr(4)))) found.push_back(text_of(*value));
      return join(found, ", ");
    }
    if (name.starts_with('.')) return first_text(object, name);
    auto [condition, part] = condition_field(name);
    return first_text(object, condition_path(conditions, condition, part.empty() ? "message" : part));
  }

  std::string all(std::string_view text, const doc::Value& object, std::size_t index = 0) {
    std::string out;
    while (!text.empty()) {
      auto open = text.find('{');
      say(out, text.substr(0, open));
      if (open == text.npos) break;
      text.remove_prefix(open + 1);
      auto end = closing(text);
      if (end == text.npos) {
        problem = "a { without its }";
        break;
      }
      auto inside = text.substr(0, end);
      text.remove_prefix(end + 1);
      auto bar = inside.starts_with("each ") ? inside.npos : alternative(inside);
      auto value = field(inside.substr(0, bar), object, index);
      if (value.empty() && bar != inside.npos) value = all(inside.substr(bar + 1), object, index);
      out += value;
    }
    return out;
  }
};

}  // namespace

std::string render(const Message& message, const doc::Value& object) {
  return Renderer{message.conditions, {}}.all(message.text, object);
}

std::string problem_of(const Message& message) {
  Renderer renderer{message.conditions, {}};
  renderer.all(message.text, doc::Value(doc::Map{}));
  return renderer.problem;
}

}  // namespace slipway::gitops::health
