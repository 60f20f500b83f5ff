// Files that survive a crash, and errors that say what the disk did.
//
//   if (::write(fd, data, size) < 0) throw disk_error("write", file, errno, size);
//   sync_folder(file.parent_path());   // after a rename
//
// Thread contract: [any].
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "framework/result.h"
#include "plumb/value.h"

namespace plumb {

// Error(data): "cannot write F: No space left on device (12 KiB more were wanted, 0 bytes are free there, on …)".
// `verb` is what was tried; `wanted` bytes matter when the disk, the quota or the file size limit is exhausted.
Error disk_error(std::string_view verb, const std::filesystem::path& file, int error_number, std::uint64_t wanted = 0);

// Bytes an unprivileged process may still write on the file system that holds `path` (or its nearest existing parent).
std::uint64_t free_bytes(const std::filesystem::path& path);

// "512 bytes", "1.5 GiB".
std::string in_bytes(std::uint64_t bytes);

// Writes all of `bytes` to the descriptor; throws disk_error.
void write_all(int fd, std::string_view bytes, const std::filesystem::path& file);

// Makes what was written to a file, or the entries of a folder, durable; throws disk_error.
void sync_file(const std::filesystem::path& file);
void sync_folder(const std::filesystem::path& folder);

// Whole small files, atomically (temp, fsync, rename).
Result<std::string> read_file(const std::filesystem::path& file);
Result<void> write_file(const std::filesystem::path& file, std::string_view content);

// A whole small JSON file; what is wrong in it is an Error(data) with file, line and column.
Result<Value> read_json(const std::filesystem::path& file);

// What write_file leaves behind when the process dies in it; such a file may be deleted.
bool is_abandoned_temporary(const std::filesystem::path& file);

// The regular files below a folder in the order of their names, hidden files and folders left out. Error(data) for a
// folder that cannot be what somebody meant to read: one of more than 50,000 entries, or with a file system of the
// kernel's own (/proc, /sys …) in it, as `/` has.
Result<std::vector<std::filesystem::path>> files_below(const std::filesystem::path& folder);

// What is wrong with `path` as something to read, or empty: it is there, but neither a regular file nor a folder that
// files_below() takes.
std::string unreadable(const std::filesystem::path& path);

std::string sha256_of(std::string_view bytes);  // lower-case hex
Result<std::string> sha256_of_file(const std::filesystem::path& file);

}  // namespace plumb
