#pragma once
// A passed artifact becomes a commit in the configuration repository: the one thing the pipeline does to the
// outside world. Edits keep the file's text; the branch moves by compare-and-swap, so two promotions never lose
// each other; what is in the branch already is not done again, so a retry after a kill is safe.
#include <functional>
#include <string>
#include <vector>

#include "git/repository.h"
#include "path/types.h"

namespace slipway::promote {

// One promotion and the name that makes it done once: the Promotion object's.
struct Request {
  path::Promotion promotion;
  std::string id;
  std::string override_window;  // who put it past which closed window, "" for none
};

struct ConfigRepo {
  std::string branch = "main";
  // Another branch that takes the commit instead, for a pull request into `branch`.
  std::string proposal_branch;
  // Not empty: the repository is a mirror of this URL, which is fetched before and pushed to after each try.
  std::string remote;
  git::Access access;  // to it
  // How the branch moves; by default Repository::update_ref. The house gives Host::update, so that the push is seen.
  // Errors: conflict when the ref is not at `before`.
  std::function<Result<>(const Ctx&, const std::string& ref, const git::Oid& before, const git::Oid& after)> move;
  std::string author = "slipway", email = "slipway@localhost";
};

struct Outcome {
  git::Oid commit;  // that holds the promotion: the new one, or the one that did it before
  bool changed = false;
  std::string message;  // why nothing changed
};

// All in one commit. Errors: not_found (no such branch, folder, file or field), invalid (the file, with its place),
// conflict (still after many tries), those of the remote. `promotion.config_path` is a folder with a kustomization,
// or FILE#FIELD with an image field (Helm values or any YAML). Threads: any.
Result<Outcome> promote(const Ctx& ctx, git::Repository& repository, const ConfigRepo& config,
                        const std::vector<Request>& requests);

// A new commit that gives the one service back the image it had before `request.promotion.commit`; later commits to
// the rest stay. Nothing changes when somebody promoted again since.
Result<Outcome> revert(const Ctx& ctx, git::Repository& repository, const ConfigRepo& config, const Request& request,
                       const std::string& why);

// The image that a file or folder says now, at a commit. Nothing: it names no such image, or not by digest.
struct Said {
  Digest digest;
  std::string tag;
};
Result<std::optional<Said>> image_at(const git::Repository& repository, const git::Oid& commit,
                                     const std::string& config_path, const std::string& image);

// The trailers of a promotion commit ("Slipway-Service: web"), by name, in order.
std::vector<std::pair<std::string, std::string>> trailers(std::string_view message);

}  // namespace slipway::promote
