// The device of a program of tests: the strict one, or the one that PLUMB_TEST_DEVICE names.
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <cstdio>

#include "framework/engine/modeling/cuda.h"
#include "models.h"

namespace {

// 77 is CTest's "skipped".
struct Where {
  Where() {
    const std::string device = plumb::test::device_name();
    if (!device.starts_with("cuda")) return;
    const std::string why = plumb::missing_for_cuda(plumb::parse_device(device).value().index);
    if (why.empty()) return;
    std::printf("skipped: %s cannot be used here: %s\n", device.c_str(), why.c_str());
    std::fflush(stdout);
    ::_exit(77);
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(Where);
