#pragma once
// Signing in to clouds by what a machine, a Pod or a login there has: no password is kept. A machine's own service is
// asked only where the firmware, or the environment, says that there is one.
#include <functional>
#include <optional>

#include "base/files.h"
#include "base/time.h"
#include "doc/value.h"
#include "net/aws.h"

namespace slipway::cloud {

// Where we run, as far as it matters. The defaults are this machine and process.
struct Place {
  std::function<std::string(const std::string& name)> env;  // "" when it is not set
  fs::path home;
  fs::path dmi = "/sys/class/dmi/id";  // what the firmware says of the machine
  static Place here();
};

struct Call {
  const Ctx& ctx;
  net::Client& client;
  const Place& place;
  std::string env(const std::string& name) const { return place.env(name); }
  bool says(const char* file, std::string_view word) const;  // the firmware
  // 2xx, or an error with what the answer says: denied (400 to 403), unavailable. Redirects are not followed.
  Result<net::ClientResponse> send(net::ClientRequest request) const;
  Result<doc::Value> json(net::ClientRequest request) const;
};
using Fields = std::vector<std::pair<std::string, std::string>>;
net::ClientRequest form(std::string url, const Fields& fields);  // POST

// Of all that follow: nothing: nothing here signs in. Errors: denied (what is here was refused), invalid (a credentials
// file), unavailable.

struct AwsWish {
  std::string region;
  std::string profile;  // "": $AWS_PROFILE, or default
  std::string role;     // that is assumed then, "" for none
};
Result<std::optional<net::AwsKeys>> aws_keys(const Call& call, const AwsWish& wish);
// The first of these variables that is set, without a slash at its end, or `fallback`.
std::string first_of(const Call& call, std::initializer_list<const char*> names, std::string fallback);
// Where Security Token Service of a region answers.
std::string aws_sts(const Call& call, const std::string& region);

struct Token {
  std::string text;
  WallTime until;
};
Result<std::optional<Token>> google_token(const Call& call);

enum class AzureCloud { global, china, us_government };
// For `resource`, as the directory names it: a URL with a slash at its end, or an application's id.
Result<std::optional<Token>> azure_token(const Call& call, AzureCloud cloud, const std::string& resource);

}  // namespace slipway::cloud
