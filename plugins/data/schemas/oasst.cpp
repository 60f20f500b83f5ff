// Open-Assistant's message trees (OASST1), as trees or as single messages, ranked by people.
//
// Demonstrations, `select: top`: one conversation a tree, the best reply at every level: the "top" part that QLoRA
// (arXiv:2305.14314, §5) and after it RS-DPO train on. `select: all`: every path from a prompt to a last answer.
// Preferences: pairs of ranked answers to one message, with the conversation that leads to it.
// Prompts: every message of a user that was answered, with the conversation before it.
#include <algorithm>

#include "file_source.h"
#include "oasst_messages.h"

namespace plumb::files {
namespace {

class Oasst final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::string records = "demonstrations", select = "top", pairs = "all";
    std::vector<std::string> languages;
  };
  static Params<Settings> params() {
    Params<Settings> p{"Open-Assistant's ranked conversation trees", "arXiv:2304.07327"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::records, "records", "what is made of the trees")
        .choices({"demonstrations", "preferences", "prompts"});
    p.add(&Settings::select, "select",
          "of demonstrations: top, one conversation a tree with the best reply at every level; all, every path")
        .choices({"top", "all"});
    p.add(&Settings::pairs, "pairs",
          "of preferences: all pairs of differently ranked answers, or the best with the worst")
        .choices({"all", "best-worst"});
    p.add(&Settings::languages, "languages",
          "keep trees whose first message is in one of these (`en`); empty keeps all");
    p.check([](const Settings& s) -> std::string {
      if (s.select != "top" && s.records != "demonstrations") return "select has no effect on " + s.records;
      if (s.pairs != "all" && s.records != "preferences") return "pairs has no effect on " + s.records;
      return {};
    });
    return p;
  }
  Oasst(const Settings& settings, Host& host) : FileSource(settings.files, host), settings_(settings) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    if (json.find(row, "prompt") == nullptr) return messages_.add_message(row, json);
    const std::string state = json.text_or(row, "tree_state", "ready_for_export");
    if (state != "ready_for_export") return leave_out("tree not ready");
    MessageTrees tree;
    tree.add_tree(row, json);
    take(tree);
  }

  void finish_file(const JsonFields&) override {
    if (!messages_.empty()) take(messages_);
    messages_ = {};
  }

  void take(MessageTrees& trees) {
    if (const std::size_t lost = trees.link()) leave_out("message without its tree", lost);
    for (const std::size_t root : trees.roots()) {
      const TreeMessage& first = trees.at(root);
      const auto& wanted = settings_.languages;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), first.language) == wanted.end()) {
        leave_out("another language");
      } else if (!first.kept) {
        leave_out("deleted or failed in review");
      } else {
        Conversation path;
        settings_.records == "demonstrations" && settings_.select == "top" ? take_top(trees, root)
                                                                           : walk(trees, root, path);
      }
    }
  }

  void take_top(const MessageTrees& trees, std::size_t root) {
    Conversation path;
    for (std::vector<std::size_t> next{root}; !next.empty(); next = trees.ranked_replies(next.front())) {
      const TreeMessage& message = trees.at(next.front());
      path.push_back({message.role, message.text});
    }
    if (path.back().role == "user") path.pop_back();  // nobody answered it
    if (path.empty()) return leave_out("no answer");
    emit(Demonstration{trees.at(root).id, std::move(path), {}});
  }

  // Visits a message and what follows it; `path` is the conversation before it.
  void walk(const MessageTrees& trees, std::size_t index, Conversation& path) {
    const TreeMessage& message = trees.at(index);
    path.push_back({message.role, message.text});
    const std::vector<std::size_t> replies = trees.ranked_replies(index);
    leave_out("deleted or failed in review", message.replies.size() - replies.size());
    if (message.role == "user" && !replies.empty()) {
      if (settings_.records == "prompts") emit(Prompt{message.id, path, {}});
      if (settings_.records == "preferences") compare(trees, message, replies, path);
    } else if (message.role == "assistant" && settings_.records == "demonstrations" && !answered(trees, replies)) {
      emit(Demonstration{message.id, path, {}});
    }
    for (const std::size_t reply : replies) walk(trees, reply, path);
    path.pop_back();
  }

  // True when a longer conversation goes on from here to another answer.
  static bool answered(const MessageTrees& trees, const std::vector<std::size_t>& replies) {
    return std::any_of(replies.begin(), replies.end(), [&](std::size_t i) { return !trees.ranked_replies(i).empty(); });
  }

  void compare(const MessageTrees& trees, const TreeMessage& message, const std::vector<std::size_t>& answers,
               const Conversation& path) {
    std::vector<std::size_t> ranked;
    std::copy_if(answers.begin(), answers.end(), std::back_inserter(ranked),
                 [&](std::size_t i) { return trees.at(i).rank.has_value(); });
    if (answers.size() > 1 && ranked.size() < answers.size())
      leave_out("unranked answer", answers.size() - ranked.size());
    for (std::size_t better = 0; better < ranked.size(); ++better) {
      for (std::size_t worse = better + 1; worse < ranked.size(); ++worse) {
        if (settings_.pairs == "best-worst" && (better > 0 || worse + 1 < ranked.size())) continue;
        const TreeMessage &a = trees.at(ranked[better]), &b = trees.at(ranked[worse]);
        if (a.rank == b.rank) {
          leave_out("tied");
          continue;
        }
        Preference pair;
        pair.id = a.id + "/" + b.id;
        pair.prompt = {message.id, path, {}};
        pair.chosen = a.text;
        pair.rejected = b.text;
        emit(std::move(pair));
      }
    }
  }

  Settings settings_;
  MessageTrees messages_;
};

}  // namespace

void register_oasst(Registrar& registrar, const std::string& name) {
  registrar.add<Oasst>(name).yields({"demonstrations", "preferences", "prompts"});
}

}  // namespace plumb::files
