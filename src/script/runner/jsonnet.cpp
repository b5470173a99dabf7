// Its header does not say it.
extern "C" {
#include <libjsonnet.h>
}

#include <malloc.h>

#include <cstdlib>
#include <cstring>

#include "script/runner/runner.h"

namespace slipway::script {
namespace {

// go-jsonnet's default, which Argo CD leaves as it is.
constexpr unsigned most_calls = 500;
// Twice what lived after the last collection, the library's default, is three times the memory of this (measured with
// twenty thousand small objects) for a third less time.
constexpr double growth_before_collection = 1.25;
constexpr std::string_view own_library = "std.jsonnet:";

// What Jsonnet frees.
char* copy_of(std::string_view text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) answer_out_of_memory();
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

// The host knows the files. It answers with "file", how errors name it, its bytes; or with "none" and why.
char* import(void*, const char* folder, const char* path, char** name, int* success) {
  std::string answer;
  auto said = ask_host({"import", folder, path}, answer);
  bool file = said && said->size() == 3 && (*said)[0] == "file";
  *success = file ? 1 : 0;
  if (file) *name = copy_of((*said)[1]);
  return copy_of(file ? (*said)[2] : said && said->size() == 2 ? (*said)[1] : "the host does not answer");
}

// FILE:3:5-12 and FILE:(3:5)-(4:2) as FILE:3:5. Nothing: it is no place.
std::string place_of(std::string_view range) {
  auto bracket = range.find(":(");
  auto end = bracket == range.npos ? range.rfind('-') : range.find(')', bracket);
  // A dash of the file's name is before its line.
  if (bracket == range.npos && end != range.npos && range.find(':', end) != range.npos) end = range.npos;
  std::string out(range.substr(0, end));
  if (bracket != range.npos) out.erase(bracket + 1, 1);
  auto column = out.rfind(':');
  auto line = column == out.npos || column == 0 ? out.npos : out.rfind(':', column - 1);
  auto number = [&](std::size_t from, std::size_t to) {
    return to > from && out.substr(from, to - from).find_first_not_of("0123456789") == out.npos;
  };
  if (line == out.npos || !number(line + 1, column) || !number(column + 1, out.size())) return {};
  return out;
}

// "RUNTIME ERROR: words", then the calls, the innermost first, as "\tFILE:LINE:COLUMN\tname"; or "STATIC ERROR:
// FILE:LINE:COLUMN: words". As places: where the program called what is wrong elsewhere, and where it is wrong.
std::string plain(std::string_view message, std::string_view program) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  auto is_own = [&](const std::string& place) {
    return place.size() > program.size() && place.starts_with(program) && place[program.size()] == ':';
  };
  std::string inner, own;
  if (constexpr std::string_view head = "STATIC ERROR: "; message.starts_with(head)) {
    message.remove_prefix(head.size());
    auto end = message.find(": ");
    inner = place_of(message.substr(0, end));
    if (!inner.empty()) message.remove_prefix(end + 2);
  } else if (constexpr std::string_view other = "RUNTIME ERROR: "; message.starts_with(other)) {
    message.remove_prefix(other.size());
  }
  // Words may have several lines; a call's has two tabs.
  for (;;) {
    auto last = message.rfind('\n');
    if (last == message.npos || last + 1 == message.size() || message[last + 1] != '\t') break;
    auto call = message.substr(last + 2);
    if (call.find('\t') == call.npos) break;
    message = message.substr(0, last);
    if (call.starts_with(own_library)) continue;
    auto place = place_of(call.substr(0, call.find('\t')));
    if (place.empty()) continue;
    if (is_own(place)) own = place;
    inner = std::move(place);
  }
  if (own.empty()) own = program;
  auto out = inner.empty() || is_own(inner) ? std::string() : own + ": ";
  out += inner.empty() ? own : inner;
  return (out += ": ") += message;
}

std::string_view taken(const Fields& request, std::size_t& at) { return at < request.size() ? request[at++] : ""; }

}  // namespace

// "jsonnet", milliseconds, the program's text, how errors name it, and of each variable its kind ("ext", "ext code",
// "tla", "tla code"), its name, its value.
Answer run_jsonnet(const Fields& request) {
  std::size_t at = 2;
  std::string text(taken(request, at)), name(taken(request, at));
  auto* vm = jsonnet_make();
  jsonnet_max_stack(vm, most_calls);
  jsonnet_gc_growth_trigger(vm, growth_before_collection);
  jsonnet_max_trace(vm, 0);
  jsonnet_import_callback(vm, import, nullptr);
  while (at + 3 <= request.size()) {
    auto kind = taken(request, at);
    std::string key(taken(request, at)), value(taken(request, at));
    auto* bind = kind == "ext"        ? jsonnet_ext_var
                 : kind == "ext code" ? jsonnet_ext_code
                 : kind == "tla"      ? jsonnet_tla_var
                                      : jsonnet_tla_code;
    bind(vm, key.c_str(), value.c_str());
  }
  int wrong_program = 0;
  auto* said = jsonnet_evaluate_snippet(vm, name.c_str(), text.c_str(), &wrong_program);
  std::string result(said);
  jsonnet_realloc(vm, said, 0);
  jsonnet_destroy(vm);
  // A large program's memory is not the runner's for ever.
  ::malloc_trim(0);
  if (wrong_program != 0) return wrong(plain(result, name));
  if (result.size() > most_rendered) return wrong(name + ": gives more than 16 MiB, want less");
  return {"value", std::move(result), false};
}

}  // namespace slipway::script
