#include "notify/notify.h"

#include <unistd.h>

#include "base/encode.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "net/server.h"

namespace slipway::notify {
namespace {

path::Notice notice() {
  path::Notice n;
  n.id = "rollout-web-7-aborted", n.event = "rollout.aborted", n.severity = path::Severity::error;
  n.title = "web was rolled back in production", n.text = "errors <5xx> & more";
  n.link = "http://127.0.0.1/r/7";
  n.facts = {{"environment", "production"}, {"commit", "0123456789abcdef0123"}, {"token", "hunter2x"}};
  return n;
}

TEST(Rules, DecideByEventEnvironmentAndSeverity) {
  struct Case {
    Rule rule;
    bool want;
  };
  for (const auto& [rule, want] : std::vector<Case>{
           {{}, true},
           {{.events = {"rollout.*"}}, true},
           {{.events = {"run.failed", "*.aborted"}}, true},
           {{.events = {"run.*"}}, false},
           {{.environments = {"prod*"}}, true},
           {{.environments = {"dev"}}, false},
           {{.at_least = path::Severity::high}, true},
           {{.at_least = path::Severity::critical}, false},
       })
    EXPECT_EQ(matches(rule, notice()), want);
  auto nowhere = notice();
  nowhere.facts.erase("environment");
  EXPECT_TRUE(matches({.environments = {"dev"}}, nowhere));
}

TEST(Templates, RenderFieldsSectionsAndFilters) {
  auto render = [](std::string_view text) { return must(Template::parse(text)).render(notice()); };
  EXPECT_EQ(render("{{title}} by {{ commit | short }}{{absent}}."),
            "web was rolled back in production by 0123456789ab.");
  EXPECT_EQ(render("{{#link}}see {{link}}{{/link}}{{^link}}no link{{/link}}{{^author}}nobody{{/author}}"),
            "see http://127.0.0.1/r/7nobody");
  EXPECT_EQ(render("{{facts.environment|upper}} {{severity}} {} }}"), "PRODUCTION error {} }}");
  for (auto [text, want] : {std::pair{"a\n {{title", "template:2:2: \"{{\" without \"}}\""},
                            {"{{#a}}", "template:1:7: section a does not end: want {{/a}}"},
                            {"{{/a}}", "template:1:1: \"/a\" ends no open section"},
                            {"{{a|b}}", "template:1:1: unknown filter b, want short, upper or lower"},
                            {"{{a b}}", "template:1:1: \"a b\" is no field name"}})
    EXPECT_EQ(Template::parse(text).error().what(), want);
}

// What a receiver was sent, and what it answers in turn.
class Receiver {
 public:
  struct Answer {
    int status = 200;
    std::string body = "ok";
    net::Headers headers;
  };
  explicit Receiver(std::vector<Answer> answers = {}) : answers_(answers.begin(), answers.end()) {
    server_ = must(net::Server::start({}, [this](const Ctx& ctx, net::Request& request) {
      auto body = must(request.read_body(ctx));
      auto state = requests_.lock();
      state->push_back({request.path, body, request.headers});
      Answer answer;
      if (!answers_.empty()) answer = answers_.front(), answers_.pop_front();
      auto response = net::Response::text(answer.status, answer.body);
      for (const auto& [name, value] : answer.headers.list()) response.headers.set(name, value);
      return response;
    }));
  }
  std::string url(std::string_view path = "/hook") const { return "http://" + server_->address() + std::string(path); }
  struct Got {
    std::string path, body;
    net::Headers headers;
  };
  std::vector<Got> got() const { return *requests_.lock(); }

 private:
  Guarded<std::vector<Got>> requests_;
  std::deque<Answer> answers_;  // used under the lock of requests_
  std::unique_ptr<net::Server> server_;
};

Ctx soon() { return Ctx().within(Millis(10000)); }
NotifierOptions redacting() {
  return {.redact = [](std::string_view text) { return replace_all(std::string(text), "hunter2x", "***"); }};
}

TEST(Webhook, IsSignedAndHoldsNoSecret) {
  Receiver receiver;
  auto notifier = must(make_notifier(
      {.name = "hook", .channel = Channel::webhook, .url = receiver.url(), .signing_key = "key"}, redacting()));
  must(notifier->send(soon(), notice()));
  auto got = receiver.got().at(0);
  EXPECT_EQ(got.headers.get_or("X-Slipway-Signature-256", ""), "sha256=" + to_hex(hmac_sha256("key", got.body)));
  EXPECT_EQ(got.headers.get_or("X-Slipway-Delivery", ""), "rollout-web-7-aborted");
  auto body = must(doc::parse_json(got.body));
  EXPECT_EQ(body.str_at({"event"}), "rollout.aborted");
  EXPECT_EQ(body.str_at({"facts", "token"}), "***");
  EXPECT_EQ(got.body.find("hunter2x"), std::string::npos);
}

TEST(Slack, SendsBlocksAndReadsItsAnswers) {
  Receiver receiver({{},
                     {200, R"({"ok":true})"},
                     {200, R"({"ok":false,"error":"channel_not_found"})"},
                     {200, R"({"ok":false,"error":"ratelimited"})"}});
  auto hook = must(make_notifier({.name = "chat", .channel = Channel::slack, .url = receiver.url()}, redacting()));
  must(hook->send(soon(), notice()));
  auto body = must(doc::parse_json(receiver.got().at(0).body));
  doc::View view(body);
  EXPECT_EQ(view["blocks"][0]["text"]["text"].str_or(""),
            "*web was rolled back in production*\nerrors &lt;5xx&gt; &amp; more");
  EXPECT_EQ(view["blocks"][2]["elements"][0]["url"].str_or(""), "http://127.0.0.1/r/7");
  auto options = redacting();
  options.slack_api = receiver.url("/api");
  auto api = must(
      make_notifier({.name = "chat", .channel = Channel::slack, .token = "xoxb", .slack_channel = "#ops"}, options));
  must(api->send(soon(), notice()));
  EXPECT_EQ(receiver.got().at(1).path, "/api/chat.postMessage");
  EXPECT_EQ(receiver.got().at(1).headers.get_or("Authorization", ""), "Bearer xoxb");
  EXPECT_EQ(api->send(soon(), notice()).error().what(), "notifier chat: Slack refused the message: channel_not_found");
  EXPECT_EQ(api->send(soon(), notice()).error().kind(), Kind::unavailable);
}

TEST(Teams, SendsAnAdaptiveCard) {
  Receiver receiver({{202, ""}});
  must(must(make_notifier({.name = "t", .channel = Channel::teams, .url = receiver.url()}))->send(soon(), notice()));
  auto body = must(doc::parse_json(receiver.got().at(0).body));
  doc::View card = doc::View(body)["attachments"][0]["content"];
  EXPECT_EQ(card["type"].str_or(""), "AdaptiveCard");
  EXPECT_EQ(card["body"][0]["color"].str_or(""), "Attention");
  EXPECT_EQ(card["actions"][0]["url"].str_or(""), "http://127.0.0.1/r/7");
}

TEST(Delivery, RetriesWhatMayPassAndOnlyThat) {
  Receiver receiver({{503, "later"}, {429, "slow down", {{"Retry-After", "0"}}}, {200, "ok"}, {400, "no_text"}});
  auto notifier = must(make_notifier({.name = "hook", .channel = Channel::webhook, .url = receiver.url()}));
  must(deliver(soon(), *notifier, notice(), {.attempts = 3, .first = Millis(1)}));
  EXPECT_EQ(receiver.got().size(), 3U);
  EXPECT_EQ(receiver.got()[0].headers.get_or("X-Slipway-Delivery", ""),
            receiver.got()[2].headers.get_or("X-Slipway-Delivery", "-"));
  auto refused = deliver(soon(), *notifier, notice(), {.attempts = 3, .first = Millis(1)});
  EXPECT_EQ(refused.error().what(), "notifier hook: the receiver answered 400 Bad Request: no_text");
  EXPECT_EQ(receiver.got().size(), 4U);
}

TEST(Targets, ComeOutOfNotifierObjects) {
  auto target = [](std::string_view yaml) {
    auto value = must(doc::parse_yaml(yaml, {.source = "n.yaml"}));
    return target_from(
        doc::View(value, "n.yaml"),
        [](const std::string& name, const std::string& key) -> Result<std::string> { return name + "." + key; });
  };
  auto t =
      must(target("metadata: {name: m}\nspec: {type: email, server: 'smtp://127.0.0.1:25', from: a@b.c, to: [d@e.f], "
                  "events: ['promotion.*'], "
                  "passwordFrom: {name: smtp, key: pass}, user: u}"));
  EXPECT_EQ(t.password, "smtp.pass");
  EXPECT_EQ(t.rule.events, std::vector<std::string>{"promotion.*"});
  EXPECT_EQ(t.to, std::vector<std::string>{"d@e.f"});
  for (auto [yaml, want] : {std::pair{"spec: {type: pager}", "want slack, teams, webhook or email"},
                            {"spec: {type: webhook}", "want an http or https URL"},
                            {"spec: {type: webhook, url: 'http://x', event: [a]}", "did you mean events?"},
                            {"spec: {type: slack, token: x}", "a token needs the channel"},
                            {"spec: {type: webhook, url: 'http://x', title: '{{'}", "without"}}) {
    auto bad = target(yaml);
    ASSERT_FALSE(bad) << yaml;
    EXPECT_NE(bad.error().what().find(want), std::string::npos) << bad.error().what();
  }
}

TEST(Mail, ReachesARealServer) {
  auto python = fs::path("/usr/bin/python3");
  auto has = run(soon(), {.argv = {python, "-c", "import aiosmtpd"}});
  if (!has || !has->ok()) GTEST_SKIP() << "python3-aiosmtpd is not here";
  auto in = must(make_pipe()), out = must(make_pipe());
  auto child = must(Child::start({.argv = {python, SLIPWAY_TESTDATA "/smtp_receiver.py"}},
                                 {.in = in.read.get(), .out = out.write.get(), .err = 2}));
  in.read.reset(), out.write.reset();
  std::string said;
  auto read_until = [&](std::string_view mark) {
    char c = 0;
    while (said.find(mark) == said.npos && ::read(out.read.get(), &c, 1) == 1) said.push_back(c);
  };
  read_until("\n");
  auto port = to_int(trim(said)).value_or(0);
  Target target{.name = "mail",
                .channel = Channel::email,
                .server = fmt::format("smtp://127.0.0.1:{}", port),
                .from = "Slipway <s@shop.example>"};
  target.to = {"team@shop.example"};
  target.title = "[{{severity}}] {{title}}";
  must(must(make_notifier(target, redacting()))->send(soon(), notice()));
  in.write.reset();
  said.clear();
  while (true) {
    char buffer[4096];
    auto n = ::read(out.read.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    said.append(buffer, static_cast<std::size_t>(n));
  }
  EXPECT_EQ(must(child.wait(soon())), 0);
  EXPECT_NE(said.find("rcpt: team@shop.example"), std::string::npos) << said;
  EXPECT_NE(said.find("Subject: [error] web was rolled back in production"), std::string::npos) << said;
  EXPECT_NE(said.find("X-Slipway-Event: rollout.aborted"), std::string::npos);
  EXPECT_EQ(said.find("hunter2x"), std::string::npos);
}

}  // namespace
}  // namespace slipway::notify
