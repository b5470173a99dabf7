// web and prometheus.
#include <cmath>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "verify/detail/providers.h"
#include "verify/json_path.h"

namespace slipway::verify::detail {
namespace {

Result<Ctx> within_timeout(const Ctx& ctx, doc::View seconds, Millis fallback) {
  if (!seconds) return ctx.within(fallback);
  auto n = to_int(seconds.text());
  if (!n || *n < 1) return seconds.wrong("want seconds above zero");
  return ctx.within(Millis(*n * 1000));
}

void add_headers(doc::View headers, net::ClientRequest& request) {
  for (const auto& h : headers.items()) request.headers.set(h["key"].str_or(""), h["value"].str_or(""));
}

// Prometheus writes numbers as text.
double sample(doc::View pair) {
  auto text = pair[1].text();
  if (text == "NaN") return std::nan("");
  if (text == "+Inf") return HUGE_VAL;
  if (text == "-Inf") return -HUGE_VAL;
  return to_double(text).value_or(std::nan(""));
}

Result<doc::Value> prometheus_result(doc::View answer) {
  auto data = answer["data"];
  auto type = data["resultType"].str_or("");
  if (type == "scalar") return doc::Value(sample(data["result"]));
  doc::List values;
  if (type == "vector") {
    for (const auto& item : data["result"].items()) values.emplace_back(sample(item["value"]));
    return doc::Value(std::move(values));
  }
  if (type == "matrix") {
    for (const auto& item : data["result"].items())
      for (const auto& pair : item["values"].items()) values.emplace_back(sample(pair));
    return doc::Value(std::move(values));
  }
  return fail(Kind::invalid, "Prometheus answered with a result of type \"{}\"", type);
}

}  // namespace

std::string print_value(const doc::Value& value) {
  if (const auto* text = value.if_string()) return *text;
  if (const auto* number = value.if_double()) {
    if (std::isnan(*number)) return "NaN";
    if (std::isinf(*number)) return *number > 0 ? "+Inf" : "-Inf";
  }
  if (const auto* list = value.if_list()) {  // NaN has no JSON
    std::string out;
    for (const auto& item : *list) out += (out.empty() ? "" : ",") + print_value(item);
    return "[" + out + "]";
  }
  return doc::print_json(value);
}

Result<doc::Value> web_value(const Ctx& ctx, net::Client& client, doc::View spec) {
  net::ClientRequest request;
  request.limit = 4 << 20;
  TRY(request.url, spec["url"].str());
  request.method = spec["method"].str_or("GET");
  if (request.method != "GET" && request.method != "POST" && request.method != "PUT")
    return spec["method"].wrong("want GET, POST or PUT");
  add_headers(spec["headers"], request);
  if (spec["jsonBody"] && spec["body"]) return spec["jsonBody"].wrong("want body or jsonBody, not both");
  request.body = spec["body"].str_or("");
  if (spec["jsonBody"]) {
    request.body = doc::print_json(spec["jsonBody"].value());
    request.headers.set("Content-Type", "application/json");
  }
  TRY(auto limited, within_timeout(ctx, spec["timeoutSeconds"], Millis(10000)));
  TRY(auto response, client.send(limited, std::move(request)));
  if (!response.ok())
    return fail(Kind::unavailable, "{} answered {} {}", response.url, response.status,
                net::status_text(response.status));
  auto body = doc::parse_json(response.body, response.url);
  auto path = spec["jsonPath"].str_or("");
  if (!body) {
    if (!path.empty())
      return fail(Kind::invalid, "{} did not answer with JSON, which jsonPath {} needs", response.url, path);
    return doc::Value(response.body);
  }
  return path.empty() ? *std::move(body) : json_path(*body, path);
}

Result<doc::Value> prometheus_value(const Ctx& ctx, net::Client& client, doc::View spec,
                                    const std::string& fallback_address, WallTime now) {
  auto address = spec["address"].str_or(fallback_address);
  if (address.empty()) return spec["address"].wrong("want the address of a Prometheus server");
  while (address.ends_with('/')) address.pop_back();
  TRY(auto query, spec["query"].str());
  net::ClientRequest request;
  request.limit = 16 << 20;
  request.method = "POST";
  request.url = address + "/api/v1/query";
  request.headers.set("Content-Type", "application/x-www-form-urlencoded");
  request.body = fmt::format("query={}&time={}", percent_encode(trim(query)),
                             std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  add_headers(spec["headers"], request);
  TRY(auto limited, within_timeout(ctx, spec["timeout"], Millis(30000)));
  TRY(auto response, client.send(limited, request));
  if (response.status == 405 || response.status == 501) {  // proxies that let only GET through
    request.method = "GET";
    request.url += "?" + std::exchange(request.body, {});
    TRY(response, client.send(limited, std::move(request)));
  }
  auto answer = doc::parse_json(response.body, address);
  if (!answer || doc::View(*answer)["status"].str_or("") != "success") {
    auto why = answer ? doc::View(*answer)["error"].str_or("no reason given") : "no JSON";
    return fail(Kind::unavailable, "Prometheus at {} answered {}: {}", address, response.status, why);
  }
  return prometheus_result(doc::View(*answer));
}

}  // namespace slipway::verify::detail
