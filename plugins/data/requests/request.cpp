#include "request.h"

#include <algorithm>

namespace requests {
namespace {

constexpr std::array<std::string_view, 5> kNumbers{"one", "two", "three", "four", "five"};

// Words and punctuation marks, in order; spaces separate. A character outside the language gives an empty word, which
// no rule accepts.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == ' ') {
      ++i;
    } else if (c == ',' || c == '.' || c == '!') {
      words.push_back(text.substr(i++, 1));
    } else {
      std::size_t end = i;
      while (end < text.size() && text[end] >= 'a' && text[end] <= 'z') ++end;
      words.push_back(text.substr(i, end - i));
      i = std::max(end, i + 1);
    }
  }
  return words;
}

int number_of(std::string_view word) {
  const auto found = std::find(kNumbers.begin(), kNumbers.end(), word);
  return found == kNumbers.end() ? 0 : static_cast<int>(found - kNumbers.begin()) + 1;
}

int category_of_item(std::string_view item) {
  const auto& all = categories();
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (std::find(all[c].items.begin(), all[c].items.end(), item) != all[c].items.end()) return static_cast<int>(c);
  }
  return -1;
}

struct Answer {
  bool sure = false;
  std::vector<std::string> items;
};

// [sure !] item {, item} [and item] .
std::optional<Answer> parse_answer(std::string_view text) {
  const auto words = split(text);
  Answer answer;
  std::size_t i = 0;
  if (words.size() > 2 && words[0] == "sure" && words[1] == "!") {
    answer.sure = true;
    i = 2;
  }
  for (bool last = false;; ++i) {
    if (i >= words.size() || category_of_item(words[i]) < 0) return std::nullopt;
    answer.items.emplace_back(words[i]);
    if (++i >= words.size()) return std::nullopt;
    if (words[i] == ".") return i + 1 == words.size() ? std::optional(answer) : std::nullopt;
    if (last || (words[i] != "," && words[i] != "and")) return std::nullopt;
    last = words[i] == "and";
  }
}

// "[,] please ." or "." at position i.
bool parse_ending(const std::vector<std::string_view>& words, std::size_t i, bool& polite) {
  polite = i + 2 < words.size() && words[i] == "," && words[i + 1] == "please";
  if (polite) i += 2;
  return i + 1 == words.size() && words[i] == ".";
}

bool parse_first_turn(std::string_view text, Request& request) {
  const auto words = split(text);
  std::size_t i = 0;
  while (i < words.size() && number_of(words[i]) == 0) ++i;  // the verb, in one word or two
  if (i == 0 || i > 2 || i + 1 >= words.size()) return false;
  request.count = number_of(words[i]);
  const auto& all = categories();
  const auto category = std::find_if(all.begin(), all.end(), [&](const Category& c) { return c.name == words[i + 1]; });
  if (category == all.end()) return false;
  request.category = static_cast<int>(category - all.begin());
  i += 2;
  if (i + 1 < words.size() && words[i] == "not") {
    if (category_of_item(words[i + 1]) < 0) return false;
    request.forbidden = std::string(words[i + 1]);
    i += 2;
  }
  return parse_ending(words, i, request.polite);
}

bool parse_follow_up(std::string_view text, Request& request) {
  const auto words = split(text);
  if (words.size() < 3 || number_of(words[0]) == 0 || words[1] != "more") return false;
  request.count = number_of(words[0]);
  return parse_ending(words, 2, request.polite);
}

bool holds(const std::vector<std::string>& items, std::string_view item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

}  // namespace

const std::array<Category, 6>& categories() {
  static constexpr std::array<Category, 6> all{{
      {"animals", {"cat", "dog", "hen", "fox", "cow", "owl", "bee", "ant"}},
      {"colors", {"red", "blue", "green", "pink", "gray", "gold", "white", "black"}},
      {"fruits", {"apple", "pear", "plum", "fig", "lime", "kiwi", "grape", "mango"}},
      {"tools", {"saw", "axe", "drill", "file", "plane", "level", "clamp", "rasp"}},
      {"rivers", {"nile", "rhine", "danube", "volga", "seine", "thames", "loire", "elbe"}},
      {"metals", {"iron", "zinc", "lead", "tin", "copper", "silver", "nickel", "cobalt"}},
  }};
  return all;
}

std::optional<Request> parse_request(const plumb::Conversation& messages) {
  Request request;
  bool first = true;
  for (const plumb::Message& message : messages) {
    if (message.role == "user") {
      if (!(first ? parse_first_turn(message.content, request) : parse_follow_up(message.content, request))) return {};
      first = false;
    } else if (message.role == "assistant") {
      // An earlier answer counts by the items it names, well-formed or not.
      for (std::string_view word : split(message.content)) {
        if (category_of_item(word) >= 0) request.earlier.emplace_back(word);
      }
    }
  }
  if (first || messages.back().role != "user") return {};
  return request;
}

GoldScore rate(const Request& request, std::string_view text) {
  GoldScore score;
  const std::optional<Answer> answer = parse_answer(text);
  if (!answer) return score;
  const auto& items = answer->items;
  score.well_formed = true;
  score.count = static_cast<int>(items.size()) == request.count ? 1 : 0;
  const auto fitting = std::count_if(
      items.begin(), items.end(), [&](const std::string& item) { return category_of_item(item) == request.category; });
  score.category = static_cast<double>(fitting) / static_cast<double>(items.size());
  score.distinct = 1;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (holds({items.begin(), items.begin() + static_cast<std::ptrdiff_t>(i)}, items[i]) ||
        holds(request.earlier, items[i])) {
      score.distinct = 0;
    }
  }
  score.politeness = answer->sure == request.polite ? 1 : 0;
  score.obedience = request.forbidden && holds(items, *request.forbidden) ? 0 : 1;
  score.total = (score.count + score.category + score.distinct + score.politeness + score.obedience) / 5;
  return score;
}

std::string write_request(const Request& request, std::string_view verb) {
  std::string text(verb);
  text += ' ';
  text += kNumbers[static_cast<std::size_t>(request.count - 1)];
  text += ' ';
  text += categories()[static_cast<std::size_t>(request.category)].name;
  if (request.forbidden) text += " not " + *request.forbidden;
  return text + (request.polite ? ", please." : ".");
}

std::string write_follow_up(const Request& request) {
  return std::string(kNumbers[static_cast<std::size_t>(request.count - 1)]) +
         (request.polite ? " more, please." : " more.");
}

std::string write_answer(const std::vector<std::string>& items, bool sure) {
  std::string text = sure ? "sure! " : "";
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += items[i];
  }
  return text + ".";
}

std::string draw_answer(const Request& request, plumb::Random& random) {
  const int count = random.uniform() < 0.6 ? request.count : 1 + static_cast<int>(random.below(5));
  std::vector<std::string> items;
  for (int i = 0; i < count; ++i) {
    const std::size_t category =
        random.uniform() < 0.8 ? static_cast<std::size_t>(request.category) : random.below(categories().size());
    std::vector<std::string_view> pool;
    for (std::string_view item : categories()[category].items) {
      const bool used = holds(items, item) || holds(request.earlier, item);
      const bool forbidden = request.forbidden && item == *request.forbidden;
      if ((!used || random.uniform() < 0.3) && (!forbidden || random.uniform() < 0.5)) pool.push_back(item);
    }
    if (pool.empty()) pool.assign(categories()[category].items.begin(), categories()[category].items.end());
    items.emplace_back(pool[random.below(pool.size())]);
  }
  const bool sure = random.uniform() < 0.6 ? request.polite : !request.polite;
  return write_answer(items, sure);
}

}  // namespace requests
