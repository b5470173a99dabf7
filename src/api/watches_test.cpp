#include "api/watches.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::api {
namespace {

// Where a joined answer ends up: lines as the page reads them.
class Page final : public net::PushStream {
 public:
  bool write(std::string_view bytes) override {
    std::lock_guard hold(mutex_);
    if (!over_) text_ += bytes;
    return !over_;
  }
  void close() override {
    std::vector<std::function<void()>> calls;
    {
      std::lock_guard hold(mutex_);
      if (over_) return;
      over_ = true;
      calls.swap(calls_);
    }
    for (auto& call : calls) call();
  }
  bool closed() const override {
    std::lock_guard hold(mutex_);
    return over_;
  }
  void on_close(std::function<void()> call) override {
    {
      std::lock_guard hold(mutex_);
      if (!over_) {
        calls_.push_back(std::move(call));
        return;
      }
    }
    call();
  }
  std::string text() const {
    std::lock_guard hold(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
  bool over_ = false;
  std::vector<std::function<void()>> calls_;
};

// The Kubernetes API as far as it matters: a path that holds "secrets" is refused, "old" is too old, "gone" is over at
// once; all others stay open and are written to by hand.
struct Watches : testing::Test {
  std::vector<net::Request> asked;  // without their bodies
  std::map<std::string, std::shared_ptr<net::PushStream>> open;
  std::shared_ptr<Page> page = std::make_shared<Page>();
  bool stranger = false;

  net::Handler kubernetes() {
    return [this](const Ctx&, net::Request& request) {
      asked.push_back(request);
      asked.back().body = nullptr;
      if (stranger) return net::Response::json(401, R"({"message":"Unauthorized"})");
      if (request.path.contains("secrets"))
        return net::Response::json(403, R"({"message":"secrets: \"ada\" may not"})");
      if (request.path.contains("old")) return net::Response::json(410, R"({"message":"too old"})");
      if (request.path.contains("broken")) return net::Response::text(500, "no JSON");
      net::Response response;
      response.body = net::ParkBody([this, path = request.path](std::shared_ptr<net::PushStream> stream) {
        if (path.contains("gone"))
          stream->close();
        else
          open[path] = std::move(stream);
      });
      return response;
    };
  }
  net::Response get(std::string_view query) {
    net::Request request;
    request.method = "GET", request.path = request.raw_path = "/watch";
    request.query = net::parse_query(query);
    request.headers.set("Authorization", "Bearer t");
    request.peer = "192.0.2.1:1";
    return joined_watches(kubernetes())(Ctx{}, request);
  }
  // Asks, and lets the answer run into the page.
  void follow(std::string_view query) {
    auto response = get(query);
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.get_or("content-type", ""), "application/x-ndjson");
    auto* park = std::get_if<net::ParkBody>(&response.body);
    ASSERT_NE(park, nullptr);
    (*park)(page);
  }
};

TEST_F(Watches, EachIsAskedAsItWouldBeAlone) {
  follow("of=%2Fapi%2Fv1%2Fpods%3Fwatch%3D1%26fieldSelector%3Dmetadata.name%253Da%26resourceVersion%3D7");
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].method, "GET");
  EXPECT_EQ(asked[0].path, "/api/v1/pods");
  EXPECT_EQ(asked[0].query_of("watch"), "1");
  EXPECT_EQ(asked[0].query_of("fieldSelector"), "metadata.name=a");
  EXPECT_EQ(asked[0].query_of("resourceVersion"), "7");
  EXPECT_EQ(asked[0].headers.get_or("authorization", ""), "Bearer t") << "by the same user";
  EXPECT_EQ(asked[0].peer, "192.0.2.1:1");
}

TEST_F(Watches, LinesSayWhoseTheyAreHoweverTheyComeInPieces) {
  follow("of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fapis%2Fb%3Fwatch%3D1");
  ASSERT_EQ(open.size(), 2U);
  open["/apis/b"]->write(R"({"type":"AD)");
  open["/api/a"]->write("{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(page->text(), "{\"of\":0,\"event\":{\"n\":1}}\n{\"of\":0,\"event\":{\"n\":2}}\n");
  open["/apis/b"]->write("DED\"}\n");
  EXPECT_TRUE(page->text().ends_with("{\"of\":1,\"event\":{\"type\":\"ADDED\"}}\n")) << page->text();
}

TEST_F(Watches, OneThatIsRefusedLeavesTheOthersAlone) {
  follow(
      "of=%2Fapi%2Fsecrets%3Fwatch%3D1&of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fapi%2Fold%3Fwatch%3D1&of=%2Fapi%2Fbroken%"
      "3Fwatch%3D1");
  EXPECT_EQ(page->text(),
            "{\"of\":0,\"end\":403,\"message\":\"secrets: \\\"ada\\\" may not\"}\n"
            "{\"of\":2,\"end\":410,\"message\":\"too old\"}\n"
            "{\"of\":3,\"end\":500,\"message\":\"no JSON\"}\n");
  EXPECT_FALSE(page->closed());
  open["/api/a"]->write("{}\n");
  EXPECT_TRUE(page->text().ends_with("{\"of\":1,\"event\":{}}\n")) << page->text();
}

TEST_F(Watches, EndsWithItsLast) {
  follow("of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fapi%2Fgone%3Fwatch%3D1&of=%2Fapi%2Fb%3Fwatch%3D1");
  EXPECT_EQ(page->text(), "{\"of\":1,\"end\":200,\"message\":\"\"}\n");
  open["/api/a"]->close();
  EXPECT_FALSE(page->closed());
  open["/api/b"]->close();
  EXPECT_TRUE(page->closed());
  open["/api/b"]->close();  // a second time says nothing twice
  EXPECT_EQ(std::ranges::count(page->text(), '\n'), 3);
}

TEST_F(Watches, APageThatLeftIsWrittenToNoMore) {
  follow("of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fapi%2Fb%3Fwatch%3D1");
  int told = 0;
  for (auto& [path, stream] : open) stream->on_close([&] { ++told; });
  page->close();
  EXPECT_EQ(told, 2) << "each watch learns that nobody reads it";
  for (auto& [path, stream] : open) {
    EXPECT_TRUE(stream->closed()) << path;
    EXPECT_FALSE(stream->write("{}\n")) << path;
  }
}

TEST_F(Watches, AStrangerIsAStrangerToAllOfThem) {
  stranger = true;
  auto response = get("of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fapi%2Fb%3Fwatch%3D1");
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(std::get<std::string>(response.body), R"({"message":"Unauthorized"})");
}

TEST_F(Watches, WhatIsNoWatchOfTheApiIsNotAsked) {
  for (const std::string query :
       {"", "off=%2Fapi%2Fa%3Fwatch%3D1", "of=", "of=%2Flogs%2Fr%2Fj%3Fwatch%3D1", "of=%2Fapi%2F..%2Flogs%3Fwatch%3D1",
        "of=%2Fapi%2Fa", "of=%2Fapi%2Fa%3Fwatch%3D", "of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fgit%2Fx"})
    EXPECT_EQ(get(query).status, 400) << query;
  for (const auto& one : asked) EXPECT_EQ(one.path, "/api/a");
}

TEST_F(Watches, SixtyFourAreEnough) {
  std::string query;
  for (int i = 0; i < 64; ++i) query += "of=%2Fapi%2Fa%3Fwatch%3D1&";
  EXPECT_EQ(get(query).status, 200);
  EXPECT_EQ(get(query + "of=%2Fapi%2Fa%3Fwatch%3D1").status, 400);
}

TEST_F(Watches, ManyThreadsWriteWholeLines) {
  follow("of=%2Fapi%2Fa%3Fwatch%3D1&of=%2Fapi%2Fb%3Fwatch%3D1");
  {
    std::vector<std::jthread> threads;
    for (auto& [path, stream] : open)
      threads.emplace_back([&stream] {
        for (int i = 0; i < 500; ++i) stream->write("{\"type\":\"MODIFIED\"}\n");
      });
  }
  std::map<std::string, int> lines;
  std::istringstream text(page->text());
  for (std::string line; std::getline(text, line);) ++lines[line];
  EXPECT_EQ(lines, (std::map<std::string, int>{{R"({"of":0,"event":{"type":"MODIFIED"}})", 500},
                                               {R"({"of":1,"event":{"type":"MODIFIED"}})", 500}}));
}

}  // namespace
}  // namespace slipway::api
