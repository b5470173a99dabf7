#include "forge/forge.h"

#include "forge/detail/rest.h"
#include "net/http.h"

namespace slipway::forge {

std::string_view to_string(State state) {
  switch (state) {
    case State::pending:
      return "pending";
    case State::success:
      return "success";
    case State::failure:
      return "failure";
    case State::error:
      return "error";
  }
  return "?";
}

Result<> Forge::set_deployment(const Ctx& ctx, const Deployment& deployment) {
  return set_status(ctx, {deployment.repository, deployment.commit, "deploy/" + deployment.environment,
                          deployment.state, deployment.description, deployment.url});
}

Result<std::unique_ptr<Forge>> connect(ForgeOptions options) {
  if (options.api.empty()) {
    switch (options.provider) {
      case Provider::github:
        options.api = "https://api.github.com";
        break;
      case Provider::gitlab:
        options.api = "https://gitlab.com/api/v4";
        break;
      case Provider::bitbucket:
        options.api = "https://api.bitbucket.org/2.0";
        break;
      default:
        return Fail(Error(Kind::invalid,
                          fmt::format("{}: has no public service, want its API's address", to_string(options.provider)))
                        .with_hint("such as https://git.example.org/api/v1"));
    }
  }
  TRY_IN(auto url, "forge API", net::parse_url(options.api));
  if (url.scheme != "http" && url.scheme != "https") return fail(Kind::invalid, "{}: want http or https", options.api);
  if (options.token.empty()) return fail(Kind::invalid, "{}: no token is set", to_string(options.provider));
  switch (options.provider) {
    case Provider::github:
      return make_github(options);
    case Provider::gitlab:
      return make_gitlab(options);
    case Provider::gitea:
      return make_gitea(options);
    case Provider::bitbucket:
      return make_bitbucket(options);
    case Provider::bitbucket_server:
      return make_bitbucket_server(options);
  }
  return fail(Kind::internal, "unknown provider");
}

}  // namespace slipway::forge
