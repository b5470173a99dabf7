#include "image/agent.h"

namespace slipway::image {

Result<KeyAgent> KeyAgent::start(const Ctx& ctx, const std::vector<std::string>& keys) {
  TRY(auto folder, TempDir::make("slipway-agent"));
  auto socket = folder.path() / "agent";
  TRY(auto child, Child::start({.argv = {"ssh-agent", "-D", "-a", socket.native()}}, {}));
  KeyAgent agent(std::move(folder), std::move(child));
  auto soon = ctx.within(Millis(10'000));
  std::error_code error;
  while (!fs::is_socket(socket, error)) TRY_OK_IN("ssh-agent", sleep(soon, Millis(5)));
  for (const auto& key : keys) {
    auto text = key.ends_with('\n') ? key : key + "\n";
    TRY_OK(run_ok(ctx, {.argv = {"ssh-add", "-q", "-"},
                        .extra_env = {{"SSH_AUTH_SOCK", socket.native()}, {"SSH_ASKPASS_REQUIRE", "never"}},
                        .input = text}));
  }
  return agent;
}

}  // namespace slipway::image
