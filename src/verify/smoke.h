#pragma once
// Smoke tests: a list of HTTP checks, or a Job.
#include <string>
#include <vector>

#include "kube/client.h"
#include "net/client.h"
#include "path/types.h"

namespace slipway::verify {

// - url: http://web.shop/healthz
//   status: 200            # or "2xx"; default 2xx
//   contains: ok           # in the body
//   json: {path: "{$.status}", equals: up}
//   within: 30s            # until it holds at the latest; default one try
struct HttpCheck {
  std::string name, url, method = "GET", body, status = "2xx", contains, json_path;
  std::vector<std::pair<std::string, std::string>> headers;
  doc::Value equals;  // with json_path
  Millis within{0}, every{1000}, timeout{5000};
};
// Errors: invalid with the place.
Result<std::vector<HttpCheck>> checks_from(doc::View list);

// All of them, each until it holds or its time is over: pass, or fail with what was seen. Errors: cancelled.
Result<path::Verdict> run_checks(const Ctx& ctx, net::Client& client, const std::vector<HttpCheck>& checks);

// Creates the Job and waits for its end: Complete passes. Errors: those of the client; a Job that does not end within
// the context's deadline is a failed verdict and is deleted.
Result<path::Verdict> run_job(const Ctx& ctx, kube::Client& client, doc::Value job);

}  // namespace slipway::verify
