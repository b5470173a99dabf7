#include "ci/run/mask.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::size_t shortest = 3;

// The part of a base64 text that depends on the value alone, when the value stands `shift` bytes into the input.
std::string base64_core(std::string_view value, std::size_t shift) {
  auto encoded = to_base64(std::string(shift, 'x') + std::string(value));
  while (encoded.ends_with('=')) encoded.pop_back();
  auto first = shift == 0 ? 0 : shift == 1 ? 2 : 3;                        // characters mixed with what stands before
  bool mixed_end = (value.size() + shift) % 3 != 0;                        // and with what follows
  auto count = encoded.size() - static_cast<std::size_t>(first) - (mixed_end ? 1 : 0);
  return encoded.substr(static_cast<std::size_t>(first), count);
}

}  // namespace

void Masker::insert(std::string form) {
  if (form.size() < shortest || !known_.insert(form).second) return;
  auto at = std::find_if(forms_.begin(), forms_.end(), [&](auto& other) { return other.size() < form.size(); });
  forms_.insert(at, std::move(form));
}

void Masker::add(std::string_view value) {
  std::lock_guard lock(mutex_);
  auto whole = trim(value);
  if (whole.size() < shortest) return;
  insert(std::string(whole));
  for (auto line : lines(whole)) insert(std::string(trim(line)));
  if (whole.size() < 4) return;  // encodings of very short values would hit innocent text
  auto quoted = doc::json_quote(whole);
  insert(quoted.substr(1, quoted.size() - 2));
  insert(percent_encode(whole));
  insert(replace_all(std::string(whole), "'", "'\\''"));
  insert(to_base64(whole));
  for (std::size_t shift : {0U, 1U, 2U})
    if (auto core = base64_core(whole, shift); core.size() >= 6) insert(core);
}

std::string Masker::mask(std::string_view text) const {
  std::lock_guard lock(mutex_);
  std::string out(text);
  for (auto& form : forms_)
    if (out.contains(form)) out = replace_all(std::move(out), form, "***");
  return out;
}

bool Masker::hides(std::string_view text) const {
  std::lock_guard lock(mutex_);
  return std::any_of(forms_.begin(), forms_.end(), [&](auto& form) { return text.contains(form); });
}

}  // namespace slipway::ci
