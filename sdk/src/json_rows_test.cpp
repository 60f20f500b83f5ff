#include "plumb/json_rows.h"

#include <zlib.h>
#include <zstd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "plumb/error.h"

using namespace plumb;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "plumb-rows-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

std::string gzipped(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  BOOST_REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  BOOST_REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string rows_text(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += "{\"i\": " + std::to_string(i) + ", \"pad\": \"" + std::string(i % 300, 'x') + "\"}\n";
  return text;
}

int check_rows(const std::string& path) {
  JsonRows rows(path);
  int count = 0;
  while (const auto row = rows.next()) {
    BOOST_TEST(rows.fields().integer(*row, "i") == count);
    ++count;
  }
  return count;
}

std::string refusal(const std::string& path) {
  try {
    check_rows(path);
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(ErrorCode::data));
    return error.what();
  }
  return "nothing was thrown";
}

void has(const std::string& message, const char* part) {
  BOOST_TEST(message.find(part) != std::string::npos, message);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_rows)

BOOST_AUTO_TEST_CASE(plain_and_compressed_files_hold_the_same_rows) {
  const Folder folder;
  const std::string text = rows_text(5000);
  BOOST_TEST(check_rows(folder.write("a.jsonl", text)) == 5000);
  BOOST_TEST(check_rows(folder.write("a.jsonl.gz", gzipped(text))) == 5000);
  BOOST_TEST(check_rows(folder.write("a.jsonl.zst", zstd(text))) == 5000);
  // Archives may be several, one after the other; the last line may lack its end.
  const std::size_t half = text.find('\n', text.size() / 2) + 1;
  BOOST_TEST(check_rows(folder.write("b.jsonl.gz", gzipped(text.substr(0, half)) + gzipped(text.substr(half)))) ==
             5000);
  BOOST_TEST(check_rows(folder.write(
                 "b.jsonl.zst", zstd(text.substr(0, half)) + zstd(text.substr(half, text.size() - half - 1)))) == 5000);
}

BOOST_AUTO_TEST_CASE(lists_and_places) {
  const Folder folder;
  BOOST_TEST(check_rows(folder.write("a.json", " [{\"i\": 0},\n {\"i\": 1}\n]\n")) == 2);
  BOOST_TEST(check_rows(folder.write("b.json", "\n[]")) == 0);
  BOOST_TEST(check_rows(folder.write("empty.jsonl", "")) == 0);
  has(refusal(folder.write("c.json", "[{\"i\": 0},\n {\"j\": 1}]")), "c.json:2:2: key `i` is missing");
  has(refusal(folder.write("d.jsonl", "{\"i\": 0}\n\n{\"i\": \"1\"}\n")),
      "d.jsonl:3:7: key `i` is of type string, wanted integer");
}

BOOST_AUTO_TEST_CASE(broken_archives_are_refused) {
  const Folder folder;
  const std::string text = rows_text(2000);
  has(refusal(folder.write("a.jsonl.gz", gzipped(text).substr(0, 1000))), "the archive ends early");
  has(refusal(folder.write("a.jsonl.zst", zstd(text).substr(0, 1000))), "the archive ends early");
  std::string damaged = gzipped(text);
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
  BOOST_TEST(refusal(folder.write("b.jsonl.gz", damaged)) != "nothing was thrown");
  has(refusal(folder.write("c.jsonl.gz", text)), "is not compressed with gzip");
  has(refusal(folder.write("c.jsonl.zst", text)), "is no zstd archive");
  has(refusal("/nonexistent.jsonl"), "there is no such file");
}

// 200 MiB of one line in a few kilobytes: refused before it is all in memory.
BOOST_AUTO_TEST_CASE(an_endless_line_is_refused) {
  const Folder folder;
  has(refusal(folder.write("bomb.jsonl.zst", zstd(std::string(200u << 20, 'x')))), "more than 67108864 bytes");
}

BOOST_AUTO_TEST_CASE(content_ids_tell_roles_and_borders_apart) {
  const std::string id = content_id({{"user", "ab"}, {"assistant", "c"}});
  BOOST_TEST(id.size() == 16U);
  BOOST_TEST(id == content_id({{"user", "ab"}, {"assistant", "c"}}));
  BOOST_TEST(id != content_id({{"user", "a"}, {"assistant", "bc"}}));
  BOOST_TEST(id != content_id({{"system", "ab"}, {"assistant", "c"}}));
}

BOOST_AUTO_TEST_SUITE_END()
