#include "cli/suggest.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::cli {
namespace {

// The words that may follow `before` in a command's name.
std::vector<std::string> next_words(const std::vector<Command>& commands, const std::string& before) {
  std::vector<std::string> words;
  for (const auto& command : commands) {
    if (!before.empty() && !command.name.starts_with(before + " ")) continue;
    std::string_view rest =
        before.empty() ? std::string_view(command.name) : std::string_view(command.name).substr(before.size() + 1);
    std::string word(rest.substr(0, rest.find(' ')));
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

std::string prefixed(const std::string& before, const std::string& word) {
  return before.empty() ? word : before + " " + word;
}

}  // namespace

std::optional<Error> unknown_command(const std::vector<Command>& commands, std::span<const std::string> words) {
  std::string before;
  // One that does something by itself and has others below it: what follows may be its argument.
  auto is_command = [&] {
    return std::any_of(commands.begin(), commands.end(), [&](const Command& c) { return c.name == before; });
  };
  for (const auto& word : words) {
    auto known = next_words(commands, before);
    if (known.empty()) return std::nullopt;
    auto whole = prefixed(before, word);
    if (word.starts_with('-')) {
      if (!before.empty()) break;
      static const std::vector<std::string> own{"--help", "--version"};
      auto near = nearest(word, own);
      return Error(Kind::invalid, fmt::format("unknown option {}", word))
          .with_hint(near ? fmt::format("did you mean {}?", *near)
                          : "options come after the command: slipway COMMAND --help");
    }
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      if (is_command()) return std::nullopt;
      auto near = nearest(word, known);
      auto hint = near             ? fmt::format("did you mean: slipway {}", prefixed(before, *near))
                  : before.empty() ? "slipway lists the commands"
                                   : fmt::format("slipway {} has: {}", before, join(known, ", "));
      return Error(Kind::invalid, fmt::format("there is no command \"{}\"", whole)).with_hint(std::move(hint));
    }
    before = whole;
  }
  auto known = next_words(commands, before);
  if (known.empty() || is_command()) return std::nullopt;
  return Error(Kind::invalid, fmt::format("slipway {}: what of it?", before))
      .with_hint(fmt::format("slipway {} has: {}", before, join(known, ", ")));
}

std::optional<Error> unknown_option(const Command& command, std::span<const std::string> rest) {
  std::vector<std::string> known{"--help", "--output"};
  for (const auto& option : command.options)
    for (auto name : split(option.names, ','))
      if (name.starts_with("--")) known.emplace_back(name);
  auto found =
      std::find_if(rest.begin(), rest.end(), [](const auto& word) { return word.size() > 1 && word.starts_with('-'); });
  if (found == rest.end()) {
    if (rest.empty()) return std::nullopt;
    return Error(Kind::invalid, fmt::format("{}: \"{}\" is one argument too many", command.name, rest.front()))
        .with_hint(fmt::format("slipway {} --help", command.name));
  }
  auto word = found->substr(0, found->find('='));
  auto near = nearest(word, known);
  return Error(Kind::invalid, fmt::format("{}: unknown option {}", command.name, word))
      .with_hint(near ? fmt::format("did you mean {}?", *near) : fmt::format("slipway {} --help", command.name));
}

}  // namespace slipway::cli
