#pragma once
// What to say about a command line that is not one: what is wrong, and what was probably meant.
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"

namespace slipway::cli {

// The word that names no command, as an error with the nearest command as its hint; nothing: the words name one.
std::optional<Error> unknown_command(const std::vector<Command>& commands, std::span<const std::string> words);
// The option that the command does not take; nothing: it takes them all.
std::optional<Error> unknown_option(const Command& command, std::span<const std::string> rest);

}  // namespace slipway::cli
