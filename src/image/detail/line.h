#pragma once
// One logical line to an instruction.
#include "image/dockerfile.h"

namespace slipway::image::detail {

// Errors: invalid, without a place.
Result<Instruction> parse_line(std::string_view line, char escape, int depth = 0);
// A JSON list of strings at the start of the text. Nothing: it is no JSON; an error: a list of something else.
Result<std::optional<std::vector<std::string>>> json_list(std::string_view text);
// Words at blanks, quotes and escapes kept (ENV, LABEL, ARG).
std::vector<std::string> quoted_words(std::string_view rest, char escape);

// The heredoc a word opens, without its content: [fd]<<[-]word. Nothing: the word opens none.
std::optional<Heredoc> heredoc_of(std::string_view word);
// A heredoc's content as it is used: without leading tabs when it was opened by <<-.
std::string body_of(const Heredoc& doc);

}  // namespace slipway::image::detail
