#pragma once
// An owned file descriptor and typed deleters for C handles.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace slipway {

// Closes on destruction. All descriptors of the program are opened close-on-exec. Threads: as a value.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe();

// Whole writes and reads; short ones are retried.
Result<> write_all(int fd, std::string_view bytes);
Result<std::string> read_all(int fd);

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
// using Repo = Owned<git_repository, git_repository_free>;
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;

// Gives a C function a T** that ends up in the owner: git_repository_open(out(repo), path).
template <class T, class D>
class OutPtr {
 public:
  explicit OutPtr(std::unique_ptr<T, D>& owner) : owner_(owner) {}
  ~OutPtr() { owner_.reset(raw_); }
  OutPtr(const OutPtr&) = delete;
  OutPtr& operator=(const OutPtr&) = delete;
  operator T**() { return &raw_; }

 private:
  std::unique_ptr<T, D>& owner_;
  T* raw_ = nullptr;
};
template <class T, class D>
OutPtr<T, D> out(std::unique_ptr<T, D>& owner) {
  return OutPtr<T, D>(owner);
}

// Runs at the end of the scope.
template <class F>
class Finally {
 public:
  explicit Finally(F f) : f_(std::move(f)) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { f_(); }

 private:
  F f_;
};

}  // namespace slipway
