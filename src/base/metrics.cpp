#include "base/metrics.h"

#include <fmt/format.h>

#include <cmath>

namespace slipway {
namespace {

struct Series {
  double value = 0;
  std::vector<std::uint64_t> buckets;
  std::uint64_t count = 0;
};
struct Family {
  std::string help, type;
  std::vector<double> bounds;
  std::map<std::string, Series> series;  // by printed labels
};
struct Registry {
  std::mutex mutex;
  std::map<std::string, Family> families;
};
Registry& registry() {
  static auto* r = new Registry;  // outlives every static that counts during exit
  return *r;
}

void register_family(const std::string& name, std::string help, std::string type, std::vector<double> bounds = {}) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& family = r.families[name];
  family.help = std::move(help), family.type = std::move(type), family.bounds = std::move(bounds);
}

std::string print(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    text += text.empty() ? "" : ",";
    text += key + "=\"";
    for (char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      if (c == '\n')
        text += "\\n";
      else
        text += c;
    }
    text += '"';
  }
  return text;
}

template <class F>
void with_series(const std::string& name, const Labels& labels, F change) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& family = r.families[name];
  change(family, family.series[print(labels)]);
}

std::string braces(const std::string& labels, const std::string& extra = "") {
  if (labels.empty() && extra.empty()) return "";
  return "{" + labels + (labels.empty() || extra.empty() ? "" : ",") + extra + "}";
}

}  // namespace

Counter::Counter(std::string name, std::string help) : name_(std::move(name)) {
  register_family(name_, std::move(help), "counter");
}
void Counter::add(double n, const Labels& labels) {
  with_series(name_, labels, [&](Family&, Series& s) { s.value += n; });
}

Gauge::Gauge(std::string name, std::string help) : name_(std::move(name)) {
  register_family(name_, std::move(help), "gauge");
}
void Gauge::set(double value, const Labels& labels) {
  with_series(name_, labels, [&](Family&, Series& s) { s.value = value; });
}
void Gauge::add(double delta, const Labels& labels) {
  with_series(name_, labels, [&](Family&, Series& s) { s.value += delta; });
}

Histogram::Histogram(std::string name, std::string help, std::vector<double> bounds) : name_(std::move(name)) {
  if (bounds.empty()) bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  register_family(name_, std::move(help), "histogram", std::move(bounds));
}
void Histogram::observe(double value, const Labels& labels) {
  with_series(name_, labels, [&](Family& family, Series& s) {
    s.buckets.resize(family.bounds.size());
    for (std::size_t i = 0; i < family.bounds.size(); ++i)
      if (value <= family.bounds[i]) ++s.buckets[i];
    ++s.count;
    s.value += value;
  });
}

std::string metrics_text() {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  std::string text;
  for (const auto& [name, family] : r.families) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, family.help, name, family.type);
    for (const auto& [labels, s] : family.series) {
      if (family.type != "histogram") {
        text += fmt::format("{}{} {}\n", name, braces(labels), s.value);
        continue;
      }
      for (std::size_t i = 0; i < family.bounds.size(); ++i)
        text += fmt::format("{}_bucket{} {}\n", name, braces(labels, fmt::format("le=\"{}\"", family.bounds[i])),
                            s.buckets[i]);
      text += fmt::format("{}_bucket{} {}\n", name, braces(labels, "le=\"+Inf\""), s.count);
      text += fmt::format("{}_sum{} {}\n{}_count{} {}\n", name, braces(labels), s.value, name, braces(labels), s.count);
    }
  }
  return text;
}

}  // namespace slipway
