#pragma once
// What one stage asks of another midway; engine injects the implementations. Stages never include stages.
#include <functional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "path/spans.h"
#include "path/types.h"

namespace slipway::path {

// Lines of progress, as they come. stream: 1 stdout, 2 stderr.
using LogSink = std::function<void(int stream, std::string_view piece)>;

// What a step of a build is doing, for a live view of it.
struct BuildStep {
  enum class State { running, done, cached, failed };
  std::string name;  // "[build 2/4] RUN make"
  State state = State::running;
};
// Where a build's cache is kept beside the builder's own.
struct BuildCache {
  std::string type;            // "registry", "local", or (to write only) "inline": with the image itself
  std::string where;           // the image's name, or the folder
  bool all_stages = false;     // mode=max: also what is not part of the image
  bool ignore_errors = false;  // to write: a failure is said, and the build goes on
};
struct BuildRequest {
  fs::path context;                       // a folder
  std::string dockerfile = "Dockerfile";  // relative to the context, or absolute
  std::string target;
  std::map<std::string, std::string> args, labels;
  std::map<std::string, std::string> annotations, index_annotations;  // of each image's manifest; of the index
  std::map<std::string, std::string> secrets;                         // id -> value
  std::map<std::string, fs::path> ssh;                                // id -> socket of an SSH agent
  std::map<std::string, std::vector<std::string>> ssh_keys;  // id -> private keys, for an agent of this build's own
  std::map<std::string, fs::path> contexts;                  // named contexts that are folders
  // Other named contexts: docker-image://NAME, oci-layout://FOLDER[:TAG|@DIGEST], or the address of a Git repository.
  std::map<std::string, std::string> context_urls;
  std::string image;  // repository in the registry: "shop/web"
  std::vector<std::string> tags;
  std::string platform;  // "" ours; several with commas give an index
  bool no_cache = false, push = true;
  std::vector<std::string> no_cache_stages;  // only these are done again
  std::vector<std::string> allow;            // "security.insecure"
  std::optional<std::int64_t> source_date_epoch;
  std::string compression;  // of new layers: "" and "gzip", "zstd", "none"
  std::string provenance;   // "" none, "min", "max": how it was built, as SLSA provenance in the index
  bool sbom = false;        // what is in it, as SPDX in the index
  std::vector<BuildCache> cache_from, cache_to;
  std::function<void(const BuildStep&)> on_step;  // called by any thread, one at a time
};
struct BuildResult {
  Digest digest;                         // of the image, or of the index
  std::string media_type;                // its media type
  std::map<std::string, Digest> images;  // of each platform
  std::uint64_t bytes = 0;
  std::string inputs;  // digest of what was read
  int steps = 0, cached = 0;
  Spans commands;  // when RUN commands ran
};
class ImageBuilder {
 public:
  virtual ~ImageBuilder() = default;
  // Errors: invalid (Dockerfile, with file:line:col), the RUN command's failure as invalid with its exit status, ...
  virtual Result<BuildResult> build(const Ctx& ctx, const BuildRequest& request, const LogSink& log) = 0;
};

struct ScanReport {
  std::vector<Finding> findings;
  std::size_t packages = 0;
  std::string sbom_cyclonedx;  // JSON
  std::string sbom_spdx;       // JSON, version 2.3
};
class Scanner {
 public:
  virtual ~Scanner() = default;
  // An image of the registry: repository and tag or digest. The SBOM is attached as a referrer.
  virtual Result<ScanReport> scan_image(const Ctx& ctx, const std::string& repository,
                                        const std::string& reference) = 0;
  virtual Result<ScanReport> scan_folder(const Ctx& ctx, const fs::path& folder) = 0;
  // Secrets in the given files (path, content).
  virtual std::vector<Finding> scan_secrets(const std::vector<std::pair<std::string, std::string>>& files) = 0;
};

struct PreviewRequest {
  std::string name;        // becomes the namespace: preview-<name>
  std::string repository;  // configuration repository of the embedded host; "" renders `root`
  std::string overlay;     // folder to render, relative to the repository or to `root`
  fs::path root;
  std::map<std::string, std::string> images;  // image name in the manifests -> image@digest to run
  Millis ready_within{60000}, lives{3600000};
  bool keep = false;  // it outlives its run, also a restart of ours, until its time is up
};
struct PreviewHandle {
  std::string ns;
  std::map<std::string, std::string> urls;  // service -> http://ip:port
};
class Previewer {
 public:
  virtual ~Previewer() = default;
  virtual Result<PreviewHandle> create(const Ctx& ctx, const PreviewRequest& request, const LogSink& log) = 0;
  // Deletes the namespace and waits until it is gone. Absent is fine.
  virtual Result<> tear_down(const Ctx& ctx, const std::string& ns, const LogSink& log) = 0;
};

// A Kubernetes for one job alone, where workflows ask for kind.
struct ClusterRequest {
  std::string name;         // kind's: the kubeconfig's context is kind-NAME
  std::string host;         // address to listen at; "" loopback
  std::string images_from;  // HOST:PORT of a registry that has the images of names without a host; "" none
  Millis ready_within{60000};
};
struct ClusterHandle {
  std::string id;
  std::string kubeconfig;  // YAML
  std::string registry;    // HOST:PORT of its own registry; pushes need the token
  std::string token;
};
class ClusterMaker {
 public:
  virtual ~ClusterMaker() = default;
  // Errors: unavailable (no containers or network here), timeout, cancelled. Nothing is left of one that failed.
  virtual Result<ClusterHandle> create(const Ctx& ctx, const ClusterRequest& request) = 0;
  // Ends its pods, its network, its data. Absent is fine.
  virtual Result<> remove(const Ctx& ctx, const std::string& id) = 0;
};

}  // namespace slipway::path
