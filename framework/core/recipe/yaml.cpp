#include "framework/core/recipe/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "framework/core/recipe/yaml_scalar.h"
#include "framework/core/recipe/yaml_text.h"

namespace plumb {
namespace {

constexpr const char* kNoKey = "a key must be text, and this reads as something else";

// Thrown by the builder to end the parse where a limit is passed; the problem is recorded already.
struct Stop {};

// Receives the parser's events and builds the tree. The parser itself would accept duplicate keys and endless aliases,
// and would stop at its own depth limit with a useless position; here every event still has its place.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const YamlText& text, std::vector<Problem>& problems)
      : text_(text), problems_(problems), earlier_(static_cast<std::ptrdiff_t>(problems.size())) {}

  Value root;

  // Where the innermost bracket that is still open stands, or nothing.
  [[nodiscard]] const Mark* open_bracket() const {
    return !open_.empty() && open_.back().flow ? &open_.back().value.mark : nullptr;
  }

  // Forgets what was found in the outermost open bracket: without its end the parser guesses what its text is.
  void drop_guesses() {
    const auto outermost = std::find_if(open_.begin(), open_.end(), [](const Open& level) { return level.flow; });
    if (outermost == open_.end()) return;
    const Mark from = outermost->value.mark;
    const auto guessed = [&](const Problem& p) {
      return p.mark.line > from.line || (p.mark.line == from.line && p.mark.column >= from.column);
    };
    problems_.erase(std::remove_if(problems_.begin() + earlier_, problems_.end(), guessed), problems_.end());
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) {
      complain(text_.mark(mark), "a second document starts here; a recipe is one document");
      throw Stop{};
    }
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    complain(text_.mark(mark),
             fmt::format("anchor '&{}'; anchors and aliases are not supported: write the value out", name));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    complain(text_.mark(mark), "alias; anchors and aliases are not supported: write the value out");
    add(text_.mark(mark), {});
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    const Mark here = text_.mark(mark);
    if (expects_key()) {
      complain(here, text_.at(mark.pos) == ':' ? "a value without a key" : kNoKey);
      open_.back().key = Key{here, {}, true};
      return;
    }
    // An absent value stands where its key does; the parser places it at whatever comes next.
    const bool absent = expects_value() && open_.back().key->mark.line != here.line;
    const std::string word{text_.at(mark.pos), text_.at(mark.pos + 1), text_.at(mark.pos + 2), text_.at(mark.pos + 3)};
    if (!absent && (word == "Null" || word == "NULL")) complain(here, read_plain_scalar(word).complaint);
    add(expects_value() ? open_.back().key->mark : here, {});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    const Mark here = text_.mark(mark);
    refuse_tag(mark, tag);
    if (!text_.quotes_close(mark.pos)) {
      complain(here, "this quote is not closed");
      throw Stop{};  // the rest of the text is inside it
    }
    if (expects_key()) {
      take_key(mark, value, tag == "!");
    } else if (tag == "?") {
      PlainScalar scalar = read_plain_scalar(value);
      if (!scalar.complaint.empty()) complain(here, scalar.complaint);
      add(here, std::move(scalar.value));
    } else {
      add(here, value);
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, Value(Value::List()), style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, Value::map(), style);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Key {
    Mark mark;
    std::string name;
    bool refused = false;  // the value is read, for its problems, and dropped
  };
  struct Open {
    Value value;
    bool flow = false;
    std::optional<Key> key;            // of a map: read, waiting for its value
    std::map<std::string, Mark> seen;  // of a map
  };

  void complain(Mark mark, std::string message, std::string key = {}) {
    problems_.push_back({mark, std::move(key), std::move(message), {}});
  }

  [[nodiscard]] bool expects_key() const { return !open_.empty() && open_.back().value.is_map() && !open_.back().key; }
  [[nodiscard]] bool expects_value() const { return !open_.empty() && open_.back().key.has_value(); }

  // The dotted name of a key of the innermost map.
  [[nodiscard]] std::string dotted(const std::string& key) const {
    std::string out;
    for (const Open& level : open_) {
      if (&level == &open_.back()) break;
      out += (level.value.is_list() ? std::to_string(level.value.as_list().size())
              : level.key           ? level.key->name
                                    : "") +
             ".";
    }
    return out + key;
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (text_.at(mark.pos) == '!' || (tag != "?" && tag != "!" && !tag.empty())) {
      complain(text_.mark(mark), "tag; tags are not supported: types follow from the key");
    }
  }

  void take_key(const YAML::Mark& mark, const std::string& name, bool quoted) {
    Key key{text_.mark(mark), name};
    const auto refuse = [&](std::string why) {
      complain(key.mark, std::move(why), dotted(name));
      key.refused = true;
    };
    if (!text_.colon_follows(mark.pos, name.size())) {
      const auto colon = quoted ? std::string::npos : name.find(':');
      refuse(colon == std::string::npos ? "key without a value; write `key: value`"
                                        : "key without a value; a space must follow the ':'");
    } else if (!quoted && name == "<<") {
      refuse("merge keys are not supported: write the values out");
    } else if (!quoted && !(read_plain_scalar(name).value.is_string() && read_plain_scalar(name).complaint.empty())) {
      refuse(kNoKey);
    } else if (const auto [first, added] = open_.back().seen.emplace(name, key.mark); !added) {
      refuse(fmt::format("duplicate key; the first stands in line {}, column {}", first->second.line,
                         first->second.column));
    }
    open_.back().key = std::move(key);
  }

  void open(const YAML::Mark& mark, const std::string& tag, Value value, YAML::EmitterStyle::value style) {
    refuse_tag(mark, tag);
    if (expects_key()) {
      complain(text_.mark(mark), "a key must be text, not a list or a map");
      open_.back().key = Key{text_.mark(mark), "?", true};
      // What follows is this key, and the value comes after it: two values for one key, of which both are dropped.
      open_.back().key->refused = true;
      key_depth_ = open_.size();
    }
    value.mark = text_.mark(mark);
    open_.push_back({std::move(value), style == YAML::EmitterStyle::Flow, {}, {}});
    if (depth() > kYamlDepth) {
      problems_.erase(problems_.begin() + earlier_,
                      problems_.end());  // what the parser made of the brackets so far is guesswork
      complain(text_.mark(mark), fmt::format("more than {} levels of lists and maps", kYamlDepth));
      throw Stop{};
    }
  }

  // Levels that are open. A map that begins where its key begins with a bracket is one level: for brackets that nothing
  // closes the parser supposes such maps.
  [[nodiscard]] int depth() const {
    int levels = 0;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (i == 0 || open_[i].value.mark != open_[i - 1].value.mark) ++levels;
    }
    return levels;
  }

  void close() {
    Value done = std::move(open_.back().value);
    open_.pop_back();
    if (key_depth_ == open_.size() && key_depth_ > 0) {
      key_depth_ = 0;  // that was a key; its value follows
      return;
    }
    const Mark mark = done.mark;
    add(mark, std::move(done));
  }

  void add(Mark mark, Value value) {
    value.mark = mark;
    if (open_.empty()) {
      root = std::move(value);
    } else if (open_.back().value.is_list()) {
      open_.back().value.as_list().push_back(std::move(value));
    } else if (open_.back().key) {
      const Key key = *std::exchange(open_.back().key, std::nullopt);
      if (key.refused) return;
      value.key_mark = key.mark;
      open_.back().value.as_map().push_back({key.name, std::move(value)});
    }
  }

  const YamlText& text_;
  std::vector<Problem>& problems_;
  const std::ptrdiff_t earlier_;  // problems that were there before, of the characters
  std::vector<Open> open_;
  std::size_t key_depth_ = 0;
  int documents_ = 0;
};

// The parser's complaints in words that say what to do. Others are passed on as they are. `bracket`: the innermost open
// one.
Problem explain(const std::string& message, Mark mark, const Mark* bracket, const YamlText& text) {
  static const std::vector<std::pair<std::string, std::string>> known = {
      {"end of map not found", "text that fits no key of the map above; keys of one map start in the same column"},
      {"end of sequence not found", "text that fits no item of the list above; items start with '- ' in one column"},
      {"illegal map value", "a ':' that no key stands before; put text that holds ': ' in quotes"},
      {"illegal block entry", "'- ' starts a list item and must stand on a line of its own"},
      {"illegal flow end", "a closing bracket that nothing opened"},
      {"unknown token", "a character that cannot start a value; put the text in quotes"},
      {"illegal map key", "a key that cannot stand here"},
      {"illegal EOF in scalar", "the text ends inside quotes"},
      {"illegal document indicator in scalar", "the quotes of a text above are not closed"},
  };
  if (bracket != nullptr && message.find("flow not found") != std::string::npos) {
    if (bracket->line == mark.line) return {mark, {}, "a comma or the closing bracket is missing before this", {}};
    return {*bracket, {}, fmt::format("this bracket is not closed where line {} begins something else", mark.line), {}};
  }
  // A key that lacks its ':' is joined with the next line, and only the ':' there is odd.
  if (const Mark word = text.lone_word_above(mark.line); word.line > 0 && message == "illegal map value") {
    return {word, {}, "key without a value; write `key: value`", {}};
  }
  for (const auto& [theirs, ours] : known) {
    if (message.find(theirs) != std::string::npos) return {mark, {}, ours, {}};
  }
  return {mark, {}, message + "; the text is no YAML", {}};
}

void parse_into(const YamlText& text, YamlDocument& document) {
  std::istringstream stream(text.readable());
  Builder builder(text, document.problems);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    document.value = std::move(builder.root);
  } catch (const Stop&) {
  } catch (const YAML::ParserException& error) {
    builder.drop_guesses();
    document.problems.push_back(explain(error.msg, text.mark(error.mark), builder.open_bracket(), text));
  }
}

}  // namespace

YamlDocument parse_yaml(std::string_view bytes) {
  YamlDocument document;
  if (bytes.size() > kYamlBytes) {
    document.problems.push_back(
        {{1, 1}, {}, fmt::format("{} bytes; a recipe has at most {}", bytes.size(), kYamlBytes), {}});
    return document;
  }
  const YamlText text(bytes);
  document.problems = text.problems();
  if (text.can_be_parsed()) parse_into(text, document);
  sort_problems(document.problems);
  return document;
}

}  // namespace plumb
