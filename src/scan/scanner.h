#pragma once
// The scan stage: an image or a folder in, findings and a bill of materials out.
#include <memory>

#include "oci/registry.h"
#include "path/services.h"
#include "scan/advisories.h"
#include "scan/inventory.h"
#include "scan/policy.h"

namespace slipway::scan {

struct ScannerOptions {
  oci::Registry* registry = nullptr;             // null: folders only
  fs::path database;                             // advisories; "": the built-in records only
  std::shared_ptr<AdvisoryDatabase> advisories;  // instead of `database`, when it is open already
  fs::path cache;                                // what each layer holds, by diff id; "" none
  Policy policy;                                 // a folder's own .slipway/policy.yaml replaces it
  bool attach_sbom = true;
};
// Threads: any. Errors: those of AdvisoryDatabase::open.
Result<std::unique_ptr<path::Scanner>> make_scanner(ScannerOptions options);

// The findings of an inventory, before any policy: what `match` gives for each package, and what was found on the way.
Result<std::vector<path::Finding>> findings_of(const Ctx& ctx, const Inventory& inventory,
                                               const AdvisoryDatabase& database);

}  // namespace slipway::scan
