// The message of a commit: what it says of promotions has a service, and digests that are some.
#include "promote/history.h"
#include "promote/promote.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  git::Commit commit;
  commit.message.assign(reinterpret_cast<const char*>(data), size);
  auto trailers = promote::trailers(commit.message);
  auto all = promote::promotions_of(commit);
  SLP_ASSERT(all.size() <= trailers.size());
  for (const auto& past : all) {
    SLP_ASSERT(past.digest.empty() || Digest::parse(past.digest.str()));
    (void)to_doc(past);
  }
  return 0;
}
