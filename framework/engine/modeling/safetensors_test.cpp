#include "framework/engine/modeling/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"

namespace {

namespace fs = std::filesystem;
using plumb::open_safetensors;
using plumb::test::Folder;

std::string content(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

std::string length_of(std::uint64_t size) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(size >> (8 * i) & 0xff);
  return out;
}

fs::path put(const Folder& folder, const std::string& bytes, const std::string& name = "x.safetensors") {
  std::ofstream(folder / name, std::ios::binary) << bytes;
  return folder / name;
}

// A file of this header and `data` bytes.
std::string file_of(const std::string& header, std::size_t data) {
  return length_of(header.size()) + header + std::string(data, '\1');
}

std::string error_of(const std::string& bytes) {
  const Folder folder;
  const auto file = open_safetensors(put(folder, bytes));
  BOOST_REQUIRE_MESSAGE(!file, "accepted: " << bytes.substr(0, 200));
  BOOST_TEST(std::string(file.error().what()).find("x.safetensors") != std::string::npos);
  return file.error().what();
}

void refuses(const std::string& header, std::size_t data, const std::string& why) {
  const std::string error = error_of(file_of(header, data));
  BOOST_TEST(error.find(why) != std::string::npos, error << " does not say: " << why);
}

// Each golden and shared safetensors file.
std::vector<fs::path> shared_files() {
  const char* set = std::getenv("PLUMB_SHARED");
  const fs::path shared = set != nullptr ? fs::path(set) : fs::current_path() / ".." / "shared";
  std::vector<fs::path> files;
  for (const char* sub : {"goldens", "data/stories260K-hf"}) {
    if (!fs::exists(shared / sub)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(shared / sub)) {
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
    }
  }
  return files;
}

const std::string ab = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";

}  // namespace

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(reads_what_is_there) {
  const Folder folder;
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"shape":[2,2],"data_offsets":[8,16],"dtype":"I16"},)"
      R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("none":{"dtype":"F32","shape":[0,4],"data_offsets":[8,8]},)"
      R"("one":{"dtype":"U8","shape":[],"data_offsets":[16,17]}}   )";
  const float two[2] = {1.5F, -2.0F};
  const std::int16_t four[4] = {1, 2, 3, -4};
  const std::string data =
      std::string(reinterpret_cast<const char*>(two), 8) + std::string(reinterpret_cast<const char*>(four), 8) + "\7";
  for (const std::string padding : {"", " ", "       "}) {  // whatever the alignment of the data
    const auto file =
        open_safetensors(put(folder, length_of(header.size() + padding.size()) + header + padding + data));
    BOOST_REQUIRE(file);
    BOOST_TEST(file->metadata().at("format") == "pt");
    BOOST_TEST(file->entries().size() == 4U);
    BOOST_TEST(file->tensor("a")[1].item<float>() == -2.0F);
    BOOST_TEST(file->tensor("b")[1][1].item<int>() == -4);
    BOOST_TEST(file->tensor("one").item<int>() == 7);
    BOOST_TEST(file->tensor("none").numel() == 0);
    BOOST_TEST(file->find("c") == nullptr);
    BOOST_CHECK_THROW(static_cast<void>(file->tensor("c")), plumb::Error);
  }
}

BOOST_AUTO_TEST_CASE(tensors_keep_the_mapping_alive_and_writes_stay_private) {
  const Folder folder;
  const fs::path path = put(folder, file_of(ab, 11));
  at::Tensor b;
  {
    auto file = open_safetensors(path).value();
    b = file.tensor("b");
  }
  b.fill_(9);
  BOOST_TEST(b.sum().item<int>() == 27);
  BOOST_TEST(content(path) == file_of(ab, 11));
}

BOOST_AUTO_TEST_CASE(refuses_broken_files) {
  BOOST_TEST(error_of("").find("at least 8") != std::string::npos);
  BOOST_TEST(error_of("1234567").find("at least 8") != std::string::npos);
  BOOST_TEST(error_of(length_of(2)).find("truncated") != std::string::npos);
  BOOST_TEST(error_of(length_of(100'000'001)).find("at most") != std::string::npos);
  BOOST_TEST(error_of(length_of(~std::uint64_t{0}) + "{}").find("at most") != std::string::npos);
  refuses("", 0, "start with");
  refuses(" {}", 0, "start with");
  refuses("[]", 0, "start with");
  refuses("{", 0, "x.safetensors");
  refuses("{} x", 0, "x.safetensors");
  refuses(ab, 10, "truncated");
  refuses(ab, 12, "stray bytes");
  refuses("{}", 1, "stray bytes");
}

BOOST_AUTO_TEST_CASE(refuses_wrong_layouts) {
  const auto pair = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  BOOST_TEST(!!open_safetensors([&] {
    static const Folder folder;
    return put(folder, file_of(pair("[0,4]", "[4,8]"), 8));
  }()));
  refuses(pair("[0,4]", "[3,7]"), 7, "overlapping");
  refuses(pair("[0,4]", "[0,4]"), 4, "overlapping");
  refuses(pair("[0,4]", "[5,9]"), 9, "hole");
  refuses(pair("[1,5]", "[5,9]"), 9, "hole");
  refuses(pair("[4,0]", "[4,8]"), 8, "backwards");
  refuses(pair("[0,5]", "[5,9]"), 9, "need 4");
  refuses(pair("[0,4]", "[4,8,12]"), 8, "two numbers");
  refuses(pair("[0,4]", "[-4,8]"), 8, "whole number");
  refuses(pair("[0,4]", "[4.0,8]"), 8, "whole number");
  refuses(pair("[0,4]", "[4,18446744073709551616]"), 8, "whole number");
  refuses(pair("[0,4]", "\"4,8\""), 8, "two numbers");
}

BOOST_AUTO_TEST_CASE(refuses_wrong_descriptions) {
  const auto with = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  refuses(with(R"("dtype":"F12","shape":[1],"data_offsets":[0,4])"), 4, "F12");
  refuses(with(R"("dtype":7,"shape":[1],"data_offsets":[0,4])"), 4, "dtype is no string");
  refuses(with(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), 4, "shape is no list");
  refuses(with(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4, "whole number");
  refuses(with(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])"), 4, "whole number");
  refuses(with(R"("dtype":"F32","shape":[1])"), 4, "exactly");
  refuses(with(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1)"), 4, "exactly");
  refuses(R"({"a":7})", 0, "not a map");
  // 2^32 · 2^32 · 4 is 0 in 64 bits: an unchecked product would match these offsets.
  refuses(with(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0, "overflows");
  refuses(with(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])"), 4, "overflows");
  refuses(with(R"("dtype":"F32","shape":[4611686018427387904,0],"data_offsets":[0,0])"), 0, "overflows");
}

BOOST_AUTO_TEST_CASE(refuses_doubled_names) {
  refuses(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2,
      "\"a\"");
  refuses(R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1, "dtype");
  refuses(R"({"__metadata__":{"k":1}})", 0, "no string");
  refuses(R"({"__metadata__":[]})", 0, "no map");
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_file, *boost::unit_test::timeout(10)) {
  const Folder folder;
  BOOST_TEST(!open_safetensors(folder / "absent"));
  BOOST_TEST(!open_safetensors(folder.path()));
  BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  BOOST_TEST(!open_safetensors(folder / "pipe"));
}

// Files that Hugging Face's own writer made come back byte for byte.
BOOST_AUTO_TEST_CASE(rewrites_other_writers_files_byte_for_byte) {
  const auto files = shared_files();
  if (files.empty()) BOOST_TEST_MESSAGE("skipped: no goldens found (set PLUMB_SHARED)");
  const Folder folder;
  for (const fs::path& path : files) {
    const auto file = open_safetensors(path);
    BOOST_REQUIRE_MESSAGE(file, path);
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& entry : file->entries()) tensors.insert(tensors.begin(), {entry.name, file->tensor(entry.name)});
    BOOST_REQUIRE(plumb::write_safetensors(folder / "copy", tensors, file->metadata()));
    BOOST_TEST((content(folder / "copy") == content(path)), path);
  }
}

BOOST_AUTO_TEST_CASE(writes_views_and_replaces_atomically) {
  const Folder folder;
  const fs::path path = put(folder, "old");
  const at::Tensor numbers = at::arange(6, at::kFloat).reshape({2, 3});
  BOOST_REQUIRE(plumb::write_safetensors(path, {{"t", numbers.t()}, {"half", numbers.to(at::kBFloat16)}}));
  const auto file = open_safetensors(path);
  BOOST_REQUIRE(file);
  BOOST_TEST(file->tensor("t").equal(numbers.t().contiguous()));
  BOOST_TEST(file->tensor("half").equal(numbers.to(at::kBFloat16)));
  BOOST_TEST(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
  BOOST_TEST(!plumb::write_safetensors(path, {{"t", numbers}, {"t", numbers}}));
  BOOST_TEST(!plumb::write_safetensors(folder / "no" / "folder", {{"t", numbers}}));
  BOOST_TEST(content(path).size() > 40U);  // what was there stays
}

BOOST_AUTO_TEST_CASE(reads_shards_and_refuses_strange_indices) {
  const Folder folder;
  const at::Tensor a = at::arange(3, at::kFloat), b = at::arange(4, at::kInt);
  BOOST_TEST(!plumb::read_model_tensors(folder.path()));
  plumb::write_safetensors(folder / "one.safetensors", {{"a", a}}).value();
  plumb::write_safetensors(folder / "two.safetensors", {{"b", b}}).value();
  const auto index = [&](const std::string& map) {
    put(folder, "{\"metadata\":{\"total_size\":28},\"weight_map\":" + map + "}", "model.safetensors.index.json");
    return plumb::read_model_tensors(folder.path());
  };
  const auto good = index(R"({"a":"one.safetensors","b":"two.safetensors"})");
  BOOST_REQUIRE(good);
  BOOST_TEST(good->size() == 2U);
  BOOST_TEST(good->at("a").equal(a));

  BOOST_TEST(!index(R"({"a":"two.safetensors"})"));
  BOOST_TEST(!index(R"({"a":"absent.safetensors"})"));
  BOOST_TEST(!index(R"({"a":7})"));
  BOOST_TEST(!index("[]"));
  fs::create_directory(folder / "sub");
  fs::copy(folder / "one.safetensors", folder / "sub" / "one.safetensors");
  for (const char* name : {"sub/one.safetensors", "../one.safetensors", "./one.safetensors", ".", "..", "", "a\\\\b",
                           "one.safetensors\\u0000", "/proc/self/mem"}) {
    const auto result = index("{\"a\":\"" + std::string(name) + "\"}");
    BOOST_REQUIRE_MESSAGE(!result, name);
    BOOST_TEST(std::string(result.error().what()).find("plain file name") != std::string::npos);
  }
  plumb::write_safetensors(folder / "two.safetensors", {{"a", a}, {"b", b}}).value();
  BOOST_TEST(!index(R"({"a":"one.safetensors","b":"two.safetensors"})"));
}

BOOST_AUTO_TEST_SUITE_END()
