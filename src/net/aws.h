#pragma once
// Requests to services of AWS, signed by Signature Version 4.
#include "base/time.h"
#include "net/client.h"

namespace slipway::net {

struct AwsKeys {
  std::string id, secret, session;  // session "" for keys of a user
};
// Sets X-Amz-Date, X-Amz-Security-Token and Authorization. All of the request counts: method, path, query, body, its
// Content-Type and X-Amz- headers. Errors: invalid (the URL).
Result<> sign_for_aws(ClientRequest& request, const AwsKeys& keys, const std::string& region,
                      const std::string& service, WallTime now);
// The signature in the URL's query instead: who has the URL may send this request for `seconds`. Of the headers only
// the host and those given count; they must be sent as they are. Errors: invalid (the URL).
Result<std::string> presign_for_aws(const ClientRequest& request, const AwsKeys& keys, const std::string& region,
                                    const std::string& service, WallTime now, int seconds);

}  // namespace slipway::net
