#pragma once
// The pull requests of one repository, read only: for previews of each. Rules: Argo CD's applicationset/services/
// pull_request.
#include <string>
#include <vector>

#include "forge/catalog.h"

namespace slipway::forge {

struct OpenRequest {
  std::int64_t number = 0;
  std::string title, author;
  std::string branch, target_branch;  // names
  std::string head;                   // commit's id; Bitbucket Cloud shortens it
  std::vector<std::string> labels;    // Bitbucket has none
};

struct RequestQuery {
  CatalogOptions access;            // its owner and project: where the repository is
  std::string repository;           // GitLab: the project's whole path or its number, without an owner
  std::vector<std::string> labels;  // those with all of them
  std::string state;  // GitLab alone: opened, closed, merged, locked, "" for all; the others give open ones
};
// Errors: as Catalog's; not_found when the repository is not there or may not be seen.
Result<std::vector<OpenRequest>> list_requests(const Ctx& ctx, RequestQuery query);

}  // namespace slipway::forge
