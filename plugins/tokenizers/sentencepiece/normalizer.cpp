#include "normalizer.h"

#include "plumb/utf8.h"

namespace plumb::tokenizers {

SpmNormalizer::SpmNormalizer(const ModelFile& model, const PrefixIndex& user_defined, const std::string& origin)
    : model_(model), user_defined_(user_defined), rules_(model.charsmap, origin) {}

SpmNormalizer::Step SpmNormalizer::next(std::string_view text) const {
  if (const std::size_t size = user_defined_.longest(text)) return {text.substr(0, size), size};
  if (const auto rule = rules_.longest(text)) return {rule->replacement, rule->size};
  const Character c = first_character(text);
  if (!c.valid) return {"\uFFFD", 1};
  return {text.substr(0, c.size), c.size};
}

std::string SpmNormalizer::normalize(std::string_view text, bool continues) const {
  const std::string_view space = model_.escape_whitespaces ? kSpaceMark : std::string_view(" ");
  const bool trims = model_.remove_extra_whitespaces;
  bool had_space = false;
  while (trims && !text.empty()) {
    const Step step = next(text);
    if (step.text != " ") break;
    had_space = true;
    text.remove_prefix(step.size);
  }
  std::string out;
  if (text.empty()) return continues && had_space ? std::string(space) : out;
  if (continues ? had_space : model_.add_dummy_prefix) out += space;

  bool after_space = trims;
  while (!text.empty()) {
    const Step step = next(text);
    std::string_view put = step.text;
    while (after_space && put.starts_with(' ')) put.remove_prefix(1);
    for (const char c : put) {
      if (c == ' ') {
        out += space;
      } else {
        out += c;
      }
    }
    if (!put.empty()) after_space = put.back() == ' ';
    if (!trims) after_space = false;
    text.remove_prefix(step.size);
  }
  while (trims && out.ends_with(space)) out.erase(out.size() - space.size());
  return out;
}

}  // namespace plumb::tokenizers
