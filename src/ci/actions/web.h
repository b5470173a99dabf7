#pragma once
// Calls that actions make to services of others, where a workflow says so. Private to ci/actions.
#include "ci/detail/job_run.h"
#include "doc/view.h"
#include "net/client.h"
#include "net/forms.h"

namespace slipway::ci {

// GitHub's API: the input, else GITHUB_API_URL when a workflow sets it, without a slash at its end. "" when nobody
// said: this house answers none.
std::string github_api(const ActionUse& use, std::string_view input = {});
Fail no_github_api(std::string_view what);

// A request whose answer is 2xx. Errors: denied (401, 403), not_found, invalid (others of 4xx), unavailable; with what
// was asked and what the answer says. Redirects are not followed: what is sent is for this host.
Result<net::ClientResponse> send(const Ctx& ctx, net::ClientRequest request);
// JSON to and fro, as GitHub's API has it.
Result<doc::Value> github_call(const Ctx& ctx, std::string method, std::string url, const std::string& token,
                               const doc::Value& body = {});
using net::form_of;
// A variable of the step, "" when it is not set.
std::string variable(const ActionUse& use, const std::string& name);
using net::text_in_xml;

}  // namespace slipway::ci
