#include "gitops/sealed_source.h"

namespace slipway::gitops {

Result<std::optional<std::string>> SealedSource::read(const std::string& path) {
  TRY(auto text, below_->read(path));
  if (!text || !secret::is_sops(*text)) return text;
  if (!keys_) {
    TRY_IN(keys_, display(path), find_keys_ ? find_keys_() : Result<std::vector<secret::AgeIdentity>>());
  }
  auto format = secret::sops_format(path, *text);
  TRY(auto opened, secret::sops_unseal({*std::move(text), display(path), format}, *keys_));
  // Shorter ones are user names and words: masked, logs would say nothing any more.
  for (const auto& value : opened.values)
    if (learned_ && value.size() >= 8) learned_(value);
  return std::optional(std::move(opened.text));
}

}  // namespace slipway::gitops
