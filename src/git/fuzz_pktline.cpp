// What follows "git push" on the wire, up to the pack: whatever comes, an answer or an error; what is understood
// prints and reads back as itself.
#include "git/detail/push_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::git;
  auto source_of = [](std::string bytes) {
    auto at = std::make_shared<std::size_t>(0);
    return ByteSource([bytes = std::move(bytes), at](std::span<char> out) -> slipway::Result<std::size_t> {
      auto n = std::min(out.size(), bytes.size() - *at);
      std::copy_n(bytes.data() + *at, n, out.data());
      *at += n;
      return n;
    });
  };
  std::string input(reinterpret_cast<const char*>(data), size);
  PktReader reader(source_of(input));
  auto request = read_push_request(reader);
  if (request && !request->commands.empty()) {
    std::string again;
    for (const auto& command : request->commands)
      again += pkt(fmt::format("{} {} {}{}", command.before, command.after, command.ref,
                               again.empty() ? std::string(1, '\0') + "report-status push-options" : ""));
    again += "0000";
    for (const auto& option : request->options) again += pkt(option + "\n");
    again += "0000";
    PktReader second(source_of(again));
    auto back = read_push_request(second);
    SLP_ASSERT(back.has_value() && back->commands.size() == request->commands.size());
    for (std::size_t i = 0; i < back->commands.size(); ++i)
      SLP_ASSERT(back->commands[i].ref == request->commands[i].ref);
    SLP_ASSERT(back->options.size() == request->options.size());
  }
  // The same bytes as a gzip body.
  auto plain = gunzip(source_of(input), 1 << 20);
  char buffer[4096];
  while (true) {
    auto n = plain(buffer);
    if (!n || *n == 0) break;
  }
  return 0;
}
