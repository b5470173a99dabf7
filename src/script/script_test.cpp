// What programs give, and what becomes of those that mean harm.
#include "script/script.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::script {
namespace {

using Language = Program::Language;

Worker& worker() {
  static Worker shared(Limits{Millis(300), Millis(60000)});
  return shared;
}

// "value", "failure: ..." or "error: ..."
std::string told(const Result<Outcome>& outcome) {
  if (!outcome) return "error: " + outcome.error().what();
  if (!outcome->failure.empty()) return "failure: " + outcome->failure;
  return doc::print_json(outcome->value) + (outcome->clock ? " now" : "");
}

struct Case {
  const char* name;
  Language language;
  std::string program;
  std::string want;  // a prefix
  std::string document =
      "{metadata: {name: web, annotations: {}}, spec: {list: [{name: a, v: 1}, {name: b}], none: []}}";
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Scripts : public ::testing::TestWithParam<Case> {};

TEST_P(Scripts, Give) {
  const auto& c = GetParam();
  auto document = must(doc::parse_yaml(c.document));
  auto got = told(worker().run(Ctx(), {c.language, c.program}, {{"obj", document}}));
  EXPECT_TRUE(got.starts_with(c.want)) << got.substr(0, 400);
  // The next one finds the runner as if nothing had been.
  doc::Value name("web");
  EXPECT_EQ(told(worker().run(Ctx(), {Language::lua, "return name"}, {{"name", name}})), "\"web\"");
}

const std::string deep_list = std::string(99, '[') + std::string(99, ']');

INSTANTIATE_TEST_SUITE_P(
    Table, Scripts,
    ::testing::Values(
        Case{"JqValue", Language::jq, ".spec.list[1].name", "\"b\""},
        Case{"JqPaths", Language::jq, "[path(.spec.list[] | select(.name == \"b\"))]", "[[\"spec\",\"list\",1]]"},
        Case{"JqRegex", Language::jq, ".metadata.name | test(\"^w.b$\")", "true"},
        Case{"JqNothing", Language::jq, "empty", "failure: gives nothing, want one value"},
        Case{"JqTwo", Language::jq, ".a, .b", "failure: gives more than one value, want one"},
        Case{"JqError", Language::jq, "error(\"no\")", "failure: no"},
        Case{"JqErrorAfterValue", Language::jq, "1, error(\"no\")", "failure: no"},
        Case{"JqErrorObject", Language::jq, "error({a: 1})", "failure: {\"a\":1}"},
        Case{"JqNull", Language::jq, ".spec.x[]", "failure: Cannot iterate over null"},
        Case{"JqSyntax", Language::jq, ".a[", "error: is no jq program: syntax error, unexpected $end"},
        Case{"JqUnknown", Language::jq, "foo(1)", "error: is no jq program: foo/1 is not defined"},
        Case{"JqZeroByte", Language::jq, std::string(".a\0.b", 5), "error: holds a zero byte"},
        Case{"JqHalt", Language::jq, "halt", "failure: halts, want a value"},
        Case{"JqInput", Language::jq, "[inputs]", "[]"}, Case{"JqDebug", Language::jq, "1 | debug | stderr", "1"},
        Case{"JqEnvironment", Language::jq, "env | keys", "[\"HOME\",\"TZ\"]"},
        Case{"JqImport", Language::jq, "import \"a\" as a; .", "error: is no jq program: module not found: a"},
        Case{"JqEndless", Language::jq, "last(range(1e12))", "error: takes more than 300ms of processor time"},
        Case{"JqManyOutputs", Language::jq, "[range(1e12)]", "error: "},
        Case{"JqTailCall", Language::jq, "def f: f; f", "error: takes more than 300ms"},
        Case{"JqDeepCall", Language::jq, "def f: [f]; f", "error: "},
        Case{"JqDeepValue", Language::jq, "reduce range(1e6) as $i (null; [.])", "error: "},
        Case{"JqDeepProgram", Language::jq, std::string(20000, '('), "error: is no jq program: memory exhausted"},
        Case{"JqPattern", Language::jq, "(\"a\" * 40) + \"!\" | test(\"^(([a-z])+.)+[A-Z]([a-z])+$\")",
             "failure: Regex"},
        Case{"JqLongText", Language::jq, "\"aaaaaaaaaa\" * 1000000", "failure: gives more than 8 MiB, want less"},
        Case{"LuaTable", Language::lua, "return {status = 'Healthy', message = obj.metadata.name}",
             "{\"message\":\"web\",\"status\":\"Healthy\"}"},
        Case{"LuaEmptyKeepsItsKind", Language::lua, "return obj",
             "{\"metadata\":{\"annotations\":{},\"name\":\"web\"},\"spec\":{\"list\":[{\"name\":\"a\",\"v\":1},{"
             "\"name\":\"b\"}],\"none\":[]}}"},
        Case{"LuaEmptied", Language::lua, "local s = obj.metadata s.name = nil s.annotations = nil return {s, {}}",
             "[{},[]]"},
        Case{"LuaNil", Language::lua, "return nil", "null"}, Case{"LuaNothing", Language::lua, "local a = 1", "null"},
        Case{"LuaDialect", Language::lua, "return table.getn({1, 2}) + math.mod(7, 4)", "5"},
        Case{"LuaLibraries", Language::lua,
             "local os = require('os') return string.format('%.2f', math.pi) .. os.date('!%Y', 0)", "\"3.141970\""},
        Case{"LuaTime", Language::lua, "return os.time() > 0", "true now"},
        Case{"LuaSyntax", Language::lua, "x =", "error: is no Lua program: script:1: unexpected symbol"},
        Case{"LuaGoto", Language::lua,
             "local n = 0 for i = 1, 3 do if i == 2 then goto continue end n = n + i ::continue:: end return n", "4"},
        Case{"LuaNewerSyntax", Language::lua, "return 7 // 2", "error: is no Lua program: script:1: "},
        Case{"LuaFormerFunctions", Language::lua,
             "local t = {} table.foreach({a = 1}, function(k) t[#t + 1] = k end) table.foreachi({5}, function(i, v) "
             "t[#t + 1] = v end) for w in string.gfind('x', '.') do t[#t + 1] = w end t[#t + 1] = unpack({7}) return t",
             "[\"a\",5,\"x\",7]"},
        Case{"LuaFinalizer", Language::lua,
             "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() return 1",
             "error: takes more than 300ms"},
        Case{"LuaError", Language::lua, "\nerror('no')", "failure: script:2: no"},
        Case{"LuaErrorTable", Language::lua, "error({})", "failure: fails with a table"},
        Case{"LuaIndexNil", Language::lua, "return obj.a.b",
             "failure: script:1: attempt to index field 'a' (a nil value)"},
        Case{"LuaHoles", Language::lua, "return {1, nil, 3}", "failure: returns a list with holes"},
        Case{"LuaMixedKeys", Language::lua, "return {1, a = 2}", "failure: returns a table with keys"},
        Case{"LuaFraction", Language::lua, "return {[1.5] = 1, [2] = 2}", "failure: returns a table with keys"},
        Case{"LuaFunction", Language::lua, "return {print}", "failure: returns a function within its value"},
        Case{"LuaCycle", Language::lua, "local t = {} t.t = t return t", "failure: returns tables within tables"},
        Case{"LuaNotANumber", Language::lua, "return 0 / 0", "failure: returns a number that JSON has not"},
        Case{"LuaBadUtf8", Language::lua, "return '\\255'", "\"\xEF\xBF\xBD\""},
        Case{"LuaNoFiles", Language::lua, "return {io == nil, os.execute == nil, dofile == nil, debug == nil}",
             "[true,true,true,true]"},
        Case{"LuaNoModules", Language::lua, "require('io')",
             "failure: script:1: require: there is no module 'io' here"},
        Case{"LuaCompiledCode", Language::lua, "\033Lua", "error: is no Lua program: attempt to load a binary chunk"},
        Case{"LuaLoadsCompiledCode", Language::lua, "local f, why = loadstring(string.dump(function() end)) return why",
             "\"attempt to load a binary chunk (mode is 't')\""},
        Case{"LuaLoads", Language::lua, "return loadstring('return 4')()", "4"},
        Case{"LuaEndless", Language::lua, "while true do end", "error: takes more than 300ms of processor time"},
        Case{"LuaEndlessAside", Language::lua, "return coroutine.wrap(function() while true do end end)()",
             "error: takes more than 300ms"},
        Case{"LuaPattern", Language::lua, "return ('a'):rep(30):find(('a*'):rep(30) .. 'b')",
             "error: takes more than 300ms"},
        Case{"LuaLongText", Language::lua, "return string.rep('x', 1e9)", "error: needs more than 64 MiB, want less"},
        Case{"LuaLongOutput", Language::lua, "return string.rep('x', 9e6)", "failure: gives more than 8 MiB"},
        Case{"LuaDeepCall", Language::lua, "local function f() return f() + 1 end return f()",
             "error: needs more than 64 MiB, want less"},
        Case{"LuaCatchesWantOfMemory", Language::lua, "while true do pcall(string.rep, 'x', 1e8) end",
             "error: takes more than"},
        Case{"LuaDeepDocument", Language::lua, "return #obj.x", "1", "{x: " + deep_list + "}"},
        Case{"OpenFile", Language::lua_open, "return io.open('/etc/passwd') == nil", "true"},
        Case{"OpenCommand", Language::lua_open, "return io.popen('id') == nil and os.execute('true') ~= 0", "true"},
        Case{"OpenStreams", Language::lua_open, "io.stderr:write('x') return io.read() == nil", "true"},
        Case{"OpenModule", Language::lua_open, "return require('foo')", "failure: script:1: module 'foo' not found"},
        Case{"OpenExit", Language::lua_open, "os.exit(3)", "error: ends its interpreter, want a value"},
        Case{"OpenTraceback", Language::lua_open, "return type(debug.traceback())", "\"string\""}),
    [](const auto& p) { return p.param.name; });

TEST(ScriptWorker, StartsWithTheFirstProgramAndServesAll) {
  Worker worker;
  EXPECT_EQ(worker.pid(), 0);
  doc::Value nothing;
  EXPECT_EQ(told(worker.run(Ctx(), {Language::jq, "1"}, {{"", nothing}})), "1");
  int pid = worker.pid();
  EXPECT_GT(pid, 0);
  EXPECT_EQ(told(worker.run(Ctx(), {Language::lua, "return a + b"}, {{"a", doc::Value(1)}, {"b", doc::Value(2)}})),
            "3");
  EXPECT_EQ(worker.pid(), pid);
}

TEST(ScriptWorker, NothingPassesFromOneProgramToTheNext) {
  Worker worker;
  doc::Value nothing;
  EXPECT_EQ(told(worker.run(Ctx(), {Language::lua, "kept = 1 string.kept = 1 getmetatable('').kept = 1 return 1"}, {})),
            "1");
  EXPECT_EQ(told(worker.run(
                Ctx(), {Language::lua, "return {kept == nil, string.kept == nil, getmetatable('').kept == nil}"}, {})),
            "[true,true,true]");
}

TEST(ScriptWorker, KeepsMoreProgramsThanItKeepsCompiled) {
  Worker worker;
  doc::Value nothing;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 40; ++i)
      ASSERT_EQ(told(worker.run(Ctx(), {Language::lua, fmt::format("return {}", i)}, {})), std::to_string(i));
  for (int i = 0; i < 40; ++i)
    ASSERT_EQ(told(worker.run(Ctx(), {Language::jq, std::to_string(i)}, {{"", nothing}})), std::to_string(i));
}

TEST(ScriptWorker, OneThatWasKilledIsReplaced) {
  Worker worker;
  doc::Value nothing;
  EXPECT_EQ(told(worker.run(Ctx(), {Language::jq, "1"}, {{"", nothing}})), "1");
  ::kill(worker.pid(), SIGKILL);
  EXPECT_EQ(told(worker.run(Ctx(), {Language::jq, "2"}, {{"", nothing}})), "2");
}

TEST(ScriptWorker, KilledInTheMiddleAgainAndAgain) {
  Worker worker(Limits{Millis(60000), Millis(60000)});
  std::atomic<bool> done = false;
  std::jthread killer([&] {
    for (int last = 0; !done;) {
      int pid = worker.pid();
      if (pid != 0 && pid != last) ::kill(pid, SIGKILL), last = pid;
      std::this_thread::yield();
    }
  });
  auto outcome = worker.run(Ctx(), {Language::lua, "while true do end"}, {});
  done = true;
  EXPECT_EQ(told(outcome), "error: the script runner was killed");
  EXPECT_TRUE(outcome.error().is(Kind::unavailable));
}

TEST(ScriptWorker, WhoStopsDoesNotWaitForIt) {
  Worker worker(Limits{Millis(60000), Millis(60000)});
  std::stop_source stop;
  Ctx ctx;
  ctx.stop = stop.get_token();
  std::jthread stopper([&] {
    while (worker.pid() == 0) std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_TRUE(worker.run(ctx, {Language::lua, "while true do end"}, {}).error().is(Kind::cancelled));
  EXPECT_EQ(worker.pid(), 0);
}

TEST(ScriptWorker, OthersWaitTheirTurn) {
  Worker worker;
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        doc::Value mine(t * 1000 + i);
        right += told(worker.run(Ctx(), {Language::lua, "return x"}, {{"x", mine}})) == std::to_string(t * 1000 + i);
      }
    });
  threads.clear();
  EXPECT_EQ(right, 200);
}

TEST(ScriptWorker, RefusesDocumentsThatAreTooLarge) {
  Worker worker;
  doc::Value large(std::string(33 << 20, 'x'));
  EXPECT_EQ(told(worker.run(Ctx(), {Language::jq, "1"}, {{"", large}})).substr(0, 24), "error: the documents hav");
  EXPECT_EQ(worker.pid(), 0);
}

TEST(ScriptPaths, AreListsOfKeys) {
  auto document = must(doc::parse_yaml("{a: [{n: x}, {n: y}]}"));
  EXPECT_EQ(told(paths(Ctx(), ".a[] | select(.n == \"y\") # why", document)), "[[\"a\",1]]");
  EXPECT_EQ(told(paths(Ctx(), ".a[-1].n, .a[0:1]", document)), "[[\"a\",-1,\"n\"],[\"a\",{\"end\":1,\"start\":0}]]");
  EXPECT_EQ(told(paths(Ctx(), ".a | length", document)).substr(0, 32), "failure: Invalid path expression");
}

}  // namespace
}  // namespace slipway::script
