#include "net/forms.h"

#include "base/encode.h"
#include "base/text.h"

namespace slipway::net {

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields)
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", percent_encode(name), percent_encode(value));
  return out;
}

std::string text_in_xml(std::string_view xml, std::string_view tag) {
  auto rest = cut(xml, fmt::format("<{}>", tag));
  auto inner = rest ? cut(rest->second, fmt::format("</{}>", tag)) : std::nullopt;
  return inner ? std::string(trim(inner->first)) : std::string();
}

}  // namespace slipway::net
