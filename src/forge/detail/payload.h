#pragma once
// One reader a forge: a payload to hooks.
#include "doc/view.h"
#include "forge/hook.h"

namespace slipway::forge {

using Hooks = Result<std::vector<Hook>>;
Hooks read_github(std::string_view event, doc::View payload);
Hooks read_gitlab(std::string_view event, doc::View payload);
Hooks read_gitea(std::string_view event, doc::View payload);
Hooks read_bitbucket(std::string_view event, doc::View payload);
Hooks read_bitbucket_server(std::string_view event, doc::View payload);

// Shared by GitHub and Gitea, whose payloads are alike.
Hook read_push(doc::View payload);
void add_paths(doc::View commits, Hook& hook);
std::string first_line(std::string_view message);
std::string commit_or_none(std::string id);  // "" for zeros
// Ids and refs of a hook that is to be acted on. Errors: invalid.
Result<> check_fields(const Hook& hook);

}  // namespace slipway::forge
