#include <plumb/judge.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto judge = plugin.make<plumb::Judge>("my-plugin", plumb::Value::map({{"longest", 4}}));
  const auto rate = [&](const std::string& answer) {
    plumb::JudgeRequest request;
    request.answer = answer;
    return judge->judge(request).score.value_or(-1);
  };

  check.near(rate("apple pear"), 1, 1e-12, "no repetition");
  check.near(rate("plum plum plum pear"), 0.5, 1e-12, "two words of four");
  check.near(rate("a b c d e"), 0, 1e-12, "too long");
  check.near(rate(""), 0, 1e-12, "empty");

  plumb::JudgeRequest two;
  two.answer = "plum plum";
  two.other = "plum pear";
  check.near(judge->judge(two).preference.value_or(-1), 0, 1e-12, "the other answer wins");
  return check.status();
}
