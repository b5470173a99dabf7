#pragma once
// The tags of an image by the rules of docker/metadata-action.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace slipway::ci {

struct TagSource {
  std::string event_name, ref, sha, default_branch = "main", base_ref;
  int number = 0;  // of the pull request
  WallTime now{}, committed{};
};
struct ImageTags {
  std::string version;             // the first
  std::vector<std::string> names;  // without images: "1.2.3", "latest"
  std::vector<std::string> warnings;
};
// rules: lines of `tags`, none for the usual four; flavor: lines of `flavor`. Errors: invalid, naming the rule.
Result<ImageTags> image_tags(const TagSource& source, std::vector<std::string> rules,
                             const std::vector<std::string>& flavor);
// "a=1,\"b=x,y\"" to pairs; a part without "=" has the key "value". Keys in lower case.
std::vector<std::pair<std::string, std::string>> tag_fields(std::string_view line);
// {{branch}}, {{tag}}, {{sha}}, {{base_ref}}, {{is_default_branch}}, {{is_not_default_branch}}, {{date 'YYYYMMDD'}},
// {{commit_date '...'}}. Errors: invalid (another name, a time zone other than UTC).
Result<std::string> fill_in(const TagSource& source, const std::string& text);

}  // namespace slipway::ci
