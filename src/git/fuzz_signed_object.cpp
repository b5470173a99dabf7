// Commits and tags of any repository: nothing of them is lost or read twice, and what was signed holds no signature.
#include "base/text.h"
#include "git/signed_object.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view raw(reinterpret_cast<const char*>(data), size);
  if (auto tag = git::read_signed_tag(raw)) SLP_ASSERT(tag->payload + tag->signature == raw);
  auto commit = git::read_signed_commit(raw);
  if (!commit) return 0;
  SLP_ASSERT(commit->payload.size() + commit->signature.size() <= raw.size());
  auto again = git::read_signed_commit(commit->payload);
  SLP_ASSERT(again.has_value() && again->signature.empty() && again->payload == commit->payload);
  SLP_ASSERT(again->signer == commit->signer);
  return 0;
}
