#include "framework/engine/training/checkpoint.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "plumb/error.h"

namespace {
plumb::CheckpointToWrite at_step(std::int64_t step) {
  return {step,
          plumb::Value::map({{"tokens", 0.1 + static_cast<double>(step)}}),
          {{"w", at::tensor({1.5F, -2.5F})}, {"w.exp_avg", at::tensor({static_cast<float>(step)})}}};
}

void damage(const std::filesystem::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-3, std::ios::end);
  stream.put('\x7f');
}
}  // namespace

BOOST_AUTO_TEST_SUITE(checkpoint)

BOOST_AUTO_TEST_CASE(what_was_written_comes_back) {
  const plumb::test::Folder folder;
  plumb::CheckpointFolder checkpoints(folder / "checkpoints");
  BOOST_TEST(!checkpoints.last().has_value());
  checkpoints.write(at_step(7));
  const auto last = checkpoints.last();
  BOOST_REQUIRE(last.has_value());
  BOOST_TEST(last->step == 7);
  BOOST_TEST(last->state.at("tokens").as_double() == 7.1);
  BOOST_TEST(at::equal(last->tensors.at("w"), at::tensor({1.5F, -2.5F})));
  BOOST_TEST(last->tensors.size() == 2);
}

BOOST_AUTO_TEST_CASE(only_the_newest_is_kept) {
  const plumb::test::Folder folder;
  plumb::CheckpointFolder checkpoints(folder.path());
  for (const int step : {9, 10, 100}) checkpoints.write(at_step(step));
  BOOST_TEST(checkpoints.last()->step == 100);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++entries;
  BOOST_TEST(entries == 1);
}

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_gives_way_to_the_one_before) {
  const plumb::test::Folder folder;
  plumb::CheckpointFolder checkpoints(folder / "now"), before(folder / "before");
  before.write(at_step(3));
  checkpoints.write(at_step(4));
  std::filesystem::rename(folder / "before/checkpoint-3", folder / "now/checkpoint-3");
  damage(folder / "now/checkpoint-4/tensors.safetensors");
  std::vector<std::string> complaints;
  BOOST_TEST(checkpoints.last(&complaints)->step == 3);
  BOOST_REQUIRE(complaints.size() == 1);
  BOOST_TEST(complaints[0].find("checkpoint-4") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_changed_digit_of_the_state_is_noticed) {
  const plumb::test::Folder folder;
  plumb::CheckpointFolder checkpoints(folder.path());
  checkpoints.write(at_step(3));
  const auto file = folder / "checkpoint-3/state.json";
  std::string text = plumb::read_file(file).value();
  const std::size_t digit = text.find("3.1");
  BOOST_REQUIRE(digit != std::string::npos);
  text[digit] = '4';
  std::ofstream(file) << text;
  std::vector<std::string> complaints;
  BOOST_TEST(!checkpoints.last(&complaints).has_value());
  BOOST_REQUIRE(complaints.size() == 1);
  BOOST_TEST(complaints[0].find("does not match its own hash") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_write_that_was_cut_off_is_not_seen) {
  const plumb::test::Folder folder;
  plumb::CheckpointFolder checkpoints(folder.path());
  checkpoints.write(at_step(3));
  std::filesystem::create_directories(folder / "partial-4");
  std::ofstream(folder / "partial-4/tensors.safetensors") << "half";
  std::filesystem::create_directories(folder / "checkpoint-5");  // renamed, yet empty after a crash of the disk
  BOOST_TEST(checkpoints.last()->step == 3);
  checkpoints.write(at_step(4));
  BOOST_TEST(checkpoints.last()->step == 4);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_written_is_named) {
  const plumb::test::Folder folder;
  std::ofstream(folder / "file") << "in the way";
  plumb::CheckpointFolder checkpoints(folder / "file");
  try {
    checkpoints.write(at_step(1));
    BOOST_FAIL("no error");
  } catch (const plumb::Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == 4);
    BOOST_TEST(std::string(error.what()).find("partial-1") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
