#include <cmath>
#include <cstdlib>
#include <list>
#include <lua.hpp>

#include "script/runner/runner.h"

namespace slipway::script {
namespace {

// Lua's memory is counted, so that what is too much is the program's error and not the process's end. Frames that an
// error of Lua may leave hold nothing that wants to be destroyed.
struct Work {
  std::size_t used = 0;
  std::string_view program;
  const std::vector<Input>* inputs;
  bool all_libraries;
  bool loaded;
  Answer answer;
};

void* allocate(void* work, void* old, std::size_t before, std::size_t after) {
  auto& used = static_cast<Work*>(work)->used;
  if (after > before && used + (after - before) > lua_memory) return nullptr;
  if (after == 0) {
    std::free(old);
    used -= before;
    return nullptr;
  }
  auto* now = std::realloc(old, after);
  if (now != nullptr) used = used - before + after;
  return now;
}

Work& work_of(lua_State* lua) {
  void* work = nullptr;
  lua_getallocf(lua, &work);
  return *static_cast<Work*>(work);
}

// Which tables were lists and which maps: an empty one does not show it. Keys are weak.
char kinds;

void remember(lua_State* lua, bool is_map) {
  lua_pushlightuserdata(lua, &kinds);
  lua_rawget(lua, LUA_REGISTRYINDEX);
  lua_pushvalue(lua, -2);
  lua_pushboolean(lua, is_map);
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
}

// What it was; nothing known: a list, as Argo CD has it.
bool was_map(lua_State* lua, int table) {
  lua_pushlightuserdata(lua, &kinds);
  lua_rawget(lua, LUA_REGISTRYINDEX);
  lua_pushvalue(lua, table);
  lua_rawget(lua, -2);
  bool map = lua_toboolean(lua, -1) != 0;
  lua_pop(lua, 2);
  return map;
}

void push(lua_State* lua, jv value) {
  luaL_checkstack(lua, 8, "the document is too deep");
  switch (jv_get_kind(value)) {
    case JV_KIND_TRUE:
    case JV_KIND_FALSE:
      lua_pushboolean(lua, jv_get_kind(value) == JV_KIND_TRUE);
      break;
    case JV_KIND_NUMBER:
      lua_pushnumber(lua, jv_number_value(value));
      break;
    case JV_KIND_STRING:
      lua_pushlstring(lua, jv_string_value(value), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(value))));
      break;
    case JV_KIND_ARRAY:
      lua_newtable(lua);
      remember(lua, false);
      for (int i = 0; i < jv_array_length(jv_copy(value)); ++i) {
        push(lua, jv_array_get(jv_copy(value), i));
        lua_rawseti(lua, -2, i + 1);
      }
      break;
    case JV_KIND_OBJECT:
      lua_newtable(lua);
      remember(lua, true);
      for (int i = jv_object_iter(value); jv_object_iter_valid(value, i); i = jv_object_iter_next(value, i)) {
        push(lua, jv_object_iter_key(value, i));
        push(lua, jv_object_iter_value(value, i));
        lua_rawset(lua, -3);
      }
      break;
    default:
      lua_pushnil(lua);
  }
  jv_free(value);
}

// The value on top of the stack, which stays. Invalid, with a message: it is none that JSON has.
jv take(lua_State* lua, int depth);

jv not_json(const char* what) { return jv_invalid_with_msg(jv_string(what)); }

jv take_list(lua_State* lua, std::size_t size, int depth) {
  auto out = jv_array();
  for (std::size_t i = 1; i <= size; ++i) {
    lua_rawgeti(lua, -1, static_cast<int>(i));
    auto item = take(lua, depth + 1);
    lua_pop(lua, 1);
    if (!jv_is_valid(item)) {
      jv_free(out);
      return item;
    }
    out = jv_array_append(out, item);
  }
  return out;
}

jv take_map(lua_State* lua, int depth) {
  auto out = jv_object();
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    auto item = take(lua, depth + 1);
    lua_pop(lua, 1);
    if (!jv_is_valid(item)) {
      jv_free(out);
      lua_pop(lua, 1);
      return item;
    }
    std::size_t length = 0;
    const char* key = lua_tolstring(lua, -1, &length);  // a string already: the walk goes on
    out = jv_object_set(out, jv_string_sized(key, static_cast<int>(length)), item);
  }
  return out;
}

jv take_table(lua_State* lua, int depth) {
  std::size_t entries = 0, words = 0, places = 0;
  double highest = 0;
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pop(lua, 1);
    ++entries;
    if (lua_type(lua, -1) == LUA_TSTRING) ++words;
    if (double place = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
        place >= 1 && place == std::floor(place)) {
      ++places;
      highest = std::max(highest, place);
    }
  }
  if (entries == 0) return was_map(lua, lua_gettop(lua)) ? jv_object() : jv_array();
  if (words == entries) return take_map(lua, depth);
  if (places != entries) return not_json("returns a table with keys that are neither all names nor all places");
  if (highest != static_cast<double>(entries)) return not_json("returns a list with holes");
  return take_list(lua, entries, depth);
}

jv take(lua_State* lua, int depth) {
  if (depth > most_depth || lua_checkstack(lua, 8) == 0) return not_json("returns tables within tables without end");
  switch (lua_type(lua, -1)) {
    case LUA_TNIL:
      return jv_null();
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, -1) != 0 ? jv_true() : jv_false();
    case LUA_TNUMBER:
      return std::isfinite(lua_tonumber(lua, -1)) ? jv_number(lua_tonumber(lua, -1))
                                                  : not_json("returns a number that JSON has not");
    case LUA_TSTRING: {
      std::size_t length = 0;
      const char* text = lua_tolstring(lua, -1, &length);
      return jv_string_sized(text, static_cast<int>(length));
    }
    case LUA_TTABLE:
      return take_table(lua, depth);
    default:
      return jv_invalid_with_msg(jv_string_fmt("returns a %s within its value", luaL_typename(lua, -1)));
  }
}

// os.time and os.date: another outcome the next time, unless they are told which.
int at_this_time(lua_State* lua) {
  if (lua_gettop(lua) < lua_tointeger(lua, lua_upvalueindex(2))) work_of(lua).answer.clock = true;
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
  return lua_gettop(lua);
}

// Compiled code is trusted by Lua, so it takes none from a script.
int load_text(lua_State* lua) {
  std::size_t length = 0;
  const char* text = luaL_checklstring(lua, 1, &length);
  if (luaL_loadbufferx(lua, text, length, luaL_optstring(lua, 2, "=loaded"), "t") == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

// Gives what is there; there are no files to look in.
int require(lua_State* lua) {
  const char* name = luaL_checkstring(lua, 1);
  lua_getglobal(lua, name);
  if (!lua_istable(lua, -1)) return luaL_error(lua, "require: there is no module '%s' here", name);
  return 1;
}

// What 5.1 had and 5.2 has not.
constexpr std::string_view former = R"(
table.getn = function(t) return #t end
table.foreachi = function(t, f) for i = 1, #t do local r = f(i, t[i]) if r ~= nil then return r end end end
table.foreach = function(t, f) for k, v in pairs(t) do local r = f(k, v) if r ~= nil then return r end end end
math.mod = math.fmod
string.gfind = string.gmatch
)";

void open_libraries(lua_State* lua, bool all) {
  luaL_openlibs(lua);
  if (luaL_loadbufferx(lua, former.data(), former.size(), "=former", "t") != 0) lua_error(lua);
  lua_call(lua, 0, 0);
  lua_getglobal(lua, "os");
  if (!all) {
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_setglobal(lua, "os");
  } else {
    lua_pushvalue(lua, -1);
  }
  for (int told : {1, 2}) {
    const char* name = told == 1 ? "time" : "date";
    lua_getfield(lua, -2, name);
    lua_pushinteger(lua, told);
    lua_pushcclosure(lua, at_this_time, 2);
    lua_setfield(lua, -2, name);
  }
  lua_pop(lua, 2);
  if (all) return;
  for (auto name : {"io", "debug", "package", "module", "dofile", "loadfile", "load"}) {
    lua_pushnil(lua);
    lua_setglobal(lua, name);
  }
  lua_register(lua, "loadstring", load_text);
  lua_register(lua, "require", require);
}

struct Compiled {
  std::string text, code;
};

int keep_code(lua_State*, const void* bytes, std::size_t size, void* into) {
  static_cast<std::string*>(into)->append(static_cast<const char*>(bytes), size);
  return 0;
}

// The program as a function on the stack, or its error.
int load(lua_State* lua, std::string_view program) {
  static std::list<Compiled> kept;
  for (auto it = kept.begin(); it != kept.end(); ++it) {
    if (it->text != program) continue;
    kept.splice(kept.begin(), kept, it);
    return luaL_loadbufferx(lua, it->code.data(), it->code.size(), "=script", "b");
  }
  int status = luaL_loadbufferx(lua, program.data(), program.size(), "=script", "t");
  if (status != 0) return status;
  kept.emplace_front();
  kept.front().text = program;
  lua_dump(lua, keep_code, &kept.front().code);
  if (kept.size() > most_programs) kept.pop_back();
  return 0;
}

int body(lua_State* lua) {
  auto& work = work_of(lua);
  open_libraries(lua, work.all_libraries);
  lua_pushlightuserdata(lua, &kinds);
  lua_newtable(lua);
  lua_newtable(lua);
  lua_pushliteral(lua, "k");
  lua_setfield(lua, -2, "__mode");
  lua_setmetatable(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
  for (const auto& input : *work.inputs) {
    auto document = jv_parse_sized(input.json.data(), static_cast<int>(input.json.size()));
    if (!jv_is_valid(document)) {
      jv_free(document);
      return luaL_error(lua, "the document is no JSON");
    }
    lua_pushglobaltable(lua);
    lua_pushlstring(lua, input.name.data(), input.name.size());
    push(lua, document);
    lua_settable(lua, -3);
    lua_pop(lua, 1);
  }
  if (load(lua, work.program) != 0) return lua_error(lua);
  work.loaded = true;
  lua_call(lua, 0, LUA_MULTRET);
  // What it returned last; nothing at all is nil.
  if (lua_gettop(lua) == 0) lua_pushnil(lua);
  auto value = take(lua, 0);
  if (jv_is_valid(value)) {
    bool clock = work.answer.clock;
    work.answer = print(value);
    work.answer.clock = clock;
    return 0;
  }
  auto message = jv_invalid_get_msg(value);
  work.answer = wrong(jv_string_value(message));
  jv_free(message);
  return 0;
}

}  // namespace

Answer run_lua(std::string_view program, const std::vector<Input>& inputs, bool all_libraries) {
  Work work{0, program, &inputs, all_libraries, false, {}};
  auto* lua = lua_newstate(allocate, &work);
  if (lua == nullptr) return {"limit", "there is no memory for it", false};
  lua_pushcfunction(lua, body);
  int status = lua_pcall(lua, 0, 0, 0);
  if (status == LUA_ERRMEM) {
    work.answer = {"limit", "needs more than 64 MiB, want less", false};
  } else if (status != 0) {
    const char* what = lua_tostring(lua, -1);
    std::string text = what != nullptr ? what : std::string("fails with a ") + luaL_typename(lua, -1);
    work.answer = work.loaded ? wrong(std::move(text)) : unreadable("is no Lua program: " + text);
  }
  lua_close(lua);
  return std::move(work.answer);
}

}  // namespace slipway::script
