#pragma once
// Reading what a forge says of repositories, without believing its form.
#include "forge/catalog.h"
#include "forge/detail/rest.h"

namespace slipway::forge {

// A text that must be there / may be missing; neither holds control characters nor more than 4 KiB. Errors: invalid.
Result<std::string> said(doc::View view);
Result<std::string> said_or_none(doc::View view);
// One part of a path of the API, encoded. Errors: invalid (empty, . or ..).
Result<std::string> part(const std::string& text);
// The same of all parts of a path in a repository.
Result<std::string> parts(const std::string& path);
// One branch, from where its name and its commit stand. Errors: invalid.
Result<CatalogBranch> branch_from(doc::View name, doc::View commit);
Result<std::vector<std::string>> labels_from(doc::View list);
// True when it is there, false for a 404.
Result<bool> there(Result<Reply> reply);

// With the public service where no API is named. Errors: invalid.
Result<CatalogOptions> checked(CatalogOptions options);
ForgeOptions rest_options(const CatalogOptions& options);
std::unique_ptr<Catalog> github_catalog(const CatalogOptions& options);
std::unique_ptr<Catalog> gitea_catalog(const CatalogOptions& options);
std::unique_ptr<Catalog> gitlab_catalog(const CatalogOptions& options);
std::unique_ptr<Catalog> bitbucket_catalog(const CatalogOptions& options);
std::unique_ptr<Catalog> bitbucket_server_catalog(const CatalogOptions& options);
std::unique_ptr<Catalog> azure_catalog(const CatalogOptions& options);

// As the Forges sign in.
net::Headers github_headers(const ForgeOptions& options);
net::Headers gitea_headers(const ForgeOptions& options);
net::Headers gitlab_headers(const ForgeOptions& options);
net::Headers bitbucket_headers(const ForgeOptions& options);
net::Headers azure_headers(const ForgeOptions& options);
inline constexpr std::string_view azure_version = "api-version=7.0";

}  // namespace slipway::forge
