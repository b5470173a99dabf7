// Kubeconfigs, and signing in by what they say: files, programs, other names, proxies.
#include "kube/kubeconfig.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/guarded.h"
#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "kube/http_client.h"
#include "net/server.h"

namespace slipway::kube {
namespace {

TEST(Kubeconfig, ReadsTheContext) {
  constexpr std::string_view text = R"(
current-context: a
contexts: [{name: a, context: {cluster: c, user: u, namespace: n}}, {name: b, context: {cluster: c, user: plugin}}, {name: d, context: {cluster: none}}]
clusters: [{name: c, cluster: {server: 'https://1.2.3.4:6443/', certificate-authority-data: aGVsbG8=, tls-server-name: api, proxy-url: 'http://p:1'}}]
users: [{name: u, user: {token: t, as: ann, as-groups: [dev, ops]}}, {name: plugin, user: {auth-provider: {name: gcp}}}]
)";
  auto config = must(parse_kubeconfig(text, "/"));
  EXPECT_EQ(config.server, "https://1.2.3.4:6443");
  EXPECT_EQ(config.ca_pem, "hello");
  EXPECT_EQ(config.token, "t");
  EXPECT_EQ(config.ns, "n");
  EXPECT_EQ(config.server_name, "api");
  EXPECT_EQ(config.proxy, "http://p:1");
  EXPECT_EQ(config.impersonate, "ann");
  EXPECT_EQ(config.impersonate_groups, (std::vector<std::string>{"dev", "ops"}));
  auto provider = parse_kubeconfig(text, "/", "b");
  ASSERT_FALSE(provider);
  EXPECT_NE(provider.error().what().find("signs in by auth-provider"), std::string::npos);
  EXPECT_TRUE(parse_kubeconfig(text, "/", "nope").error().is(Kind::not_found));
  EXPECT_TRUE(parse_kubeconfig(text, "/", "d").error().is(Kind::not_found));
  EXPECT_FALSE(parse_kubeconfig("{}", "/"));
}

TEST(Kubeconfig, SeveralFilesMakeOne) {
  auto dir = must(TempDir::make());
  must(make_dirs(dir.path() / "west"));
  must(write_file(dir.path() / "west/token", "of west"));
  must(write_file(dir.path() / "west/config",
                  "clusters: [{name: c, cluster: {server: 'https://west'}}]\n"
                  "users: [{name: u, user: {tokenFile: token}}]\n"));
  must(write_file(dir.path() / "main",
                  "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
                  "clusters: [{name: d, cluster: {server: 'https://other'}}]\n"));
  must(write_file(dir.path() / "late",
                  "current-context: z\nclusters: [{name: c, cluster: {server: 'https://late'}}]\n"));
  auto list = fmt::format("{0}/main:{0}/nothing:{0}/west/config:{0}/late", dir.path().native());
  ::setenv("KUBECONFIG", list.c_str(), 1);
  auto config = load_kubeconfig();
  ::unsetenv("KUBECONFIG");
  EXPECT_EQ(must(config).server, "https://west");
  EXPECT_EQ(config->token_file, (dir.path() / "west/token").native());
}

struct ProgramCase {
  const char *name, *exec, *want;
};
class SignInProgramRead : public testing::TestWithParam<ProgramCase> {};
TEST_P(SignInProgramRead, Table) {
  auto text = fmt::format(
      "{{current-context: a, contexts: [{{name: a, context: {{cluster: c, user: u}}}}], clusters: [{{name: c, cluster: "
      "{{server: 'https://w', extensions: [{{name: client.authentication.k8s.io/exec, extension: {{audience: "
      "x}}}}]}}}}], "
      "users: [{{name: u, user: {{exec: {{{}}}}}}}]}}",
      GetParam().exec);
  auto config = parse_kubeconfig(text, "/home/ann/.kube");
  std::string got = config ? config->program->command : config.error().what();
  if (config) {
    for (const auto& arg : config->program->args) got += " " + arg;
    for (const auto& [name, value] : config->program->env) got += fmt::format(" {}={}", name, value);
    got += config->program->cluster_info;
  }
  EXPECT_EQ(got, GetParam().want);
}
#define V1 "apiVersion: client.authentication.k8s.io/v1"
INSTANTIATE_TEST_SUITE_P(
    Kubeconfig, SignInProgramRead,
    testing::ValuesIn(std::to_array<ProgramCase>({
        {"OnThePath", V1 ", command: aws, args: [eks, get-token], env: [{name: A, value: b}], interactiveMode: Never",
         "aws eks get-token A=b"},
        {"BesideTheFile", V1 "beta1, command: ./bin/../sign-in", "/home/ann/.kube/sign-in"},
        {"OfTheCluster", V1 ", command: x, provideClusterInfo: true",
         "x{\"server\":\"https://w\",\"config\":{\"audience\":\"x\"}}"},
        {"Old", "apiVersion: client.authentication.k8s.io/v1alpha1, command: x",
         "kubeconfig:1:259: .users[0].user.exec.apiVersion: want client.authentication.k8s.io/v1 or "
         "client.authentication.k8s.io/v1beta1"},
        {"NoCommand", V1, "kubeconfig:1:246: .users[0].user.exec.command: missing, want a string"},
        {"OnATerminal", V1 ", command: x, interactiveMode: Always",
         "kubeconfig:1:321: .users[0].user.exec.interactiveMode: there is no terminal here for the program to ask on, "
         "want IfAvailable or Never"},
    })),
    [](const auto& i) { return i.param.name; });

// An API server that takes one token at a time, and a program that gives the next one.
class Exec : public testing::Test {
 protected:
  Exec() {
    server_ = must(net::Server::start({.threads = 2}, [this](const Ctx&, net::Request& request) {
      ++asked;
      auto said = std::string(request.headers.get_or("authorization", ""));
      net::Response response;
      response.status = said == "Bearer " + *good.lock() ? 200 : 401;
      response.body = response.status == 200 ? R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}})" : "{}";
      if (request.path == "/api/v1")
        response.body = R"({"resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["get"]}]})";
      return response;
    }));
    program_ = {.api_version = "client.authentication.k8s.io/v1", .command = dir_.path() / "sign-in"};
  }
  void script(const std::string& text) {
    must(write_file(dir_.path() / "sign-in", "#!/bin/sh\necho x >> " + (dir_.path() / "calls").native() + "\n" + text,
                    0755));
  }
  std::size_t calls() const { return read_file(dir_.path() / "calls").value_or("").size() / 2; }
  // Gives what `token` says now.
  static std::string says(std::string_view status) {
    return fmt::format(
        "printf '%s' "
        "'{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}}'\n",
        status);
  }
  std::unique_ptr<Client> connected() {
    Kubeconfig config;
    config.server = "http://" + server_->address(), config.program = program_;
    return must(connect(config));
  }
  static std::string get(const Ctx& ctx, Client& client) {
    auto pod = client.get(ctx, {"v1", "Pod"}, {"default", "p"});
    return pod ? (*pod)->name() : pod.error().what();
  }

  Guarded<std::string> good{"one"};
  std::atomic<int> asked = 0;
  TempDir dir_ = must(TempDir::make());
  SignInProgram program_;
  std::unique_ptr<net::Server> server_;
};

TEST_F(Exec, IsAskedOnceAndAgainWhenItIsRefused) {
  script(says(R"({"token":"one"})"));
  auto client = connected();
  for (int n = 0; n < 3; ++n) EXPECT_EQ(get({}, *client), "p");
  EXPECT_EQ(calls(), 1U);
  *good.lock() = "two";
  script(says(R"({"token":"two"})"));
  EXPECT_EQ(get({}, *client), "p");
  EXPECT_EQ(calls(), 2U);
  *good.lock() = "three";
  EXPECT_TRUE(get({}, *client).contains("401")) << "asked again once, not for ever";
  EXPECT_EQ(calls(), 3U);
}

TEST_F(Exec, IsAskedAgainWhenItsTimeIsOver) {
  FakeClock clock;
  Ctx ctx;
  ctx.clock = &clock;
  script(says(fmt::format(R"({{"token":"one","expirationTimestamp":"{}"}})",
                          rfc3339(clock.wall() + std::chrono::seconds(60)))));
  auto client = connected();
  EXPECT_EQ(get(ctx, *client), "p");
  clock.advance(Millis(50000));
  EXPECT_EQ(get(ctx, *client), "p");
  EXPECT_EQ(calls(), 1U);
  clock.advance(Millis(6000));
  EXPECT_EQ(get(ctx, *client), "p");
  EXPECT_EQ(calls(), 2U);
}

TEST_F(Exec, IsToldOfTheCluster) {
  program_.cluster_info = R"({"server":"https://w"})";
  script("printf '%s' \"$KUBERNETES_EXEC_INFO\" > " + (dir_.path() / "info").native() + "\n" +
         says(R"({"token":"one"})"));
  EXPECT_EQ(get({}, *connected()), "p");
  EXPECT_EQ(must(read_file(dir_.path() / "info")),
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false,)"
            R"("cluster":{"server":"https://w"}}})");
}

TEST_F(Exec, WhatIsWrongWithIt) {
  auto outcome = [&](const std::string& text) {
    script(text);
    auto got = get({}, *connected());
    for (auto at = got.find(dir_.path().native()); at != std::string::npos; at = got.find(dir_.path().native()))
      got.replace(at, dir_.path().native().size() + 1, "");
    return got;
  };
  EXPECT_EQ(outcome("echo 'no session: sign in first' >&2; exit 3\n"),
            "sign-in: sign-in ended with 3: no session: sign in first");
  EXPECT_TRUE(outcome("echo hello\n").starts_with("sign-in: sign-in:1:1: ")) << outcome("echo hello\n");
  EXPECT_TRUE(outcome(says("{}")).contains("want a token, or a client certificate and its key"));
  EXPECT_TRUE(outcome(says(R"({"token":"a\nb"})")).contains(".status.token: has a line break"))
      << outcome(says(R"({"token":"a\nb"})"));
  EXPECT_TRUE(outcome(says(R"({"clientKeyData":"k"})")).contains("want both"));
  EXPECT_TRUE(outcome(says(R"({"token":"one","expirationTimestamp":"soon"})")).contains("want a time"));
  program_.api_version = "client.authentication.k8s.io/v1beta1";
  EXPECT_TRUE(outcome(says(R"({"token":"one"})")).contains("want client.authentication.k8s.io/v1beta1"));
  asked = 0;
  program_.command = "no-such-program-here", program_.install_hint = "get it from the shop";
  auto none = connected()->get({}, {"v1", "Pod"}, {"default", "p"});
  EXPECT_EQ(none.error().hint(), "get it from the shop") << none.error().what();
  EXPECT_EQ(asked, 0) << "nobody asks without a sign-in";
}

}  // namespace
}  // namespace slipway::kube
