#pragma once
// A notice in the form each channel takes.
#include "doc/value.h"
#include "net/client.h"
#include "notify/notify.h"

namespace slipway::notify::detail {

struct Rendered {
  std::string title, text;
};
// Incoming webhook or chat.postMessage: at most 3,000 characters a section, ten fields.
doc::Value slack_message(const Rendered& message, const path::Notice& notice);
// An adaptive card for a Workflows webhook; well below its 28 KB.
doc::Value teams_message(const Rendered& message, const path::Notice& notice);
doc::Value webhook_message(const Rendered& message, const path::Notice& notice);
net::Mail mail_message(const Rendered& message, const path::Notice& notice, const Target& target);

}  // namespace slipway::notify::detail
