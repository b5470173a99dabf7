#pragma once
// What is handed to GnuPG of what somebody pushed.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::secret::detail {

// The packets of an armored detached signature: signatures and nothing else (what is compressed grows without end), at
// most eight of them. Rule: RFC 4880, sections 4.2 and 6.2. Errors: invalid.
Result<std::string> signature_packets(std::string_view armored);

}  // namespace slipway::secret::detail
