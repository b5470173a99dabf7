// .gitmodules of any repository: whatever it says, an answer or an error; what is understood means what is understood
// when it is written plainly, and no address that it means runs a program or names a file.
#include "base/text.h"
#include "git/detail/remote.h"
#include "git/submodules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto modules = git::read_gitmodules(text);
  if (!modules) return 0;
  std::string plain;
  for (const auto& module : *modules) {
    auto quoted = [](std::string value) {
      return replace_all(replace_all(std::move(value), "\\", "\\\\"), "\"", "\\\"");
    };
    plain += fmt::format("[submodule \"{}\"]\npath = \"{}\"\nurl = \"{}\"\n", quoted(module.name), quoted(module.path),
                         quoted(module.url));
    for (std::string_view repository : {"https://ada@example.org/org/app.git", "git@example.org:app.git", "/srv/app"}) {
      auto url = git::submodule_url(repository, module.url);
      if (!url) continue;
      auto remote = git::remote_url(*url);
      SLP_ASSERT(!remote || remote->reach != git::Reach::folder);
      SLP_ASSERT(!url->starts_with('-') && !url->contains('\n') && !url->contains("::") && !url->contains('#'));
    }
  }
  if (plain.size() > git::largest_gitmodules) return 0;
  auto again = git::read_gitmodules(plain);
  SLP_ASSERT(again.has_value() && again->size() == modules->size());
  for (std::size_t i = 0; i < again->size(); ++i)
    SLP_ASSERT((*again)[i].path == (*modules)[i].path && (*again)[i].url == (*modules)[i].url);
  return 0;
}
