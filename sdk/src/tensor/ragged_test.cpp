// Ragged rows against rows taken one by one.
#include "plumb/tensor/ragged.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>

#include "plumb/error.h"

using plumb::Ragged;

namespace {
// 1 2 3 | 4 | 5 6
Ragged three() {
  return Ragged::of(at::tensor({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, at::kDouble), {3, 1, 2});
}

bool same(const at::Tensor& found, const at::Tensor& wanted) {
  return found.sizes() == wanted.sizes() && found.equal(wanted.to(found.scalar_type()));
}
}  // namespace

BOOST_AUTO_TEST_SUITE(ragged)

BOOST_AUTO_TEST_CASE(rows_lie_end_to_end) {
  const Ragged rows = three();
  BOOST_TEST(rows.size() == 3);
  BOOST_TEST(rows.longest() == 3);
  BOOST_TEST(rows.length(2) == 2);
  BOOST_TEST(same(rows[0], at::tensor({1, 2, 3})));
  BOOST_TEST(same(rows[2], at::tensor({5, 6})));
  BOOST_TEST(same(rows.lengths(), at::tensor({3, 1, 2})));
  BOOST_TEST(same(rows.row_of_values(), at::tensor({0, 0, 0, 1, 2, 2})));
  BOOST_TEST(same(rows.sums(), at::tensor({6, 4, 11})));
  BOOST_TEST(rows.sum().item<double>() == 21.0);
  std::int64_t seen = 0;
  for (const at::Tensor row : rows) seen += row.numel();
  BOOST_TEST(seen == 6);
  BOOST_TEST(same(Ragged::of(rows.rows()).values, rows.values));
  BOOST_TEST(same(Ragged::of(rows.rows()).offsets, rows.offsets));
}

BOOST_AUTO_TEST_CASE(a_table_has_them_at_the_front_of_its_rows) {
  const Ragged rows = three();
  const at::Tensor table = at::tensor({1, 2, 3, 4, -7, -7, 5, 6, -7}).view({3, 3});
  BOOST_TEST(same(rows.padded(-7), table));
  BOOST_TEST(same(rows.mask(), table.ne(-7)));
  BOOST_TEST(same(rows.from_padded(table.to(at::kDouble)).values, rows.values));
}

BOOST_AUTO_TEST_CASE(others_have_the_same_rows) {
  const Ragged rows = three();
  BOOST_TEST(same(rows.with(2 * rows.values)[1], at::tensor({8})));
  BOOST_TEST(same(rows.spread(at::tensor({7, 8, 9})).values, at::tensor({7, 7, 7, 8, 9, 9})));
  const Ragged chosen = rows.select({2, 0, 2});
  BOOST_TEST(same(chosen.values, at::tensor({5, 6, 1, 2, 3, 5, 6})));
  BOOST_TEST(same(chosen.offsets, at::tensor({0, 2, 5, 7})));
}

BOOST_AUTO_TEST_CASE(gradients_reach_the_values) {
  Ragged rows = three();
  rows.values.set_requires_grad(true);
  // A value counts once for each time that its row is chosen, in the table and in the sums.
  const Ragged chosen = rows.select({2, 0, 2});
  (chosen.padded() * 10 + 0).sum().add(chosen.sums().sum()).backward();
  BOOST_TEST(same(rows.values.grad(), at::tensor({11, 11, 11, 0, 22, 22})));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const auto says = [](const std::string& wanted) {
    return [wanted](const plumb::Error& error) { return std::string(error.what()).find(wanted) != std::string::npos; };
  };
  const Ragged rows = three();
  BOOST_CHECK_EXCEPTION(Ragged::of(rows.values, {3, 2}), plumb::Error, says("found a tensor [6], wanted [5]"));
  BOOST_CHECK_EXCEPTION(rows.with(rows.values[0]), plumb::Error, says("wanted [6]"));
  BOOST_CHECK_EXCEPTION(rows.from_padded(rows.padded().narrow(1, 0, 2)), plumb::Error, says("[3, 2], wanted [3, 3]"));
  BOOST_CHECK_EXCEPTION(rows.spread(rows.values), plumb::Error, says("wanted [3]"));
  BOOST_TEST(!Ragged{}.defined());
  BOOST_TEST(Ragged{}.size() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
