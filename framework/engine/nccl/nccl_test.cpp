#include <dlfcn.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <exception>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

BOOST_AUTO_TEST_SUITE(nccl)

void* opened(const char* library, int how) {
  void* handle = ::dlopen(library, how);
  BOOST_REQUIRE_MESSAGE(handle != nullptr, ::dlerror());
  return handle;
}

// Without a GPU NCCL's group says so itself: the library loads, and all that it calls is there.
BOOST_AUTO_TEST_CASE(a_group_of_one_is_made_where_there_is_a_gpu) {
  if (::dlopen(PLUMB_LIBTORCH_CUDA, RTLD_NOW | RTLD_GLOBAL) == nullptr) {  // its own libraries come apart from it
    BOOST_TEST_MESSAGE("skipped: " << ::dlerror() << "; tools/setup --with-cuda fetches what it needs");
    return;
  }
  using Make = c10d::Backend*(const c10::intrusive_ptr<c10d::Store>&, int, int, std::chrono::milliseconds);
  auto* make = reinterpret_cast<Make*>(::dlsym(opened(PLUMB_NCCL, RTLD_NOW), "plumb_nccl_make"));
  BOOST_REQUIRE(make != nullptr);
  const c10::intrusive_ptr<c10d::Store> store = c10::make_intrusive<c10d::HashStore>();
  try {
    const auto group = c10::intrusive_ptr<c10d::Backend>::reclaim(make(store, 0, 1, std::chrono::seconds(10)));
    BOOST_TEST(group->getBackendName() == "nccl");
  } catch (const std::exception& error) {
    BOOST_TEST_MESSAGE("skipped: no GPU");
    BOOST_TEST(std::string(error.what()).find("no GPUs found") != std::string::npos, error.what());
  }
}

BOOST_AUTO_TEST_SUITE_END()
