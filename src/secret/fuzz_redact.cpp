// First line: the secret; the rest: a text cut in two by the secret's first byte. Stream and whole agree, and the
// secret is gone.
#include "secret/redact.h"

#include "base/result.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 65536));
  auto at = text.find('\n');
  if (at == text.npos || at < 3) return 0;
  auto value = text.substr(0, at), rest = text.substr(at + 1);
  secret::RedactionSet set;
  set.add(value);
  auto whole = set.redact(rest);
  auto stream = set.stream();
  auto cut = std::min<std::size_t>(data[0], rest.size());
  auto out = stream.write(rest.substr(0, cut));
  out += stream.write(rest.substr(cut));
  out += stream.finish();
  SLP_ASSERT(out == whole);
  SLP_ASSERT(value.find('*') != value.npos || whole.find(value) == whole.npos);
  return 0;
}
