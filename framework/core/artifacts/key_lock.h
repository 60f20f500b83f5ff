// The lock of one key of the artifact store: one process writes a key at a time.
//
//   if (Result<void> locks = probe_locks(root); !locks) return locks.error();     // once, before anything is written
//   Result<KeyLock> lock = KeyLock::take(root / "responses-0123456789abcdef.lock",
//                                        [](const std::string& holder) { return interruption() == 0; });
//
// A process that dies loses its locks, so none has to be freed by hand. The file is never removed by who holds it:
// where attributes are cached (NFS), a waiter could not tell a removed file from the one that took its place, and two
// would write. While the lock is held the file says by whom, as {"host": …, "process": …, "start": …} with the time
// when it was taken; afterwards it is empty.
//
// Thread contract: take [any]; probe_locks: one thread of a process; a lock: one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "framework/result.h"

namespace plumb {

// Asked about ten times a second with who holds the lock, "process 4711 on node7, which began at 2026-01-31T09:00:00Z";
// false: waiting is given up.
using KeepWaiting = std::function<bool(const std::string& holder)>;

class KeyLock {
 public:
  // Waits for it. Error(interrupted) when `keep_waiting` gives up; data when the file cannot be made or locked.
  static Result<KeyLock> take(const std::filesystem::path& file, const KeepWaiting& keep_waiting);
  KeyLock(KeyLock&& other) noexcept;
  KeyLock& operator=(KeyLock&&) = delete;
  ~KeyLock();

 private:
  explicit KeyLock(int fd) : fd_(fd) {}
  int fd_;
};

// Whether the file system of `folder`, which is made when it is missing, locks at all: of two descriptors of one file
// only one may get the lock. Error(data) with the folder when not. That a lock is seen from other machines, too, cannot
// be told from one.
Result<void> probe_locks(const std::filesystem::path& folder);

}  // namespace plumb
