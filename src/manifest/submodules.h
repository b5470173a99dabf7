#pragma once
// Submodules by their addresses, as .gitmodules has them at each level.
#include <functional>
#include <memory>
#include <string>

#include "manifest/source.h"

namespace slipway::manifest {

// Brings a repository that has the commit. `near`: it, and all that led to it, is on the host of the repository that
// all began with, so that a sign-in there may serve here; below what another host says nothing is near again.
using FetchSubmodule =
    std::function<Result<git::Repository>(const std::string& url, const git::Oid& commit, bool near)>;

// Of the repository with this URL. Errors beside those of `fetch`: invalid (an url that is refused).
std::unique_ptr<Submodules> submodules_by_address(std::string repository_url, FetchSubmodule fetch);

}  // namespace slipway::manifest
