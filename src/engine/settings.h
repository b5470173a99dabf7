#pragma once
// What `slipway up` was told.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"

namespace slipway::engine {

struct Settings {
  fs::path data;
  std::string host = "127.0.0.1";
  int port = 7080;
  fs::path tls_certificate, tls_key;  // shown to who asks for one of its names, beside the house's own
  int gateway_port = 7081;
  // The name that manifests know the embedded registry by; nodes resolve it without DNS or HTTP.
  std::string registry_name = "registry.slipway.local";
  std::string bridge = "slipway0", pod_cidr = "10.244.0.0/16", service_cidr = "10.96.0.0/16";
  std::size_t parallel_runs = 4;
  std::vector<std::string> actions;                     // folders and URLs of mirrors of other repositories' actions
  std::uint64_t cache_bytes = std::uint64_t{10} << 30;  // caches of jobs: of one repository
  // Where jobs run: "local", or "pods" of the embedded cluster or of the one the kubeconfig names.
  std::string jobs = "local", jobs_namespace = "slipway-jobs";
  fs::path jobs_kubeconfig;
  std::string jobs_url;       // this house as Pods reach it; "" found out for the embedded cluster
  std::string jobs_registry;  // its registry as nodes know it; "" that of jobs_url
  std::string pod_image;      // of jobs that name no container
  std::size_t jobs_at_once = 32;
  int cache_days = 7;                          // and how long an entry is kept that nobody asks for
  std::string id_tokens = "RS256";             // or ES256: what signs the id tokens of jobs
  std::map<std::string, std::string> mirrors;  // of registries: host -> base URL that is asked first
  std::set<std::string> sign_in_programs;      // that cluster Secrets may name
  std::string advisories;                      // folder or database of advisories beside the built-in seed
};

}  // namespace slipway::engine
