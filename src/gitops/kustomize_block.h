#pragma once
// What an Application says of its source beside where it is: the kustomize block, the build environment, and the
// override files in the repository.
#include <map>

#include "gitops/application.h"
#include "manifest/source.h"

namespace slipway::gitops {

// Argo CD's build environment: ARGOCD_APP_NAME and so on.
using Variables = std::map<std::string, std::string>;
Variables build_environment(const Application& app, const SourceSpec& source, const git::Oid& commit);
// $NAME and ${NAME}; $$ is a dollar, a name that is not known is nothing.
std::string expand(std::string_view text, const Variables& variables);
// Whether the block says something else at each commit.
bool names_the_revision(const doc::Value& block);

// The block as fields of a kustomization laid over the path's own.
doc::Value overrides_of(const doc::Value& block, const Variables& variables);
// Without the components that are not there, where the block asks for it.
Result<doc::Value> with_components_that_are_there(manifest::FileSource& files, const std::string& folder,
                                                  const doc::Value& block);

// The source with what .argocd-source.yaml and .argocd-source-NAME.yaml of its folder say. Errors: invalid (the file).
Result<SourceSpec> with_override_files(manifest::FileSource& files, const std::string& folder, const SourceSpec& source,
                                       const std::string& application);

}  // namespace slipway::gitops
