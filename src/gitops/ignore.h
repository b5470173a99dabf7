#pragma once
// What others may set: fields that ignoreDifferences names take the live value in what is applied, so that they are
// neither reported nor changed.
#include <set>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "kube/object.h"

namespace slipway::gitops {

struct IgnoreDifference {
  std::string group, kind, name, ns;  // group and kind may be globs
  std::vector<std::string> pointers;  // JSON pointers
  std::set<std::string> managers;     // field managers whose fields are left alone
  std::vector<std::string> paths;     // jq path expressions
  std::string place;                  // where it is written, for messages: spec.ignoreDifferences[0]
  std::string wrong;                  // why it cannot be followed, "" when it can
};

// An item of spec.ignoreDifferences or the like without its group, kind, name and namespace. Errors: invalid.
Result<IgnoreDifference> ignore_from(doc::View view, std::string place);
bool concerns(const IgnoreDifference& ignore, const kube::Type& type, const kube::Key& key);

// How a field that only the live object has is dealt with.
enum class OnlyLive {
  stays,  // as it is, by server-side apply; but for what is owned as one piece (an atomic list), where it is put in
  put_in
};
// The desired object with what these rules name in it taken from the live one. What an expression of jq says is wrong
// with an object becomes a warning, and it names nothing in it then. Errors: invalid (a rule that cannot be followed,
// naming it), cancelled.
Result<doc::Value> take_live(const Ctx& ctx, const std::vector<IgnoreDifference>& rules, doc::Value desired,
                             const kube::Object& live, OnlyLive only_live, std::set<std::string>& warnings);

}  // namespace slipway::gitops
