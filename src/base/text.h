#pragma once
// Strings: splitting, trimming, globs, suggestions.
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

std::vector<std::string_view> split(std::string_view text, char separator);
// Lines without their ends; a last line without an end counts, an empty last one does not.
std::vector<std::string_view> lines(std::string_view text);
std::string_view trim(std::string_view text);
std::string_view trim_end(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string join(std::span<const std::string_view> parts, std::string_view separator);
std::string lower(std::string_view ascii);
bool iequals(std::string_view a, std::string_view b);  // ASCII
std::string replace_all(std::string text, std::string_view from, std::string_view to);
// "a/b" at the first separator; nothing when there is none.
std::optional<std::pair<std::string_view, std::string_view>> cut(std::string_view text, std::string_view separator);
// Those lead into the text they were given: a temporary would be gone before anybody looks.
template <std::same_as<std::string> S>
void split(S&& temporary, char separator) = delete;
template <std::same_as<std::string> S>
void lines(S&& temporary) = delete;
template <std::same_as<std::string> S>
void cut(S&& temporary, std::string_view separator) = delete;
std::optional<std::int64_t> to_int(std::string_view text);
std::optional<double> to_double(std::string_view text);

// Shell-like pattern over a path: `*` and `?` within a segment, `**` across, [a-z] classes.
bool glob_match(std::string_view pattern, std::string_view path);

// The candidate nearest to `word` within edit distance 2: for "did you mean".
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// Bytes for people: 1.5 MiB.
std::string human_bytes(std::uint64_t bytes);

}  // namespace slipway
