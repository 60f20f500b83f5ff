#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <vector>

#include "plumb/error.h"
#include "plumb/json_rows.h"

namespace plumb {
inline namespace v1 {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;
constexpr std::size_t kLineLimit = std::size_t{64} << 20;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::data, path + ": " + why);
}

// The byte order mark that some programs write first.
void take_mark(std::string& line, const std::string& path) {
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  if (line.starts_with("\xFF\xFE") || line.starts_with("\xFE\xFF")) {
    fail(path, "is UTF-16; wanted UTF-8 (`iconv -f UTF-16 -t UTF-8` converts it)");
  }
}

}  // namespace

// Bytes of the file, decompressed.
struct TextLines::Source {
  virtual ~Source() = default;
  virtual std::size_t read(char* out, std::size_t size) = 0;  // 0 at the end

  struct Gzip;
  struct Zstd;
};

// Also reads what is not compressed.
struct TextLines::Source::Gzip final : Source {
  Gzip(std::string path, bool compressed) : path_(std::move(path)), file_(gzopen(path_.c_str(), "rb")) {
    if (file_ == nullptr) fail(path_, std::strerror(errno));
    gzbuffer(file_, static_cast<unsigned>(kChunk));
    if (compressed && gzdirect(file_) != 0) {
      gzclose(file_);
      fail(path_, "is named .gz, but is not compressed with gzip");
    }
  }
  ~Gzip() override { gzclose(file_); }

  std::size_t read(char* out, std::size_t size) override {
    const int count = gzread(file_, out, static_cast<unsigned>(size));
    int status = Z_OK;
    const char* text = gzerror(file_, &status);
    if (count < 0 || (status != Z_OK && status != Z_STREAM_END)) {
      fail(path_, status == Z_BUF_ERROR ? "the archive ends early" : status == Z_ERRNO ? std::strerror(errno) : text);
    }
    return static_cast<std::size_t>(count);
  }

 private:
  std::string path_;
  gzFile file_;
};

struct TextLines::Source::Zstd final : Source {
  explicit Zstd(std::string path)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), "rb")), stream_(ZSTD_createDStream()), in_(kChunk) {
    if (file_ == nullptr) fail(path_, std::strerror(errno));
    if (stream_ == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);  // 128 MiB
  }

  std::size_t read(char* out, std::size_t size) override {
    ZSTD_outBuffer to{out, size, 0};
    while (to.pos == 0) {
      if (pending_.pos == pending_.size) {
        const std::size_t got = std::fread(in_.data(), 1, in_.size(), file_.get());
        if (std::ferror(file_.get()) != 0) fail(path_, std::strerror(errno));
        if (got == 0 && !inside_frame_) return 0;
        if (got == 0) fail(path_, "the archive ends early");
        pending_ = {in_.data(), got, 0};
      }
      const std::size_t left = ZSTD_decompressStream(stream_.get(), &to, &pending_);
      if (ZSTD_isError(left) != 0) fail(path_, std::string("is no zstd archive: ") + ZSTD_getErrorName(left));
      inside_frame_ = left != 0;
    }
    return to.pos;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::unique_ptr<ZSTD_DStream, Close> stream_;
  std::vector<char> in_;
  ZSTD_inBuffer pending_{nullptr, 0, 0};
  bool inside_frame_ = false;
};

TextLines::TextLines(const std::string& path) : path_(path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) fail(path, "there is no such file");
  if (!std::filesystem::is_regular_file(path, ignored)) fail(path, "is not a regular file");
  if (path.ends_with(".zst")) {
    source_ = std::make_unique<Source::Zstd>(path);
  } else {
    source_ = std::make_unique<Source::Gzip>(path, path.ends_with(".gz"));
  }
}

TextLines::~TextLines() = default;

bool TextLines::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kChunk);
  const std::size_t got = source_->read(buffer_.data() + before, kChunk);
  buffer_.resize(before + got);
  return got > 0;
}

bool TextLines::next(std::string& line) {
  std::size_t searched = begin_;
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, begin_, end - begin_);
      begin_ = end + 1;
      break;
    }
    const std::size_t left = buffer_.size() - begin_;
    if (left > kLineLimit) {
      fail(path_ + ":" + std::to_string(number_ + 1), "the line has more than 67108864 bytes; a row must be shorter");
    }
    if (!fill()) {
      if (left == 0) return false;
      line = std::move(buffer_);
      buffer_.clear();
      begin_ = 0;
      break;
    }
    searched = left;
  }
  if (line.ends_with('\r')) line.pop_back();
  if (++number_ == 1) take_mark(line, path_);
  return true;
}

}  // namespace v1
}  // namespace plumb
