#pragma once
// Texts with fields of a notice: {{ title }}, {{ facts.commit }} or just {{ commit }}, {{ commit | short }}; sections
// {{#link}}...{{/link}} (only when it is not empty) and {{^link}}...{{/link}} (only when it is).
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "path/types.h"

namespace slipway::notify {

// Threads: as a value.
class Template {
 public:
  // Errors: invalid with line:col (an open tag, a section that does not end, an unknown filter).
  static Result<Template> parse(std::string_view text);
  // `escape` is applied to each inserted value. Absent fields are empty.
  std::string render(const path::Notice& notice, const std::function<std::string(std::string)>& escape = {}) const;

 private:
  struct Part {
    enum class Kind { text, field, section, inverted } kind = Kind::text;
    std::string name, filter;
    std::vector<Part> inside;
  };
  friend class TemplateReader;
  static void render_parts(const std::vector<Part>& parts, const path::Notice& notice,
                           const std::function<std::string(std::string)>& escape, std::string& out);
  std::vector<Part> parts_;
};

// id, event, severity, title, text, link, facts.<name>, or a fact's bare name; "" when absent.
std::string field_of(const path::Notice& notice, std::string_view name);

}  // namespace slipway::notify
