#include "forge/catalog.h"

#include "base/encode.h"
#include "base/text.h"
#include "forge/detail/catalog.h"
#include "net/http.h"

namespace slipway::forge {

std::string_view to_string(Service service) {
  switch (service) {
    case Service::github:
      return "GitHub";
    case Service::gitlab:
      return "GitLab";
    case Service::gitea:
      return "Gitea";
    case Service::bitbucket:
      return "Bitbucket Cloud";
    case Service::bitbucket_server:
      return "Bitbucket Server";
    case Service::azure_devops:
      return "Azure DevOps";
  }
  return "?";
}

Result<std::string> said_or_none(doc::View view) {
  auto text = view.text();
  if (text.size() > 4096) return view.wrong("is longer than 4 KiB");
  for (unsigned char c : text)
    if (c < 0x20 || c == 0x7f) return view.wrong("holds a control character");
  return text;
}

Result<std::string> said(doc::View view) {
  TRY(auto text, said_or_none(view));
  if (text.empty()) return view.wrong("is missing in the answer");
  return text;
}

Result<std::string> part(const std::string& text) {
  if (text.empty() || text == "." || text == "..")
    return fail(Kind::invalid, "\"{}\": is no name of an organisation, repository or branch", text);
  return percent_encode(text);
}

Result<std::string> parts(const std::string& path) {
  std::string out;
  for (auto one : split(path, '/')) {
    if (one.empty() || one == "." || one == "..")
      return fail(Kind::invalid, "\"{}\": is no path in a repository", path);
    out += (out.empty() ? "" : "/") + percent_encode(one);
  }
  return out;
}

Result<CatalogBranch> branch_from(doc::View name, doc::View commit) {
  CatalogBranch branch;
  TRY(branch.name, said(name));
  TRY(branch.commit, said(commit));
  bool hex = branch.commit.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (!hex || branch.commit.size() < 40 || branch.commit.size() > 64) return commit.wrong("want a commit's id");
  return branch;
}

Result<std::vector<std::string>> labels_from(doc::View list) {
  std::vector<std::string> labels;
  for (const auto& label : list.items()) {
    TRY(auto text, said_or_none(label));
    labels.push_back(std::move(text));
  }
  return labels;
}

Result<bool> there(Result<Reply> reply) {
  if (reply) return true;
  if (reply.error().is(Kind::not_found)) return false;
  return Fail(std::move(reply).error());
}

ForgeOptions rest_options(const CatalogOptions& options) {
  ForgeOptions rest;
  rest.api = options.api, rest.user = options.user, rest.token = options.token;
  rest.ca_pem = options.ca_pem, rest.verify = options.verify;
  return rest;
}

Result<CatalogOptions> checked(CatalogOptions options) {
  if (options.api.empty()) {
    switch (options.service) {
      case Service::github:
        options.api = "https://api.github.com";
        break;
      case Service::gitlab:
        options.api = "https://gitlab.com/api/v4";
        break;
      case Service::bitbucket:
        options.api = "https://api.bitbucket.org/2.0";
        break;
      case Service::azure_devops:
        options.api = "https://dev.azure.com";
        break;
      default:
        return fail(Kind::invalid, "{}: has no public service, want its API's address", to_string(options.service));
    }
  }
  TRY_IN(auto url, "forge API", net::parse_url(options.api));
  if (url.scheme != "http" && url.scheme != "https") return fail(Kind::invalid, "{}: want http or https", options.api);
  while (options.api.ends_with('/')) options.api.pop_back();
  return options;
}

Result<std::unique_ptr<Catalog>> open_catalog(CatalogOptions options) {
  TRY(options, checked(std::move(options)));
  switch (options.service) {
    case Service::github:
      return github_catalog(options);
    case Service::gitlab:
      return gitlab_catalog(options);
    case Service::gitea:
      return gitea_catalog(options);
    case Service::bitbucket:
      return bitbucket_catalog(options);
    case Service::bitbucket_server:
      return bitbucket_server_catalog(options);
    case Service::azure_devops:
      return azure_catalog(options);
  }
  return fail(Kind::internal, "unknown service");
}

}  // namespace slipway::forge
