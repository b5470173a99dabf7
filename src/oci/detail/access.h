#pragma once
// Who may do what over HTTP: Basic, or tokens of our own by the rules of distribution's token service.
#include <memory>

#include "net/jwt.h"
#include "net/server.h"
#include "oci/registry.h"

namespace slipway::oci::detail {

struct Grant {
  std::string repository;
  std::vector<std::string> actions;
};
struct Visitor {
  Who who;
  std::optional<std::vector<Grant>> grants;  // what a token is for; absent: no token
};

// "repository:shop/web:pull,push", several by blanks; other types are left out. `*`: every action. What a client asks
// for is not what it gets.
std::vector<Grant> parse_scopes(std::string_view text);

// Threads: any.
class Access {
 public:
  static constexpr std::string_view token_path = "/v2/_token";
  static Result<std::unique_ptr<Access>> open(const RegistryOptions& options);

  // Errors: denied (wrong password, a token that is not ours or is too old).
  Result<Visitor> visitor(const net::Request& request) const;
  bool may(const Visitor& visitor, std::string_view repository, std::string_view action) const;
  // 401 with where to sign in, or 403 for those whom we know.
  net::Response refusal(const net::Request& request, const Visitor& visitor, std::string_view repository,
                        std::string_view action, std::string_view why = {}) const;
  // GET with Basic or without, POST as OAuth 2 has it.
  net::Response token(const Ctx& ctx, net::Request& request) const;

 private:
  explicit Access(const RegistryOptions& options) : options_(options) {}
  std::shared_ptr<const RegistryRules> rules() const;
  Result<Who> password(std::string_view authorization) const;
  net::Response grant(const Ctx& ctx, const Who& who, const std::vector<Grant>& asked, std::string refresh) const;

  const RegistryOptions& options_;
  std::optional<net::SigningKey> key_;
};

// The error body of the specification.
net::Response problem(int status, std::string_view code, std::string_view message);

}  // namespace slipway::oci::detail
