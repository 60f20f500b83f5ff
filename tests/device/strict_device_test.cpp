// The device itself: that it catches what a GPU would crash on, and computes as the CPU does.
#include "strict_device.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/wait.h>
#include <torch/csrc/autograd/autograd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "models.h"

namespace {
using namespace plumb;
const at::Device kStrict(at::kPrivateUse1, 0);

std::vector<at::Tensor> small_network(at::Device device) {
  const auto leaf = [&](const at::Tensor& x) { return x.to(device, at::kFloat, false, true).set_requires_grad(true); };
  const at::Tensor numbers = at::rand({12, 16}, at::make_generator<at::CPUGeneratorImpl>(7));
  const at::Tensor w = leaf(numbers.narrow(0, 0, 8)), x = leaf(numbers.narrow(0, 8, 4)),
                   g = leaf(numbers[3].narrow(0, 0, 8));
  const at::Tensor y = at::silu(at::linear(x, w));
  const at::Tensor out = at::layer_norm(y, {8}, g, g) * at::rms_norm(y, {8}, g, 1e-5);
  out.narrow(0, 1, 2).square().sum().backward();
  return {out.detach().cpu(), w.grad().cpu(), x.grad().cpu(), g.grad().cpu()};
}
}  // namespace

BOOST_AUTO_TEST_SUITE(strict_device)

BOOST_AUTO_TEST_CASE(a_host_that_reads_device_memory_dies) {
  const at::Tensor there = at::ones({4}).to(kStrict);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    const volatile float first = there.const_data_ptr<float>()[0];
    ::_exit(first == 1 ? 0 : 2);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFSIGNALED(status));
  BOOST_TEST(WTERMSIG(status) == SIGSEGV);
  BOOST_TEST(there.cpu().sum().item<float>() == 4);
}

BOOST_AUTO_TEST_CASE(a_copy_to_the_host_arrives_when_it_is_waited_for) {
  const at::Tensor there = at::ones({4}).to(kStrict);
  at::Tensor here = at::zeros({4});
  strict::reset_counts();
  here.copy_(there, true);
  BOOST_TEST(here.sum().item<float>() == 0);
  BOOST_TEST(strict::counts().syncs == 0);
  c10::Event event(kStrict.type());
  event.record(c10::impl::VirtualGuardImpl(kStrict.type()).getStream(kStrict));
  event.synchronize();
  BOOST_TEST(here.sum().item<float>() == 4);
  BOOST_TEST(strict::counts().syncs == 1);
}

BOOST_AUTO_TEST_CASE(it_computes_as_the_cpu_does) {
  const auto here = small_network(at::kCPU), there = small_network(kStrict);
  for (std::size_t i = 0; i < here.size(); ++i) BOOST_TEST(here[i].allclose(there[i], 1e-5, 1e-6));
}

// Only a program that holds the device can name it, and no recipe.
BOOST_AUTO_TEST_CASE(no_recipe_can_name_it) {
  BOOST_CHECK_THROW(Placement::params().parse(Value::map({{"device", "strict"}})), Error);
  BOOST_CHECK_THROW(test::small_model({.device = "strictly"}), Error);
}

BOOST_AUTO_TEST_SUITE_END()
