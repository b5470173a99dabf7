#pragma once
// Metrics in Prometheus' text form. File-scope objects named slipway_<room>_<noun>_<unit|total>; label values
// come from closed sets.
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Threads: any.
class Counter {
 public:
  Counter(std::string name, std::string help);
  void add(double n = 1, const Labels& labels = {});

 private:
  std::string name_;
};

class Gauge {
 public:
  Gauge(std::string name, std::string help);
  void set(double value, const Labels& labels = {});
  void add(double delta, const Labels& labels = {});

 private:
  std::string name_;
};

class Histogram {
 public:
  // Bounds in seconds: 1 ms to 60 s unless given.
  Histogram(std::string name, std::string help, std::vector<double> bounds = {});
  void observe(double value, const Labels& labels = {});

 private:
  std::string name_;
};

// Observes the seconds from construction to destruction.
class ScopedTimer {
 public:
  explicit ScopedTimer(Histogram& histogram, Labels labels = {}) : histogram_(histogram), labels_(std::move(labels)) {}
  ~ScopedTimer() {
    histogram_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(), labels_);
  }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  Histogram& histogram_;
  Labels labels_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The text exposition format 0.0.4 of everything registered.
std::string metrics_text();

}  // namespace slipway
