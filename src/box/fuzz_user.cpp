// The image's /etc/passwd and /etc/group are anybody's: first line the user, an empty line between the files.
#include "base/text.h"
#include "box/detail/user.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto [user, files] = cut(text, "\n").value_or(std::pair{text, std::string_view()});
  auto [passwd, group] = cut(files, "\n\n").value_or(std::pair{files, std::string_view()});
  auto who = box::resolve_user(user, passwd, group);
  if (who) SLP_ASSERT(who->uid <= 0x7fffffff && who->gid <= 0x7fffffff && who->groups.size() <= 1024);
  return 0;
}
