#pragma once
// The program that runs what people wrote: one request in, one answer out, nothing else within reach.
// Their headers do not say it.
extern "C" {
#include <jq.h>
#include <jv.h>
}

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "script/frame.h"

namespace slipway::script {

inline constexpr std::size_t lua_memory = std::size_t{64} << 20;
inline constexpr std::size_t most_output = std::size_t{8} << 20;
inline constexpr std::size_t most_rendered = std::size_t{16} << 20;  // of Jsonnet, with its indentation
inline constexpr int most_depth = 100;
inline constexpr std::size_t most_programs = 32;  // compiled ones that are kept

// A document with the name it goes by.
struct Input {
  std::string_view name, json;
};

struct Answer {
  // "unreadable": it is no program; "failure": it fails with this input; "limit": it wants too much, and so we end
  std::string_view status = "value";
  std::string text;    // JSON, or what is wrong
  bool clock = false;  // the program asked for the time
};
inline Answer wrong(std::string text) { return {"failure", std::move(text), false}; }
inline Answer unreadable(std::string text) { return {"unreadable", std::move(text), false}; }
Answer print(jv value);

Answer run_lua(std::string_view program, const std::vector<Input>& inputs, bool all_libraries);
Answer run_jq(std::string_view program, const std::vector<Input>& inputs);
Answer run_jsonnet(const Fields& request);

// Asks the host something amid a program; the fields are in `answer`. Nothing: that was no answer.
std::optional<Fields> ask_host(const Fields& question, std::string& answer);
// Says so with what was laid by for it, and ends the process.
[[noreturn]] void answer_out_of_memory();

// Leaves the process with what it has: no files, no network, no children, this many bytes of memory. False: it could
// not be done.
bool confine(std::size_t memory);

}  // namespace slipway::script
