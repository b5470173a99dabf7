// What programs give, and what becomes of those that mean harm.
#include "script/script.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <map>
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

struct Evaluation {
  const char* name;
  std::string program;
  std::string want;  // a prefix
  std::vector<Jsonnet::Variable> external = {}, arguments = {};
};
void PrintTo(const Evaluation& e, std::ostream* out) { *out << e.name; }

// Three files beside the program, and one below.
Result<Jsonnet::File> file_beside(const std::string& folder, const std::string& path) {
  static const std::map<std::string, std::string> files{
      {"app/port.libsonnet", "80"},
      {"app/lib/web.libsonnet", "{\n  port: import '../port.libsonnet',\n  broken(x):: x.nothing,\n}\n"},
      {"app/syntax.libsonnet", "{\n  a: \n}\n"},
      {"app/itself.jsonnet", "import 'itself.jsonnet'"},
      {"app/zero.txt", std::string("a\0b", 3)}};
  auto whole = folder + path;
  if (auto up = whole.find("lib/../"); up != std::string::npos) whole.erase(up, 7);
  if (path == "secret") return fail(Kind::denied, "nobody may read it");
  if (path == "away") return fail(Kind::unavailable, "the disk is away");
  auto found = files.find(whole);
  if (found == files.end()) return fail(Kind::not_found, "there is no {}", whole);
  return Jsonnet::File{whole, found->second};
}

Jsonnet of_text(std::string text) { return {{"app/main.jsonnet", std::move(text)}, {}, {}, file_beside}; }

class Evaluations : public ::testing::TestWithParam<Evaluation> {};

TEST_P(Evaluations, Give) {
  static Worker shared(Limits{Millis(1000), Millis(60000), 128});
  const auto& c = GetParam();
  auto program = of_text(c.program);
  program.external = c.external, program.arguments = c.arguments;
  auto got = told(shared.run(Ctx(), program));
  EXPECT_TRUE(got.starts_with(c.want)) << got.substr(0, 400);
  EXPECT_EQ(told(shared.run(Ctx(), of_text("[import 'port.libsonnet']"))), "[80]");
}

INSTANTIATE_TEST_SUITE_P(
    Table, Evaluations,
    ::testing::Values(
        Evaluation{"Object", "{b: 1, a: {c: std.length([1, 2])}}", "{\"a\":{\"c\":2},\"b\":1}"},
        Evaluation{"Numbers", "[1e6, 0.1, -3, 1e15, 9007199254740991]",
                   "[1000000,0.1,-3,1000000000000000,9007199254740991]"},
        Evaluation{"Text", "'ü \\u0000 \\n'", "\"ü \\u0000 \\n\""}, Evaluation{"Null", "null", "null"},
        Evaluation{"Imports", "(import 'lib/web.libsonnet') + {text: importstr 'port.libsonnet'}",
                   "{\"port\":80,\"text\":\"80\"}"},
        Evaluation{"ImportIsLazy", "{a: if false then import 'nowhere' else 1}", "{\"a\":1}"},
        Evaluation{
            "ExternalVariables", "[std.extVar('a'), std.extVar('b')]", "[\"1\",2]", {{"a", "1"}, {"b", "1 + 1", true}}},
        Evaluation{"Arguments", "function(a, b, c=3) [a, b, c]", "[\"1\",2,3]", {}, {{"a", "1"}, {"b", "1 + 1", true}}},
        Evaluation{"ArgumentsOfNoFunction", "4", "4", {}, {{"a", "1"}}},
        Evaluation{"ArgumentMissing", "function(a) a",
                   "failure: app/main.jsonnet: function parameter a not bound in call."},
        Evaluation{"ArgumentUnknown",
                   "function(a) a",
                   "failure: app/main.jsonnet: function has no parameter b",
                   {},
                   {{"a", "1"}, {"b", "1"}}},
        Evaluation{"ArgumentNoCode",
                   "function(a) a",
                   "failure: app/main.jsonnet: tla:a:1:2: unexpected: end of file",
                   {},
                   {{"a", "{", true}}},
        Evaluation{"VariableUnknown", "{\n  a: std.extVar('x'),\n}",
                   "failure: app/main.jsonnet:2:6: undefined external variable: x"},
        Evaluation{"VariableNoCode",
                   "std.extVar('x')",
                   "failure: app/main.jsonnet: <extvar:x>:1:1: unexpected: \"}\"",
                   {{"x", "}", true}}},
        Evaluation{"VariableFails",
                   "{a: std.extVar('x')}",
                   "failure: app/main.jsonnet: <extvar:x>:1:1: field does not exist: b",
                   {{"x", "{}.b", true}}},
        Evaluation{"Syntax", "{\n  a: }", "failure: app/main.jsonnet:2:6: unexpected: \"}\" while parsing terminal"},
        Evaluation{"UnknownVariable", "\n\n  b", "failure: app/main.jsonnet:3:3: Unknown variable: b"},
        Evaluation{"NoField", "{a: {\n}\n.b}", "failure: app/main.jsonnet:1:5: field does not exist: b"},
        Evaluation{"Error", "error 'one\n\ttwo'", "failure: app/main.jsonnet:1:1: one\n\ttwo"},
        Evaluation{"Assertion", "{assert false: 'why'}", "failure: app/main.jsonnet:1:16: why"},
        Evaluation{"ErrorInItsLibrary", "{a: std.format('%d', 'x')}",
                   "failure: app/main.jsonnet:1:5: Format required number at 0, got string"},
        Evaluation{"ErrorInAnImport", "\n(import 'lib/web.libsonnet').broken({})",
                   "failure: app/main.jsonnet:2:1: app/lib/web.libsonnet:3:15: field does not exist: nothing"},
        Evaluation{"SyntaxOfAnImport", "import 'syntax.libsonnet'",
                   "failure: app/main.jsonnet: app/syntax.libsonnet:3:1: unexpected: \"}\""},
        Evaluation{"ImportUnknown", "{a: import 'nowhere'}",
                   "failure: app/main.jsonnet:1:5: couldn't open import \"nowhere\": there is no app/nowhere"},
        Evaluation{"ImportDenied", "import 'secret'",
                   "failure: app/main.jsonnet:1:1: couldn't open import \"secret\": nobody may read it"},
        Evaluation{"ImportAway", "import 'away'", "error: the disk is away"},
        Evaluation{"ImportWithAZeroByte", "importstr 'zero.txt'",
                   "failure: app/main.jsonnet:1:1: couldn't open import \"zero.txt\": app/zero.txt: holds a zero byte"},
        Evaluation{"ImportOfItself", "import 'itself.jsonnet'",
                   "failure: app/main.jsonnet:1:1: app/itself.jsonnet:1:1: max stack frames exceeded."},
        Evaluation{"ImportOfAVariable", "std.extVar('x')", "80", {{"x", "import 'app/port.libsonnet'", true}}},
        Evaluation{"ZeroByte", std::string("1\0", 2), "error: holds a zero byte"},
        Evaluation{"Function", "{a: function(x) x}",
                   "failure: app/main.jsonnet:1:5: couldn't manifest function in JSON output."},
        Evaluation{"Native", "std.native('x')(1)",
                   "failure: app/main.jsonnet:1:1: only functions can be called, got null"},
        Evaluation{"Trace", "std.trace('said', 1)", "1"},
        Evaluation{"DeepCall", "local f(x) = f(x) + 1; f(1)",
                   "failure: app/main.jsonnet:1:14: max stack frames exceeded."},
        Evaluation{"DeepProgram", std::string(100000, '['), "error: ends its interpreter (signal 11)"},
        Evaluation{"DeepJson", "std.parseJson(std.repeat('[', 100000) + std.repeat(']', 100000))", "error: "},
        Evaluation{"Endless", "local f(x) = if x < 0 then 0 else f(x + 1) tailstrict; f(1)",
                   "error: takes more than 1s of processor time"},
        Evaluation{"MuchMemory", "local d(s, n) = if n == 0 then s else d(s + s, n - 1); std.length(d('xxxxxxxx', 30))",
                   "error: needs more than 128 MiB, want less"},
        Evaluation{"MuchMemoryOfItems", "std.length([[x, x + 1] for x in std.range(1, 10000000)])",
                   "error: needs more than 128 MiB, want less"},
        Evaluation{
            "ManyItems",
            "std.length(std.filter(function(o) o.a != '', [{a: 'x' + i, b: [i, i + 1]} for i in std.range(1, 5000)]))",
            "5000"}),
    [](const auto& p) { return p.param.name; });

TEST(ScriptJsonnet, AnImportThatIsCancelledIsNotTheProgramsFault) {
  Worker worker;
  auto program = of_text("import 'x'");
  program.import = [](const std::string&, const std::string&) -> Result<Jsonnet::File> {
    return fail(Kind::cancelled, "stopped");
  };
  EXPECT_TRUE(worker.run(Ctx(), program).error().is(Kind::cancelled));
  EXPECT_EQ(told(worker.run(Ctx(), of_text("1"))), "1");
}

TEST(ScriptJsonnet, TheSharedWorkerTakesLongOutput) {
  EXPECT_EQ(told(run(Ctx(), of_text("local s = std.repeat('x', 500000); [s for i in std.range(1, 36)]"))),
            "failure: app/main.jsonnet: gives more than 16 MiB, want less");
}

TEST(ScriptJsonnet, ManyImportsAndVariables) {
  Worker worker;
  std::string text = "[";
  for (int i = 0; i < 5000; ++i) text += fmt::format("importstr '{}',", i);
  auto program = of_text(text + "]");
  program.import = [](const std::string&, const std::string& path) { return Jsonnet::File{path, "1"}; };
  EXPECT_EQ(
      told(worker.run(Ctx(), program)),
      "failure: app/main.jsonnet:1:68524: couldn't open import \"4096\": the program imports more than 4096 files");
  program = of_text("std.extVar('v299')");
  for (int i = 0; i < 300; ++i) program.external.push_back({fmt::format("v{}", i), std::to_string(i)});
  EXPECT_EQ(told(worker.run(Ctx(), program)), "\"299\"");
  program.external.push_back({"one more", ""});
  EXPECT_EQ(told(worker.run(Ctx(), program)), "error: has 301 variables, want at most 300");
}

TEST(ScriptPaths, AreListsOfKeys) {
  auto document = must(doc::parse_yaml("{a: [{n: x}, {n: y}]}"));
  EXPECT_EQ(told(paths(Ctx(), ".a[] | select(.n == \"y\") # why", document)), "[[\"a\",1]]");
  EXPECT_EQ(told(paths(Ctx(), ".a[-1].n, .a[0:1]", document)), "[[\"a\",-1,\"n\"],[\"a\",{\"end\":1,\"start\":0}]]");
  EXPECT_EQ(told(paths(Ctx(), ".a | length", document)).substr(0, 32), "failure: Invalid path expression");
}

}  // namespace
}  // namespace slipway::script
