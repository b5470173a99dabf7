// actions/github-script with the node of this machine.
#include "base/process.h"
#include "ci/actions/testing.h"

namespace slipway::ci {
namespace {

class ScriptTest : public ActionsTest {
 protected:
  void SetUp() override {
    if (!find_program("node")) GTEST_SKIP() << "no node here";
  }
  Ran script(const std::string& text, const std::string& with = "") {
    std::string indented;
    for (auto line : lines(text)) indented += "      " + std::string(line) + "\n";
    return steps("- uses: actions/checkout@v4\n- id: s\n  uses: actions/github-script@v7\n  with:\n    script: |\n" +
                 indented + with +
                 "- run: echo \"result=$R\"\n  env: {R: \"${{ steps.s.outputs.result }}\"}\n- if: always()\n  run: "
                 "echo \"said=${{ steps.s.outputs.said }} var=$VAR\"\n");
  }
};

struct Case {
  const char* name;
  const char* script;
  const char* want;
  const char* with = "";
};
class ScriptTable : public ScriptTest, public testing::WithParamInterface<Case> {};
TEST_P(ScriptTable, Gives) {
  file("lib/helper.js", "module.exports = (n) => n * 2;\n");
  file("a.txt", "a"), file("sub/b.txt", "b");
  event.payload["pull_request"]["number"] = 7;
  event.payload["pull_request"]["title"] = "T";
  event.name = "push";
  auto r = script(GetParam().script, GetParam().with);
  EXPECT_TRUE((r.output + r.words).contains(GetParam().want)) << r.output << r.words;
}
INSTANTIATE_TEST_SUITE_P(
    Table, ScriptTable,
    testing::ValuesIn(std::to_array<Case>({
        {"ResultJson", "return {a: [1, 'x']}", "result={\"a\":[1,\"x\"]}"},
        {"ResultString", "return 'plain'", "result=plain\n", "    result-encoding: string\n"},
        {"ResultNone", "const x = 1", "result=\n"},
        {"EncodingWrong", "return 1", "must be either \"string\" or \"json\", got \"xml\"",
         "    result-encoding: xml\n"},
        {"Outputs", "core.setOutput('said', 'a\\nb'.split('\\n').join('+')); core.exportVariable('VAR', 5)",
         "said=a+b var=5"},
        {"Failed", "core.setFailed('no good')", "##[error]no good"},
        {"Thrown", "throw new Error('boom')", "Unhandled error: Error: boom"},
        {"ThrownLine", "await Promise.reject(new TypeError('late'))", "Unhandled error: TypeError: late"},
        {"Warning", "core.warning('careful', {file: 'a.txt', startLine: 2})", "##[warning]careful"},
        {"Group", "await core.group('G', async () => core.info('inside'))", "##[group]G"},
        {"Secret", "core.setSecret('hunter22'); core.info('it is hunter22')", "it is ***"},
        {"Input", "return core.getInput('result-encoding')", "result=string", "    result-encoding: string\n"},
        {"Context",
         "return `${context.eventName} ${context.ref} ${context.repo.owner}/${context.repo.repo} "
         "${context.issue.number} ${context.runNumber}`",
         "push refs/heads/main local/local 7 1", "    result-encoding: string\n"},
        {"Exec", "const o = await exec.getExecOutput('echo \"a b\"', ['c']); return o.stdout.trim() + o.exitCode",
         "result=\"a b c0\""},
        {"ExecFails", "await exec.exec('false')", "The process 'false' failed with exit code 1"},
        {"ExecIgnored", "return await exec.exec('sh', ['-c', 'exit 3'], {ignoreReturnCode: true})", "result=3"},
        {"ExecInput", "const o = await exec.getExecOutput('cat', [], {input: Buffer.from('in')}); return o.stdout",
         "result=\"in\""},
        {"Io",
         "await io.mkdirP('d/e'); await io.cp('a.txt', 'd/e'); await io.mv('d/e/a.txt', 'd/f'); await io.rmRF('d/e'); "
         "return require('fs').readdirSync('d')",
         "result=[\"f\"]"},
        {"Which", "return (await io.which('sh', true)).endsWith('/sh')", "result=true"},
        {"WhichNone", "await io.which('no-such-program', true)", "Unable to locate executable file: no-such-program"},
        {"Glob",
         "const g = await glob.create('**/*.txt\\n!sub'); return (await g.glob()).map((f) => "
         "require('path').basename(f))",
         "result=[\"a.txt\"]"},
        {"HashFiles", "return (await glob.hashFiles('a.txt')).length", "result=64"},
        {"Require", "return require('./lib/helper.js')(21)", "result=42"},
        {"RequireKit", "return require('@actions/core') === core", "result=true"},
        {"PullOfTheEvent", "return (await github.rest.pulls.get({...context.repo, pull_number: 7})).data.title",
         "result=\"T\""},
        {"PullOfNobody", "await github.rest.issues.createComment({...context.repo, issue_number: 7, body: 'x'})",
         "github.rest.issues.createComment: http://127.0.0.1:9/repos/local/local/issues/7/comments cannot be reached",
         "    base-url: http://127.0.0.1:9\n"},
        {"UnknownMethod", "await github.rest.teams.frobnicate({})", "github.rest.teams.frobnicate: is not known here"},
        {"OldStyle", "await github.issues.createComment({})", "parameter owner is missing"},
        {"Graphql", "await github.graphql('{x}')", "github.graphql: is not answered here"},
        {"TokenStaysInside", "return [process.env.SLIPWAY_SCRIPT_TOKEN, process.env['INPUT_GITHUB-TOKEN']].join('|')",
         "result=\"|\"", "    github-token: abcdefgh\n"},
    })),
    [](const auto& i) { return i.param.name; });

TEST_F(ScriptTest, TheSummaryIsTheJobs) {
  auto r = script(
      "await core.summary.addHeading('H').addTable([[{data: 'x', header: true}], ['1']]).addRaw('tail').write()");
  EXPECT_EQ(r.job("j").summary, "<h1>H</h1>\n<table><tr><th>x</th></tr><tr><td>1</td></tr></table>\ntail\n") << r.words;
}

}  // namespace
}  // namespace slipway::ci
