#pragma once
// What comes in as text, read strictly.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::ci {

struct ByteRange {
  std::uint64_t offset = 0, length = 0;
};
// "bytes=0-99", "bytes=100-", "bytes=-5" of something that has `size` bytes. Nothing: the header is absent, or of a
// kind that RFC 9110 lets a server ignore. Errors: invalid: nothing of it is there (416).
Result<std::optional<ByteRange>> parse_range(std::string_view header, std::uint64_t size);

// "bytes 0-99/*", "bytes 0-99/200" of a request that brings them. Errors: invalid.
Result<ByteRange> parse_content_range(std::string_view header);

// The body of "Put Block List": ids in the order they make up the blob. Errors: invalid.
// Rule: Azure's Put Block List; <Latest>, <Uncommitted> and <Committed> all name blocks that are here.
Result<std::vector<std::string>> parse_block_list(std::string_view xml);
// Base64 of at most 64 bytes.
bool is_block_id(std::string_view id);

constexpr std::size_t max_blocks = 50'000;  // of a blob

// What a cache is called. Errors: invalid.
Result<> check_cache_key(std::string_view key);
Result<> check_cache_version(std::string_view version);
// Rule: GitHub's names of artifacts.
Result<> check_artifact_name(std::string_view name);
// "text/html", as a header may have it.
bool is_media_type(std::string_view type);

}  // namespace slipway::ci
