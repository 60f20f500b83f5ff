#include <plumb/data_source.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

#include <fstream>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto open = [&](const std::string& text) {
    std::ofstream("rows_under_test.tsv", std::ios::binary) << text;
    return plugin.make<plumb::DataSource>("my-plugin", plumb::Value::map({{"path", "rows_under_test.tsv"}}));
  };

  const auto source = open("one?\t1\n\ntwo?\t2\n");
  const auto first = source->next(), second = source->next();
  check.that(first && second && !source->next(), "two rows, then the end");
  const auto& row = std::get<plumb::Demonstration>(*second);
  check.that(row.messages == plumb::Conversation{{"user", "two?"}, {"assistant", "2"}}, "the second row");
  check.that(row.id != std::get<plumb::Demonstration>(*first).id, "ids differ");
  check.equal(source->skipped().at("empty"), 1U, "empty lines");
  check.throws(
      plumb::ErrorCode::data, [&] { open("no tab\n")->next(); }, "a line without a tab");
  return check.status();
}
