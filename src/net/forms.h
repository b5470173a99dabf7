#pragma once
// What older services take and answer: form fields, and XML of which a tag is enough.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::net {

// application/x-www-form-urlencoded
std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields);
// What a tag holds, without entities; "" when it is not there.
std::string text_in_xml(std::string_view xml, std::string_view tag);

}  // namespace slipway::net
