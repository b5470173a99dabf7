// What is wrong with a Notifier, or with what it was to deliver, is said by the Notifier.
#include "engine/notices.h"

#include "base/encode.h"
#include "doc/yaml.h"
#include "engine/testing.h"
#include "net/server.h"

namespace slipway::engine {
namespace {

struct Notices : HouseTest {
  void notifier(const std::string& spec) {
    auto text = fmt::format(
        "{{apiVersion: slipway.dev/v1, kind: Notifier, metadata: {{name: n, namespace: {}}}, spec: {}}}", home, spec);
    must(house.client->apply(ctx, must(doc::parse_yaml(text)), {.force = true}));
  }
  std::string says() {
    must(look_at_notifier(ctx, house, "n"));
    return object("Notifier", "n")["status"]["message"].text();
  }
  void send(const std::string& id) {
    must(announce(ctx, house, {.id = id, .event = "run.failed", .title = "a run failed"}));
    must(deliver(ctx, house, id));
  }
};

TEST_F(Notices, AWrongNotifierSaysWhatIsWrong) {
  notifier("{type: webhok, url: 'http://127.0.0.1:1/'}");
  EXPECT_TRUE(says().contains("want slack, teams, webhook or email")) << says();
  notifier("{type: webhook, url: 'http://127.0.0.1:1/'}");
  EXPECT_EQ(says(), "");
  notifier("{type: webhook, url: null, urlFrom: {name: hook, key: url}}");
  EXPECT_TRUE(says().contains("there is no Secret")) << says();
  must(house.client->create(ctx,
                            doc::Map{{"apiVersion", "v1"},
                                     {"kind", "Secret"},
                                     {"metadata", doc::Map{{"name", "hook"}, {"namespace", home}}},
                                     {"data", doc::Map{{"url", to_base64("http://127.0.0.1:1/")}}}},
                            {}));
  EXPECT_EQ(says(), "");
}

TEST_F(Notices, HowTheLastDeliveryWentIsTold) {
  auto status = 404;
  auto server =
      must(net::Server::start({}, [&](const Ctx&, net::Request&) { return net::Response::text(status, "x"); }));
  notifier(fmt::format("{{type: webhook, url: 'http://{}/hook'}}", server->address()));
  EXPECT_EQ(says(), "");
  send("one");
  EXPECT_TRUE(says().starts_with("run.failed was not delivered: ")) << says();
  status = 200;
  send("two");
  EXPECT_EQ(says(), "");
  EXPECT_EQ(object("Notifier", "n")["status"]["delivered"].num_or(0), 1);
}

}  // namespace
}  // namespace slipway::engine
