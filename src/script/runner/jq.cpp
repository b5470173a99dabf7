#include <list>

#include "script/runner/runner.h"

namespace slipway::script {
namespace {

std::string text_of(jv value) {
  if (jv_get_kind(value) != JV_KIND_STRING) value = jv_dump_string(value, 0);
  std::string out(jv_string_value(value), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(value))));
  jv_free(value);
  return out;
}

// The first complaint without what jq says to a shell's users, on one line.
std::string plain(std::string message) {
  for (std::string_view noise : {"jq: error: ", " (Unix shell quoting issues?)"})
    if (auto at = message.find(noise); at != message.npos) message.erase(at, noise.size());
  if (auto at = message.find(" at <top-level>"); at != message.npos) message.resize(at);
  if (auto at = message.find('\n'); at != message.npos) message.resize(at);
  return message;
}

void note_error(void* into, jv message) {
  auto& first = *static_cast<std::string*>(into);
  if (first.empty())
    first = plain(text_of(message));
  else
    jv_free(message);
}

// There is one document, and nobody reads along.
jv no_more(jq_state*, void*) { return jv_invalid(); }
void say_nothing(void*, jv message) { jv_free(message); }

struct Compiled {
  std::string text;
  jq_state* state;
};

// Compiling takes longer than most programs run: jq compiles its own library each time.
jq_state* compiled(std::string_view program, std::string& error) {
  static std::list<Compiled> kept;
  for (auto it = kept.begin(); it != kept.end(); ++it) {
    if (it->text != program) continue;
    kept.splice(kept.begin(), kept, it);
    return it->state;
  }
  auto state = jq_init();
  jq_set_attr(state, jv_string("JQ_LIBRARY_PATH"), jv_array());
  jq_set_input_cb(state, no_more, nullptr);
  jq_set_debug_cb(state, say_nothing, nullptr);
  jq_set_error_cb(state, note_error, &error);
  std::string text(program);
  bool well = jq_compile(state, text.c_str()) != 0;
  jq_set_error_cb(state, nullptr, nullptr);
  if (!well) {
    jq_teardown(&state);
    return nullptr;
  }
  kept.push_front({std::move(text), state});
  if (kept.size() > most_programs) {
    jq_teardown(&kept.back().state);
    kept.pop_back();
  }
  return state;
}

// What ended the outputs: nothing, for that they are all.
std::string failure(jq_state* state, jv last) {
  if (jq_halted(state)) {
    jv_free(last);
    return "halts, want a value";
  }
  if (!jv_invalid_has_msg(jv_copy(last))) {
    jv_free(last);
    return {};
  }
  return text_of(jv_invalid_get_msg(last));
}

}  // namespace

Answer run_jq(std::string_view program, const std::vector<Input>& inputs) {
  if (program.find('\0') != program.npos) return unreadable("holds a zero byte");
  if (inputs.size() != 1) return wrong("wants one document");
  std::string error;
  auto state = compiled(program, error);
  if (state == nullptr) return unreadable("is no jq program: " + error);
  auto document = jv_parse_sized(inputs[0].json.data(), static_cast<int>(inputs[0].json.size()));
  if (!jv_is_valid(document)) return wrong("the document: " + text_of(jv_invalid_get_msg(document)));
  jq_start(state, document, 0);
  auto first = jq_next(state);
  if (!jv_is_valid(first)) {
    error = failure(state, first);
    return wrong(error.empty() ? "gives nothing, want one value" : error);
  }
  auto second = jq_next(state);
  bool alone = !jv_is_valid(second);
  if (alone) error = failure(state, second);
  if (!alone) jv_free(second);
  if (!alone || !error.empty()) {
    jv_free(first);
    return wrong(alone ? error : "gives more than one value, want one");
  }
  return print(first);
}

}  // namespace slipway::script
