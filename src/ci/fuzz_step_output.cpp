// What a step says: commands on its lines, and the files it leaves for the runner.
#include "base/text.h"
#include "ci/run/commands.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto line : lines(text))
    if (auto command = ci::parse_command(line)) SLP_ASSERT(!command->name.empty());
  if (auto pairs = ci::parse_env_file(text, "GITHUB_ENV"))
    for (const auto& [name, value] : *pairs) SLP_ASSERT(!name.empty());
  auto plain = ci::strip_colours(text);
  SLP_ASSERT(plain.size() <= text.size());
  return 0;
}
