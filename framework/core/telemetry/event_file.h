// TensorBoard's event files, encoded by hand: a record is an Event message of protocol buffers between two checksums.
//
//   out << event_file_header() << event_record(step, {{"loss", 0.7}});
//
// The format is TensorFlow's tfrecord (length, masked CRC-32C of it, bytes, masked CRC-32C of them) around
// tensorboard/compat/proto/event.proto. An event's wall time is its step, in seconds: an artifact holds no clock times,
// so that an interrupted run and an uninterrupted one give the same bytes. Thread contract: [any].
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace plumb {

inline constexpr const char* event_file_name = "events.out.tfevents.0.plumb";

// CRC-32C (Castagnoli, RFC 3720), and TensorFlow's masking of it.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

std::string event_file_header();  // the first record: the version of the format
std::string event_record(std::int64_t step, const std::map<std::string, double>& scalars);

}  // namespace plumb
