// First byte: the format. A text from anybody is sealed and opened to the same documents, or refused; a sealed one is
// read without a crash and opens for nobody else.
#include "secret/detail/sops.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const auto identity = secret::AgeIdentity::generate();
  std::string text(reinterpret_cast<const char*>(data) + 1, std::min<std::size_t>(size - 1, 16384));
  secret::SopsText input{text, "fuzz", static_cast<secret::SopsFormat>(data[0] % 4)};
  (void)secret::sops_unseal(input, {&identity, 1});
  (void)secret::sops_keys(input);
  (void)secret::sops_rules_for(text, "fuzz", "a/b.yaml");
  auto sealed = secret::sops_seal(input, {.age = {identity.recipient()}}, WallTime{});
  if (!sealed) return 0;
  auto opened = secret::sops_unseal({*sealed, "sealed", input.format}, {&identity, 1});
  SLP_ASSERT(opened);
  auto before = secret::detail::parse_text(input, false),
       after = secret::detail::parse_text({opened->text, "opened", input.format}, false);
  SLP_ASSERT(before && after && *before == *after);
  return 0;
}
