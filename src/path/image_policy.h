#pragma once
// Which images may run where, by who has signed them.
#include <string>
#include <vector>

#include "doc/view.h"

namespace slipway::path {

struct ImagePolicy {
  // Who may sign without a key of their own: a subject (a glob when it has a star) by the word of an issuer.
  struct Identity {
    std::string subject, issuer;
  };
  std::string name;
  std::vector<std::string> namespaces;    // patterns; none: all
  std::vector<std::string> images;        // patterns of host/repository, without tag
  bool house = false;                     // the house's own key counts
  std::vector<std::string> keys;          // public keys, PEM
  std::vector<Identity> identities;       // whose keyless signatures count
  std::string trusted_root;               // by which trust root of Sigstore's, JSON
  std::vector<std::string> attestations;  // predicate types that must be there, signed; none: a signature
  bool enforce = true;                    // else a pod that would be refused is marked
  bool covers(std::string_view ns, std::string_view image) const;
};
// Errors: invalid, naming the field.
Result<ImagePolicy> image_policy_from(doc::View object);

}  // namespace slipway::path
