#pragma once
// Whose signatures a project wants on what its Applications deploy. Rules: Argo CD's AppProject, signatureKeys and
// (from 3.5) sourceIntegrity; messages are its own.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "doc/view.h"
#include "git/repository.h"
#include "gitops/source.h"
#include "kube/client.h"
#include "secret/openpgp.h"

namespace slipway::gitops {

inline constexpr std::string_view signing_keys_name = "argocd-gpg-keys-cm";

struct SignatureRule {
  enum class Depth { none, head, strict };
  Depth depth = Depth::head;
  std::vector<std::string> repositories;  // patterns; "!" takes out again
  std::vector<std::string> keys;          // as written
};

// Public keys that people wrote down, in entries of a ConfigMap or a Secret.
struct KeyRing {
  secret::PgpKeys keys;
  bool empty = true;
  std::string broken;  // what is wrong with entries whose keys do not count; "" for nothing
};
using KeyEntries = std::map<std::string, std::string>;
// Made once for the same entries: a ring is what its keys are, whoever asks. `by_id`: each entry is to hold the one key
// that it is named by. Errors: unavailable (no GnuPG here).
Result<std::shared_ptr<const KeyRing>> key_ring(const KeyEntries& entries, bool by_id);

class SignatureRules {
 public:
  // Errors: invalid, with the field: who demands what is not understood must not get what nobody looked at.
  static Result<SignatureRules> read(doc::View project_spec);
  bool none() const { return rules_.empty(); }
  // The rule for a Git source; null: nothing is wanted of it. Errors: invalid (several).
  Result<const SignatureRule*> rule_for(const std::string& url) const;
  // What is wrong with what is deployed, a source after the other: "" for nothing. Errors: those of repositories and of
  // GnuPG, unavailable (the revision has moved meanwhile).
  Result<std::string> problems(const Ctx& ctx, kube::Client& home, Repositories& repositories, const Application& app,
                               const std::vector<std::string>& commits) const;
  // The same for one commit of a repository, `revision` as somebody named it.
  Result<std::vector<std::string>> problems_of(const Ctx& ctx, kube::Client& home, const git::Repository& repository,
                                               const std::string& url, const std::string& revision,
                                               const git::Oid& commit) const;

 private:
  std::vector<SignatureRule> rules_;
};

}  // namespace slipway::gitops
