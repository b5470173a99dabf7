#pragma once
// Where the values of metrics come from.
#include <functional>
#include <memory>

#include "kube/client.h"
#include "net/client.h"
#include "verify/analysis.h"
#include "verify/sequential.h"

namespace slipway::verify {

struct ProviderOptions {
  std::shared_ptr<kube::Client> client;  // jobs; null: the job provider says that it has none
  net::ClientOptions http;
  std::string prometheus;  // address for metrics that name none
  // Requests and errors of one service's pods with this hash ("" all), since whenever the gateway counts.
  std::function<Result<Traffic>(const std::string& ns, const std::string& service, const std::string& pod_hash)>
      traffic;
};

// Threads: any.
class Providers {
 public:
  explicit Providers(ProviderOptions options);
  ~Providers();
  struct Asked {
    const kube::Object& run;  // the AnalysisRun
    const Metric& metric;
    const MetricResult& result;  // so far
    bool last = false;           // the last one that is wanted
  };
  // A finished measurement, or a running one that is to be resumed. What goes wrong is a measurement too: Error.
  Measurement measure(const Ctx& ctx, const Asked& asked);
  Measurement resume(const Ctx& ctx, const Asked& asked, Measurement running);
  // Ends a running one: its Job is deleted.
  Measurement terminate(const Ctx& ctx, const Asked& asked, Measurement running);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::verify
