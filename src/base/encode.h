#pragma once
// Hex, base64, percent encoding.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

std::string to_hex(std::string_view bytes);
Result<std::string> from_hex(std::string_view hex);
std::string to_base64(std::string_view bytes);
std::string to_base64url(std::string_view bytes);  // no padding, RFC 4648 section 5
// Takes both alphabets, padding optional, line breaks skipped. Errors: invalid.
Result<std::string> from_base64(std::string_view text);
std::string percent_encode(std::string_view text);  // everything but unreserved
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace slipway
