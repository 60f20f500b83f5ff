#include "framework/core/telemetry/event_file.h"

#include <boost/test/unit_test.hpp>
#include <numeric>

namespace plumb {
namespace {

std::string hex(const std::string& bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(event_file)

BOOST_AUTO_TEST_CASE(crc32c_agrees_with_rfc_3720) {  // appendix B.4
  BOOST_TEST(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  BOOST_TEST(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  BOOST_TEST(crc32c(ascending) == 0x46DD794EU);
  BOOST_TEST(crc32c(std::string(ascending.rbegin(), ascending.rend())) == 0x113FDB5CU);
  BOOST_TEST(crc32c("123456789") == 0xE3069283U);  // the check value of the catalogues
}

// Every TensorBoard file with a wall time (nine bytes) and the version (fifteen) begins with these bytes of length and
// checksum.
BOOST_AUTO_TEST_CASE(the_header_is_framed_as_tensorflow_frames_it) {
  const std::string header = event_file_header();
  BOOST_TEST(hex(header.substr(0, 12)) == "1800000000000000a37f4b22");
  BOOST_TEST(hex(header.substr(12, 9)) == "090000000000000000");
  BOOST_TEST(header.substr(21, 15) ==
             "\x1a\x0d"
             "brain.Event:2");
  BOOST_TEST(header.size() == 12U + 24U + 4U);
}

BOOST_AUTO_TEST_CASE(an_event_has_the_fields_of_event_proto) {
  const std::string record = event_record(300, {{"loss", 0.5}});
  // wall_time = 300.0; step = 300; summary { value { tag: "loss" simple_value: 0.5 } }
  BOOST_TEST(hex(record.substr(12, record.size() - 16)) ==
             "090000000000c07240"
             "10ac02"
             "2a0d"
             "0a0b"
             "0a046c6f7373"
             "150000003f");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
