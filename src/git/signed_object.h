#pragma once
// Commits and annotated tags as somebody signed them: what they say apart from who vouches for it.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::git {

inline constexpr std::size_t largest_signed_object = 1 << 20;  // bytes

struct SignedObject {
  std::string payload;    // what was signed
  std::string signature;  // armored, of any kind; "": unsigned
  std::string signer;     // of a commit its author, of a tag its tagger: "Name <address>"
};

// From an object's bytes, as git itself reads them (commits: the header gpgsig; tags: behind the last line that begins
// a signature). Errors: invalid (too large, signed twice).
Result<SignedObject> read_signed_commit(std::string_view raw);
Result<SignedObject> read_signed_tag(std::string_view raw);

}  // namespace slipway::git
