#pragma once
// Dockerfiles as values: what was written, where, nothing decided yet.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::image {

struct Heredoc {
  std::string name, content;
  bool expand = true;       // the word was not quoted
  bool strip_tabs = false;  // <<-
  int fd = 0;
};

struct Instruction {
  std::string name;                // lower case: "run"
  std::string written;             // as in the file: "Run"
  std::string text;                // the whole logical line
  std::string rest;                // after name and flags
  std::vector<std::string> flags;  // "--mount=type=cache,target=/x"
  std::vector<std::string> args;   // by the instruction's own rule; ENV and LABEL: name, value, "=" or ""
  bool json = false;               // written as a JSON list
  std::vector<Heredoc> heredocs;
  std::vector<std::string> comments;           // the lines right above
  std::shared_ptr<const Instruction> trigger;  // ONBUILD's
  int line = 0, column = 0, end_line = 0;      // from 1
  // The value of "--name=value"; "" for "--name".
  std::optional<std::string_view> flag(std::string_view name) const;
  std::vector<std::string_view> flags_named(std::string_view name) const;
};

struct Remark {
  int line = 0;
  std::string text;
};

struct Dockerfile {
  std::string name;  // for messages
  std::string source;
  std::string syntax, check;  // directives
  char escape = '\\';
  std::vector<Instruction> instructions;
  std::vector<Remark> remarks;  // legal, but worth a word (an empty line inside a continuation)

  // "Dockerfile:3:1: what" and the line itself below.
  Fail wrong(int line, int column, std::string_view what, std::string hint = {}) const;
  Fail wrong(const Instruction& at, std::string_view what, std::string hint = {}) const {
    return wrong(at.line, at.column, what, std::move(hint));
  }
};

// Rule: BuildKit's parser (directives, continuations, JSON forms, heredocs). Unknown instructions parse; stages.h
// refuses them. Errors: invalid with file:line:col. Threads: any.
Result<Dockerfile> parse_dockerfile(std::string_view text, std::string name = "Dockerfile");
// One instruction on one line, for ONBUILD triggers that come from an image's configuration.
Result<Dockerfile> parse_trigger(std::string_view line, std::string_view image);
// The tree as BuildKit's parser prints it, one line an instruction.
std::string print_tree(const Dockerfile& file);

}  // namespace slipway::image
