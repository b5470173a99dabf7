#pragma once
// Path values written as API objects in the home namespace, with names that follow from what they say: making one
// twice makes one.
#include <string>

#include "kube/client.h"
#include "path/objects.h"

namespace slipway::engine {

inline const std::string home{path::home};
kube::Type kind(std::string_view name);  // of slipway.dev/v1

// Lower-case letters, digits and dashes, at most 63 characters; longer ones keep a digest of the rest.
std::string object_name(std::string_view text);

std::string name_of(const path::Change& change);        // shop-push-1a2b3c4d5e6f, shop-pr7-1a2b3c4d5e6f
std::string name_of(const path::Artifact& artifact);    // api-0123456789ab
std::string name_of(const path::Promotion& promotion);  // api-dev-0123456789ab-4f3c: the bytes, and the run that passed

// Creates the object unless it is there. Gives it, and whether it is new.
struct Recorded {
  kube::Object object;
  bool fresh = false;
};
Result<Recorded> record(const Ctx& ctx, kube::Client& client, std::string_view kind, const std::string& name,
                        doc::Value spec, kube::StringMap labels = {}, kube::StringMap annotations = {});
// Merges fields into .status; writes only what changes.
Result<> set_status(const Ctx& ctx, kube::Client& client, std::string_view kind, const std::string& name,
                    const doc::Value& fields);
Result<std::optional<kube::Object>> find(const Ctx& ctx, kube::Client& client, std::string_view kind,
                                         const std::string& name);
// Whether there is one that fits; what comes behind it is not looked at. What cannot be listed has none.
bool has_any(const Ctx& ctx, kube::Client& client, const kube::Type& type, const kube::ListOptions& options,
             const std::function<bool(const kube::Object&)>& fits);
Result<std::vector<kube::Object>> all(const Ctx& ctx, kube::Client& client, std::string_view kind,
                                      const std::string& label_selector = "");

path::Phase phase_of(const kube::Object& object);  // .status.phase; pending when absent

}  // namespace slipway::engine
