#pragma once
// What the clouds' sign-ins share.
#include "doc/view.h"
#include "oci/cloud.h"

namespace slipway::oci::cloud {

struct Call {
  const Ctx& ctx;
  net::Client& client;
  const CloudPlace& place;
  std::string env(const std::string& name) const { return place.env(name); }
  bool says(const char* file, std::string_view word) const;  // the firmware
  // 2xx, or an error with what the answer says: denied (400 to 403), unavailable. Redirects are not followed.
  Result<net::ClientResponse> send(net::ClientRequest request) const;
  Result<doc::Value> json(net::ClientRequest request) const;
};
using Fields = std::vector<std::pair<std::string, std::string>>;
net::ClientRequest form(std::string url, const Fields& fields);  // POST

using Grant = Result<std::optional<CloudGrant>>;
Grant aws(const Call& call, const std::string& host);
Grant google(const Call& call, const std::string& host);
Grant azure(const Call& call, const std::string& host, const std::string& base);

}  // namespace slipway::oci::cloud
