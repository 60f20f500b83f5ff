// A process that makes artifacts in a store where others of its kind do the same, and now and then gives one up halfway,
// as a stage that is stopped does:
//
//   faults-writer FOLDER KEYS SEED
//
// Each artifact that it made is a line of FOLDER/made. The exit status is 9 when it wrote a key that another process
// wrote at that moment; a lock of another kind (fcntl's) tells.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <set>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/descriptor.h"
#include "framework/core/artifacts/disk.h"

namespace {

using namespace plumb;
namespace fs = std::filesystem;

constexpr int kTwoWriters = 9;
constexpr useconds_t kWork = 60000;

enum class End { there, given_up, two_writers };

End make(ArtifactStore& store, const fs::path& folder, int key, bool give_up) {
  // Opened before the store's lock is: of a process that is killed, the lower descriptor is closed first.
  const Descriptor witness(
      ::open((folder / ("witness-" + std::to_string(key))).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  ArtifactWriter writer = store.begin(sha256_of(std::to_string(key)), "model").value();
  if (writer.finished() != nullptr) return End::there;
  struct flock whole {};
  whole.l_type = F_WRLCK;
  if (::fcntl(witness.get(), F_SETLK, &whole) != 0) return End::two_writers;
  write_file(writer.folder() / "model.bin", std::string(100, 'w')).value();
  ::usleep(kWork);
  if (give_up) return End::given_up;
  static_cast<void>(writer.commit({.stage_kind = "faults"}).value());
  std::ofstream(folder / "made", std::ios::app) << std::to_string(key) + "\n";
  return End::there;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  const fs::path folder = argv[1];
  std::mt19937 random(static_cast<unsigned>(std::atoi(argv[3])));
  std::set<int> missing;
  for (int key = 0; key < std::atoi(argv[2]); ++key) missing.insert(key);
  ArtifactStore store(folder / "store");
  while (!missing.empty()) {
    const int key = *std::next(missing.begin(), static_cast<std::ptrdiff_t>(random() % missing.size()));
    const End end = make(store, folder, key, random() % 6 != 0);
    if (end == End::two_writers) return kTwoWriters;
    if (end == End::there) missing.erase(key);
  }
  return 0;
} catch (const plumb::Error& error) {
  std::cerr << "plumb: " << error.what() << std::endl;
  return static_cast<int>(error.code());
}
