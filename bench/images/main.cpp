// What a build costs in a program that runs already, and the least that its work can cost. Prints JSON: figure to
// milliseconds, one number a round.
//
//   bench_images runs ROOT ROUNDS       ten RUN steps, cold and cached
//   bench_images copy ROOT TREE ROUNDS  COPY of a tree, cold and cached; its stat walk; hashing, compressing and
//   storing it
#include <dirent.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/text.h"
#include "doc/json.h"
#include "image/testing/house.h"

namespace slipway {
namespace {

class Samples {
 public:
  template <class Work>
  void take(const std::string& name, Work&& work) {
    auto began = std::chrono::steady_clock::now();
    work();
    add(name, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
  }
  void add(const std::string& name, double ms) { all_[name].push_back(ms); }
  std::string print() const {
    doc::Map out;
    for (const auto& [name, values] : all_) {
      doc::List list;
      for (double value : values) list.emplace_back(value);
      out.set(name, std::move(list));
    }
    return doc::print_json(out);
  }

 private:
  std::map<std::string, std::vector<double>> all_;
};

constexpr int cached_rounds = 5;

void runs(Samples& samples, const fs::path& root, int rounds) {
  image::House house(image::House::With::runtime, root / "house");
  if (!house.runtime) throw std::runtime_error("containers cannot run here");
  house.base();
  must(house.build("FROM base/busybox:1\nRUN true\n"));  // the base is unpacked
  for (int round = 0; round < rounds; ++round) {
    std::string text = "FROM base/busybox:1\n";
    for (int n = 0; n < 10; ++n) text += fmt::format("RUN echo {} {} > /f{}\n", round, n, n);
    auto request = house.request(text);
    samples.take("runs-cold", [&] { must(house.build(request)); });
    for (int n = 0; n < cached_rounds; ++n) samples.take("runs-cached", [&] { must(house.build(request)); });
  }
}

std::size_t stat_walk(int parent, const char* name) {
  Fd dir(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::size_t count = 0;
  Owned<DIR, ::closedir> stream(::fdopendir(::dup(dir.get())));
  for (dirent* entry = nullptr; (entry = ::readdir(stream.get())) != nullptr;) {
    std::string_view file = entry->d_name;
    struct stat st{};
    if (file == "." || file == ".." || ::fstatat(dir.get(), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
    count += S_ISDIR(st.st_mode) ? stat_walk(dir.get(), entry->d_name) : 1;
  }
  return count;
}

std::vector<fs::path> files_of(const fs::path& tree) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(tree))
    if (entry.is_regular_file()) files.push_back(entry.path());
  return files;
}

// Reads a tree and gives it to SHA-256 and to igzip, and what comes out to SHA-256 and the disk, on all cores: no layer
// is made and kept by less.
class Mill {
 public:
  explicit Mill(std::vector<fs::path> files) : files_(std::move(files)) {}
  void grind(const fs::path& result) {
    next_ = 0, size_ = 0;
    out_ = Fd(::open(result.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    {
      std::vector<std::jthread> threads;
      for (unsigned n = 0; n < std::max(1U, std::thread::hardware_concurrency()); ++n)
        threads.emplace_back([this] { work(); });
    }
    if (::fdatasync(out_.get()) < 0) throw std::runtime_error("fdatasync: " + result.native());
    out_.reset();
    ::unlink(result.c_str());
  }

 private:
  static constexpr std::size_t block = std::size_t{1} << 20, files_at_once = 64;
  void work() {
    std::string in, out(2 * block, '\0'), level(ISAL_DEF_LVL1_DEFAULT, '\0');
    Hasher plain, packed;
    auto flush = [&] {
      plain.update(in);
      isal_zstream stream;
      isal_deflate_init(&stream);
      stream.level = 1;
      stream.level_buf = reinterpret_cast<std::uint8_t*>(level.data());
      stream.level_buf_size = static_cast<std::uint32_t>(level.size());
      stream.end_of_stream = 1;
      stream.next_in = reinterpret_cast<std::uint8_t*>(in.data());
      stream.avail_in = static_cast<std::uint32_t>(in.size());
      stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
      stream.avail_out = static_cast<std::uint32_t>(out.size());
      if (isal_deflate(&stream) != COMP_OK) std::abort();
      auto made = std::string_view(out).substr(0, out.size() - stream.avail_out);
      packed.update(made);
      auto at = static_cast<off_t>(size_.fetch_add(made.size()));
      if (::pwrite(out_.get(), made.data(), made.size(), at) != static_cast<ssize_t>(made.size())) std::abort();
      ::sync_file_range(out_.get(), at, static_cast<off_t>(made.size()), SYNC_FILE_RANGE_WRITE);
      in.clear();
    };
    for (std::size_t first = 0; (first = next_.fetch_add(files_at_once)) < files_.size();)
      for (std::size_t n = first; n < std::min(first + files_at_once, files_.size()); ++n) {
        in += must(read_file(files_[n]));
        if (in.size() >= block) flush();
      }
    flush();
  }
  std::vector<fs::path> files_;
  std::atomic<std::size_t> next_ = 0, size_ = 0;
  Fd out_;
};

void copy(Samples& samples, const fs::path& root, const fs::path& tree, int rounds) {
  auto dockerfile = root / "Dockerfile";
  must(write_file(dockerfile, "FROM scratch\nCOPY . /data/\n"));
  Mill mill(files_of(tree));
  for (int round = 0; round < rounds; ++round) {
    ::sync();
    samples.take("hash-compress-store", [&] { mill.grind(root / "milled"); });
    auto place = root / fmt::format("house{}", round);
    image::House house(image::House::With::files, place);
    path::BuildRequest request;
    request.context = tree;
    request.dockerfile = dockerfile;
    request.image = "shop/web";
    request.tags = {"t"};
    ::sync();
    samples.take("copy-cold", [&] { must(house.build(request)); });
    for (int n = 0; n < cached_rounds; ++n) {
      samples.take("stat-walk", [&] { stat_walk(AT_FDCWD, tree.c_str()); });
      samples.take("copy-cached", [&] { must(house.build(request)); });
    }
    house.builder.reset();
    must(remove_tree(place));
  }
}

int run(std::span<char*> arguments) {
  Samples samples;
  auto rounds = [&](std::size_t at) { return static_cast<int>(to_int(arguments[at]).value_or(1)); };
  std::string_view what = arguments.size() > 1 ? arguments[1] : "";
  if (what == "runs" && arguments.size() == 4) {
    runs(samples, arguments[2], rounds(3));
  } else if (what == "copy" && arguments.size() == 5) {
    copy(samples, arguments[2], arguments[3], rounds(4));
  } else {
    fmt::print(stderr, "bench_images runs ROOT ROUNDS | copy ROOT TREE ROUNDS\n");
    return 2;
  }
  fmt::print("{}\n", samples.print());
  return 0;
}

}  // namespace
}  // namespace slipway

int main(int count, char** arguments) { return slipway::run({arguments, static_cast<std::size_t>(count)}); }
