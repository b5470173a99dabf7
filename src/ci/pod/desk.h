#pragma once
// Where agents ask: HTTP below /agent/v1/, each request by the token of one job. Private to ci.
#include "ci/pod/pod_job.h"
#include "doc/view.h"

namespace slipway::ci {

// What one request may use.
struct Visit {
  PodJob::Use job;
  net::Request& request;
  std::string rest;  // of the path, behind what named the handler
};
using DeskHandler = Result<net::Response> (*)(const Ctx&, Visit&);

net::Response json_reply(doc::Map fields);
// Errors: invalid (no JSON, over the limit).
Result<doc::Value> body_of(const Ctx& ctx, net::Request& request, std::size_t limit = std::size_t{1} << 20);
net::Response error_reply(const Error& error);  // kind, text and hint arrive as they are (far.h)

// desk_blobs.cpp: artifacts of the run, blobs, caches
Result<net::Response> desk_artifacts(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_blobs(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_cache_blobs(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_caches(const Ctx& ctx, Visit& visit);
// desk_tools.cpp: what the house does for a job
Result<net::Response> desk_pass(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_actions(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_source(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_build(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_scan(const Ctx& ctx, Visit& visit);
Result<net::Response> desk_preview(const Ctx& ctx, Visit& visit);

}  // namespace slipway::ci
