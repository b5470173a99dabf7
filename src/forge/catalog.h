#pragma once
// What an organisation's place on a forge holds: its repositories, their branches, whether a path is there. Read only.
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "doc/value.h"
#include "forge/forge.h"

namespace slipway::forge {

enum class Service { github, gitlab, gitea, bitbucket, bitbucket_server, azure_devops };
std::string_view to_string(Service service);

struct CatalogRepository {
  std::string organization, name;
  std::string address;            // how calls name it: an id, a slug, a path; already encoded
  std::string ssh_url, http_url;  // to clone from; "" when there is none
  std::string default_branch;
  std::vector<std::string> labels;  // topics; Gitea's labels of issues, as Argo CD takes them
  doc::Value id;                    // a number or a text, as the forge has it
};
struct CatalogBranch {
  std::string name, commit;  // whole id
};

// Errors of all: as Forge's; also invalid for an answer that is not what the API says, so that nobody takes a broken
// one for an empty one. Texts that it gives have no control characters. Threads: any.
class Catalog {
 public:
  virtual ~Catalog() = default;
  virtual Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) = 0;
  // All, or the default branch alone. None: nothing was pushed yet.
  virtual Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository,
                                                      bool all) = 0;
  // A file or a folder, relative to the root.
  virtual Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                                const std::string& path) = 0;
};

struct CatalogOptions {
  Service service = Service::github;
  std::string api;      // of its REST API; "" the public one
  std::string owner;    // organisation, group, workspace, or a project's key
  std::string project;  // Azure DevOps: of the organisation
  std::string user, token;
  std::string ca_pem;
  bool verify = true;
  bool without_archived = false;  // GitHub, Gitea
  // GitLab's
  bool subgroups = false, shared = true, archived = false;
  std::string topic;
};
// Errors: invalid (no public service of this kind, bad URL).
Result<std::unique_ptr<Catalog>> open_catalog(CatalogOptions options);

}  // namespace slipway::forge
