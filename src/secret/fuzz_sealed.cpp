// A SealedSecret from anybody, as YAML: read without a crash, and opened by no key it was not made for.
#include "base/text.h"
#include "doc/yaml.h"
#include "secret/sealed.h"

using namespace slipway;

namespace {

// Before the first input: making one may take longer than an input has.
const auto& key() {
  static const auto made = secret::SealingKey::generate(WallTime{});
  return made;
}
const bool is_made = key().has_value();

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 16384));
  SLP_ASSERT(is_made);
  auto object = doc::parse_yaml(text);
  if (!object || !object->is_map()) return 0;
  auto opened = secret::unseal_secret(*object, {&*key(), 1});
  if (opened) SLP_ASSERT(opened->find_path({"data"})->if_map()->empty());
  return 0;
}
