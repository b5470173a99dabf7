// A webhook's payload, read as every forge's: an error or hooks whose ids and refs are such.
#include "forge/hook.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::forge;
  std::string_view body(reinterpret_cast<const char*>(data), size);
  for (auto provider :
       {Provider::github, Provider::gitlab, Provider::gitea, Provider::bitbucket, Provider::bitbucket_server}) {
    auto hooks = parse_hook(provider, "", body);
    if (!hooks) continue;
    for (const auto& hook : *hooks)
      if (hook.type == Hook::Type::push) SLP_ASSERT(hook.ref.empty() || hook.ref.starts_with("refs/"));
  }
  return 0;
}
