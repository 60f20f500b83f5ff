#include <plumb/testing.h>
#include <plumb/testing_checks.h>
#include <plumb/tokenizer.h>

#include <fstream>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto open = [&](const std::string& json) {
    std::ofstream("my-plugin.json") << json;
    return plugin.make<plumb::Tokenizer>("my-plugin", plumb::Value::map({{"path", "."}}));
  };

  const auto tokenizer = open(R"({"bos": "<s>", "eos": "</s>"})");
  const std::string text = "plum \xC3\xBC</s>";
  const auto plain = tokenizer->encode(text), special = tokenizer->encode_with_special(text);
  check.equal(plain.size(), text.size(), "a token for each byte");
  check.equal(special.size(), text.size() - 3, "the spelling of EOS is one token");
  check.equal(special.back(), *tokenizer->special().eos, "the last token");
  check.equal(tokenizer->decode(plain), text, "decoded text");
  check.equal(tokenizer->decode(special), "plum \xC3\xBC", "special tokens are left out");
  check.equal(tokenizer->decode(special, true), text, "special tokens are kept when asked for");
  check.equal(tokenizer->decode(std::vector<plumb::TokenId>{plain[5]}), "\xEF\xBF\xBD", "half a character is U+FFFD");
  check.equal(*tokenizer->find("</s>"), *tokenizer->special().eos, "EOS by its spelling");
  check.that(!tokenizer->find("pl"), "a piece that does not exist");
  check.throws(
      plumb::ErrorCode::data, [&] { open(R"({"bos": "<s>"})"); }, "a file without eos");
  return check.status();
}
