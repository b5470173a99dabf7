#include "engine/audit.h"

#include "base/text.h"

namespace slipway::engine {
namespace {

// Our own controllers write under these names; what they do is nobody's drift.
bool is_ours(std::string_view user) {
  return user.empty() || user.starts_with("slipway") || user.starts_with("system:");
}

std::string slot(const kube::Type& type) { return type.group() + "/" + type.kind; }

}  // namespace

void AuditTrail::note(const cluster::Audit& audit) {
  if (is_ours(audit.user)) return;
  constexpr std::size_t most = 10'000;
  auto last = last_.lock();
  if (last->size() >= most) last->clear();
  (*last)[{slot(audit.type), audit.key}] = {audit.user, audit.user_agent, audit.verb, audit.when};
}

std::string AuditTrail::who(const kube::Type& type, const kube::Key& key) const {
  auto last = last_.lock();
  auto found = last->find({slot(type), key});
  if (found == last->end()) return "";
  const auto& entry = found->second;
  auto agent = entry.agent.substr(0, entry.agent.find_first_of("/ "));
  return agent.empty() ? fmt::format("{} ({})", entry.user, entry.verb)
                       : fmt::format("{} with {} {}", entry.user, agent, entry.verb);
}

}  // namespace slipway::engine
