#include "framework/core/telemetry/event_file.h"

#include <array>
#include <bit>

namespace plumb {

namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    table[byte] = crc;
  }
  return table;
}();

void append_little_endian(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xFF);
}

// The wire types of protocol buffers that an event needs.
void append_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7F) | 0x80);
  out += static_cast<char>(number);
}

void append_varint_field(std::string& out, int field, std::uint64_t number) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3);
  append_varint(out, number);
}

void append_double_field(std::string& out, int field, double number) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | 1);
  append_little_endian(out, std::bit_cast<std::uint64_t>(number), 8);
}

void append_float_field(std::string& out, int field, float number) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | 5);
  append_little_endian(out, std::bit_cast<std::uint32_t>(number), 4);
}

void append_bytes_field(std::string& out, int field, std::string_view bytes) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

std::string record(std::string_view event) {
  std::string out;
  append_little_endian(out, event.size(), 8);
  append_little_endian(out, masked_crc32c(out), 4);
  out += event;
  append_little_endian(out, masked_crc32c(event), 4);
  return out;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U;
}

std::string event_file_header() {
  std::string event;
  append_double_field(event, 1, 0);  // wall_time
  append_bytes_field(event, 3, "brain.Event:2");
  return record(event);
}

std::string event_record(std::int64_t step, const std::map<std::string, double>& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    append_bytes_field(value, 1, tag);
    append_float_field(value, 2, static_cast<float>(number));
    append_bytes_field(summary, 1, value);
  }
  std::string event;
  append_double_field(event, 1, static_cast<double>(step));  // wall_time
  append_varint_field(event, 2, static_cast<std::uint64_t>(step));
  append_bytes_field(event, 5, summary);
  return record(event);
}

}  // namespace plumb
